package viewmodel

import (
	"strings"

	"aval/agent/ipc"
	"aval/assets"
)

// Notice is what a person is told when a policy has a session recorded, in one
// language. Nobody is asked, and nothing in it reads as if somebody were.
type Notice struct {
	Title string
	What  string // who records, and what becomes of it
	Now   string // who is connected
	Why   string // that it is set by the company, or where it can be changed
	// Act is the button that there is something to do with: to object where it
	// is enforced, otherwise to the settings.
	Act      string
	Enforced bool
	Done     string // what became of an objection
	Failed   string // the service did not take it
	See      string // unfolds Seen
	Seen     []string
	OK       string
	// Native is the whole as plain text for a dialog that has one button.
	Native string
}

// NewNotice puts n into words.
func NewNotice(n ipc.Notice, cat *assets.Catalog) Notice {
	q := ipc.Question{Tool: n.Tool, Supporter: n.Supporter, Address: n.Address, Offered: n.Groups}
	company := companyName(n.Company, cat)
	args := assets.Args{"company": company, "supporter": Clean(n.Supporter, maxName)}
	v := Notice{
		Title: cat.T("notice.title", nil), What: cat.T("notice.what", args), Enforced: n.Enforced,
		Why: cat.T("notice.open", nil), Act: cat.T("notice.settings", nil),
		Done: cat.T("notice.objected", args), Failed: cat.T("notice.failed", nil), See: cat.T("notice.see", nil), OK: cat.T("notice.ok", nil),
	}
	if args["supporter"] == "" {
		args["supporter"] = cat.T("indicator.nobody", nil)
	}
	args["via"] = via(cat, q)
	v.Now = cat.T("notice.now", args)
	native := cat.T("notice.open.native", nil)
	if n.Enforced {
		v.Why, v.Act = cat.T("notice.enforced", args), cat.T("notice.object", nil)
		native = cat.T("notice.enforced.native", args)
	}
	var a Ask
	a.lists(q, cat)
	v.Seen = []string{a.recorded, a.notRecorded, readers(cat, n.Company, company), kept(cat, n.Company.RetentionDays), a.footnote(cat)}
	if says := modelOf(cat, n.Company.Engine); says != "" { // nobody is asked: they are told all the more
		v.Seen = append(v.Seen, says)
	}
	v.Native = strings.Join(append([]string{v.What, v.Now, "", native, ""}, v.Seen...), "\n")
	return v
}

func (Ask) footnote(cat *assets.Catalog) string { return cat.T("consent.footnote", nil) }
