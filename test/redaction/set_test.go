// Package redaction measures what redaction finds and what it leaves, on values
// made by generators that are not ours (generate.mjs) and on cases made by hand.
//
// The one rule that must not be broken: the frozen set is never tuned on. This
// package prints its figures and never one of its values; who betters a rule
// looks at the development set.
package redaction

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"aval/agent/event"
	"aval/agent/redact"

	"golang.org/x/text/unicode/norm"
)

// sample is one value in its sentence; several lines are several lines of a chat.
type sample struct {
	kind     string
	positive bool
	before   string // the sentence up to the value
	value    string
	after    string
}

// load reads a set and checks its hash.
func load(t testing.TB, name string) []sample {
	t.Helper()
	f, err := os.Open(name + ".txt.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	values, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	sentences, err := os.ReadFile(name + "-sentences.txt")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(name + ".sha256")
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(append(slices.Clone(values), sentences...)); hex.EncodeToString(sum[:]) != strings.TrimSpace(string(want)) {
		t.Fatalf("%s is not the set whose hash is committed", name)
	}
	around := map[string]string{}
	for line := range strings.Lines(string(sentences)) {
		kind, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		n, text, _ := strings.Cut(rest, "\t")
		around[kind+" "+n] = unescaped.Replace(text)
	}
	var out []sample
	sc := bufio.NewScanner(strings.NewReader(string(values)))
	for sc.Buffer(nil, 1<<20); sc.Scan(); {
		p := strings.Split(sc.Text(), "\t")
		if len(p) != 4 {
			t.Fatalf("%s: a line of %d parts", name, len(p))
		}
		sentence := around[strings.TrimSuffix(p[0], "-letters")+" "+p[2]]
		before, after, ok := strings.Cut(sentence, "{}")
		if !ok {
			t.Fatalf("%s: no sentence %s of %s", name, p[2], p[0])
		}
		out = append(out, sample{p[0], p[1] == "+", before, unescaped.Replace(p[3]), after})
	}
	return out
}

var unescaped = strings.NewReplacer(`\\`, `\`, `\n`, "\n")

var chatDef = func() event.Def { d, _ := event.Define(event.ChatMessage); return d }()

// said is what stands in the record after the lines of a text were redacted as
// a chat, joined by blanks. A private key is one text, however many lines it has.
func said(t testing.TB, s sample) string {
	t.Helper()
	r, err := redact.New(redact.Options{})
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{s.before + s.value + s.after}
	if s.kind != "pem" {
		lines = strings.Split(lines[0], "\n")
	}
	var out []string
	for _, l := range lines {
		f, err := r.Fields(chatDef, map[string]string{"text": l})
		if err != nil {
			t.Fatalf("%s: %v", s.kind, err)
		}
		out = append(out, f["text"])
	}
	return strings.Join(out, " ")
}

// tidy is a text as it stands in a record when nothing is removed.
func tidy(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, s)
	return strings.Join(strings.Fields(norm.NFKC.String(s)), " ")
}

var marks = strings.NewReplacer(func() (old []string) {
	for _, m := range []string{redact.MarkEmail, redact.MarkCard, redact.MarkIBAN, redact.MarkCPF, redact.MarkCNPJ, redact.MarkPIS, redact.MarkCNH, redact.MarkTitulo,
		redact.MarkID, redact.MarkPhone, redact.MarkIP, redact.MarkMAC, redact.MarkSecret, redact.MarkToken, redact.MarkKey} {
		old = append(old, m, " ")
	}
	return old
}()...)

// left tells whether anything of the value is still to be read: a letter or
// digit more than the sentence itself has, whole word by whole word.
func left(s sample, out string) bool {
	own := map[string]int{}
	for _, w := range tokens(tidy(s.before) + " " + tidy(s.after)) {
		own[w]++
	}
	for _, w := range tokens(marks.Replace(out)) {
		if own[w]--; own[w] < 0 {
			return true
		}
	}
	return false
}

func tokens(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// result counts one kind.
type result struct {
	kind                              string
	positives, found, negatives, kept int
}

func (r result) recall() float64 { return float64(r.found) / float64(r.positives) }

// precision is the share of what should go in what went.
func (r result) precision() float64 {
	return float64(r.found) / float64(r.found+r.negatives-r.kept)
}

// measure runs a set and calls miss for what went wrong.
func measure(t testing.TB, set []sample, miss func(s sample, out string)) []result {
	t.Helper()
	all := map[string]*result{}
	var order []string
	for _, s := range set {
		r := all[s.kind]
		if r == nil {
			r = &result{kind: s.kind}
			all[s.kind] = r
			order = append(order, s.kind)
		}
		out := said(t, s)
		if s.positive {
			r.positives++
			if left(s, out) {
				miss(s, out)
			} else {
				r.found++
			}
			continue
		}
		r.negatives++
		if out == tidy(s.before+s.value+s.after) {
			r.kept++
		} else {
			miss(s, out)
		}
	}
	var out []result
	for _, k := range order {
		out = append(out, *all[k])
	}
	return out
}

// TestDev prints what is missed in the development set: AVAL_MISSES=kind.
func TestDev(t *testing.T) {
	n := map[string]int{}
	results := measure(t, load(t, "dev"), func(s sample, out string) {
		if n[s.kind]++; n[s.kind] <= 8 && (os.Getenv("AVAL_MISSES") == s.kind || os.Getenv("AVAL_MISSES") == "all") {
			t.Logf("%s %v: %q became %q", s.kind, s.positive, s.before+s.value+s.after, out)
		}
	})
	for _, r := range results {
		t.Log(r.kind, strconv.Itoa(r.found)+"/"+strconv.Itoa(r.positives), strconv.Itoa(r.kept)+"/"+strconv.Itoa(r.negatives))
	}
}
