// Package sheet writes a summary as a file that is taken elsewhere: plain text,
// Markdown, CSV, PDF.
//
// The one rule that must not be broken: what came out of a session stays text in
// every format. No word of it becomes markup, a link or a formula.
package sheet

import (
	"bytes"
	"encoding/csv"
	"io"
	"strings"
)

// Doc is a summary as people read it, in the language of the reader.
type Doc struct {
	Title string
	Facts []Fact // who, when, by what
	Parts []Part
	Foot  string // who wrote it
	// Missing is what a format says that cannot show every sign.
	Missing string
}

// Fact is a name and a value.
type Fact struct{ Name, Value string }

// Part is a heading with its lines.
type Part struct {
	Title string
	Lines []Line
}

// Line is one sentence or step.
type Line struct {
	Text string
	Code []string // commands, below the text
	Note string   // the events that it rests on, such as "3, 7"
}

// Text writes plain text.
func Text(d Doc) []byte {
	var b strings.Builder
	b.WriteString(d.Title + "\n\n")
	for _, f := range d.Facts {
		b.WriteString(f.Name + ": " + f.Value + "\n")
	}
	for _, p := range d.Parts {
		b.WriteString("\n" + p.Title + "\n")
		for _, l := range p.Lines {
			b.WriteString("- " + l.Text + "\n")
			for _, c := range l.Code {
				b.WriteString("    $ " + c + "\n")
			}
		}
	}
	b.WriteString("\n" + d.Foot + "\n")
	return []byte(b.String())
}

// Markdown writes CommonMark in which every word is text.
func Markdown(d Doc) []byte {
	var b strings.Builder
	b.WriteString("# " + Escape(d.Title) + "\n\n")
	for _, f := range d.Facts {
		b.WriteString("- **" + Escape(f.Name) + "**: " + Escape(f.Value) + "\n")
	}
	for _, p := range d.Parts {
		b.WriteString("\n## " + Escape(p.Title) + "\n\n")
		for _, l := range p.Lines {
			b.WriteString("- " + Escape(l.Text))
			if l.Note != "" {
				b.WriteString(" \\[" + Escape(l.Note) + "\\]")
			}
			b.WriteString("\n")
			for _, c := range l.Code {
				b.WriteString("  - " + Escape(c) + "\n")
			}
		}
	}
	b.WriteString("\n" + Escape(d.Foot) + "\n")
	return []byte(b.String())
}

// Escape makes a text mean itself in CommonMark and GitHub's dialect: each ASCII
// punctuation character may be escaped by a backslash (CommonMark 0.31, 2.4), and
// an address whose colon, full stop or at sign is escaped is no link. A line break
// would begin a block: it becomes a space.
func Escape(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			r = ' '
		case r > ' ' && r < 0x7f && !(r >= '0' && r <= '9') && !(r >= 'A' && r <= 'Z') && !(r >= 'a' && r <= 'z'):
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// CSV writes rows as RFC 4180 has it, with a byte order mark, by which
// spreadsheets know UTF-8.
func CSV(w io.Writer, rows func(yield func(row ...string) error) error) error {
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	out.UseCRLF = true
	err := rows(func(row ...string) error {
		for i, s := range row {
			row[i] = Cell(s)
		}
		return out.Write(row)
	})
	if err != nil {
		return err
	}
	out.Flush()
	return out.Error()
}

// Cell keeps a spreadsheet from taking a value for a formula: one that begins as
// a formula does, after whatever spaces, is put behind an apostrophe (OWASP, CSV
// Injection; the full-width signs count in Japanese and Chinese editions).
func Cell(s string) string {
	if t := strings.TrimLeft(s, " \u00a0\u3000\t\r\n"); t != "" && strings.ContainsRune("=+-@|%\uff1d\uff0b\uff0d\uff20", []rune(t)[0]) || t != s {
		return "'" + s
	}
	return s
}

// DocCSV writes one summary: kind, text and evidence of each line.
func DocCSV(d Doc) []byte {
	var b bytes.Buffer
	_ = CSV(&b, func(row func(...string) error) error { // a buffer takes everything
		_ = row(d.Title, "", "")
		for _, f := range d.Facts {
			_ = row(f.Name, f.Value, "")
		}
		for _, p := range d.Parts {
			for _, l := range p.Lines {
				_ = row(p.Title, l.Text, l.Note)
				for _, c := range l.Code {
					_ = row(p.Title, c, "")
				}
			}
		}
		return row("", d.Foot, "")
	})
	return b.Bytes()
}
