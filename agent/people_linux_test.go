package agent_test

import (
	"context"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
	"aval/agent/record"
	"aval/agent/session/watch/logindtest"
)

// Two people who are not the one that runs the test.
const (
	maria = 12345
	rosa  = 12346
)

// dialAs connects as another user: the service reads who it is from the kernel.
func (r *rig) dialAs(uid int) *ipc.Client {
	r.t.Helper()
	if os.Getuid() != 0 {
		r.t.Skip("needs root, to connect as other users")
	}
	for dir := r.dir; len(dir) > 1; dir = filepath.Dir(dir) { // t.TempDir is 0700 below /tmp
		if fi, err := os.Stat(dir); err == nil && fi.Mode().Perm()&0o011 != 0o011 {
			must(r.t, os.Chmod(dir, 0o755))
		}
	}
	return r.dialWith(syscall.SYS_SETRESUID, uid)
}

// dialWith connects as another user or with another group, by the system call
// that sets it: of this thread alone, for syscall.Setresuid would change all.
func (r *rig) dialWith(call uintptr, id int) *ipc.Client {
	r.t.Helper()
	become := func(id int) {
		if _, _, err := syscall.RawSyscall(call, ^uintptr(0), uintptr(id), ^uintptr(0)); err != 0 {
			r.t.Fatal(err)
		}
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	become(id)
	c, err := ipc.Dial(context.Background(), r.socket, ipc.Hello{Program: "test"})
	become(0)
	must(r.t, err)
	r.t.Cleanup(func() { c.Close() })
	return c
}

// sitAs is sit for another user.
func (r *rig) sitAs(uid int, display string, answer func(*person, ipc.PromptOpen)) *person {
	r.t.Helper()
	p := &person{r: r, c: r.dialAs(uid), display: display, visible: true, alive: true, answer: answer}
	p.dial = func() (*ipc.Client, error) { return r.dialAs(uid), nil }
	_, err := call[ipc.DesktopRegisterResult](r, p.c, ipc.MethodDesktopRegister, ipc.DesktopRegister{Display: display, Type: "x11", Locale: "en",
		Offers: []event.Group{event.Windows, event.Commands, event.Files, event.Chat}})
	must(r.t, err)
	go p.live()
	return p
}

func seatAs(uid int, display, seat string) map[string]any {
	p := seatOf(display, seat)
	p["User"] = logindtest.User{UID: uint32(uid), Path: "/u"}
	return p
}

func notEnforced(o *record.Options) {
	o.Incoming, o.IncomingEnforced = consent.IncomingAll, false
}

// TestLockedPersonHasASetting: a locked screen has its person, whose own setting
// counts as it does on an unlocked one. Let localSetting look only at those who can
// be asked, and both are recorded.
func TestLockedPersonHasASetting(t *testing.T) {
	for own, want := range map[consent.AccessControl]consent.Reason{
		consent.AccessDenied:            consent.ReasonDeniedBySetting,
		consent.AccessAfterConfirmation: consent.ReasonDesktopLocked,
	} {
		for _, named := range []string{"", ":77"} {
			m := logindtest.Start(t)
			m.Serve(t)
			m.Set(t, "2", locked(seatOf(":77", "seat0")))
			r := newRigOf(t, nil, notEnforced)
			c := r.dial()
			r.sit(":77", nil)
			_, err := call[ipc.SettingsResult](r, c, ipc.MethodSettingsSet, ipc.SettingsSet{SessionInsights: own})
			must(t, err)
			if b := r.begin(c, ipc.SessionBegin{ID: "1", Desktop: named}); b.Verdict != consent.Deny || b.Reason != want {
				t.Errorf("%s, desktop %q: %+v", own, named, b)
			}
			r.stop()
		}
	}
}

// TestSomebodyComes: a recording that found nobody is decided anew when somebody
// signs in: who denies is not recorded, and with anybody else the grant is theirs,
// to be taken back by them. Let register only show it to them, and both fail.
func TestSomebodyComes(t *testing.T) {
	for _, own := range []consent.AccessControl{consent.AccessDenied, consent.AccessUnset} {
		m := logindtest.Start(t)
		m.Serve(t)
		r := newRigOf(t, nil, notEnforced)
		c := r.dial()
		if own != consent.AccessUnset {
			_, err := call[ipc.SettingsResult](r, r.dialAs(maria), ipc.MethodSettingsSet, ipc.SettingsSet{SessionInsights: own})
			must(t, err)
		}
		if b := r.begin(c, ipc.SessionBegin{ID: "1"}); b.Verdict != consent.Allow {
			t.Fatalf("nobody there: %+v", b)
		}
		r.eventually("recorded", func() bool { s, _ := r.session(c, "test/1"); return s.Recording })
		m.Set(t, "2", seatAs(maria, ":77", "seat0"))
		p := r.sitAs(maria, ":77", nil)
		if own == consent.AccessDenied {
			if s, _ := r.session(c, "test/1"); s.Recording || s.Outcome != consent.OutcomeDenied || s.Reason != consent.ReasonDeniedBySetting {
				t.Errorf("who denies came: %+v", s)
			}
			if res := r.note(c, "1", "canary"); res.Recorded {
				t.Errorf("note: %+v", res)
			}
			r.stop()
			continue
		}
		r.eventually("recorded, and shown to her", func() bool { s, _ := r.session(c, "test/1"); return s.Recording && s.Desktop != "" })
		out, err := call[ipc.WithdrawResult](r, p.c, ipc.MethodRecordingControl, ipc.RecordingControl{Session: "test/1", Action: "stop"})
		if err != nil || out.Outcome != consent.OutcomeWithdrawn {
			t.Errorf("stop by who came: %+v, %v", out, err)
		}
		if s, _ := r.session(c, "test/1"); s.Recording {
			t.Error("it is still recorded")
		}
		r.stop()
	}
}

// TestTwoPeopleAsked: where two people may be the one that is viewed, both are
// asked, the grant is of both, and each of them finds it and can stop and delete
// it. What they allowed in a way that proves no hand waits for both: one alone
// sends nothing. Let subjects give only who began the session, or sendHeld release
// at the first word, and it fails.
func TestTwoPeopleAsked(t *testing.T) {
	for _, act := range []string{"stop", "stop-and-delete", "leave"} {
		t.Run(act, func(t *testing.T) {
			m := logindtest.Start(t)
			m.Serve(t)
			m.Set(t, "2", seatAs(maria, ":77", "seat0"))
			m.Set(t, "3", seatAs(rosa, ":78", "seat1"))
			r := newRig(t, nil)
			c := r.dial()
			one, two := r.sitAs(maria, ":77", says(true)), r.sitAs(rosa, ":78", says(true))
			if b := r.begin(c, ipc.SessionBegin{ID: "1", Hold: true}); b.Outcome != consent.OutcomeAllowed || b.Desktop != "2 3" {
				t.Fatalf("%+v", b)
			}
			for _, p := range []*person{one, two} {
				if list := r.consents(p.c); len(list) != 1 || list[0].Session != "test/1" {
					t.Fatalf("%s finds %+v", p.display, list)
				}
			}
			if other := r.dialAs(maria + 100); len(r.consents(other)) != 0 {
				t.Error("a third user finds it too")
			} else if _, err := call[ipc.WithdrawResult](r, other, ipc.MethodConsentWithdraw, ipc.Withdraw{ID: "test/1"}); err == nil {
				t.Error("a third user stopped it")
			}
			if act != "leave" {
				if _, err := call[ipc.WithdrawResult](r, two.c, ipc.MethodRecordingControl, ipc.RecordingControl{Session: "test/1", Action: act}); err != nil {
					t.Fatal(err)
				}
				if s, _ := r.session(c, "test/1"); s.Recording {
					t.Error("it is still recorded")
				}
				return
			}
			two.says(shows) // and does not answer yet
			_, err := call[ipc.SessionInfo](r, c, ipc.MethodSessionEnd, ipc.SessionEnd{ID: "1"})
			must(t, err)
			r.eventually("one after the other is asked", func() bool { return one.questions() == 2 && two.questions() == 2 })
			if !r.consents(one.c)[0].Held {
				t.Fatal("sent when one of two has said so")
			}
			r.stop()
			r.start()
			c = r.dial()
			two = r.sitAs(rosa, ":78", says(true))
			one = r.sitAs(maria, ":77", says(true))
			r.eventually("sent when both have", func() bool { return !r.consents(c)[0].Held })
			if one.questions() != 0 || two.questions() != 1 {
				t.Errorf("after the restart asked %d and %d times", one.questions(), two.questions())
			}
		})
	}
}

// TestPutOff: who was asked after leaving and did not answer is left in peace for
// an hour; neither a helper that starts anew nor somebody else's sign-in changes
// that, and their own next sign-in does. Let every registration forget what was
// put off, and it fails.
func TestPutOff(t *testing.T) {
	m := logindtest.Start(t)
	m.Serve(t)
	m.Set(t, "2", seatOf(":77", "seat0"))
	r := newRig(t, nil)
	c := r.dial()
	after := 0 // questions after leaving
	var mu sync.Mutex
	asked := func() int { mu.Lock(); defer mu.Unlock(); return after }
	answer := func(p *person, o ipc.PromptOpen) {
		if w, q, err := p.open(o); err == nil && q.Leave == nil {
			_ = w.Call(context.Background(), ipc.MethodQuestionShown, ipc.QuestionShown{Question: o.Question, Locale: "en", TextSHA256: "00"}, nil)
			_ = w.Call(context.Background(), ipc.MethodQuestionAnswer, ipc.QuestionAnswer{Question: o.Question, Allow: true, Groups: q.Offered}, nil)
			return
		}
		if o.Rung == "window" {
			mu.Lock()
			after++
			mu.Unlock()
		}
		_ = p.c.Call(context.Background(), ipc.MethodDesktopPrompt, ipc.DesktopPrompt{Question: o.Question, Rung: o.Rung, Why: "no-window"}, nil)
	}
	p := r.sit(":77", answer)
	r.begin(c, ipc.SessionBegin{ID: "1", Hold: true})
	_, err := call[ipc.SessionInfo](r, c, ipc.MethodSessionEnd, ipc.SessionEnd{ID: "1"})
	must(t, err)
	r.eventually("asked, on both rungs", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return asked() == 1 && len(p.closed) > 0
	})
	again := r.sit(":77", answer)
	m.Set(t, "3", seatAs(rosa, ":78", "seat1"))
	other := r.sitAs(rosa, ":78", answer)
	for _, who := range []*person{again, other} {
		if _, err := call[ipc.Empty](r, who.c, ipc.MethodDesktopAlive, nil); err != nil {
			t.Fatal(err)
		}
	}
	if n := asked(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	m.Set(t, "4", seatOf(":79", "seat2"))
	r.sit(":79", answer)
	r.eventually("asked at the next sign-in", func() bool { return asked() == 2 })
}

// TestResumeNeedsTheBar: where programs are installed, a recording that no bar
// shows is not resumed from a command line, by root neither, whatever group it
// runs with. Without installed programs it is. Let handleControl weigh a press of
// no desktop, and it fails.
func TestResumeNeedsTheBar(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to run with another group")
	}
	const group = "daemon"
	g, err := user.LookupGroup(group)
	must(t, err)
	gid, err := strconv.Atoi(g.Gid)
	must(t, err)
	for _, installed := range []string{"", group} {
		logindtest.Start(t).Serve(t)
		r := newRigOf(t, nil, notEnforced)
		r.stop()
		r.group = installed
		r.start()
		c := r.dial()
		if b := r.begin(c, ipc.SessionBegin{ID: "1"}); b.Verdict != consent.Allow {
			t.Fatalf("nobody there: %+v", b)
		}
		shell := r.dialWith(syscall.SYS_SETRESGID, gid)
		control := func(action string) error {
			_, err := call[ipc.WithdrawResult](r, shell, ipc.MethodRecordingControl, ipc.RecordingControl{Session: "test/1", Action: action})
			return err
		}
		must(t, control("pause"))
		err := control("resume")
		s, _ := r.session(c, "test/1")
		if refused := err != nil; refused != (installed != "") || s.Paused != refused {
			t.Errorf("installed %q: %v, %+v", installed, err, s)
		}
		r.stop()
	}
}
