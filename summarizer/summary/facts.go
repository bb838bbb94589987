package summary

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"aval/agent/event"
)

// facts is what the events say, before any language.
type facts struct {
	events      []event.Event // by sequence
	first, last []uint64      // sequence of the first and last event; nil without any
	ended       *event.Event
	duration    time.Duration

	apps     []*app // with a window, in the order of first use
	others   []event.Event
	commands []event.Event
	files    []event.Event
	talk     []event.Event // chat and notes together
	gaps     []event.Event
	ends     []event.Event                // of programs and commands
	system   map[event.Kind][]event.Event // what became of the computer
	programs int
	windows  int
}

// app is one application that had a window.
type app struct {
	name   string // as it called itself
	first  uint64
	starts []uint64
	titles []titled
	focus  []uint64 // first focus of a window without a title
	before []uint64 // first focus of a window whose title is from before the answer
	lines  []event.Event
}

type titled struct {
	title string
	seq   uint64
}

func gather(events []event.Event) facts {
	f := facts{events: slices.Clone(events), system: map[event.Kind][]event.Event{}}
	slices.SortFunc(f.events, func(a, b event.Event) int {
		return cmp.Or(cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.Kind, b.Kind), a.At.Compare(b.At))
	})
	f.events = slices.CompactFunc(f.events, func(a, b event.Event) bool { return a.Seq == b.Seq })
	if len(f.events) == 0 {
		return f
	}
	a, z := f.events[0], f.events[len(f.events)-1]
	f.first, f.last = []uint64{a.Seq}, []uint64{z.Seq}
	f.duration = span(a.At, z.At)

	byName := map[string]*app{}
	for i, e := range f.events {
		switch e.Kind {
		case event.SessionEnded:
			f.ended = &f.events[i]
		case event.Gap:
			f.gaps = append(f.gaps, e)
		case event.FileTransferred:
			f.files = append(f.files, e)
		case event.ChatMessage, event.Note:
			f.talk = append(f.talk, e)
		case event.ProgramEnded, event.CommandEnded:
			if !noise(e) {
				f.ends = append(f.ends, e)
			}
		case event.FileChanged, event.PackageChanged, event.ServiceChanged, event.SettingChanged, event.DeviceAttached, event.Restart, event.ErrorLogged:
			f.system[e.Kind] = append(f.system[e.Kind], e)
		case event.CommandRun:
			if !noise(e) {
				f.commands = append(f.commands, e)
			}
		case event.WindowFocused:
			if !noise(e) {
				f.window(byName, e)
			}
		}
	}
	for _, e := range f.events {
		if e.Kind != event.ProgramStarted || noise(e) {
			continue
		}
		f.programs++
		a := byName[program(e.Fields["program"])]
		if a == nil {
			f.others = append(f.others, e)
			continue
		}
		a.starts = append(a.starts, e.Seq)
		a.first = min(a.first, e.Seq)
		// A line that is only the program's name says nothing more.
		if l := e.Fields["command"]; len(strings.Fields(l)) > 1 {
			a.lines = append(a.lines, e)
		}
	}
	slices.SortFunc(f.apps, func(a, b *app) int { return cmp.Compare(a.first, b.first) })
	return f
}

// window adds a focused window to its application: the one of the same program,
// or of the same name where the window did not say its program.
func (f *facts) window(byName map[string]*app, e event.Event) {
	text := e.Fields["title"]
	if text == event.TitleBefore {
		text = "" // a mark, not a title: the application is all that is known
	}
	var names []string
	for _, n := range []string{program(e.Fields["program"]), program(e.Fields["app"])} {
		if n != "" {
			names = append(names, n)
		}
	}
	if len(names) == 0 {
		names = []string{fold(text)}
	}
	a := byName[names[0]]
	if a == nil {
		name := cmp.Or(Clean(e.Fields["app"], maxName), Clean(e.Fields["program"], maxName), Clean(text, maxName))
		a = &app{name: name, first: e.Seq}
		f.apps = append(f.apps, a)
	}
	for _, n := range names {
		if byName[n] == nil {
			byName[n] = a
		}
	}
	title := Clean(text, maxTitle)
	switch {
	case e.Fields["title"] == event.TitleBefore:
		if len(a.before) == 0 {
			a.before = []uint64{e.Seq}
		}
	case title == "":
		if len(a.focus) == 0 {
			a.focus = []uint64{e.Seq}
		}
	case !slices.ContainsFunc(a.titles, func(t titled) bool { return t.title == title }):
		a.titles = append(a.titles, titled{title, e.Seq})
		f.windows++
	}
}

// said is one statement picked out of the talk.
type said struct {
	state State
	by    string // person, supporter, note or chat
	text  string
	seqs  []uint64
}

func speaker(e event.Event) string {
	if e.Kind == event.Note {
		return "note"
	}
	switch from := e.Fields["from"]; from {
	case "person", "supporter":
		return from
	}
	return "chat"
}

// issue picks the words that best say why help was needed: the person's own
// before a note, a note before anybody else's.
func (f *facts) issue() said {
	for _, by := range []string{"person", "note", "supporter", "chat"} {
		best, least := said{state: NotStated}, sureIssue
		if by == "person" {
			least = 2
		}
		for _, e := range f.talk {
			if speaker(e) != by {
				continue
			}
			score := issueScore(e.Fields["text"], by)
			if score >= least {
				best, least = said{Stated, by, e.Fields["text"], []uint64{e.Seq}}, score+1
			}
			if score >= sureIssue {
				break // the first that says it; later ones are about what was tried
			}
		}
		if best.state == Stated {
			return best
		}
	}
	return said{state: NotStated}
}

// outcome is the last explicit word about it. The message that states the issue
// is none.
func (f *facts) outcome(issue said) said {
	out := said{state: NotStated}
	var asked *event.Event // a question that the next two messages may answer
	left := 0
	for i, e := range f.talk {
		text := e.Fields["text"]
		if slices.Contains(issue.seqs, e.Seq) {
			continue
		}
		c, seqs := outcomeCue(text), []uint64{e.Seq}
		if c == silent && asked != nil && left > 0 && e.Kind == event.ChatMessage && answers(*asked, e) {
			if c = answer(text); c != silent {
				seqs = []uint64{asked.Seq, e.Seq}
			}
		}
		if c == broken {
			c = silent
			if out.state == Resolved {
				c = unresolved
			}
		}
		switch c {
		case resolved:
			out = said{Resolved, speaker(e), text, seqs}
		case unresolved:
			out = said{NotResolved, speaker(e), text, seqs}
		}
		left--
		if e.Kind == event.ChatMessage && asksOutcome(text) {
			asked, left = &f.talk[i], 2
		}
	}
	return out
}

func answers(question, e event.Event) bool {
	q, a := speaker(question), speaker(e)
	return q != a && q != "chat" && a != "chat"
}

// stop is one time that was not recorded; resumed is nil where it has no end.
type stop struct {
	gap     event.Event
	resumed *event.Event
}

// stops pairs gaps with the "resumed" marks that end them. A mark does not say
// which: it ends all that are open, but one because of another session on the
// desktop only when that is the only one, for the two are told apart so.
func (f *facts) stops() []stop {
	var out []stop
	for i, g := range f.gaps {
		if g.Fields["reason"] != "resumed" {
			out = append(out, stop{gap: g})
			continue
		}
		open := func(desktop bool) (found bool) {
			for j := range out {
				r := out[j].gap.Fields["reason"]
				if out[j].resumed == nil && r != "dropped" && r != "too-short" && r != "source-lost" && (r == "other-session") == desktop {
					out[j].resumed, found = &f.gaps[i], true
				}
			}
			return found
		}
		if !open(false) {
			open(true)
		}
	}
	return out
}

// count reads a number out of a field; anything that is none counts as 0.
func count(s string) int {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return 0
	}
	return int(n)
}

func seqs(es []event.Event) []uint64 {
	out := make([]uint64, len(es))
	for i, e := range es {
		out[i] = e.Seq
	}
	return out
}
