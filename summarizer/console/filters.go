package console

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"aval/agent/consent"
	"aval/assets"
	"aval/summarizer/company"
	"aval/summarizer/store"
	"aval/summarizer/summary"
)

// summaryRoutes are the part of the table about sessions and their summaries.
func (c *Console) summaryRoutes() []Route {
	return []Route{
		{Method: "GET", Pattern: "/{$}", Needs: company.SessionsRead, Menu: "console.summaries", In: InSummaries, serve: c.list},
		{Method: "GET", Pattern: "/rows", Needs: company.SessionsRead, serve: c.rows},
		{Method: "GET", Pattern: "/export.csv", Needs: company.SummariesRead, serve: c.exportList},
		{Method: "GET", Pattern: "/s/{ref}", Needs: company.SessionsRead, serve: c.session},
		{Method: "GET", Pattern: "/s/{ref}/export/{form}", Needs: company.SummariesRead, serve: c.export},
		{Method: "GET", Pattern: "/s/{ref}/receipt/{form}", Needs: company.SessionsRead, serve: c.receipt},
		{Method: "GET", Pattern: "/s/{ref}/edit", Needs: company.SummariesWrite, serve: c.edit},
		{Method: "POST", Pattern: "/s/{ref}/edit", Needs: company.SummariesWrite, Max: maxForm, serve: c.save},
		{Method: "POST", Pattern: "/s/{ref}/restore", Needs: company.SummariesWrite, serve: c.restore},
		{Method: "POST", Pattern: "/s/{ref}/regenerate", Needs: company.SummariesWrite, serve: c.regenerate},
		{Method: "GET", Pattern: "/s/{ref}/delete", Needs: company.SummariesWrite, serve: c.askErase},
		{Method: "POST", Pattern: "/s/{ref}/delete", Needs: company.SummariesWrite, serve: c.erase},
	}
}

// filters are what the list is narrowed by, as the address has it.
type filters struct {
	Q, Supporter, Device string
	From, To             string // YYYY-MM-DD, both days included
	Tools, Labels        []option
	Bases, Outcomes      []option
	States               []option
	Any                  bool // something is asked
	More                 bool // and not only by words

	query store.Query
}

// option is one choice of a list.
type option struct {
	Value, Text string
	Selected    bool
}

// maxAsked is the longest value of a filter, in bytes.
const maxAsked = 200

// filters reads what is asked for; what is wrong counts as not asked.
func (c *Console) filters(r *http.Request, v visitor) (f filters) {
	get := func(name string) string {
		s := r.URL.Query().Get(name)
		return summary.Clean(strings.ToValidUTF8(s[:min(len(s), maxAsked)], ""), 0)
	}
	f.Q, f.Supporter, f.Device = get("q"), get("supporter"), get("device")
	f.query = store.Query{Text: f.Q, Supporter: f.Supporter, Device: f.Device, Tool: get("tool"), Basis: get("basis"), Label: get("label"), Outcome: get("outcome")}
	day := func(name string, plus int) (string, time.Time) {
		s := get(name)
		at, err := time.ParseInLocation(time.DateOnly, s, c.zone(v.cat))
		if err != nil || at.Year() < 1970 || at.Year() > 2200 {
			return "", time.Time{}
		}
		return s, at.AddDate(0, 0, plus)
	}
	f.From, f.query.From = day("from", 0)
	f.To, f.query.To = day("to", 1)
	pick := func(name string, all []string, key string) (out []option) {
		have := get(name)
		for _, s := range all {
			out = append(out, option{s, v.cat.T(key+s, nil), s == have})
		}
		return out
	}
	var states []string
	for _, s := range store.ListStates() {
		states = append(states, string(s))
		if string(s) == get("state") {
			f.query.State = s
		}
	}
	f.States = pick("state", states, "console.list.state.")
	f.Bases = pick("basis", []string{string(consent.BasisConsent), string(consent.BasisStandingSetting), string(consent.BasisPolicy), string(consent.BasisEnforcedPolicy)}, "console.basis.")
	f.Outcomes = pick("outcome", []string{string(summary.Resolved), string(summary.NotResolved), string(summary.NotStated)}, "console.list.outcome.")
	f.More = f.query != store.Query{Text: f.Q}
	f.Any = f.More || f.Q != ""
	return f
}

// choices fills the lists of what the company's sessions have.
func (f *filters) choices(t *store.Tx, v visitor) error {
	tools, err := t.Tools(v.company.ID)
	if err != nil {
		return err
	}
	for _, s := range tools {
		f.Tools = append(f.Tools, option{s, summary.Clean(s, 40), s == f.query.Tool})
	}
	labels, err := t.Labels(v.company.ID)
	for _, s := range labels {
		f.Labels = append(f.Labels, option{s, labelWords(v.cat, s), s == f.query.Label})
	}
	return err
}

// labelWords is a label in the page's language, or somebody's own words.
func labelWords(cat *assets.Catalog, key string) string {
	if summary.IsType(key) {
		return cat.T("summary.type."+key, nil)
	}
	return summary.Clean(key, 60)
}

// values are the filters as an address has them.
func (f filters) values() url.Values {
	q := url.Values{}
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	set("q", f.Q)
	set("supporter", f.Supporter)
	set("device", f.Device)
	set("tool", f.query.Tool)
	set("basis", f.query.Basis)
	set("label", f.query.Label)
	set("outcome", f.query.Outcome)
	set("state", string(f.query.State))
	set("from", f.From)
	set("to", f.To)
	return q
}

// address is a page with the same filters, from a place in the list on.
func (f filters) address(path, after string) string {
	q := f.values()
	if after != "" {
		q.Set("after", after)
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// picked is a list of choices as the template "pick" draws it.
type picked struct {
	Name    string
	Options []option
	All     string // the text of the first choice: none of them
}

func pick(name string, options []option, all string) picked { return picked{name, options, all} }
