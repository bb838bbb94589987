package agent_test

import (
	"slices"
	"testing"

	"aval/agent/event"
	"aval/agent/ipc"
)

// TestChangeToWayland: a person whose desktop was one of X11 is told what is gone
// under Wayland, also after the service has started anew, until they are back.
// Who never had X11 has lost nothing.
//
// Planted once and caught: rememberX11 without its look at the type, with which
// nothing is ever gone; gone without it, which tells it on X11 too.
func TestChangeToWayland(t *testing.T) {
	r := newRig(t, nil)
	seat := func(kind string, offers ...event.Group) []event.Group {
		t.Helper()
		c := r.dial()
		defer c.Close()
		_, err := call[ipc.DesktopRegisterResult](r, c, ipc.MethodDesktopRegister, ipc.DesktopRegister{Display: ":77", Type: kind, Locale: "en", Offers: offers})
		must(t, err)
		st, err := call[ipc.Status](r, c, ipc.MethodStatus, ipc.Empty{})
		must(t, err)
		i := slices.IndexFunc(st.Desktops, func(d ipc.DesktopStatus) bool { return d.Desktop == ":77" })
		if i < 0 {
			t.Fatalf("no desktop in %+v", st.Desktops)
		}
		set, err := call[ipc.SettingsResult](r, c, ipc.MethodSettingsGet, ipc.Empty{})
		must(t, err)
		if !slices.Equal(set.Gone, st.Desktops[i].Gone) {
			t.Errorf("settings say %v, status says %v", set.Gone, st.Desktops[i].Gone)
		}
		return st.Desktops[i].Gone
	}
	want := func(got []event.Group, want ...event.Group) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("gone: %v, want %v", got, want)
		}
	}
	want(seat("wayland", event.Chat))
	want(seat("x11", event.Windows, event.Files, event.Chat))
	want(seat("wayland", event.Files, event.Chat), event.Windows)
	r.stop()
	r.start()
	want(seat("wayland", event.Chat), event.Windows, event.Files)
	want(seat("x11")) // where the bar cannot be shown nothing is offered
	want(seat("x11", event.Files, event.Chat))
	want(seat("wayland", event.Files, event.Chat))
}
