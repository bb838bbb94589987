package agent_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
	"aval/agent/record"
	"aval/agent/store"
)

var (
	byMouse   = ipc.Heard{From: consent.FromTest, Device: "mouse"}
	byProgram = ipc.Heard{From: consent.FromInjected}
)

// atDesk begins a recorded session that the person has allowed by hand.
func (r *rig) atDesk(id string) (*person, *ipc.Client) {
	r.t.Helper()
	c := r.dial()
	p := r.sit(":77", hand(true))
	p.hears(byMouse)
	if b := r.begin(c, ipc.SessionBegin{ID: id, Hold: true}); b.Outcome != consent.OutcomeAllowed {
		r.t.Fatalf("%+v", b)
	}
	if res := r.note(c, id, "canary"); !res.Recorded {
		r.t.Fatalf("%+v", res)
	}
	return p, c
}

// state opens the stopped service's store.
func (r *rig) state(o store.Options, do func(*store.Store)) {
	r.t.Helper()
	st, err := store.Open(filepath.Join(r.dir, "state"), o)
	must(r.t, err)
	do(st)
	must(r.t, st.Close())
}

// leaves are the questions after leaving that the person got.
func (p *person) leaves() (out []ipc.Question) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, q := range p.asked {
		if q.Leave != nil {
			out = append(out, q)
		}
	}
	return out
}

var heldStream = store.Stream{Company: "c1", Session: "test/1"}

// records are the bodies of one type, oldest last.
func records[B any](t *testing.T, st *store.Store, typ record.Type) (out []B, company string) {
	t.Helper()
	must(t, st.Records(func(e store.Entry) bool {
		if e.Type == typ {
			var b B
			decode(t, e.Envelope, &b)
			out, company = append(out, b), e.Company
		}
		return true
	}))
	return out, company
}

// TestDeleteAsked: while a supporter is there, a deletion by nobody's hand that is
// known stops the recording, destroys nothing and is asked about once they have
// left; what is answered then is done, and the company hears of it only then.
// Planted: let withdraw not look at Proven, and all of it is gone at once.
func TestDeleteAsked(t *testing.T) {
	t.Parallel()
	bar := func(h ipc.Heard) func(*rig, *person) (ipc.WithdrawResult, error) {
		return func(r *rig, p *person) (ipc.WithdrawResult, error) {
			p.hears(h)
			return call[ipc.WithdrawResult](r, r.dial(), ipc.MethodRecordingControl, ipc.RecordingControl{Session: "test/1", Action: "stop-and-delete", Press: press})
		}
	}
	asks := map[string]func(*rig, *person) (ipc.WithdrawResult, error){
		"a program in the bar":      bar(byProgram),
		"nobody in the bar":         bar(ipc.Heard{From: consent.FromAbsent}),
		"a covered bar":             bar(ipc.Heard{From: consent.FromTest, Device: "mouse", Doubt: "covered"}),
		"the window of a program's": nil,
		"the command line": func(r *rig, _ *person) (ipc.WithdrawResult, error) {
			return call[ipc.WithdrawResult](r, r.dial(), ipc.MethodConsentWithdraw, ipc.Withdraw{ID: "test/1", Delete: true})
		},
	}
	asks["the window of a program's"] = func(r *rig, p *person) (ipc.WithdrawResult, error) {
		p.hears(ipc.Heard{From: consent.FromNothing})
		return call[ipc.WithdrawResult](r, r.dial(), ipc.MethodConsentWithdraw, ipc.Withdraw{ID: "test/1", Delete: true, Press: press})
	}
	for name, ask := range asks {
		for _, keep := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, keep %v", name, keep), func(t *testing.T) {
				t.Parallel()
				r := newRig(t, map[string]string{"managed/test.json": testMouse})
				p, c := r.atDesk("1")
				out, err := ask(r, p)
				must(t, err)
				if out.Outcome != consent.OutcomeWithdrawn || !out.Held || len(out.Copies) > 0 {
					t.Fatalf("%+v", out)
				}
				if res := r.note(c, "1", "canary after"); res.Recorded {
					t.Error("it still records")
				}
				if row := r.consents(c)[0]; row.Outcome != consent.OutcomeWithdrawn || !row.Held {
					t.Errorf("%+v", row)
				}
				if n := len(r.sent(c)); n != 2 || len(p.leaves()) != 0 {
					t.Errorf("%d events are left, %d questions while the supporter is there", n, len(p.leaves()))
				}
				p.says(hand(keep))
				p.hears(byProgram, byMouse) // a program's answer to it does not count
				_, err = call[ipc.SessionInfo](r, c, ipc.MethodSessionEnd, ipc.SessionEnd{ID: "1"})
				must(t, err)
				want := map[bool]consent.Outcome{true: consent.OutcomeAllowed, false: consent.OutcomeErased}[keep]
				r.eventually("what was said is done", func() bool { row := r.consents(c)[0]; return !row.Held && row.Outcome == want })
				q := p.leaves()
				if len(q) != 1 || !q[0].Leave.DeleteAsked || q[0].Leave.Items != 3 || time.Until(q[0].Leave.Until) < 23*time.Hour {
					t.Errorf("asked %+v", q)
				}
				r.stop()
				r.state(store.Options{}, func(st *store.Store) {
					items, err := st.Read(heldStream, 0, 0, 0)
					last := len(items) - 1
					if keep && (err != nil || last != 2 || items[last].Event.Kind != event.SessionEnded) || !keep && len(items) > 0 {
						t.Errorf("given out for sending: %+v, %v", items, err)
					}
					gone, to := records[record.Withdrawal](t, st, record.TypeWithdrawal)
					kept, told := records[record.Confirmation](t, st, record.TypeConfirmation)
					if keep && (len(gone) != 0 || len(kept) != 1 || !kept[0].DeleteAsked || kept[0].Provenance != consent.P2 || told != "") {
						t.Errorf("records: %+v %+v", gone, kept)
					}
					if !keep && (len(kept) != 0 || len(gone) != 1 || !gone[0].Erase || gone[0].Provenance != consent.P2 || !gone[0].Test || to != "c1") {
						t.Errorf("records: %+v %+v", gone, kept)
					}
				})
			})
		}
	}
}

// TestDeleteAskedGoesForward: the service ends, or is killed, between any two
// steps of a deletion that is asked about. Nothing of it is ever given out for
// sending, and it comes to the same end. Planted: let Read not look at held, and
// events are given out; without finishWithdrawals the key of the fourth stays.
func TestDeleteAskedGoesForward(t *testing.T) {
	t.Parallel()
	appended := func(st *store.Store) error {
		_, err := st.Append(t.Context(), heldStream, []event.Event{{Kind: event.SessionEnded, At: time.Now().UTC(), Fields: map[string]string{"reason": "stopped"}}})
		return err
	}
	steps := []struct {
		name  string
		until func(*testing.T, *store.Store)
		asked bool // the person still is; otherwise it goes on without them
	}{
		{"held", func(t *testing.T, st *store.Store) {}, true},
		{"held and the last mark", func(t *testing.T, st *store.Store) { must(t, appended(st)) }, true},
		{"its time begun", func(t *testing.T, st *store.Store) { must(t, appended(st)); must(t, st.CloseStream(heldStream)) }, true},
		{"said to be deleted", func(t *testing.T, st *store.Store) {
			must(t, st.CloseStream(heldStream))
			must(t, st.Withdraw(heldStream))
		}, false},
		{"recorded", func(t *testing.T, st *store.Store) {
			must(t, st.Withdraw(heldStream))
			grants, _ := records[record.Grant](t, st, record.TypeGrant)
			h := record.Head{V: 1, ID: newULID(), At: time.Now().UTC(), Company: "c1", Device: "d1", Session: "test/1"}
			env, err := record.Sign(st.DeviceKey(), record.TypeWithdrawal, record.Withdrawal{Head: h, Grant: grants[0].ID, Erase: true, By: "person"})
			must(t, err)
			_, err = st.AppendRecord(store.Entry{ID: h.ID, Type: record.TypeWithdrawal, Company: "c1", Session: "test/1", At: h.At, Envelope: env})
			must(t, err)
		}, false},
		{"the key destroyed", func(t *testing.T, st *store.Store) { must(t, st.Withdraw(heldStream)); must(t, st.Erase(heldStream)) }, false},
	}
	for _, step := range steps {
		for _, mark := range []bool{false, true} { // the service's own note of the session says so too, or not yet
			t.Run(fmt.Sprintf("%s, noted %v", step.name, mark), func(t *testing.T) {
				t.Parallel()
				r := newRig(t, map[string]string{"managed/test.json": testMouse})
				p, _ := r.atDesk("1")
				if mark {
					p.hears(byProgram)
					_, err := call[ipc.WithdrawResult](r, r.dial(), ipc.MethodRecordingControl, ipc.RecordingControl{Session: "test/1", Action: "stop-and-delete", Press: press})
					must(t, err)
				}
				r.stop()
				sealed := func() {
					t.Helper()
					r.state(store.Options{}, func(st *store.Store) {
						if items, _ := st.Read(heldStream, 0, 0, 0); len(items) > 0 {
							t.Errorf("%d events are given out for sending", len(items))
						}
					})
				}
				r.state(store.Options{}, func(st *store.Store) { must(t, st.Hold(heldStream)); step.until(t, st) })
				sealed()
				r.start()
				c := r.dial()
				if row := r.consents(c)[0]; step.asked && (row.Outcome != consent.OutcomeWithdrawn || !row.Held) || !step.asked && row.Outcome != consent.OutcomeErased {
					t.Errorf("after the start: %+v", row)
				}
				r.stop()
				sealed()
				r.start()
				c = r.dial()
				p = r.sit(":77", hand(false))
				p.hears(byMouse)
				r.eventually("the deletion", func() bool { return r.consents(c)[0].Outcome == consent.OutcomeErased })
				if n := len(p.leaves()); (n == 1) != step.asked || len(r.sent(c)) != 0 {
					t.Errorf("%d questions, %d events left", n, len(r.sent(c)))
				}
				r.stop()
				sealed()
				r.state(store.Options{}, func(st *store.Store) {
					gone, to := records[record.Withdrawal](t, st, record.TypeWithdrawal)
					erased, too := records[record.Erasure](t, st, record.TypeErasure)
					if len(gone) != 1 || !gone[0].Erase || len(erased) != 1 || len(erased[0].Copies) != 2 || to != "c1" || too != "c1" {
						t.Errorf("records: %+v %+v", gone, erased)
					}
				})
			})
		}
	}
}

// TestDeleteAskedIsNotResumed: a service that was killed right after the mark finds
// the remote session still there. It does not go on recording it, and the person is
// asked when it is over, not before. Planted: let startResumed not look at
// DeleteAsked, and it records again.
func TestDeleteAskedIsNotResumed(t *testing.T) {
	t.Parallel()
	r := newRig(t, map[string]string{"managed/test.json": testMouse})
	c := r.dial()
	p := r.sit(":77", hand(true))
	p.hears(byMouse)
	if b := r.begin(c, ipc.SessionBegin{ID: "1", PID: os.Getpid(), Hold: true}); b.Outcome != consent.OutcomeAllowed {
		t.Fatalf("%+v", b)
	}
	r.stop()
	r.state(store.Options{}, func(st *store.Store) { must(t, st.Hold(heldStream)) })
	r.start()
	c = r.dial()
	p = r.sit(":77", hand(false))
	p.hears(byMouse)
	if res := r.note(c, "1", "canary"); res.Recorded {
		t.Error("it records again")
	}
	if s, ok := r.session(c, "test/1"); !ok || s.Recording || s.Outcome != consent.OutcomeWithdrawn {
		t.Errorf("%+v, there %v", s, ok)
	}
	if row := r.consents(c)[0]; !row.Held || len(p.leaves()) != 0 {
		t.Errorf("%+v, %d questions", row, len(p.leaves()))
	}
	_, err := call[ipc.SessionInfo](r, c, ipc.MethodSessionEnd, ipc.SessionEnd{ID: "1"})
	must(t, err)
	r.eventually("the deletion", func() bool { return r.consents(c)[0].Outcome == consent.OutcomeErased })
}

// TestDeleteUnanswered: without an answer within a day it is deleted, and the
// company is told; before the supporter has left the day does not begin. Planted:
// close the stream in stopStream, and it does.
func TestDeleteUnanswered(t *testing.T) {
	t.Parallel()
	r := newRig(t, map[string]string{"managed/test.json": testMouse})
	p, c := r.atDesk("1")
	_, err := call[ipc.WithdrawResult](r, r.dial(), ipc.MethodConsentWithdraw, ipc.Withdraw{ID: "test/1", Delete: true})
	must(t, err)
	p.says(shows)
	r.stop()
	r.state(store.Options{Now: func() time.Time { return time.Now().Add(-store.HeldFor - time.Minute) }}, func(st *store.Store) {
		infos, err := st.Streams()
		must(t, err)
		if len(infos) != 1 || !infos[0].DeleteAsked || infos[0].Closed || !infos[0].HeldUntil.IsZero() {
			t.Fatalf("with the supporter there: %+v", infos)
		}
		must(t, st.CloseStream(heldStream)) // as if they had left more than a day ago
	})
	r.start()
	c = r.dial()
	r.eventually("the deletion", func() bool { return r.consents(c)[0].Outcome == consent.OutcomeErased })
	r.stop()
	r.state(store.Options{}, func(st *store.Store) {
		gone, to := records[record.Withdrawal](t, st, record.TypeWithdrawal)
		if len(gone) != 1 || gone[0].By != "agent" || gone[0].Provenance != "" || !gone[0].Erase || to != "c1" {
			t.Errorf("%+v", gone)
		}
	})
}

// TestDeleteAfterLeaving: with no supporter there it is deleted at once, whoever
// asks but a program's click; and with one there by the person's own hand.
func TestDeleteAfterLeaving(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		there bool
		press *ipc.Press
		heard ipc.Heard
		want  consent.Outcome
		by    consent.Provenance
	}{
		"the command line, alone":     {false, nil, byMouse, consent.OutcomeErased, consent.P0},
		"a hand, alone":               {false, press, byMouse, consent.OutcomeErased, consent.P2},
		"nothing heard, alone":        {false, press, ipc.Heard{From: consent.FromAbsent}, consent.OutcomeErased, consent.P0},
		"a program's click, alone":    {false, press, byProgram, consent.OutcomeWithdrawn, ""},
		"a hand, a supporter there":   {true, press, byMouse, consent.OutcomeErased, consent.P2},
		"the command line, not alone": {true, nil, byMouse, consent.OutcomeWithdrawn, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, map[string]string{"managed/test.json": testMouse})
			p, c := r.atDesk("1")
			p.says(nil)
			_, err := call[ipc.SessionInfo](r, c, ipc.MethodSessionEnd, ipc.SessionEnd{ID: "1"})
			must(t, err)
			if tt.there { // another one, on the same desktop
				r.begin(c, ipc.SessionBegin{ID: "2"})
			}
			p.hears(tt.heard)
			out, err := call[ipc.WithdrawResult](r, c, ipc.MethodConsentWithdraw, ipc.Withdraw{ID: "test/1", Delete: true, Press: tt.press})
			must(t, err)
			if out.Outcome != tt.want || out.Held != (tt.want == consent.OutcomeWithdrawn) {
				t.Errorf("%+v", out)
			}
			row := r.consents(c) // newest first: of the two sessions the older one
			if got := row[len(row)-1].Hand; got != tt.by {
				t.Errorf("the list of decisions says %q", got)
			}
			r.stop()
			r.state(store.Options{}, func(st *store.Store) {
				gone, _ := records[record.Withdrawal](t, st, record.TypeWithdrawal)
				if (len(gone) == 1) == out.Held || len(gone) == 1 && (gone[0].Provenance != tt.by || gone[0].Test != (tt.by == consent.P2)) {
					t.Errorf("%+v", gone)
				}
			})
		})
	}
}

// TestHandOfWithdrawal: the record of a withdrawal, or of an objection, says whose
// hand it was, and so do its receipt and the list of decisions. Planted: write P0 in
// conclude; leave hands out of entries.
func TestHandOfWithdrawal(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		heard ipc.Heard
		press *ipc.Press
		want  consent.Provenance
	}{{byMouse, press, consent.P2}, {byProgram, press, consent.PX}, {ipc.Heard{From: consent.FromAbsent}, press, consent.P0}, {byMouse, nil, consent.P0}} {
		for _, enforced := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s %s enforced %v", tt.heard.From, tt.want, enforced), func(t *testing.T) {
				t.Parallel()
				policies := map[string]string{"managed/test.json": testMouse}
				if enforced {
					policies["managed/enforced.json"] = `{"AccessControl": "allowed"}`
				}
				r := newRig(t, policies)
				p, c := r.atDesk("1")
				p.hears(tt.heard)
				out, err := call[ipc.WithdrawResult](r, r.dial(), ipc.MethodRecordingControl, ipc.RecordingControl{Session: "test/1",
					Action: map[bool]string{false: "stop", true: "object"}[enforced], Press: tt.press})
				must(t, err)
				if (out.Outcome == consent.OutcomeObjected) != enforced || !enforced && out.Outcome != consent.OutcomeWithdrawn {
					t.Fatalf("%+v", out)
				}
				s, err := call[ipc.ConsentShow](r, c, ipc.MethodConsentShow, ipc.ByID{ID: "test/1"})
				must(t, err)
				var body struct {
					Provenance consent.Provenance
					Test       bool
				}
				decode(t, s.Later[0], &body)
				if body.Provenance != tt.want || body.Test != (tt.want == consent.P2) {
					t.Errorf("%+v", body)
				}
				if row := r.consents(c)[0]; row.Hand != tt.want { // what Activity shows
					t.Errorf("%+v", row)
				}
			})
		}
	}
}

// TestLooserByHand: with a supporter there a setting becomes looser only by a hand
// that is known, and stricter by any. Planted: let changeSettings pass counts for
// mine without looking at the hand.
func TestLooserByHand(t *testing.T) {
	t.Parallel()
	r := newRig(t, map[string]string{"managed/test.json": testMouse})
	p, c := r.atDesk("1")
	set := func(h ipc.Heard, at *ipc.Press, s ipc.SettingsSet) error {
		p.hears(h)
		s.Press = at
		_, err := call[ipc.SettingsResult](r, c, ipc.MethodSettingsSet, s)
		return err
	}
	looser := []ipc.SettingsSet{{SessionInsights: consent.AccessAllowed}, {Language: "pt-BR"}}
	for _, s := range looser {
		for name, h := range map[string]ipc.Heard{"a program": byProgram, "nothing heard": {From: consent.FromAbsent}, "covered": {From: consent.FromTest, Doubt: "covered"}, "no device": {From: consent.FromNothing}} {
			if err := set(h, press, s); err == nil {
				t.Errorf("%s: %+v", name, s)
			}
		}
		if err := set(byMouse, nil, s); err == nil {
			t.Errorf("without a place: %+v", s)
		}
		must(t, set(byMouse, press, s))
	}
	must(t, set(byProgram, press, ipc.SettingsSet{SessionInsights: consent.AccessDenied}))
	must(t, set(byMouse, nil, ipc.SettingsSet{SessionInsights: consent.AccessDenied, Record: []event.Group{event.Chat}}))
	if err := set(byProgram, press, ipc.SettingsSet{SessionInsights: consent.AccessUnset}); err == nil {
		t.Error("back to the default, which asks")
	}
	// Where nothing can be proven, nothing is.
	plain := newRig(t, nil)
	q := plain.sit(":77", says(true))
	pc := plain.dial()
	plain.begin(pc, ipc.SessionBegin{ID: "1", Hold: true})
	q.hears(ipc.Heard{From: consent.FromHardware})
	if _, err := call[ipc.SettingsResult](plain, pc, ipc.MethodSettingsSet, ipc.SettingsSet{SessionInsights: consent.AccessAllowed, Press: press}); err == nil {
		t.Error("a hand that nothing proves")
	}
}
