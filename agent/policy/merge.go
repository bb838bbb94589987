package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
)

// Layer is the values of one source.
type Layer struct {
	Origin Origin
	Values []Value
}

// Loser is a value that another one beat, with the reason in a few words.
type Loser struct {
	Value Value  `json:"value"`
	Why   string `json:"why"`
}

// Resolved is what one key comes to.
type Resolved struct {
	Value Value `json:"value"`
	// Set is false where no source set the key; Value is then the default.
	Set bool `json:"set"`
	// Why says in a few words why this value is the one.
	Why    string  `json:"why"`
	Losers []Loser `json:"losers,omitempty"`
}

// Effective is the policy in force: every key's value with where it came from
// and what it beat. Its zero value is not valid: use Merge or Unreadable.
type Effective struct {
	// State is PolicyNone when no source sets anything, else PolicyFresh; who
	// merges a kept policy sets PolicyStale.
	State    consent.PolicyState
	resolved map[Name]Resolved
	// Problems is why the state is PolicyUnreadable, where Merge found it.
	Problems []Problem
}

// Unreadable is the policy of which nothing can be said: all keys have their
// defaults, and Decide denies.
func Unreadable(problems ...Problem) Effective {
	e := Merge(nil)
	e.State = consent.PolicyUnreadable
	e.Problems = problems
	return e
}

// Merge brings the layers together. An enforced value stands above every one
// that is not. Among enforced ones the strictest wins whatever its origin; a
// list whose entries make more count keeps only what all enforced ones have.
// Otherwise device management wins over the server, then machine over user,
// then the later layer. One value that is not allowed makes all unreadable.
func Merge(layers []Layer) Effective {
	e := Effective{State: consent.PolicyNone, resolved: map[Name]Resolved{}}
	candidates := map[Name][]Value{}
	var problems []Problem
	for _, l := range layers {
		for _, v := range l.Values {
			v.Origin = l.Origin
			v.List = slices.Clone(v.List)
			if wrong, allowed := v.check(); wrong != "" {
				problems = append(problems, Problem{File: l.Origin.String(), Key: string(v.Name), Wrong: wrong, Allowed: allowed})
			}
			candidates[v.Name] = append(candidates[v.Name], v)
		}
	}
	if len(problems) > 0 {
		return Unreadable(problems...)
	}
	for _, d := range definitions {
		if all := candidates[d.Name]; len(all) > 0 {
			e.State = consent.PolicyFresh
			e.resolved[d.Name] = d.resolve(all)
		} else {
			e.resolved[d.Name] = Resolved{Value: d.defaultValue(), Why: "no source sets it"}
		}
	}
	return e
}

// resolve picks the winner among at least one value.
func (d Definition) resolve(all []Value) Resolved {
	best := 0
	for i := 1; i < len(all); i++ {
		if d.beats(all[i], all[best]) != "" {
			best = i
		}
	}
	r := Resolved{Value: all[best], Set: true, Why: "it is the only value"}
	for i, v := range all {
		if i != best {
			why := d.beats(all[best], v)
			if why == "" {
				why = "another value came first"
			}
			r.Losers = append(r.Losers, Loser{v, why})
			r.Why = "it wins over the others"
		}
	}
	if r.Value.Enforced && d.Narrows {
		for _, l := range r.Losers {
			if l.Value.Enforced {
				r.Value.List = slices.DeleteFunc(r.Value.List, func(s string) bool { return !slices.Contains(l.Value.List, s) })
				r.Why = "only what every enforced list holds counts"
			}
		}
	}
	return r
}

// beats says why a, which comes after b in the order of the layers unless
// ranks differ, wins over b; empty: it does not.
func (d Definition) beats(a, b Value) string {
	switch {
	case a.Enforced != b.Enforced:
		return when(a.Enforced, "an enforced value wins over one that is not")
	case a.Enforced && d.stricter(a, b):
		return "the stricter of two enforced values wins"
	case a.Enforced && d.stricter(b, a):
		return ""
	case (a.Origin.Name == FromServer) != (b.Origin.Name == FromServer):
		return when(a.Origin.Name != FromServer, "device management wins over the server")
	case a.Origin.rank() != b.Origin.rank():
		return when(a.Origin.rank() > b.Origin.rank(), "the machine's value wins over the user's")
	}
	return "of two equal sources the later wins"
}

func when(ok bool, why string) string {
	if ok {
		return why
	}
	return ""
}

func (d Definition) defaultValue() Value {
	v := Value{Name: d.Name, Text: d.Default, Origin: Origin{Name: FromDefault, Scope: Machine}}
	switch {
	case d.Type == Number:
		// TestDefinitions holds every default against its key's own bounds.
		v.Text = ""
		v.Number, _ = strconv.Atoi(d.Default)
	case d.Type == List:
		v.Text = ""
		if d.Default != "" {
			v.List = strings.Split(d.Default, ", ")
		}
	}
	return v
}

// Get returns what name comes to; an unknown name has no value.
func (e Effective) Get(name Name) Resolved {
	r := e.resolved[name]
	r.Value.List = slices.Clone(r.Value.List)
	r.Losers = slices.Clone(r.Losers)
	return r
}

// Fill sets the fields of in that a policy gives.
func (e Effective) Fill(in *consent.Input) {
	in.PolicyState = e.State
	in.Reporting = consent.Switch(e.resolved[Reporting].Value.Text)
	in.Insights = consent.Switch(e.resolved[Insights].Value.Text)
	in.InsightsEnforced = e.resolved[Insights].Value.Enforced
	in.AccessControl = consent.AccessControl(e.resolved[AccessControl].Value.Text)
	in.AccessControlEnforced = e.resolved[AccessControl].Value.Enforced
}

// Unmanaged tightens a filled input for a company in whose account a person is
// signed in: it manages nothing here, so no policy allows anything for it, and
// only the person's own setting does. Any program of the person's can sign them in,
// to a server of its own. Denials and questions of a policy stand. A second time
// it changes nothing.
func Unmanaged(in *consent.Input) {
	if in.Incoming != consent.IncomingAll {
		in.Incoming = consent.IncomingOff
	}
	in.IncomingEnforced, in.InsightsEnforced = false, false
	switch in.PolicyState {
	case consent.PolicyNone: // what it says would not count
		in.PolicyState, in.Reporting, in.Insights = consent.PolicyFresh, consent.SwitchUnset, consent.SwitchUnset
		in.AccessControl, in.AccessControlEnforced = consent.AccessAfterConfirmation, false
	case consent.PolicyFresh, consent.PolicyStale:
		if in.AccessControl == consent.AccessUnset || in.AccessControl == consent.AccessAllowed {
			in.AccessControl, in.AccessControlEnforced = consent.AccessAfterConfirmation, false
		}
	}
}

// QuestionTime is how long the question waits for an answer once shown.
func (e Effective) QuestionTime() time.Duration {
	return time.Duration(e.resolved[QuestionSeconds].Value.Number) * time.Second
}

// AllowFor is for how long the question may offer a yes to last for further
// sessions; 0: it is not offered.
func (e Effective) AllowFor() time.Duration {
	return time.Duration(e.resolved[AllowMinutes].Value.Number) * time.Minute
}

// AskAgain is after how much recording a session is decided again: at most 8 h.
func (e Effective) AskAgain() time.Duration {
	return time.Duration(e.resolved[AskAgainMinutes].Value.Number) * time.Minute
}

// AcceptsUnproven tells whether a yes of unknown provenance (P0) counts at once.
// False where the policy is unreadable.
func (e Effective) AcceptsUnproven() bool {
	return e.State != consent.PolicyUnreadable && e.resolved[AcceptUnproven].Value.Text == "on"
}

// Removes are the expressions of what is taken out of captured text as well: of
// all sources together, since each of them only adds.
func (e Effective) Removes() []string {
	r := e.Get(AlsoRemove)
	out := r.Value.List
	for _, l := range r.Losers {
		for _, p := range l.Value.List {
			if !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	return out
}

// MayRecord tells whether events of group g may be offered and recorded.
func (e Effective) MayRecord(g event.Group) bool {
	return slices.Contains(e.resolved[RecordGroups].Value.List, string(g))
}

// Languages of the question for who reads none of ours, best first.
func (e Effective) Languages() []string { return slices.Clone(e.resolved[Languages].Value.List) }

// SSH says which OpenSSH logins count as support sessions: any one that a list
// names. Three empty lists: none.
type SSH struct {
	Accounts, Groups, Keys []string
}

// SSH returns the lists in force.
func (e Effective) SSH() SSH {
	return SSH{e.list(SSHAccounts), e.list(SSHGroups), e.list(SSHKeys)}
}

// TestAnswerDevices names the devices that stand for hardware in tests. Only a
// file of this computer may: neither a server nor device management from afar
// decides what a hand is here.
func (e Effective) TestAnswerDevices() []string {
	if e.resolved[TestAnswerDevices].Value.Origin.Name != FromFile {
		return nil
	}
	return e.list(TestAnswerDevices)
}

func (e Effective) list(n Name) []string { return slices.Clone(e.resolved[n].Value.List) }

// All returns what every key comes to, in the order of Definitions.
func (e Effective) All() []Resolved {
	out := make([]Resolved, 0, len(definitions))
	for _, d := range definitions {
		out = append(out, e.Get(d.Name))
	}
	return out
}

// ShowText is the policy as lines for a terminal: each key, its value, where
// it comes from, and beneath it each value that lost and why.
func ShowText(e Effective) string {
	var b strings.Builder
	fmt.Fprintf(&b, "policy: %s\n", e.State)
	for _, p := range e.Problems {
		fmt.Fprintf(&b, "  %s\n", p)
	}
	for _, r := range e.All() {
		value, how := r.Value.String(), "recommended"
		if value == "" {
			value = "(none)"
		}
		if r.Value.Enforced {
			how = "enforced"
		}
		if !r.Set {
			how = "no source sets it"
			fmt.Fprintf(&b, "%-18s %s  [%s]\n", r.Value.Name, value, how)
			continue
		}
		fmt.Fprintf(&b, "%-18s %s  [%s, %s]\n", r.Value.Name, value, how, r.Value.Origin)
		for _, l := range r.Losers {
			fmt.Fprintf(&b, "%-18s   not %s from %s: %s\n", "", l.Value, l.Value.Origin, l.Why)
		}
	}
	return b.String()
}
