package link_test

import (
	"crypto/ed25519"
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/record"
	"aval/agent/store"
	"aval/agent/wire"
)

// TestEarlierAnswer: a grant that rests on an earlier answer is taken only where the answer is
// known or comes along, says so itself, covers it and was not taken back before.
// Fault planted once: checkAnswer without RestsOn, without the withdrawals, and
// without the signature of what comes along; the cases that are about it failed.
func TestEarlierAnswer(t *testing.T) {
	for name, row := range map[string]struct {
		along  func(d *computer, first record.Grant) []byte // what comes along; the first is not announced then
		change func(g, first *record.Grant)
		before func(t *testing.T, d *computer, c *rawConn, first record.Grant) // after the first grant was announced
		want   string
	}{
		"right":                                {nil, nil, nil, ""},
		"its answer is unknown":                {nil, func(g, _ *record.Grant) { g.Answer = "G999999" }, nil, "bad-answer"},
		"its answer was for its session alone": {nil, func(_, first *record.Grant) { first.ForMinutes = 0 }, nil, "bad-answer"},
		"longer than the person said":          {nil, func(g, _ *record.Grant) { g.Expires = g.Expires.Add(time.Second) }, nil, "bad-answer"},
		"another supporter":                    {nil, func(g, _ *record.Grant) { g.Supporter = "Bia" }, nil, "bad-answer"},
		"another user":                         {nil, func(g, _ *record.Grant) { g.Subject = "u2" }, nil, "bad-answer"},
		"a group more":                         {nil, func(g, _ *record.Grant) { g.Groups = append(g.Groups, event.Files) }, nil, "bad-answer"},
		"resting on one that rests itself":     {nil, func(g, first *record.Grant) { g.Answer = first.ID + "-further" }, announceFurther, "bad-answer"},
		"the answer was withdrawn before":      {nil, nil, withdrawAt(-time.Minute), "bad-answer"},
		"the answer was withdrawn later":       {nil, nil, withdrawAt(time.Minute), ""},
		"not an answer at all":                 {nil, func(g, _ *record.Grant) { g.Ending, g.Provenance = consent.EndingEarlier, consent.P0 }, nil, "bad-grant"},
		"its answer comes along":               {signedFirst, nil, nil, ""},
		"comes along, withdrawn before":        {signedFirst, nil, withdrawAt(-time.Minute), "bad-answer"},
		"comes along, withdrawn later":         {signedFirst, nil, withdrawAt(time.Minute), ""},
		"nothing comes along":                  {func(*computer, record.Grant) []byte { return nil }, nil, nil, "bad-answer"},
		"another one comes along": {func(d *computer, first record.Grant) []byte {
			first.ID = "G999999"
			return sign(d, record.TypeGrant, first)
		}, nil, nil, "bad-answer"},
		"one that a stranger signed comes along": {func(_ *computer, first record.Grant) []byte {
			_, stranger, _ := ed25519.GenerateKey(nil)
			env, _ := record.Sign(stranger, record.TypeGrant, first)
			return env
		}, nil, nil, "bad-answer"},
		"for another supporter comes along": {func(d *computer, first record.Grant) []byte {
			first.Supporter = "Bia"
			return sign(d, record.TypeGrant, first)
		}, nil, nil, "bad-answer"},
		"under unknown options comes along": {func(d *computer, first record.Grant) []byte {
			first.PolicyVersion = 999
			return sign(d, record.TypeGrant, first)
		}, nil, nil, "unknown-policy"},
	} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t, nil)
			d := enrol(t, s.dir, nil)
			first := asked(d)
			g := further(d, first)
			if row.change != nil {
				row.change(&g, &first)
			}
			c := welcome(t, s.addr, d)
			open := &wire.Open{Grant: sign(d, record.TypeGrant, g)}
			if row.along != nil {
				open.Answer = row.along(d, first)
			} else if got := c.code(openFrame(sign(d, record.TypeGrant, first))); got != "" {
				t.Fatalf("the first: %q", got)
			}
			if row.before != nil {
				row.before(t, d, c, first)
			}
			if got := c.code(&wire.Frame{Body: &wire.Frame_Open{Open: open}}); got != row.want {
				t.Errorf("%q, want %q", got, row.want)
			}
		})
	}
}

func signedFirst(d *computer, first record.Grant) []byte { return sign(d, record.TypeGrant, first) }

// TestAnswerOfAWithdrawnSession: offline, a second session rests on the first
// one's answer; both are over when the person withdraws the first alone. The
// second is delivered when the computer is online again, the first never. Let
// announce send no answer along, and it fails.
func TestAnswerOfAWithdrawnSession(t *testing.T) {
	s := startServer(t, nil)
	d := enrol(t, s.dir, nil)
	first := asked(d)
	g := further(d, first)
	put := func(g record.Grant) store.Stream {
		env := sign(d, record.TypeGrant, g)
		st := store.Stream{Company: g.Company, Session: g.Session}
		if _, err := d.store.AppendRecord(store.Entry{ID: g.ID, Type: record.TypeGrant, Company: g.Company, Session: g.Session, At: g.At, Envelope: env}); err != nil {
			t.Fatal(err)
		}
		if err := d.store.OpenStream(st, g.ID, env); err != nil {
			t.Fatal(err)
		}
		d.append(st, d.titles(g.Session, 0, 2)...)
		return st
	}
	one, two := put(first), put(g)
	if err := d.store.Withdraw(one); err != nil {
		t.Fatal(err)
	}
	h := record.Head{V: 1, ID: "W9", At: time.Now().UTC(), Company: first.Company, Device: first.Device, Session: first.Session}
	d.record(h, record.TypeWithdrawal, record.Withdrawal{Head: h, Grant: first.ID, LastSeq: 2, By: "person"})
	_, stop := d.connect(d.config(""))
	defer stop()
	until(t, "the second session", func() bool { return d.info(two).Acked == 2 })
	if got := d.info(one).Acked; got != 0 {
		t.Errorf("%d events of the withdrawn one were sent", got)
	}
}

// asked is a grant whose answer holds for an hour, given half an hour ago.
func asked(d *computer) record.Grant {
	g := d.body("x/1")
	g.At = g.At.Add(-30 * time.Minute)
	g.Basis, g.Decision, g.Ending = consent.BasisConsent, consent.Decision{Verdict: consent.Ask, Reason: consent.ReasonMustConfirm}, consent.EndingAnsweredYes
	g.SupporterID, g.Subject, g.ForMinutes = "root:Ana", "u1", 60
	g.Asked = &record.Asked{AskedAt: g.At, ShownAt: g.At, EndedAt: g.At, Rung: "window", OfferedMinutes: 60}
	return g
}

// further is the grant of a later session that rests on first.
func further(d *computer, first record.Grant) record.Grant {
	g := first
	now := first.At.Add(30 * time.Minute)
	g.ID, g.Session, g.At, g.NotBefore, g.Expires = d.body("x/2").ID, "x/2", now, now, first.At.Add(time.Hour)
	g.Answer, g.ForMinutes, g.Asked, g.Ending = first.ID, 0, nil, consent.EndingEarlier
	return g
}

func announceFurther(t *testing.T, d *computer, c *rawConn, first record.Grant) {
	t.Helper()
	g := further(d, first)
	g.ID, g.Session = first.ID+"-further", "x/3"
	if got := c.code(openFrame(sign(d, record.TypeGrant, g))); got != "" {
		t.Fatalf("the one between: %q", got)
	}
}

// withdrawAt takes the answer back so long after the further session began.
func withdrawAt(after time.Duration) func(*testing.T, *computer, *rawConn, record.Grant) {
	return func(t *testing.T, d *computer, c *rawConn, first record.Grant) {
		t.Helper()
		h := record.Head{V: 1, ID: "W1", At: first.At.Add(30*time.Minute + after), Company: first.Company, Device: first.Device, Session: first.Session}
		raw := sign(d, record.TypeWithdrawal, record.Withdrawal{Head: h, Grant: first.ID, By: "person"})
		if got := c.code(&wire.Frame{Body: &wire.Frame_Record{Record: &wire.Record{Id: "W1", Envelope: raw}}}); got != "" {
			t.Fatalf("the withdrawal: %q", got)
		}
	}
}
