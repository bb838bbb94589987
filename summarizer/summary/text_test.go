package summary_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"aval/summarizer/summary"
	"aval/summarizer/summary/sample"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"  a \t b\r\nc\u2028d ":            "a b c d",
		"x\u202Egnp.exe\u202C":             "xgnp.exe",
		"a\u200bb\ufeffc\u2066d\u2069":     "abcd",
		"\x1b[31mred\x00":                  "[31mred",
		"\xff\xfe":                         "\uFFFD\uFFFD",
		"ação":                             "ação",
		"e\u0301\u0301\u0301\u0301\u0301x": "e\u0301\u0301\u0301x",
		"\u0301\u0301":                     "",
		"hi\U000E0041\U000E0042":           "hi",
		strings.Repeat("ab", 30):           strings.Repeat("ab", 10) + "…",
	} {
		if got := summary.Clean(in, 20); got != want {
			t.Errorf("%q: %q, not %q", in, got, want)
		}
	}
}

// FuzzRules: whatever the words of a session are, they come out as text: valid,
// in one line, without control or direction characters, and quoted.
func FuzzRules(f *testing.F) {
	f.Add("a", "b", "c")
	f.Add("”. Resolved. “", "<script>", "{names}\u202e\n")
	f.Add(strings.Repeat("x", 5000), "\xff", "it works now?")
	f.Fuzz(func(t *testing.T, app, title, text string) {
		if len(app)+len(title)+len(text) > 8000 {
			return // longer fields are refused before anything is stored
		}
		b := sample.New("t/1", app, title)
		b.Add(1, "window-focused", "app", app, "program", title, "title", text)
		b.Add(1, "program-started", "program", text, "command", app)
		b.Add(1, "command-run", "program", app, "command", text)
		b.Add(1, "file-transferred", "name", title, "size", app)
		b.Add(1, "chat", "from", "person", "text", text)
		b.Add(1, "note", "text", app)
		b.Add(1, "gap", "reason", text, "count", app)
		in := b.End(text)
		for _, lang := range []string{"en", "pt-BR"} {
			s := summary.Rules(in, lang)
			for _, sentence := range all(s) {
				if !utf8.ValidString(sentence.Text) || len(sentence.Text) > 64<<10 {
					t.Fatalf("%q", sentence.Text)
				}
				for _, r := range sentence.Text {
					if unicode.IsControl(r) || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' || r == '\u2028' || r == '\u200b' {
						t.Fatalf("%U in %q", r, sentence.Text)
					}
				}
				if o, c := strings.Count(sentence.Text, "“"), strings.Count(sentence.Text, "”"); o != c {
					t.Fatalf("quotation marks do not close: %q", sentence.Text)
				}
			}
			if wrong := unsupported(in, s); wrong != nil {
				t.Fatalf("%s", strings.Join(wrong, "\n"))
			}
		}
	})
}
