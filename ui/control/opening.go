package control

import (
	"context"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"

	"aval/agent/ipc"
	"aval/assets"
	"aval/ui/theme"
	"aval/ui/viewmodel"
)

// Open has the service open a session by its module, and returns when that has begun
// or nothing came of it; any goroutine may call it. The end of ctx gives up.
type Open func(ctx context.Context) error

// Opening is the place where a person without a code gets a number for the support: a
// button, then the number, large, while it is waited for somebody there.
type Opening struct {
	// Said is called when what it shows has changed, and Reveal with what got the
	// keyboard's focus; both may be nil.
	Said   func()
	Reveal func(fyne.CanvasObject)

	cat  *assets.Catalog
	zone *time.Location
	open Open
	busy bool // asked for, and the service has not said anything of it yet

	root       *fyne.Container
	head, text *Paragraph
	number     *canvas.Text
	press      *Button
	// work runs ask away from the window's goroutine, then show on it.
	work func(ask, show func())
}

// NewOpening makes one; Set fills it.
func NewOpening(cat *assets.Catalog, zone *time.Location, open Open) *Opening {
	o := &Opening{cat: cat, zone: zone, open: open, head: NewParagraph(""), text: NewParagraph(""), work: func(ask, show func()) {
		go func() {
			ask()
			fyne.Do(show)
		}()
	}}
	o.head.TextStyle.Bold = true
	o.text.Importance = widget.MediumImportance
	o.number = canvas.NewText("", theme.Current().Text)
	o.number.TextSize, o.number.TextStyle, o.number.Alignment = 40, fyne.TextStyle{Bold: true}, fyne.TextAlignCenter
	o.press = NewButton("", nil, o.Submit)
	o.press.Focused = func() {
		if o.Reveal != nil {
			o.Reveal(o.press)
		}
	}
	o.root = container.NewVBox(o.head, container.NewPadded(o.number), o.text, container.NewHBox(o.press), widget.NewSeparator())
	o.root.Hide()
	return o
}

// Content is what a window shows of it.
func (o *Opening) Content() fyne.CanvasObject { return o.root }

// Set shows the state of the service.
func (o *Opening) Set(s ipc.Status) {
	if s.Opening != nil {
		o.busy = false
	}
	if !o.busy {
		o.fill(viewmodel.NewOpening(s, o.cat, o.zone))
	}
}

func (o *Opening) fill(v viewmodel.Opening) {
	o.head.SetText(v.Head)
	o.number.Text = v.Number
	o.text.SetText(v.Text)
	o.press.SetText(v.Act)
	show(o.head, v.Head != "")
	show(o.number, v.Number != "")
	show(o.text, v.Text != "")
	show(o.press, v.Act != "")
	show(o.root, v != viewmodel.Opening{})
	o.root.Refresh()
	if o.Said != nil {
		o.Said()
	}
}

// Submit asks for a number, once at a time. What it comes to is the service's to
// say; only what the service does not say is said here.
func (o *Opening) Submit() {
	if o.busy || !o.press.Visible() {
		return
	}
	o.busy = true
	o.fill(viewmodel.Opening{Text: o.cat.T("app.opening.busy", nil)})
	var err error
	o.work(func() { err = o.open(context.Background()) }, func() {
		if !o.busy { // the service has said it
			return
		}
		o.busy = false
		v := viewmodel.Opening{}
		if err != nil {
			v = viewmodel.Opening{Text: viewmodel.NotOpened(o.cat, err), Act: o.cat.T("app.opening.again", nil)}
		}
		o.fill(v)
	})
}
