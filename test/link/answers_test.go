package link_test

import (
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/record"
	"aval/agent/wire"
)

// A grant that rests on an earlier answer is taken only where the answer is
// known, says so itself, covers it and was not taken back before. Fault planted
// once: checkAnswer without RestsOn, and without the withdrawals; the cases that
// are about it failed.
func TestEarlierAnswer(t *testing.T) {
	for name, row := range map[string]struct {
		change func(g, first *record.Grant)
		before func(t *testing.T, d *computer, c *rawConn, first record.Grant) // after the first grant was announced
		want   string
	}{
		"right":                                {nil, nil, ""},
		"its answer is unknown":                {func(g, _ *record.Grant) { g.Answer = "G999999" }, nil, "bad-answer"},
		"its answer was for its session alone": {func(_, first *record.Grant) { first.ForMinutes = 0 }, nil, "bad-answer"},
		"longer than the person said":          {func(g, _ *record.Grant) { g.Expires = g.Expires.Add(time.Second) }, nil, "bad-answer"},
		"another supporter":                    {func(g, _ *record.Grant) { g.Supporter = "Bia" }, nil, "bad-answer"},
		"another user":                         {func(g, _ *record.Grant) { g.Subject = "u2" }, nil, "bad-answer"},
		"a group more":                         {func(g, _ *record.Grant) { g.Groups = append(g.Groups, event.Files) }, nil, "bad-answer"},
		"resting on one that rests itself":     {func(g, first *record.Grant) { g.Answer = first.ID + "-further" }, announceFurther, "bad-answer"},
		"the answer was withdrawn before":      {nil, withdrawAt(-time.Minute), "bad-answer"},
		"the answer was withdrawn later":       {nil, withdrawAt(time.Minute), ""},
		"not an answer at all":                 {func(g, _ *record.Grant) { g.Ending, g.Provenance = consent.EndingEarlier, consent.P0 }, nil, "bad-grant"},
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
			if got := c.code(openFrame(sign(d, record.TypeGrant, first))); got != "" {
				t.Fatalf("the first: %q", got)
			}
			if row.before != nil {
				row.before(t, d, c, first)
			}
			if got := c.code(openFrame(sign(d, record.TypeGrant, g))); got != row.want {
				t.Errorf("%q, want %q", got, row.want)
			}
		})
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
