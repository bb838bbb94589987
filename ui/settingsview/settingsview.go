// Package settingsview is the settings window: what happens when a session may
// be recorded, why it is so, and the state of this computer.
//
// The one rule that must not be broken: the choice that is marked is the one
// that the service has stored, never the one that was only clicked.
package settingsview

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/assets"
	"aval/ui/control"
	"aval/ui/theme"
	"aval/ui/viewmodel"
)

// answerWithin bounds one question to the service.
const answerWithin = 3 * time.Second

// Call asks the service; it may be called from any goroutine. What the service
// refuses or cannot do is an *ipc.Error; any other error: it does not answer.
type Call func(ctx context.Context, m ipc.Method, params, result any) error

// View is the content of the settings window.
type View struct {
	cat  *assets.Catalog
	zone *time.Location
	call Call
	// work runs ask away from the window's goroutine, then show on it.
	work func(ask, show func())

	busy  bool   // the service is being asked
	next  func() // what waits until the service has answered
	known bool   // state is what the service said last
	state viewmodel.SettingsState
	undo  *consent.AccessControl // what Undo returns to; nil: nothing to undo
	set   consent.AccessControl  // what the change before left, for Undo

	root     *fyne.Container
	scroll   *container.Scroll
	gone     *fyne.Container // instead of the body while the service does not answer
	goneText *widget.Label
	goneCode *widget.Label
	retry    *control.Button
	body     *fyne.Container
	force    *widget.Label
	why      *control.Button
	layers   *widget.Label
	choices  []*choice
	lasting  *fyne.Container // answers that hold for further sessions
	lasts    []viewmodel.Lasting
	computer *widget.Label
	notice   *widget.Label
	undoing  *control.Button
	foot     *fyne.Container
}

// New composes the view; Refresh fills it. back leads to where the person came
// from; nil: nowhere. Dates are those of zone.
func New(cat *assets.Catalog, zone *time.Location, call Call, back func()) *View {
	v := &View{cat: cat, zone: zone, call: call, work: func(ask, show func()) {
		go func() {
			ask()
			fyne.Do(show)
		}()
	}}
	title := canvas.NewText(cat.T("settings.title", nil), theme.Current().Text)
	title.TextSize, title.TextStyle.Bold = 20, true
	head := container.NewHBox(container.NewPadded(container.NewPadded(title)), layout.NewSpacer())
	if back != nil {
		head.Add(container.NewCenter(control.NewButton(cat.T("settings.back", nil), fynetheme.NavigateBackIcon(), back)))
	}
	v.compose()
	v.root = container.NewPadded(control.Frame(container.NewVBox(head, widget.NewSeparator()), v.scroll, v.foot))
	v.goneText.SetText(cat.T("app.loading", nil))
	return v
}

func (v *View) compose() {
	v.force, v.layers, v.computer, v.notice = paragraph(""), paragraph(""), paragraph(""), paragraph("")
	v.force.TextStyle.Bold = true
	v.layers.Hide()
	v.why = control.NewButton(v.cat.T("settings.why", nil), nil, v.unfold)
	v.why.Focused = func() { v.reveal(v.why) }
	v.undoing = control.NewButton(v.cat.T("settings.undo", nil), fynetheme.ContentUndoIcon(), v.takeBack)
	rows := container.New(layout.NewCustomPaddedVBoxLayout(0), head(v.cat.T("settings.insights", nil)), paragraph(v.cat.T("settings.insights.what", nil)),
		container.NewBorder(nil, nil, nil, container.NewVBox(v.why), v.force), v.layers)
	for i, now := range viewmodel.NewSettings(viewmodel.SettingsState{}, v.cat, v.zone).Choices {
		c := newChoice(now)
		c.pick = func() { v.change(c.now.Value, false) }
		c.move = func(by int) { v.focus(i + by) }
		c.reveal = func() { v.reveal(c) }
		v.choices = append(v.choices, c)
		rows.Add(c)
	}
	v.lasting = container.NewVBox()
	v.lasting.Hide()
	rows.Add(v.lasting)
	rows.Add(widget.NewSeparator())
	rows.Add(head(v.cat.T("settings.computer", nil)))
	rows.Add(v.computer)
	v.body = rows
	v.body.Hide()
	v.goneText, v.goneCode = paragraph(""), paragraph("")
	v.goneCode.Importance = widget.LowImportance
	v.retry = control.NewButton(v.cat.T("app.retry", nil), nil, v.Refresh)
	v.retry.Hide()
	v.gone = container.NewVBox(v.goneText, v.goneCode, container.NewHBox(v.retry))
	room := layout.NewCustomPaddedLayout(0, 0, 0, theme.Aval{}.Size(fynetheme.SizeNameScrollBar)+4) // for the scroll bar
	v.scroll = container.NewVScroll(container.New(room, container.NewVBox(v.gone, v.body)))
	v.foot = container.NewVBox(widget.NewSeparator(), container.NewBorder(nil, nil, nil, container.NewCenter(v.undoing), v.notice))
	v.foot.Hide()
}

// Content is what the window holds.
func (v *View) Content() fyne.CanvasObject { return v.root }

// Size is what the window should open with: it fits a screen of 1024 × 600.
func (v *View) Size() fyne.Size { return fyne.NewSize(560, 560) }

// Watch refreshes the view until ctx ends, so that a change made elsewhere is
// seen here.
func (v *View) Watch(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			fyne.Do(v.Refresh)
		}
	}
}

// Refresh asks the service once, in the background.
func (v *View) Refresh() {
	if v.busy {
		return
	}
	v.busy = true
	var state viewmodel.SettingsState
	var err error
	v.work(func() { state, err = v.load() }, func() {
		v.busy = false
		v.show(state, err)
		if next := v.next; next != nil {
			v.next = nil
			next()
		}
	})
}

func (v *View) load() (s viewmodel.SettingsState, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), answerWithin)
	defer cancel()
	if err = v.call(ctx, ipc.MethodSettingsGet, ipc.Empty{}, &s.Settings); err != nil {
		return s, err
	}
	if err = v.call(ctx, ipc.MethodPolicyShow, ipc.Empty{}, &s.Policy); err != nil {
		return s, err
	}
	return s, v.call(ctx, ipc.MethodStatus, ipc.Empty{}, &s.Status)
}

// change asks the service for another value of the setting; takenBack: by Undo.
func (v *View) change(to consent.AccessControl, takenBack bool) {
	if !v.known || v.state.Settings.Enforced || to == v.state.Settings.SessionInsights {
		return
	}
	if v.busy { // a refresh is under way, and soon over
		v.next = func() { v.change(to, takenBack) }
		return
	}
	v.busy = true
	before := v.state.Settings.SessionInsights
	var state viewmodel.SettingsState
	var err, loadErr error
	v.work(func() {
		ctx, cancel := context.WithTimeout(context.Background(), answerWithin)
		defer cancel()
		var r ipc.SettingsResult
		err = v.call(ctx, ipc.MethodSettingsSet, ipc.SettingsSet{SessionInsights: to}, &r)
		state, loadErr = v.load()
	}, func() {
		v.busy, v.undo, v.next = false, nil, nil
		v.show(state, loadErr)
		if loadErr == nil {
			v.report(before, to, takenBack, err)
		}
	})
}

// report says what became of a change.
func (v *View) report(before, to consent.AccessControl, takenBack bool, err error) {
	if err == nil && takenBack {
		v.say(v.cat.T("settings.undone", assets.Args{"value": viewmodel.Access(v.cat, to)}))
		return
	}
	if err == nil && before != consent.AccessCorrupt {
		v.undo, v.set = &before, to
	}
	v.say(viewmodel.Changed(v.cat, to, v.state.Settings.Enforced, err))
}

func (v *View) takeBack() {
	if v.undo != nil {
		v.change(*v.undo, true)
	}
}

// say shows what became of the last change; empty: nothing.
func (v *View) say(text string) {
	v.notice.SetText(text)
	if v.undo == nil {
		if c := v.canvas(); c != nil && c.Focused() == fyne.Focusable(v.undoing) {
			v.focusChosen()
		}
		v.undoing.Hide()
	} else {
		v.undoing.Show()
	}
	if text == "" {
		v.foot.Hide()
	} else {
		v.foot.Show()
	}
	v.root.Refresh()
}

func (v *View) show(state viewmodel.SettingsState, err error) {
	v.known = err == nil
	if err != nil {
		what := "app.gone"
		if errors.As(err, new(*ipc.Error)) { // it does answer
			what = "settings.unread"
		}
		v.goneText.SetText(v.cat.T(what, nil))
		v.goneCode.SetText(v.cat.T(what+".code", nil))
		v.retry.Show()
		v.gone.Show()
		v.body.Hide()
		v.undo = nil
		v.say("")
		return
	}
	v.state = state
	s := viewmodel.NewSettings(state, v.cat, v.zone)
	setText(v.force, s.Force)
	setText(v.layers, strings.Join(s.Layers, "\n"))
	v.showLasting(s.Lasting)
	setText(v.computer, strings.Join(s.Computer, "\n"))
	for i, c := range v.choices {
		c.show(s.Choices[i], s.Greyed)
	}
	v.gone.Hide()
	v.body.Show()
	if v.undo != nil && (s.Greyed || state.Settings.SessionInsights != v.set) { // changed elsewhere
		v.undo = nil
		v.say("")
	}
}

// showLasting lists the answers that hold for further sessions, each with a
// button that takes it back.
func (v *View) showLasting(list []viewmodel.Lasting) {
	if slices.Equal(list, v.lasts) {
		return
	}
	v.lasts = list
	v.lasting.RemoveAll()
	if len(list) == 0 {
		v.lasting.Hide()
		return
	}
	v.lasting.Add(widget.NewSeparator())
	v.lasting.Add(head(v.cat.T("settings.lasting", nil)))
	for _, l := range list {
		b := control.NewButton(v.cat.T("settings.lasting.revoke", nil), nil, func() { v.revoke(l.ID) })
		b.Focused = func() { v.reveal(b) }
		v.lasting.Add(container.NewBorder(nil, nil, nil, container.NewVBox(b), paragraph(l.Text)))
	}
	v.lasting.Show()
}

// revoke takes an answer for further sessions back.
func (v *View) revoke(id string) {
	if v.busy {
		v.next = func() { v.revoke(id) }
		return
	}
	v.busy = true
	var state viewmodel.SettingsState
	var err, loadErr error
	v.work(func() {
		ctx, cancel := context.WithTimeout(context.Background(), answerWithin)
		defer cancel()
		var r ipc.WithdrawResult
		err = v.call(ctx, ipc.MethodConsentWithdraw, ipc.Withdraw{ID: id}, &r)
		state, loadErr = v.load()
	}, func() {
		v.busy, v.undo, v.next = false, nil, nil
		v.show(state, loadErr)
		switch {
		case loadErr != nil:
		case err != nil:
			v.say(v.cat.T("settings.failed", nil))
		default:
			v.say(v.cat.T("settings.lasting.revoked", nil))
		}
	})
}

func (v *View) unfold() {
	if v.layers.Visible() {
		v.layers.Hide()
		v.why.SetText(v.cat.T("settings.why", nil))
	} else {
		v.layers.Show()
		v.why.SetText(v.cat.T("settings.why.less", nil))
	}
	v.root.Refresh()
}

func (v *View) canvas() fyne.Canvas { return fyne.CurrentApp().Driver().CanvasForObject(v.root) }

func (v *View) focus(i int) {
	if c := v.canvas(); c != nil && i >= 0 && i < len(v.choices) {
		c.Focus(v.choices[i])
	}
}

func (v *View) focusChosen() {
	for i, c := range v.choices {
		if c.now.Chosen {
			v.focus(i)
		}
	}
}

// reveal scrolls so that o can be seen whole, or its upper part.
func (v *View) reveal(o fyne.CanvasObject) {
	place := fyne.CurrentApp().Driver().AbsolutePositionForObject
	top := place(o).Y - place(v.scroll.Content).Y
	bottom := top + o.Size().Height
	y := v.scroll.Offset.Y
	if bottom > y+v.scroll.Size().Height {
		y = bottom - v.scroll.Size().Height
	}
	y = min(y, top)
	if y != v.scroll.Offset.Y {
		v.scroll.ScrollToOffset(fyne.NewPos(0, y))
	}
}

func setText(l *widget.Label, text string) {
	if l.Text != text {
		l.SetText(text)
	}
}

func head(text string) *widget.Label {
	l := paragraph(text)
	l.TextStyle.Bold = true
	l.SizeName = fynetheme.SizeNameSubHeadingText
	return l
}

func paragraph(text string) *widget.Label {
	l := widget.NewLabel(text)
	l.Wrapping = fyne.TextWrapWord
	return l
}
