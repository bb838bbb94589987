package torture

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"aval/agent/consent"
	"aval/test/rig"
)

// Vector is one way to give an answer.
type Vector struct {
	Name string
	// Hand is set for the one way that must be granted: an attempt of it is a
	// question, on which a hand clicks until it is answered, thrice at most.
	Hand bool
	// PerWindow is how many attempts are made on one question.
	PerWindow int
	Needs     []string // programs
	// Installed: it is an attack on installed programs, which only root can make.
	Installed bool
	// Open prepares a field for it, once.
	Open func(*Field) (Play, error)
}

// Play is a vector on one field.
type Play struct {
	// Opening, if not nil, goes on from the beginning of the session until stop is
	// called, which returns how many attempts it made at a question that could be seen.
	Opening func(f *Field, window int) (stop func(seen time.Time) (int, error))
	// Attempt makes the n-th attempt at a question that takes answers; nil: all is
	// done while it opens.
	Attempt func(f *Field, q *rig.Question, n int) error
	// Close ends it; nil: nothing to end.
	Close func()
}

// Tally is what came of one vector.
type Tally struct {
	Vector   string `json:"vector"`
	Hand     bool   `json:"hand,omitempty"`
	Attempts int    `json:"attempts"`
	Windows  int    `json:"windows"`
	// Reached is how many answers the service heard of and did not count: attempts
	// that pressed the button. Of the others nothing came at all.
	Reached int `json:"reached"`
	Grants  int `json:"grants"`
	// First is how many of the hand's questions its first click answered.
	First int `json:"first,omitempty"`
	// Endings says how the questions ended.
	Endings map[string]int `json:"endings"`
	// Took are the milliseconds from the hand's click to the end of the window, for
	// the median.
	Took []float64 `json:"took_ms,omitempty"`
	// Odd are things that should not have happened, in words.
	Odd []string `json:"odd,omitempty"`
}

// handClicks is how often a hand clicks on one question. A click whose place the
// server tells too late is not believed; the window says that it goes on, and a
// person clicks again.
const handClicks = 3

// Wrong says what is wrong with a tally; empty: nothing. At most one of the hand's
// questions of 500 may be lost, and of fewer none; and of 20 or more its first click
// must answer three quarters, however busy the machine is.
func (t Tally) Wrong() string {
	switch {
	case len(t.Odd) > 0:
		return t.Odd[0]
	case t.Hand && t.Attempts-t.Grants > t.Attempts/500:
		return fmt.Sprintf("%d of %d questions were not answered by %d clicks of a hand", t.Attempts-t.Grants, t.Attempts, handClicks)
	case t.Hand && t.Attempts >= 20 && 4*t.First < 3*t.Attempts:
		return fmt.Sprintf("the first click of a hand answered only %d of %d questions", t.First, t.Attempts)
	case !t.Hand && t.Grants > 0:
		return fmt.Sprintf("%d grants that no hand gave", t.Grants)
	case t.Attempts == 0:
		return "nothing was attempted"
	}
	return ""
}

// Fight makes at least attempts attempts of one vector, on as many questions as
// that takes.
func Fight(f *Field, v Vector, attempts int) (Tally, error) {
	t := Tally{Vector: v.Name, Hand: v.Hand, Endings: map[string]int{}}
	play, err := v.Open(f)
	if err != nil {
		return t, fmt.Errorf("%s: %w", v.Name, err)
	}
	if play.Close != nil {
		defer play.Close()
	}
	before := f.NotCounted()
	windows := (attempts + v.PerWindow - 1) / v.PerWindow
	for t.Windows < windows || t.Attempts < attempts {
		if t.Windows > 3*windows+5 {
			t.Odd = append(t.Odd, fmt.Sprintf("%d windows gave only %d attempts", t.Windows, t.Attempts))
			break
		}
		if err := v.window(f, play, &t); err != nil {
			return t, fmt.Errorf("%s, window %d: %w", v.Name, t.Windows+1, err)
		}
	}
	t.Reached = f.NotCounted() - before
	return t, nil
}

// standsStill is how long a question has stood when the rig reports it.
const standsStill = 300 * time.Millisecond

// window plays one question from its beginning to its end.
func (v Vector) window(f *Field, play Play, t *Tally) error {
	// The pointer out of the way: a button below it has another colour.
	if err := f.Person.HandPoint(image.Pt(5, fieldHeight-5)); err != nil {
		return err
	}
	stop := func(time.Time) (int, error) { return 0, nil }
	if play.Opening != nil {
		stop = play.Opening(f, t.Windows)
	}
	session, begun := f.Begin()
	q, err := f.WaitQuestion(f.Person, 8*time.Second)
	seen := time.Now().Add(-standsStill)
	if err == nil && play.Opening != nil { // on, until it is about to take answers
		<-time.After(time.Until(seen.Add(armsAfter)))
	}
	made, serr := stop(seen)
	t.Attempts += made
	if err := <-begun; err != nil {
		return err
	}
	if serr != nil {
		return serr
	}
	// Without a window what was typed has ended it already, or the machine was too
	// busy to paint one in time: then another way was tried, and there is nothing
	// here to attack.
	gone := err != nil
	tries, clicks := v.PerWindow, 0
	if v.Hand {
		tries = handClicks
	}
	for n := 0; play.Attempt != nil && n < tries && !gone; n++ {
		// One that does not show that it takes answers is tried all the same.
		_ = q.WaitReady()
		if gone = q.Gone(); gone {
			break
		}
		start := time.Now()
		if err := play.Attempt(f, q, n); err != nil {
			if q.Gone() { // it ended meanwhile; the attempt was made
				if clicks++; !v.Hand || n == 0 {
					t.Attempts++
				}
				break
			}
			return errors.Join(err, f.End(session))
		}
		if clicks++; !v.Hand || n == 0 {
			t.Attempts++
		}
		if v.Hand {
			if gone = f.Wait("the end of the question", 3*time.Second, func() (bool, error) { return q.Gone(), nil }) == nil; gone {
				t.Took = append(t.Took, float64(time.Since(start).Microseconds())/1000)
			}
		}
	}
	t.Windows++
	row, err := f.settled(session)
	if err != nil {
		return err
	}
	t.Endings[strings.TrimSuffix(row.Outcome+" "+row.Ending, " ")]++
	if row.Outcome == string(consent.OutcomeAllowed) {
		t.Grants++
		if v.Hand && clicks == 1 {
			t.First++
		}
	}
	if row.Outcome != string(consent.OutcomeAllowed) && row.Ending == "" {
		t.Odd = append(t.Odd, fmt.Sprintf("session %s ended as %s without a reason", session, row.Outcome))
	}
	return nil
}

// settled reads what became of the session, ends it, and waits until the screen
// is free again. A question that is still open when the session ends has its own
// ending.
func (f *Field) settled(session string) (rig.Consent, error) {
	row, err := f.Decision(session)
	if err != nil {
		return row, err
	}
	if err := f.End(session); err != nil {
		return row, err
	}
	if row.Outcome == string(consent.OutcomeAsking) {
		if err := f.Wait("the end of the question of "+session, 20*time.Second, func() (bool, error) {
			row, err = f.Decision(session)
			return row.Outcome != string(consent.OutcomeAsking), err
		}); err != nil {
			return row, err
		}
	}
	return row, f.Person.WaitNoWindow("the question of "+session, 20*time.Second, func(w rig.Window) bool { return rig.OfUI(w) || rig.OfNative(w) })
}

// Report is what one run, or one shard of it, found.
type Report struct {
	At time.Time `json:"at"`
	// Programs is the SHA-256 of the programs that were attacked.
	Programs   string  `json:"programs"`
	Shard      string  `json:"shard"`
	Compositor string  `json:"compositor,omitempty"`
	Tallies    []Tally `json:"tallies"`
	Kills      *Deaths `json:"kills,omitempty"`
}

// Programs is the SHA-256 of Aval's four programs in a folder, in hex: the same
// code gives the same ones.
func Programs(bin string) (string, error) {
	h := sha256.New()
	for _, name := range rig.Programs {
		f, err := os.Open(filepath.Join(bin, name))
		if err != nil {
			return "", fmt.Errorf("find %s: %w: run make build first", name, err)
		}
		_, err = io.Copy(h, f)
		f.Close()
		if err != nil {
			return "", fmt.Errorf("read %s: %w", name, err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Newest are the reports of the programs that the newest of them is of: what older
// programs did says nothing of these.
func Newest(reports []Report) []Report {
	if len(reports) == 0 {
		return nil
	}
	last := slices.MaxFunc(reports, func(x, y Report) int { return x.At.Compare(y.At) })
	return slices.DeleteFunc(slices.Clone(reports), func(r Report) bool { return r.Programs != last.Programs })
}

// Save writes a report as JSON into out/torture.
func (r Report) Save(dir, name string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	raw, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+".json"), append(raw, '\n'), 0o644)
}

// Shard is the part of a run that this process does: AVAL_SHARD=i/n, i from 1.
// Without it, all.
func Shard() (i, n int, err error) {
	text := os.Getenv("AVAL_SHARD")
	if text == "" {
		return 1, 1, nil
	}
	if _, err := fmt.Sscanf(text, "%d/%d", &i, &n); err != nil || i < 1 || i > n {
		return 0, 0, fmt.Errorf("AVAL_SHARD=%s: want i/n with i from 1 to n", text)
	}
	return i, n, nil
}

// Share is what shard i of n does of total: the shards together do all of it.
func Share(total, i, n int) int {
	share := total / n
	if i <= total%n {
		share++
	}
	return share
}

// Sum adds up the tallies of several reports, by vector, in their order.
func Sum(reports []Report) []Tally {
	var all []Tally
	for _, r := range reports {
		for _, t := range r.Tallies {
			if r.Compositor != "" && !strings.HasSuffix(t.Vector, ")") {
				t.Vector += " (" + r.Compositor + ")"
			}
			i := slices.IndexFunc(all, func(s Tally) bool { return s.Vector == t.Vector })
			if i < 0 {
				t.Endings = maps.Clone(t.Endings)
				all = append(all, t)
				continue
			}
			s := &all[i]
			s.Attempts, s.Windows, s.Reached, s.Grants, s.First = s.Attempts+t.Attempts, s.Windows+t.Windows, s.Reached+t.Reached, s.Grants+t.Grants, s.First+t.First
			s.Odd, s.Took = append(s.Odd, t.Odd...), append(s.Took, t.Took...)
			for k, v := range t.Endings {
				s.Endings[k] += v
			}
		}
	}
	return all
}

// Table puts reports together and writes them as Markdown.
func Table(reports []Report) string {
	var b strings.Builder
	all := Sum(reports)
	if len(all) > 0 {
		b.WriteString("| how the answer was given | attempts | questions | reached the service | grants | |\n|---|---|---|---|---|---|\n")
	}
	for _, t := range all {
		verdict := "ok"
		if w := t.Wrong(); w != "" {
			verdict = "**" + w + "**"
		}
		if t.Hand {
			verdict += fmt.Sprintf(", %d by the first click", t.First)
		}
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %s |\n", t.Vector, t.Attempts, t.Windows, t.Reached, t.Grants, verdict)
	}
	deaths := &Deaths{}
	for _, r := range reports {
		deaths.add(r.Kills)
	}
	b.WriteString(deaths.table())
	return b.String()
}
