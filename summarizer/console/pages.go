package console

import (
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"strconv"
	"strings"
	"time"

	"aval/assets"
	"aval/summarizer/company"
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
	Href                                      string // with what was looked for, so that the list stays as it is
	Current                                   bool
}

type listPage struct {
	frame
	filters
	Rows    []row
	Stand   string // of the rows: it changes when one of them does
	Live    string // address of the rows alone; empty: they do not change by themselves
	Older   string // address of the next page; empty: there is none
	Stopped bool   // the search stopped before the page was full
	Newer   string // address of the first page; empty: this is it
	Waiting string // a sentence, where sessions wait for credits
	Enrol   string
	Devices int
	Detail  *detail
	CSV     string // address of the list as a file
}

// list shows the sessions, newest first.
func (c *Console) list(w http.ResponseWriter, r *http.Request, v visitor) {
	p, err := c.listPage(r, v, "")
	if err != nil {
		c.broken(w, r, err)
		return
	}
	c.show(w, r, http.StatusOK, "sessions", p)
}

// rows answers the list's own question whether something has changed: with the
// rows, or with nothing.
func (c *Console) rows(w http.ResponseWriter, r *http.Request, v visitor) {
	p, err := c.listPage(r, v, r.FormValue("ref"))
	switch {
	case err != nil:
		c.broken(w, r, err)
	case p.Stand == r.FormValue("stand"):
		w.WriteHeader(http.StatusNoContent)
	default:
		c.show(w, r, http.StatusOK, "rows", p)
	}
}

func (c *Console) listPage(r *http.Request, v visitor, ref string) (p listPage, err error) {
	p.frame = c.frameOf(r, v, v.cat.T("console.summaries", nil))
	p.Enrol = c.o.Enrol()
	p.filters = c.filters(r, v)
	after, paged := cursor(r.URL.Query().Get("after"))
	if paged {
		p.Newer = p.address("/", "")
	}
	now := c.o.Now()
	err = c.db.View(r.Context(), func(t *store.Tx) error {
		found, err := t.Search(v.company.ID, p.query, after, listed)
		if err != nil {
			return err
		}
		if found.More {
			p.Older = p.address("/", fmt.Sprintf("%d.%s", found.Next.StartedAt.UnixNano(), found.Next.Ref))
			p.Stopped = len(found.Streams) < listed
		}
		for _, s := range found.Streams {
			out := c.row(v.cat, s, s.Title, now)
			out.Href, out.Current = p.address("/s/"+s.Ref, r.URL.Query().Get("after")), s.Ref == ref
			p.Rows = append(p.Rows, out)
		}
		waiting, err := t.JobsWaiting(v.company.ID)
		if err != nil {
			return err
		}
		if waiting > 0 {
			p.Waiting = v.cat.N("console.waiting_for_credits", int(waiting), nil)
		}
		if len(p.Rows) == 0 && !p.Any && !paged {
			devices, err := t.Devices(v.company.ID)
			if err != nil {
				return err
			}
			for _, d := range devices {
				if d.Code == "" {
					p.Devices++
				}
			}
		}
		return p.choices(t, v)
	})
	p.Stand = p.stand()
	if !paged {
		q := p.values()
		q.Set("stand", p.Stand)
		if ref != "" {
			q.Set("ref", ref)
		}
		p.Live = "/rows?" + q.Encode()
	}
	q := p.values()
	if p.CSV = "/export.csv"; len(q) > 0 {
		p.CSV += "?" + q.Encode()
	}
	return p, err
}

// stand is a short name for what the rows show.
func (p listPage) stand() string {
	h := fnv.New64a()
	fmt.Fprint(h, p.Lang, p.Rows, p.Waiting, p.Older != "")
	return strconv.FormatUint(h.Sum64(), 36)
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
func (c *Console) when(cat *assets.Catalog, t time.Time) string { return whenIn(cat, t, c.zone(cat)) }

// zone is the time zone of the page: the company's, once somebody has set it, else
// the server's.
func (c *Console) zone(cat *assets.Catalog) *time.Location {
	if cat.Zone != nil {
		return cat.Zone
	}
	return c.o.Zone
}

// offset is how far the page's time zone was from UTC at an instant.
func (c *Console) offset(cat *assets.Catalog, t time.Time) string {
	return "UTC" + strings.Replace(t.In(c.zone(cat)).Format("-07:00"), "-", "−", 1)
}

func whenIn(cat *assets.Catalog, t time.Time, zone *time.Location) string {
	if t.IsZero() {
		return "–"
	}
	return t.In(zone).Format(cat.T("console.time.layout", nil))
}

// session shows one session beside the list.
func (c *Console) session(w http.ResponseWriter, r *http.Request, v visitor) {
	p, err := c.listPage(r, v, r.PathValue("ref"))
	if err == nil {
		p.Detail, err = c.detail(r, v, p.filters)
	}
	if err == nil && p.Detail.Erased == "" {
		err = v.co.ReadSession(r.Context(), p.Detail.Row.Ref)
	}
	if err == nil && v.may(company.AuditRead) {
		p.Detail.Readers, err = c.readers(r, v, p.Detail.Row.Ref)
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
	c.show(w, r, http.StatusOK, "sessions", p)
}

// readersShown is how many readers a session's page lists.
const readersShown = 20

// readers says who has read a session, for those who may read the audit log.
func (c *Console) readers(r *http.Request, v visitor, ref string) (out []fact, err error) {
	list, err := v.co.Readers(r.Context(), ref, readersShown)
	if err != nil {
		return nil, err
	}
	names, err := c.actorNames(r, v, func(yield func(string) bool) {
		for _, read := range list {
			if !yield(read.Reader) {
				return
			}
		}
	})
	for _, read := range list {
		out = append(out, fact{c.actorName(v, read.Reader, names), v.cat.T("console.readers.last", assets.Args{"when": c.when(v.cat, read.Last)}),
			v.cat.N("console.readers.hours", int(read.Hours), nil)})
	}
	return out, err
}

// read loads what a session's page shows, the versions newest first.
func (c *Console) read(t *store.Tx, company, ref string) (s store.Stream, in summary.Session, versions []store.Summary, grants []store.Grant, err error) {
	if s, err = t.StreamByRef(company, ref); err != nil {
		return
	}
	if grants, err = t.Grants(s.Key); err != nil || !s.ErasedAt.IsZero() {
		return
	}
	if in, err = runner.Read(t, s); err != nil {
		return
	}
	versions, err = t.Summaries(s.Key)
	return
}
