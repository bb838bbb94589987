package viewmodel

import (
	"time"

	"aval/agent/ipc"
	"aval/assets"
)

// leave composes the question after the supporter has left, out of the same
// parts: its window and its dialog are those of the question.
func leave(a Ask, q ipc.Question, cat *assets.Catalog, now time.Time) Ask {
	company := cat.T("consent.company.unnamed", nil)
	if len(q.Companies) > 0 {
		company = companyName(q.Companies[0], cat)
	}
	who := Clean(q.Supporter, maxName)
	if who == "" {
		who = cat.T("indicator.nobody", nil)
	}
	until := q.Leave.Until.In(now.Location())
	out := Ask{
		Leave: true, Locale: a.Locale, Arming: a.Arming, Covered: a.Covered, Remote: a.Remote, Language: a.Language, cat: cat,
		Title:    cat.T("consent.leave.title", assets.Args{"supporter": who, "company": company}),
		Who:      cat.N("consent.leave.items", int(min(q.Leave.Items, 1<<30)), nil),
		Purposes: []string{cat.T("consent.leave.why", nil)},
		Stop:     cat.T("consent.leave.later", nil),
		More:     cat.T("consent.leave.view", nil),
		Deny:     cat.T("consent.leave.delete", nil),
		Allow:    cat.T("consent.leave.send", nil),

		until:       cat.T("consent.leave.until", assets.Args{"date": date(cat, until), "time": until.Format("15:04")}),
		closingLast: cat.T("consent.leave.close", nil),
	}
	if q.Leave.DeleteAsked {
		out.Title = cat.T("consent.leave.asked.title", assets.Args{"supporter": who})
		out.Purposes = []string{cat.T("consent.leave.asked.why", assets.Args{"company": company})}
		out.Allow = cat.T("consent.leave.asked.keep", nil)
	}
	if !q.Leave.From.IsZero() {
		out.Since = cat.T("consent.leave.from", assets.Args{"date": date(cat, q.Leave.From.In(now.Location())), "time": q.Leave.From.In(now.Location()).Format("15:04")})
	}
	for _, g := range q.Offered {
		out.Groups = append(out.Groups, Group{Group: g})
	}
	return out
}
