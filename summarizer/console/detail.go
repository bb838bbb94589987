package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"aval/agent/event"
	"aval/agent/record"
	"aval/assets"
	"aval/summarizer/company"
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
	Pending  string // a sentence: why there is no summary yet, or that it is written anew
	CanRetry bool
	CanEdit  bool // the visitor may, and there is something to edit
	CanErase bool
	Self     string // its address with the list's filters
	Close    string // the list's
	Version  int64  // that is shown
	Current  int64  // that is in force
	Versions []version
	Old      string // a sentence, where Version is not Current
	Receipt  bool   // there is a grant, and so a receipt of it
	Facts    []fact // who allowed it, when, what
	Groups   []string
	Readers  []fact // who has read it, for those who may know
	Events   []eventRow
	Count    string
	Pages    []pageLink
}

type fact struct{ Name, Value, Note string }

// version is one line of a summary's history.
type version struct {
	Number  int64
	By      string
	When    string
	Href    string
	Shown   bool
	Current bool
}

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
	Original   int64 // the number of the version that a person changed; 0: none is older
}

// original is the number of the first version, where the shown one is an edit.
func original(shown store.Summary, all []store.Summary) int64 {
	if first := all[len(all)-1].Version; shown.Author != "" && first != shown.Version {
		return first
	}
	return 0
}

type sentence struct {
	Text  string
	Rests string // the numbers of its events, for who lights them up
	Links []link // events
	More  []link
	Note  string // for a sentence that rests on a record
}

type link struct{ Seq, Href string }

type step struct {
	Application, Action string
	Commands            []string
	Rests               string
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

func (c *Console) detail(r *http.Request, v visitor, f filters) (*detail, error) {
	var s store.Stream
	var in summary.Session
	var versions []store.Summary
	var grants []store.Grant
	err := c.db.View(r.Context(), func(t *store.Tx) (err error) {
		if s, in, versions, grants, err = c.read(t, v.company.ID, r.PathValue("ref")); err != nil {
			return err
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	after := r.URL.Query().Get("after")
	d := &detail{Row: c.row(v.cat, s, s.Title, c.o.Now()), ID: summary.Clean(s.Session, 200), Self: f.address("/s/"+s.Ref, after), Close: f.address("/", after)}
	d.Title = v.cat.T("console.session_with", assets.Args{"supporter": d.Row.Supporter})
	d.decision(c, v.cat, s, grants)
	if !s.ErasedAt.IsZero() {
		d.Erased = v.cat.T("console.erased", assets.Args{"when": c.when(v.cat, s.ErasedAt)})
		return d, nil
	}
	d.CanErase = v.may(company.SummariesWrite)
	page := eventPage(r, len(in.Events))
	l := linker{page: page, self: d.Self}
	if len(versions) == 0 {
		d.Pending, d.CanRetry = pending(v.cat, s), s.JobState == store.JobFailed && d.CanErase
	} else {
		if s.JobState != store.JobDone && s.JobState != "" {
			d.Pending, d.CanRetry = v.cat.T("console.pending.anew", nil), s.JobState == store.JobFailed && d.CanErase
		}
		shown := d.history(c, v.cat, versions, r.URL.Query().Get("version"))
		if d.Summary, err = writeSummary(v.cat, in, shown, versions, l); err != nil {
			return nil, err
		}
		d.Title, d.CanEdit = d.Summary.Title, d.CanErase
	}
	d.events(c, v.cat, in.Events, page)
	return d, nil
}

// history lists the versions, newest first, and picks the one to show: the
// number asked for, else the one in force.
func (d *detail) history(c *Console, cat *assets.Catalog, versions []store.Summary, ask string) store.Summary {
	shown := versions[0]
	if n, err := strconv.ParseInt(ask, 10, 64); err == nil {
		for _, s := range versions {
			if s.Version == n {
				shown = s
			}
		}
	}
	d.Version, d.Current = shown.Version, versions[0].Version
	for _, s := range versions {
		d.Versions = append(d.Versions, version{Number: s.Version, By: byWords(cat, s), When: c.when(cat, s.CreatedAt),
			Href: versionHref(d.Self, s.Version), Shown: s.Version == d.Version, Current: s.Version == d.Current})
	}
	if d.Version != d.Current {
		d.Old = cat.T("console.version.old", assets.Args{"n": d.Version, "when": c.when(cat, shown.CreatedAt)})
	}
	return shown
}

// with adds a value to an address.
func with(address, name, value string) string {
	sep := "?"
	if strings.Contains(address, "?") {
		sep = "&"
	}
	return address + sep + name + "=" + value
}

func versionHref(self string, n int64) string { return with(self, "version", strconv.FormatInt(n, 10)) }

// byWords says who wrote a version.
func byWords(cat *assets.Catalog, s store.Summary) string {
	switch {
	case s.Author != "":
		return cat.T("console.version.edited", assets.Args{"who": summary.Clean(s.Author, 60)})
	case s.Engine == summary.Engine:
		return cat.T("console.version.rules", nil)
	}
	return cat.T("console.version.model", assets.Args{"engine": modelWords(s.Engine)})
}

// writeSummary shows the summary in the page's language. What the rules wrote
// they write again from the same events; a person's or model's words stay.
func writeSummary(cat *assets.Catalog, in summary.Session, stored store.Summary, all []store.Summary, l linker) (*summaryView, error) {
	var sum summary.Summary
	if err := json.Unmarshal([]byte(stored.JSON), &sum); err != nil {
		return nil, fmt.Errorf("read summary: %w", err)
	}
	why := fellBack(cat, sum.Fallback)
	by := cat.T("console.by."+map[bool]string{true: "rules", false: "model"}[stored.Engine == summary.Engine], assets.Args{"engine": modelWords(stored.Engine)})
	if stored.Engine == summary.Engine && stored.Author == "" && stored.Lang != cat.Lang {
		sum = summary.Rules(in, cat.Lang)
		by = cat.T("console.by.translated", assets.Args{"stored": langNames[stored.Lang]})
	}
	if why != "" {
		by = why + " " + by
	}
	if stored.Author != "" {
		by = cat.T("console.by.edited", assets.Args{"who": summary.Clean(stored.Author, 60)})
	}
	out := &summaryView{Title: sum.Name, By: by, Labels: sum.IssueTypeLabels,
		Issue: l.sentence(cat, sum.Issue.Sentence), IssueKnown: sum.Issue.State == summary.Stated, Original: original(stored, all),
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
		out.Steps = append(out.Steps, step{s.Application, s.Action, s.Commands, rests(s.Events), links, more})
	}
	return out, nil
}

// linker makes the addresses of events: they may be on another page.
type linker struct {
	page int
	self string
}

// rests are numbers of events as words of an attribute.
func rests(seqs []uint64) string {
	var b strings.Builder
	for _, n := range seqs {
		fmt.Fprintf(&b, "e%d ", n)
	}
	return strings.TrimSpace(b.String())
}

func (l linker) links(seqs []uint64) (first, more []link) {
	all := make([]link, len(seqs))
	for i, n := range seqs {
		s := strconv.FormatUint(n, 10)
		all[i] = link{s, "#e" + s}
		if p := pageOf(n); p != l.page {
			all[i].Href = with(l.self, "page", strconv.Itoa(p)) + "#e" + s
		}
	}
	if len(all) <= evidenceShown+1 {
		return all, nil
	}
	return all[:evidenceShown], all[evidenceShown:]
}

func (l linker) sentence(cat *assets.Catalog, t summary.Sentence) sentence {
	out := sentence{Text: t.Text, Rests: rests(t.Events)}
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
	if d.Receipt = len(grants) > 0; d.Receipt {
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
		row := eventRow{Seq: strconv.FormatUint(e.Seq, 10), At: e.At.In(c.zone(cat)).Format(layout), AtISO: e.At.UTC().Format(time.RFC3339Nano), Mark: e.Kind.Mark()}
		row.Kind, row.Who, row.Text, row.Code = eventWords(cat, e)
		d.Events = append(d.Events, row)
	}
	if last := pageOf(uint64(len(all))); last > 1 {
		for p := 1; p <= last; p++ {
			d.Pages = append(d.Pages, pageLink{Href: with(d.Self, "page", strconv.Itoa(p)) + "#events",
				Text: cat.T("console.events.range", assets.Args{"from": (p-1)*eventsShown + 1, "to": min(p*eventsShown, len(all))}), Current: p == page})
		}
	}
}
