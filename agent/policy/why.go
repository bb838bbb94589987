package policy

import (
	"aval/agent/consent"
)

// Step is one place where the value of access control may come from.
type Step struct {
	// Name is enforced-policy, setting, policy or default; the first that has a
	// value wins.
	Name string `json:"name"`
	// Value is what stands there, unset where nothing does.
	Value consent.AccessControl `json:"value"`
	// Origin is the policy's source, empty for the other steps.
	Origin string `json:"origin,omitempty"`
	Wins   bool   `json:"wins"`
	Why    string `json:"why"`
}

// Case is what would be decided if a company asked, somebody being there.
type Case struct {
	When     string           `json:"when"`
	Input    consent.Input    `json:"input"`
	Decision consent.Decision `json:"decision"`
}

// Account explains to one person what counts for them and why.
type Account struct {
	State consent.PolicyState `json:"policy_state"`
	Steps []Step              `json:"steps"`
	Cases []Case              `json:"cases"`
}

// Asks is what the company asks for that a computer is enrolled with, or signed in to.
type Asks struct {
	Outgoing         consent.OutgoingOption
	Incoming         consent.IncomingOption
	IncomingEnforced bool
	LogSessions      bool
	Account          bool // it manages nothing: somebody here is signed in to an account of it
}

// inputs are a session as the company that manages the computer asks about it,
// and as the company whose people connect, with somebody at the screen.
func (s Asks) inputs(e Effective, own consent.AccessControl) (incoming, outgoing consent.Input) {
	in := consent.Input{Direction: consent.Incoming, LogSessions: s.LogSessions, Outgoing: s.Outgoing, Incoming: s.Incoming,
		IncomingEnforced: s.IncomingEnforced, ManagedByRequester: true, Local: own, Desktop: consent.DesktopAvailable}
	e.Fill(&in)
	if s.Account {
		Unmanaged(&in)
	}
	incoming = in
	in.Direction = consent.Outgoing
	return incoming, in
}

// NeedNotAsk tells whether sessions are recorded without a question where the
// person has not chosen: the company manages the computer and asks for them.
func NeedNotAsk(e Effective, s Asks) bool {
	in, _ := s.inputs(e, consent.AccessUnset)
	return consent.Decide(in).Verdict == consent.Allow
}

// Requires tells whether sessions are recorded even where the person has
// chosen Denied.
func Requires(e Effective, s Asks) bool {
	in, out := s.inputs(e, consent.AccessDenied)
	d := consent.Decide(in)
	if d.Verdict == consent.NotRequested {
		d = consent.Decide(out)
	}
	return d.Verdict == consent.Allow
}

// Why explains what counts for somebody whose own setting is own, under a
// policy of which state and the keys in resolved are known, where a company asks
// for what asks says; nil: the computer is enrolled with none, and every way to
// ask is gone through. Every case is decided by consent.Decide; nothing here
// decides by itself.
func Why(state consent.PolicyState, resolved []Resolved, own consent.AccessControl, asks *Asks) Account {
	e := Merge(nil)
	e.State = state
	for _, r := range resolved {
		if _, ok := Define(r.Value.Name); ok {
			e.resolved[r.Value.Name] = r
		}
	}
	acc := Account{State: state, Steps: steps(e, own, asks)}
	if asks != nil {
		in, out := asks.inputs(e, own)
		d := consent.Decide(in)
		acc.Cases = append(acc.Cases, Case{"Your company asks, because it manages this computer (its option for incoming sessions: " + describe(*asks) + ")", in, d})
		if d.Verdict == consent.NotRequested {
			acc.Cases = append(acc.Cases, Case{"So it is looked at as a session that the company's people start (its option for outgoing sessions: " + string(asks.Outgoing) + ")", out, consent.Decide(out)})
		}
		return acc
	}
	in := consent.Input{Direction: consent.Outgoing, LogSessions: true, Outgoing: consent.OutgoingAll, Incoming: consent.IncomingOff,
		Local: own, Desktop: consent.DesktopAvailable}
	e.Fill(&in)
	add := func(when string, in consent.Input) {
		acc.Cases = append(acc.Cases, Case{when, in, consent.Decide(in)})
	}
	add("The supporter's company asks", in)
	in.Direction, in.Outgoing, in.Incoming, in.ManagedByRequester = consent.Incoming, consent.OutgoingOff, consent.IncomingPolicy, true
	add("The company that manages this computer asks, for computers with a policy only", in)
	in.Incoming = consent.IncomingAll
	add("The company that manages this computer asks, for all computers", in)
	in.IncomingEnforced = true
	add("The same, and it enforces that", in)
	return acc
}

// describe says the option for incoming sessions.
func describe(s Asks) string {
	if s.Incoming == consent.IncomingAll && s.IncomingEnforced {
		return "all, people may not refuse"
	}
	return string(s.Incoming)
}

// steps are the places in their order. With an unreadable policy none wins:
// the denial does not come out of them.
func steps(e Effective, own consent.AccessControl, asks *Asks) []Step {
	pol := e.Get(AccessControl)
	value := consent.AccessControl(pol.Value.Text)
	enforced := Step{Name: "enforced-policy", Value: consent.AccessUnset, Why: "no policy enforces a value"}
	mine := Step{Name: "setting", Value: own, Why: "you have not chosen"}
	recommended := Step{Name: "policy", Value: consent.AccessUnset, Why: "no policy recommends a value"}
	last := Step{Name: "default", Value: consent.AccessAfterConfirmation, Why: "what counts where nobody has chosen"}
	if asks != nil && NeedNotAsk(e, *asks) {
		last.Value, last.Why = consent.AccessAllowed, "the company that manages this computer need not ask where nobody has chosen"
	}
	if own != consent.AccessUnset {
		mine.Why = "your own choice"
	}
	if own == consent.AccessCorrupt {
		mine.Why = "your setting is damaged and counts as denied until you choose again"
	}
	if pol.Set && value != consent.AccessUnset && e.State != consent.PolicyNone && e.State != consent.PolicyUnreadable {
		s, why := &recommended, "your organisation recommends it to people who have not chosen"
		if pol.Value.Enforced {
			s, why = &enforced, "your organisation enforces it, so nothing else counts"
		}
		s.Value, s.Origin, s.Why = value, pol.Value.Origin.String(), why
	}
	out := []Step{enforced, mine, recommended, last}
	won := ""
	for i := range out {
		switch {
		case e.State == consent.PolicyUnreadable:
			out[i].Why = "does not count while the policy cannot be read"
		case out[i].Value == consent.AccessUnset:
		case won == "":
			out[i].Wins, won = true, out[i].Name
		default:
			out[i].Why = "does not count, " + beatenBy[won]
		}
	}
	return out
}

var beatenBy = map[string]string{
	"enforced-policy": "an enforced policy stands above it",
	"setting":         "your own choice stands above it",
	"policy":          "the policy's value stands above it",
}
