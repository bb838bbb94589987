package agent_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/agent/record"
	"aval/agent/store"
)

// hears lets the helper answer every question about a press with the next of
// the origins, the last of them for ever.
func (p *person) hears(from ...ipc.Heard) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = from
}

// hand is an answer in the window, given at a button.
func hand(yes bool) func(*person, ipc.PromptOpen) {
	return func(p *person, o ipc.PromptOpen) {
		c, q, err := p.open(o)
		if err != nil {
			return
		}
		defer c.Close()
		_ = c.Call(context.Background(), ipc.MethodQuestionShown, ipc.QuestionShown{Question: o.Question, Locale: "en", TextSHA256: "00", Window: 7}, nil)
		for {
			var res ipc.QuestionAnswerResult
			err := c.Call(context.Background(), ipc.MethodQuestionAnswer, ipc.QuestionAnswer{Question: o.Question, Allow: yes, Groups: q.Offered,
				Press: &ipc.Press{Window: 7, X: 1, Y: 1, Width: 10, Height: 10}}, &res)
			p.mu.Lock()
			p.results = append(p.results, res)
			p.mu.Unlock()
			if err != nil || res.Outcome != consent.OutcomeAsking {
				return
			}
		}
	}
}

// press is a place in a window of the bar's.
var press = &ipc.Press{Window: 8, Width: 10, Height: 10}

const testMouse = `{"TestAnswerDevices": ["mouse"], "QuestionSeconds": 10}`

// TestHand: where a policy names devices a yes counts only with one of them, and
// everything else leaves the question open. Let Weigh, or answer, accept any of
// the others, and the number of answers is another.
func TestHand(t *testing.T) {
	t.Parallel()
	r := newRig(t, map[string]string{"managed/test.json": testMouse})
	c := r.dial()
	p := r.sit(":77", hand(true))
	p.hears(ipc.Heard{From: consent.FromInjected}, ipc.Heard{From: consent.FromNothing}, ipc.Heard{From: consent.FromUnknown},
		ipc.Heard{From: consent.FromAbsent}, ipc.Heard{From: "HARDWARE"}, ipc.Heard{From: consent.FromTest, Doubt: "covered"}, ipc.Heard{From: consent.FromTest, Device: "mouse"})
	b := r.begin(c, ipc.SessionBegin{ID: "1", Hold: true})
	if b.Outcome != consent.OutcomeAllowed {
		t.Fatalf("begin: %+v", b)
	}
	r.eventually("the window has the answers to all its answers", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.results) == 7
	})
	p.mu.Lock()
	var why []string
	for _, res := range p.results {
		why = append(why, res.Refused)
	}
	listening, watched := p.listening, p.watched
	p.mu.Unlock()
	if want := []string{"remote", "remote", "remote", "remote", "remote", "disturbed", ""}; !slices.Equal(why, want) {
		t.Errorf("the answers were refused as %q", why)
	}
	if !listening.On || !slices.Equal(listening.Devices, []string{"mouse"}) || watched.Window != 7 {
		t.Errorf("listening %+v, watching %+v", listening, watched)
	}
	row := r.consents(c)[0]
	if row.Provenance != consent.P2 || !row.Test {
		t.Errorf("%+v", row)
	}
	show, err := call[ipc.ConsentShow](r, c, ipc.MethodConsentShow, ipc.ByID{ID: row.ID})
	must(t, err)
	var g record.Grant
	decode(t, show.Envelope, &g)
	if !g.Test || g.Asked.NotCounted != 6 {
		t.Errorf("%+v", g.Asked)
	}
}

// TestNoFromAnyHand: a no counts, whoever gave it, and the record says who.
func TestNoFromAnyHand(t *testing.T) {
	t.Parallel()
	for from, want := range map[consent.Origin]consent.Provenance{consent.FromInjected: consent.PX, consent.FromTest: consent.P2, consent.FromAbsent: consent.P0} {
		t.Run(string(from), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, map[string]string{"managed/test.json": testMouse})
			c := r.dial()
			r.sit(":77", hand(false)).hears(ipc.Heard{From: from})
			b := r.begin(c, ipc.SessionBegin{ID: "1", Hold: true})
			if row := r.consents(c)[0]; b.Outcome != consent.OutcomeRefused || row.Provenance != want {
				t.Errorf("%+v %+v", b, row)
			}
		})
	}
}

// TestInstalledOnly: a service that was given a group asks nobody through a
// program that does not run with it.
func TestInstalledOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t, map[string]string{"managed/test.json": testMouse})
	r.stop()
	r.group = "daemon" // a group that is there and that the test does not run with
	r.start()
	_, err := call[ipc.DesktopRegisterResult](r, r.dial(), ipc.MethodDesktopRegister, ipc.DesktopRegister{Display: ":77", Type: "x11"})
	if err == nil {
		t.Fatal("a program without the group is a desktop")
	}
	if b := r.begin(r.dial(), ipc.SessionBegin{ID: "1", Hold: true}); b.Outcome == consent.OutcomeAllowed || b.Verdict != consent.Deny {
		t.Errorf("%+v", b)
	}
}

// TestLeave: a yes of which nobody knows whose hand gave it is not sent. When the
// supporter has left the person is asked, and what they say is done; while a
// supporter is there it is neither asked nor answered, and a question that is open
// goes, to come again when they have left. Let unproven say no, begin not tell the questions after
// leaving, or settleLeave put off what was taken away, and it fails.
func TestLeave(t *testing.T) {
	t.Parallel()
	for _, send := range []bool{true, false} {
		t.Run(map[bool]string{true: "send", false: "delete"}[send], func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			c := r.dial()
			gates := make(chan chan error) // each takes what became of one answer after leaving
			p := r.sit(":77", func(p *person, o ipc.PromptOpen) {
				c, q, err := p.open(o)
				if err != nil {
					return
				}
				defer c.Close()
				_ = c.Call(context.Background(), ipc.MethodQuestionShown, ipc.QuestionShown{Question: o.Question, Locale: "en", TextSHA256: "00"}, nil)
				yes := q.Session == "test/1"
				var told chan error
				if q.Leave != nil {
					yes, told = send, <-gates
				}
				var res ipc.QuestionAnswerResult
				err = c.Call(context.Background(), ipc.MethodQuestionAnswer, ipc.QuestionAnswer{Question: o.Question, Allow: yes, Groups: q.Offered}, &res)
				if told != nil {
					if err == nil && res.Refused != "" {
						err = errors.New(res.Refused)
					}
					told <- err
				}
			})
			if b := r.begin(c, ipc.SessionBegin{ID: "1", Hold: true}); b.Outcome != consent.OutcomeAllowed {
				t.Fatalf("%+v", b)
			}
			if res := r.note(c, "1", "canary"); !res.Recorded {
				t.Fatalf("%+v", res)
			}
			row := func() ipc.ConsentEntry { return r.consents(c)[0] }
			if got := row(); !got.Held || got.Provenance != consent.P0 {
				t.Fatalf("%+v", got)
			}
			_, err := call[ipc.SessionInfo](r, c, ipc.MethodSessionEnd, ipc.SessionEnd{ID: "1"})
			must(t, err)
			left := func() (n int, q ipc.Question) {
				p.mu.Lock()
				defer p.mu.Unlock()
				for _, x := range p.asked {
					if x.Leave != nil {
						n, q = n+1, x
					}
				}
				return n, q
			}
			r.eventually("the question after leaving", func() bool { n, _ := left(); return n == 1 })
			if _, q := left(); q.Leave.Items != 3 || q.Session != "test/1" || q.Leave.Until.IsZero() {
				t.Errorf("%+v %+v", q, q.Leave)
			}
			if !row().Held {
				t.Error("sent before it was answered")
			}
			// A supporter is there again: the question goes, and an answer to it is none.
			r.begin(c, ipc.SessionBegin{ID: "2", Hold: true})
			_, first := left()
			r.eventually("the question goes", func() bool {
				p.mu.Lock()
				defer p.mu.Unlock()
				return slices.Contains(p.closed, first.Question)
			})
			told := make(chan error)
			gates <- told
			if err := <-told; err == nil {
				t.Error("answered with a supporter there")
			}
			if n, _ := left(); n != 1 || !r.consents(c)[1].Held {
				t.Errorf("asked %d times, or done, with a supporter there", n)
			}
			_, err = call[ipc.SessionInfo](r, c, ipc.MethodSessionEnd, ipc.SessionEnd{ID: "2"})
			must(t, err)
			r.eventually("asked again", func() bool { n, q := left(); return n == 2 && q.Session == "test/1" })
			gates <- told
			must(t, <-told)
			row = func() ipc.ConsentEntry { return r.consents(c)[1] }
			r.eventually("what was said is done", func() bool {
				got := row()
				return !got.Held && (got.Outcome == consent.OutcomeErased) == !send
			})
			if n := len(r.sent(c)); (n == 3) != send {
				t.Errorf("%d events are left", n)
			}
			r.stop()
			st, err := store.Open(filepath.Join(r.dir, "state"), store.Options{})
			must(t, err)
			defer st.Close()
			items, err := st.Read(store.Stream{Company: "c1", Session: "test/1"}, 0, 0, 0)
			if (len(items) == 3) != send || err != nil && send {
				t.Errorf("%d events are given out for sending, %v", len(items), err)
			}
			// Of what was deleted the company hears nothing: it never had any of it.
			pending, err := st.PendingRecords("c1", 0)
			must(t, err)
			for _, e := range pending {
				if e.Type != record.TypeGrant {
					t.Errorf("a %s is to be sent", e.Type)
				}
			}
		})
	}
}

// TestLeaveAnswerWithSupporter: a supporter may be with the person although the
// question after leaving is open: the desktop that they view came up later. No
// answer counts then. Let answerLeave not look for the supporter, and it fails.
func TestLeaveAnswerWithSupporter(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	c := r.dial()
	gate := make(chan struct{})
	said := make(chan ipc.QuestionAnswerResult, 1)
	p := r.sit(":77", func(p *person, o ipc.PromptOpen) {
		c, q, err := p.open(o)
		if err != nil {
			return
		}
		defer c.Close()
		_ = c.Call(context.Background(), ipc.MethodQuestionShown, ipc.QuestionShown{Question: o.Question, Locale: "en", TextSHA256: "00"}, nil)
		if q.Leave != nil {
			<-gate
		}
		var res ipc.QuestionAnswerResult
		_ = c.Call(context.Background(), ipc.MethodQuestionAnswer, ipc.QuestionAnswer{Question: o.Question, Allow: true, Groups: q.Offered}, &res)
		if q.Leave != nil {
			said <- res
			<-p.r.t.Context().Done() // it stays open
		}
	})
	r.begin(c, ipc.SessionBegin{ID: "1", Desktop: ":77", Hold: true})
	_, err := call[ipc.SessionInfo](r, c, ipc.MethodSessionEnd, ipc.SessionEnd{ID: "1"})
	must(t, err)
	r.eventually("the question after leaving", func() bool { return p.questions() == 2 })
	if b := r.begin(c, ipc.SessionBegin{ID: "2", Desktop: ":78"}); b.Reason != consent.ReasonDesktopUnreachable {
		t.Fatalf("%+v", b)
	}
	r.sit(":78", nil)
	close(gate)
	if res := <-said; res.Outcome != consent.OutcomeAsking || res.Refused == "" {
		t.Errorf("answered with a supporter there: %+v", res)
	}
	if e := r.consents(c); !e[len(e)-1].Held {
		t.Errorf("%+v", e)
	}
}

// TestLeaveWithSupporter: while another supporter is there nothing is asked, a
// question that is open goes, and after a restart it is asked when they are gone.
func TestLeaveWithSupporter(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	c := r.dial()
	p := r.sit(":77", says(true))
	r.begin(c, ipc.SessionBegin{ID: "1", Hold: true})
	r.begin(c, ipc.SessionBegin{ID: "2", Hold: true})
	_, err := call[ipc.SessionInfo](r, c, ipc.MethodSessionEnd, ipc.SessionEnd{ID: "1"})
	must(t, err)
	asked := func(p *person) (n int) {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, q := range p.asked {
			if q.Leave != nil {
				n++
			}
		}
		return n
	}
	// What ended the session asks, if anything does, before it is answered; and what a
	// desktop is pushed it has taken once it has answered a call of its own.
	r.consents(c)
	if _, err := call[ipc.Empty](r, p.c, ipc.MethodDesktopAlive, nil); err != nil {
		t.Fatal(err)
	}
	if p.mu.Lock(); len(p.rungs) != 2 {
		t.Errorf("asked with a supporter there: %q", p.rungs)
	}
	p.mu.Unlock()
	if r.consents(c); asked(p) != 0 {
		t.Error("asked with a supporter there")
	}
	r.stop()
	r.start()
	p = r.sit(":77", says(true)) // the sessions had no process: they are lost, and nobody is there
	c = r.dial()
	r.eventually("both are asked about, one after the other, and sent", func() bool {
		held := 0
		for _, e := range r.consents(c) {
			if e.Held {
				held++
			}
		}
		return asked(p) == 2 && held == 0
	})
}

// TestResumeByHand: a paused recording goes on by the evidence that a yes needs,
// while a pause counts from any hand. Let handleControl do without Weigh, and it
// fails.
func TestResumeByHand(t *testing.T) {
	t.Parallel()
	r := newRig(t, map[string]string{"managed/test.json": testMouse})
	c, bar := r.dial(), r.dial()
	p := r.sit(":77", hand(true))
	p.hears(ipc.Heard{From: consent.FromTest, Device: "mouse"})
	r.begin(c, ipc.SessionBegin{ID: "1", Hold: true})
	control := func(action string, at *ipc.Press) error {
		_, err := call[ipc.WithdrawResult](r, bar, ipc.MethodRecordingControl, ipc.RecordingControl{Session: "test/1", Action: action, Press: at})
		return err
	}
	p.hears(ipc.Heard{From: consent.FromInjected})
	must(t, control("pause", nil))
	for name, h := range map[string]ipc.Heard{
		"a program":       {From: consent.FromInjected},
		"no device":       {From: consent.FromNothing},
		"another device":  {From: consent.FromUnknown},
		"nothing heard":   {From: consent.FromAbsent},
		"something front": {From: consent.FromTest, Doubt: "covered"},
	} {
		p.hears(h)
		if err := control("resume", press); err == nil {
			t.Errorf("%s: resumed", name)
		}
	}
	p.hears(ipc.Heard{From: consent.FromTest, Device: "mouse"})
	if err := control("resume", nil); err == nil {
		t.Error("resumed without a place that was pressed")
	}
	if res := r.note(c, "1", "canary"); res.Recorded || res.Reason != "paused" {
		t.Errorf("after those: %+v", res)
	}
	must(t, control("resume", press))
	if res := r.note(c, "1", "by hand"); !res.Recorded {
		t.Errorf("by hand: %+v", res)
	}
}
