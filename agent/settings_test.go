package agent_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
	"aval/agent/record"
)

// TestSetting: the standing setting decides without a question, and cannot be
// loosened while a supporter is on the desktop.
func TestSetting(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	c := r.dial()
	p := r.sit(":77", says(true))
	set := func(v consent.AccessControl) error {
		_, err := call[ipc.SettingsResult](r, c, ipc.MethodSettingsSet, ipc.SettingsSet{SessionInsights: v})
		return err
	}
	must(t, set(consent.AccessDenied))
	if b := r.begin(c, ipc.SessionBegin{ID: "1"}); b.Verdict != consent.Deny || b.Reason != consent.ReasonDeniedBySetting || b.Outcome != consent.OutcomeDenied {
		t.Errorf("denied: %+v", b)
	}
	for _, v := range []consent.AccessControl{consent.AccessAllowed, consent.AccessUnset, consent.AccessAfterConfirmation} {
		if set(v) == nil {
			t.Errorf("%s was accepted with a supporter on the desktop", v)
		}
	}
	// The default is looser than asking where the policy recommends allowed.
	other := newRig(t, map[string]string{"recommended/a.json": `{"AccessControl": "allowed"}`})
	oc := other.dial()
	other.sit(":77", says(false))
	_, err := call[ipc.SettingsResult](other, oc, ipc.MethodSettingsSet, ipc.SettingsSet{SessionInsights: consent.AccessAfterConfirmation})
	must(t, err)
	other.begin(oc, ipc.SessionBegin{ID: "1", Hold: true})
	if _, err := call[ipc.SettingsResult](other, oc, ipc.MethodSettingsSet, ipc.SettingsSet{SessionInsights: consent.AccessUnset}); err == nil {
		t.Error("the default was accepted with a supporter on the desktop, and would record without asking")
	}
	_, err = call[ipc.SessionInfo](r, c, ipc.MethodSessionEnd, ipc.SessionEnd{ID: "1"})
	must(t, err)
	must(t, set(consent.AccessAllowed))
	b := r.begin(c, ipc.SessionBegin{ID: "2", Hold: true})
	if b.Verdict != consent.Allow || b.Reason != consent.ReasonAllowedBySetting {
		t.Errorf("allowed: %+v", b)
	}
	if res := r.note(c, "2", "with a standing setting"); !res.Recorded {
		t.Errorf("note: %+v", res)
	}
	if len(p.asked) != 0 {
		t.Error("asked all the same")
	}
	if list := r.consents(c); list[0].Basis != consent.BasisStandingSetting {
		t.Errorf("consents: %+v", list)
	}
}

// TestDeniedAtOnce: a person's own Denied ends what is recorded or asked on their
// desktop at once, whatever it rests on, and the records of it follow from their
// facts; what a policy enforces goes on, and a choice that asks or allows ends nothing.
// Leave the call of accessChanged out, and it fails; let it end what asks, too.
func TestDeniedAtOnce(t *testing.T) {
	t.Parallel()
	const enforced = `{"AccessControl": "allowed"}`
	for name, tt := range map[string]struct {
		policies map[string]string
		first    consent.AccessControl // chosen before the session; empty: nothing
		answer   func(*person, ipc.PromptOpen)
		ends     bool
	}{
		"its own Allowed":       {first: consent.AccessAllowed, ends: true},
		"a yes":                 {answer: says(true), ends: true},
		"an open question":      {ends: true},
		"a recommended policy":  {policies: map[string]string{"recommended/a.json": enforced}, ends: true},
		"a policy that demands": {policies: map[string]string{"managed/a.json": enforced}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, tt.policies)
			c := r.dial()
			r.sit(":77", tt.answer)
			set := func(v consent.AccessControl) error {
				_, err := call[ipc.SettingsResult](r, c, ipc.MethodSettingsSet, ipc.SettingsSet{SessionInsights: v})
				return err
			}
			if tt.first != "" {
				must(t, set(tt.first))
			}
			b := r.begin(c, ipc.SessionBegin{ID: "1", Desktop: ":77", Hold: tt.answer != nil})
			recorded := b.Outcome == consent.OutcomeAllowed
			if recorded {
				r.eventually("it is recorded", func() bool { return r.note(c, "1", "before").Recorded })
			} else if b.Outcome != consent.OutcomeAsking {
				t.Fatalf("begin: %+v", b)
			}
			if tt.ends {
				must(t, set(consent.AccessAfterConfirmation))
				if s, _ := r.session(c, "test/1"); s.Recording != recorded || s.Outcome != b.Outcome {
					t.Errorf("after confirmation: %+v", s)
				}
			}
			err := set(consent.AccessDenied)
			s, _ := r.session(c, "test/1")
			if !tt.ends {
				if err == nil || !s.Recording || s.Outcome != consent.OutcomeAllowed {
					t.Errorf("what a policy enforces: %v, %+v", err, s)
				}
				return
			}
			must(t, err)
			if s.Recording || s.Outcome != consent.OutcomeDenied || s.Reason != consent.ReasonDeniedBySetting {
				t.Errorf("denied: %+v", s)
			}
			if r.note(c, "1", "after").Recorded {
				t.Error("recorded after Denied")
			}
			if got := r.follows(c); got != "" {
				t.Errorf("narrowed: %q", got)
			}
			if !recorded {
				return
			}
			sent := r.sent(c)
			if last := sent[len(sent)-1]; last.Kind != event.SessionEnded || last.Fields["reason"] != "stopped" {
				t.Errorf("the last event: %+v", last)
			}
		})
	}
}

// TestRecordGroups: what a person leaves out is not offered, not granted by a
// standing setting, and from that moment on not recorded either; what a policy
// enforces is not theirs to narrow. (Without the look at narrowed in take, the
// last note is recorded: seen.)
func TestRecordGroups(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	c := r.dial()
	p := r.sit(":77", says(true))
	set := func(s ipc.SettingsSet) (ipc.SettingsResult, error) {
		return call[ipc.SettingsResult](r, c, ipc.MethodSettingsSet, s)
	}
	got, err := set(ipc.SettingsSet{Record: []event.Group{event.Chat, event.Windows}, Language: "pt-BR"})
	must(t, err)
	for _, g := range got.Groups {
		if want := g.Group == event.Chat || g.Group == event.Windows; g.Record != want || g.Own != want || g.Barred {
			t.Errorf("%+v", g)
		}
	}
	if b := r.begin(c, ipc.SessionBegin{ID: "1", Hold: true}); !slices.Equal(b.Groups, []event.Group{event.Windows, event.Chat}) {
		t.Errorf("granted: %v", b.Groups)
	}
	if q := p.asked[0]; q.Language != "pt-BR" || !slices.Equal(q.Offered, []event.Group{event.Windows, event.Chat}) {
		t.Errorf("the question: %+v", q)
	}
	if res := r.note(c, "1", "before"); !res.Recorded {
		t.Errorf("note: %+v", res)
	}
	if _, err := set(ipc.SettingsSet{Record: event.Groups}); err == nil {
		t.Error("while a supporter is connected more was let in")
	}
	if _, err := set(ipc.SettingsSet{Language: "en"}); err == nil {
		t.Error("while a supporter is connected the language was changed")
	}
	_, err = set(ipc.SettingsSet{Record: []event.Group{event.Windows}})
	must(t, err)
	if res := r.note(c, "1", "after"); res.Recorded || res.Reason != "not-covered" {
		t.Errorf("note of a group that was left out: %+v", res)
	}
	r.eventually("the gap that tells of it", func() bool {
		return slices.ContainsFunc(r.sent(c), func(e ipc.SentEvent) bool { return e.Kind == event.Gap && e.Fields["reason"] == "narrowed" })
	})
	_, err = call[ipc.SessionInfo](r, c, ipc.MethodSessionEnd, ipc.SessionEnd{ID: "1"})
	must(t, err)
	if _, err := set(ipc.SettingsSet{}); err == nil {
		t.Error("nothing was set, and that is no error")
	}
	// Only what this desktop does not deliver is left: nothing is asked.
	_, err = set(ipc.SettingsSet{Record: []event.Group{event.System}})
	must(t, err)
	if b := r.begin(c, ipc.SessionBegin{ID: "2", Hold: true}); b.Verdict != consent.Deny || b.Reason != consent.ReasonDeniedBySetting {
		t.Errorf("nothing left to record: %+v", b)
	}
	if got := r.follows(c); got != record.NarrowedToNothing {
		t.Errorf("narrowed: %q", got)
	}
	r.stop()
	r.start()
	got, err = call[ipc.SettingsResult](r, r.dial(), ipc.MethodSettingsGet, nil)
	must(t, err)
	if got.Language != "pt-BR" || got.Groups[0].Record {
		t.Errorf("after a restart: %+v", got)
	}
}

// TestWatch: a window that watches is told what changed, once, and of nothing
// where nothing did.
func TestWatch(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	c, w := r.dial(), r.dial()
	told := func() (what []ipc.What) { // the link to the server changes the status all the time
		t.Helper()
		for len(what) == 0 {
			select {
			case p := <-w.Pushes():
				var v ipc.Changed
				must(t, json.Unmarshal(p.Data, &v))
				what = slices.DeleteFunc(v.What, func(x ipc.What) bool { return x == ipc.WhatStatus })
			case <-time.After(patience):
				t.Fatal("nothing was told")
			}
		}
		return what
	}
	_, err := call[ipc.Empty](r, w, ipc.MethodWatch, nil)
	must(t, err)
	_, err = call[ipc.SettingsResult](r, c, ipc.MethodSettingsSet, ipc.SettingsSet{SessionInsights: consent.AccessDenied})
	must(t, err)
	if what := told(); !slices.Equal(what, []ipc.What{ipc.WhatSettings}) {
		t.Errorf("a setting: told of %v", what)
	}
	_, err = call[ipc.Status](r, c, ipc.MethodStatus, nil) // looking changes nothing
	must(t, err)
	r.begin(c, ipc.SessionBegin{ID: "1"})
	if what := told(); !slices.Equal(what, []ipc.What{ipc.WhatSessions, ipc.WhatRecords}) {
		t.Errorf("a session: told of %v", what)
	}
}

// TestWelcome: the main window opens by itself once for each user, and never on a
// computer that a company has.
func TestWelcome(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	welcome := func() bool {
		w, err := call[ipc.Welcome](r, r.dial(), ipc.MethodWelcome, nil)
		must(t, err)
		return w.Open
	}
	if welcome() {
		t.Error("on a computer with a company")
	}
	_, err := call[ipc.UnenrollResult](r, r.dial(), ipc.MethodUnenroll, nil)
	must(t, err)
	if !welcome() || welcome() {
		t.Error("not once")
	}
}
