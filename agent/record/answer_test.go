package record_test

import (
	"errors"
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/record"
)

var answeredAt = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

// firstAnswer is a grant whose answer holds for an hour.
func firstAnswer() record.Grant {
	at := answeredAt
	return record.Grant{
		Head: record.Head{V: 1, ID: "A", At: at, Company: "c1", Device: "d1", Session: "test/1"},
		Decided: record.Decided{Tool: "test", Supporter: "Ana", SupporterID: "root:Ana", Subject: "u1", Outcome: consent.OutcomeAllowed,
			Ending: consent.EndingAnsweredYes, Provenance: consent.P2, Decision: consent.Decision{Verdict: consent.Ask, Reason: consent.ReasonMustConfirm},
			Asked: &record.Asked{AskedAt: at, ShownAt: at, EndedAt: at, Rung: "window", OfferedMinutes: 120}},
		Basis: consent.BasisConsent, Groups: []event.Group{event.Windows, event.Chat}, NotBefore: at, Expires: at.Add(8 * time.Hour),
		Engine: "rules", RetentionDays: 90, ForMinutes: 60,
	}
}

// furtherGrant rests on it.
func furtherGrant() record.Grant {
	g := firstAnswer()
	g.ID, g.Session, g.At, g.NotBefore, g.Expires = "B", "test/2", answeredAt.Add(20*time.Minute), answeredAt.Add(20*time.Minute), answeredAt.Add(time.Hour)
	g.Answer, g.ForMinutes, g.Asked, g.Ending = "A", 0, nil, consent.EndingEarlier
	g.Groups = g.Groups[:1]
	return g
}

func TestRestsOn(t *testing.T) {
	if err := furtherGrant().RestsOn(firstAnswer()); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(g, first *record.Grant){
		"names another":         func(g, _ *record.Grant) { g.Answer = "C" },
		"names none":            func(g, _ *record.Grant) { g.Answer = "" },
		"for its session alone": func(_, first *record.Grant) { first.ForMinutes = 0 },
		"by policy":             func(_, first *record.Grant) { first.Basis = consent.BasisPolicy },
		"a chain of answers":    func(_, first *record.Grant) { first.Answer = "Z" },
		"never asked":           func(_, first *record.Grant) { first.Asked = nil },
		"other device":          func(g, _ *record.Grant) { g.Device = "d2" },
		"other company":         func(g, _ *record.Grant) { g.Company = "c2" },
		"other supporter":       func(g, _ *record.Grant) { g.Supporter = "Bia" },
		"other identity":        func(g, _ *record.Grant) { g.SupporterID = "root:Bia" },
		"no identity":           func(g, first *record.Grant) { g.SupporterID, first.SupporterID = "", "" },
		"other user":            func(g, _ *record.Grant) { g.Subject = "u2" },
		"other engine":          func(g, _ *record.Grant) { g.Engine = "model" },
		"kept longer":           func(g, _ *record.Grant) { g.RetentionDays = 365 },
		"better provenance":     func(g, _ *record.Grant) { g.Provenance = consent.P3 },
		"test no longer said":   func(_, first *record.Grant) { first.Test = true },
		"before the answer":     func(g, _ *record.Grant) { g.At = answeredAt.Add(-time.Second) },
		"valid before it":       func(g, _ *record.Grant) { g.NotBefore = answeredAt.Add(-time.Second) },
		"a second too long":     func(g, _ *record.Grant) { g.Expires = g.Expires.Add(time.Second) },
		"a group more":          func(g, _ *record.Grant) { g.Groups = append(g.Groups, event.Files) },
	} {
		g, first := furtherGrant(), firstAnswer()
		change(&g, &first)
		if err := g.RestsOn(first); !errors.Is(err, record.ErrAnswer) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAnswersThatCannotBe: what no agent writes is not taken, whoever signed it.
func TestAnswersThatCannotBe(t *testing.T) {
	opens := func(g record.Grant) error {
		_, _, err := record.OpenGrant(sign(t, record.TypeGrant, g), record.OneKey(pub))
		return err
	}
	if err := errors.Join(opens(firstAnswer()), opens(furtherGrant())); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*record.Grant){
		"minutes that were not offered": func(g *record.Grant) { g.ForMinutes = 121 },
		"fewer than none":               func(g *record.Grant) { g.ForMinutes = -1 },
		"more than eight hours":         func(g *record.Grant) { g.ForMinutes, g.Asked.OfferedMinutes = 481, 481 },
		"for nobody in particular":      func(g *record.Grant) { g.SupporterID = "" },
		"by nobody in particular":       func(g *record.Grant) { g.Subject = "" },
		"by an unknown hand":            func(g *record.Grant) { g.Provenance = consent.P0 },
		"with a policy": func(g *record.Grant) {
			g.Basis, g.Decision = consent.BasisPolicy, consent.Decision{Verdict: consent.Allow, Basis: consent.BasisPolicy}
		},
		"by several people":              func(g *record.Grant) { g.Subjects = []string{g.Subject, "other"} },
		"further, of several people":     func(g *record.Grant) { *g = furtherGrant(); g.Subjects = []string{g.Subject, "other"} },
		"further, and asked":             func(g *record.Grant) { *g = furtherGrant(); g.Asked = firstAnswer().Asked },
		"further, and for further ones":  func(g *record.Grant) { *g = furtherGrant(); g.ForMinutes = 1 },
		"further, and answered":          func(g *record.Grant) { *g = furtherGrant(); g.Ending = consent.EndingAnsweredYes },
		"further, resting on itself":     func(g *record.Grant) { *g = furtherGrant(); g.Answer = g.ID },
		"further, by an unknown hand":    func(g *record.Grant) { *g = furtherGrant(); g.Provenance = consent.P0 },
		"further, of a claimed name":     func(g *record.Grant) { *g = furtherGrant(); g.SupporterID = "" },
		"further, with no ground at all": func(g *record.Grant) { *g = furtherGrant(); g.Answer = "" },
	} {
		g := firstAnswer()
		change(&g)
		if err := opens(g); !errors.Is(err, record.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
