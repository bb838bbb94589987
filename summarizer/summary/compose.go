package summary

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"aval/agent/event"
	"aval/assets"
)

// Item is one event as a model is shown it.
type Item struct {
	ID     uint64            `json:"id"`
	At     int64             `json:"t"` // seconds since the first event
	Kind   event.Kind        `json:"kind"`
	Fields map[string]string `json:"fields"`
}

// rank says what is left out last: what people said, then what was changed, then
// what was only looked at.
var rank = map[event.Kind]int{
	event.ChatMessage: 0, event.Note: 0,
	event.Gap: 1, event.SessionEnded: 1, event.Restart: 1,
	event.PackageChanged: 2, event.ServiceChanged: 2, event.SettingChanged: 2, event.FileTransferred: 2,
	event.CommandRun: 3, event.ErrorLogged: 3,
	event.WindowFocused: 4, event.FileChanged: 4, event.DeviceAttached: 4,
	event.ProgramStarted: 5, event.CommandEnded: 6, event.ProgramEnded: 6, event.ClipboardUsed: 7,
}

// Items are the events of a session that tell something, in order, at most budget
// bytes of JSON: noise and repetitions go first, and of the rest what matters
// least. left is how many did not fit. The same events give the same items.
func Items(in Session, budget int) (items []Item, left int) {
	f := gather(in.Events)
	var all []Item
	size := map[uint64]int{}
	seen := map[string]bool{}
	for _, e := range f.events {
		if _, known := rank[e.Kind]; !known || noise(e) {
			continue
		}
		it := Item{ID: e.Seq, At: int64(span(f.events[0].At, e.At) / time.Second), Kind: e.Kind, Fields: map[string]string{}}
		for k, v := range e.Fields {
			if v = Clean(v, maxItemField); v != "" {
				it.Fields[k] = v
			}
		}
		what, err := json.Marshal(it.Fields)
		if err != nil { // strings always encode
			panic(err)
		}
		if same := string(e.Kind) + string(what); e.Kind != event.Gap && e.Kind != event.ChatMessage && e.Kind != event.Note {
			if seen[same] {
				continue
			}
			seen[same] = true
		}
		size[it.ID] = len(what) + itemFrame
		all = append(all, it)
	}
	byRank := slices.Clone(all)
	slices.SortStableFunc(byRank, func(a, b Item) int { return cmp.Compare(rank[a.Kind], rank[b.Kind]) })
	fits := map[uint64]bool{}
	for _, it := range byRank {
		if budget < size[it.ID] {
			left++
			continue
		}
		budget -= size[it.ID]
		fits[it.ID] = true
	}
	return slices.DeleteFunc(all, func(it Item) bool { return !fits[it.ID] }), left
}

const (
	maxItemField = 600 // characters of one field that a model is shown
	itemFrame    = 64  // bytes of an item beside its fields
)

// Claim is one statement of a model, with the events that it says it rests on.
type Claim struct {
	Text   string
	Events []uint64
}

// ClaimedStep is a step as a model tells it. It names no commands: those are
// taken from the events.
type ClaimedStep struct {
	Application string
	Claim
}

// ClaimedType is the key of an issue type, see IsType.
type ClaimedType struct {
	Key    string
	Events []uint64
}

// Claims is what a model says about a session. Nothing of it is believed.
type Claims struct {
	Name      Claim
	Sentences []Claim
	Steps     []ClaimedStep
	FollowUps []Claim
	Types     []ClaimedType
}

// The most of a model's answer that is looked at.
const (
	maxClaims     = 12
	maxClaimSteps = 12
	maxClaimText  = 400 // characters of a sentence
)

// Compose makes a summary out of what a model says about a session, of which it
// was shown the events of shown. Who connected, who allowed it, what is missing,
// how it ended and how it turned out are the rules' own sentences, always: a model
// neither says nor hides them. Each claim of the model's must cite events that it
// was shown and hold nothing that they do not bear out, or it is dropped. kept and
// dropped count its claims; with none kept the summary is the rules' own.
func Compose(in Session, lang string, c Claims, shown []Item, left int) (s Summary, kept, dropped int) {
	s = Rules(in, lang)
	w := writer{c: assets.ForArea("summary", lang), in: in, f: gather(in.Events)}
	j := newJudge(s, w.f, shown)
	issue := w.f.issue()
	outcome := w.f.outcome(issue)

	take := func(cl Claim) (Sentence, bool) {
		t, ok := j.take(cl)
		if ok {
			kept++
		} else {
			dropped++
		}
		return t, ok
	}
	var told []Sentence
	for _, cl := range c.Sentences[:min(len(c.Sentences), maxClaims)] {
		if t, ok := take(cl); ok && !slices.ContainsFunc(told, func(o Sentence) bool { return o.Text == t.Text }) {
			told = append(told, t)
		}
	}
	if len(told) == 0 {
		return s, 0, dropped
	}
	if left > 0 {
		told = append(told, w.count("summary.model.left_out", left, nil, w.f.first, w.f.last))
	}
	var steps []Step
	for _, st := range c.Steps[:min(len(c.Steps), maxClaimSteps)] {
		app := Clean(plainWords(st.Application), maxName)
		if !j.names(app, st.Events) {
			dropped++
			continue
		}
		t, ok := take(st.Claim)
		if !ok {
			continue
		}
		steps = append(steps, Step{Application: app, Action: t.Text, Commands: j.commands(t.Events), Evidence: t.Evidence})
	}
	if len(steps) > 0 {
		s.Steps = steps
	}
	var next []Sentence
	for _, cl := range c.FollowUps[:min(len(c.FollowUps), maxFollowUps)] {
		// Only words of somebody who was there say what is still to be done.
		if !j.said(cl.Events) {
			dropped++
		} else if t, ok := take(cl); ok {
			next = append(next, t)
		}
	}
	if len(next) > 0 {
		s.FollowUps = next
	}
	for _, ty := range c.Types {
		known := IsType(ty.Key) && len(ty.Events) > 0 && !slices.ContainsFunc(ty.Events, func(n uint64) bool { return j.events[n] == nil })
		if known && !slices.ContainsFunc(s.IssueTypes, func(l Label) bool { return l.Key == ty.Key }) && len(s.IssueTypes) < 4 {
			s.IssueTypes = append(s.IssueTypes, Label{Key: ty.Key, Label: w.c.T("summary.type."+ty.Key, nil), Evidence: Evidence{Events: ordered(ty.Events)}})
		}
	}
	s.IssueTypeLabels = labels(s.IssueTypes)
	if name, ok := j.take(c.Name); ok && len([]rune(name.Text)) <= maxTitle {
		s.Name = strings.TrimSuffix(name.Text, ".")
	}
	// A note that the model told of is not quoted once more.
	quoted := []said{issue, outcome}
	for _, t := range told {
		if !slices.Equal(t.Events, ordered(w.f.first, w.f.last)) {
			quoted = append(quoted, said{seqs: t.Events})
		}
	}
	s.Sentences = slices.Concat(w.opening(), []Sentence{s.Issue.Sentence}, told, w.notes(quoted...), w.gaps(), []Sentence{w.ending(), s.Outcome.Sentence})
	texts := make([]string, len(s.Sentences))
	for i, t := range s.Sentences {
		texts[i] = t.Text
	}
	s.Text = strings.Join(texts, " ")
	return s, kept, dropped
}
