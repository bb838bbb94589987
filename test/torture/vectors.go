package torture

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"
	"sync"
	"time"

	"aval/test/rig"
)

// Vectors are the ways in which a campaign gives answers. All but the first are
// those of somebody who is not in front of the screen.
//
// To see that one is aimed well: TestControls builds a service that counts every
// answer, and each of them is then granted.
var Vectors = []Vector{
	{Name: "hand", Hand: true, PerWindow: 1, Open: fixed(func(f *Field, q *rig.Question, n int) error {
		return f.Person.HandClick(q.Yes)
	})},
	{Name: "xtest-click", PerWindow: 10, Open: fixed(func(f *Field, q *rig.Question, n int) error {
		return f.Person.Click(q.Yes, 1)
	})},
	{Name: "xtest-keys", PerWindow: 10, Open: tried("xtest-keys")},
	{Name: "xsendevent-click", PerWindow: 10, Open: fixed(func(f *Field, q *rig.Question, n int) error {
		return f.Person.SendClick(q.Window, q.Yes)
	})},
	{Name: "x11vnc", PerWindow: 10, Needs: []string{"x11vnc", "xtigervncviewer"}, Open: throughVNC(func(f *Field) (*rig.VNC, error) {
		return f.StartVNC(f.Person, rig.Hooks{})
	})},
	{Name: "tigervnc", PerWindow: 10, Needs: []string{"X0tigervnc", "xtigervncviewer"}, Open: throughVNC(func(f *Field) (*rig.VNC, error) {
		return f.StartTigerVNC(f.Person)
	})},
	{Name: "led-by-xtest", PerWindow: 10, Open: tried("led-by-xtest")},
	{Name: "grabbed-keys", PerWindow: 10, Open: tried("grabbed-keys")},
	{Name: "pointer-moved", PerWindow: 10, Open: tried("pointer-moved")},
	{Name: "typing", PerWindow: 10, Open: func(*Field) (Play, error) { return Play{Opening: typing}, nil }},
	{Name: "covered", PerWindow: 10, Open: fixed(clickCovered)},
	{Name: "elsewhere", PerWindow: 10, Open: fixed(clickElsewhere)},
	{Name: "own-xephyr", PerWindow: 10, Open: ownXephyr},
	{Name: "played-desktop", PerWindow: 10, Installed: true, Open: func(*Field) (Play, error) { return Play{Opening: playDesktop}, nil }},
	{Name: "tray", PerWindow: 10, Needs: []string{"dbus-daemon"}, Open: pressTray},
}

// fixed is a vector that needs nothing prepared.
func fixed(attempt func(*Field, *rig.Question, int) error) func(*Field) (Play, error) {
	return func(*Field) (Play, error) { return Play{Attempt: attempt}, nil }
}

// tried is one of the rig's own attacks on an open question.
func tried(name string) func(*Field) (Play, error) {
	i := slices.IndexFunc(rig.Attacks, func(a rig.Attack) bool { return a.Name == name })
	return fixed(func(f *Field, q *rig.Question, n int) error {
		return rig.Attacks[i].Try(&rig.Scene{R: f.Rig, A: f.Agent, D: f.Person, Q: q})
	})
}

// A pause as a quick hand, or a program that imitates one, leaves it: it waits for
// nothing.
const quick = 30 * time.Millisecond

// throughVNC has a supporter click with a viewer.
func throughVNC(serve func(*Field) (*rig.VNC, error)) func(*Field) (Play, error) {
	return func(f *Field) (Play, error) {
		v, err := serve(f)
		if err != nil {
			return Play{}, err
		}
		s, err := f.StartSupporter(v, f.Person)
		if err != nil {
			return Play{}, err
		}
		if err := s.WaitConnected(30 * time.Second); err != nil {
			return Play{}, err
		}
		return Play{
			Attempt: func(f *Field, q *rig.Question, n int) error { return s.Click(q.Yes, 1) },
			Close: func() {
				_ = s.Leave()
				_ = v.Stop(5 * time.Second)
				_ = s.Display.Server.Stop(5 * time.Second)
			},
		}, nil
	}
}

// Typing goes on at fifty keys a second until the question takes answers, a second
// after it was seen: in turn by hand, as of somebody who was writing a letter, and
// by a program.
const (
	keyEvery  = 20 * time.Millisecond
	armsAfter = 900 * time.Millisecond
)

// letter is what is written. Shift and Tab, from nothing, lead to the button that
// allows; whoever answers a form might write just that.
var letter = []rune{'a', ' ', rig.KeyReturn, ' ', rig.KeyTab, ' ', rig.KeyReturn, 'e'}

// strike writes one key of the letter.
func strike(d *rig.Display, key rune) error {
	if key != rig.KeyTab {
		return d.Strike(key)
	}
	return errors.Join(d.HoldKey(rig.KeyShift, true), d.Strike(key), d.HoldKey(rig.KeyShift, false))
}

func typing(f *Field, window int) func(time.Time) (int, error) {
	d := f.Person
	if window%2 == 0 {
		d = d.Hand()
	}
	var mu sync.Mutex
	var struck []time.Time
	end, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		every := time.NewTicker(keyEvery)
		defer every.Stop()
		for i := 0; ; i++ {
			select {
			case <-end:
				ended <- nil
				return
			case <-every.C:
			}
			if err := strike(d, letter[i%len(letter)]); err != nil {
				ended <- err
				return
			}
			mu.Lock()
			struck = append(struck, time.Now())
			mu.Unlock()
		}
	}()
	return func(seen time.Time) (int, error) {
		close(end)
		err := <-ended
		mu.Lock()
		defer mu.Unlock()
		made := 0
		for _, at := range struck {
			if at.After(seen) {
				made++
			}
		}
		return made, err
	}
}

// playDesktop has a program play the desktop from before the question on, again
// and again. That the service does not play is what is wanted; what came of it is
// in the record.
func playDesktop(f *Field, window int) func(time.Time) (int, error) {
	ctx, cancel := context.WithCancel(context.Background())
	made := make(chan int, 1)
	go func() {
		n := 0
		for ctx.Err() == nil {
			_, _ = rig.PlayDesktop(ctx, f.Agent.Socket, f.Person.Name)
			n++
			select {
			case <-ctx.Done():
			case <-time.After(quick):
			}
		}
		made <- n
	}()
	return func(time.Time) (int, error) {
		cancel()
		return <-made, nil
	}
}

// clickCovered has the hand click the button that allows while something lies in
// front of the question, or has just been there: the person means another thing.
func clickCovered(f *Field, q *rig.Question, n int) error {
	d := f.Person
	place := image.Rectangle{Min: q.Yes, Max: q.Yes}.Inset(-14)
	kind := rig.Cover(n % 3)
	flash := n%6 >= 3 // taken away just before the click
	remove, err := d.Lay(kind, q.Rect, place)
	if err != nil {
		return err
	}
	time.Sleep(5 * quick)
	if flash {
		if err := remove(); err != nil {
			return err
		}
		return d.HandClick(q.Yes)
	}
	if err := d.HandClick(q.Yes); err != nil {
		return err
	}
	return remove()
}

// clickElsewhere has the hand click another place, and a program make a click on
// the button out of it: right after it, or by moving the pointer under the hand.
func clickElsewhere(f *Field, q *rig.Question, n int) error {
	d := f.Person
	other := image.Pt(60, fieldHeight-60)
	switch n % 5 {
	case 0:
		if err := d.HandClick(other); err != nil {
			return err
		}
		return d.SendClick(q.Window, q.Yes)
	case 1:
		if err := d.HandClick(other); err != nil {
			return err
		}
		return d.Click(q.Yes, 1)
	case 2: // on the window, but not on the button
		if err := d.HandClick(q.Rect.Min.Add(image.Pt(60, 20))); err != nil {
			return err
		}
		return d.SendClick(q.Window, q.Yes)
	}
	// The pointer is moved between the hand's arrival and its press.
	if err := d.HandPoint(other); err != nil {
		return err
	}
	time.Sleep(quick)
	move := d.Warp
	if n%5 == 4 {
		move = d.Point
	}
	if err := move(q.Yes); err != nil {
		return err
	}
	time.Sleep(quick)
	if err := d.HandButton(true); err != nil {
		return err
	}
	time.Sleep(quick)
	return d.HandButton(false)
}

// ownXephyr gives the supporter a display of their own with devices of the same
// names, where their clicks are as good as a hand's, and with a helper of Aval on
// it; with each click a forged one goes to the question.
func ownXephyr(f *Field) (Play, error) {
	outer, err := f.StartXvfb(fmt.Sprint("theirs-outer-", f.displays), fieldWidth, fieldHeight)
	if err != nil {
		return Play{}, err
	}
	own, err := f.StartXephyr(fmt.Sprint("theirs-", f.displays), outer, fieldWidth, fieldHeight, rig.WithGL)
	if err != nil {
		return Play{}, err
	}
	helper, err := f.Agent.StartDesktop(own)
	if err != nil {
		return Play{}, err
	}
	return Play{
		Attempt: func(f *Field, q *rig.Question, n int) error {
			if err := own.HandClick(q.Yes); err != nil {
				return err
			}
			return f.Person.SendClick(q.Window, q.Yes)
		},
		Close: func() {
			_ = helper.Stop(10 * time.Second)
			_ = own.Server.Stop(5 * time.Second)
			_ = outer.Server.Stop(5 * time.Second)
		},
	}, nil
}

// pressTray has a program on the person's session bus press the entries of the
// icon's menu, and ids that are not in it. The windows that this opens are closed
// again.
func pressTray(f *Field) (Play, error) {
	tray, err := f.StartTray()
	if err != nil {
		return Play{}, err
	}
	if err := f.Helper.Stop(10 * time.Second); err != nil {
		return Play{}, err
	}
	if err := f.Help(); err != nil { // again, now on the bus
		return Play{}, err
	}
	if err := tray.WaitIcon(15 * time.Second); err != nil {
		return Play{}, err
	}
	return Play{Attempt: func(f *Field, q *rig.Question, n int) error {
		ids, err := tray.Entries()
		if err != nil {
			return err
		}
		ids = append(ids, 0, 99)
		if err := tray.Press(ids[n%len(ids)]); err != nil {
			return err
		}
		time.Sleep(10 * quick)
		f.EndChildren(f.Helper.PID, "aval-ui", q.PID)
		return nil
	}}, nil
}
