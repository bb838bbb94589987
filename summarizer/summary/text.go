package summary

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// The longest that words out of events become, in characters.
const (
	maxName    = 48
	maxTitle   = 80
	maxCommand = 200
	maxQuote   = 280
)

// maxMarks is how many combining marks one letter may carry: more of them only
// paint over the lines around it.
const maxMarks = 3

// Clean makes text from outside fit to be shown: one line, without control,
// bidirectional, invisible or tag characters, at most limit characters (0: any
// length). What was cut is shown by an ellipsis. The result is still somebody
// else's text: it must be written out as text, never as markup.
func Clean(s string, limit int) string {
	// A field is some kilobytes at most; what is longer is cut before the work.
	if limit > 0 && len(s) > 64*limit {
		s = s[:64*limit]
	}
	var b strings.Builder
	n, marks, space := 0, 0, false
	for _, r := range s {
		switch {
		case r == utf8.RuneError:
			r = '\uFFFD'
		case unicode.IsSpace(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Zs, r):
			space = n > 0
			continue
		case unicode.IsControl(r), invisible(r):
			continue
		}
		if unicode.Is(unicode.M, r) {
			if marks++; marks > maxMarks || n == 0 {
				continue
			}
		} else {
			if limit > 0 && n >= limit {
				return b.String() + "…"
			}
			marks = 0
			if space {
				b.WriteByte(' ')
				n++
			}
			n++
		}
		space = false
		b.WriteRune(r)
	}
	return b.String()
}

// invisible are format characters that can reorder or hide text: the bidi
// controls of UAX 9, zero-width ones, interlinear marks and the tag block. The
// joiners U+200C and U+200D stay: scripts and emoji need them.
func invisible(r rune) bool {
	if r == '\u200c' || r == '\u200d' {
		return false
	}
	return unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Co, r) || unicode.Is(unicode.Cs, r) ||
		r == '\u034f' || r == '\u115f' || r == '\u1160' || r == '\u17b4' || r == '\u17b5' || r == '\u3164' || r == '\uffa0' ||
		(r >= 0xE0000 && r <= 0xE0FFF)
}

// quote puts words out of an event between the quotation marks that only this
// function writes: marks of the same shape inside are turned straight, so that
// nothing can end its own quotation. A full stop at the end is left to the
// sentence around it.
func quote(s string, limit int) string {
	s = strings.NewReplacer("“", `"`, "”", `"`, "„", `"`, "‟", `"`).Replace(Clean(s, limit))
	if t := strings.TrimSuffix(s, "."); !strings.HasSuffix(t, ".") {
		s = t
	}
	return "“" + s + "”"
}

// label shows the name of a program, tool or person. Names that could pass for
// a part of the sentence are quoted.
func label(s string) string {
	s = Clean(s, maxName)
	if plain(s) {
		return s
	}
	return quote(s, maxName)
}

func plain(s string) bool {
	if s == "" || len(strings.Fields(s)) > 5 || strings.Contains(s, ". ") || strings.HasSuffix(s, ".") {
		return false
	}
	for _, r := range s {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.Is(unicode.M, r) && !strings.ContainsRune(" ._+-@()'", r) {
			return false
		}
	}
	return true
}

// maxField bounds the work on one text, in bytes: the longest field that an
// event may have is 2000.
const maxField = 4096

// fold makes words comparable: lower case, without accents and apostrophes.
func fold(s string) string {
	var b strings.Builder
	for _, r := range norm.NFD.String(Clean(s[:min(len(s), maxField)], 0)) {
		if unicode.Is(unicode.Mn, r) || r == '\'' || r == '’' {
			continue
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// words splits folded text into its words.
func words(s string) []string {
	return strings.FieldsFunc(fold(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// clause is one sentence of a message.
type clause struct {
	words    []string
	question bool
}

// clauses splits a message at its sentence ends.
func clauses(s string) []clause {
	var out []clause
	s = s[:min(len(s), maxField)]
	start := 0
	emit := func(end int, question bool) {
		if w := words(s[start:end]); len(w) > 0 {
			out = append(out, clause{w, question})
		}
	}
	for i, r := range s {
		switch r {
		case '.', '!', '?', ';', '\n', '\r', '…':
			emit(i, r == '?')
			start = i + utf8.RuneLen(r)
		}
	}
	emit(len(s), false)
	return out
}

// maxWord is the longest that a word is kept for search, in characters.
const maxWord = 40

// Words are the words of a text as search compares them: lower case, without
// accents, digits as they are. Scripts that put no space between words (Han, Kana,
// Thai, …) are cut into overlapping pairs, so that any two signs that follow each
// other are found, and one alone by what begins with it.
func Words(s string) (out []string) {
	for len(s) > 0 {
		part := s
		if len(part) > maxField {
			cut := strings.LastIndexFunc(part[:maxField], unicode.IsSpace)
			if cut <= 0 {
				for cut = maxField; !utf8.RuneStart(part[cut]); cut-- {
				}
			}
			part = part[:cut]
		}
		s = s[len(part):]
		for _, w := range words(part) {
			out = appendWord(out, []rune(w))
		}
	}
	return out
}

func appendWord(out []string, w []rune) []string {
	for len(w) > 0 {
		n, dense := 1, unspaced(w[0])
		for n < len(w) && unspaced(w[n]) == dense {
			n++
		}
		if run := w[:n]; dense {
			for i := range run {
				out = append(out, string(run[i:min(i+2, n)]))
			}
		} else {
			out = append(out, string(run[:min(n, maxWord)]))
		}
		w = w[n:]
	}
	return out
}

func unspaced(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// Texts lists everything in a summary that people read, for search.
func (s Summary) Texts() []string {
	out := []string{s.Name, s.Text, s.Issue.Text, s.Outcome.Text}
	for _, t := range s.Sentences {
		out = append(out, t.Text)
	}
	for _, t := range s.FollowUps {
		out = append(out, t.Text)
	}
	for _, st := range s.Steps {
		out = append(append(out, st.Application, st.Action), st.Commands...)
	}
	return append(append(out, s.IssueTypeLabels...), s.ApplicationLabels...)
}
