package record

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
)

// ErrAnswer: a grant names an earlier answer that does not cover it.
var ErrAnswer = errors.New("the earlier answer does not cover this grant")

// checkAnswer looks at a grant that rests on consent: a question that was
// answered, or an earlier grant whose answer holds for further sessions.
func (g Grant) checkAnswer() error {
	proven := g.Provenance.Proven()
	switch {
	case g.Decision.Verdict != consent.Ask:
		return fmt.Errorf("%w: consent without a question", ErrMalformed)
	case g.Answer != "":
		if len(g.Subjects) > 0 || g.Ending != consent.EndingEarlier || g.Asked != nil || g.ForMinutes != 0 || g.Answer == g.ID || g.SupporterID == "" || g.Subject == "" || !proven {
			return fmt.Errorf("%w: an earlier answer that cannot be", ErrMalformed)
		}
	case g.Ending != consent.EndingAnsweredYes || g.Asked == nil:
		return fmt.Errorf("%w: consent without an answered question", ErrMalformed)
	case g.ForMinutes < 0 || time.Duration(g.ForMinutes)*time.Minute > consent.MaxRemember:
		return fmt.Errorf("%w: an answer for %d minutes", ErrMalformed, g.ForMinutes)
	case g.ForMinutes > 0 && (g.ForMinutes > g.Asked.OfferedMinutes || g.SupporterID == "" || g.Subject == "" || !proven):
		return fmt.Errorf("%w: an answer for further sessions that was not offered, or to nobody in particular", ErrMalformed)
	case g.ForMinutes > 0 && len(g.Subjects) > 0:
		return fmt.Errorf("%w: an answer of several people for further sessions", ErrMalformed)
	}
	return nil
}

// Terms is what a person is told with a question besides what is recorded: who
// writes the summary, and for how long the company keeps it.
func (g Grant) Terms() string { return Terms(g.Engine, g.RetentionDays) }

// Terms puts the same into one text to compare.
func Terms(engine string, retentionDays int) string {
	return fmt.Sprintf("%s, %d days", engine, retentionDays)
}

// Lasts is until when the answer of a grant holds for further sessions; zero: it
// holds for its own only.
func (g Grant) Lasts() time.Time {
	if g.Basis != consent.BasisConsent || g.ForMinutes <= 0 || g.Answer != "" || g.Asked == nil {
		return time.Time{}
	}
	return g.At.Add(min(time.Duration(g.ForMinutes)*time.Minute, consent.MaxRemember))
}

// Answered is the answer of a grant in the words of consent.Remember.
func (g Grant) Answered() consent.Answered {
	return consent.Answered{Record: g.ID, Party: g.party(), Groups: names(g.Groups), Provenance: g.Provenance, At: g.At,
		For: time.Duration(g.ForMinutes) * time.Minute, Terms: g.Terms()}
}

func (g Grant) party() consent.Party {
	return consent.Party{Supporter: g.Supporter, Identity: g.SupporterID, Company: g.Company, Subject: g.Subject}
}

func names(groups []event.Group) []string {
	out := make([]string, len(groups))
	for i, g := range groups {
		out[i] = string(g)
	}
	return out
}

// RestsOn checks a grant that names an earlier answer against that grant: both
// verified before. Same device, company, supporter, user and terms; no group
// that the answer does not cover; not for longer than the person said. Whether
// the answer was withdrawn meanwhile is for the caller to know.
func (g Grant) RestsOn(first Grant) error {
	lasts := first.Lasts()
	switch {
	case g.Answer == "" || g.Answer != first.ID:
		return fmt.Errorf("%w: it is another one", ErrAnswer)
	case lasts.IsZero():
		return fmt.Errorf("%w: it was for its own session only", ErrAnswer)
	case g.Device != first.Device || g.party() != first.party() || g.SupporterID == "":
		return fmt.Errorf("%w: it was about others", ErrAnswer)
	case g.Terms() != first.Terms():
		return fmt.Errorf("%w: it was given on other terms", ErrAnswer)
	case g.Provenance != first.Provenance || (first.Test && !g.Test):
		return fmt.Errorf("%w: it was another hand", ErrAnswer)
	case g.At.Before(first.At) || g.NotBefore.Before(first.At) || g.Expires.After(lasts):
		return fmt.Errorf("%w: it does not reach so far", ErrAnswer)
	case slices.ContainsFunc(g.Groups, func(k event.Group) bool { return !slices.Contains(first.Groups, k) }):
		return fmt.Errorf("%w: it does not cover every group", ErrAnswer)
	}
	return nil
}
