package prompt_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/prompt"
)

// desk notes what the ladder asks of it.
type desk struct {
	open   []prompt.Rung
	nonces []string
	shown  prompt.Rung // what is open now; empty: nothing
	ends   []consent.Outcome
	t      interface{ Fatalf(string, ...any) }
}

func (d *desk) Open(_ string, r prompt.Rung, nonce string) {
	if d.shown != "" {
		d.t.Fatalf("%s is opened while %s is still open", r, d.shown)
	}
	d.open, d.nonces, d.shown = append(d.open, r), append(d.nonces, nonce), r
}

func (d *desk) Close(_ string, o consent.Outcome) { d.shown, d.ends = "", append(d.ends, o) }

var (
	start  = time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC)
	groups = []event.Group{event.Windows, event.Chat}
)

func ask(t *testing.T) (*prompt.Ask, *desk) {
	d := &desk{t: t}
	a := prompt.New("q", d, start, 30*time.Second, groups)
	a.Open(start)
	return a, d
}

// TestWaitsForItsTurn: a question that waits is nowhere to be seen and has no
// time-out; its time begins when it is opened. (Without the restart of its times
// in Open, the tick right after would end it: seen.)
func TestWaitsForItsTurn(t *testing.T) {
	d := &desk{t: t}
	a := prompt.New("q", d, start, 30*time.Second, groups)
	turn := start.Add(5 * time.Minute)
	a.Tick(turn)
	a.Failed(prompt.Window, turn)
	if !a.Waits() || len(d.open) != 0 || !a.Wake().IsZero() || !errors.Is(a.Claim("", new(int)), prompt.ErrNotYours) {
		t.Fatalf("while it waits: %+v, opened %v", a.Question(), d.open)
	}
	a.Open(turn)
	a.Tick(turn)
	holder := new(int)
	if err := a.Claim(d.nonces[0], holder); err != nil {
		t.Fatal(err)
	}
	if deadline, err := a.Shown(holder, "en", "hash", turn.Add(time.Second)); err != nil || !deadline.Equal(turn.Add(31*time.Second)) {
		t.Errorf("shown: %v %v", deadline, err)
	}

	a = prompt.New("q", &desk{t: t}, start, 30*time.Second, groups)
	a.Happened(consent.EventLocked, turn)
	if q := a.Question(); q.Ending != consent.EndingLocked || q.Outcome != consent.OutcomeCouldNotAsk {
		t.Errorf("locked while it waits: %+v", q)
	}
	a.Open(turn)
	if a.Waits() || !a.Over() {
		t.Error("an ended question was opened")
	}
}

func TestYes(t *testing.T) {
	a, d := ask(t)
	holder := new(int)
	if err := a.Claim(d.nonces[0], holder); err != nil {
		t.Fatal(err)
	}
	deadline, err := a.Shown(holder, "pt-BR", "hash", start.Add(time.Second))
	if err != nil || !deadline.Equal(start.Add(31*time.Second)) {
		t.Fatalf("shown: %v %v", deadline, err)
	}
	if err := a.Answer(holder, true, []event.Group{event.Chat}, consent.P0, start.Add(5*time.Second)); err != nil {
		t.Fatal(err)
	}
	q := a.Question()
	if q.Outcome != consent.OutcomeAllowed || !slices.Equal(a.Groups(), []event.Group{event.Chat}) || d.shown != "" {
		t.Errorf("%+v", q)
	}
}

// TestClimbs: a rung that is not visible after five seconds, that fails or that
// dies before it was shown gives way to the next, and the last one to a denial.
func TestClimbs(t *testing.T) {
	fails := map[string]func(a *prompt.Ask, d *desk, now time.Time){
		"not shown in time": func(a *prompt.Ask, _ *desk, now time.Time) { a.Tick(now.Add(prompt.ShowWithin)) },
		"reported":          func(a *prompt.Ask, _ *desk, now time.Time) { a.Failed(a.Rung(), now) },
		"lost": func(a *prompt.Ask, d *desk, now time.Time) {
			h := new(int)
			if err := a.Claim(d.nonces[len(d.nonces)-1], h); err != nil {
				t.Fatal(err)
			}
			a.Lost(h, now)
		},
	}
	for name, fail := range fails {
		a, d := ask(t)
		fail(a, d, start)
		if !slices.Equal(d.open, prompt.Rungs) || a.Over() {
			t.Fatalf("%s: rungs %v", name, d.open)
		}
		a.Failed(prompt.Window, start) // late word of the first rung
		if a.Over() {
			t.Errorf("%s: a late report ended the question", name)
		}
		fail(a, d, start.Add(prompt.ShowWithin))
		if q := a.Question(); q.Outcome != consent.OutcomeCouldNotAsk || q.Ending != consent.EndingNotShown || d.shown != "" {
			t.Errorf("%s: %+v", name, q)
		}
	}
}

func TestNonceCountsOnce(t *testing.T) {
	a, d := ask(t)
	one, two := new(int), new(string)
	if err := a.Claim("", one); !errors.Is(err, prompt.ErrNotYours) {
		t.Errorf("no nonce: %v", err)
	}
	if err := a.Claim(d.nonces[0], one); err != nil {
		t.Fatal(err)
	}
	if err := a.Claim(d.nonces[0], two); !errors.Is(err, prompt.ErrNotYours) {
		t.Errorf("twice: %v", err)
	}
	a.Failed(prompt.Window, start)
	if err := a.Claim(d.nonces[0], one); !errors.Is(err, prompt.ErrNotYours) {
		t.Errorf("the nonce of an older rung: %v", err)
	}
	if _, err := a.Shown(one, "", "", start); !errors.Is(err, prompt.ErrNotYours) {
		t.Errorf("shown by the holder of an older rung: %v", err)
	}
}

// TestNoWayAround drives the ladder with whatever may happen: a yes needs the
// holder of the current nonce, a shown question and an answer in time.
// To see it catch a fault, let Answer skip the check of the holder.
func TestNoWayAround(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := &desk{t: t}
		a := prompt.New("q", d, start, 30*time.Second, groups)
		a.Open(start)
		now := start
		holders := []*int{new(int), new(int), new(int)}
		var rightful *int
		shown := false
		var deadline time.Time
		rung := 1
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 4000).Draw(t, "ms")) * time.Millisecond)
			h := rapid.SampledFrom(holders).Draw(t, "who")
			before := a.Over()
			if len(d.open) != rung {
				rung, rightful, shown = len(d.open), nil, false
			}
			switch rapid.SampledFrom([]string{"claim", "bad claim", "shown", "yes", "no", "lost", "failed", "tick"}).Draw(t, "what") {
			case "claim":
				if a.Claim(d.nonces[len(d.nonces)-1], h) == nil {
					rightful = h
				}
			case "bad claim":
				if a.Claim("0000", h) == nil {
					t.Fatal("a wrong nonce was accepted")
				}
			case "shown":
				if dl, err := a.Shown(h, "en", "x", now); err == nil && !shown {
					shown, deadline = true, dl
				}
			case "yes":
				_ = a.Answer(h, true, groups, consent.P0, now)
				if !before && a.Question().Outcome == consent.OutcomeAllowed && (h != rightful || !shown || now.After(deadline)) {
					t.Fatalf("granted: rightful %v, shown %v, late %v", h == rightful, shown, now.After(deadline))
				}
			case "no":
				_ = a.Answer(h, false, nil, consent.P0, now)
			case "lost":
				a.Lost(h, now)
			case "failed":
				a.Failed(rapid.SampledFrom(prompt.Rungs).Draw(t, "rung"), now)
			case "tick":
				a.Tick(now)
			}
			if a.Over() {
				if q := a.Question(); q.Ending == consent.EndingNone || d.shown != "" {
					t.Fatalf("ended without a reason, or with %q still open: %+v", d.shown, q)
				}
			}
		}
		a.Tick(now.Add(time.Hour))
		a.Tick(now.Add(2 * time.Hour))
		a.Tick(now.Add(3 * time.Hour))
		if !a.Over() {
			t.Fatal("the question never ends")
		}
	})
}
