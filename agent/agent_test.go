package agent_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
	"aval/agent/record"
	"aval/agent/store"
	"aval/agent/wire"
)

func TestYesRecords(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	c := r.dial()
	p := r.sit(":77", says(true))
	b := r.begin(c, ipc.SessionBegin{ID: "1", Hold: true})
	if b.Verdict != consent.Ask || b.Reason != consent.ReasonMustConfirm || b.Outcome != consent.OutcomeAllowed {
		t.Fatalf("begin: %+v", b)
	}
	if res := r.note(c, "1", "my card is 4111 1111 1111 1111, mail a@example.com"); !res.Recorded {
		t.Fatalf("note: %+v", res)
	}
	r.eventually("the window watcher was started", func() bool { return p.watching().Epoch > 0 && len(p.watching().Grants) == 1 })
	p.window(p.watching().Epoch-1, "from an older epoch")
	p.window(p.watching().Epoch, "Printer settings")
	r.eventually("three events", func() bool { return len(r.sent(c)) == 3 })
	_, err := call[ipc.SessionInfo](r, c, ipc.MethodSessionEnd, ipc.SessionEnd{ID: "1"})
	must(t, err)
	sent := r.sent(c)
	var kinds []string
	for i, e := range sent {
		kinds = append(kinds, string(e.Kind))
		if e.Seq != uint64(i+1) || e.Session != "test/1" {
			t.Errorf("event %d: %+v", i, e)
		}
	}
	if got := strings.Join(kinds, " "); got != "session-started note window-focused session-ended" {
		t.Errorf("events: %s", got)
	}
	if text := sent[1].Fields["text"]; strings.Contains(text, "4111") || strings.Contains(text, "example.com") {
		t.Errorf("stored unredacted: %q", text)
	}
	list := r.consents(c)
	if len(list) != 1 || list[0].Outcome != consent.OutcomeAllowed || list[0].Basis != consent.BasisConsent || list[0].Provenance != consent.P0 {
		t.Errorf("consents: %+v", list)
	}
}

// TestNoGrantNoByte: whatever does not end in a yes leaves nothing but its record.
func TestNoGrantNoByte(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		answer  func(*person, ipc.PromptOpen)
		outcome consent.Outcome
		ending  consent.Ending
	}{
		{"no", says(false), consent.OutcomeRefused, consent.EndingAnsweredNo},
		{"nobody answers", func(p *person, o ipc.PromptOpen) {
			c, _, err := p.open(o)
			if err == nil {
				_ = c.Call(context.Background(), ipc.MethodQuestionShown, ipc.QuestionShown{Question: o.Question}, nil)
			}
		}, consent.OutcomeNoAnswer, consent.EndingTimedOut},
		{"window killed after it was shown", func(p *person, o ipc.PromptOpen) {
			c, _, err := p.open(o)
			if err == nil {
				_ = c.Call(context.Background(), ipc.MethodQuestionShown, ipc.QuestionShown{Question: o.Question}, nil)
				c.Close()
			}
		}, consent.OutcomeCouldNotAsk, consent.EndingUILost},
		{"nothing can show it", func(p *person, o ipc.PromptOpen) {
			_ = p.c.Call(context.Background(), ipc.MethodDesktopPrompt, ipc.DesktopPrompt{Question: o.Question, Rung: o.Rung, Why: "not-installed"}, nil)
		}, consent.OutcomeCouldNotAsk, consent.EndingNotShown},
		{"window never becomes visible", func(p *person, o ipc.PromptOpen) { _, _, _ = p.open(o) }, consent.OutcomeCouldNotAsk, consent.EndingNotShown},
		{"helper dies", func(p *person, _ ipc.PromptOpen) { p.c.Close() }, consent.OutcomeCouldNotAsk, consent.EndingUILost},
		{"yes before it was shown", func(p *person, o ipc.PromptOpen) {
			c, q, err := p.open(o)
			if err == nil {
				_ = c.Call(context.Background(), ipc.MethodQuestionAnswer, ipc.QuestionAnswer{Question: o.Question, Allow: true, Groups: q.Offered}, nil)
				c.Close()
			}
		}, consent.OutcomeCouldNotAsk, consent.EndingNotShown},
		{"yes with nothing ticked", func(p *person, o ipc.PromptOpen) {
			c, _, err := p.open(o)
			if err == nil {
				_ = c.Call(context.Background(), ipc.MethodQuestionShown, ipc.QuestionShown{Question: o.Question}, nil)
				_ = c.Call(context.Background(), ipc.MethodQuestionAnswer, ipc.QuestionAnswer{Question: o.Question, Allow: true}, nil)
			}
		}, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, map[string]string{"managed/test.json": `{"QuestionSeconds": 10}`})
			c := r.dial()
			r.sit(":77", tt.answer)
			b := r.begin(c, ipc.SessionBegin{ID: "1", Hold: true})
			if b.Outcome == consent.OutcomeAllowed || (tt.outcome != "" && (b.Outcome != tt.outcome || b.Ending != tt.ending)) {
				t.Fatalf("begin: %+v, want %s %s", b, tt.outcome, tt.ending)
			}
			if res := r.note(c, "1", "canary"); res.Recorded || res.Reason != "no-grant" {
				t.Errorf("note: %+v", res)
			}
			if sent := r.sent(c); len(sent) != 0 {
				t.Errorf("sent: %+v", sent)
			}
			list := r.consents(c)
			if len(list) != 1 || list[0].Outcome != b.Outcome || list[0].Reason != consent.ReasonMustConfirm {
				t.Errorf("consents: %+v", list)
			}
			r.stop()
			if hits := grep(t, r.dir, "canary"); len(hits) != 0 {
				t.Errorf("the canary is in %v", hits)
			}
		})
	}
}

func grep(t *testing.T, dir, text string) []string {
	var hits []string
	must(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		if strings.Contains(string(raw), text) {
			hits = append(hits, path)
		}
		return err
	}))
	return hits
}

// TestOnlyTheHolderAnswers: a connection without the nonce, a second one with
// it, and one that did not fetch the question get nowhere.
func TestOnlyTheHolderAnswers(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	c := r.dial()
	opened := make(chan ipc.PromptOpen, 1)
	p := r.sit(":77", func(_ *person, o ipc.PromptOpen) { opened <- o })
	r.begin(c, ipc.SessionBegin{ID: "1"})
	o := <-opened
	thief := r.dial()
	refused := func(what string, m ipc.Method, params any) {
		t.Helper()
		if err := thief.Call(context.Background(), m, params, nil); err == nil {
			t.Errorf("%s was accepted", what)
		}
	}
	refused("a claim without the nonce", ipc.MethodQuestionClaim, ipc.QuestionClaim{Question: o.Question})
	refused("a claim with a wrong nonce", ipc.MethodQuestionClaim, ipc.QuestionClaim{Question: o.Question, Nonce: strings.Repeat("0", 64)})
	refused("an answer without a claim", ipc.MethodQuestionAnswer, ipc.QuestionAnswer{Question: o.Question, Allow: true, Groups: event.Groups})
	window, q, err := p.open(o)
	must(t, err)
	refused("a second claim", ipc.MethodQuestionClaim, ipc.QuestionClaim{Question: o.Question, Nonce: o.Nonce})
	refused("shown by another", ipc.MethodQuestionShown, ipc.QuestionShown{Question: o.Question})
	must(t, window.Call(context.Background(), ipc.MethodQuestionShown, ipc.QuestionShown{Question: o.Question}, nil))
	refused("a yes by another", ipc.MethodQuestionAnswer, ipc.QuestionAnswer{Question: o.Question, Allow: true, Groups: q.Offered})
	refused("a no by another", ipc.MethodQuestionAnswer, ipc.QuestionAnswer{Question: o.Question})
	must(t, window.Call(context.Background(), ipc.MethodQuestionAnswer, ipc.QuestionAnswer{Question: o.Question, Allow: true, Groups: q.Offered[:1]}, nil))
	r.eventually("allowed", func() bool { s, _ := r.session(c, "test/1"); return s.Outcome == consent.OutcomeAllowed })
	if res := r.note(c, "1", "not covered"); res.Recorded || res.Reason != "not-covered" {
		t.Errorf("a note without the group chat: %+v", res)
	}
	refused("a second answer", ipc.MethodQuestionAnswer, ipc.QuestionAnswer{Question: o.Question, Allow: true, Groups: q.Offered})
}

// TestIndicator: capture begins only when the indicator is known to be visible,
// and stops within 2 s when its helper falls silent or dies.
func TestIndicator(t *testing.T) {
	t.Parallel()
	t.Run("never visible", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, nil)
		c := r.dial()
		p := r.sit(":77", says(true))
		p.mu.Lock()
		p.visible = false
		p.mu.Unlock()
		r.begin(c, ipc.SessionBegin{ID: "1", Hold: true})
		if res := r.note(c, "1", "canary"); res.Recorded {
			t.Errorf("recorded without an indicator: %+v", res)
		}
		if len(p.watching().Grants) != 0 {
			t.Error("the window watcher was started without an indicator")
		}
	})
	for name, end := range map[string]func(*person){
		"helper silent": func(p *person) { p.mu.Lock(); p.alive = false; p.mu.Unlock() },
		"helper dead":   func(p *person) { p.c.Close() },
		"indicator hidden": func(p *person) {
			p.mu.Lock()
			rev := p.ind.Revision
			p.mu.Unlock()
			_ = p.c.Call(context.Background(), ipc.MethodDesktopIndicator, ipc.DesktopIndicator{Revision: rev, Why: "covered"}, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			c := r.dial()
			p := r.sit(":77", says(true))
			r.begin(c, ipc.SessionBegin{ID: "1", Hold: true})
			if res := r.note(c, "1", "seen"); !res.Recorded {
				t.Fatalf("note: %+v", res)
			}
			end(p)
			from := time.Now()
			r.eventually("capture has stopped", func() bool { s, _ := r.session(c, "test/1"); return !s.Recording })
			if took := time.Since(from); took > 2500*time.Millisecond { // 2 s, and what the machine needs to answer
				t.Errorf("capture stopped after %v", took)
			}
			if res := r.note(c, "1", "unseen"); res.Recorded || res.Reason != "indicator-lost" {
				t.Errorf("note: %+v", res)
			}
			r.sit(":77", nil) // a new helper: the indicator is back
			r.eventually("capture goes on, and the gap is told", func() bool {
				s, _ := r.session(c, "test/1")
				sent := r.sent(c)
				last := sent[len(sent)-1]
				return s.Recording && last.Kind == event.Gap && last.Fields["reason"] == "resumed"
			})
		})
	}
}

// TestTwoSessionsOneDesktop: while one is refused, nothing that shows the
// desktop is captured for the other; what its own tool reports still is.
func TestTwoSessionsOneDesktop(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	c := r.dial()
	p := r.sit(":77", says(true))
	r.begin(c, ipc.SessionBegin{ID: "a", Hold: true})
	r.eventually("watching", func() bool { return len(p.watching().Grants) == 1 })
	epoch := p.watching().Epoch
	p.mu.Lock()
	p.answer = says(false)
	p.mu.Unlock()
	r.begin(c, ipc.SessionBegin{ID: "b", Hold: true})
	r.eventually("the watcher is stopped", func() bool { return len(p.watching().Grants) == 0 })
	p.window(epoch, "canary of b")
	p.window(p.watching().Epoch, "canary of b")
	if res := r.note(c, "a", "a note of a"); !res.Recorded {
		t.Errorf("note of a: %+v", res)
	}
	if res := r.note(c, "b", "canary of b"); res.Recorded {
		t.Errorf("note of b: %+v", res)
	}
	_, err := call[ipc.SessionInfo](r, c, ipc.MethodSessionEnd, ipc.SessionEnd{ID: "b"})
	must(t, err)
	r.eventually("watching again", func() bool { return len(p.watching().Grants) == 1 })
	p.window(p.watching().Epoch, "after b")
	r.eventually("the window of a", func() bool {
		sent := r.sent(c)
		return sent[len(sent)-1].Fields["title"] == "after b"
	})
	var told []string
	for _, e := range r.sent(c) {
		if e.Session != "test/a" || strings.Contains(e.Fields["title"]+e.Fields["text"], "canary") {
			t.Errorf("an event of b: %+v", e)
		}
		if e.Kind == event.Gap {
			told = append(told, e.Fields["reason"])
		}
	}
	if got := strings.Join(told, " "); got != "other-session resumed" {
		t.Errorf("gaps: %s", got)
	}
}

// TestTwoDesktops: each session sees its own desktop only, and only its person
// is asked.
func TestTwoDesktops(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	c := r.dial()
	one, two := r.sit(":77", says(true)), r.sit(":78", says(false))
	r.begin(c, ipc.SessionBegin{ID: "a", Desktop: ":77", Hold: true})
	r.begin(c, ipc.SessionBegin{ID: "b", Desktop: ":78", Hold: true})
	r.eventually("watching", func() bool { return len(one.watching().Grants) == 1 })
	if len(two.watching().Grants) != 0 {
		t.Error("the refused desktop is watched")
	}
	one.window(one.watching().Epoch, "of a")
	two.window(one.watching().Epoch, "canary of b")
	r.eventually("the window of a", func() bool { return len(r.sent(c)) == 2 })
	if sent := r.sent(c); sent[1].Fields["title"] != "of a" {
		t.Errorf("sent: %+v", sent)
	}
	if len(one.asked) != 1 || one.asked[0].Session != "test/a" || len(two.asked) != 1 || two.asked[0].Session != "test/b" {
		t.Error("the wrong person was asked")
	}
	// A session that names no desktop concerns both: one no is enough.
	if b := r.begin(c, ipc.SessionBegin{ID: "c", Hold: true}); b.Outcome != consent.OutcomeRefused {
		t.Errorf("unknown desktop: %+v", b)
	}
}

func TestWithdrawAndDelete(t *testing.T) {
	t.Parallel()
	r := newRig(t, map[string]string{"managed/test.json": testMouse})
	c := r.dial()
	p := r.sit(":77", hand(true))
	p.hears(ipc.Heard{From: consent.FromTest, Device: "mouse"})
	r.begin(c, ipc.SessionBegin{ID: "1", Hold: true})
	r.note(c, "1", "canary")
	_, err := call[ipc.WithdrawResult](r, r.dial(), ipc.MethodRecordingControl, ipc.RecordingControl{Session: "test/1", Action: "pause", Press: press})
	must(t, err)
	if res := r.note(c, "1", "canary paused"); res.Recorded || res.Reason != "paused" {
		t.Errorf("note while paused: %+v", res)
	}
	_, err = call[ipc.WithdrawResult](r, r.dial(), ipc.MethodRecordingControl, ipc.RecordingControl{Session: "test/1", Action: "resume", Press: press})
	must(t, err)
	if res := r.note(c, "1", "canary again"); !res.Recorded {
		t.Errorf("note after resume: %+v", res)
	}
	out, err := call[ipc.WithdrawResult](r, r.dial(), ipc.MethodRecordingControl, ipc.RecordingControl{Session: "test/1", Action: "stop-and-delete", Press: press})
	must(t, err)
	if out.Outcome != consent.OutcomeErased || !slices.Contains(out.Copies, consent.Copy{Where: consent.CopyHere, Fate: consent.FateErased}) {
		t.Errorf("delete: %+v", out)
	}
	shown, err := call[ipc.ConsentShow](r, c, ipc.MethodConsentShow, ipc.ByID{ID: "test/1"})
	must(t, err)
	if want := (consent.Copy{Where: consent.CopyCompany, Company: "Example Support", Fate: consent.FateAsked}); !slices.Contains(shown.Copies, want) {
		t.Errorf("copies before the company has answered: %+v", shown.Copies)
	}
	if res := r.note(c, "1", "canary after"); res.Recorded {
		t.Errorf("note after delete: %+v", res)
	}
	if sent := r.sent(c); len(sent) != 0 {
		t.Errorf("sent: %+v", sent)
	}
	if list := r.consents(c); len(list) != 1 || list[0].Outcome != consent.OutcomeErased {
		t.Errorf("consents: %+v", list)
	}
	r.eventually("the watcher is stopped", func() bool { return len(p.watching().Grants) == 0 })
}

// TestOneAtATime: a second question waits until the first has ended, and then has
// its whole time; a session that ends while its question waits is never asked
// about. (With takeTurns opening whatever waits, both are on the screen: seen.)
func TestOneAtATime(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	c := r.dial()
	open := make(chan ipc.PromptOpen, 8)
	p := r.sit(":77", func(_ *person, o ipc.PromptOpen) { open <- o })
	for _, id := range []string{"1", "2", "3"} {
		r.begin(c, ipc.SessionBegin{ID: id})
	}
	first := <-open
	_, err := call[ipc.SessionInfo](r, c, ipc.MethodSessionEnd, ipc.SessionEnd{ID: "2"})
	must(t, err)
	w, q, err := p.open(first)
	must(t, err)
	if q.Session != "test/1" || len(open) != 0 {
		t.Fatalf("first %s, and %d more", q.Session, len(open))
	}
	must(t, w.Call(t.Context(), ipc.MethodQuestionShown, ipc.QuestionShown{Question: q.Question, Locale: "en", TextSHA256: "00"}, nil))
	if len(open) != 0 {
		t.Fatal("two questions are on the screen")
	}
	must(t, w.Call(t.Context(), ipc.MethodQuestionAnswer, ipc.QuestionAnswer{Question: q.Question}, nil))
	var next ipc.PromptOpen
	select {
	case next = <-open:
	case <-time.After(patience):
		t.Fatal("the next question never came")
	}
	w, q, err = p.open(next)
	must(t, err)
	var shown ipc.QuestionShownResult
	must(t, w.Call(t.Context(), ipc.MethodQuestionShown, ipc.QuestionShown{Question: q.Question, Locale: "en", TextSHA256: "00"}, &shown))
	if left := time.Until(shown.Deadline); q.Session != "test/3" || left < time.Duration(q.AnswerSeconds-10)*time.Second {
		t.Errorf("after the first: %s with %v left of %d s", q.Session, left, q.AnswerSeconds)
	}
	want := map[string]consent.Outcome{"test/1": consent.OutcomeRefused, "test/2": consent.OutcomeCouldNotAsk, "test/3": consent.OutcomeAsking}
	for _, e := range r.consents(c) {
		if e.Outcome != want[e.Session] {
			t.Errorf("%s: %s (%s)", e.Session, e.Outcome, e.Ending)
		}
	}
}

// TestWithdrawalGoesForward: the service ended right after the mark that keeps a
// stream from leaving, or right after the record that asks for its erasure; the
// next start does the rest, once.
func TestWithdrawalGoesForward(t *testing.T) {
	t.Parallel()
	for name, erase := range map[string]bool{"marked": false, "erasure asked for": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, map[string]string{"recommended/test.json": `{"AcceptUnproven": "on"}`})
			c := r.dial()
			r.sit(":77", says(true))
			r.begin(c, ipc.SessionBegin{ID: "1", Hold: true})
			r.note(c, "1", "canary")
			r.stop()
			st, err := store.Open(filepath.Join(r.dir, "state"), store.Options{})
			must(t, err)
			stream := store.Stream{Company: "c1", Session: "test/1"}
			must(t, st.Withdraw(stream))
			if erase {
				var grant store.Entry
				must(t, st.Records(func(e store.Entry) bool { grant = e; return e.Type != record.TypeGrant }))
				h := record.Head{V: 1, ID: "01W", At: time.Now().UTC(), Company: "c1", Device: "d1", Session: "test/1"}
				env, err := record.Sign(st.DeviceKey(), record.TypeWithdrawal, record.Withdrawal{Head: h, Grant: grant.ID, Erase: true, By: "person"})
				must(t, err)
				_, err = st.AppendRecord(store.Entry{ID: h.ID, Type: record.TypeWithdrawal, Company: "c1", Session: "test/1", At: h.At, Envelope: env})
				must(t, err)
			}
			must(t, st.Close())
			want := map[bool]consent.Outcome{false: consent.OutcomeWithdrawn, true: consent.OutcomeErased}[erase]
			for range 2 { // a second start finds nothing to do
				r.start()
				if list := r.consents(r.dial()); len(list) != 1 || list[0].Outcome != want {
					t.Errorf("consents: %+v, want %s", list, want)
				}
				if sent := r.sent(r.dial()); erase && len(sent) != 0 {
					t.Errorf("sent: %+v", sent)
				}
				r.stop()
			}
			st, err = store.Open(filepath.Join(r.dir, "state"), store.Options{})
			must(t, err)
			counts := map[record.Type]int{}
			must(t, st.Records(func(e store.Entry) bool {
				counts[e.Type]++
				if e.Type == record.TypeErasure { // the company's server says that it has erased too
					must(t, st.RecordAcked("c1", e.ID))
				}
				return true
			}))
			must(t, st.Close())
			if erase {
				r.start()
				shown, err := call[ipc.ConsentShow](r, r.dial(), ipc.MethodConsentShow, ipc.ByID{ID: "test/1"})
				must(t, err)
				if len(shown.Copies) != 2 || shown.Copies[1].Fate != consent.FateConfirmed {
					t.Errorf("copies once the company has answered: %+v", shown.Copies)
				}
			}
			if counts[record.TypeWithdrawal] != 1 || (counts[record.TypeErasure] == 1) != erase {
				t.Errorf("records: %v", counts)
			}
		})
	}
}

// TestRestart: a recording goes on after a restart only when its process is
// still there; the others end as lost, and an open question is never answered
// by a window of the service before.
func TestRestart(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	c := r.dial()
	r.sit(":77", says(true))
	tool := exec.Command("sleep", "300")
	must(t, tool.Start())
	t.Cleanup(func() { _ = tool.Process.Kill(); _, _ = tool.Process.Wait() })
	r.begin(c, ipc.SessionBegin{ID: "unknown", Hold: true})
	r.begin(c, ipc.SessionBegin{ID: "lives", PID: tool.Process.Pid, Hold: true})
	if res := r.note(c, "lives", "one"); !res.Recorded {
		t.Fatalf("note: %+v", res)
	}
	r.stop()
	r.start()
	c = r.dial()
	if _, ok := r.session(c, "test/unknown"); ok {
		t.Error("a session that nothing confirms goes on")
	}
	if s, ok := r.session(c, "test/lives"); !ok || s.Recording {
		t.Errorf("before the indicator is back: %+v %v", s, ok)
	}
	p := r.sit(":77", nil)
	r.eventually("recording again", func() bool { s, _ := r.session(c, "test/lives"); return s.Recording })
	if res := r.note(c, "lives", "two"); !res.Recorded {
		t.Errorf("note: %+v", res)
	}
	p.mu.Lock()
	if len(p.rungs) != 0 {
		t.Error("asked again")
	}
	p.mu.Unlock()
	must(t, tool.Process.Kill())
	_, _ = tool.Process.Wait()
	r.eventually("ended with its process", func() bool { _, ok := r.session(c, "test/lives"); return !ok })
	var got []string
	for _, e := range r.sent(c) {
		if e.Session == "test/lives" {
			got = append(got, string(e.Kind)+" "+e.Fields["reason"]+e.Fields["text"])
		} else if e.Kind == event.SessionEnded && e.Fields["reason"] != "lost" {
			t.Errorf("end of the other: %+v", e)
		}
	}
	want := "session-started , note one, gap agent-restarted, gap resumed, note two, session-ended ended"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("events: %s\nwant    %s", s, want)
	}
}

func TestRestartEndsQuestion(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	c := r.dial()
	r.sit(":77", nil)
	r.begin(c, ipc.SessionBegin{ID: "1"})
	r.stop()
	r.start()
	list := r.consents(r.dial())
	if len(list) != 1 || list[0].Outcome != consent.OutcomeCouldNotAsk || list[0].Ending != consent.EndingStopped {
		t.Errorf("consents: %+v", list)
	}
}

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

// TestUnreachable: without a helper nobody can be asked, and the answer comes at once.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	c := r.dial()
	b := r.begin(c, ipc.SessionBegin{ID: "1", Desktop: ":79", Hold: true})
	if b.Verdict != consent.Deny || b.Reason != consent.ReasonDesktopUnreachable {
		t.Errorf("begin: %+v", b)
	}
	bad := newRig(t, map[string]string{"managed/a.json": `{"AccessControl": "perhaps"}`})
	bad.sit(":77", says(true))
	if b := bad.begin(bad.dial(), ipc.SessionBegin{ID: "1", Hold: true}); b.Verdict != consent.Deny || b.Reason != consent.ReasonPolicyUnreadable {
		t.Errorf("with a policy that cannot be read: %+v", b)
	}
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	c := r.dial()
	for name, req := range map[string]struct {
		m ipc.Method
		p any
	}{
		"unknown field":     {ipc.MethodSessionBegin, map[string]any{"tool": "t", "id": "1", "supporter": "s", "auto_accept": true}},
		"id with a slash":   {ipc.MethodSessionBegin, ipc.SessionBegin{Tool: "t", ID: "../1", Supporter: "s"}},
		"no supporter":      {ipc.MethodSessionBegin, ipc.SessionBegin{Tool: "t", ID: "1", Supporter: "\u202e\x00"}},
		"no such process":   {ipc.MethodSessionBegin, ipc.SessionBegin{Tool: "t", ID: "1", Supporter: "s", PID: 1 << 22}},
		"a code":            {ipc.MethodSessionBegin, ipc.SessionBegin{Tool: "t", ID: "1", Supporter: "s", Code: "X"}},
		"unknown method":    {"session.allow", nil},
		"a mark":            {ipc.MethodSessionEvent, ipc.SessionEvent{ID: "1", Kind: event.SessionEnded}},
		"not a desktop":     {ipc.MethodDesktopEvent, ipc.DesktopEvent{Kind: event.WindowFocused}},
		"unknown setting":   {ipc.MethodSettingsSet, ipc.SettingsSet{SessionInsights: "corrupt"}},
		"withdraw nothing":  {ipc.MethodConsentWithdraw, ipc.Withdraw{ID: "none"}},
		"another's session": {ipc.MethodSessionEnd, ipc.SessionEnd{ID: "none"}},
	} {
		if err := c.Call(context.Background(), req.m, req.p, nil); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if _, err := call[ipc.Status](r, c, ipc.MethodStatus, nil); err != nil {
		t.Errorf("the service is gone: %v", err)
	}
}

// TestSummary: what the company has written about a session is shown to whoever
// may see its record, and is gone once the session is erased.
func TestSummary(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	c := r.dial()
	r.sit(":77", says(true))
	r.begin(c, ipc.SessionBegin{ID: "1", Hold: true})
	r.note(c, "1", "canary")
	show := func(want uint64, name string) {
		t.Helper()
		got, err := call[ipc.Summary](r, r.dial(), ipc.MethodConsentSummary, ipc.ByID{ID: "test/1"})
		must(t, err)
		if got.Session != "test/1" || got.Company != "Example Support" || got.Version != want || got.Name != name {
			t.Errorf("summary: %+v, want version %d", got, want)
		}
	}
	show(0, "")
	r.stop()
	st, err := store.Open(filepath.Join(r.dir, "state"), store.Options{})
	must(t, err)
	raw, err := proto.Marshal(&wire.Summary{Session: "test/1", Version: 2, Name: "Printer", Steps: []*wire.Step{{Application: "lp"}}})
	must(t, err)
	must(t, st.PutSummary(store.Stream{Company: "c1", Session: "test/1"}, raw))
	must(t, st.Close())
	r.start()
	show(2, "Printer")
	_, err = call[ipc.WithdrawResult](r, r.dial(), ipc.MethodConsentWithdraw, ipc.Withdraw{ID: "test/1", Delete: true})
	must(t, err)
	show(0, "")
	if _, err := call[ipc.Summary](r, r.dial(), ipc.MethodConsentSummary, ipc.ByID{ID: "test/2"}); err == nil {
		t.Error("a summary of a session that never was")
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
	_, err := call[ipc.Empty](r, r.dial(), ipc.MethodUnenroll, nil)
	must(t, err)
	if !welcome() || welcome() {
		t.Error("not once")
	}
}
