package consent_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"aval/agent/consent"
)

// The oracle is the tables of docs/decision.md and an evaluator that knows
// nothing of deciding: it looks up rows. In each table exactly one row must
// fit; two or none is a fault of the page.

// column is one column of a table: a variable, and whether the table answers it.
type column struct {
	name   int
	answer bool
}

type row struct {
	line  int
	masks []uint64 // per asked column: which values fit
	give  []uint8  // per answer column: the value
}

type table struct {
	title    string
	asked    []int
	answered []int
	rows     []row
}

// oracle holds the tables with names and values as small numbers.
type oracle struct {
	tables []table
	names  []string   // variables
	values [][]string // of each variable
}

const pageFile = "../../docs/decision.md"

func readOracle(t testing.TB) *oracle {
	raw, err := os.ReadFile(pageFile)
	if err != nil {
		t.Fatal(err)
	}
	o := &oracle{}
	section, ok := cutBetween(string(raw), "\n## What is looked at\n", "\n## The tables\n")
	if !ok {
		t.Fatal("the page has no list of inputs")
	}
	for _, l := range strings.Split(section, "\n") {
		if c := cells(l); len(c) == 3 && strings.HasPrefix(c[0], "`") {
			v := o.variable(strings.Trim(c[0], "`"))
			for _, value := range strings.Split(c[1], ", ") {
				o.value(v, value)
			}
		}
	}
	section, ok = cutBetween(string(raw), "\n## The tables\n", "\n## Several companies")
	if !ok {
		t.Fatal("the page has no tables")
	}
	var cols []column
	var cur *table
	title := ""
	for n, l := range strings.Split(section, "\n") {
		c := cells(l)
		switch {
		case strings.HasPrefix(l, "### "):
			title, cols = l[4:], nil
		case len(c) == 0 || strings.HasPrefix(c[0], "---"):
		case cols == nil:
			o.tables = append(o.tables, table{title: title})
			cur = &o.tables[len(o.tables)-1]
			for _, name := range c {
				name, answer := strings.CutPrefix(name, "→ ")
				v := o.variable(strings.Trim(name, "`"))
				cols = append(cols, column{v, answer})
				if answer {
					cur.answered = append(cur.answered, v)
				} else {
					cur.asked = append(cur.asked, v)
				}
			}
		default:
			if len(c) != len(cols) {
				t.Fatalf("%s: row %d has %d cells, not %d", title, n, len(c), len(cols))
			}
			r := row{line: n}
			for i, cell := range c {
				if cols[i].answer {
					r.give = append(r.give, uint8(o.value(cols[i].name, cell)))
					continue
				}
				mask := ^uint64(0)
				if cell != "any" {
					mask = 0
					for _, word := range strings.Split(cell, " or ") {
						at := slices.Index(o.values[cols[i].name], word)
						if at < 0 {
							t.Fatalf("%s: %q is no value of %s", title, word, o.names[cols[i].name])
						}
						mask |= 1 << at
					}
				}
				r.masks = append(r.masks, mask)
			}
			cur.rows = append(cur.rows, r)
		}
	}
	if len(o.tables) != 7 {
		t.Fatalf("the page has %d tables", len(o.tables))
	}
	return o
}

func (o *oracle) variable(name string) int {
	if i := slices.Index(o.names, name); i >= 0 {
		return i
	}
	o.names = append(o.names, name)
	o.values = append(o.values, nil)
	return len(o.names) - 1
}

func (o *oracle) value(v int, word string) int {
	if i := slices.Index(o.values[v], word); i >= 0 {
		return i
	}
	o.values[v] = append(o.values[v], word)
	return len(o.values[v]) - 1
}

// eval looks state (value of each variable) through all tables; those that
// follow from others are filled in.
func (o *oracle) eval(state []uint8) error {
	for ti := range o.tables {
		tb := &o.tables[ti]
		found := -1
	rows:
		for ri := range tb.rows {
			for i, v := range tb.asked {
				if tb.rows[ri].masks[i]&(1<<state[v]) == 0 {
					continue rows
				}
			}
			if found >= 0 {
				return fmt.Errorf("%s: rows %d and %d both fit", tb.title, tb.rows[found].line, tb.rows[ri].line)
			}
			found = ri
		}
		if found < 0 {
			return fmt.Errorf("%s: no row fits", tb.title)
		}
		for i, v := range tb.answered {
			state[v] = tb.rows[found].give[i]
		}
	}
	return nil
}

// setter sets one input in an Input; setters has one for each name.
type setter func(in *consent.Input, value string)

func setBool(p func(*consent.Input) *bool) setter {
	return func(in *consent.Input, v string) { *p(in) = v == "true" }
}

func setText[T ~string](p func(*consent.Input) *T) setter {
	return func(in *consent.Input, v string) { *p(in) = T(v) }
}

var setters = map[string]setter{
	"direction":               setText(func(in *consent.Input) *consent.Direction { return &in.Direction }),
	"log_sessions":            setBool(func(in *consent.Input) *bool { return &in.LogSessions }),
	"outgoing":                setText(func(in *consent.Input) *consent.OutgoingOption { return &in.Outgoing }),
	"module_enabled":          setBool(func(in *consent.Input) *bool { return &in.ModuleEnabled }),
	"incoming":                setText(func(in *consent.Input) *consent.IncomingOption { return &in.Incoming }),
	"incoming_enforced":       setBool(func(in *consent.Input) *bool { return &in.IncomingEnforced }),
	"managed_by_requester":    setBool(func(in *consent.Input) *bool { return &in.ManagedByRequester }),
	"policy_state":            setText(func(in *consent.Input) *consent.PolicyState { return &in.PolicyState }),
	"reporting":               setText(func(in *consent.Input) *consent.Switch { return &in.Reporting }),
	"insights":                setText(func(in *consent.Input) *consent.Switch { return &in.Insights }),
	"insights_enforced":       setBool(func(in *consent.Input) *bool { return &in.InsightsEnforced }),
	"access_control":          setText(func(in *consent.Input) *consent.AccessControl { return &in.AccessControl }),
	"access_control_enforced": setBool(func(in *consent.Input) *bool { return &in.AccessControlEnforced }),
	"local":                   setText(func(in *consent.Input) *consent.AccessControl { return &in.Local }),
	"desktop":                 setText(func(in *consent.Input) *consent.Desktop { return &in.Desktop }),
}

// each walks the whole product of values. yield gets the input and what the
// page says; the walk ends when yield returns false.
func (o *oracle) each(t testing.TB, yield func(in consent.Input, want consent.Decision) bool) {
	name := func(n string) int {
		i := slices.Index(o.names, n)
		if i < 0 {
			t.Fatalf("the page has no %q", n)
		}
		return i
	}
	verdict, basis, reason, notice, whyNot := name("verdict"), name("basis"), name("reason"), name("notice"), name("why not")
	o.inputs(t, func(in consent.Input, state []uint8) bool {
		if err := o.eval(state); err != nil {
			t.Fatalf("%+v: %v", in, err)
		}
		want := consent.Decision{
			Verdict: consent.Verdict(o.values[verdict][state[verdict]]),
			Basis:   consent.Basis(o.values[basis][state[basis]]),
			Reason:  consent.Reason(o.values[reason][state[reason]]),
			Notice:  o.values[notice][state[notice]] == "yes",
		}
		if want.Reason == "see 4" {
			want.Reason = consent.Reason(o.values[whyNot][state[whyNot]])
		}
		return yield(in, want)
	})
}

// inputs walks the whole product of values without a look at the tables. state
// has the number of each input's value, and room for what the tables answer.
func (o *oracle) inputs(t testing.TB, yield func(in consent.Input, state []uint8) bool) {
	var set []setter
	for _, n := range o.names[:len(setters)] {
		if setters[n] == nil {
			t.Fatalf("the page has an unknown input %q", n)
		}
		set = append(set, setters[n])
	}
	state := make([]uint8, len(o.names))
	var in consent.Input
	var walk func(i int) bool
	walk = func(i int) bool {
		if i == len(set) {
			return yield(in, state)
		}
		for v, word := range o.values[i] {
			state[i] = uint8(v)
			set[i](&in, word)
			if !walk(i + 1) {
				return false
			}
		}
		return true
	}
	walk(0)
}

// cells splits a row of a Markdown table.
func cells(l string) []string {
	l = strings.TrimSpace(l)
	if !strings.HasPrefix(l, "|") || !strings.HasSuffix(l, "|") {
		return nil
	}
	c := strings.Split(l[1:len(l)-1], "|")
	for i := range c {
		c[i] = strings.TrimSpace(c[i])
	}
	return c
}

func cutBetween(s, from, to string) (string, bool) {
	_, s, ok := strings.Cut(s, from)
	s, _, ok2 := strings.Cut(s, to)
	return s, ok && ok2
}
