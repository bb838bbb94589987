package consent

import (
	"slices"
	"time"
)

// MaxRemember is the longest that an "allow for N minutes" reaches, counted
// from the answer, whatever the person or a policy chose.
const MaxRemember = 8 * time.Hour

// Party is whom a remembered yes concerns: one supporter of one company, and
// one user of this computer.
type Party struct {
	Supporter string
	// Identity is what shows that it is the same supporter again: the key that
	// they signed in with, or the name that root's own hook gives. A name that is
	// only claimed has none: it is nobody in particular, and never the same supporter.
	Identity string
	Company  string
	// Subject is the desktop's user who answered, or would be asked.
	Subject string
}

// Answered is a yes that the person gave for more than one session.
type Answered struct {
	// Record is the id of the grant that came out of the answer.
	Record     string
	Party      Party
	Groups     []string
	Provenance Provenance
	At         time.Time
	// Elapsed is how long ago it was at least, by a clock that nobody can set;
	// zero where only the wall clock is known.
	Elapsed time.Duration
	// For is how long the person allowed further sessions.
	For time.Duration
	// Terms is what the person was told besides: who writes the summary, how long
	// it is kept. Other terms are another question.
	Terms string
	// Withdrawn: the person took it back.
	Withdrawn bool
}

// Wish is the new session that would have to be asked about.
type Wish struct {
	Party   Party
	Offered []string
	At      time.Time
	// Latest is the time of the newest record on this computer. A clock that shows
	// an earlier time was set back, and then nobody knows how long ago an answer was.
	Latest time.Time
	// Offer is how long the policy lets people allow in advance; zero: not at all.
	Offer time.Duration
	Terms string
}

// Yes is the ground of a new grant without a new question.
type Yes struct {
	// Record is the first answer's grant, which the new grant must name.
	Record     string
	Groups     []string
	Provenance Provenance
	// Until ends the new grant at the latest.
	Until time.Time
}

// Remember looks for an earlier yes that answers w after Decide said Ask. The
// yes holds for the same supporter, company, user and terms, for no group
// that it did not cover, for no longer than the person said, the policy offers
// now and MaxRemember; of several the latest answer counts. A withdrawn answer
// is as if never given, and one of which nobody knows who gave it (P0, PX) is
// not remembered.
func Remember(d Decision, w Wish, earlier []Answered) (Yes, bool) {
	if d != (Decision{Verdict: Ask, Reason: ReasonMustConfirm}) || w.Offer <= 0 || w.At.IsZero() || w.At.Before(w.Latest) || !w.Party.known() {
		return Yes{}, false
	}
	var best Yes
	var latest time.Time
	for _, a := range earlier {
		y, ok := a.answers(w)
		if ok && (best.Record == "" || a.At.After(latest)) {
			best, latest = y, a.At
		}
	}
	return best, best.Record != ""
}

func (a Answered) answers(w Wish) (Yes, bool) {
	switch {
	case a.Withdrawn, a.Record == "", a.At.IsZero(), a.Party != w.Party, a.Terms != w.Terms, w.At.Before(a.At), a.Elapsed < 0:
		return Yes{}, false
	case !a.Provenance.Proven():
		return Yes{}, false
	}
	// Whichever clock says that more time has passed is believed.
	left := min(a.For, w.Offer, MaxRemember) - max(a.Elapsed, w.At.Sub(a.At))
	until := w.At.Add(left)
	if left <= 0 {
		return Yes{}, false
	}
	var groups []string
	for _, g := range unique(w.Offered) {
		if slices.Contains(a.Groups, g) {
			groups = append(groups, g)
		}
	}
	if len(groups) == 0 {
		return Yes{}, false
	}
	return Yes{Record: a.Record, Groups: groups, Provenance: a.Provenance, Until: until}, true
}

func (p Party) known() bool {
	return p.Supporter != "" && p.Identity != "" && p.Company != "" && p.Subject != ""
}
