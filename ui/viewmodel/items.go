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

// Marks finds the marks in a text; assets.Lines keeps them whole.
var Marks = func() *regexp.Regexp {
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
	for _, m := range Marks.FindAllStringIndex(line, -1) {
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
