package consent_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"aval/agent/consent"
)

var (
	mustAsk = consent.Decision{Verdict: consent.Ask, Reason: consent.ReasonMustConfirm}
	party   = consent.Party{Supporter: "Ana Souza", Identity: "root:Ana Souza", Company: "c1", Subject: "u1"}
	first   = consent.Answered{Record: "r1", Party: party, Groups: []string{"windows", "chat"}, Provenance: consent.P2, At: t0, For: time.Hour}
	again   = consent.Wish{Party: party, Offered: offered, At: t0.Add(time.Minute), Offer: 2 * time.Hour}
)

func TestRemember(t *testing.T) {
	y, ok := consent.Remember(mustAsk, again, []consent.Answered{first})
	if !ok || y.Record != "r1" || !slices.Equal(y.Groups, []string{"windows", "chat"}) || !y.Until.Equal(t0.Add(time.Hour)) || y.Provenance != consent.P2 {
		t.Fatalf("%+v %v", y, ok)
	}
	younger := first
	younger.Record, younger.At, younger.Groups = "r2", t0.Add(30*time.Second), []string{"chat"}
	for _, order := range [][]consent.Answered{{first, younger}, {younger, first}} {
		if y, _ := consent.Remember(mustAsk, again, order); y.Record != "r2" {
			t.Errorf("the latest answer counts: %+v", y)
		}
	}
	long := first
	long.For = 100 * time.Hour
	w := again
	w.Offer = 100 * time.Hour
	if y, _ := consent.Remember(mustAsk, w, []consent.Answered{long}); !y.Until.Equal(t0.Add(8 * time.Hour)) {
		t.Errorf("beyond eight hours: %s", y.Until)
	}
}

// TestRememberRefuses changes one thing at a time, and none of them may pass.
func TestRememberRefuses(t *testing.T) {
	for name, change := range map[string]func(d *consent.Decision, w *consent.Wish, a *consent.Answered){
		"denied": func(d *consent.Decision, _ *consent.Wish, _ *consent.Answered) { d.Verdict = consent.Deny },
		"desktop locked": func(d *consent.Decision, _ *consent.Wish, _ *consent.Answered) {
			d.Reason = consent.ReasonDesktopLocked
		},
		"policy does not offer":  func(_ *consent.Decision, w *consent.Wish, _ *consent.Answered) { w.Offer = 0 },
		"policy offers less":     func(_ *consent.Decision, w *consent.Wish, _ *consent.Answered) { w.Offer = time.Minute },
		"other supporter":        func(_ *consent.Decision, w *consent.Wish, _ *consent.Answered) { w.Party.Supporter = "Bia" },
		"other company":          func(_ *consent.Decision, w *consent.Wish, _ *consent.Answered) { w.Party.Company = "c2" },
		"other user":             func(_ *consent.Decision, w *consent.Wish, _ *consent.Answered) { w.Party.Subject = "u2" },
		"name only claimed now":  func(_ *consent.Decision, w *consent.Wish, _ *consent.Answered) { w.Party.Identity = "" },
		"name only claimed then": func(_ *consent.Decision, _ *consent.Wish, a *consent.Answered) { a.Party.Identity = "" },
		"name only claimed twice": func(_ *consent.Decision, w *consent.Wish, a *consent.Answered) {
			w.Party.Identity, a.Party.Identity = "", ""
		},
		"same name, other key":        func(_ *consent.Decision, w *consent.Wish, _ *consent.Answered) { w.Party.Identity = "ssh-key:SHA256:x" },
		"other terms":                 func(_ *consent.Decision, w *consent.Wish, _ *consent.Answered) { w.Terms = "some model, 365 days" },
		"clock set back":              func(_ *consent.Decision, w *consent.Wish, _ *consent.Answered) { w.Latest = w.At.Add(time.Second) },
		"over by the other clock":     func(_ *consent.Decision, _ *consent.Wish, a *consent.Answered) { a.Elapsed = time.Hour },
		"a clock that makes no sense": func(_ *consent.Decision, _ *consent.Wish, a *consent.Answered) { a.Elapsed = -1 },
		"nobody": func(_ *consent.Decision, w *consent.Wish, a *consent.Answered) {
			w.Party.Supporter, a.Party.Supporter = "", ""
		},
		"other groups":           func(_ *consent.Decision, w *consent.Wish, _ *consent.Answered) { w.Offered = []string{"files"} },
		"nothing offered":        func(_ *consent.Decision, w *consent.Wish, _ *consent.Answered) { w.Offered = nil },
		"over":                   func(_ *consent.Decision, w *consent.Wish, _ *consent.Answered) { w.At = t0.Add(time.Hour) },
		"before the answer":      func(_ *consent.Decision, w *consent.Wish, _ *consent.Answered) { w.At = t0.Add(-time.Second) },
		"withdrawn":              func(_ *consent.Decision, _ *consent.Wish, a *consent.Answered) { a.Withdrawn = true },
		"by an unknown hand":     func(_ *consent.Decision, _ *consent.Wish, a *consent.Answered) { a.Provenance = consent.P0 },
		"by an injected click":   func(_ *consent.Decision, _ *consent.Wish, a *consent.Answered) { a.Provenance = consent.PX },
		"for this session alone": func(_ *consent.Decision, _ *consent.Wish, a *consent.Answered) { a.For = 0 },
		"no record of it":        func(_ *consent.Decision, _ *consent.Wish, a *consent.Answered) { a.Record = "" },
	} {
		d, w, a := mustAsk, again, first
		change(&d, &w, &a)
		if y, ok := consent.Remember(d, w, []consent.Answered{a}); ok {
			t.Errorf("%s: %+v", name, y)
		}
	}
}

// TestRememberNeverWidens: whatever is remembered, a grant covers only what one
// fitting answer covered and what is offered now, and ends in its time.
func TestRememberNeverWidens(t *testing.T) {
	groups := rapid.SliceOfN(rapid.SampledFrom([]string{"windows", "commands", "chat", "files"}), 0, 4)
	minutes := rapid.IntRange(-10, 700)
	rapid.Check(t, func(t *rapid.T) {
		var all []consent.Answered
		for i := range rapid.IntRange(0, 4).Draw(t, "answers") {
			a := first
			a.Record = string(rune('a' + i))
			a.Groups = groups.Draw(t, "groups")
			a.At = t0.Add(time.Duration(minutes.Draw(t, "at")) * time.Minute)
			a.For = time.Duration(minutes.Draw(t, "for")) * time.Minute
			a.Provenance = rapid.SampledFrom(provenances).Draw(t, "provenance")
			a.Party.Company = rapid.SampledFrom([]string{"c1", "c2"}).Draw(t, "company")
			all = append(all, a)
		}
		w := again
		w.At = t0.Add(time.Duration(minutes.Draw(t, "now")) * time.Minute)
		w.Offer = time.Duration(minutes.Draw(t, "offer")) * time.Minute
		w.Offered = groups.Draw(t, "offered")
		y, ok := consent.Remember(mustAsk, w, all)
		if !ok {
			return
		}
		i := slices.IndexFunc(all, func(a consent.Answered) bool { return a.Record == y.Record })
		if i < 0 || len(y.Groups) == 0 {
			t.Fatalf("%+v names no answer or no group", y)
		}
		a := all[i]
		for _, g := range y.Groups {
			if !slices.Contains(a.Groups, g) || !slices.Contains(w.Offered, g) {
				t.Fatalf("group %s", g)
			}
		}
		for _, most := range []time.Duration{a.For, w.Offer, 8 * time.Hour} {
			if y.Until.After(a.At.Add(most)) {
				t.Fatalf("until %s, beyond %s", y.Until, most)
			}
		}
		if !w.At.Before(y.Until) || w.At.Before(a.At) || a.Party.Company != "c1" {
			t.Fatalf("%+v out of %+v", y, a)
		}
	})
}

// TestNobodySaidIt runs a computer through sessions, answers, withdrawals,
// clocks that are set and restarts. Whenever a session is allowed without a
// question, a person must really have said so for it: a yes for further
// sessions, of this supporter, for these groups, not taken back, and no longer
// ago by a clock that nobody sets than they said. Faults planted once, each seen
// within a hundred histories: without the look at Latest, without Elapsed,
// withdrawn answers that count, any supporter, the policy's minutes in the place
// of the person's.
func TestNobodySaidIt(t *testing.T) {
	type said struct {
		consent.Answered
		truly time.Duration // when, by the true clock
	}
	rapid.Check(t, func(t *rapid.T) {
		var truly time.Duration            // since the beginning
		wall := t0                         // what the computer's clock shows
		seen := map[string]time.Time{}     // wall clock when this run of the service knew of an answer first
		mono := map[string]time.Duration{} // and its monotonic clock
		var newest time.Time               // of the records
		var all []said
		setBack := false // while the service did not run: nothing can see that
		parties := []consent.Party{party, party, party, party, {Supporter: "Bia", Identity: "root:Bia", Company: "c1", Subject: "u1"},
			{Supporter: "Ana Souza", Company: "c1", Subject: "u1"}, {Supporter: "Ana Souza", Identity: "root:Ana Souza", Company: "c1", Subject: "u2"}}
		groups := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"windows", "commands", "chat", "files"}), 1, 4, rapid.ID[string])
		minutes := rapid.SampledFrom([]int{0, 1, 10, 30, 60, 240, 480, 600})
		wrote := func() { // each session leaves a record
			if wall.After(newest) {
				newest = wall
			}
		}
		know := func(id string) { seen[id], mono[id] = wall, truly }
		t.Repeat(map[string]func(*rapid.T){
			"time passes": func(t *rapid.T) {
				d := time.Duration(minutes.Draw(t, "minutes")) * time.Minute
				truly, wall = truly+d, wall.Add(d)
			},
			"the clock is set": func(t *rapid.T) {
				wall = wall.Add(time.Duration(rapid.SampledFrom([]int{-240, -60, -30, -1, 1, 60, 240}).Draw(t, "by")) * time.Minute)
			},
			"restart": func(t *rapid.T) {
				by := time.Duration(rapid.SampledFrom([]int{-240, -60, 0, 0, 60}).Draw(t, "set by")) * time.Minute
				wall = wall.Add(by)
				clear(seen)
				for _, a := range all {
					know(a.Record)
				}
				setBack = true // from here on the time before the restart is known by the wall clock alone
			},
			"a person says yes": func(t *rapid.T) {
				a := said{consent.Answered{Record: string(rune('A'+len(all)%26)) + string(rune('A'+len(all)/26)), Party: rapid.SampledFrom(parties).Draw(t, "party"),
					Groups: groups.Draw(t, "groups"), Provenance: rapid.SampledFrom(append([]consent.Provenance{consent.P2, consent.P2, consent.P2}, provenances...)).Draw(t, "by"), At: wall,
					For: time.Duration(minutes.Draw(t, "for")) * time.Minute}, truly}
				all = append(all, a)
				know(a.Record)
				wrote()
			},
			"a person takes one back": func(t *rapid.T) {
				if len(all) > 0 {
					all[rapid.IntRange(0, len(all)-1).Draw(t, "which")].Withdrawn = true
				}
			},
			"": func(t *rapid.T) { // a session begins after each step
				w := consent.Wish{Party: rapid.SampledFrom(parties).Draw(t, "who"), Offered: groups.Draw(t, "offered"), At: wall, Latest: newest,
					Offer: time.Duration(minutes.Draw(t, "offer")) * time.Minute}
				var earlier []consent.Answered
				for _, a := range all {
					a.Elapsed = max(0, seen[a.Record].Sub(a.At)) + truly - mono[a.Record]
					earlier = append(earlier, a.Answered)
				}
				y, ok := consent.Remember(mustAsk, w, earlier)
				wrote()
				if !ok {
					return
				}
				i := slices.IndexFunc(all, func(a said) bool { return a.Record == y.Record })
				if i < 0 {
					t.Fatal("nobody said it")
				}
				a := all[i]
				switch {
				case a.Withdrawn, a.For == 0, a.Party != w.Party, a.Party.Identity == "", a.Provenance == consent.P0, a.Provenance == consent.PX:
					t.Fatalf("%+v does not allow %+v", a, w)
				case slices.ContainsFunc(y.Groups, func(g string) bool { return !slices.Contains(a.Groups, g) }):
					t.Fatalf("groups %v out of %v", y.Groups, a.Groups)
				case y.Until.Sub(wall) > min(a.For, w.Offer, consent.MaxRemember):
					t.Fatalf("until %v, %v after now", y.Until, y.Until.Sub(wall))
				case wall.Before(newest):
					t.Fatal("allowed by a clock that was set back")
				case truly-mono[a.Record] >= a.For:
					t.Fatalf("%v after it was known, for %v", truly-mono[a.Record], a.For)
				case !setBack && truly-a.truly+y.Until.Sub(wall) > min(a.For, consent.MaxRemember):
					t.Fatalf("%v after the answer, for %v", truly-a.truly, a.For)
				}
			},
		})
	})
}
