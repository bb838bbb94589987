package control

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"aval/assets"
	"aval/ui/theme"
)

// Row is a line that leads further: a name, beneath it what is so now, and an
// arrow. A click, Space or Enter opens it.
type Row struct {
	widget.BaseWidget
	attention

	name, now string
	open      func()
	frame     *canvas.Rectangle
	text      *widget.RichText
}

var (
	_ fyne.Tappable     = (*Row)(nil)
	_ fyne.Focusable    = (*Row)(nil)
	_ desktop.Hoverable = (*Row)(nil)
)

// NewRow makes a row.
func NewRow(name string, open func()) *Row {
	r := &Row{name: name, open: open, frame: canvas.NewRectangle(nil), text: widget.NewRichText()}
	r.frame.CornerRadius = 6
	r.text.Wrapping = fyne.TextWrapWord
	r.changed = r.Refresh
	r.ExtendBaseWidget(r)
	r.paint()
	return r
}

// Set changes what is so now; empty: nothing is said.
func (r *Row) Set(now string) {
	if r.now != now {
		r.now = now
		r.Refresh()
	}
}

// Now is what is shown beneath the name.
func (r *Row) Now() string { return r.now }

// CreateRenderer implements fyne.Widget.
func (r *Row) CreateRenderer() fyne.WidgetRenderer {
	arrow := widget.NewIcon(fynetheme.NavigateNextIcon())
	return widget.NewSimpleRenderer(container.NewStack(r.frame, container.NewBorder(nil, nil, nil, container.NewPadded(arrow), r.text)))
}

// MinSize is never below a comfortable target.
func (r *Row) MinSize() fyne.Size {
	s := r.BaseWidget.MinSize()
	return fyne.NewSize(s.Width, max(s.Height, MinTarget))
}

// AccessibilityLabel implements fyne.Accessible.
func (r *Row) AccessibilityLabel() string { return r.name + ": " + r.now }

// AccessibilityRole implements fyne.Accessible.
func (r *Row) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }

// Refresh implements fyne.Widget.
func (r *Row) Refresh() {
	r.paint()
	r.frame.Refresh()
	r.text.Refresh()
	r.BaseWidget.Refresh()
}

func (r *Row) paint() {
	pal := theme.Current()
	PaintRing(r.frame, r.focused)
	if r.hovered {
		r.frame.FillColor = pal.Hover
	}
	r.text.Segments = segments(r.name, r.now, r.text.Size().Width, fynetheme.ColorNameForeground)
}

// Resize implements fyne.CanvasObject.
func (r *Row) Resize(size fyne.Size) {
	r.BaseWidget.Resize(size)
	if assets.Unspaced(r.name + r.now) {
		r.paint()
		r.text.Refresh()
	}
}

// Tapped implements fyne.Tappable.
func (r *Row) Tapped(*fyne.PointEvent) { r.open() }

// TypedKey implements fyne.Focusable.
func (r *Row) TypedKey(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeySpace, fyne.KeyReturn, fyne.KeyEnter:
		r.open()
	}
}
