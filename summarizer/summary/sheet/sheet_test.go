package sheet_test

import (
	"bytes"
	"encoding/csv"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"aval/summarizer/summary/sheet"
)

var doc = sheet.Doc{
	Title: "“A impressora do balcão parou” — Ação",
	Facts: []sheet.Fact{{Name: "Suporte", Value: `<b>Ana</b> [link](javascript:alert(1)) https://evil.example/x`}},
	Parts: []sheet.Part{{Title: "O que foi feito", Lines: []sheet.Line{
		{Text: `=HYPERLINK("http://evil.example","x")`, Note: "3, 7"},
		{Text: "# not a heading *nor bold* `nor code` <img src=x onerror=alert(1)> a@b.example www.evil.example", Code: []string{"| rm -rf /", "日本語"}},
	}}},
	Foot: "Escrito por regras.",
}

// TestMarkdown: nothing of a session is markup: every character that could be is
// escaped. (To see it fail, leave out the colon: the address is then a link.)
func TestMarkdown(t *testing.T) {
	got := string(sheet.Markdown(doc))
	if !strings.Contains(got, `\<b\>Ana\<\/b\>`) || !strings.Contains(got, "## O que foi feito") || strings.Count(got, "\n# ") != 0 {
		t.Errorf("%s", got)
	}
	for _, text := range []string{doc.Title, doc.Facts[0].Value, doc.Parts[0].Lines[0].Text, doc.Parts[0].Lines[1].Text, "a\n# b\r\n- c", `\*a*`} {
		out := sheet.Escape(text)
		for i := 0; i < len(out); i++ {
			switch c := out[i]; {
			case c == '\\' && i+1 < len(out):
				i++ // what it escapes
			case c < ' ' || strings.IndexByte("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", c) >= 0:
				t.Errorf("%q: %q is not escaped at %d of %q", text, c, i, out)
			}
		}
	}
}

// TestCells: no value is a formula, and values that are none stay as they are.
func TestCells(t *testing.T) {
	for in, want := range map[string]string{
		"=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", " =1": "' =1", "\t=1": "'\t=1", "\r=1": "'\r=1", "＝1": "'＝1", "|x": "'|x",
		"\u00a0=1": "'\u00a0=1", "1=1": "1=1", "": "", "Ana": "Ana", "a-b": "a-b",
	} {
		if got := sheet.Cell(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	rows, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(sheet.DocCSV(doc), []byte("\ufeff")))).ReadAll()
	if err != nil || len(rows) != 7 || rows[2][1] != `'=HYPERLINK("http://evil.example","x")` || rows[2][2] != "3, 7" || rows[4][1] != "'| rm -rf /" {
		t.Errorf("%q %v", rows, err)
	}
}

// TestPDF: pdftotext, which is not ours, reads the words with their accents, on
// more than one page.
func TestPDF(t *testing.T) {
	long := doc
	for range 80 {
		long.Parts = append(long.Parts, sheet.Part{Title: "Mais", Lines: []sheet.Line{{Text: strings.Repeat("palavra ação ", 30), Code: []string{strings.Repeat("x", 300)}}}})
	}
	raw, err := sheet.PDF(long)
	if err != nil || !bytes.HasPrefix(raw, []byte("%PDF-")) {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "x.pdf")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("pdftotext", "-layout", file, "-").CombinedOutput()
	if err != nil {
		t.Fatalf("pdftotext: %v: %s (test/deps.sh test installs poppler-utils)", err, out)
	}
	if s := string(out); !strings.Contains(s, "A impressora do balcão parou") || !strings.Contains(s, "Ação") || strings.Count(s, "\f") < 3 ||
		!strings.Contains(s, `=HYPERLINK("http://evil.example","x")`) || !strings.Contains(s, "[3, 7]") {
		t.Errorf("%d pages\n%s", strings.Count(s, "\f"), s[:min(len(s), 3000)])
	}
	for _, word := range []string{"/URI", "/JavaScript", "/Launch", "/OpenAction"} {
		if bytes.Contains(raw, []byte(word)) {
			t.Errorf("%s is in the file", word)
		}
	}
}

// TestPDFMissing: a file that cannot show every sign says so, and no other does. To
// see it fail, leave missing out of PDF.
func TestPDFMissing(t *testing.T) {
	for _, c := range []struct {
		text string
		says bool
	}{{"Ação, Ελλάδα, Київ", false}, {"請求書", true}, {"أحمد", true}} {
		raw, err := sheet.PDF(sheet.Doc{Title: "T", Facts: []sheet.Fact{{Name: "Who", Value: c.text}}, Foot: "foot", Missing: "signs are missing"})
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "x.pdf")
		if err := os.WriteFile(file, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("pdftotext", "-layout", file, "-").CombinedOutput()
		if err != nil {
			t.Fatalf("pdftotext: %v: %s", err, out)
		}
		if strings.Contains(string(out), "signs are missing") != c.says {
			t.Errorf("%s: %s", c.text, out)
		}
	}
}

func TestText(t *testing.T) {
	if got := string(sheet.Text(doc)); !strings.Contains(got, "- =HYPERLINK") || !strings.Contains(got, "    $ | rm -rf /") {
		t.Errorf("%s", got)
	}
}
