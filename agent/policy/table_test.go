package policy_test

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	"aval/agent/consent"
	"aval/agent/policy"
)

// What comes of one or two sources that set the access control of a computer.
//
// A source is one of:
//
//	file         a file that device management laid on this computer
//	registry     the registry of Windows, for the whole computer
//	registry/u   the same, for one user
//	profile      a configuration profile of macOS, for the whole computer
//	profile/u    the same, for one user
//	server       the company's server, in its signed bundle
//
// It says denied, asks (after-confirmation) or allowed; a mistake is anything
// else. What it says is enforced (must) or recommended (may). The rules:
//
//	R1  Enforced stands above recommended, whoever says it.
//	R2  Of two that are enforced, the stricter counts, whoever says it:
//	    denied before asks before allowed.
//	R3  Otherwise device management (file, registry, profile) stands above the server.
//	R4  Otherwise what is said for the whole computer stands above what is said for a user.
//	R5  Otherwise the later source counts; the second of a line is the later.
//	R6  One mistake anywhere makes all of it unreadable, and then nothing is
//	    recorded: a misspelt "denied" must not turn into "not set".
//
// Each line: first source, second source (or -), what is in force, whose it is,
// and the rule that says so.
const mergeTable = `
# Nobody says anything.
-                        | -                        | not set    | nobody     |

# One source alone: what it says is in force.
file may denied          | -                        | denied     | file       |
file may asks            | -                        | asks       | file       |
file may allowed         | -                        | allowed    | file       |
file must denied         | -                        | denied     | file       |
file must asks           | -                        | asks       | file       |
file must allowed        | -                        | allowed    | file       |
registry may denied      | -                        | denied     | registry   |
registry must allowed    | -                        | allowed    | registry   |
registry/u may denied    | -                        | denied     | registry/u |
registry/u must allowed  | -                        | allowed    | registry/u |
profile may denied       | -                        | denied     | profile    |
profile must allowed     | -                        | allowed    | profile    |
profile/u may denied     | -                        | denied     | profile/u  |
profile/u must allowed   | -                        | allowed    | profile/u  |
server may denied        | -                        | denied     | server     |
server must allowed      | -                        | allowed    | server     |

# One source alone, with a mistake: nothing of it counts, and nothing is recorded.
file may mistake         | -                        | unreadable | nobody     | R6
file must mistake        | -                        | unreadable | nobody     | R6
registry may mistake     | -                        | unreadable | nobody     | R6
registry must mistake    | -                        | unreadable | nobody     | R6
registry/u may mistake   | -                        | unreadable | nobody     | R6
registry/u must mistake  | -                        | unreadable | nobody     | R6
profile may mistake      | -                        | unreadable | nobody     | R6
profile must mistake     | -                        | unreadable | nobody     | R6
profile/u may mistake    | -                        | unreadable | nobody     | R6
profile/u must mistake   | -                        | unreadable | nobody     | R6
server may mistake       | -                        | unreadable | nobody     | R6
server must mistake      | -                        | unreadable | nobody     | R6

# Device management and the server.
file may denied          | server may allowed       | denied     | file       | R3
file may allowed         | server may denied        | allowed    | file       | R3
file must denied         | server may allowed       | denied     | file       | R1
file must allowed        | server may denied        | allowed    | file       | R1
file may denied          | server must allowed      | allowed    | server     | R1
file may allowed         | server must denied       | denied     | server     | R1
file must denied         | server must allowed      | denied     | file       | R2
file must allowed        | server must denied       | denied     | server     | R2
file must allowed        | server must asks         | asks       | server     | R2
file must asks           | server must allowed      | asks       | file       | R2
file must asks           | server must denied       | denied     | server     | R2
file must asks           | server must asks         | asks       | file       | R3

# The same with a user's value: it is device management as well.
registry/u may allowed   | server may denied        | allowed    | registry/u | R3
registry/u must allowed  | server must denied       | denied     | server     | R2
registry/u must denied   | server must allowed      | denied     | registry/u | R2
registry/u may denied    | server must allowed      | allowed    | server     | R1
profile/u may allowed    | server may denied        | allowed    | profile/u  | R3

# The whole computer and one user.
registry may denied      | registry/u may allowed   | denied     | registry   | R4
registry may allowed     | registry/u may denied    | allowed    | registry   | R4
registry must allowed    | registry/u may denied    | allowed    | registry   | R1
registry may denied      | registry/u must allowed  | allowed    | registry/u | R1
registry must allowed    | registry/u must denied   | denied     | registry/u | R2
registry must denied     | registry/u must allowed  | denied     | registry   | R2
registry must asks       | registry/u must asks     | asks       | registry   | R4
profile may denied       | profile/u may allowed    | denied     | profile    | R4
profile must allowed     | profile/u must denied    | denied     | profile/u  | R2

# Two of the same rank: the later, unless an enforced one is stricter.
file may denied          | file may allowed         | allowed    | file       | R5
file may allowed         | file may denied          | denied     | file       | R5
file may denied          | registry may allowed     | allowed    | registry   | R5
registry may allowed     | file may denied          | denied     | file       | R5
file must denied         | file may allowed         | denied     | file       | R1
file may denied          | file must allowed        | allowed    | file       | R1
file must denied         | registry must allowed    | denied     | file       | R2
file must allowed        | registry must denied     | denied     | registry   | R2
file must asks           | registry must asks       | asks       | registry   | R5

# A mistake in one of two, wherever it stands and whatever the other says.
file must denied         | server may mistake       | unreadable | nobody     | R6
file must allowed        | server must mistake      | unreadable | nobody     | R6
file may mistake         | server must allowed      | unreadable | nobody     | R6
file must mistake        | server may allowed       | unreadable | nobody     | R6
registry/u may mistake   | registry must allowed    | unreadable | nobody     | R6
profile may allowed      | profile/u must mistake   | unreadable | nobody     | R6
`

var tableOrigins = map[string]policy.Origin{
	"file":       {Name: policy.FromFile, Scope: policy.Machine},
	"registry":   {Name: policy.FromRegistry, Scope: policy.Machine},
	"registry/u": {Name: policy.FromRegistry, Scope: policy.User},
	"profile":    {Name: policy.FromPreferences, Scope: policy.Machine},
	"profile/u":  {Name: policy.FromPreferences, Scope: policy.User},
	"server":     {Name: policy.FromServer, Scope: policy.Machine},
}

var tableSays = map[string]string{"denied": "denied", "asks": "after-confirmation", "allowed": "allowed", "mistake": "dnied"}

// said is one source of the table: its name, whether it enforces, what it says.
type said struct {
	source string
	must   bool
	says   string
}

func (s said) String() string {
	how := "may"
	if s.must {
		how = "must"
	}
	return s.source + " " + how + " " + s.says
}

func (s said) layer() policy.Layer {
	return policy.Layer{Origin: tableOrigins[s.source], Values: []policy.Value{{Name: policy.AccessControl, Text: tableSays[s.says], Enforced: s.must}}}
}

// comesTo is what sources come to, in the words of the table.
func comesTo(sources ...said) (inForce, whose string) {
	var layers []policy.Layer
	for _, s := range sources {
		layers = append(layers, s.layer())
	}
	e := policy.Merge(layers)
	r := e.Get(policy.AccessControl)
	switch {
	case e.State == consent.PolicyUnreadable:
		return "unreadable", "nobody"
	case !r.Set:
		return "not set", "nobody"
	}
	for word, v := range tableSays {
		if v == r.Value.Text {
			inForce = word
		}
	}
	for name, o := range tableOrigins {
		if o == r.Value.Origin {
			whose = name
		}
	}
	return inForce, whose
}

// TestTheTable holds what the program does against the table above, line by
// line. To see it fail, turn round any comparison in Definition.beats.
func TestTheTable(t *testing.T) {
	lines := 0
	for line := range strings.Lines(mergeTable) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		lines++
		cell := strings.Split(line, "|")
		for i := range cell {
			cell[i] = strings.TrimSpace(cell[i])
		}
		var sources []said
		for _, c := range cell[:2] {
			if c == "-" {
				continue
			}
			w := strings.Fields(c)
			if len(w) != 3 || tableOrigins[w[0]].Name == "" || w[1] != "must" && w[1] != "may" || tableSays[w[2]] == "" {
				t.Fatalf("the table has a slip: %q", c)
			}
			sources = append(sources, said{w[0], w[1] == "must", w[2]})
		}
		inForce, whose := comesTo(sources...)
		if inForce != cell[2] || whose != cell[3] {
			t.Errorf("%s\nin force is: %s of %s", line, inForce, whose)
		}
		if rule := ruleFor(sources); rule != cell[4] {
			t.Errorf("%s\nthe rules above name %s", line, cmp.Or(rule, "none"))
		}
	}
	if lines < 60 {
		t.Errorf("only %d lines", lines)
	}
}

// The rules once more, written apart from the program, to be held against it in
// every combination: which of two sources wins, a being the earlier.
func winner(a, b said) (won said, rule string) {
	strict := []string{"denied", "asks", "allowed"}
	mdm := func(s said) bool { return s.source != "server" }
	machine := func(s said) bool { return !strings.HasSuffix(s.source, "/u") }
	pick := func(firstWins bool, rule string) (said, string) {
		if firstWins {
			return a, rule
		}
		return b, rule
	}
	switch {
	case a.must != b.must:
		return pick(a.must, "R1")
	case a.must && a.says != b.says:
		return pick(slices.Index(strict, a.says) < slices.Index(strict, b.says), "R2")
	case mdm(a) != mdm(b):
		return pick(mdm(a), "R3")
	case machine(a) != machine(b):
		return pick(machine(a), "R4")
	}
	return b, "R5"
}

func ruleFor(sources []said) string {
	switch {
	case slices.ContainsFunc(sources, func(s said) bool { return s.says == "mistake" }):
		return "R6"
	case len(sources) < 2:
		return ""
	}
	_, rule := winner(sources[0], sources[1])
	return rule
}

// everything is every source × enforced or not × valid or not.
func everything() (all []said) {
	for source := range tableOrigins {
		for _, must := range []bool{false, true} {
			for says := range tableSays {
				all = append(all, said{source, must, says})
			}
		}
	}
	return all
}

// TestEveryCombination holds the program against the rules for every source ×
// enforced × valid or not: alone, in every pair, and in every three. No line of
// the table is needed for that; the table is for people.
func TestEveryCombination(t *testing.T) {
	all := everything()
	check := func(sources ...said) {
		inForce, whose := comesTo(sources...)
		want, wantWhose := "unreadable", "nobody"
		if ruleFor(sources) != "R6" {
			won := sources[0]
			for _, s := range sources[1:] {
				won, _ = winner(won, s)
			}
			want, wantWhose = won.says, won.source
		}
		if inForce != want || whose != wantWhose {
			t.Fatalf("%v: in force is %s of %s, not %s of %s", sources, inForce, whose, want, wantWhose)
		}
	}
	n := 0
	for _, a := range all {
		check(a)
		for _, b := range all {
			check(a, b)
			for _, c := range all {
				if a.says != "mistake" && b.says != "mistake" && c.says != "mistake" {
					check(a, b, c)
					n++
				}
			}
		}
	}
	t.Logf("%d alone, %d pairs, %d threes", len(all), len(all)*len(all), n)
}

// TestWhatFollows: what is in force decides, in every state, for somebody who has
// chosen nothing, or anything. Only the person's own choice or an enforced value
// can be the last word, and a doubt is always a no.
func TestWhatFollows(t *testing.T) {
	own := []consent.AccessControl{consent.AccessUnset, consent.AccessDenied, consent.AccessAfterConfirmation, consent.AccessAllowed, consent.AccessCorrupt}
	verdict := map[string]consent.Verdict{"denied": consent.Deny, "asks": consent.Ask, "allowed": consent.Allow, "mistake": consent.Deny}
	chosen := map[consent.AccessControl]consent.Verdict{consent.AccessDenied: consent.Deny, consent.AccessAfterConfirmation: consent.Ask,
		consent.AccessAllowed: consent.Allow, consent.AccessCorrupt: consent.Deny}
	for _, s := range everything() {
		for _, o := range own {
			in := consent.Input{Direction: consent.Outgoing, LogSessions: true, Outgoing: consent.OutgoingAll, Incoming: consent.IncomingOff, Local: o, Desktop: consent.DesktopAvailable}
			policy.Merge([]policy.Layer{s.layer()}).Fill(&in)
			want := verdict[s.says]
			if v, has := chosen[o]; has && !s.must && s.says != "mistake" {
				want = v
			}
			if got := consent.Decide(in); got.Verdict != want {
				t.Errorf("%v, own choice %s: %s, not %s", s, o, got.Verdict, want)
			}
		}
	}
}
