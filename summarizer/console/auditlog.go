package console

import (
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	"aval/assets"
	"aval/summarizer/company"
	"aval/summarizer/store"
	"aval/summarizer/summary"
)

// auditListed is how many rows one page of the audit log has.
const auditListed = 100

type auditPage struct {
	frame
	Rows                             []auditRow
	From, To, Actor, Action, Subject string // as chosen
	Filtered                         bool
	Actions                          []string
	Older                            string // address of the next page; empty: there is none
	Newer                            bool
	Export                           string // address of the export of the rows that were chosen
	Report                           *company.AuditReport
	ReportText                       string
}

type auditRow struct {
	Seq                                              int64
	When, WhenISO, Who, Actor, Action, Word, Subject string
	Detail, Before, After                            string
}

// auditFilter reads the filter out of an address; days are in the page's zone.
func (c *Console) auditFilter(v visitor, q url.Values) (f store.AuditFilter) {
	f = store.AuditFilter{Actor: strings.TrimSpace(q.Get("actor")), Action: strings.TrimSpace(q.Get("action")), Subject: strings.TrimSpace(q.Get("subject"))}
	if d, err := time.ParseInLocation(time.DateOnly, q.Get("from"), c.zone(v.cat)); err == nil {
		f.From = d
	}
	if d, err := time.ParseInLocation(time.DateOnly, q.Get("to"), c.zone(v.cat)); err == nil {
		f.To = d.AddDate(0, 0, 1)
	}
	return f
}

// audit lists the audit log, the newest first.
func (c *Console) audit(w http.ResponseWriter, r *http.Request, v visitor) {
	c.showAudit(w, r, v, nil)
}

// auditVerify checks the whole log and shows what it found above the list.
func (c *Console) auditVerify(w http.ResponseWriter, r *http.Request, v visitor) {
	rep, err := v.co.VerifyAudit(r.Context())
	if err != nil {
		c.broken(w, r, err)
		return
	}
	c.showAudit(w, r, v, &rep)
}

func (c *Console) showAudit(w http.ResponseWriter, r *http.Request, v visitor, rep *company.AuditReport) {
	q := r.URL.Query()
	p := auditPage{frame: c.frameOf(r, v, v.cat.T("console.audit", nil)), Report: rep,
		From: q.Get("from"), To: q.Get("to"), Actor: q.Get("actor"), Action: q.Get("action"), Subject: q.Get("subject")}
	p.Filtered = p.From+p.To+p.Actor+p.Action+p.Subject != ""
	if rep != nil {
		p.Back = "/audit"
		p.ReportText = v.cat.T("console.audit.holds", assets.Args{"n": rep.Rows, "when": c.when(v.cat, rep.SignedAt)})
		if !rep.OK {
			p.ReportText = v.cat.T("console.audit.broken", nil)
		}
	}
	f := c.auditFilter(v, q)
	f.Before, f.Max = int64(atoi(q.Get("before"))), auditListed+1
	p.Newer = f.Before > 0
	list, err := v.co.Audits(r.Context(), f)
	if err == nil {
		p.Actions, err = v.co.AuditActions(r.Context())
	}
	if err != nil {
		c.broken(w, r, err)
		return
	}
	same := url.Values{"from": {p.From}, "to": {p.To}, "actor": {p.Actor}, "action": {p.Action}, "subject": {p.Subject}}
	p.Export = "/audit/export?" + same.Encode()
	if len(list) > auditListed {
		list = list[:auditListed]
		// A filter that leaves only row 0 on the next page has no place to go on from.
		if last := list[auditListed-1].Seq; last > 0 {
			same.Set("before", fmt.Sprint(last))
			p.Older = "/audit?" + same.Encode()
		}
	}
	names, err := c.actorNames(r, v, func(yield func(string) bool) {
		for _, a := range list {
			if !yield(a.Actor) {
				return
			}
		}
	})
	if err != nil {
		c.broken(w, r, err)
		return
	}
	for _, a := range list {
		row := auditRow{Seq: a.Seq, When: c.when(v.cat, a.At), WhenISO: a.At.UTC().Format(time.RFC3339), Actor: a.Actor, Action: a.Action,
			Subject: a.Subject, Detail: summary.Clean(a.Detail, 500), Before: summary.Clean(a.Before, 2000), After: summary.Clean(a.After, 2000)}
		row.Who = c.actorName(v, a.Actor, names)
		p.Rows = append(p.Rows, row)
	}
	c.show(w, r, http.StatusOK, "audit", p)
}

// actorNames are the names of those actors who are users.
func (c *Console) actorNames(r *http.Request, v visitor, actors iter.Seq[string]) (map[string]string, error) {
	names := map[string]string{}
	for actor := range actors {
		kind, id, _ := strings.Cut(actor, ":")
		if _, known := names[actor]; known || kind != string(company.KindUser) {
			continue
		}
		u, err := v.co.User(r.Context(), id)
		if err != nil && !errors.Is(err, company.ErrNoUser) {
			return nil, err
		}
		names[actor] = u.Name
	}
	return names, nil
}

// actorName is an actor of the audit log for people.
func (c *Console) actorName(v visitor, actor string, names map[string]string) string {
	if name := summary.Clean(names[actor], 60); name != "" {
		return name
	}
	kind, id, _ := strings.Cut(actor, ":")
	return strings.TrimSpace(v.cat.T("console.actor."+kind, nil) + " " + id)
}

// auditExport writes the rows that were chosen as JSON lines.
func (c *Console) auditExport(w http.ResponseWriter, r *http.Request, v visitor) {
	h := w.Header()
	h.Set("Content-Type", "application/x-ndjson")
	h.Set("Content-Disposition", `attachment; filename="aval-audit.jsonl"`)
	if err := v.co.ExportAudit(r.Context(), w, c.auditFilter(v, r.URL.Query())); err != nil && r.Context().Err() == nil {
		// The status is gone already: the missing head in the last line tells.
		c.o.Log.Error("export audit log", "err", err)
	}
}
