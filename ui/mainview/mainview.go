// Package mainview is Aval's main window: what Aval is, and what it is doing.
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

// Ask fetches the service's state; it may be called from any goroutine.
type Ask func(context.Context) (ipc.Status, error)

// View is the content of the main window.
type View struct {
	cat    *assets.Catalog
	ask    Ask
	asking bool

	root    *fyne.Container
	state   *fyne.Container
	refresh *control.Button
	gear    *control.Button // opens the settings
}

// New composes the view; Refresh fills it. The gear calls settings.
func New(cat *assets.Catalog, version string, ask Ask, settings func()) *View {
	v := &View{cat: cat, ask: ask, state: container.NewVBox()}
	icon := canvas.NewImageFromResource(fyne.NewStaticResource("aval-128.png", assets.Icon(128)))
	icon.FillMode = canvas.ImageFillContain
	icon.SetMinSize(fyne.NewSize(48, 48))
	name := canvas.NewText(cat.T("app.name", nil), theme.Current().Text)
	name.TextSize, name.TextStyle.Bold = 24, true
	v.refresh = control.NewButton(cat.T("app.refresh", nil), nil, v.Refresh)
	v.gear = control.NewButton(cat.T("settings.open", nil), fynetheme.SettingsIcon(), settings)
	head := container.NewHBox(icon, container.NewCenter(name), layout.NewSpacer(), container.NewCenter(v.refresh), container.NewCenter(v.gear))
	what := paragraph(cat.T("app.what", nil))
	now := paragraph(cat.T("app.now", nil))
	now.TextStyle.Bold = true
	foot := paragraph(cat.T("app.version", assets.Args{"version": version}))
	foot.Importance = widget.LowImportance
	v.root = container.NewPadded(control.Frame(
		container.NewVBox(head, what, widget.NewSeparator(), now), container.NewVScroll(v.state), foot))
	v.say(paragraph(cat.T("app.loading", nil)))
	return v
}

// Content is what the window holds.
func (v *View) Content() fyne.CanvasObject { return v.root }

// Size is what the window should open with.
func (v *View) Size() fyne.Size { return fyne.NewSize(460, 520) }

// Refresh asks the service once, in the background.
func (v *View) Refresh() {
	if v.asking {
		return
	}
	v.asking = true
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), askWithin)
		defer cancel()
		status, err := v.ask(ctx)
		fyne.Do(func() { v.show(status, err) })
	}()
}

func (v *View) show(status ipc.Status, err error) {
	v.asking = false
	if err != nil {
		v.refresh.SetText(v.cat.T("app.retry", nil))
		code := paragraph(v.cat.T("app.gone.code", nil))
		code.Importance = widget.LowImportance
		v.say(paragraph(v.cat.T("app.gone", nil)), code)
		return
	}
	v.refresh.SetText(v.cat.T("app.refresh", nil))
	s := viewmodel.NewStatus(status, v.cat)
	recording := paragraph(s.Recording)
	recording.TextStyle.Bold = true
	lines := []fyne.CanvasObject{recording}
	for _, line := range s.Lines {
		lines = append(lines, paragraph(line))
	}
	if s.Device != "" {
		device := paragraph(s.Device)
		device.Selectable = true
		lines = append(lines, device)
	}
	v.say(lines...)
}

func (v *View) say(lines ...fyne.CanvasObject) {
	v.state.Objects = lines
	v.state.Refresh()
}

func paragraph(text string) *widget.Label {
	l := widget.NewLabel(text)
	l.Wrapping = fyne.TextWrapWord
	return l
}
