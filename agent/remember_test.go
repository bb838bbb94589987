package agent_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
	"aval/agent/record"
	"aval/agent/session"
	"aval/agent/session/watch"
	"aval/agent/store"
)

const offersHours = `{"AllowMinutes": 120, "QuestionSeconds": 10}`

// saidYesFor puts a signed answer into the log of a stopped service, as a grant
// of the session test/before: given ago, for further sessions of the supporter
// Alex. change may be nil.
func (r *rig) saidYesFor(ago time.Duration, minutes int, change func(*record.Grant)) record.Grant {
	r.t.Helper()
	st, err := store.Open(filepath.Join(r.dir, "state"), store.Options{})
	must(r.t, err)
	defer st.Close()
	at := time.Now().UTC().Add(-ago)
	g := record.Grant{
		Head: record.Head{V: 1, ID: newULID(), At: at, Company: "c1", Device: "d1", Session: "test/before"},
		Decided: record.Decided{Tool: "test", Supporter: "Alex", SupporterID: "root:Alex", CompanyName: "Example Support", Direction: consent.Outgoing,
			Decision: consent.Decision{Verdict: consent.Ask, Reason: consent.ReasonMustConfirm}, Outcome: consent.OutcomeAllowed,
			Ending: consent.EndingAnsweredYes, Provenance: consent.P2, Subject: r.subject(st), PolicyOrigin: "files",
			Asked: &record.Asked{AskedAt: at, ShownAt: at, EndedAt: at, Rung: "window", Offered: event.Groups, OfferedMinutes: minutes}},
		Basis: consent.BasisConsent, Groups: []event.Group{event.Windows, event.Chat}, NotBefore: at, Expires: at.Add(time.Hour),
		Engine: "rules", RetentionDays: 90, ForMinutes: minutes,
	}
	if change != nil {
		change(&g)
	}
	env, err := record.Sign(st.DeviceKey(), record.TypeGrant, g)
	must(r.t, err)
	_, err = st.AppendRecord(store.Entry{ID: g.ID, Type: record.TypeGrant, Company: "c1", Session: g.Session, At: at, Envelope: env})
	must(r.t, err)
	stream := store.Stream{Company: "c1", Session: g.Session}
	must(r.t, st.OpenStream(stream, g.ID, env))
	must(r.t, st.CloseStream(stream))
	return g
}

// subject is how records name this test's own user: as in a record of theirs.
func (r *rig) subject(st *store.Store) string {
	var subject string
	must(r.t, st.Records(func(e store.Entry) bool {
		var b struct {
			record.Head
			record.Decided
		}
		decode(r.t, e.Envelope, &b)
		subject = b.Subject
		return subject == ""
	}))
	if subject == "" {
		r.t.Fatal("no record names the user")
	}
	return subject
}

// remembering is a service that may remember, and knows its user: a first
// session was refused.
func remembering(t *testing.T, change func(*record.Grant), ago time.Duration, minutes int) (*rig, record.Grant) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only what root's own hook says of a supporter counts as the same supporter")
	}
	r := newRig(t, map[string]string{"managed/test.json": offersHours})
	r.sit(":77", says(false))
	r.begin(r.dial(), ipc.SessionBegin{ID: "first", Hold: true})
	r.stop()
	g := r.saidYesFor(ago, minutes, change)
	r.start()
	return r, g
}

// TestFurtherSession: a session of the same supporter within the time is
// recorded without a question, under a grant of its own that names the answer
// and covers no more; the answer survives restarts, and ends with a withdrawal.
func TestFurtherSession(t *testing.T) {
	t.Parallel()
	r, first := remembering(t, nil, 10*time.Minute, 60)
	c := r.dial()
	p := r.sit(":77", says(false))
	for i := range 2 { // the second time after one more restart
		b := r.begin(c, ipc.SessionBegin{ID: fmt.Sprint(i), Hold: true})
		if b.Verdict != consent.Ask || b.Outcome != consent.OutcomeAllowed || b.Ending != consent.EndingEarlier || p.questions() != 0 {
			t.Fatalf("%+v, asked %d times", b, p.questions())
		}
		if !slices.Equal(b.Groups, []event.Group{event.Windows, event.Chat}) {
			t.Errorf("groups: %v", b.Groups)
		}
		row := r.consents(c)[0]
		if row.Answer != first.ID || row.Provenance != consent.P2 || row.Basis != consent.BasisConsent || !row.Lasts.IsZero() {
			t.Errorf("%+v", row)
		}
		show, err := call[ipc.ConsentShow](r, c, ipc.MethodConsentShow, ipc.ByID{ID: row.ID})
		must(t, err)
		var g record.Grant
		decode(t, show.Envelope, &g)
		if err := g.RestsOn(first); err != nil || g.Expires.After(first.At.Add(time.Hour)) {
			t.Errorf("%v, until %v", err, g.Expires)
		}
		if res := r.note(c, fmt.Sprint(i), "a note"); !res.Recorded {
			t.Errorf("note: %+v", res)
		}
		p.mu.Lock()
		if s := p.ind.Sessions; len(s) != 1 || !s[0].AllowedAt.Equal(first.At) {
			t.Errorf("the bar says %+v", s)
		}
		p.mu.Unlock()
		r.stop()
		r.start()
		c = r.dial()
		p = r.sit(":77", says(false))
	}
	set, err := call[ipc.SettingsResult](r, c, ipc.MethodSettingsGet, nil)
	must(t, err)
	if len(set.Lasting) != 1 || set.Lasting[0].ID != first.ID || set.Lasting[0].Supporter != "Alex" {
		t.Errorf("settings list %+v", set.Lasting)
	}
	list := r.consents(c)
	i := slices.IndexFunc(list, func(e ipc.ConsentEntry) bool { return e.ID == first.ID })
	if i < 0 || list[i].Lasts.Before(time.Now().Add(45*time.Minute)) || list[i].Lasts.After(first.At.Add(time.Hour)) {
		t.Errorf("the answer is not shown as lasting: %+v", list)
	}
}

// deleteAsked has somebody ask to delete a recording, by no known hand, while a
// session runs on the answer that holds: test/there.
func (r *rig) deleteAsked(c *ipc.Client, id string) *person {
	r.t.Helper()
	p := r.sit(":77", nil)
	if b := r.begin(c, ipc.SessionBegin{ID: "there", Hold: true}); b.Ending != consent.EndingEarlier {
		r.t.Fatalf("%+v", b)
	}
	out, err := call[ipc.WithdrawResult](r, c, ipc.MethodConsentWithdraw, ipc.Withdraw{ID: id, Delete: true})
	must(r.t, err)
	if !out.Held || r.note(c, "there", "canary").Recorded {
		r.t.Errorf("%+v, and it goes on", out)
	}
	return p
}

// marked leaves a stream as a service does that ends in the midst of a withdrawal:
// it bears the mark, and no record says so yet.
func (r *rig) marked(session string) {
	r.t.Helper()
	r.stop()
	st, err := store.Open(filepath.Join(r.dir, "state"), store.Options{})
	must(r.t, err)
	must(r.t, st.Withdraw(store.Stream{Company: "c1", Session: session}))
	must(r.t, st.Close())
	r.start()
}

// TestFurtherSessionAsks changes one thing at a time: each time the person is
// asked. Faults planted once: Remember without its look at Party, at Withdrawn
// and at the time; grants that keep their minutes under P0; and, for what was only
// asked to be deleted, stopStream without revoke and loadRecords without its look at
// DeleteAsked, at Withdrawn, or at confirmations. Each was seen.
func TestFurtherSessionAsks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		change  func(*record.Grant)
		ago     time.Duration
		minutes int
		begin   ipc.SessionBegin
		before  func(*rig, *ipc.Client, record.Grant)
	}{
		{name: "another supporter", begin: ipc.SessionBegin{Supporter: "Bia"}},
		{name: "an address for a name", begin: ipc.SessionBegin{Supporter: "192.0.2.7"}, change: func(g *record.Grant) { g.Supporter, g.SupporterID = "192.0.2.7", "root:192.0.2.7" }},
		{name: "another key", change: func(g *record.Grant) { g.SupporterID = "ssh-key:SHA256:x" }},
		{name: "a claimed name", change: func(g *record.Grant) { g.SupporterID = "" }},
		{name: "another user", change: func(g *record.Grant) { g.Subject = "somebody" }},
		{name: "another company", change: func(g *record.Grant) { g.Company = "c2" }},
		{name: "another engine", change: func(g *record.Grant) { g.Engine = "some-model" }},
		{name: "kept longer now", change: func(g *record.Grant) { g.RetentionDays = 30 }},
		{name: "over", ago: 61 * time.Minute},
		{name: "longer than the policy offers", ago: 121 * time.Minute, minutes: 300},
		{name: "beyond eight hours", ago: 481 * time.Minute, minutes: 480},
		{name: "from the future: the clock was set back", ago: -10 * time.Minute},
		{name: "no hand was proven", change: func(g *record.Grant) { g.Provenance = consent.P0 }},
		{name: "withdrawn", before: func(r *rig, c *ipc.Client, g record.Grant) {
			out, err := call[ipc.WithdrawResult](r, c, ipc.MethodConsentWithdraw, ipc.Withdraw{ID: g.ID})
			must(r.t, err)
			if out.Outcome != consent.OutcomeWithdrawn {
				r.t.Errorf("%+v", out)
			}
		}},
		{name: "a session on it was stopped", before: func(r *rig, c *ipc.Client, _ record.Grant) {
			r.sit(":77", nil)
			b := r.begin(c, ipc.SessionBegin{ID: "stopped", Hold: true})
			_, err := call[ipc.WithdrawResult](r, c, ipc.MethodRecordingControl, ipc.RecordingControl{Session: b.Session, Action: "stop"})
			must(r.t, err)
		}},
		{name: "its withdrawal was cut off before its record", before: func(r *rig, c *ipc.Client, g record.Grant) {
			r.marked(g.Session)
		}},
		{name: "a session on it was, too", before: func(r *rig, c *ipc.Client, _ record.Grant) {
			r.sit(":77", nil)
			r.marked(r.begin(c, ipc.SessionBegin{ID: "cut", Hold: true}).Session)
		}},
		{name: "it was asked to be deleted", before: func(r *rig, c *ipc.Client, g record.Grant) {
			r.deleteAsked(c, g.ID)
		}},
		{name: "a session on it was asked to be deleted", before: func(r *rig, c *ipc.Client, _ record.Grant) {
			r.deleteAsked(c, "test/there")
		}},
		{name: "a session on it was asked to be deleted, and kept", before: func(r *rig, c *ipc.Client, _ record.Grant) {
			p := r.deleteAsked(c, "test/there")
			p.says(hand(true))
			_, err := call[ipc.SessionInfo](r, c, ipc.MethodSessionEnd, ipc.SessionEnd{ID: "there"})
			must(r.t, err)
			r.eventually("kept", func() bool { row := r.consents(c)[0]; return !row.Held && row.Outcome == consent.OutcomeAllowed })
			p.c.Close()
		}},
	} {
		check := func(t *testing.T, restart bool) {
			t.Parallel()
			if tt.minutes == 0 {
				tt.minutes = 60
			}
			r, g := remembering(t, tt.change, tt.ago, tt.minutes)
			if tt.before != nil {
				tt.before(r, r.dial(), g)
			}
			if restart { // what was taken back stays so
				r.stop()
				r.start()
			}
			c := r.dial()
			p := r.sit(":77", says(false))
			tt.begin.ID, tt.begin.Hold = "2", true
			b := r.begin(c, tt.begin)
			// After the restart nobody is there at first: then what is held is asked about, too.
			if n := p.questions() - len(p.leaves()); b.Outcome != consent.OutcomeRefused || n != 1 {
				t.Errorf("%+v, asked %d times", b, n)
			}
		}
		t.Run(tt.name, func(t *testing.T) { check(t, false) })
		if tt.before != nil {
			t.Run(tt.name+", before a restart", func(t *testing.T) { check(t, true) })
		}
	}
}

// TestLongSessionIsAsked: a session whose grant is over is asked about, although
// the earlier answer that it rested on would still hold. Fault planted once:
// remembered without its look at awaiting; nobody was asked.
func TestLongSessionIsAsked(t *testing.T) {
	t.Parallel()
	r, first := remembering(t, nil, time.Minute, 60)
	r.stop()
	start, ok := watch.ProcStart(os.Getpid())
	if !ok {
		t.Fatal("this process has no start time")
	}
	g := first
	g.ID, g.Session, g.At, g.Answer, g.ForMinutes, g.Asked, g.Ending = newULID(), "test/2", time.Now().UTC(), first.ID, 0, nil, consent.EndingEarlier
	g.NotBefore, g.Expires = g.At, g.At.Add(6*time.Second)
	st, err := store.Open(filepath.Join(r.dir, "state"), store.Options{})
	must(t, err)
	env, err := record.Sign(st.DeviceKey(), record.TypeGrant, g)
	must(t, err)
	_, err = st.AppendRecord(store.Entry{ID: g.ID, Type: record.TypeGrant, Company: "c1", Session: g.Session, At: g.At, Envelope: env})
	must(t, err)
	must(t, st.OpenStream(store.Stream{Company: "c1", Session: g.Session}, g.ID, env))
	kept, err := json.Marshal(map[string]any{"session": session.Session{Name: "test/2", Asked: "2", Tool: "test", Supporter: "Alex", Identity: "root:Alex",
		PID: os.Getpid(), PIDStart: start, Started: g.At}, "outcome": consent.OutcomeAllowed, "grant": json.RawMessage(env), "since": g.At})
	must(t, err)
	must(t, st.PutSession("test/2", kept))
	must(t, st.Close())
	r.start()
	p := r.sit(":77", shows)
	r.eventually("asked", func() bool { return p.questions() == 1 })
	if s, _ := r.session(r.dial(), "test/2"); s.Recording {
		t.Errorf("%+v", s)
	}
}

// TestWithdrawnAnswerStops: whoever takes the answer back stops what runs on it.
func TestWithdrawnAnswerStops(t *testing.T) {
	t.Parallel()
	r, first := remembering(t, nil, time.Minute, 60)
	c := r.dial()
	r.sit(":77", says(false))
	r.begin(c, ipc.SessionBegin{ID: "2", Hold: true})
	if res := r.note(c, "2", "before"); !res.Recorded {
		t.Fatalf("note: %+v", res)
	}
	_, err := call[ipc.WithdrawResult](r, c, ipc.MethodConsentWithdraw, ipc.Withdraw{ID: first.ID})
	must(t, err)
	if res := r.note(c, "2", "after"); res.Recorded {
		t.Errorf("note: %+v", res)
	}
	if row := r.consents(c)[0]; row.Answer != first.ID || row.Outcome != consent.OutcomeWithdrawn {
		t.Errorf("%+v", row)
	}
}

// TestAskedAfterItsTime: when the time of a grant is over and the session goes
// on, nothing is recorded until the person has said yes again; then it goes on
// in the same record, with a gap.
func TestAskedAfterItsTime(t *testing.T) {
	t.Parallel()
	for name, yes := range map[string]bool{"yes": true, "no": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, first := remembering(t, nil, time.Hour-8*time.Second, 60)
			c := r.dial()
			opened := make(chan ipc.PromptOpen, 1)
			p := r.sit(":77", func(_ *person, o ipc.PromptOpen) { opened <- o })
			if b := r.begin(c, ipc.SessionBegin{ID: "2", Hold: true}); b.Ending != consent.EndingEarlier {
				t.Fatalf("%+v", b)
			}
			if res := r.note(c, "2", "first part"); !res.Recorded {
				t.Fatalf("note: %+v", res)
			}
			var o ipc.PromptOpen
			select {
			case o = <-opened:
			case <-time.After(patience):
				t.Fatal("not asked when the time was over")
			}
			if res := r.note(c, "2", "canary"); res.Recorded {
				t.Errorf("recorded while being asked: %+v", res)
			}
			says(yes)(p, o)
			r.eventually("settled", func() bool {
				s, _ := r.session(c, "test/2")
				return s.Outcome != consent.OutcomeAsking && s.Recording == yes
			})
			if res := r.note(c, "2", "second part"); res.Recorded != yes {
				t.Errorf("note: %+v", res)
			}
			_, err := call[ipc.SessionInfo](r, c, ipc.MethodSessionEnd, ipc.SessionEnd{ID: "2"})
			must(t, err)
			var told []string
			for _, e := range r.sent(c) {
				told = append(told, string(e.Kind)+e.Fields["text"]+e.Fields["reason"])
			}
			want := "[session-started notefirst part gapexpired session-endedexpired]"
			if yes {
				want = "[session-started notefirst part gapexpired gapresumed notesecond part session-endedended]"
			}
			if got := fmt.Sprint(told); got != want {
				t.Errorf("told %s\nwant %s", got, want)
			}
			if list := r.consents(c); list[0].Answer != "" || list[1].Answer != first.ID {
				t.Errorf("%+v", list[:2])
			}
		})
	}
}

// TestOfferedMinutes: the question offers further sessions only where the policy
// does and the supporter is somebody; an answer for minutes that were not offered
// is not taken, and one that no hand is proven to have given holds for its own
// session alone.
func TestOfferedMinutes(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only what root's own hook says of a supporter counts as the same supporter")
	}
	for _, tt := range []struct {
		name, policy, supporter string
		offered                 int
	}{
		{"offered", offersHours, "Alex", 120},
		{"not by the policy", `{"QuestionSeconds": 10}`, "Alex", 0},
		{"nobody in particular", offersHours, "192.0.2.7", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, map[string]string{"managed/test.json": tt.policy})
			c := r.dial()
			opened := make(chan ipc.PromptOpen, 1)
			p := r.sit(":77", func(_ *person, o ipc.PromptOpen) { opened <- o })
			r.begin(c, ipc.SessionBegin{ID: "1", Supporter: tt.supporter})
			o := <-opened
			window, q, err := p.open(o)
			must(t, err)
			if q.AllowMinutes != tt.offered {
				t.Errorf("offered %d minutes", q.AllowMinutes)
			}
			must(t, window.Call(t.Context(), ipc.MethodQuestionShown, ipc.QuestionShown{Question: o.Question}, nil))
			for _, n := range []int{1, 121, -1, 480} {
				if err := window.Call(t.Context(), ipc.MethodQuestionAnswer, ipc.QuestionAnswer{Question: o.Question, Allow: true, Groups: q.Offered, ForMinutes: n}, nil); err == nil {
					t.Errorf("%d minutes were taken", n)
				}
			}
			if err := window.Call(t.Context(), ipc.MethodQuestionAnswer, ipc.QuestionAnswer{Question: o.Question, ForMinutes: tt.offered, Allow: false}, nil); (err == nil) == (tt.offered != 0) {
				t.Errorf("a no for %d minutes: %v", tt.offered, err)
			}
		})
	}
}
