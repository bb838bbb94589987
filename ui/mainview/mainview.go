// Package mainview is Aval's main window: what Aval is, what it is doing, and
// the open sessions. It leads to the settings and to the activity.
//
// The one rule that must not be broken: it says what the service said, when it
// said it, or that the service does not answer; it never guesses.
package mainview

import (
	"context"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"aval/agent/ipc"
	"aval/assets"
	"aval/ui/control"
	"aval/ui/theme"
	"aval/ui/viewmodel"
)

// askWithin bounds one question to the service.
const askWithin = 3 * time.Second

// Now is what the service says.
type Now struct {
	Status   ipc.Status
	Sessions []ipc.SessionInfo
}

// Config is what the window needs.
type Config struct {
	Catalog *assets.Catalog
	Version string
	Zone    *time.Location // of times
	// Ask fetches the service's state; it is called from any goroutine.
	Ask func(context.Context) (Now, error)
	// Settings and Activity open these windows.
	Settings, Activity func()
	// Join has the service redeem a session code; Code stands in the field already.
	Join control.Join
	Code string
	// Open has the service of a module open a session without a code.
	Open control.Open
}

// View is the content of the main window.
type View struct {
	cat    *assets.Catalog
	zone   *time.Location
	ask    func(context.Context) (Now, error)
	asking bool
	again  bool // it was to be asked again meanwhile

	root     *fyne.Container
	now      *control.Paragraph // the head of state
	state    *fyne.Container
	page     *fyne.Container   // state, and where a code is entered
	scroll   *container.Scroll // of page
	refresh  *control.Button
	gear     *control.Button // opens the settings
	activity *control.Button
	code     *control.Code
	opening  *control.Opening
}

// New composes the view; Refresh fills it.
func New(c Config) *View {
	cat := c.Catalog
	v := &View{cat: cat, zone: c.Zone, ask: c.Ask, state: container.NewVBox()}
	icon := canvas.NewImageFromResource(fyne.NewStaticResource("aval-128.png", assets.Icon(128)))
	icon.FillMode = canvas.ImageFillContain
	icon.SetMinSize(fyne.NewSize(48, 48))
	name := canvas.NewText(cat.T("app.name", nil), theme.Current().Text)
	name.TextSize, name.TextStyle.Bold = 24, true
	v.refresh = control.NewButton(cat.T("app.retry", nil), nil, v.Refresh)
	v.refresh.Hide() // what is shown is up to date by itself
	v.activity = control.NewButton(cat.T("app.activity", nil), fynetheme.HistoryIcon(), c.Activity)
	v.gear = control.NewButton(cat.T("settings.open", nil), fynetheme.SettingsIcon(), c.Settings)
	head := container.NewBorder(nil, nil, control.Titled(icon, name), container.NewHBox(container.NewCenter(v.activity), container.NewCenter(v.gear)))
	what := control.NewParagraph(cat.T("app.what", nil))
	v.now = control.NewHead(cat.T("app.now", nil))
	foot := control.NewParagraph(cat.T("app.version", assets.Args{"version": c.Version}))
	foot.Importance = widget.LowImportance
	v.code = control.NewCode(cat, c.Join, c.Code)
	v.opening = control.NewOpening(cat, c.Zone, c.Open)
	v.page = container.NewVBox(v.state, widget.NewSeparator(), v.opening.Content(), v.code.Content())
	v.scroll = container.NewVScroll(v.page)
	v.code.Reveal, v.opening.Reveal = v.reveal, v.reveal
	v.root = container.NewPadded(control.Frame(
		container.NewVBox(head, what, widget.NewSeparator()), v.scroll,
		container.NewVBox(container.NewHBox(v.refresh), foot)))
	v.code.Said, v.opening.Said = v.root.Refresh, v.root.Refresh
	v.say([]fyne.CanvasObject{control.NewParagraph(cat.T("app.loading", nil))})
	return v
}

// Content is what the window holds.
func (v *View) Content() fyne.CanvasObject { return v.root }

// Size is what the window should open with.
func (v *View) Size() fyne.Size { return fyne.NewSize(520, 580) }

// FocusCode puts the keyboard where a code is entered, or sent off.
func (v *View) FocusCode() {
	if c := fyne.CurrentApp().Driver().CanvasForObject(v.root); c != nil {
		c.Focus(v.code.First())
	}
}

// Refresh asks the service once, in the background.
func (v *View) Refresh() {
	if v.asking {
		v.again = true
		return
	}
	v.asking = true
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), askWithin)
		defer cancel()
		now, err := v.ask(ctx)
		fyne.Do(func() {
			v.show(now, err)
			if v.again {
				v.again = false
				v.Refresh()
			}
		})
	}()
}

func (v *View) show(now Now, err error) {
	v.asking = false
	if err != nil {
		v.refresh.Show()
		code := control.NewParagraph(v.cat.T("app.gone.code", nil))
		code.Importance = widget.LowImportance
		v.say([]fyne.CanvasObject{control.NewParagraph(v.cat.T("app.gone", nil)), code})
		return
	}
	v.refresh.Hide()
	v.opening.Set(now.Status)
	s := viewmodel.NewStatus(now.Status, now.Sessions, v.cat, v.zone)
	recording := control.NewParagraph(s.Recording)
	recording.TextStyle.Bold = true
	lines := []fyne.CanvasObject{recording}
	for _, line := range s.Lines {
		lines = append(lines, control.NewParagraph(line))
	}
	for _, line := range s.Administrator {
		p := control.NewParagraph(line)
		p.Importance = widget.LowImportance
		lines = append(lines, p)
	}
	var parts []fyne.CanvasObject
	if s.Device != "" {
		parts = append(parts, container.New(layout.NewCustomPaddedLayout(0, 4, 0, 0), container.NewHBox(v.device(s.Device))))
	}
	if len(s.Sessions) > 0 {
		var open []fyne.CanvasObject
		for _, line := range s.Sessions {
			open = append(open, control.NewParagraph(line))
		}
		parts = append(parts, widget.NewSeparator(), control.NewHead(v.cat.T("app.sessions.head", nil)), control.Tight(open...))
	}
	v.say(lines, parts...)
}

// device names the computer, for somebody on the telephone; pressed, it is copied.
func (v *View) device(text string) *control.Button {
	var b *control.Button
	b = control.NewButton(text, fynetheme.ContentCopyIcon(), func() {
		fyne.CurrentApp().Clipboard().SetContent(text)
		b.SetIcon(fynetheme.ConfirmIcon())
	})
	b.Focused = func() { v.reveal(b) }
	return b
}

// reveal scrolls o into sight.
func (v *View) reveal(o fyne.CanvasObject) {
	place := fyne.CurrentApp().Driver().AbsolutePositionForObject
	top := place(o).Y - place(v.page).Y
	v.scroll.ScrollToOffset(fyne.NewPos(0, min(top, max(v.scroll.Offset.Y, top+o.Size().Height-v.scroll.Size().Height))))
}

// say shows what is so now, and beneath it the parts that have more than text.
func (v *View) say(lines []fyne.CanvasObject, parts ...fyne.CanvasObject) {
	v.state.Objects = append([]fyne.CanvasObject{control.Tight(append([]fyne.CanvasObject{v.now}, lines...)...)}, parts...)
	v.state.Refresh()
	v.root.Refresh()
}
