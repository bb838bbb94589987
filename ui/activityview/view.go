// Package activityview is the window of what was decided on this computer and
// of everything that left it.
//
// The one rule that must not be broken: an item is shown as it left, whole, and
// nothing is said to be stopped or deleted before the service has said so.
package activityview

import (
	"slices"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/assets"
	"aval/ui/control"
	"aval/ui/viewmodel"
)

// Config is what the window needs.
type Config struct {
	Catalog *assets.Catalog
	Dial    Dial
	Session string           // chosen at first, TOOL/ID; empty: none
	Now     func() time.Time // in the person's time zone
	// Save writes a new file of the person's and returns its path; name has no
	// folder and no ending.
	Save func(name, ending string, content []byte) (string, error)
	// Print sends a page of text to the printer; nil: there is none.
	Print func(page string) error
	// Do runs f on the toolkit's goroutine; nil: fyne.Do.
	Do func(f func())
}

// items are the items of one session, as far as they were read.
type items struct {
	list   []viewmodel.Item
	failed bool
	// of the company, where they could be read
	summary *ipc.Summary
	copies  []consent.Copy
}

// View is the content of the window. All of it belongs to the toolkit's goroutine.
type View struct {
	cat  *assets.Catalog
	dial Dial
	now  func() time.Time
	save func(name, ending string, content []byte) (string, error)
	prnt func(page string) error
	do   func(func()) // runs on the toolkit's goroutine

	fetched time.Time // when the history was asked for last
	busy    bool      // a history is being fetched, or an action is under way
	turn    int       // counts histories: what was fetched for an older one is dropped
	entries []ipc.ConsentEntry
	all     []viewmodel.Activity
	rows    []row
	read    map[string]*items // by session
	reading map[string]bool
	asked   bool   // a question stands beneath the details, or a receipt
	late    bool   // something has changed meanwhile
	chosen  string // id of the entry whose details are shown
	wanted  string // session to choose once it is known

	searching bool
	searchEnd string // why a search ended early; empty: it did not

	lines []line

	root    *fyne.Container
	body    *fyne.Container // panes, or what takes their place
	panes   *panes
	both    *fyne.Container
	list    *control.List
	details *control.List
	search  *widget.Entry
	refresh *control.Button
	back    *control.Button
	way     *fyne.Container    // holds back; seen in a narrow window
	note    *control.Paragraph // beneath the search
	foot    *fyne.Container
}

// New composes the view; Refresh fills it.
func New(c Config) *View {
	if c.Do == nil {
		c.Do = fyne.Do
	}
	v := &View{cat: c.Catalog, dial: c.Dial, now: c.Now, save: c.Save, prnt: c.Print, do: c.Do, wanted: c.Session, read: map[string]*items{}, reading: map[string]bool{}}
	v.search = widget.NewEntry()
	v.search.SetPlaceHolder(v.t("activity.search"))
	v.search.OnChanged = func(string) { v.filter() }
	v.refresh = control.NewButton(v.t("activity.refresh"), nil, v.Refresh)
	v.back = control.NewButton(v.t("activity.back"), nil, v.goBack)
	v.way = container.NewHBox(v.back)
	v.way.Hide()
	v.note = control.NewParagraph("")
	v.note.Hide()

	v.list = control.NewList(func() int { return len(v.rows) }, func() fyne.CanvasObject { return newEntry() },
		func(i int, o fyne.CanvasObject) { o.(*entry).set(v.rows[i]) })
	v.list.OnSelected = v.selected
	v.details = control.NewList(func() int { return len(v.lines) }, func() fyne.CanvasObject { return newDetail() },
		func(i int, o fyne.CanvasObject) { o.(*detail).set(v.lines[i]) })
	v.details.OnSelected = func(i int) { v.details.Unselect(i) } // a line has nothing to choose
	v.foot = container.NewVBox()

	v.panes = &panes{changed: v.widthChanged}
	v.both = container.New(v.panes,
		container.NewBorder(v.note, nil, nil, nil, v.list.Framed()), // its note comes and goes
		container.NewBorder(v.way, v.foot, nil, nil, v.details.Framed()), widget.NewSeparator())
	v.body = container.NewStack()
	head := container.NewPadded(container.NewBorder(nil, nil, nil, v.refresh, v.search))
	v.root = container.NewPadded(container.NewBorder(head, nil, nil, nil, v.body))
	v.say(control.NewParagraph(v.t("activity.loading")))
	return v
}

// Content is what the window holds.
func (v *View) Content() fyne.CanvasObject { return v.root }

// Size is what the window should open with; it fits a screen of 1024 by 600.
func (v *View) Size() fyne.Size { return fyne.NewSize(960, 540) }

func (v *View) t(key string) string { return v.cat.T(key, nil) }

// say puts sentences in the place of both panes.
func (v *View) say(lines ...fyne.CanvasObject) {
	v.body.Objects = []fyne.CanvasObject{container.NewVScroll(container.NewVBox(lines...))}
	v.body.Refresh()
}

// Refresh fetches the history, in the background.
func (v *View) Refresh() {
	if v.busy {
		return
	}
	v.foot.RemoveAll()
	v.fetch(nil)
}

// Session is the session whose details are shown; empty: none.
func (v *View) Session() string {
	if a := v.current(); a != nil {
		return a.Session
	}
	return v.wanted
}

// changeEvery bounds how often the history is fetched because something changed.
const changeEvery = 2 * time.Second

// Changed brings the view up to date with the service; nil: the service is gone,
// or it is the first look. What the person is being asked stays.
func (v *View) Changed(what []ipc.What) {
	switch {
	case what == nil:
		v.fetchUnless(nil)
	case !slices.Contains(what, ipc.WhatRecords) && !slices.Contains(what, ipc.WhatSessions):
	case v.late: // it is about to be fetched
	default:
		v.late = true
		wait := time.Until(v.fetched.Add(changeEvery))
		time.AfterFunc(max(wait, 0), func() {
			v.do(func() {
				v.late = false
				v.fetchUnless(what)
			})
		})
	}
}

// fetchUnless fetches the history unless that or an action is under way, or the
// person is being asked something: then it is looked at again soon.
func (v *View) fetchUnless(what []ipc.What) {
	if v.busy || v.asked {
		if what != nil {
			v.fetched = time.Now()
			v.Changed(what)
		}
		return
	}
	v.fetch(nil)
}

// fetch gets the history and then calls after, if any.
func (v *View) fetch(after func()) {
	v.busy, v.fetched = true, time.Now()
	v.refresh.Disable()
	go func() {
		entries, live, err := v.dial.history()
		v.do(func() {
			v.busy = false
			v.refresh.Enable()
			v.loaded(entries, live, err)
			if after != nil && err == nil {
				after()
			}
		})
	}()
}

func (v *View) loaded(entries []ipc.ConsentEntry, live []ipc.SessionInfo, err error) {
	v.turn++
	v.reading = map[string]bool{} // what was read is shown until it is read anew
	if err != nil {
		v.read = map[string]*items{}
	}
	v.searching, v.searchEnd = false, ""
	if err != nil {
		code := control.NewParagraph(v.t("app.gone.code"))
		code.Importance = widget.LowImportance
		v.say(control.NewParagraph(v.t("app.gone")), code)
		return
	}
	v.entries = entries
	v.all = viewmodel.NewActivity(entries, live, v.cat, v.now())
	if len(v.all) == 0 {
		head := control.NewParagraph(v.t("activity.empty"))
		head.TextStyle = bold
		v.say(head, control.NewParagraph(v.t("activity.empty.what")))
		return
	}
	for _, a := range v.all {
		if v.wanted != "" && a.Session == v.wanted {
			v.chosen, v.wanted, v.panes.detail = a.ID, "", true
		}
	}
	if len(v.body.Objects) != 1 || v.body.Objects[0] != fyne.CanvasObject(v.both) {
		v.body.Objects = []fyne.CanvasObject{v.both}
		v.body.Refresh()
	}
	v.filter()
	v.show()
}

// filter makes the rows of the list out of what is searched.
func (v *View) filter() {
	query := strings.TrimSpace(v.search.Text)
	if query != "" {
		v.readForSearch()
	}
	v.rows = v.rows[:0]
	day, selected, sessions := "", -1, 0
	for i := range v.all {
		a := &v.all[i]
		found := 0
		if it := v.read[a.Session]; query != "" && it != nil && a.Granted {
			found = count(it.list, query)
		}
		if query != "" && found == 0 && !a.Matches(query) {
			continue
		}
		if a.Day != day {
			day = a.Day
			v.rows = append(v.rows, row{day: day})
		}
		r := row{session: a}
		if found > 0 {
			r.found = v.cat.N("activity.found", found, nil)
		}
		if a.ID == v.chosen {
			selected = len(v.rows)
		}
		sessions++
		v.rows = append(v.rows, r)
	}
	note := ""
	switch {
	case query == "":
	case v.searching:
		note = v.t("activity.searching")
	case v.searchEnd != "":
		note = v.searchEnd
	case sessions == 0:
		note = v.t("activity.found.none")
	}
	v.note.SetText(note)
	if note == "" {
		v.note.Hide()
	} else {
		v.note.Show()
	}
	v.both.Objects[0].Refresh()
	on := v.list.OnSelected
	v.list.OnSelected = nil // the choice stays what it was
	v.list.UnselectAll()
	if selected >= 0 {
		v.list.Select(selected)
		v.list.Highlight(selected)
	}
	v.list.OnSelected = on
	v.list.Refresh()
	v.compose()
}

func count(list []viewmodel.Item, query string) int {
	n := 0
	for _, it := range list {
		if it.Matches(query) {
			n++
		}
	}
	return n
}

// selected is called when a row is chosen; a day leads to its first session.
func (v *View) selected(i int) {
	if i >= len(v.rows) {
		return
	}
	if v.rows[i].session == nil {
		v.list.Select(i + 1)
		return
	}
	if id := v.rows[i].session.ID; id != v.chosen {
		v.chosen = id
		if !v.busy {
			v.asked = false
			v.foot.RemoveAll()
		}
		v.details.ScrollToTop()
	}
	v.panes.detail = true
	v.both.Refresh()
	v.show()
	if v.panes.narrow {
		v.focus(v.back)
	}
}

func (v *View) goBack() {
	v.panes.detail = false
	v.both.Refresh()
	v.focus(v.list)
}

// current is the session whose details are shown, or nil.
func (v *View) current() *viewmodel.Activity {
	for i := range v.all {
		if v.all[i].ID == v.chosen {
			return &v.all[i]
		}
	}
	return nil
}

// show shows the details of the chosen session, and reads its items.
func (v *View) show() {
	a := v.current()
	if a != nil && a.Granted {
		v.readItems(*a)
	}
	if len(v.foot.Objects) == 0 {
		v.actions()
	}
	v.compose()
}

// widthChanged breaks the lines anew once the toolkit has laid out everything.
func (v *View) widthChanged() {
	if v.panes.narrow {
		v.way.Show()
	} else {
		v.way.Hide()
	}
	v.compose()
}
