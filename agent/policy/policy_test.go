package policy_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/policy"
)

func TestParse(t *testing.T) {
	values, problems := policy.Parse("10.json", []byte(`{
		"Reporting": "on", "Insights": "off", "AccessControl": "after-confirmation", "QuestionSeconds": 60,
		"AllowMinutes": 90, "AskAgainMinutes": 60, "AcceptUnproven": "on", "RecordGroups": ["windows", "chat"],
		"AlsoRemove": ["PRJ-\\d{4}"], "Languages": ["pt-BR", "en"], "SSHAccounts": ["support"], "SSHGroups": [],
		"SSHKeys": ["SHA256:0123456789012345678901234567890123456789012"], "TestAnswerDevices": ["Xephyr virtual mouse"]
	}`))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if len(values) != len(policy.Definitions()) {
		t.Fatalf("%d values of %d keys", len(values), len(policy.Definitions()))
	}
	for _, v := range values {
		if v.Name == policy.QuestionSeconds && v.Number != 60 || v.Name == policy.SSHGroups && v.List == nil {
			t.Errorf("%+v", v)
		}
	}
}

func TestValidateListsEveryProblem(t *testing.T) {
	raw := `{
		"accesscontrol": "denied",
		"AccessControl": "maybe",
		"Reporting": true,
		"Reporting": "on",
		"Insights": null,
		"QuestionSeconds": 5,
		"Languages": ["pt-BR", "Brazilian Portuguese"],
		"SSHAccounts": "root",
		"SSHGroups": ["a", 7],
		"SSHKeys": ["MD5:aa"],
		"Colour": {"a": 1}
	}`
	got := policy.Validate("x.json", []byte(raw))
	want := []string{
		`"accesscontrol": is not a key: upper and lower case count (allowed: AccessControl)`,
		`"AccessControl": value "maybe" is not allowed (allowed: denied, after-confirmation, allowed)`,
		`"Reporting": value is true or false (allowed: off, on)`,
		`"Reporting": stands there twice (allowed: each key once)`,
		`"Insights": value is null (allowed: off, on)`,
		`"QuestionSeconds": value 5 is not allowed (allowed: a whole number from 10 to 300)`,
		`"Languages": entry "Brazilian Portuguese" is not allowed`,
		`"SSHAccounts": value "root" is a text (allowed: a list of`,
		`"SSHGroups": entry 2 is not a text`,
		`"SSHKeys": entry "MD5:aa" is not allowed`,
		`"Colour": is not a key (allowed: Reporting, Insights`,
	}
	if len(got) != len(want) {
		t.Errorf("%d problems, not %d", len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		if !strings.HasPrefix(got[i].String(), "x.json: "+want[i]) {
			t.Errorf("%s\nnot %s", got[i], want[i])
		}
	}
}

func TestValidateWholeFile(t *testing.T) {
	for raw, want := range map[string]string{
		"":                                    "is empty",
		"{}":                                  "",
		" {} \n":                              "",
		"[]":                                  "is not an object",
		`"a"`:                                 "is not an object",
		"{}{}":                                "is not JSON: line 1, column 3",
		"{\n  \"AccessControl\": denied\n}":   "is not JSON: line 2, column 20",
		"{\"AccessControl\": \"denied\",}":    "is not JSON: line 1, column 28",
		"{\"AccessControl\": \"denied\"":      "is not JSON",
		"\xff":                                "is not text in UTF-8",
		"\ufeff{}":                            "is not JSON: line 1, column 1",
		strings.Repeat(" ", policy.MaxFile+1): "is larger than",
		`{"QuestionSeconds": 30.5}`:           `value "30.5" is not allowed`,
		`{"QuestionSeconds": 1e2}`:            `value "1e2" is not allowed`,
		`{"QuestionSeconds": "30"}`:           `is a text`,
		`{"QuestionSeconds": 99999999999999999999}`:             `is not allowed`,
		`{"AccessControl": "unset"}`:                            `value "unset" is not allowed`,
		`{"AccessControl": "corrupt"}`:                          `value "corrupt" is not allowed`,
		`{"AccessControl": ["denied"]}`:                         `value is a list`,
		`{"AllowMinutes": 481}`:                                 `a whole number from 0 to 480`,
		`{"AskAgainMinutes": 0}`:                                `a whole number from 5 to 480`,
		`{"RecordGroups": ["windows", "keys"]}`:                 `entry "keys" is not allowed (allowed: groups of events: windows, commands`,
		`{"SSHAccounts": [""]}`:                                 `entry "" is not allowed`,
		`{"SSHAccounts": ["a", "a"]}`:                           `stands there twice`,
		`{"SSHAccounts": ["a\u0000"]}`:                          `is not allowed`,
		`{"SSHAccounts": ["` + strings.Repeat("a", 257) + `"]}`: `too long`,
	} {
		got := policy.Validate("x.json", []byte(raw))
		if want == "" && len(got) > 0 || want != "" && (len(got) != 1 || !strings.Contains(got[0].String(), want)) {
			t.Errorf("%.60q: %v, not %s", raw, got, want)
		}
	}
	many := make([]string, 257)
	for i := range many {
		many[i] = fmt.Sprintf("%q", fmt.Sprint(i))
	}
	if got := policy.Validate("x", []byte(`{"SSHAccounts": [`+strings.Join(many, ",")+`]}`)); len(got) != 1 {
		t.Errorf("%v", got)
	}
}

func choice(name policy.Name, text string, enforced bool) policy.Value {
	return policy.Value{Name: name, Text: text, Enforced: enforced}
}

func layer(origin string, scope policy.Scope, values ...policy.Value) policy.Layer {
	return policy.Layer{Origin: policy.Origin{Name: origin, Scope: scope}, Values: values}
}

func TestMerge(t *testing.T) {
	ac := func(text string, enforced bool) policy.Value { return choice(policy.AccessControl, text, enforced) }
	const machine, user = policy.Machine, policy.User
	for name, c := range map[string]struct {
		layers []policy.Layer
		want   string
		from   string
	}{
		"nothing":                     {nil, "unset", "default"},
		"one":                         {[]policy.Layer{layer("file", machine, ac("allowed", false))}, "allowed", "file"},
		"management over server":      {[]policy.Layer{layer("file", user, ac("allowed", false)), layer("server", machine, ac("denied", false))}, "allowed", "file(user)"},
		"machine over user":           {[]policy.Layer{layer("file", machine, ac("allowed", false)), layer("file", user, ac("denied", false))}, "allowed", "file"},
		"the later of equals":         {[]policy.Layer{layer("file", machine, ac("denied", false)), layer("registry", machine, ac("allowed", false))}, "allowed", "registry"},
		"enforced over not":           {[]policy.Layer{layer("server", user, ac("allowed", true)), layer("file", machine, ac("denied", false))}, "allowed", "server(user)"},
		"strictest enforced, server":  {[]policy.Layer{layer("file", machine, ac("allowed", true)), layer("server", user, ac("after-confirmation", true))}, "after-confirmation", "server(user)"},
		"strictest enforced of three": {[]policy.Layer{layer("file", machine, ac("allowed", true)), layer("server", machine, ac("denied", true)), layer("file", user, ac("after-confirmation", true))}, "denied", "server"},
		"equal enforced":              {[]policy.Layer{layer("server", machine, ac("denied", true)), layer("file", machine, ac("denied", true))}, "denied", "file"},
	} {
		e := policy.Merge(c.layers)
		r := e.Get(policy.AccessControl)
		if r.Value.Text != c.want || r.Value.Origin.String() != c.from {
			t.Errorf("%s: %s from %s", name, r.Value.Text, r.Value.Origin)
		}
		if losers := max(0, len(c.layers)-1); len(r.Losers) != losers {
			t.Errorf("%s: %d losers, not %d", name, len(r.Losers), losers)
		}
		for _, l := range r.Losers {
			if l.Why == "" {
				t.Errorf("%s: a loser without a reason", name)
			}
		}
		state := consent.PolicyFresh
		if len(c.layers) == 0 {
			state = consent.PolicyNone
		}
		if e.State != state {
			t.Errorf("%s: state %s", name, e.State)
		}
	}
}

func TestMergeLists(t *testing.T) {
	list := func(enforced bool, of ...string) policy.Value {
		return policy.Value{Name: policy.SSHAccounts, List: of, Enforced: enforced}
	}
	e := policy.Merge([]policy.Layer{
		layer("file", policy.Machine, list(true, "a", "b", "c")),
		layer("server", policy.Machine, list(true, "c", "d", "b")),
		layer("file", policy.Machine, list(false, "z")),
	})
	if got := e.SSH().Accounts; !slices.Equal(got, []string{"b", "c"}) {
		t.Errorf("%v", got)
	}
}

func TestEffective(t *testing.T) {
	e := policy.Merge(nil)
	if e.QuestionTime() != 30*time.Second || len(e.Languages())+len(e.SSH().Accounts)+len(e.TestAnswerDevices()) > 0 {
		t.Errorf("defaults: %+v", e)
	}
	in := consent.Input{Direction: consent.Outgoing, LogSessions: true, Outgoing: consent.OutgoingAll, Incoming: consent.IncomingOff,
		Local: consent.AccessUnset, Desktop: consent.DesktopAvailable}
	e.Fill(&in)
	if d := consent.Decide(in); d.Verdict != consent.Ask {
		t.Errorf("without a policy: %+v", d)
	}
	policy.Merge([]policy.Layer{layer("file", policy.Machine, choice(policy.AccessControl, "denied", true), choice(policy.Insights, "on", true), choice(policy.Reporting, "on", false))}).Fill(&in)
	if in.PolicyState != "fresh" || in.AccessControl != "denied" || !in.AccessControlEnforced || in.Insights != "on" || !in.InsightsEnforced || in.Reporting != "on" {
		t.Errorf("%+v", in)
	}
	if d := consent.Decide(in); d.Reason != consent.ReasonDeniedByPolicy {
		t.Errorf("%+v", d)
	}
	for what, bad := range map[string]policy.Effective{
		"said so":        policy.Unreadable(),
		"zero value":     {},
		"unknown key":    policy.Merge([]policy.Layer{layer("server", policy.Machine, choice("Colour", "red", true))}),
		"unknown choice": policy.Merge([]policy.Layer{layer("server", policy.Machine, choice(policy.AccessControl, "never", true))}),
		"out of bounds":  policy.Merge([]policy.Layer{layer("server", policy.Machine, policy.Value{Name: policy.QuestionSeconds, Number: 9})}),
	} {
		bad.Fill(&in)
		in.Local = consent.AccessAllowed
		if d := consent.Decide(in); d.Verdict != consent.Deny {
			t.Errorf("%s: %+v", what, d)
		}
	}
}

func anyLayers(t *rapid.T) []policy.Layer {
	var layers []policy.Layer
	for range rapid.IntRange(0, 5).Draw(t, "layers") {
		l := layer(rapid.SampledFrom([]string{"file", "server", "registry"}).Draw(t, "origin"),
			rapid.SampledFrom([]policy.Scope{policy.Machine, policy.User}).Draw(t, "scope"))
		for _, d := range policy.Definitions() {
			if !rapid.Bool().Draw(t, "set") {
				continue
			}
			v := policy.Value{Name: d.Name, Enforced: rapid.Bool().Draw(t, "enforced")}
			switch d.Type {
			case policy.Choice:
				v.Text = rapid.SampledFrom(d.Choices).Draw(t, "choice")
			case policy.Number:
				v.Number = rapid.IntRange(d.Min, d.Max).Draw(t, "number")
			case policy.List:
				pool := []string{"en", "pt-BR", "es"}
				if d.Name == policy.RecordGroups {
					pool = []string{"windows", "chat", "files"}
				}
				if d.Name == policy.SSHKeys {
					pool = []string{"SHA256:" + strings.Repeat("a", 43), "SHA256:" + strings.Repeat("b", 43)}
				}
				v.List = rapid.SliceOfNDistinct(rapid.SampledFrom(pool), 0, 2, rapid.ID).Draw(t, "list")
			}
			l.Values = append(l.Values, v)
		}
		layers = append(layers, l)
	}
	return layers
}

// TestMergeLaws: an enforced value is never weakened by another source, nothing
// is invented, and every candidate is either the winner or explained. To see it
// fail, turn round the comparison in Definition.stricter.
func TestMergeLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		layers := anyLayers(t)
		e := policy.Merge(layers)
		for _, d := range policy.Definitions() {
			r := e.Get(d.Name)
			candidates := 0
			for _, l := range layers {
				for _, v := range l.Values {
					if v.Name != d.Name {
						continue
					}
					candidates++
					if !v.Enforced {
						continue
					}
					if !r.Value.Enforced {
						t.Fatalf("%s: an enforced value lost to one that is not", d.Name)
					}
					if slices.Index(d.Choices, r.Value.Text) > slices.Index(d.Choices, v.Text) {
						t.Fatalf("%s: %s weakened an enforced %s", d.Name, r.Value.Text, v.Text)
					}
					if d.Smaller && r.Value.Number > v.Number {
						t.Fatalf("%s: %d weakened an enforced %d", d.Name, r.Value.Number, v.Number)
					}
					for _, entry := range r.Value.List {
						if d.Narrows && !slices.Contains(v.List, entry) {
							t.Fatalf("%s: entry %s is not in every enforced list", d.Name, entry)
						}
					}
				}
			}
			if r.Set != (candidates > 0) || r.Set && len(r.Losers) != candidates-1 || !r.Set && r.Value.Origin.Name != policy.FromDefault {
				t.Fatalf("%s: %d candidates: %+v", d.Name, candidates, r)
			}
		}
		if fmt.Sprint(e) != fmt.Sprint(policy.Merge(layers)) {
			t.Fatal("same layers, other policy")
		}
	})
}

func TestShowText(t *testing.T) {
	text := policy.ShowText(policy.Merge([]policy.Layer{
		layer("file", policy.Machine, choice(policy.AccessControl, "allowed", false)),
		layer("server", policy.Machine, choice(policy.AccessControl, "denied", true)),
	}))
	for _, want := range []string{"policy: fresh", "AccessControl      denied  [enforced, server]", "not allowed from file: an enforced value wins"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

func TestAllowsUnasked(t *testing.T) {
	for _, c := range []struct {
		v    policy.Value
		want bool
	}{
		{choice(policy.AccessControl, "allowed", false), true},
		{choice(policy.AccessControl, "after-confirmation", false), false},
		{choice(policy.Insights, "on", false), true},
		{choice(policy.Insights, "off", true), false},
		{policy.Value{Name: policy.TestAnswerDevices, List: []string{"x"}}, true},
		{policy.Value{Name: policy.TestAnswerDevices}, false},
		{policy.Value{Name: policy.QuestionSeconds, Number: 10}, false},
		{policy.Value{Name: policy.AllowMinutes, Number: 1}, true},
		{policy.Value{Name: policy.AllowMinutes}, false},
		{policy.Value{Name: policy.AskAgainMinutes, Number: 480}, false},
		{choice(policy.AcceptUnproven, "on", true), true},
		{choice(policy.AcceptUnproven, "off", true), false},
		{policy.Value{Name: policy.RecordGroups, List: []string{"windows"}}, false},
	} {
		d, _ := policy.Define(c.v.Name)
		if d.AllowsUnasked(c.v) != c.want {
			t.Errorf("%+v", c.v)
		}
	}
}

// TestSessionKeys: what the keys about how long a yes lasts, who gave it and
// what may be recorded come to.
func TestSessionKeys(t *testing.T) {
	e := policy.Merge(nil)
	if e.AllowFor() != 0 || e.AskAgain() != 8*time.Hour || e.AcceptsUnproven() {
		t.Errorf("defaults: %s %s %v", e.AllowFor(), e.AskAgain(), e.AcceptsUnproven())
	}
	for _, g := range event.Groups {
		if !e.MayRecord(g) {
			t.Errorf("by default %s may be recorded", g)
		}
	}
	number := func(n policy.Name, v int, enforced bool) policy.Value {
		return policy.Value{Name: n, Number: v, Enforced: enforced}
	}
	groups := func(of ...string) policy.Value {
		return policy.Value{Name: policy.RecordGroups, List: of, Enforced: true}
	}
	e = policy.Merge([]policy.Layer{
		layer("file", policy.Machine, number(policy.AllowMinutes, 120, true), number(policy.AskAgainMinutes, 60, false), choice(policy.AcceptUnproven, "on", false), groups("windows", "chat")),
		layer("server", policy.Machine, number(policy.AllowMinutes, 30, true), number(policy.AskAgainMinutes, 30, false), groups("chat", "files")),
	})
	if e.AllowFor() != 30*time.Minute || e.AskAgain() != time.Hour || !e.AcceptsUnproven() {
		t.Errorf("merged: %s %s %v", e.AllowFor(), e.AskAgain(), e.AcceptsUnproven())
	}
	for _, g := range event.Groups {
		if e.MayRecord(g) != (g == event.Chat) {
			t.Errorf("%s: %v", g, e.MayRecord(g))
		}
	}
	none := policy.Merge([]policy.Layer{layer("file", policy.Machine, policy.Value{Name: policy.RecordGroups, List: []string{}})})
	if slices.ContainsFunc(event.Groups, none.MayRecord) {
		t.Error("an empty list records something")
	}
	if policy.Unreadable().AcceptsUnproven() || (policy.Effective{}).AcceptsUnproven() || (policy.Effective{}).MayRecord(event.Windows) {
		t.Error("doubt loosens")
	}
}

// FuzzParse: either problems and no value, or values that Merge takes, and no
// two readings of the same key (the standard library's last one wins). To see
// it fail, leave the check of p.seen out of parser.object.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"AccessControl": "denied", "QuestionSeconds": 60, "SSHAccounts": ["support"]}`))
	f.Add([]byte(`{"AccessControl": "denied", "accessControl": "allowed"}`))
	f.Add([]byte(`{"AccessControl": "denied", "AccessControl": "allowed"}`))
	f.Add([]byte(`{"Languages": ["pt-BR", null]}`))
	f.Add([]byte(`{"QuestionSeconds": -0}`))
	f.Add([]byte("\ufeff{}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		values, problems := policy.Parse("f", raw)
		if len(problems) > 0 {
			if values != nil {
				t.Fatal("values out of a file with problems")
			}
			for _, p := range problems {
				if p.Wrong == "" || strings.ContainsAny(p.String(), "\x00\n\x1b") {
					t.Fatalf("%q", p.String())
				}
			}
			return
		}
		var same map[string]any
		if err := json.Unmarshal(raw, &same); err != nil || len(same) != len(values) {
			t.Fatalf("%v: %d keys, %d values", err, len(same), len(values))
		}
		if e := policy.Merge([]policy.Layer{{Values: values}}); len(e.Problems) > 0 {
			t.Fatal(e.Problems)
		}
	})
}

const keysPage = "../../docs/policy.md"

// TestKeysPage compares the table in docs/policy.md with the one in keys.go.
// AVAL_UPDATE=1 writes it.
func TestKeysPage(t *testing.T) {
	const from, to = "<!-- keys: begin -->\n", "<!-- keys: end -->"
	raw, err := os.ReadFile(keysPage)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(raw), from)
	_, tail, ok2 := strings.Cut(rest, to)
	if !ok || !ok2 {
		t.Fatal("the page has no marks for the table")
	}
	want := head + from + table() + to + tail
	if want == string(raw) {
		return
	}
	if os.Getenv("AVAL_UPDATE") == "" {
		t.Fatal("the table of keys is not that of keys.go: run with AVAL_UPDATE=1")
	}
	if err := os.WriteFile(keysPage, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestPageExamples: what the page shows as a policy file is one.
func TestPageExamples(t *testing.T) {
	raw, err := os.ReadFile(keysPage)
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(raw), "```json\n")[1:]
	if len(blocks) < 2 {
		t.Fatal("the page has no examples")
	}
	for _, b := range blocks {
		b, _, _ = strings.Cut(b, "```")
		if p := policy.Validate("example", []byte(b)); len(p) > 0 {
			t.Errorf("%s\n%v", b, p)
		}
	}
}

// TestRemoves: what any source wants removed is removed, enforced or not, and an
// expression that is none, or that is found in every text, is no policy.
func TestRemoves(t *testing.T) {
	layer := func(enforced bool, list ...string) policy.Layer {
		return policy.Layer{Origin: policy.Origin{Name: policy.FromFile, Scope: policy.Machine}, Values: []policy.Value{{Name: policy.AlsoRemove, List: list, Enforced: enforced}}}
	}
	got := policy.Merge([]policy.Layer{layer(true, `A\d+`), layer(false, `B\d+`, `A\d+`), layer(true)}).Removes()
	slices.Sort(got)
	if !slices.Equal(got, []string{`A\d+`, `B\d+`}) {
		t.Errorf("%q", got)
	}
	for _, bad := range []string{"(", "a*", "(?=x)", `((a{1,500}b?){1,2}){1,9}`} {
		if e := policy.Merge([]policy.Layer{layer(true, bad)}); e.State != consent.PolicyUnreadable {
			t.Errorf("%q: %s", bad, e.State)
		}
	}
}

// TestPatterns: what a key's check takes, its pattern takes; and where a pattern
// can say it wholly, nothing else.
func TestPatterns(t *testing.T) {
	loose := []policy.Name{policy.SSHAccounts, policy.SSHGroups, policy.TestAnswerDevices, policy.AlsoRemove} // a pattern cannot say "printable", nor what an expression is
	rapid.Check(t, func(t *rapid.T) {
		for _, d := range policy.Definitions() {
			if d.Type != policy.List {
				continue
			}
			e := rapid.OneOf(rapid.String(), rapid.StringMatching(d.Pattern), rapid.StringMatching(d.Pattern+"|.")).Draw(t, "entry")
			_, ok := d.Entry(e)
			matches := regexp.MustCompile(d.Pattern).MatchString(e)
			if ok && !matches || matches && !ok && !slices.Contains(loose, d.Name) {
				t.Fatalf("%s: %q: check %v, pattern %v", d.Name, e, ok, matches)
			}
		}
	})
}

func TestDefinitions(t *testing.T) {
	for _, d := range policy.Definitions() {
		if d.Doc == "" || d.Allowed() == "" {
			t.Errorf("%s is not documented", d.Name)
		}
		if d.Type == policy.Choice && (len(d.Choices) < 2 || d.Default != "unset" && !slices.Contains(d.Choices, d.Default)) {
			t.Errorf("%s: default %q", d.Name, d.Default)
		}
		// The default is a value that the key may have.
		def := policy.Merge(nil).Get(d.Name).Value
		if def.Text != "unset" {
			if again := policy.Merge([]policy.Layer{{Values: []policy.Value{def}}}); len(again.Problems) > 0 || def.String() != d.Default {
				t.Errorf("%s: default %q: %v", d.Name, d.Default, again.Problems)
			}
		}
		if d.AllowsUnasked(def) {
			t.Errorf("%s: its default allows without a question", d.Name)
		}
		example := d.ExampleValue()
		if bad := policy.Merge([]policy.Layer{{Values: []policy.Value{example}}}); len(bad.Problems) > 0 || d.AllowsUnasked(example) {
			t.Errorf("%s: example %s: %v", d.Name, example, bad.Problems)
		}
		if got, ok := policy.Define(d.Name); !ok || got.Name != d.Name {
			t.Errorf("%s is not found", d.Name)
		}
	}
	if _, ok := policy.Define("accesscontrol"); ok {
		t.Error("case does not count")
	}
}

// TestDevicesOnlyByFile: what stands for a hand on this computer is for a file
// here alone to say. To plant the bug, leave the look at the origin out of
// TestAnswerDevices.
func TestDevicesOnlyByFile(t *testing.T) {
	for origin, want := range map[string]int{policy.FromFile: 1, policy.FromServer: 0, policy.FromRegistry: 0, policy.FromPreferences: 0} {
		e := policy.Merge([]policy.Layer{{Origin: policy.Origin{Name: origin, Scope: policy.Machine},
			Values: []policy.Value{{Name: policy.TestAnswerDevices, List: []string{"a mouse"}, Enforced: true}}}})
		if got := e.TestAnswerDevices(); len(got) != want {
			t.Errorf("named by %s: %v", origin, got)
		}
	}
}
