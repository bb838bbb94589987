// Package torture holds the runs that take long: the same drivers as the
// end-to-end tests, more often and at random moments.
//
// The one rule that must not be broken: a run says what it was told and what
// arrived; it never repairs, retries or forgives in between.
package torture

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"aval/test/rig"
)

// Kill ends agent and summarizer n times with SIGKILL, at random moments of one
// recorded session, while a source goes on reporting numbered notes. In the end
// every note that the source was told is recorded must be stored once, in order;
// one that it got no answer for may be stored once or not at all.
//
// To see that it catches a loss: let the store answer before its fsync, or let
// the server acknowledge before its commit.
func Kill(t *testing.T, r *rig.Rig, a *rig.Agent, s *rig.Summarizer, d *rig.Display, n int) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))

	res, err := a.CLI("settings", "set", "session-insights", "allowed")
	must(err)
	if res.Code != 0 {
		t.Fatalf("settings set: %s%s", res.Stdout, res.Stderr)
	}
	// A process whose life is the session's.
	life, err := r.Start(rig.Cmd{Name: "life", Path: "sleep", Args: []string{"3600"}})
	must(err)
	var begun struct{ Session, Verdict, Reason string }
	must(a.JSON(&begun, "session", "begin", "--tool", "other", "--id", "long", "--supporter", "Example", "--desktop", d.Name, "--pid", fmt.Sprint(life.PID)))
	if begun.Verdict != "allow" {
		t.Fatalf("decided %+v", begun)
	}

	// The source: reports one note after the other, and keeps what it was told.
	var (
		mu    sync.Mutex
		told  []int            // recorded, as the agent said
		maybe = map[int]bool{} // no answer
		stop  = make(chan struct{})
		ended = make(chan struct{})
	)
	go func() {
		defer close(ended)
		for i := 1; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			res, err := a.CLI("session", "event", "--id", "long", "--kind", "note", "--text", noteText(i), "--json")
			var answer struct{ Recorded bool }
			mu.Lock()
			switch {
			case err == nil && res.Code == 0 && json.Unmarshal([]byte(res.Stdout), &answer) == nil:
				if answer.Recorded {
					told = append(told, i)
				}
			default:
				maybe[i] = true
			}
			mu.Unlock()
		}
	}()
	count := func() int { mu.Lock(); defer mu.Unlock(); return len(told) }

	for k := range n {
		have := count()
		must(r.Wait("some more notes", 60*time.Second, func() (bool, error) { return count() >= have+3, nil }))
		// A moment that nobody chose: somewhere within the next notes.
		<-time.After(time.Duration(dice.IntN(120)) * time.Millisecond)
		switch dice.IntN(3) {
		case 0:
			a.Kill()
			must(a.Restart())
		case 1:
			s.Kill()
			must(s.Restart())
		default:
			a.Kill()
			s.Kill()
			must(s.Restart())
			must(a.Restart())
		}
		if k%10 == 9 {
			t.Logf("%d of %d kills, %d notes recorded", k+1, n, count())
		}
	}
	have := count()
	must(r.Wait("notes after the last kill", 60*time.Second, func() (bool, error) { return count() >= have+3, nil }))
	close(stop)
	<-ended
	life.Kill() // the session ends

	var got rig.ExportSession
	must(r.Wait("the whole session at the summarizer", 120*time.Second, func() (bool, error) {
		e, err := s.Export()
		if err != nil {
			return false, err
		}
		for _, x := range e.Sessions {
			if x.ID == begun.Session && len(x.Events) > 0 {
				got = x
				return x.Events[len(x.Events)-1].Kind == "session-ended", nil
			}
		}
		return false, nil
	}))
	var stored []int
	for i, e := range got.Events {
		if e.Seq != uint64(i+1) {
			t.Errorf("event %d has the number %d", i+1, e.Seq)
		}
		if e.Kind == "note" {
			var num int
			if _, err := fmt.Sscanf(strings.TrimPrefix(e.Fields["text"], "note "), "%d", &num); err != nil {
				t.Errorf("a note says %q", e.Fields["text"])
			}
			stored = append(stored, num)
		}
	}
	for _, p := range Check(told, maybe, stored) {
		t.Error(p)
	}
	t.Logf("%d kills; %d notes recorded, %d without an answer, %d stored", n, len(told), len(maybe), len(stored))
}

func noteText(i int) string { return fmt.Sprintf("note %06d", i) }

// Check compares what a source was told with what was stored.
func Check(told []int, maybe map[int]bool, stored []int) []string {
	var problems []string
	seen := map[int]bool{}
	for i, s := range stored {
		if seen[s] {
			problems = append(problems, fmt.Sprintf("note %d is stored twice", s))
		}
		seen[s] = true
		if i > 0 && s < stored[i-1] {
			problems = append(problems, fmt.Sprintf("note %d is stored after note %d", s, stored[i-1]))
		}
	}
	was := map[int]bool{}
	for _, n := range told {
		was[n] = true
		if !seen[n] {
			problems = append(problems, fmt.Sprintf("note %d was said to be recorded and is not stored", n))
		}
	}
	for s := range seen {
		if !was[s] && !maybe[s] {
			problems = append(problems, fmt.Sprintf("note %d was said not to be recorded and is stored", s))
		}
	}
	return problems
}

// Times is how often the long runs kill: AVAL_TORTURE, 500 without it.
func Times() int {
	var n int
	if _, err := fmt.Sscan(os.Getenv("AVAL_TORTURE"), &n); err != nil || n < 1 {
		return 500
	}
	return n
}
