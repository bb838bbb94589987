package agent_test

import (
	"context"
	"os"
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
	raw, err := proto.Marshal(&wire.Summary{Session: "test/1", Version: 2, Name: "Printer", Steps: []*wire.Step{{Application: "lp"}},
		Reads: &wire.Reads{Times: 3, People: 2, LastUnixNano: time.Date(2026, 11, 20, 9, 30, 0, 0, time.UTC).UnixNano()}})
	must(t, err)
	must(t, st.PutSummary(store.Stream{Company: "c1", Session: "test/1"}, raw))
	must(t, st.Close())
	r.start()
	show(2, "Printer")
	rec, err := call[ipc.Receipt](r, r.dial(), ipc.MethodConsentReceipt, ipc.ReceiptOf{ID: "test/1", Language: "en"})
	must(t, err)
	if page := strings.Join(strings.Fields(rec.Page), " "); !strings.Contains(page, "were read 3 times by 2 people, last on 2026-11-20 09:30:00 UTC.") {
		t.Errorf("the receipt says nothing of readers: %s", page)
	}
	if _, err := record.OpenReceipt(rec.JSON, nil); err != nil {
		t.Errorf("the receipt with readers: %v", err)
	}
	_, err = call[ipc.WithdrawResult](r, r.dial(), ipc.MethodConsentWithdraw, ipc.Withdraw{ID: "test/1", Delete: true})
	must(t, err)
	show(0, "")
	if _, err := call[ipc.Summary](r, r.dial(), ipc.MethodConsentSummary, ipc.ByID{ID: "test/2"}); err == nil {
		t.Error("a summary of a session that never was")
	}
}
