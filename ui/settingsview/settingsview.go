// Package settingsview is the settings window: what happens when a session may
// be recorded, what of it may be, why it is so, the language, and the state of
// this computer.
//
// The one rule that must not be broken: the choice that is marked is the one
// that the service has stored, never the one that was only clicked.
package settingsview

import (
	"context"
	"errors"
	"slices"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"aval/agent/consent"
	"aval/agent/event"
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

// Config is what the window needs.
type Config struct {
	Catalog *assets.Catalog
	Zone    *time.Location // of dates
	Call    Call
	// Accounts signs the person in and out.
	Accounts control.Accounts
	Locale   string // the desktop's own
	// Page is shown at first.
	Page Page
	// Language is told whenever the person's own choice of language becomes known
	// or changes: who composes the view in it keeps its Page.
	Language func(string)
	// Back leads to where the person came from; nil: nowhere.
	Back func()
}

// View is the content of the settings window.
type View struct {
	cat      *assets.Catalog
	zone     *time.Location
	call     Call
	accounts control.Accounts
	locale   string
	spoke    func(string)
	leave    func() // out of the settings; nil: there is nowhere to go
	// work runs ask away from the window's goroutine, then show on it.
	work func(ask, show func())

	busy  bool   // the service is being asked
	next  func() // what waits until the service has answered
	known bool   // state is what the service said last
	state viewmodel.SettingsState
	undo  *change // what Undo does; nil: nothing to undo
	page  Page

	root     *fyne.Container
	title    *canvas.Text
	back     *control.Button
	scroll   *container.Scroll
	gone     *fyne.Container // instead of the body while the service does not answer
	goneText *control.Paragraph
	goneCode *control.Paragraph
	retry    *control.Button
	body     *fyne.Container // of the page that is shown
	notice   *control.Paragraph
	undoing  *control.Button
	press    *ipc.Press // where it is being pressed now; nil: nowhere
	foot     *fyne.Container
	pages    [pageCount]*fyne.Container
	first    [pageCount]fyne.Focusable // where the keyboard goes on a page; nil: nowhere
	parts
}

// change is one change of the settings.
type change struct {
	set  ipc.SettingsSet
	said string // once it is done
	// undone takes it back; nil: it cannot be, or is that itself.
	undone *change
	// left is what the settings were right after it: what was changed elsewhere
	// since is not undone.
	left ipc.SettingsResult
}

// New composes the view; Refresh fills it.
func New(c Config) *View {
	v := &View{cat: c.Catalog, zone: c.Zone, call: c.Call, accounts: c.Accounts, locale: c.Locale, leave: c.Back, spoke: c.Language, work: func(ask, show func()) {
		go func() {
			ask()
			fyne.Do(show)
		}()
	}}
	v.title = canvas.NewText("", theme.Current().Text)
	v.title.TextSize, v.title.TextStyle.Bold = 20, true
	v.back = control.NewButton("", fynetheme.NavigateBackIcon(), v.goBack)
	head := container.NewVBox(container.NewHBox(v.back), container.NewPadded(container.NewPadded(v.title)))
	v.compose()
	v.root = container.NewPadded(control.Frame(container.NewVBox(head, widget.NewSeparator()), v.scroll, v.foot))
	v.goneText.SetText(v.cat.T("app.loading", nil))
	v.turn(c.Page)
	return v
}

func (v *View) compose() {
	v.notice = control.NewParagraph("")
	v.undoing = control.NewButton(v.cat.T("settings.undo", nil), fynetheme.ContentUndoIcon(), v.takeBack)
	v.goneText, v.goneCode = control.NewParagraph(""), control.NewParagraph("")
	v.goneCode.Importance = widget.LowImportance
	v.retry = control.NewButton(v.cat.T("app.retry", nil), nil, v.Refresh)
	v.retry.Hide()
	v.gone = container.NewVBox(v.goneText, v.goneCode, container.NewHBox(v.retry))
	v.composePages()
	v.body = container.NewStack()
	v.body.Hide()
	room := layout.NewCustomPaddedLayout(0, 0, 0, theme.Aval{}.Size(fynetheme.SizeNameScrollBar)+4) // for the scroll bar
	v.scroll = container.NewVScroll(container.New(room, container.NewVBox(v.gone, v.body)))
	v.foot = container.NewVBox(widget.NewSeparator(), container.NewBorder(nil, nil, nil, container.NewCenter(v.undoing), v.notice))
	v.foot.Hide()
}

// Content is what the window holds.
func (v *View) Content() fyne.CanvasObject { return v.root }

// Size is what the window should open with: it fits a screen of 1024 × 600.
func (v *View) Size() fyne.Size { return fyne.NewSize(560, 560) }

// Page is the page that is shown: for a view in another language.
func (v *View) Page() Page { return v.page }

// Refresh asks the service once, in the background.
func (v *View) Refresh() {
	if v.busy {
		if v.next == nil { // what is known by then is older than this
			v.next = v.Refresh
		}
		return
	}
	v.busy = true
	var state viewmodel.SettingsState
	var err error
	v.work(func() { state, err = v.load() }, func() {
		v.busy = false
		v.show(state, err)
		v.goOn()
	})
}

// goOn does what waited for the service's answer.
func (v *View) goOn() {
	if next := v.next; next != nil {
		v.next = nil
		next()
	}
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

// change asks the service for another value.
func (v *View) change(c change) {
	if !v.known {
		return
	}
	if v.press != nil {
		c.set.Press = v.press
	}
	if v.busy { // a refresh is under way, and soon over
		v.next = func() { v.change(c) }
		return
	}
	v.busy = true
	var state viewmodel.SettingsState
	var err, loadErr error
	v.work(func() {
		ctx, cancel := context.WithTimeout(context.Background(), answerWithin)
		defer cancel()
		var r ipc.SettingsResult
		err = v.call(ctx, ipc.MethodSettingsSet, c.set, &r)
		state, loadErr = v.load()
	}, func() {
		v.busy, v.undo, v.next = false, nil, nil
		v.show(state, loadErr)
		if loadErr == nil {
			v.report(c, err)
		}
	})
}

// setAccess changes the access control.
func (v *View) setAccess(to consent.AccessControl) {
	before := v.state.Settings.SessionInsights
	if v.state.Settings.Enforced || to == before {
		return
	}
	say := func(key string, value consent.AccessControl) string {
		return v.cat.T(key, assets.Args{"value": viewmodel.Access(v.cat, value)})
	}
	c := change{set: ipc.SettingsSet{SessionInsights: to}, said: say("settings.changed", to)}
	if before != consent.AccessCorrupt {
		c.undone = &change{set: ipc.SettingsSet{SessionInsights: before}, said: say("settings.undone", before)}
	}
	v.change(c)
}

// setGroup lets a group be recorded, or no longer.
func (v *View) setGroup(g event.Group, on bool) {
	var before, after []event.Group
	for _, s := range v.state.Settings.Groups {
		if s.Own {
			before = append(before, s.Group)
		}
		if s.Group == g && on || s.Group != g && s.Own {
			after = append(after, s.Group)
		}
	}
	if len(after) == 0 {
		v.undo = nil
		v.say(v.cat.T("settings.record.last", nil))
		return
	}
	say := func(key string, groups []event.Group) string {
		s := v.state
		s.Settings.Groups = slices.Clone(s.Settings.Groups)
		for i := range s.Settings.Groups {
			one := &s.Settings.Groups[i]
			one.Own = slices.Contains(groups, one.Group)
			one.Record = one.Own && !one.Barred
		}
		return v.cat.T(key, assets.Args{"record": viewmodel.NewSettings(s, v.cat, v.zone).Recorded})
	}
	v.change(change{set: ipc.SettingsSet{Record: after}, said: say("settings.record.changed", after),
		undone: &change{set: ipc.SettingsSet{Record: before}, said: say("settings.record.undone", before)}})
}

// setLanguage changes the language; the window's owner composes the view anew.
func (v *View) setLanguage(to string) {
	before := v.state.Settings.Language
	if before == "" {
		before = "default"
	}
	if to == before {
		return
	}
	v.change(change{set: ipc.SettingsSet{Language: to}, said: v.cat.T("settings.language.changed", nil),
		undone: &change{set: ipc.SettingsSet{Language: before}, said: v.cat.T("settings.language.undone", nil)}})
}

// report says what became of a change.
func (v *View) report(c change, err error) {
	if err != nil {
		v.say(viewmodel.Unchanged(v.cat, v.state.Settings.Enforced && c.set.SessionInsights != "", err))
		return
	}
	if v.undo = c.undone; v.undo != nil {
		v.undo.left = v.state.Settings
	}
	v.say(c.said)
}

func (v *View) takeBack() {
	if v.undo != nil {
		v.press = v.undoing.Press()
		v.change(*v.undo)
		v.press = nil
	}
}

// own tells whether two states hold the same choices of the person's own.
func own(a, b ipc.SettingsResult) bool {
	return a.SessionInsights == b.SessionInsights && a.Language == b.Language && a.Enforced == b.Enforced &&
		slices.EqualFunc(a.Groups, b.Groups, func(x, y ipc.GroupSetting) bool { return x.Group == y.Group && x.Own == y.Own })
}

// say shows what became of the last change; empty: nothing.
func (v *View) say(text string) {
	v.notice.SetText(text)
	if v.undo == nil {
		if c := v.canvas(); c != nil && c.Focused() == fyne.Focusable(v.undoing) {
			v.focusPage()
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
	was := v.known
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
	if v.spoke != nil && (!was || v.state.Settings.Language != state.Settings.Language) {
		v.spoke(state.Settings.Language)
	}
	v.state = state
	v.fill(viewmodel.NewSettings(state, v.cat, v.zone))
	v.gone.Hide()
	v.body.Show()
	if c := v.canvas(); !was && v.leave != nil && c != nil && c.Focused() == nil { // who came by the gear goes on by the keyboard
		v.focusPage()
	}
	if v.undo != nil && !own(state.Settings, v.undo.left) { // changed elsewhere
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
	v.lasting.Add(control.NewHead(v.cat.T("settings.lasting", nil)))
	for _, l := range list {
		var b *control.Button
		b = control.NewButton(v.cat.T("settings.lasting.revoke", nil), nil, func() { v.revoke(l.ID, b.Press()) })
		b.Focused = func() { v.reveal(b) }
		v.lasting.Add(container.NewBorder(nil, nil, nil, container.NewVBox(b), control.NewParagraph(l.Text)))
	}
	v.lasting.Show()
}

// revoke takes an answer for further sessions back.
func (v *View) revoke(id string, press *ipc.Press) {
	if v.busy {
		v.next = func() { v.revoke(id, press) }
		return
	}
	v.busy = true
	var state viewmodel.SettingsState
	var err, loadErr error
	v.work(func() {
		ctx, cancel := context.WithTimeout(context.Background(), answerWithin)
		defer cancel()
		var r ipc.WithdrawResult
		err = v.call(ctx, ipc.MethodConsentWithdraw, ipc.Withdraw{ID: id, Press: press}, &r)
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

func (v *View) canvas() fyne.Canvas { return fyne.CurrentApp().Driver().CanvasForObject(v.root) }

func (v *View) focus(o fyne.Focusable) {
	if c := v.canvas(); c != nil && o != nil {
		c.Focus(o)
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
