package main

import (
	"bufio"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/prop"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/agent/x11/xtest"
)

// bus starts a session bus of its own and returns its address.
func bus(t *testing.T) string {
	t.Helper()
	xtest.Need(t, "dbus-daemon")
	cmd := exec.Command("dbus-daemon", "--session", "--nofork", "--print-address=1", "--address=unix:path="+filepath.Join(t.TempDir(), "bus"))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(address)
}

// host is a desktop's tray: it keeps the icons that register with it, and takes
// the desktop's messages.
type host struct {
	t    *testing.T
	conn *dbus.Conn

	deaf bool // to the first icon

	mu    sync.Mutex
	icons []string // bus names
	told  []string
}

// RegisterStatusNotifierItem is the method of org.kde.StatusNotifierWatcher.
func (h *host) RegisterStatusNotifierItem(_ string, sender dbus.Sender) *dbus.Error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.deaf {
		h.deaf = false
		return nil
	}
	h.icons = append(h.icons, string(sender))
	return nil
}

// Notify is the method of org.freedesktop.Notifications.
func (h *host) Notify(_ string, _ uint32, _, title, text string, actions []string, _ map[string]dbus.Variant, _ int32) (uint32, *dbus.Error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.told = append(h.told, fmt.Sprint(title, " ", text, actions))
	return 1, nil
}

func newHost(t *testing.T, address string) *host {
	t.Helper()
	conn, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	h := &host{t: t, conn: conn}
	for name, path := range map[string]dbus.ObjectPath{"org.kde.StatusNotifierWatcher": "/StatusNotifierWatcher", "org.freedesktop.Notifications": "/org/freedesktop/Notifications"} {
		if err := conn.Export(h, path, name); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.RequestName(name, dbus.NameFlagDoNotQueue); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func (h *host) icon() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.icons) == 0 {
		return ""
	}
	return h.icons[len(h.icons)-1]
}

// entry is one of the menu (com.canonical.dbusmenu).
type entry struct {
	ID      int32
	Label   string
	Enabled bool
}

func (h *host) menu() []entry {
	if h.icon() == "" {
		return nil // the bus ends the connection of who writes to nobody
	}
	var revision uint32
	var root struct {
		ID       int32
		Props    map[string]dbus.Variant
		Children []dbus.Variant
	}
	err := h.conn.Object(h.icon(), "/StatusNotifierItem/menu").Call("com.canonical.dbusmenu.GetLayout", 0, int32(0), int32(-1), []string{}).Store(&revision, &root)
	if err != nil {
		return nil
	}
	var out []entry
	for _, c := range root.Children {
		v := c.Value().([]any)
		props := v[1].(map[string]dbus.Variant)
		e := entry{ID: v[0].(int32), Enabled: true}
		if l, ok := props["label"]; ok {
			e.Label = l.Value().(string)
		}
		if l, ok := props["enabled"]; ok {
			e.Enabled = l.Value().(bool)
		}
		out = append(out, e)
	}
	return out
}

func (h *host) find(label string) (entry, bool) {
	for _, e := range h.menu() {
		if e.Label == label {
			return e, true
		}
	}
	return entry{}, false
}

// press is what any program of the user can do.
func (h *host) press(id int32) {
	h.conn.Object(h.icon(), "/StatusNotifierItem/menu").Call("com.canonical.dbusmenu.Event", 0, id, "clicked", dbus.MakeVariant(0), uint32(0))
}

// A tray that comes just when the icon looks for one has it all the same. Planted
// bug: leave out appear.
func TestTrayMissed(t *testing.T) {
	address := bus(t)
	h := newHost(t, address)
	h.mu.Lock()
	h.deaf = true
	h.mu.Unlock()
	start(t, xtest.Options{WM: true}, "DBUS_SESSION_BUS_ADDRESS="+address)
	xtest.Wait(t, "the icon", func() bool { return h.icon() != "" })
}

// The tray says what is being recorded, stops it, and comes to a desktop whose
// tray comes later. No entry of it, pressed by a program over the bus in any
// state, gives the service anything but a stop. Planted bugs: leave out showTray
// in show; an entry whose choice sends "resume".
func TestTray(t *testing.T) {
	address := bus(t)
	x, s, _ := start(t, xtest.Options{WM: true}, "DBUS_SESSION_BUS_ADDRESS="+address)
	h := newHost(t, address) // the desktop's tray comes after the program
	xtest.Wait(t, "the icon", func() bool { return h.icon() != "" })
	says := func(want string) {
		t.Helper()
		xtest.Wait(t, want, func() bool { _, ok := h.find(want); return ok })
	}
	says("Nada está sendo registrado")
	entries := h.menu()
	if e, ok := h.find("Parar o registro"); !ok || e.Enabled {
		t.Errorf("there is nothing to stop: %+v", entries)
	}
	for range 3 {
		for _, e := range entries {
			h.press(e.ID)
		}
	}

	s.push(ipc.PushIndicator, recorded(1))
	visible(t, s, 1)
	says("Registrando 1 sessão para resumo")
	paused := recorded(2)
	paused.Sessions[0].Paused = true
	s.push(ipc.PushIndicator, paused)
	says("Pausado: nada está sendo registrado")
	enforced := recorded(3)
	enforced.Sessions[0].Enforced = true
	s.push(ipc.PushIndicator, enforced)
	says("Registrando 1 sessão para resumo")
	xtest.Wait(t, "no stop under an enforced policy", func() bool { e, _ := h.find("Parar o registro"); return !e.Enabled })
	for _, e := range h.menu() {
		h.press(e.ID)
	}
	s.push(ipc.PushIndicator, recorded(4))
	xtest.Wait(t, "a stop", func() bool { e, _ := h.find("Parar o registro"); return e.Enabled })
	if got := all[ipc.RecordingControl](s, ipc.MethodRecordingControl); len(got) != 0 {
		t.Fatalf("before there was anything to stop: %+v", got)
	}
	// The bar cannot be seen: the icon and a message of the desktop say so.
	visible(t, s, 4)
	id := strings.Fields(x.Run(t, "xdotool", "search", "--onlyvisible", "--classname", "aval-indicator"))[0]
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			default:
				x.Try("xdotool", "windowunmap", id)
			}
		}
	}()
	xtest.Wait(t, "the message", func() bool { h.mu.Lock(); defer h.mu.Unlock(); return len(h.told) > 0 })
	close(stop)
	<-ended
	says("Registrando 1 sessão para resumo")
	if !strings.HasSuffix(h.told[0], "[]") {
		t.Errorf("the message has something to press: %s", h.told[0])
	}

	for _, e := range h.menu() {
		h.press(e.ID)
	}
	xtest.Wait(t, "the stop", func() bool { return len(all[ipc.RecordingControl](s, ipc.MethodRecordingControl)) > 0 })
	<-time.After(300 * time.Millisecond)
	for _, c := range all[ipc.RecordingControl](s, ipc.MethodRecordingControl) {
		if c != (ipc.RecordingControl{Session: "test/1", Action: "stop"}) {
			t.Errorf("the tray's menu gave the service %+v", c)
		}
	}
	s.mu.Lock()
	for _, c := range s.calls {
		if c.method == ipc.MethodQuestionAnswer || c.method == ipc.MethodSettingsSet {
			t.Errorf("the tray's menu called %s", c.method)
		}
	}
	s.mu.Unlock()

	s.stop()
	says("O serviço do Aval não está respondendo: nada está sendo registrado")
}

// An address that is no socket of this computer is not connected to, and
// without a bus there is no tray and nothing else is amiss.
func TestNoTray(t *testing.T) {
	for _, address := range []string{"", "tcp:host=127.0.0.1,port=1", "unixexec:path=/bin/false", "autolaunch:", "unix:path=/nowhere"} {
		_, s, d := start(t, xtest.Options{}, "DBUS_SESSION_BUS_ADDRESS="+address)
		s.push(ipc.PushIndicator, recorded(1))
		visible(t, s, 1)
		if text := d.text(); strings.Contains(text, "systray") || strings.Contains(text, "level=ERROR") {
			t.Errorf("%q: %s", address, text)
		}
	}
}

// With a screen reader the native dialog asks, which can be read aloud; without
// one, or where the desktop does not say, the window. Planted bug: return false
// in screenReader.
func TestScreenReader(t *testing.T) {
	xtest.Need(t, "/usr/bin/zenity") // without a native dialog the window asks all the same
	address := bus(t)
	conn, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	props, err := prop.Export(conn, "/org/a11y/bus", map[string]map[string]*prop.Prop{"org.a11y.Status": {"ScreenReaderEnabled": {Value: true}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.RequestName("org.a11y.Bus", dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	x := xtest.Start(t, xtest.Options{})
	s := newService(t)
	s.start()
	runDesk(t, x, beside(t, "#!/bin/sh\nexit 75\n"), s.socket, "DBUS_SESSION_BUS_ADDRESS="+address)
	xtest.Wait(t, "the registration", s.registered)
	for i, why := range []string{whyReader, whyNoWindow, whyNoWindow} {
		switch i {
		case 1:
			props.SetMust("org.a11y.Status", "ScreenReaderEnabled", false)
		case 2:
			conn.Close()
		}
		s.push(ipc.PushPromptOpen, ipc.PromptOpen{Question: "q1", Rung: "window", Nonce: "nonce-1"})
		xtest.Wait(t, why, func() bool { return len(all[ipc.DesktopPrompt](s, ipc.MethodDesktopPrompt)) == i+1 })
		if r := all[ipc.DesktopPrompt](s, ipc.MethodDesktopPrompt)[i]; r.Why != why {
			t.Errorf("%d: %+v", i, r)
		}
	}
}

// Where the window of the settings cannot be shown, the desktop's own list offers
// the same choice with the same effect. Planted bug: leave out notOpened.
func TestSettingsByList(t *testing.T) {
	xtest.Need(t, "/usr/bin/zenity")
	for name, script := range map[string]string{"no window": "#!/bin/sh\nexit 75\n", "no libGL": "#!/bin/sh\nexit 127\n", "no program": ""} {
		t.Run(name, func(t *testing.T) {
			address := bus(t)
			h := newHost(t, address)
			x := xtest.Start(t, xtest.Options{WM: true})
			s := newService(t)
			s.start()
			runDesk(t, x, beside(t, script), s.socket, "DBUS_SESSION_BUS_ADDRESS="+address)
			xtest.Wait(t, "the registration", s.registered)
			var e entry
			xtest.Wait(t, "the icon", func() bool { e, _ = h.find("Configurações"); return e.ID != 0 })
			h.press(e.ID)
			list := func() string {
				id, _ := x.Try("xdotool", "search", "--onlyvisible", "--name", "Session Insights")
				return id
			}
			xtest.Wait(t, "the list", func() bool { return list() != "" })
			x.Run(t, "xdotool", "windowactivate", "--sync", strings.Fields(list())[0])
			x.Shot(t, "settings-list")
			x.Run(t, "xdotool", "key", "--delay", "150", "Home", "Down", "Return")
			xtest.Wait(t, "the change", func() bool { return len(all[ipc.SettingsSet](s, ipc.MethodSettingsSet)) == 1 })
			if got := all[ipc.SettingsSet](s, ipc.MethodSettingsSet)[0]; got.SessionInsights != consent.AccessDenied {
				t.Errorf("%+v", got)
			}
			x.Shot(t, "settings-list-changed")
		})
	}
}

// Where the window of a notice cannot be shown, dialogs show them one after the other:
// the service sends each once. Planted bug: drop the notice while another dialog is
// there, and the second is never seen.
func TestNoticesWait(t *testing.T) {
	xtest.Need(t, "/usr/bin/zenity")
	x := xtest.Start(t, xtest.Options{WM: true})
	s := newService(t)
	s.start()
	runDesk(t, x, beside(t, "#!/bin/sh\nexit 75\n"), s.socket)
	xtest.Wait(t, "the registration", s.registered)
	for _, session := range []string{"test/1", "test/2", "test/1"} {
		s.push(ipc.PushNotice, ipc.NoticeOf{Session: session})
	}
	told := func() int { return len(all[ipc.NoticeOf](s, ipc.MethodNoticeShown)) }
	for n := range 2 { // which dialog a key closes is all the same
		xtest.Wait(t, fmt.Sprintf("the OK of dialog %d", n+1), func() bool {
			if told() > n {
				return true
			}
			if _, err := x.Try("xdotool", "search", "--onlyvisible", "--class", "zenity"); err == nil {
				_, _ = x.Try("xdotool", "key", "Return")
			}
			return false
		})
	}
	shown := all[ipc.NoticeOf](s, ipc.MethodNoticeShown)
	if len(shown) != 2 || shown[0].Session == shown[1].Session {
		t.Errorf("%+v", shown)
	}
}
