package console

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"aval/agent/event"
	"aval/assets"
	"aval/summarizer/store"
	"aval/summarizer/summary"
	"aval/summarizer/summary/sheet"
)

// exported is one session as JSON.
type exported struct {
	Session   string          `json:"session"`
	Ref       string          `json:"ref"`
	Tool      string          `json:"tool"`
	Supporter string          `json:"supporter"`
	Verified  bool            `json:"supporter_verified"`
	Device    string          `json:"device"`
	Basis     string          `json:"basis"`
	StartedAt time.Time       `json:"started_at"`
	EndedAt   time.Time       `json:"ended_at,omitzero"`
	Version   int64           `json:"version"`
	Author    string          `json:"author,omitempty"`
	Engine    string          `json:"engine"`
	Language  string          `json:"language"`
	Summary   json.RawMessage `json:"summary"`
	Events    []event.Event   `json:"events"`
}

// export gives the summary that is in force as a file: json, csv, md, txt, pdf.
func (c *Console) export(w http.ResponseWriter, r *http.Request, v visitor) {
	var s store.Stream
	var in summary.Session
	var versions []store.Summary
	err := c.db.View(r.Context(), func(t *store.Tx) (err error) {
		s, in, versions, _, err = c.read(t, v.company.ID, r.PathValue("ref"))
		if err == nil && len(versions) == 0 {
			err = store.ErrNotFound
		}
		return err
	})
	if err == nil {
		err = v.co.ReadSession(r.Context(), s.Ref)
	}
	if err != nil {
		c.gone(w, r, err)
		return
	}
	kind, out := "", []byte(nil)
	switch r.PathValue("form") {
	case "json":
		kind = "application/json"
		now := versions[0]
		out, err = json.MarshalIndent(exported{Session: s.Session, Ref: s.Ref, Tool: s.Tool, Supporter: s.Supporter, Verified: s.SupporterVerified, Device: s.DeviceName,
			Basis: string(s.Basis), StartedAt: s.StartedAt, EndedAt: s.EndedAt, Version: now.Version, Author: now.Author, Engine: now.Engine, Language: now.Lang,
			Summary: json.RawMessage(now.JSON), Events: in.Events}, "", "  ")
	case "csv", "md", "txt", "pdf":
		var d sheet.Doc
		if d, err = c.doc(v.cat, s, in, versions); err != nil {
			break
		}
		switch r.PathValue("form") {
		case "csv":
			kind, out = "text/csv; charset=utf-8", sheet.DocCSV(d)
		case "md":
			kind, out = "text/markdown; charset=utf-8", sheet.Markdown(d)
		case "txt":
			kind, out = "text/plain; charset=utf-8", sheet.Text(d)
		case "pdf":
			kind = "application/pdf"
			out, err = sheet.PDF(d)
		}
	default:
		c.fail(w, r, http.StatusNotFound, "console.error.not_found")
		return
	}
	if err != nil {
		c.broken(w, r, err)
		return
	}
	w.Header().Set("Content-Type", kind)
	if r.PathValue("form") != "txt" { // which is also looked at, to copy it
		w.Header().Set("Content-Disposition", `attachment; filename="aval-`+s.Ref+"."+r.PathValue("form")+`"`)
	}
	_, _ = w.Write(out)
}

// doc is a summary as it is printed, in the page's language.
func (c *Console) doc(cat *assets.Catalog, s store.Stream, in summary.Session, versions []store.Summary) (d sheet.Doc, err error) {
	view, err := writeSummary(cat, in, versions[0], versions, linker{page: 1})
	if err != nil {
		return d, err
	}
	row := c.row(cat, s, s.Title, c.o.Now())
	who := row.Supporter
	if row.Unverified != "" {
		who += " (" + row.Unverified + ")"
	}
	d = sheet.Doc{Title: view.Title, Foot: view.By, Missing: cat.T("console.export.missing", nil)}
	for _, f := range []struct{ key, value string }{
		{"console.col.started", row.When + " (" + c.offset(cat, s.StartedAt) + ")"}, {"console.col.duration", row.Duration}, {"console.col.supporter", who}, {"console.col.device", row.Device},
		{"console.col.tool", row.Tool}, {"console.fact.allowed", row.Basis}, {"console.labels", strings.Join(view.Labels, ", ")},
	} {
		if f.value != "" {
			d.Facts = append(d.Facts, sheet.Fact{Name: cat.T(f.key, nil), Value: f.value})
		}
	}
	part := func(key string, lines ...sheet.Line) {
		lines = trim(lines)
		if len(lines) > 0 {
			d.Parts = append(d.Parts, sheet.Part{Title: cat.T(key, nil), Lines: lines})
		}
	}
	sentences := func(list []sentence) (out []sheet.Line) {
		for _, t := range list {
			out = append(out, sheet.Line{Text: t.Text, Note: notes(t.Rests)})
		}
		return out
	}
	part("console.issue", sentences([]sentence{view.Issue})...)
	part("console.outcome", sentences([]sentence{view.Outcome})...)
	part("console.summary", sentences(view.Sentences)...)
	var steps []sheet.Line
	for _, st := range view.Steps {
		steps = append(steps, sheet.Line{Text: st.Application + ": " + st.Action, Code: st.Commands, Note: notes(st.Rests)})
	}
	part("console.steps", steps...)
	part("console.follow_ups", sentences(view.FollowUps)...)
	return d, nil
}

func trim(lines []sheet.Line) (out []sheet.Line) {
	for _, l := range lines {
		if l.Text != "" {
			out = append(out, l)
		}
	}
	return out
}

// notes turns "e3 e7" into "3, 7".
func notes(rests string) string {
	return strings.ReplaceAll(strings.ReplaceAll(rests, "e", ""), " ", ", ")
}

const (
	// exportMost is how many sessions one file of the list has at most.
	exportMost = 10_000
	// exportAtOnce is how many are read in one transaction.
	exportAtOnce = 500
)

// exportList gives the list, narrowed as the page is, as CSV.
func (c *Console) exportList(w http.ResponseWriter, r *http.Request, v visitor) {
	f := c.filters(r, v)
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="aval-`+c.o.Now().In(c.zone(v.cat)).Format(time.DateOnly)+`.csv"`)
	err := sheet.CSV(w, func(row func(...string) error) error {
		var head []string
		for _, name := range []string{"session", "started", "duration", "supporter", "verified", "device", "tool", "basis", "state", "title", "summary", "labels", "outcome"} {
			head = append(head, v.cat.T("console.col."+name, nil))
		}
		if err := row(head...); err != nil {
			return err
		}
		var after store.Cursor
		for n := 0; n < exportMost; {
			var found store.Found
			sums := map[string]summary.Summary{}
			if err := c.db.View(r.Context(), func(t *store.Tx) (err error) {
				if found, err = t.Search(v.company.ID, f.query, after, exportAtOnce); err != nil {
					return err
				}
				for _, s := range found.Streams {
					if s.SummaryVersion == 0 {
						continue
					}
					stored, err := t.Summary(s.Key)
					if err != nil {
						return err
					}
					var sum summary.Summary
					if err := json.Unmarshal([]byte(stored.JSON), &sum); err != nil {
						return fmt.Errorf("read summary: %w", err)
					}
					sums[s.Ref] = sum
				}
				return nil
			}); err != nil {
				return err
			}
			if err := v.co.ReadList(r.Context(), slices.Sorted(maps.Keys(sums))); err != nil {
				return err
			}
			for _, s := range found.Streams {
				if err := row(c.listRow(v.cat, s, sums[s.Ref])...); err != nil {
					return err
				}
				n++
			}
			if !found.More {
				return nil
			}
			after = found.Next
		}
		return row(v.cat.N("console.export.cut", exportMost, nil))
	})
	if err != nil && r.Context().Err() == nil {
		// The answer has begun: it must not look whole.
		c.o.Log.Error("list cannot be exported", "err", err)
		panic(http.ErrAbortHandler)
	}
}

func (c *Console) listRow(cat *assets.Catalog, s store.Stream, sum summary.Summary) []string {
	row := c.row(cat, s, s.Title, c.o.Now())
	yes := cat.T("console.no", nil)
	if s.SupporterVerified {
		yes = cat.T("console.yes", nil)
	}
	seconds := ""
	if end := latest(s.EndedAt, s.LastEventAt); !end.IsZero() {
		seconds = strconv.FormatInt(int64(end.Sub(s.StartedAt)/time.Second), 10)
	}
	outcome := ""
	if sum.Outcome.State != "" {
		outcome = cat.T("console.list.outcome."+string(sum.Outcome.State), nil)
	}
	return []string{summary.Clean(s.Session, 200), s.StartedAt.In(c.zone(cat)).Format(time.RFC3339), seconds, row.Supporter, yes, row.Device, row.Tool, row.Basis,
		row.State.Text, row.Name, sum.Text, strings.Join(sum.IssueTypeLabels, ", "), outcome}
}
