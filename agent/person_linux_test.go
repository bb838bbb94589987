package agent_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
	"aval/agent/session/watch/logindtest"
)

// seatOf is a graphical session of this test's own user, as logind lists it.
func seatOf(display, seat string) map[string]any {
	return map[string]any{
		"Name": "maria", "User": logindtest.User{UID: uint32(os.Getuid()), Path: "/u"}, "Class": "user", "Type": "x11", "Display": display,
		"State": "active", "Active": true, "LockedHint": false, "Seat": logindtest.Seat{ID: seat, Path: "/s"},
	}
}

// TestNobodyThere: each reason why nobody can be asked comes at once and is told
// apart. Faults planted once: viewed takes locked desktops, and unreached is never
// true; the cases of each failed.
func TestNobodyThere(t *testing.T) {
	for _, tt := range []struct {
		name    string
		list    map[string]map[string]any
		display string // of a helper; empty: none
		desktop string // as the tool names it
		reason  consent.Reason
	}{
		{"nobody signed in", nil, "", "", consent.ReasonNobodyThere},
		{"the login screen", map[string]map[string]any{"c1": {"Class": "greeter", "Type": "x11", "Active": true}}, "", "", consent.ReasonNobodyThere},
		{"SSH only", map[string]map[string]any{"4": {"Name": "maria", "User": logindtest.User{UID: 1000, Path: "/u"}, "Class": "user", "Type": "tty",
			"Service": "sshd", "Remote": true, "State": "active", "Active": true}}, "", "", consent.ReasonNobodyThere},
		{"locked", map[string]map[string]any{"2": locked(seatOf(":77", "seat0"))}, ":77", "", consent.ReasonDesktopLocked},
		{"another user is in front", map[string]map[string]any{"2": behind(seatOf(":77", "seat0"))}, ":77", ":77", consent.ReasonDesktopLocked},
		{"locked, and no helper", map[string]map[string]any{"2": locked(seatOf(":77", "seat0"))}, "", "", consent.ReasonDesktopUnreachable},
		{"no helper", map[string]map[string]any{"2": seatOf(":77", "seat0")}, "", "", consent.ReasonDesktopUnreachable},
		{"no helper at the one that is viewed", map[string]map[string]any{"2": seatOf(":77", "seat0"), "3": seatOf(":78", "seat1")}, ":77", ":78", consent.ReasonDesktopUnreachable},
		{"no helper at one that may be viewed", map[string]map[string]any{"2": seatOf(":77", "seat0"), "3": seatOf(":78", "seat1")}, ":77", "", consent.ReasonDesktopUnreachable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := logindtest.Start(t)
			m.Serve(t)
			for id, props := range tt.list {
				m.Set(t, id, props)
			}
			r := newRig(t, nil)
			c := r.dial()
			if tt.display != "" {
				r.sit(tt.display, says(true))
			}
			from := time.Now()
			b := r.begin(c, ipc.SessionBegin{ID: "1", Desktop: tt.desktop, Hold: true})
			if took := time.Since(from); took > 5*time.Second { // an open question would take 20 s at least
				t.Errorf("it took %v", took)
			}
			if b.Verdict != consent.Deny || b.Reason != tt.reason {
				t.Errorf("%+v, want %s", b, tt.reason)
			}
			if res := r.note(c, "1", "canary"); res.Recorded {
				t.Errorf("note: %+v", res)
			}
		})
	}
}

func locked(p map[string]any) map[string]any { p["LockedHint"] = true; return p }
func behind(p map[string]any) map[string]any { p["Active"] = false; return p }

// TestSeveralSeats: the desktop that is viewed is the one that is asked; where
// that is not known, everybody is.
func TestSeveralSeats(t *testing.T) {
	m := logindtest.Start(t)
	m.Serve(t)
	m.Set(t, "2", seatOf(":77", "seat0"))
	m.Set(t, "3", seatOf(":78", "seat1"))
	r := newRig(t, nil)
	c := r.dial()
	one, two := r.sit(":77", says(true)), r.sit(":78", says(true))
	if b := r.begin(c, ipc.SessionBegin{ID: "1", Desktop: ":78", Hold: true}); b.Outcome != consent.OutcomeAllowed || b.Desktop != "3" {
		t.Fatalf("%+v", b)
	}
	if one.questions() != 0 || two.questions() != 1 {
		t.Errorf("asked: %d and %d", one.questions(), two.questions())
	}
	if b := r.begin(c, ipc.SessionBegin{ID: "2", Hold: true}); b.Outcome != consent.OutcomeAllowed || b.Desktop != "2 3" {
		t.Fatalf("%+v", b)
	}
	if one.questions() != 1 || two.questions() != 2 {
		t.Errorf("asked: %d and %d", one.questions(), two.questions())
	}
}

// TestQuestionFollows: what befalls the desktop while a question is open ends
// it, with its own ending; when somebody is there again, they are asked again.
// Fault planted once: tellQuestions tells nothing; every case failed.
func TestQuestionFollows(t *testing.T) {
	for _, tt := range []struct {
		name   string
		befall func(*testing.T, *logindtest.Manager)
		undo   func(*testing.T, *logindtest.Manager, *rig)
		ending consent.Ending
	}{
		{"lock and unlock",
			func(t *testing.T, m *logindtest.Manager) { m.Set(t, "2", map[string]any{"LockedHint": true}) },
			func(t *testing.T, m *logindtest.Manager, _ *rig) { m.Set(t, "2", map[string]any{"LockedHint": false}) }, consent.EndingLocked},
		{"another user comes to the front, and goes",
			func(t *testing.T, m *logindtest.Manager) { m.Set(t, "2", map[string]any{"Active": false}) },
			func(t *testing.T, m *logindtest.Manager, _ *rig) { m.Set(t, "2", map[string]any{"Active": true}) }, consent.EndingSwitched},
		{"log off, and in again",
			func(t *testing.T, m *logindtest.Manager) { m.Remove(t, "2") },
			func(t *testing.T, m *logindtest.Manager, r *rig) {
				m.Set(t, "5", seatOf(":77", "seat0"))
				r.sit(":77", says(true))
			}, consent.EndingLoggedOff},
		{"log off, told late",
			func(t *testing.T, m *logindtest.Manager) { m.Set(t, "2", map[string]any{"State": "closing"}) },
			func(t *testing.T, m *logindtest.Manager, r *rig) {
				m.Remove(t, "2")
				m.Set(t, "5", seatOf(":77", "seat0"))
				r.sit(":77", says(true))
			}, consent.EndingLoggedOff},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := logindtest.Start(t)
			m.Serve(t)
			m.Set(t, "2", seatOf(":77", "seat0"))
			r := newRig(t, nil)
			c := r.dial()
			p := r.sit(":77", shows)
			r.begin(c, ipc.SessionBegin{ID: "1", PID: os.Getpid()})
			r.eventually("asked", func() bool { return p.questions() == 1 })
			tt.befall(t, m)
			r.eventually("the question ended", func() bool { s, _ := r.session(c, "test/1"); return s.Outcome == consent.OutcomeCouldNotAsk })
			if list := r.consents(c); len(list) != 1 || list[0].Ending != tt.ending {
				t.Errorf("recorded: %+v, want %s", list, tt.ending)
			}
			if res := r.note(c, "1", "canary"); res.Recorded {
				t.Errorf("note: %+v", res)
			}
			p.says(says(true))
			tt.undo(t, m, r)
			r.eventually("asked again, and allowed", func() bool { s, _ := r.session(c, "test/1"); return s.Recording })
			if list := r.consents(c); len(list) != 2 || list[0].Outcome != consent.OutcomeAllowed {
				t.Errorf("recorded: %+v", list)
			}
			for _, e := range r.sent(c) {
				if e.Fields["text"] == "canary" {
					t.Error("something from before the answer was recorded")
				}
			}
		})
	}
}

// TestAskedAgainOnlyWithoutAChance: who has answered, or let the time pass, is
// left in peace; and there is an end to asking. Faults planted once: a refusal
// counts as missed; no end to asking. Both were seen.
func TestAskedAgainOnlyWithoutAChance(t *testing.T) {
	m := logindtest.Start(t)
	m.Serve(t)
	m.Set(t, "2", seatOf(":77", "seat0"))
	r := newRig(t, nil)
	c := r.dial()
	p := r.sit(":77", says(false))
	lock := func(on bool) {
		m.Set(t, "2", map[string]any{"LockedHint": on})
		r.eventually(fmt.Sprint("locked=", on), func() bool {
			st, err := call[ipc.Status](r, c, ipc.MethodStatus, nil)
			must(t, err)
			return (st.Desktops[0].State == consent.DesktopLocked) == on
		})
	}
	r.begin(c, ipc.SessionBegin{ID: "1", Hold: true})
	lock(true)
	lock(false)
	if p.questions() != 1 {
		t.Fatalf("asked %d times after a refusal", p.questions())
	}
	p.says(shows)
	r.begin(c, ipc.SessionBegin{ID: "2"})
	for range 5 {
		n := p.questions()
		lock(true)
		lock(false)
		if n == 4 {
			continue
		}
		r.eventually("asked", func() bool { return p.questions() > n })
	}
	if p.questions() != 4 {
		t.Errorf("asked %d times", p.questions())
	}
}

// TestRecordingFollows: a recording pauses while the desktop is locked or
// another user is in front, goes on afterwards, and tells the gap. Fault planted
// once: closedBy does not look at locked; the gaps named the bar.
func TestRecordingFollows(t *testing.T) {
	m := logindtest.Start(t)
	m.Serve(t)
	m.Set(t, "2", seatOf(":77", "seat0"))
	r := newRig(t, nil)
	c := r.dial()
	r.sit(":77", says(true))
	r.begin(c, ipc.SessionBegin{ID: "1", Hold: true})
	for _, prop := range []string{"LockedHint", "Active"} {
		m.Set(t, "2", map[string]any{prop: prop == "LockedHint"})
		r.eventually("paused", func() bool { s, _ := r.session(c, "test/1"); return !s.Recording && s.Why == "desktop-locked" })
		if res := r.note(c, "1", "canary"); res.Recorded || res.Reason != "desktop-locked" {
			t.Errorf("note: %+v", res)
		}
		m.Set(t, "2", map[string]any{prop: prop != "LockedHint"})
		r.eventually("resumed", func() bool { s, _ := r.session(c, "test/1"); return s.Recording })
	}
	m.Remove(t, "2")
	r.eventually("stopped", func() bool { s, _ := r.session(c, "test/1"); return !s.Recording })
	_, err := call[ipc.SessionInfo](r, c, ipc.MethodSessionEnd, ipc.SessionEnd{ID: "1"})
	must(t, err)
	var gaps []string
	for _, e := range r.sent(c) {
		if e.Kind == event.Gap {
			gaps = append(gaps, e.Fields["reason"])
		}
	}
	if got := fmt.Sprint(gaps); got != "[desktop-locked resumed desktop-locked resumed indicator-lost]" {
		t.Errorf("gaps: %s", got)
	}
}

// TestUnhelped: a desktop without its helper is named, with what starts it.
func TestUnhelped(t *testing.T) {
	m := logindtest.Start(t)
	m.Serve(t)
	for id, desktop := range map[string]string{"2": "i3", "3": "sway", "4": "GNOME"} {
		p := seatOf(":7"+id, "seat"+id)
		p["Desktop"] = desktop
		m.Set(t, id, p)
	}
	m.Set(t, "5", seatOf(":75", "seat5")) // startx: nothing says what runs there
	r := newRig(t, nil)
	st, err := call[ipc.Status](r, r.dial(), ipc.MethodStatus, nil)
	must(t, err)
	want := map[string][2]string{
		"2": {"~/.config/i3/config", "exec --no-startup-id aval-desktop"},
		"3": {"~/.config/sway/config", "exec aval-desktop"},
		"4": {"", "systemctl --user enable --now aval-desktop.service"},
	}
	if len(st.Desktops) != 4 {
		t.Fatalf("%+v", st.Desktops)
	}
	for _, d := range st.Desktops {
		if d.State != consent.DesktopUnreachable || d.Helper || d.StartLine == "" {
			t.Errorf("%+v", d)
		}
		if w, ok := want[d.Desktop]; ok && w != [2]string{d.StartFile, d.StartLine} {
			t.Errorf("%+v", d)
		}
	}
}

// TestAskedAfterRestart: a question that the service's end took away is put
// again by the next one, to a session that its process confirms, and nothing
// from before is recorded. Fault planted once: missed without EndingStopped.
func TestAskedAfterRestart(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	c := r.dial()
	p := r.sit(":77", shows)
	r.begin(c, ipc.SessionBegin{ID: "1", PID: os.Getpid()})
	r.begin(c, ipc.SessionBegin{ID: "2"}) // nothing confirms this one
	r.eventually("asked", func() bool { return p.questions() > 0 })
	r.stop()
	r.start()
	c = r.dial()
	if res := r.note(c, "1", "canary"); res.Recorded {
		t.Errorf("note: %+v", res)
	}
	r.sit(":77", says(true))
	r.eventually("asked again, and allowed", func() bool { s, _ := r.session(c, "test/1"); return s.Recording })
	if res := r.note(c, "1", "after the answer"); !res.Recorded {
		t.Errorf("note: %+v", res)
	}
	if _, there := r.session(c, "test/2"); there {
		t.Error("a session without a process goes on")
	}
	for _, e := range r.sent(c) {
		if e.Fields["text"] == "canary" || e.Session != "test/1" {
			t.Errorf("from before the answer: %+v", e)
		}
	}
}

// TestSilentLoginManager: while the login manager answers nobody, a recording still
// stops with its bar, and the service still answers. Fault planted once: the list
// is asked for in the loop; the bar's report was never taken.
func TestSilentLoginManager(t *testing.T) {
	m := logindtest.Start(t)
	m.Serve(t)
	m.Set(t, "2", seatOf(":77", "seat0"))
	r := newRig(t, nil)
	c := r.dial()
	p := r.sit(":77", says(true))
	r.begin(c, ipc.SessionBegin{ID: "1", Hold: true})
	r.eventually("recorded", func() bool { s, _ := r.session(c, "test/1"); return s.Recording })
	asked, answer := m.Silence()
	defer answer()
	m.Changed(t, "2", map[string]dbus.Variant{"Active": dbus.MakeVariant(true)})
	select {
	case <-asked:
	case <-time.After(patience):
		t.Fatal("the list is not asked for")
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.c.Call(ctx, ipc.MethodDesktopIndicator, ipc.DesktopIndicator{Revision: 1}, nil); err != nil {
		t.Fatalf("the bar's report: %v", err)
	}
	if res := r.note(c, "1", "canary"); res.Recorded || res.Reason != "indicator-lost" {
		t.Errorf("note: %+v", res)
	}
}
