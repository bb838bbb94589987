package viewmodel

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"aval/agent/event"
	"aval/agent/ipc"
	"aval/assets"
)

// maxItem is longer than any field of an event may be, in characters.
const maxItem = 4000

// Item is one event as it left, in words and lines.
type Item struct {
	Head   string   // when, and what sort of thing
	State  string   // empty: it has left
	Fields []string // name and value, a field a line
	text   string   // folded
}

// NewItem puts an event into words. closed: what has not left will not leave.
func NewItem(e ipc.SentEvent, closed bool, cat *assets.Catalog, zone *time.Location) Item {
	def, known := event.Define(e.Kind)
	kind := cat.T("activity.kind.unknown", nil)
	if known {
		kind = cat.T("activity.kind."+string(e.Kind), nil)
	}
	it := Item{Head: e.At.In(zone).Format("15:04:05") + "  " + kind}
	switch {
	case e.Acked:
	case closed:
		it.State = cat.T("activity.item.never", nil)
	default:
		it.State = cat.T("activity.item.waiting", nil)
	}
	line := func(name, value string) {
		it.Fields = append(it.Fields, cat.T("activity.item.line", assets.Args{"name": name, "value": Clean(value, maxItem)}))
	}
	rest := maps.Clone(e.Fields)
	for _, f := range def.Fields {
		if v, ok := rest[f.Name]; ok {
			line(cat.T("activity.field."+f.Name, nil), v)
			delete(rest, f.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(rest)) {
		line(Clean(name, maxName), rest[name])
	}
	it.text = fold(strings.Join(append([]string{it.Head, it.State}, it.Fields...), "\n"))
	return it
}

// Matches tells whether the item contains query.
func (it Item) Matches(query string) bool { return strings.Contains(it.text, fold(query)) }

// marks stand where something was removed before anything was stored. A test
// compares them with the declarations of those who put them there.
var marks = []string{"[e-mail]", "[card]", "[IBAN]", "[CPF]", "[CNPJ]", "[PIS]", "[CNH]", "[título]", "[id]", "[phone]", "[IP]", "[MAC]",
	"[secret]", "[token]", "[key]", "[company]", "[removed]", event.TitleBefore,
	"[name-1]", "[name-2]", "[name-3]", "[name-4]", "[name-5]", "[name-6]", "[name-7]", "[name-8]", "[name-9]"}

var marksRE = func() *regexp.Regexp {
	quoted := make([]string, len(marks))
	for i, m := range marks {
		quoted[i] = regexp.QuoteMeta(m)
	}
	return regexp.MustCompile(strings.Join(quoted, "|"))
}()

// Piece is a part of a line: text, or a mark where something was removed.
type Piece struct {
	Text string
	Mark bool
}

// Pieces takes a line apart at its marks.
func Pieces(line string) []Piece {
	var out []Piece
	at := 0
	for _, m := range marksRE.FindAllStringIndex(line, -1) {
		if at < m[0] {
			out = append(out, Piece{Text: line[at:m[0]]})
		}
		out = append(out, Piece{line[m[0]:m[1]], true})
		at = m[1]
	}
	if at < len(line) {
		out = append(out, Piece{Text: line[at:]})
	}
	return out
}

// Wrap breaks text into lines of at most max as measured: between words where
// it can, never within a mark that fits a line. Nothing but spaces at a
// break are lost.
func Wrap(text string, max float32, measure func(string) float32) []string {
	var lines []string
	line := ""
	for _, word := range words(text) {
		joined := word
		if line != "" {
			joined = line + " " + word
		}
		if measure(joined) <= max {
			line = joined
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		for line = word; measure(line) > max; {
			cut := 0
			for i := range line {
				if i > 0 && measure(line[:i]) > max {
					break
				}
				cut = i
			}
			if cut == 0 { // not even one character fits: one a line, so that it ends
				runes := []rune(line)
				if cut = len(string(runes[0])); cut == len(line) {
					break
				}
			}
			for _, m := range marksRE.FindAllStringIndex(line, -1) {
				if 0 < m[0] && m[0] < cut && cut < m[1] {
					cut = m[0]
				}
			}
			lines = append(lines, line[:cut])
			line = line[cut:]
		}
	}
	return append(lines, line)
}

// words splits at spaces, but not within a mark.
func words(text string) []string {
	inMark := marksRE.FindAllStringIndex(text, -1)
	var out []string
	at := 0
	for i := 0; i < len(text); i++ {
		for len(inMark) > 0 && i >= inMark[0][1] {
			inMark = inMark[1:]
		}
		if text[i] != ' ' || len(inMark) > 0 && inMark[0][0] < i {
			continue
		}
		out = append(out, text[at:i])
		at = i + 1
	}
	return append(out, text[at:])
}
