package policy_test

import (
	"strings"

	"aval/agent/policy"
)

// table is the table of keys as Markdown, for docs/policy.md.
func table() string {
	var b strings.Builder
	b.WriteString("| key | type | allowed | default | can allow without a question | what it does |\n|---|---|---|---|---|---|\n")
	for _, d := range policy.Definitions() {
		byDefault := d.Default
		if byDefault == "" {
			byDefault = "empty"
		}
		allows := strings.Join(d.Allows, ", ")
		switch allows {
		case "":
			allows = "no"
		case "*":
			allows = "any entry"
			if d.Type == policy.Number {
				allows = "any but 0"
			}
		}
		b.WriteString("| `" + string(d.Name) + "` | " + string(d.Type) + " | " + d.Allowed() + " | " + byDefault + " | " + allows + " | " + d.Doc + " |\n")
	}
	return b.String()
}
