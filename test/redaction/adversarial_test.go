package redaction

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"aval/agent/redact"
)

// TestAdversarial redacts cases made by hand, in which values are spaced out,
// spelled otherwise, torn apart or hidden among other text: at least 80 of a
// hundred leave nothing of the value, and the others are listed in the docs.
func TestAdversarial(t *testing.T) {
	raw, err := os.ReadFile("adversarial.txt")
	if err != nil {
		t.Fatal(err)
	}
	var missed []string
	n := 0
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		n++
		// What stands outside the signs may stay; each value must go.
		var own strings.Builder
		rest := line
		for {
			before, tail, ok := strings.Cut(rest, "«")
			own.WriteString(before + " ")
			if !ok {
				break
			}
			if _, rest, ok = strings.Cut(tail, "»"); !ok {
				t.Fatalf("%q: a value has no end", line)
			}
		}
		text := strings.NewReplacer("«", "", "»", "", "⏎", "\n").Replace(line)
		s := sample{before: strings.ReplaceAll(own.String(), "⏎", " ")}
		s.after = redact.Text(s.before) // letters that imitate others are written as those
		if out := said(t, sample{kind: "line", before: text}); left(s, out) {
			missed = append(missed, fmt.Sprintf("* `%s` → `%s`\n", strings.NewReplacer("«", "", "»", "").Replace(line), out))
		}
	}
	if n < 200 {
		t.Fatalf("only %d cases", n)
	}
	if found := n - len(missed); 5*found < 4*n {
		t.Errorf("%d of %d", found, n)
	}
	t.Logf("%d of %d", n-len(missed), n)
	documented(t, "adversarial", fmt.Sprintf("%d of %d cases leave nothing of the value (%s %%). The others:\n\n%s", n-len(missed), n, wilson(n-len(missed), n), strings.Join(missed, "")))
}
