package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/agent/x11/xtest"
)

// TestHeardOn: while a question stands, the policy names another device for tests. A
// press of that device in the question's window counts then, and it is said on which
// server it was heard. Planted bug: forget the windows when the hearing begins anew,
// and "the window was not watched".
func TestHeardOn(t *testing.T) {
	xtest.Need(t, "Xephyr", "sh")
	outer := xtest.Start(t, xtest.Options{Screen: "800x600"})
	file := filepath.Join(t.TempDir(), "display")
	xephyr := outer.Spawn(t, "sh", "-c", `exec Xephyr -screen 800x600 -no-host-grab -noreset -nolisten tcp -displayfd 3 3>"$0"`, file)
	inner := &xtest.Server{}
	xtest.Wait(t, "Xephyr", func() bool {
		raw, _ := os.ReadFile(file)
		inner.Display = ":" + strings.TrimSpace(string(raw))
		return strings.HasSuffix(string(raw), "\n")
	})
	s := newService(t)
	s.start()
	runDesk(t, inner, "", s.socket)
	xtest.Wait(t, "the registration", s.registered)

	x, err := xgb.NewConnDisplay(inner.Display)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	win, err := xproto.NewWindowId(x)
	if err == nil {
		err = xproto.CreateWindowChecked(x, 0, win, xproto.Setup(x).DefaultScreen(x).Root, 100, 100, 300, 200, 0,
			xproto.WindowClassInputOutput, 0, xproto.CwBackPixel, []uint32{0x808080}).Check()
	}
	if err == nil {
		err = xproto.MapWindowChecked(x, win).Check()
	}
	if err != nil {
		t.Fatal(err)
	}
	s.push(ipc.PushListen, ipc.Listening{On: true, Devices: []string{"another mouse"}})
	s.push(ipc.PushWatch, ipc.Watch{PID: os.Getpid(), Window: uint32(win)})
	s.push(ipc.PushListen, ipc.Listening{On: true, Devices: []string{"Xephyr virtual mouse"}})
	n := 0
	hear := func() ipc.Heard {
		n++
		s.push(ipc.PushHear, ipc.Hear{ID: fmt.Sprint(n), PID: os.Getpid(), Press: ipc.Press{Window: uint32(win), Width: 300, Height: 200}})
		xtest.Wait(t, "the desktop's word", func() bool { return len(all[ipc.Heard](s, ipc.MethodDesktopHeard)) == n })
		return all[ipc.Heard](s, ipc.MethodDesktopHeard)[n-1]
	}
	var h ipc.Heard
	// Until it has been in sight long enough.
	xtest.Wait(t, "a press that counts", func() bool {
		outer.Run(t, "xdotool", "mousemove", "240", "195", "mousemove", "250", "200", "click", "1")
		inner.Run(t, "xdotool", "getmouselocation")
		h = hear()
		if h.Doubt == "the window was not watched" {
			t.Fatal(h.Doubt)
		}
		return h.From == consent.FromTest && h.Doubt == ""
	})
	if h.Server != xephyr.Process.Pid || h.Device != "Xephyr virtual mouse" {
		t.Errorf("%+v; Xephyr is process %d", h, xephyr.Process.Pid)
	}
}
