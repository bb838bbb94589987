package redaction

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// bar is what a kind must reach; precision 0: the kind has no negatives.
type bar struct{ recall, precision float64 }

// bars by kind; a kind without an entry is one with check digits.
var bars = map[string]bar{
	"ssn": {.99, 0}, "nino": {.99, 0},
	"email": {.99, 0}, "ipv4": {.99, 0}, "ipv6": {.99, 0}, "mac": {.99, 0}, "jwt": {.99, 0}, "pem": {.99, 0}, "urlcred": {.99, 0},
	"phonebr": {.97, 0}, "phoneintl": {.97, 0},
	"secret_pt": {.90, 0}, "secret_en": {.90, 0}, "secret_es": {.90, 0}, "secret_cmd": {.90, 0}, "secret_chat": {.90, 0},
}

var checkDigits = bar{.995, .99}

// names of the kinds as people read them.
var names = map[string]string{
	"cpf": "CPF", "cnpj": "CNPJ, numeric", "cnpj-letters": "CNPJ with letters", "card": "payment card", "iban": "IBAN", "pis": "PIS, NIS, NIT, labelled or grouped", "cnh": "CNH, labelled",
	"titulo": "título de eleitor", "nhs": "NHS number (UK), labelled", "dni": "DNI (Spain)", "nie": "NIE (Spain)", "steuer": "Steuer-ID (Germany), labelled or grouped",
	"nir": "NIR (France)", "codicefiscale": "codice fiscale (Italy)", "bsn": "BSN (Netherlands), labelled", "pesel": "PESEL (Poland), labelled", "nip": "NIP (Poland), labelled or grouped",
	"ric": "resident's number (China)", "ssn": "SSN (USA), labelled or grouped", "nino": "NINO (UK)", "email": "e-mail", "ipv4": "IPv4", "ipv6": "IPv6", "mac": "MAC", "jwt": "JSON web token",
	"pem": "private key, PEM", "phonebr": "telephone, Brazil", "phoneintl": "telephone, E.164, nine countries", "urlcred": "user and password in an address",
	"secret_pt": "password after words, Portuguese", "secret_en": "password after words, English", "secret_es": "password after words, Spanish", "secret_cmd": "password in a command line",
	"secret_chat": "password over two lines of a chat",
}

// wilson is the 95 % interval of a share (Wilson 1927), in per cent.
func wilson(k, n int) string {
	const z = 1.959964
	p, m := float64(k)/float64(n), float64(n)
	mid := (p + z*z/(2*m)) / (1 + z*z/m)
	half := z / (1 + z*z/m) * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return fmt.Sprintf("%.2f–%.2f", 100*(mid-half), 100*min(1, mid+half))
}

// TestFrozen measures the frozen set, holds the figures against their bars and
// against the table in docs/redaction.md. AVAL_UPDATE=1 writes the table. (With
// one rule left out, or with a check that lets every number pass, it fails.)
func TestFrozen(t *testing.T) {
	results := measure(t, load(t, "frozen"), func(sample, string) {})
	var b strings.Builder
	b.WriteString("| kind | values | removed wholly | 95 % interval | numbers that only look like it, and stay | precision |\n|---|---|---|---|---|---|\n")
	for _, r := range results {
		want, ok := bars[r.kind]
		if !ok {
			want = checkDigits
		}
		stay, precision := "", ""
		if r.negatives > 0 {
			stay = fmt.Sprintf("%.2f %% of %d", 100*float64(r.kept)/float64(r.negatives), r.negatives)
			precision = fmt.Sprintf("%.2f %%", 100*r.precision())
		}
		fmt.Fprintf(&b, "| %s | %d | %.2f %% | %s | %s | %s |\n", names[r.kind], r.positives, 100*r.recall(), wilson(r.found, r.positives), stay, precision)
		if r.recall() < want.recall || r.negatives > 0 && r.precision() < want.precision {
			t.Errorf("%s: recall %.4f, precision %.4f", r.kind, r.recall(), r.precision())
		}
		t.Logf("%-14s %d/%d %d/%d", r.kind, r.found, r.positives, r.kept, r.negatives)
	}
	if names := len(names); names != len(results) {
		t.Errorf("%d kinds measured, %d named", len(results), names)
	}
	documented(t, "frozen", b.String())
}

// documented holds a part of docs/redaction.md against what was measured.
func documented(t *testing.T, part, table string) {
	t.Helper()
	path := filepath.Join("..", "..", "docs", "redaction.md")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	from, to := "<!-- "+part+": begin -->\n", "<!-- "+part+": end -->\n"
	head, rest, ok1 := strings.Cut(string(raw), from)
	_, tail, ok2 := strings.Cut(rest, to)
	if !ok1 || !ok2 {
		t.Fatalf("%s has no place for %s", path, part)
	}
	want := head + from + table + to + tail
	if want == string(raw) {
		return
	}
	if os.Getenv("AVAL_UPDATE") == "" {
		t.Errorf("%s is not what was measured: AVAL_UPDATE=1 go test ./test/redaction writes it", path)
		return
	}
	if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}
