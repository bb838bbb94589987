package capture_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"

	"aval/agent/capture"
	"aval/agent/event"
	"aval/agent/x11/xtest"
)

// TestCopier is no test but the program that copies, as xclip does, where
// TestClipboard starts it: each line names a selection that it takes, or
// empties after "-"; "asked" answers how often somebody asked for the content.
func TestCopier(t *testing.T) {
	class, is := os.LookupEnv("AVAL_COPIER")
	if !is {
		t.Skip("only as a program of TestClipboard")
	}
	x, err := xgb.NewConnDisplay(os.Getenv("DISPLAY"))
	if err != nil {
		t.Fatal(err)
	}
	w, err := xproto.NewWindowId(x)
	if err != nil {
		t.Fatal(err)
	}
	root := xproto.Setup(x).DefaultScreen(x).Root
	if err := xproto.CreateWindowChecked(x, 0, w, root, -10, -10, 1, 1, 0, xproto.WindowClassInputOnly, 0, 0, nil).Check(); err != nil {
		t.Fatal(err)
	}
	if class != "" {
		text := "copier\x00" + class + "\x00"
		xproto.ChangeProperty(x, xproto.PropModeReplace, w, xproto.AtomWmClass, xproto.AtomString, 8, uint32(len(text)), []byte(text))
	}
	var asked atomic.Int64
	go func() {
		for {
			ev, err := x.WaitForEvent()
			if ev == nil && err == nil {
				return
			}
			if _, ok := ev.(xproto.SelectionRequestEvent); ok {
				asked.Add(1)
			}
		}
	}()
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		if in.Text() == "asked" {
			fmt.Printf("copier %d\n", asked.Load())
			continue
		}
		name, empty := strings.CutPrefix(in.Text(), "-")
		owner := w
		if empty {
			owner = 0
		}
		a, err := xproto.InternAtom(x, false, uint16(len(name)), name).Reply()
		if err != nil {
			t.Fatal(err)
		}
		if err := xproto.SetSelectionOwnerChecked(x, owner, a.Atom, xproto.TimeCurrentTime).Check(); err != nil {
			t.Fatal(err)
		}
		fmt.Println("copier done")
	}
}

type copier struct {
	t   *testing.T
	pid int
	in  io.Writer
	out *bufio.Scanner
}

func newCopier(t *testing.T, s *xtest.Server, class string) *copier {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestCopier$")
	cmd.Env = append(os.Environ(), "DISPLAY="+s.Display, "AVAL_COPIER="+class)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	return &copier{t, cmd.Process.Pid, in, bufio.NewScanner(out)}
}

// do has the program do one line and returns what it says once it is done.
func (c *copier) do(line string) string {
	c.t.Helper()
	fmt.Fprintln(c.in, line)
	for c.out.Scan() {
		if said, ok := strings.CutPrefix(c.out.Text(), "copier "); ok {
			return said
		}
	}
	c.t.Fatalf("the program that copies ended at %q", line)
	return ""
}

func copies(s *seen) (apps []string) {
	for _, e := range s.all() {
		if e["kind"] == string(event.ClipboardUsed) {
			apps = append(apps, e["app"])
		}
	}
	return apps
}

// TestClipboard: that something was copied is told with the program that did; many
// at a time are one. What is only marked or emptied is not, and Aval's own programs
// are not told of. What was copied, and in which forms, is never asked for.
//
// Planted once and caught: PRIMARY watched instead; tookClipboard without its look
// at the last copy, and at own; Owner without its look at WindowNone; the forms
// asked for with ConvertSelection.
func TestClipboard(t *testing.T) {
	s := xtest.Start(t, xtest.Options{})
	marker, own, editor, plain := newCopier(t, s, "Marker"), newCopier(t, s, "Own"), newCopier(t, s, "Editor"), newCopier(t, s, "")
	var got seen
	looked := make(chan int, 10000)
	r, err := capture.StartWindows(t.Context(), capture.Windows{Display: s.Display, Own: func(pid int) bool {
		looked <- pid
		return pid == own.pid
	}}, got.emit, grantFor(t, "g1", time.Hour, event.Windows))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Stop()
	marker.do("PRIMARY")
	marker.do("-CLIPBOARD")
	own.do("CLIPBOARD")
	editor.do("CLIPBOARD")
	xtest.Wait(t, "a look at each in its turn", func() bool {
		for len(looked) > 0 {
			if <-looked == editor.pid {
				return true
			}
		}
		return false
	})
	xtest.Wait(t, "the copy", func() bool { return len(copies(&got)) > 0 })
	if all := copies(&got); len(all) != 1 || all[0] != "Editor" {
		t.Fatalf("%q: %s", all, got.text())
	}
	began := time.Now()
	for range 300 {
		editor.do("CLIPBOARD")
	}
	// Who has no class goes by the program's name, which is that of this test.
	xtest.Wait(t, "a copy by the plain one", func() bool {
		plain.do("CLIPBOARD")
		all := copies(&got)
		return all[len(all)-1] == "capture.test"
	})
	if n, most := len(copies(&got)), int(time.Since(began)/time.Second)+2; n > most {
		t.Errorf("%d copies in %v", n, time.Since(began))
	}
	for _, c := range []*copier{editor, plain} {
		if n := c.do("asked"); n != "0" {
			t.Errorf("the content was asked for %s times", n)
		}
	}
	for _, e := range got.all() {
		if e["kind"] == string(event.ClipboardUsed) && len(e) != 2 {
			t.Errorf("more than who copied: %v", e)
		}
	}
	// A grant of another group has none of it.
	if _, err := capture.StartWindows(t.Context(), capture.Windows{Display: s.Display}, got.emit,
		grantFor(t, "g2", time.Hour, event.Commands)); err == nil {
		t.Error("watched without the group windows")
	}
}
