// Package refusalview is the window that says why a support file was not started.
//
// The one rule that must not be broken: it starts nothing. It has one button, which
// closes it.
package refusalview

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"aval/assets"
	"aval/ui/control"
	"aval/ui/viewmodel"
)

// View is the content of the window.
type View struct {
	root  *fyne.Container
	close *control.Button
	end   func()
}

// New composes the view; end closes its window.
func New(r viewmodel.Refusal, end func()) *View {
	v := &View{end: end}
	icon := canvas.NewImageFromResource(fyne.NewStaticResource("aval-64.png", assets.Icon(64)))
	icon.FillMode = canvas.ImageFillContain
	icon.SetMinSize(fyne.NewSize(32, 32))
	title := control.NewParagraph(r.Title)
	title.SizeName, title.TextStyle.Bold = fynetheme.SizeNameSubHeadingText, true
	what := control.NewParagraph(r.Text)
	nothing := control.NewParagraph(r.Nothing)
	nothing.Importance = widget.LowImportance
	v.close = control.NewButton(r.Close, nil, end)
	v.root = container.NewPadded(container.NewPadded(control.Frame(
		container.NewVBox(container.NewBorder(nil, nil, container.NewCenter(icon), nil, title), widget.NewSeparator()),
		container.NewVScroll(container.NewVBox(what, nothing)),
		container.NewVBox(widget.NewSeparator(), container.NewHBox(layout.NewSpacer(), v.close)))))
	return v
}

// Content is what the window holds.
func (v *View) Content() fyne.CanvasObject { return v.root }

// Size is what the window should open with; its texts wrap.
func (v *View) Size() fyne.Size { return fyne.NewSize(520, 270) }

// Key handles a key that is for no widget: Esc and Enter close.
func (v *View) Key(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeyEscape, fyne.KeyReturn, fyne.KeyEnter:
		v.end()
	}
}
