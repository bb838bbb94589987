package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"aval/agent/event"
	"aval/agent/record"
	"aval/assets"
	"aval/summarizer/store"
	"aval/summarizer/summary"
)

// evidenceShown is how many events a sentence links to before it folds the rest.
const evidenceShown = 6

// detail is one session on its page.
type detail struct {
	Row      row
	Title    string
	ID       string
	Erased   string // a sentence; then there is nothing else
	Summary  *summaryView
	Pending  string // a sentence: why there is no summary yet
	CanRetry bool
	Facts    []fact // who allowed it, when, what
	Groups   []string
	Events   []eventRow
	Count    string
	Pages    []pageLink
}

type fact struct{ Name, Value, Note string }

type summaryView struct {
	Title      string
	Sentences  []sentence
	Issue      sentence
	IssueKnown bool
	Outcome    sentence
	Resolved   string // a word for the mark beside the outcome
	Steps      []step
	FollowUps  []sentence
	Labels     []string
	By         string
}

type sentence struct {
	Text  string
	Links []link // events
	More  []link
	Note  string // for a sentence that rests on a record
}

type link struct{ Seq, Href string }

type step struct {
	Application, Action string
	Commands            []string
	Links, More         []link
}

type eventRow struct {
	Seq, At, AtISO, Kind, Who, Text, Code string
	Mark                                  bool
}

type pageLink struct {
	Href, Text string
	Current    bool
}

func (c *Console) detail(r *http.Request, v visitor) (*detail, error) {
	var s store.Stream
	var in summary.Session
	var stored *store.Summary
	var grants []store.Grant
	name := ""
	err := c.db.View(r.Context(), func(t *store.Tx) (err error) {
		if s, in, stored, grants, err = c.read(t, v.company.ID, r.PathValue("ref")); err == nil && stored != nil {
			name, err = storedName(t, s.Key)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	d := &detail{Row: c.row(v.cat, s, name, c.o.Now()), ID: summary.Clean(s.Session, 200)}
	d.Title = v.cat.T("console.session_with", assets.Args{"supporter": d.Row.Supporter})
	d.decision(c, v.cat, s, grants)
	if !s.ErasedAt.IsZero() {
		d.Erased = v.cat.T("console.erased", assets.Args{"when": c.when(v.cat, s.ErasedAt)})
		return d, nil
	}
	page := eventPage(r, len(in.Events))
	l := linker{page: page}
	if stored == nil {
		d.Pending, d.CanRetry = pending(v.cat, s), s.JobState == store.JobFailed
	} else if d.Summary, err = writeSummary(v.cat, in, *stored, l); err != nil {
		return nil, err
	} else {
		d.Title = d.Summary.Title
	}
	d.events(c, v.cat, in.Events, page)
	return d, nil
}

// writeSummary shows the summary in the page's language. What the rules wrote
// they write again from the same events; a person's or model's words stay.
func writeSummary(cat *assets.Catalog, in summary.Session, stored store.Summary, l linker) (*summaryView, error) {
	var sum summary.Summary
	if err := json.Unmarshal([]byte(stored.JSON), &sum); err != nil {
		return nil, fmt.Errorf("read summary: %w", err)
	}
	by := cat.T("console.by."+map[bool]string{true: "rules", false: "model"}[stored.Engine == summary.Engine], assets.Args{"engine": stored.Engine})
	if stored.Engine == summary.Engine && stored.Author == "" && stored.Lang != cat.Lang {
		sum = summary.Rules(in, cat.Lang)
		by = cat.T("console.by.translated", assets.Args{"stored": langNames[stored.Lang]})
	}
	out := &summaryView{Title: sum.Name, By: by, Labels: sum.IssueTypeLabels,
		Issue: l.sentence(cat, sum.Issue.Sentence), IssueKnown: sum.Issue.State == summary.Stated,
		Outcome: l.sentence(cat, sum.Outcome.Sentence)}
	if sum.Outcome.State != summary.NotStated {
		out.Resolved = string(sum.Outcome.State)
	}
	for _, t := range sum.Sentences {
		// Issue and outcome have places of their own on the page.
		if t.Text != sum.Issue.Text && t.Text != sum.Outcome.Text {
			out.Sentences = append(out.Sentences, l.sentence(cat, t))
		}
	}
	for _, t := range sum.FollowUps {
		out.FollowUps = append(out.FollowUps, l.sentence(cat, t))
	}
	for _, s := range sum.Steps {
		links, more := l.links(s.Events)
		out.Steps = append(out.Steps, step{s.Application, s.Action, s.Commands, links, more})
	}
	return out, nil
}

// linker makes the addresses of events: they may be on another page.
type linker struct{ page int }

func (l linker) links(seqs []uint64) (first, more []link) {
	all := make([]link, len(seqs))
	for i, n := range seqs {
		s := strconv.FormatUint(n, 10)
		all[i] = link{s, "#e" + s}
		if p := pageOf(n); p != l.page {
			all[i].Href = "?page=" + strconv.Itoa(p) + "#e" + s
		}
	}
	if len(all) <= evidenceShown+1 {
		return all, nil
	}
	return all[:evidenceShown], all[evidenceShown:]
}

func (l linker) sentence(cat *assets.Catalog, t summary.Sentence) sentence {
	out := sentence{Text: t.Text}
	out.Links, out.More = l.links(t.Events)
	if t.Record != "" {
		out.Note = cat.T("console.from_record", nil)
	}
	return out
}

func pageOf(seq uint64) int { return int((max(seq, 1)-1)/eventsShown) + 1 }

func eventPage(r *http.Request, n int) int {
	p, err := strconv.Atoi(r.URL.Query().Get("page"))
	if err != nil || p < 1 || p > pageOf(uint64(n)) {
		return 1
	}
	return p
}

// decision tells in words what allowed the recording.
func (d *detail) decision(c *Console, cat *assets.Catalog, s store.Stream, grants []store.Grant) {
	add := func(key, value, note string) {
		if value != "" {
			d.Facts = append(d.Facts, fact{cat.T("console.fact."+key, nil), value, note})
		}
	}
	add("allowed", basisWords(cat, s), provenanceWords(cat, s))
	if len(grants) > 0 {
		g := grants[0]
		var body record.Grant
		// The envelope was verified when it was stored; here it is only read.
		if _, payload, err := record.Peek(g.Envelope); err == nil && json.Unmarshal(payload, &body) == nil {
			if a := body.Asked; a != nil {
				add("asked", c.when(cat, a.AskedAt), cat.T("console.answered_after", assets.Args{"duration": summary.Duration(cat, a.EndedAt.Sub(a.AskedAt))}))
			}
			add("retention", cat.N("console.days", body.RetentionDays, nil), "")
		}
		add("decided", c.when(cat, g.MadeAt), "")
		add("valid", cat.T("console.valid_until", assets.Args{"when": c.when(cat, g.Expires)}), "")
		add("record", summary.Clean(g.ID, 40), cat.T("console.signed_by", assets.Args{"key": summary.Clean(g.KeyID, 40)}))
	}
	if !s.ObjectedAt.IsZero() {
		add("objected", c.when(cat, s.ObjectedAt), "")
	}
	if !s.WithdrawnAt.IsZero() {
		add("withdrawn", c.when(cat, s.WithdrawnAt), "")
	}
	add("computer", d.Row.Device, "")
	add("session", d.ID, "")
	for _, g := range event.Groups {
		for _, have := range s.Groups {
			if g == have {
				d.Groups = append(d.Groups, cat.T("console.group."+string(g), nil))
			}
		}
	}
}

// events lists one page of the session's events.
func (d *detail) events(c *Console, cat *assets.Catalog, all []event.Event, page int) {
	d.Count = cat.N("console.items", len(all), nil)
	from := min((page-1)*eventsShown, len(all))
	to := min(from+eventsShown, len(all))
	layout := cat.T("console.time.clock", nil)
	for _, e := range all[from:to] {
		row := eventRow{Seq: strconv.FormatUint(e.Seq, 10), At: e.At.In(c.o.Zone).Format(layout), AtISO: e.At.UTC().Format(time.RFC3339Nano), Mark: e.Kind.Mark()}
		row.Kind, row.Who, row.Text, row.Code = eventWords(cat, e)
		d.Events = append(d.Events, row)
	}
	if last := pageOf(uint64(len(all))); last > 1 {
		for p := 1; p <= last; p++ {
			d.Pages = append(d.Pages, pageLink{Href: "?page=" + strconv.Itoa(p) + "#events",
				Text: cat.T("console.events.range", assets.Args{"from": (p-1)*eventsShown + 1, "to": min(p*eventsShown, len(all))}), Current: p == page})
		}
	}
}
