//go:build e2e

package e2e

import (
	"errors"
	"image"
	"strings"
	"testing"
	"time"

	"aval/test/rig"
)

// A policy has sessions recorded: nobody is asked, the person is told, and can
// object with one click; the company has the objection with the session.
func TestNotice(t *testing.T) {
	w := newWorld(t, `{"AccessControl": "allowed"}`)
	d := w.desktop("desk", rig.WithGL)
	s := w.connect(d)
	w.must(s.WaitConnected(20 * time.Second))
	row := w.decided(15 * time.Second)
	if row.Outcome != "allowed" || row.Basis != "enforced-policy" {
		t.Fatalf("the decision is %+v", row)
	}
	w.recording(row.Session, true, 15*time.Second)
	win, err := d.WaitWindow("the notice", 20*time.Second, rig.OfUI)
	w.must(err)
	w.must(w.Wait("a painted notice", 10*time.Second, func() (bool, error) {
		img, err := d.Part(win.Rect)
		return err == nil && rig.Colours(img, 20) == 20, err
	}))
	w.picture(d.Display, "notice")
	// The button to object is the first one beneath the line, on the left.
	at := image.Pt(win.Rect.Min.X+90, win.Rect.Max.Y-34)
	w.must(w.Wait("the objection", 20*time.Second, func() (bool, error) {
		if err := d.HandClick(at); err != nil {
			return false, err
		}
		return w.state() == "objected", nil
	}))
	w.picture(d.Display, "objected")
	w.must(s.Leave())
	w.arrived(row.Session)
	w.must(w.Wait("the objection at the company", 20*time.Second, func() (bool, error) {
		res, err := w.Run(30*time.Second, rig.Cmd{Name: "aval-summarizer", Path: w.Program("aval-summarizer"), Args: []string{"export", "--data", w.summarizer.Data, "--json"}})
		return strings.Contains(res.Stdout, `"objected_at"`), err
	}))
}

// Without OpenGL the desktop's own dialog says the same.
func TestNoticeNative(t *testing.T) {
	if rig.Need("zenity") != nil {
		t.Skip("zenity is not installed")
	}
	w := newWorld(t, `{"AccessControl": "allowed"}`)
	d := w.desktop("desk", rig.WithoutGL)
	s := w.connect(d)
	w.must(s.WaitConnected(20 * time.Second))
	row := w.decided(15 * time.Second)
	w.recording(row.Session, true, 15*time.Second)
	win, err := d.WaitWindow("the notice", 20*time.Second, rig.OfNative)
	w.must(err)
	w.must(w.Wait("a painted notice", 10*time.Second, func() (bool, error) {
		img, err := d.Part(win.Rect)
		return err == nil && rig.Colours(img, 20) == 20, err
	}))
	w.picture(d.Display, "notice-native")
	w.must(d.CloseByHand(win))
	w.recording(row.Session, true, 5*time.Second)
}

// A notice that lies beneath something has been shown to nobody: it is told of once the
// person can see it. Report it when the window is told to show itself, and it is told
// of beneath the cover.
func TestNoticeSeen(t *testing.T) {
	w := newWorld(t, `{"AccessControl": "allowed"}`)
	d := w.desktop("desk", rig.WithGL)
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() { stopped <- cover(d.Display, stop) }()
	s := w.connect(d)
	w.must(s.WaitConnected(20 * time.Second))
	w.recording(w.decided(15*time.Second).Session, true, 15*time.Second)
	_, err := d.WaitWindow("the notice", 20*time.Second, rig.OfUI)
	w.must(err)
	<-time.After(3 * time.Second) // it is painted, beneath
	if n := w.logged("notice shown"); n != 0 {
		t.Errorf("%d notices were shown, to nobody", n)
	}
	close(stop)
	w.must(<-stopped)
	w.must(w.Wait("the word that it was shown", 20*time.Second, func() (bool, error) { return w.logged("notice shown") == 1, nil }))
}

// cover lies over all of a display but the bar's place until it is stopped, and again
// on whatever comes to lie on it.
func cover(d *rig.Display, stop <-chan struct{}) error {
	every := time.NewTicker(30 * time.Millisecond)
	defer every.Stop()
	under := func() error { return nil }
	for {
		all := image.Rect(0, 100, 1100, 720)
		remove, err := d.Lay(rig.CoverWhole, all, all)
		if err := errors.Join(err, under()); err != nil {
			return err
		}
		under = remove
		select {
		case <-stop:
			return under()
		case <-every.C:
		}
	}
}
