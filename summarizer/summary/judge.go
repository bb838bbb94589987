package summary

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"aval/agent/event"
)

// judge tells which claims of a model are borne out by the events that they cite.
type judge struct {
	events  map[uint64]*event.Event // those that the model was shown
	words   map[uint64]string       // of each, folded: as recorded, and as shown
	rules   Summary
	outcome State
	all     string // every word of the shown events, folded
}

func newJudge(rules Summary, f facts, shown []Item) *judge {
	j := &judge{events: map[uint64]*event.Event{}, words: map[uint64]string{}, rules: rules, outcome: rules.Outcome.State}
	at := map[uint64]*event.Event{}
	for i, e := range f.events {
		at[e.Seq] = &f.events[i]
	}
	var all strings.Builder
	for _, it := range shown {
		if e := at[it.ID]; e != nil {
			j.events[it.ID], j.words[it.ID] = e, folded(e.Fields)+folded(it.Fields)
			all.WriteString(j.words[it.ID])
		}
	}
	for _, s := range rules.Sentences {
		all.WriteString(fold(s.Text) + " ")
	}
	j.all = all.String()
	return j
}

// folded are the words of an event's fields, for comparing.
func folded(fields map[string]string) string {
	var b strings.Builder
	for _, v := range fields {
		b.WriteString(fold(v) + " ")
	}
	return b.String()
}

// take returns a claim as a sentence, or false: it cites nothing, something that
// is not there or was not shown, has a link in it, tells an outcome that nobody
// stated, or holds words, names or numbers that its events do not.
func (j *judge) take(c Claim) (Sentence, bool) {
	text := Clean(plainWords(c.Text), 0)
	if text == "" || len([]rune(text)) > maxClaimText || len(c.Events) == 0 || len(c.Events) > 200 || linked(text) {
		return Sentence{}, false
	}
	ev := ordered(c.Events)
	for _, n := range ev {
		if j.events[n] == nil {
			return Sentence{}, false
		}
	}
	switch outcomeCue(text) {
	case resolved:
		if j.outcome != Resolved {
			return Sentence{}, false
		}
	case unresolved:
		if j.outcome != NotResolved {
			return Sentence{}, false
		}
	}
	if !j.borne(text, ev) {
		return Sentence{}, false
	}
	if end := []rune(strings.TrimRight(text, `"”»’'`)); len(end) == 0 || !strings.ContainsRune(".!?…", end[len(end)-1]) {
		text += "."
	}
	return Sentence{Text: text, Evidence: Evidence{Events: ev}}, true
}

// evidence is what the cited events say, and what the rules say of these: in the
// language of the summary, so that a paraphrase has words to share.
func (j *judge) evidence(ev []uint64) string {
	var b strings.Builder
	for _, n := range ev {
		b.WriteString(j.words[n])
	}
	about := func(text string, e Evidence) {
		if slices.ContainsFunc(e.Events, func(n uint64) bool { return slices.Contains(ev, n) }) {
			b.WriteString(fold(text) + " ")
		}
	}
	for _, s := range j.rules.Sentences {
		about(s.Text, s.Evidence)
	}
	for _, s := range j.rules.Steps {
		about(s.Application+" "+s.Action, s.Evidence)
	}
	return b.String()
}

// borne tells whether the cited events bear a text out: every number, name, path
// and quotation in it is in them, and at least one of its longer words.
func (j *judge) borne(text string, ev []uint64) bool {
	has := j.evidence(ev)
	for _, q := range quotations.FindAllString(text, -1) {
		if q = strings.TrimSpace(fold(strings.Trim(q, `"“”«»`))); q != "" && !strings.Contains(has, strings.TrimRight(q, ".,;:!?…")) {
			return false
		}
	}
	shared, first := false, true
	for _, raw := range strings.Fields(text) {
		t := strings.TrimFunc(raw, func(r rune) bool {
			return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '/' && r != '\\' && r != '[' && r != ']'
		})
		starts := first
		first = strings.ContainsAny(raw[len(raw)-1:], ".!?:")
		f := fold(t)
		switch {
		case f == "" || strings.HasPrefix(t, "["): // a mark of what was removed
			continue
		case strings.ContainsFunc(f, unicode.IsDigit):
			if n, err := strconv.Atoi(f); strings.Contains(has, f) || err == nil && n == len(ev) {
				continue
			}
			return false
		case strings.ContainsAny(strings.Trim(f, "./\\"), `._/\:=@`):
			if !strings.Contains(has, f) {
				return false
			}
			shared = true
		case !starts && unicode.IsUpper([]rune(t)[0]):
			if !strings.Contains(j.all, f) {
				return false
			}
		}
		for _, w := range words(t) {
			if r := []rune(w); len(r) >= 4 && strings.Contains(has, string(r[:min(len(r), 5)])) {
				shared = true
			}
		}
	}
	return shared
}

// names tells whether an application's name is in the events.
func (j *judge) names(app string, ev []uint64) bool {
	if app == "" || linked(app) || slices.ContainsFunc(ev, func(n uint64) bool { return j.events[n] == nil }) {
		return false
	}
	for _, n := range ev {
		if strings.Contains(j.words[n], fold(app)) {
			return true
		}
	}
	return slices.ContainsFunc(j.rules.Steps, func(s Step) bool { return fold(s.Application) == fold(app) })
}

// said tells whether all of the events are words of somebody who was there.
func (j *judge) said(ev []uint64) bool {
	return len(ev) > 0 && !slices.ContainsFunc(ev, func(n uint64) bool {
		e := j.events[n]
		return e == nil || e.Kind != event.ChatMessage && e.Kind != event.Note
	})
}

// commands are the command lines of the cited events.
func (j *judge) commands(ev []uint64) []string {
	var es []event.Event
	for _, n := range ev {
		if e := j.events[n]; e.Kind == event.CommandRun || e.Kind == event.ProgramStarted && len(strings.Fields(e.Fields["command"])) > 1 {
			es = append(es, *e)
		}
	}
	return lines(es, maxCommands)
}

var (
	quotations = regexp.MustCompile(`“[^”]*”|"[^"]*"|«[^»]*»`)
	htmlTag    = regexp.MustCompile(`<[/!?a-zA-Z][^<>]*>`)
	entity     = regexp.MustCompile(`&#?[a-zA-Z0-9]{2,8};`)
	mdLink     = regexp.MustCompile(`!?\[([^\[\]]*)\]\s*\([^()]*\)|\[([^\[\]]*)\]\[[^\[\]]*\]`)
	mdHead     = regexp.MustCompile(`^\s*(#{1,6}\s+|[-*+]\s+|>\s*|\d{1,2}[.)]\s+)`)
	// scheme: anything that a program could make a link of.
	scheme = regexp.MustCompile(`(?i)[a-z][a-z0-9+.-]*://|\b(mailto|javascript|data|vbscript|file|tel|sms|callto|ms-[a-z]+|whatsapp|skype):\S|\bwww\.|//[a-z0-9]`)
	// domain: a name that mail programs and ticket systems turn into a link by themselves.
	domain = regexp.MustCompile(`(?i)\b[a-z0-9][a-z0-9-]*(\.[a-z0-9-]+)*\.(com|net|org|info|biz|io|app|dev|xyz|top|online|site|shop|store|club|link|click|live|icu|page|cloud|br|pt|us|uk|de|fr|es|it|ru|cn|tk|ml|ga|cf|me|co|cc|ws|to|ly|gl|gg)(/|:\d|\b)`)
)

// plainWords takes markup out of a model's words: tags, entities, Markdown.
func plainWords(s string) string {
	s = s[:min(len(s), 4*maxField)]
	s = mdHead.ReplaceAllString(s, "")
	for range 3 { // what was hidden within what was taken out
		t := mdLink.ReplaceAllString(entity.ReplaceAllString(htmlTag.ReplaceAllString(s, ""), ""), "$1$2")
		if t == s {
			break
		}
		s = t
	}
	return strings.NewReplacer("**", "", "__", "", "~~", "", "`", "", "<", "", ">", "", "*", "", "|", "").Replace(s)
}

// linked tells whether a text holds what could become a link.
func linked(s string) bool {
	// Full-width and look-alike dots and colons are read as their plain forms.
	s = strings.NewReplacer("。", ".", "．", ".", "｡", ".", "․", ".", "：", ":", "／", "/", "∕", "/", "⁄", "/").Replace(s)
	return scheme.MatchString(s) || domain.MatchString(s) || strings.Contains(s, "@")
}
