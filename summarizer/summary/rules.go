package summary

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/assets"
)

// How many things a sentence names before it only counts the rest.
const (
	maxApps      = 6
	maxTitles    = 3
	maxPrograms  = 8
	maxFiles     = 8
	maxNotes     = 3
	maxFollowUps = 5
	maxCommands  = 40 // in a step

	maxShownCommands = 5 // in the text
)

// writer turns facts into sentences of one language.
type writer struct {
	c  *assets.Catalog
	in Session
	f  facts
}

// Rules writes the summary of in by rules, in the language of lang (a BCP 47
// tag; one without a catalogue: English). The same events give the same
// summary, in whatever order they come.
func Rules(in Session, lang string) Summary {
	w := writer{c: assets.ForArea("summary", lang), in: in, f: gather(in.Events)}
	issue := w.f.issue()
	outcome := w.f.outcome(issue)

	s := Summary{
		Language: w.c.Lang, Engine: Engine, EngineVersion: EngineVersion, Version: Version,
		Stats:        w.stats(),
		Participants: w.participants(),
		Applications: w.applications(),
		IssueTypes:   w.issueTypes(issue),
		Steps:        w.steps(),
		FollowUps:    w.followUps(),
		Issue:        Issue{issue.state, w.statement("summary.issue.", issue)},
		Outcome:      Outcome{outcome.state, w.statement("summary.outcome.", outcome)},
	}
	s.IssueTypeLabels, s.ApplicationLabels = labels(s.IssueTypes), labels(s.Applications)

	s.Sentences = slices.Concat(w.opening(), []Sentence{s.Issue.Sentence}, w.done(), w.notes(issue, outcome), w.gaps(), []Sentence{w.ending(), s.Outcome.Sentence})
	texts := make([]string, len(s.Sentences))
	for i, t := range s.Sentences {
		texts[i] = t.Text
	}
	s.Text = strings.Join(texts, " ")
	s.Name = w.name(issue, s.Applications)
	return s
}

// say makes a sentence of a text without a number.
func (w writer) say(key string, args assets.Args, evidence ...[]uint64) Sentence {
	return Sentence{w.c.T(key, args), Evidence{Events: ordered(evidence...)}}
}

// count makes a sentence of a text that counts n.
func (w writer) count(key string, n int, args assets.Args, evidence ...[]uint64) Sentence {
	return Sentence{w.c.N(key, n, args), Evidence{Events: ordered(evidence...)}}
}

func ordered(evidence ...[]uint64) []uint64 {
	all := slices.Concat(evidence...)
	slices.Sort(all)
	if all = slices.Compact(all); all == nil {
		return []uint64{}
	}
	return all
}

// recorded lets a sentence rest on the record that allowed the session, too.
func (w writer) recorded(s Sentence) Sentence {
	s.Record = w.in.Grant
	return s
}

func (w writer) supporter() string {
	if n := label(w.in.Supporter); Clean(w.in.Supporter, maxName) != "" {
		return n
	}
	return w.c.T("summary.somebody", nil)
}

// Address tells whether a supporter is known by an IP address only: the tool
// gave no name, so there is none to verify.
func Address(supporter string) bool {
	_, err := netip.ParseAddr(supporter)
	return err == nil
}

func (w writer) tool() string {
	if Clean(w.in.Tool, maxName) == "" {
		return w.c.T("summary.some_tool", nil)
	}
	return label(w.in.Tool)
}

// opening tells who connected, who allowed it, and how long it was recorded.
func (w writer) opening() []Sentence {
	key := "summary.connected.unverified"
	switch {
	case Address(w.in.Supporter):
		key = "summary.connected.address"
	case w.in.SupporterVerified || Clean(w.in.Supporter, maxName) == "":
		key = "summary.connected.verified"
	}
	out := []Sentence{w.recorded(w.say(key, assets.Args{"supporter": w.supporter(), "tool": w.tool()}, w.f.first))}

	switch w.in.Basis {
	case consent.BasisConsent, consent.BasisStandingSetting, consent.BasisPolicy, consent.BasisEnforcedPolicy:
		out = append(out, w.recorded(w.say("summary.allowed."+string(w.in.Basis), nil, w.f.first)))
	}
	if w.in.Basis == consent.BasisConsent {
		switch w.in.Provenance {
		case consent.P0, consent.P1, consent.P2, consent.P3:
			out = append(out, w.recorded(w.say("summary.provenance."+string(w.in.Provenance), nil, w.f.first)))
		}
	}
	if w.in.Objection != "" {
		s := w.say("summary.objected", nil)
		s.Record = w.in.Objection
		out = append(out, s)
	}
	if len(w.f.events) > 0 {
		out = append(out, w.say("summary.lasted", assets.Args{"duration": Duration(w.c, w.f.duration)}, w.f.first, w.f.last))
	}
	return out
}

// statement tells issue or outcome in the words of whoever stated it. What
// nobody stated rests on the whole session: its first and its last event.
func (w writer) statement(prefix string, s said) Sentence {
	if s.state == NotStated {
		t := w.say(prefix+string(NotStated), nil, w.f.first, w.f.last)
		if len(w.f.events) == 0 {
			t = w.recorded(t)
		}
		return t
	}
	key := prefix + s.by
	if s.state != Stated {
		key = prefix + string(s.state) + "." + s.by
	}
	return w.say(key, assets.Args{"quote": quote(s.text, maxQuote)}, s.seqs)
}

// done tells in one sentence each what was used, run and transferred.
func (w writer) done() []Sentence {
	var out []Sentence
	if n := len(w.f.apps); n > 0 {
		var names []string
		var ev []uint64
		for i, a := range w.f.apps {
			ev = append(ev, a.first)
			if i < maxApps {
				names = append(names, label(a.name))
			}
		}
		out = append(out, w.list("summary.used", n, names, ev))
	}
	if n := len(w.f.others); n > 0 {
		names, ev := distinct(w.f.others, "program")
		shown := names[:min(len(names), maxPrograms)]
		out = append(out, w.list("summary.started", len(names), shown, ev))
	}
	if n := len(w.f.commands); n > 0 {
		var shown []string
		all := lines(w.f.commands, n)
		for _, l := range all[:min(len(all), maxShownCommands)] {
			shown = append(shown, quote(l, maxTitle))
		}
		out = append(out, w.list("summary.commands", len(all), shown, seqs(w.f.commands)))
	}
	for _, d := range directions {
		if es := w.filesOf(d); len(es) > 0 {
			out = append(out, w.files("summary.files."+cmp.Or(d, "unknown"), es))
		}
	}
	return append(out, w.system()...)
}

var directions = []string{"to-computer", "from-computer", ""}

func (w writer) filesOf(direction string) []event.Event {
	var out []event.Event
	for _, e := range w.f.files {
		d := e.Fields["direction"]
		if d == direction || (direction == "" && !slices.Contains(directions, d)) {
			out = append(out, e)
		}
	}
	return out
}

func (w writer) files(key string, es []event.Event) Sentence {
	var names []string
	for _, e := range es[:min(len(es), maxFiles)] {
		names = append(names, quote(e.Fields["name"], maxTitle))
	}
	return w.list(key, len(es), names, seqs(es))
}

// list names the first of n things and counts the rest: key for all of them,
// key + "_more" where some are left out ({n} is how many).
func (w writer) list(key string, n int, shown []string, evidence []uint64) Sentence {
	args := assets.Args{"names": strings.Join(shown, ", ")}
	if rest := n - len(shown); rest > 0 {
		return w.count(key+"_more", rest, args, evidence)
	}
	return w.count(key, n, args, evidence)
}

// distinct lists the different values of a field as labels, and what they rest on.
func distinct(es []event.Event, field string) (names []string, ev []uint64) {
	seen := map[string]bool{}
	for _, e := range es {
		k := program(e.Fields[field])
		if !seen[k] {
			seen[k] = true
			names = append(names, label(e.Fields[field]))
			ev = append(ev, e.Seq)
		}
	}
	return names, ev
}

// notes quotes the notes that are not quoted already, as issue or outcome.
func (w writer) notes(told ...said) []Sentence {
	var out []Sentence
	var rest []uint64
	for _, e := range w.f.talk {
		switch {
		case e.Kind != event.Note || slices.ContainsFunc(told, func(s said) bool { return slices.Contains(s.seqs, e.Seq) }):
		case len(out) < maxNotes:
			out = append(out, w.say("summary.note", assets.Args{"quote": quote(e.Fields["text"], maxQuote)}, []uint64{e.Seq}))
		default:
			rest = append(rest, e.Seq)
		}
	}
	if len(rest) > 0 {
		out = append(out, w.count("summary.notes_more", len(rest), nil, rest))
	}
	return out
}

// gapReasons that have a sentence of their own; all others share one.
var gapReasons = []string{"other-session", "indicator-lost", "desktop-locked", "agent-restarted", "unconfirmed", "expired", "dropped", "disk-full", "narrowed", "source-lost", "too-short"}

func (w writer) gaps() []Sentence {
	by := map[string][]uint64{}
	missing, pauses, whole, short := 0, 0, true, 0
	var total time.Duration
	for _, s := range w.f.stops() {
		r := s.gap.Fields["reason"]
		switch {
		case r == "paused":
			pauses++
			if s.resumed == nil {
				whole = false
			} else {
				total += span(s.gap.At, s.resumed.At)
			}
		case r == "dropped":
			missing += count(s.gap.Fields["count"])
		case r == "too-short":
			short += count(s.gap.Fields["count"])
		case !slices.Contains(gapReasons, r):
			r = "unknown"
		}
		by[r] = append(by[r], s.gap.Seq)
		if s.resumed != nil {
			by[r] = append(by[r], s.resumed.Seq)
		}
	}
	var out []Sentence
	switch {
	case pauses > 0 && whole:
		out = append(out, w.count("summary.gap.paused_for", pauses, assets.Args{"duration": Duration(w.c, total)}, by["paused"]))
	case pauses > 0:
		out = append(out, w.count("summary.gap.paused", pauses, nil, by["paused"]))
	}
	for _, r := range append(slices.Clone(gapReasons), "unknown") {
		switch ev := by[r]; {
		case len(ev) == 0:
		case r == "dropped" && missing > 0:
			out = append(out, w.count("summary.gap.dropped_count", missing, nil, ev))
		case r == "too-short" && short > 0:
			out = append(out, w.count("summary.gap.too-short_count", short, nil, ev))
		default:
			out = append(out, w.say("summary.gap."+r, nil, ev))
		}
	}
	return out
}

var endings = []string{"ended", "lost", "stopped", "expired", "withdrawn", "policy", "unenrolled"}

func (w writer) ending() Sentence {
	switch {
	case w.f.ended == nil && w.in.Withdrawal != "":
		s := w.say("summary.end.withdrawn", nil)
		s.Record = w.in.Withdrawal
		return s
	case w.f.ended == nil:
		s := w.say("summary.end.open", nil, w.f.last)
		if len(w.f.events) == 0 {
			s = w.recorded(s)
		}
		return s
	case slices.Contains(endings, w.f.ended.Fields["reason"]):
		return w.say("summary.end."+w.f.ended.Fields["reason"], nil, []uint64{w.f.ended.Seq})
	}
	return w.say("summary.end.unknown", nil, []uint64{w.f.ended.Seq})
}

func (w writer) followUps() []Sentence {
	out := []Sentence{}
	for _, e := range w.f.talk {
		for _, c := range clauses(e.Fields["text"]) {
			if len(out) < maxFollowUps && !c.question && find(c.words, followUpCues) >= 0 {
				out = append(out, w.say("summary.follow_up."+speaker(e), assets.Args{"quote": quote(e.Fields["text"], maxQuote)}, []uint64{e.Seq}))
				break
			}
		}
	}
	return out
}

func (w writer) participants() []Participant {
	return []Participant{
		{Role: "supporter", Name: Clean(w.in.Supporter, maxName), Verified: w.in.SupporterVerified},
		{Role: "person"},
	}
}

func (w writer) applications() []Label {
	out := []Label{}
	for _, a := range w.f.apps {
		out = append(out, Label{Label: a.name, Evidence: Evidence{Events: []uint64{a.first}}})
	}
	return out
}

func (w writer) issueTypes(issue said) []Label {
	out := []Label{}
	if issue.state == Stated {
		for _, k := range typesOf(issue.text) {
			out = append(out, Label{Key: k, Label: w.c.T("summary.type."+k, nil), Evidence: Evidence{Events: issue.seqs}})
		}
	}
	return out
}

func labels(ls []Label) []string {
	out := make([]string, len(ls))
	for i, l := range ls {
		out[i] = l.Label
	}
	return out
}

func (w writer) stats() Stats {
	s := Stats{
		DurationSeconds: int64(w.f.duration / time.Second), Events: len(w.f.events), Applications: len(w.f.apps), Windows: w.f.windows,
		Programs: w.f.programs, Commands: len(w.f.commands), Files: len(w.f.files), Gaps: len(w.f.gaps),
	}
	for _, e := range w.f.talk {
		if e.Kind == event.Note {
			s.Notes++
		} else {
			s.Messages++
		}
	}
	return s
}

// name is the title: the issue where it was stated, else what was used.
func (w writer) name(issue said, apps []Label) string {
	args := assets.Args{"supporter": w.supporter(), "tool": w.tool()}
	switch {
	case issue.state == Stated:
		args["quote"] = quote(issue.text, maxTitle)
		return w.c.T("summary.name.issue", args)
	case len(apps) > 0:
		var names []string
		for _, a := range apps[:min(len(apps), maxTitles)] {
			names = append(names, label(a.Label))
		}
		args["names"] = strings.Join(names, ", ")
		return w.c.T("summary.name.apps", args)
	}
	return w.c.T("summary.name.plain", args)
}

// Duration writes d in whole seconds as a person reads it.
func Duration(c *assets.Catalog, d time.Duration) string {
	s := int64(max(0, d) / time.Second)
	args := assets.Args{"h": s / 3600, "min": s / 60 % 60, "s": s % 60}
	switch {
	case s >= 3600:
		return c.T("summary.duration.hours", args)
	case s >= 60:
		return c.T("summary.duration.minutes", args)
	}
	return c.T("summary.duration.seconds", args)
}
