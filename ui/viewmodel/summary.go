package viewmodel

import (
	"strconv"
	"time"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/assets"
)

// maxSummary is longer than a summary's text is ever sent back, in characters.
const maxSummary = 50_000

// SummaryLine is one paragraph of a summary.
type SummaryLine struct {
	Text string
	Head bool
}

// engineWords is a model and where it runs, short.
func engineWords(engine string) string {
	model, host := consent.SplitEngine(engine)
	if model = Clean(model, maxEngine); host != "" && host != consent.EngineHere {
		model += " (" + Clean(host, maxHost) + ")"
	}
	return model
}

// Summary is what the company has written about a session, by whom, paragraph by
// paragraph; its words come from outside and are shown as plain text.
func Summary(s ipc.Summary, cat *assets.Catalog, zone *time.Location) []SummaryLine {
	company := Clean(s.Company, maxName)
	if company == "" {
		company = cat.T("consent.company.unnamed", nil)
	}
	of := assets.Args{"company": company}
	lines := []SummaryLine{{cat.T("activity.summary", of), true}}
	add := func(text string) {
		if text = Clean(text, maxSummary); text != "" {
			lines = append(lines, SummaryLine{Text: text})
		}
	}
	if s.Version == 0 {
		add(cat.T("activity.summary.none", of))
		return lines
	}
	add(s.Name)
	add(s.Text)
	for _, st := range s.Steps {
		add("• " + cat.T("activity.summary.step", assets.Args{"application": st.Application, "action": st.Action}))
		for _, c := range st.Commands {
			add("   " + c)
		}
	}
	if len(s.FollowUps) > 0 {
		add(cat.T("activity.summary.followups", nil))
	}
	for _, f := range s.FollowUps {
		add("• " + f)
	}
	if s.Cut {
		add(cat.T("activity.summary.cut", nil))
	}
	at := s.At.In(zone)
	by := assets.Args{"version": strconv.FormatUint(s.Version, 10), "date": date(cat, at), "time": at.Format("15:04"), "engine": engineWords(s.Engine)}
	if s.Engine == consent.EngineRules {
		add(cat.T("activity.summary.rules", by))
	} else {
		add(cat.T("activity.summary.model", by))
	}
	if s.Edited {
		add(cat.T("activity.summary.edited", nil))
	}
	return lines
}
