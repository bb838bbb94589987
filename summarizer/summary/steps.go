package summary

import (
	"cmp"
	"slices"
	"strings"

	"aval/agent/event"
)

// steps tells what was done with each application, in the order of first use;
// programs without a window, commands and files are steps of their own.
func (w writer) steps() []Step {
	type placed struct {
		first uint64
		step  Step
	}
	var all []placed
	add := func(first uint64, s Step) {
		if s.Commands == nil {
			s.Commands = []string{}
		}
		all = append(all, placed{first, s})
	}
	for _, a := range w.f.apps {
		add(a.first, w.appStep(a))
	}
	if es := w.f.others; len(es) > 0 {
		names, _ := distinct(es, "program")
		s := w.list("summary.step.programs", len(names), names[:min(len(names), maxPrograms)], seqs(es))
		add(es[0].Seq, Step{Application: w.c.T("summary.step.other_programs", nil), Action: s.Text, Commands: lines(es, maxCommands), Evidence: s.Evidence})
	}
	if es := w.f.commands; len(es) > 0 {
		s := w.count("summary.step.commands", len(es), nil, seqs(es))
		add(es[0].Seq, Step{Application: w.c.T("summary.step.command_line", nil), Action: s.Text, Commands: lines(es, maxCommands), Evidence: s.Evidence})
	}
	if es := w.f.files; len(es) > 0 {
		var texts []string
		for _, d := range directions {
			if part := w.filesOf(d); len(part) > 0 {
				texts = append(texts, w.files("summary.files."+cmp.Or(d, "unknown"), part).Text)
			}
		}
		add(es[0].Seq, Step{Application: w.c.T("summary.step.files", nil), Action: strings.Join(texts, " "), Evidence: Evidence{Events: seqs(es)}})
	}
	if said := w.system(); len(said) > 0 {
		var texts []string
		var ev [][]uint64
		for _, s := range said {
			texts, ev = append(texts, s.Text), append(ev, s.Events)
		}
		if e := ordered(ev...); len(e) > 0 {
			add(e[0], Step{Application: w.c.T("summary.step.system", nil), Action: strings.Join(texts, " "), Evidence: Evidence{Events: e}})
		}
	}
	slices.SortStableFunc(all, func(a, b placed) int { return cmp.Compare(a.first, b.first) })
	out := make([]Step, len(all))
	for i, p := range all {
		out[i] = p.step
	}
	return out
}

func (w writer) appStep(a *app) Step {
	var said []Sentence
	if n := len(a.starts); n > 0 {
		said = append(said, w.count("summary.step.started", n, nil, a.starts))
	}
	if n := len(a.titles); n > 0 {
		var names []string
		var ev []uint64
		for i, t := range a.titles {
			ev = append(ev, t.seq)
			if i < maxTitles {
				names = append(names, quote(t.title, maxTitle))
			}
		}
		said = append(said, w.list("summary.step.windows", n, names, ev))
	} else if len(a.focus) > 0 {
		said = append(said, w.say("summary.step.used", nil, a.focus))
	}
	if len(a.before) > 0 {
		said = append(said, w.say("summary.step.before", nil, a.before))
	}
	texts := make([]string, len(said))
	var ev []uint64
	for i, s := range said {
		texts[i] = s.Text
		ev = append(ev, s.Events...)
	}
	return Step{Application: a.name, Action: strings.Join(texts, " "), Commands: lines(a.lines, maxCommands), Evidence: Evidence{Events: ordered(ev)}}
}

// lines are the different command lines of events, in order; a command whose
// line could not be read shows as its program. There are at most limit.
func lines(es []event.Event, limit int) []string {
	out := []string{}
	for _, e := range es {
		l := Clean(cmp.Or(Clean(e.Fields["command"], maxCommand), e.Fields["program"]), maxCommand)
		if len(out) < limit && !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	return out
}
