package redact

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestNamesArePlain: what is asked before a text is searched for names leaves
// none out. (Without the second spelling of a letter it fails.)
func TestNamesArePlain(t *testing.T) {
	some := []string{"Ana", "ana", "ÂNA", "Conceição", "CONCEICAO", "José", "jose", "da", "Silva", "X", "x", "Ñuño", "o", "123", " ", ".", "-", "_", "@", "é", "b", "[card]", "秘"}
	rapid.Check(t, func(t *rapid.T) {
		rules := nameRules([]string{"Ana Conceição", "José da Silva", "Ñuño X", "x-ray"})
		s := normal(strings.Join(rapid.SliceOfN(rapid.SampledFrom(some), 0, 8).Draw(t, "text"), ""))
		for _, r := range rules {
			if got, want := r.find(s), nameRule(r.mark, r.re().whole, []opening{anyOpening}).find(s); len(got) != len(want) {
				t.Fatalf("%q: %v, plain %v", s, got, want)
			}
		}
	})
}

var anyOpening = func() (o opening) {
	for c := range 256 {
		o.first[c], o.second[c] = true, true
	}
	return o
}()
