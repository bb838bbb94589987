package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"aval/assets"
	"aval/summarizer/store"
	"aval/summarizer/summary"
	"aval/summarizer/summary/runner"
)

const (
	// listed is how many sessions one page of the list has.
	listed = 50
	// eventsShown is how many events one page of a session has.
	eventsShown = 500
)

// row is one session in the list.
type row struct {
	Ref, Supporter, Name, Tool, Device, Basis string
	When, WhenISO, Duration, Items            string
	State                                     state
	Unverified                                string // why the name is not sure; empty: it is
	Current                                   bool
}

type listPage struct {
	frame
	Rows    []row
	Older   string // address of the next page; empty: there is none
	Newer   bool   // this is not the first page
	Waiting string // a sentence, where sessions wait for credits
	Enrol   string
	Devices int
	Detail  *detail
}

// list shows the sessions, newest first.
func (c *Console) list(w http.ResponseWriter, r *http.Request, v visitor) {
	p, err := c.listPage(r, v)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	c.show(w, r, http.StatusOK, "sessions", p)
}

func (c *Console) listPage(r *http.Request, v visitor) (p listPage, err error) {
	p.frame = c.frameOf(r, v, v.cat.T("console.sessions", nil))
	p.Enrol = c.o.Enrol()
	after, paged := cursor(r.URL.Query().Get("after"))
	p.Newer = paged
	now := c.o.Now()
	err = c.db.View(r.Context(), func(t *store.Tx) error {
		streams, err := t.Streams(v.company.ID, after, listed+1)
		if err != nil {
			return err
		}
		if len(streams) > listed {
			streams = streams[:listed]
			cur := streams[listed-1].Cursor()
			p.Older = fmt.Sprintf("?after=%d.%s", cur.StartedAt.UnixNano(), cur.Ref)
		}
		waiting := 0
		for _, s := range streams {
			name := ""
			if s.SummaryVersion > 0 {
				if name, err = storedName(t, s.Key); err != nil {
					return err
				}
			}
			if s.JobState == store.JobWaiting {
				waiting++
			}
			p.Rows = append(p.Rows, c.row(v.cat, s, name, now))
		}
		if waiting > 0 {
			p.Waiting = v.cat.N("console.waiting_for_credits", waiting, nil)
		}
		devices, err := t.Devices(v.company.ID)
		if err != nil {
			return err
		}
		for _, d := range devices {
			if d.Code == "" {
				p.Devices++
			}
		}
		left, err := t.Balance(v.company.ID, now)
		p.Credits = v.cat.T("console.credits", assets.Args{"n": left})
		return err
	})
	return p, err
}

// cursor reads the place in the list out of an address; what is wrong starts anew.
func cursor(s string) (store.Cursor, bool) {
	at, ref, ok := strings.Cut(s, ".")
	ns, err := strconv.ParseInt(at, 10, 64)
	if !ok || err != nil || ref == "" {
		return store.Cursor{}, false
	}
	return store.Cursor{StartedAt: time.Unix(0, ns).UTC(), Ref: ref}, true
}

// storedName is the title of the summary in force.
func storedName(t *store.Tx, k store.Key) (string, error) {
	s, err := t.Summary(k)
	if err != nil {
		return "", err
	}
	var head struct {
		Name string `json:"Name"`
	}
	if err := json.Unmarshal([]byte(s.JSON), &head); err != nil {
		return "", fmt.Errorf("read summary: %w", err)
	}
	return summary.Clean(head.Name, 120), nil
}

func (c *Console) row(cat *assets.Catalog, s store.Stream, name string, now time.Time) row {
	out := row{
		Ref: s.Ref, Supporter: summary.Clean(s.Supporter, 48), Name: name, Tool: summary.Clean(s.Tool, 32),
		Device: summary.Clean(s.DeviceName, 48), Basis: basisWords(cat, s), State: stateOf(cat, s, now, c.when(cat, s.UpdatedAt)),
		When: c.when(cat, s.StartedAt), WhenISO: s.StartedAt.UTC().Format(time.RFC3339), Items: cat.N("console.items", int(s.Acked), nil),
	}
	switch {
	case out.Supporter == "":
		out.Supporter = cat.T("summary.somebody", nil)
	case summary.Address(out.Supporter):
		out.Unverified = cat.T("console.address_only", nil)
	case !s.SupporterVerified:
		out.Unverified = cat.T("console.unverified", nil)
	}
	if end := latest(s.EndedAt, s.LastEventAt); !end.IsZero() && !s.StartedAt.IsZero() {
		out.Duration = summary.Duration(cat, end.Sub(s.StartedAt))
	}
	return out
}

func latest(a, b time.Time) time.Time {
	if a.IsZero() {
		return b
	}
	return a
}

// when writes a time in the console's zone.
func (c *Console) when(cat *assets.Catalog, t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.In(c.o.Zone).Format(cat.T("console.time.layout", nil))
}

// session shows one session beside the list.
func (c *Console) session(w http.ResponseWriter, r *http.Request, v visitor) {
	p, err := c.listPage(r, v)
	if err == nil {
		p.Detail, err = c.detail(r, v)
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		c.fail(w, r, http.StatusNotFound, "console.error.not_found")
		return
	case err != nil:
		c.broken(w, r, err)
		return
	}
	p.Title, p.Selected = p.Detail.Title, p.Detail.Row.Ref
	for i := range p.Rows {
		p.Rows[i].Current = p.Rows[i].Ref == p.Selected
	}
	c.show(w, r, http.StatusOK, "sessions", p)
}

// retry makes a summary that was given up be tried again.
func (c *Console) retry(w http.ResponseWriter, r *http.Request, v visitor) {
	now := c.o.Now()
	err := c.db.Tx(r.Context(), func(t *store.Tx) error {
		s, err := t.StreamByRef(v.company.ID, r.PathValue("ref"))
		if err != nil {
			return err
		}
		if s.JobState != store.JobFailed {
			return nil // it was tried again meanwhile
		}
		if err := t.AddAudit(store.Audit{Company: v.company.ID, At: now, Actor: v.actor.String(), Action: "summary-retried", Subject: s.Ref}); err != nil {
			return err
		}
		return t.RestartJob(store.JobSummary, s.Key, now)
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		c.fail(w, r, http.StatusNotFound, "console.error.not_found")
	case err != nil:
		c.broken(w, r, err)
	default:
		http.Redirect(w, r, "/s/"+r.PathValue("ref"), http.StatusSeeOther)
	}
}

// read loads what a session's page shows.
func (c *Console) read(t *store.Tx, company, ref string) (s store.Stream, in summary.Session, stored *store.Summary, grants []store.Grant, err error) {
	if s, err = t.StreamByRef(company, ref); err != nil {
		return
	}
	if grants, err = t.Grants(s.Key); err != nil {
		return
	}
	if !s.ErasedAt.IsZero() {
		return
	}
	if in, err = runner.Read(t, s); err != nil {
		return
	}
	sum, err := t.Summary(s.Key)
	switch {
	case errors.Is(err, store.ErrNotFound):
		err = nil
	case err == nil:
		stored = &sum
	}
	return
}
