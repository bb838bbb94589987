package redact

import (
	"slices"
	"strings"
)

// leak is one rule of gitleaks: its words, of which one must be in the text, and
// its expression, whose first group is what is secret.
type leak struct {
	name  string
	words []string
	expr  string
}

// operator stands in those of gitleaks's expressions that look for a name, an
// operator and a value.
const operator = `(?:=|>|:{1,3}=|\|\||:|=>|\?=|,)`

// wide are the rules that need their word somewhere in the text, not in what they
// find, or that let any sign stand for the dots of their word.
var wide = set("airtable-personnal-access-token facebook-access-token sidekiq-sensitive-url slack-config-access-token slack-webhook-url sourcegraph-access-token")

// gitleaks makes rules out of the data in gitleaks_rules.go. What gitleaks has
// beside the expressions is left out: a least entropy and lists of exceptions
// would keep what is doubtful.
func gitleaks() []rule {
	var out []rule
	for _, l := range leaks {
		r := rule{name: "gitleaks:" + l.name, mark: MarkToken, only: l.words, re: lazy(l.expr)}
		name, _, named := strings.Cut(l.expr, operator)
		for _, w := range l.words {
			t := trigger{lit: w, anywhere: wide[l.name]}
			switch {
			case named && w != "mailchimp" && strings.Contains(strings.ToLower(name), w):
				t.guard = valued
			case named: // the word stands in the value, or more than blanks may follow it
			case w == "curl":
				t.guard = later("-u", "-U", "-H", "--")
			case w == "sk": // and 32 hexadecimal digits
				t.lit, t.class, t.guard = "sk000", hexDigits, hexRun(29)
			case w == "s.":
				t.guard = run(24)
			case len(w) <= 5 && w != "_mmk" && w != "sgp_": // one stands at the end, the other anywhere
				t.guard = run(6)
			}
			r.on = append(r.on, t)
		}
		out = append(out, r)
	}
	return slices.Clip(out)
}
