package event_test

import (
	"strconv"
	"strings"

	"aval/agent/event"
)

// table is the vocabulary as a table in Markdown, for docs/events.md.
func table() string {
	var b strings.Builder
	b.WriteString("| kind | group | who reports it | meaning | fields → OpenTelemetry attribute | OCSF class |\n|---|---|---|---|---|---|\n")
	for _, d := range event.Defs {
		group := string(d.Group)
		if d.Kind.Mark() {
			group = "every grant"
		}
		var fields []string
		for _, f := range d.Fields {
			s := "`" + f.Name + "`: " + f.Doc
			if len(f.OneOf) > 0 {
				s += " (" + strings.Join(f.OneOf, " or ") + ")"
			}
			if f.OTel != "" {
				s += " → `" + f.OTel + "`"
			}
			var marks []string
			if f.Required {
				marks = append(marks, "required")
			}
			if f.Needs != "" {
				marks = append(marks, "only if "+string(f.Needs)+" is granted too")
			}
			if f.Text {
				marks = append(marks, "redacted, at most "+strconv.Itoa(f.Max)+" bytes")
			}
			if len(marks) > 0 {
				s += " [" + strings.Join(marks, "; ") + "]"
			}
			fields = append(fields, s)
		}
		b.WriteString("| `" + string(d.Kind) + "` | " + group + " | " + string(d.Source) + " | " + d.Doc + " | " + strings.Join(fields, "<br>") + " | " + d.OCSF + " |\n")
	}
	return b.String()
}
