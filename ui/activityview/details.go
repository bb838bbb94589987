package activityview

import (
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/assets"
	"aval/ui/control"
	"aval/ui/viewmodel"
)

// readItems fetches the items of one session, in the background.
func (v *View) readItems(a viewmodel.Activity) {
	if v.reading[a.Session] {
		return
	}
	v.reading[a.Session] = true
	turn, zone := v.turn, v.now().Location()
	go func() {
		it := &items{}
		var list []ipc.SentEvent
		if !a.Erased {
			var err error
			list, err = v.dial.items(a.Session, maxItems)
			it.failed = err != nil
		}
		if sum, copies, err := v.dial.written(a); err == nil {
			it.summary, it.copies = &sum, copies
		}
		for _, e := range list {
			it.list = append(it.list, viewmodel.NewItem(e, a.Closed, v.cat, zone))
		}
		v.do(func() {
			if turn == v.turn {
				v.read[a.Session] = it
				v.filter()
			}
		})
	}()
}

// readForSearch fetches the items of all sessions, the newest first, once for a
// history: what is searched may be in any of them.
func (v *View) readForSearch() {
	if v.searching || v.searchEnd != "" {
		return
	}
	var todo []viewmodel.Activity
	have := 0
	seen := map[string]bool{}
	for _, a := range v.all {
		if it := v.read[a.Session]; it != nil {
			have += len(it.list)
		} else if a.Granted && !a.Erased && !seen[a.Session] {
			todo = append(todo, a)
		}
		seen[a.Session] = true
	}
	if len(todo) == 0 {
		return
	}
	v.searching = true
	turn, zone := v.turn, v.now().Location()
	go func() {
		end := ""
		for _, a := range todo {
			if have >= maxSearched {
				end = v.t("activity.searching.limit")
				break
			}
			list, err := v.dial.items(a.Session, maxItems)
			if err != nil {
				end = v.t("activity.searching.failed")
				break
			}
			have += len(list)
			it := &items{}
			for _, e := range list {
				it.list = append(it.list, viewmodel.NewItem(e, a.Closed, v.cat, zone))
			}
			current := make(chan bool, 1)
			v.do(func() {
				if turn == v.turn {
					v.read[a.Session] = it
				}
				current <- turn == v.turn
			})
			if !<-current {
				return
			}
		}
		v.do(func() {
			if turn == v.turn {
				v.searching, v.searchEnd = false, end
				v.filter()
			}
		})
	}()
}

// compose breaks what is shown of the chosen session into lines.
func (v *View) compose() {
	v.lines = v.lines[:0]
	defer v.details.Refresh()
	width := v.panes.width - 36 // the ring, the scroll bar and the gaps
	if width < 40 {
		return
	}
	add := func(kind lineKind, text string) {
		style := plain
		if kind == lineTitle {
			style = bold
		}
		for _, l := range assets.Lines(text, float64(width-lineSide), func(s string) float64 { return float64(measure(s, style)) }, viewmodel.Marks) {
			v.lines = append(v.lines, line{kind: kind, text: l})
		}
	}
	a := v.current()
	if a == nil {
		add(lineFact, v.t("activity.choose"))
		return
	}
	add(lineTitle, a.Who)
	v.lines = append(v.lines, line{kind: lineWord, text: a.Word, tone: a.Tone})
	for _, f := range a.Facts {
		add(lineFact, f)
	}
	if !a.Granted {
		return
	}
	v.lines = append(v.lines, line{})
	it := v.read[a.Session]
	if it != nil && it.summary != nil && !a.Erased {
		for _, l := range viewmodel.Summary(*it.summary, v.cat, v.now().Location()) {
			kind := lineFact
			if l.Head {
				kind = lineTitle
			}
			add(kind, l.Text)
		}
		v.lines = append(v.lines, line{})
	}
	switch {
	case a.Erased:
		add(lineFact, v.t("activity.items.erased"))
		if it != nil {
			for _, l := range viewmodel.Copies(v.cat, it.copies) {
				add(lineFact, l)
			}
		}
		return
	case it == nil:
		add(lineFact, v.t("activity.items.loading"))
		return
	case len(it.list) == 0 && !it.failed:
		add(lineFact, v.t("activity.items.none"))
		return
	case it.failed && len(it.list) == 0:
		add(lineFact, v.t("activity.items.failed"))
		return
	}
	add(lineTitle, v.cat.N("activity.items", len(it.list), nil))
	add(lineFact, v.t("activity.items.marks"))
	query := strings.TrimSpace(v.search.Text)
	if n := count(it.list, query); query != "" && n > 0 {
		add(lineFact, v.cat.N("activity.items.found", n, nil))
	}
	letter := float64(measure("0", mono))
	columns := func(s string) float64 { return float64(assets.Columns(s)) * letter }
	for _, i := range it.list {
		hit := query != "" && i.Matches(query)
		v.lines = append(v.lines, line{}, line{kind: lineHead, text: i.Head, state: i.State, hit: hit})
		for _, f := range i.Fields {
			for _, l := range assets.Lines(f, float64(width-lineSide-16), columns, viewmodel.Marks) {
				v.lines = append(v.lines, line{kind: lineField, text: l, hit: hit})
			}
		}
	}
	if it.failed {
		add(lineFact, v.t("activity.items.failed"))
	}
}

// actions puts the buttons beneath the details: only those that do something.
func (v *View) actions() {
	v.foot.RemoveAll()
	v.asked = false
	a := v.current()
	if a == nil {
		return
	}
	var buttons []fyne.CanvasObject
	if a.CanStop {
		buttons = append(buttons, v.button("activity.stop", func(b *control.Button) { v.withdraw(*a, false, b.Press()) }))
	}
	if a.CanObject {
		buttons = append(buttons, v.button("activity.object", func(b *control.Button) { v.withdraw(*a, false, b.Press()) }))
	}
	if a.CanDelete {
		buttons = append(buttons, control.NewButton(v.t("activity.delete"), nil, func() { v.confirm(*a) }))
	}
	if a.Recorded {
		buttons = append(buttons, control.NewButton(v.t("activity.receipt"), nil, func() { v.receipt(*a, "") }))
	}
	if len(buttons) > 0 {
		v.foot.Add(container.NewHBox(buttons...))
	}
}

// confirm says which copies there are before anything is deleted. The way back
// has the focus.
func (v *View) confirm(a viewmodel.Activity) {
	if v.busy {
		return
	}
	back := control.NewButton(v.t("activity.cancel"), nil, v.actions)
	v.asked = true
	v.foot.RemoveAll()
	v.foot.Add(control.NewParagraph(v.cat.T("activity.confirm", assets.Args{"company": a.Company})))
	v.foot.Add(container.NewHBox(back, v.button("activity.confirm.delete", func(b *control.Button) { v.withdraw(a, true, b.Press()) })))
	v.focus(back)
}

// button makes a button whose press the service is told of.
func (v *View) button(key string, act func(*control.Button)) (b *control.Button) {
	b = control.NewButton(v.t(key), nil, func() { act(b) })
	return b
}

func (v *View) focus(o fyne.Focusable) {
	if c := fyne.CurrentApp().Driver().CanvasForObject(v.root); c != nil {
		c.Focus(o)
	}
}

// withdraw does what a button said, fetches the history anew and reports.
func (v *View) withdraw(a viewmodel.Activity, del bool, press *ipc.Press) {
	if v.busy {
		return
	}
	v.busy = true
	v.refresh.Disable()
	v.foot.RemoveAll()
	v.foot.Add(control.NewParagraph(v.t("activity.working")))
	go func() {
		r, err := v.dial.withdraw(ipc.Withdraw{ID: a.ID, Delete: del, Press: press})
		v.do(func() { v.fetch(func() { v.report(a, r, err) }) })
	}()
}

// report says what became of a request, beneath the session that it was about.
func (v *View) report(a viewmodel.Activity, r ipc.WithdrawResult, err error) {
	if v.chosen != a.ID {
		v.chosen = a.ID // said where it belongs
		v.filter()
		v.show()
	}
	v.actions()
	var lines []string
	switch {
	case err != nil:
		lines = []string{v.t("activity.failed")}
	case r.Outcome == consent.OutcomeObjected:
		lines = []string{v.t("activity.done.objected")}
	case r.Outcome == consent.OutcomeErased:
		lines = append([]string{v.t("activity.done.erased")}, viewmodel.Copies(v.cat, r.Copies)...)
	case r.Held:
		lines = []string{v.t("activity.done.held")}
	case r.Outcome == consent.OutcomeWithdrawn:
		lines = []string{v.t("activity.done.stopped")}
	default:
		lines = []string{v.t("activity.failed")}
	}
	said := control.NewParagraph(strings.Join(lines, "\n"))
	said.TextStyle = bold
	v.foot.Objects = append([]fyne.CanvasObject{said}, v.foot.Objects...)
	v.foot.Refresh()
	if v.panes.narrow && v.panes.detail {
		v.focus(v.back) // the list is not seen
		return
	}
	v.focus(v.list)
}
