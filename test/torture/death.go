package torture

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"time"

	"aval/agent/consent"
	"aval/test/rig"
)

// Victims of a campaign of kills.
const (
	VictimWindow  = "window"         // aval-ui with the question
	VictimHelper  = "helper"         // aval-desktop
	VictimManager = "window manager" // openbox
	VictimServer  = "X server"
)

// StopWithin is how long capture may go on after the bar has died.
const StopWithin = 2 * time.Second

// Deaths is what came of a campaign of kills.
type Deaths struct {
	Seed     uint64         `json:"seed,omitempty"`
	Kills    map[string]int `json:"kills"` // by victim and phase
	Asked    int            `json:"asked"` // questions during which something was killed
	Endings  map[string]int `json:"endings"`
	Grants   int            `json:"grants"` // given to a question that nobody answered
	Stopped  []float64      `json:"stopped_ms"`
	Problems []string       `json:"problems,omitempty"`
}

func (d *Deaths) add(o *Deaths) {
	if o == nil {
		return
	}
	if d.Kills == nil {
		d.Kills, d.Endings = map[string]int{}, map[string]int{}
	}
	for k, v := range o.Kills {
		d.Kills[k] += v
	}
	for k, v := range o.Endings {
		d.Endings[k] += v
	}
	d.Asked, d.Grants = d.Asked+o.Asked, d.Grants+o.Grants
	d.Stopped, d.Problems = append(d.Stopped, o.Stopped...), append(d.Problems, o.Problems...)
}

func (d *Deaths) wrong(format string, args ...any) {
	d.Problems = append(d.Problems, fmt.Sprintf(format, args...))
}

func (d *Deaths) table() string {
	if len(d.Kills) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\n| killed, while | times |\n|---|---|\n")
	total := 0
	for _, k := range sortedKeys(d.Kills) {
		fmt.Fprintf(&b, "| %s | %d |\n", k, d.Kills[k])
		total += d.Kills[k]
	}
	var ends []string
	for _, k := range sortedKeys(d.Endings) {
		ends = append(ends, fmt.Sprintf("%s %d", k, d.Endings[k]))
	}
	fmt.Fprintf(&b, "\n%d kills; %d grants that nobody gave; %d questions, each ended with a reason: %s.\n", total, d.Grants, d.Asked, strings.Join(ends, ", "))
	if n := len(d.Stopped); n > 0 {
		s := slices.Sorted(slices.Values(d.Stopped))
		fmt.Fprintf(&b, "Capture stopped after the bar's death %d times: median %.0f ms, at most %.0f ms.\n", n, s[n/2], s[n-1])
	}
	for _, p := range d.Problems {
		fmt.Fprintf(&b, "**%s**\n", p)
	}
	return b.String()
}

func sortedKeys(m map[string]int) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// Die ends one of the programs around a question, or around a recording, n times
// at random moments.
//
// To see that it catches a hole: TestControls builds a service to which the loss
// of a window is an answer, and one that does not stop when the bar is gone.
func Die(f *Field, n int) (*Deaths, error) {
	d := &Deaths{Seed: uint64(time.Now().UnixNano()), Kills: map[string]int{}, Endings: map[string]int{}}
	dice := rand.New(rand.NewPCG(d.Seed, 0))
	asking := true
	for i := range n {
		// In blocks of ten: the setting can be changed only between sessions.
		if want := i/10%2 == 0; i == 0 || want != asking {
			asking = want
			choice := map[bool]string{true: "after-confirmation", false: "allowed"}[asking]
			res, err := f.Agent.CLI("settings", "set", "session-insights", choice)
			if err != nil {
				return d, err
			}
			if res.Code != 0 {
				return d, fmt.Errorf("aval settings set: %s%s", res.Stdout, res.Stderr)
			}
		}
		victims := []string{VictimHelper, VictimManager, VictimServer}
		if asking {
			victims = append(victims, VictimWindow, VictimWindow)
		}
		victim, moment := victims[dice.IntN(len(victims))], time.Duration(dice.IntN(2000))*time.Millisecond
		var err error
		if asking {
			err = f.dieAsking(d, victim, moment)
		} else {
			err = f.dieRecording(d, victim, moment)
		}
		if err != nil {
			return d, fmt.Errorf("kill %d (%s, after %s): %w", i+1, victim, moment, err)
		}
	}
	return d, nil
}

// dieAsking kills while a question opens or stands. Nobody answers it.
func (f *Field) dieAsking(d *Deaths, victim string, moment time.Duration) error {
	session, begun := f.Begin()
	<-time.After(moment)
	if !f.kill(victim) {
		// The window of the question is not there yet: wait for one.
		if f.Wait("something to kill", 10*time.Second, func() (bool, error) { return f.kill(victim), nil }) != nil {
			// A machine too busy to paint it: the native dialog asks. Nothing was killed.
			return errors.Join(<-begun, f.End(session), f.mend(""))
		}
	}
	d.Kills[victim+", asking"]++
	if err := <-begun; err != nil {
		return err
	}
	d.Asked++
	// What the death ends has ended soon; a question that goes on, in a new window
	// or without a window manager, ends with its session.
	_ = f.Wait("the end of the question", 1500*time.Millisecond, func() (bool, error) {
		row, err := f.Decision(session)
		return err == nil && row.Outcome != string(consent.OutcomeAsking), err
	})
	if err := f.End(session); err != nil {
		return err
	}
	var row rig.Consent
	err := f.Wait("the end of the question of "+session, 15*time.Second, func() (ok bool, err error) {
		row, err = f.Decision(session)
		return row.Outcome != string(consent.OutcomeAsking), err
	})
	if err != nil {
		d.wrong("%s after the death of %s: %v", session, victim, err)
	}
	// Where the desktop was gone before it could be asked, the decision itself says so.
	decided := row.Outcome == string(consent.OutcomeDenied)
	d.Endings[cmp.Or(row.Ending, row.Reason)]++
	switch {
	case row.Outcome == string(consent.OutcomeAllowed):
		d.Grants++
		d.wrong("%s was granted by the death of %s", session, victim)
	case row.Reason == "" || row.Ending == "" && !decided:
		d.wrong("%s ended as %s without a reason after the death of %s", session, row.Outcome, victim)
	}
	return f.mend(victim)
}

// dieRecording kills while a session is recorded under a standing setting.
func (f *Field) dieRecording(d *Deaths, victim string, moment time.Duration) error {
	session, begun := f.Begin()
	if err := <-begun; err != nil {
		return err
	}
	if err := f.Wait("the recording of "+session, 15*time.Second, func() (bool, error) { return f.Records(session) }); err != nil {
		return err
	}
	<-time.After(moment)
	if !f.kill(victim) {
		return fmt.Errorf("nothing to kill: %s", victim)
	}
	died := time.Now()
	d.Kills[victim+", recording"]++
	bar := func() bool {
		return victim != VictimServer && victim != VictimHelper && len(f.Person.Find(rig.OfDesktop)) > 0
	}
	var stopped time.Time
	_ = f.Wait("the end of capture", StopWithin, func() (bool, error) {
		on, err := f.Records(session)
		if !on && err == nil {
			stopped = time.Now()
		}
		return !on, err
	})
	switch {
	case !stopped.IsZero():
		if victim != VictimManager {
			d.Stopped = append(d.Stopped, float64(stopped.Sub(died).Milliseconds()))
		}
	case !bar():
		d.wrong("%s was still recorded %s after the death of %s, with no bar", session, time.Since(died).Round(time.Millisecond), victim)
	}
	// What a tool reports now is refused, unless the bar has survived.
	if noted, err := f.Note(session); err != nil {
		return err
	} else if noted && !bar() {
		d.wrong("a note was recorded in %s after the death of %s, with no bar", session, victim)
	}
	row, err := f.Decision(session)
	if err != nil {
		return err
	}
	if row.Outcome == string(consent.OutcomeAllowed) && row.Basis != string(consent.BasisStandingSetting) {
		d.Grants++
		d.wrong("%s has the basis %q, which nobody gave", session, row.Basis)
	}
	if err := f.End(session); err != nil {
		return err
	}
	return f.mend(victim)
}

// kill ends a victim as a crash would, and tells whether it was there.
func (f *Field) kill(victim string) bool {
	switch victim {
	case VictimHelper:
		f.Helper.Kill()
	case VictimManager:
		f.WM.Kill()
	case VictimServer:
		f.Person.Server.Kill()
	case VictimWindow:
		for _, pid := range f.Children(f.Helper.PID, "aval-ui") {
			return syscall.Kill(pid, syscall.SIGKILL) == nil
		}
		return false
	}
	return true
}

// mend starts again what was killed, and waits until the screen is free.
func (f *Field) mend(victim string) error {
	switch victim {
	case VictimServer:
		_ = f.Helper.Stop(15 * time.Second)
		_ = f.WM.Stop(5 * time.Second)
		return f.Sit()
	case VictimHelper:
		if err := f.Help(); err != nil {
			return err
		}
	case VictimManager:
		if err := f.Manage(); err != nil {
			return err
		}
	}
	return f.Person.WaitNoWindow("windows of Aval's", 25*time.Second, func(w rig.Window) bool { return rig.OfUI(w) || rig.OfNative(w) })
}
