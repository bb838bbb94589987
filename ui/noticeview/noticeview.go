// Package noticeview is the window that tells a person that a policy has a
// session recorded, and lets them object or leads to the settings.
//
// The one rule that must not be broken: it asks nothing. No button of it lets
// anything be recorded, and closing it changes nothing.
package noticeview

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"aval/assets"
	"aval/ui/control"
	"aval/ui/theme"
	"aval/ui/viewmodel"
)

// Options of a View.
type Options struct {
	Notice viewmodel.Notice
	// Object records an objection; it is called away from the window's goroutine.
	Object func() error
	// Settings leads to the settings.
	Settings func()
	// Close ends the window.
	Close func()
}

// View is the content of the window.
type View struct {
	o Options
	// work runs ask away from the window's goroutine, then show on it.
	work func(ask, show func())

	root     *fyne.Container
	act, see *control.Button
	ok       *control.Button
	why      *control.Paragraph
	seen     *fyne.Container
	scroll   *container.Scroll
}

// New composes the view.
func New(o Options) *View {
	v := &View{o: o, work: func(ask, show func()) {
		go func() {
			ask()
			fyne.Do(show)
		}()
	}}
	n := o.Notice
	icon := canvas.NewImageFromResource(fyne.NewStaticResource("aval-64.png", assets.Icon(64)))
	icon.FillMode = canvas.ImageFillContain
	icon.SetMinSize(fyne.NewSize(32, 32))
	title := canvas.NewText(n.Title, theme.Current().Text)
	title.TextSize, title.TextStyle.Bold = theme.Title, true
	head := container.NewVBox(control.Titled(icon, title), widget.NewSeparator())

	what := control.NewParagraph(n.What)
	what.TextStyle.Bold = true
	v.why = control.NewParagraph(n.Why)
	v.seen = container.NewVBox(widget.NewSeparator())
	for _, line := range n.Seen {
		v.seen.Add(control.NewParagraph(line))
	}
	v.seen.Hide()
	v.scroll = container.NewVScroll(container.NewVBox(what, control.NewParagraph(n.Now), v.why, v.seen))

	v.act = control.NewButton(n.Act, nil, v.do)
	if !n.Enforced {
		v.act.SetIcon(fynetheme.SettingsIcon())
	}
	v.see = control.NewButton(n.See, nil, v.unfold)
	v.ok = control.NewButton(n.OK, nil, o.Close)
	foot := container.NewVBox(widget.NewSeparator(), container.NewHBox(v.act, layout.NewSpacer(), v.see, v.ok))
	v.root = container.NewPadded(container.NewPadded(control.Frame(head, v.scroll, foot)))
	return v
}

// Content is what the window holds.
func (v *View) Content() fyne.CanvasObject { return v.root }

// Size is what the window should open with: wide enough for its buttons in
// every language, and low enough for a screen of 1024 × 600.
func (v *View) Size() fyne.Size {
	return fyne.NewSize(max(560, v.root.MinSize().Width), 330)
}

// Key handles a key that is for no widget: Esc closes.
func (v *View) Key(e *fyne.KeyEvent) {
	if e.Name == fyne.KeyEscape {
		v.o.Close()
	}
}

// do objects once, or leads to the settings.
func (v *View) do() {
	if !v.o.Notice.Enforced {
		v.o.Settings()
		return
	}
	v.act.Disable()
	var err error
	v.work(func() { err = v.o.Object() }, func() {
		if err != nil {
			v.act.Enable()
			v.why.SetText(v.o.Notice.Failed)
			return
		}
		v.why.SetText(v.o.Notice.Done)
	})
}

func (v *View) unfold() {
	if v.seen.Visible() {
		v.seen.Hide()
		v.scroll.ScrollToTop()
	} else {
		v.seen.Show()
		v.scroll.ScrollToOffset(fyne.NewPos(0, v.why.Position().Y))
	}
	v.root.Refresh()
}
