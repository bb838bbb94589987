package control

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"aval/ui/theme"
)

// Row is a line that leads further: a name, beneath it what is so now, and an
// arrow. A click, Space or Enter opens it.
type Row struct {
	widget.BaseWidget
	// Reveal is called when it got the focus; it may be nil.
	Reveal func()

	name, now        string
	open             func()
	focused, hovered bool
	frame            *canvas.Rectangle
	text             *widget.RichText
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
	r.text.Segments = []widget.RichTextSegment{segment(r.name, fynetheme.ColorNameForeground, true)}
	if r.now != "" {
		r.text.Segments = append(r.text.Segments, segment(r.now, fynetheme.ColorNameForeground, false))
	}
}

// Tapped implements fyne.Tappable.
func (r *Row) Tapped(*fyne.PointEvent) { r.open() }

// MouseIn implements desktop.Hoverable.
func (r *Row) MouseIn(*desktop.MouseEvent) { r.hovered = true; r.Refresh() }

// MouseMoved implements desktop.Hoverable.
func (r *Row) MouseMoved(*desktop.MouseEvent) {}

// MouseOut implements desktop.Hoverable.
func (r *Row) MouseOut() { r.hovered = false; r.Refresh() }

// FocusGained implements fyne.Focusable.
func (r *Row) FocusGained() {
	r.focused = true
	r.Refresh()
	if r.Reveal != nil {
		r.Reveal()
	}
}

// FocusLost implements fyne.Focusable.
func (r *Row) FocusLost() { r.focused = false; r.Refresh() }

// TypedRune implements fyne.Focusable.
func (r *Row) TypedRune(rune) {}

// TypedKey implements fyne.Focusable.
func (r *Row) TypedKey(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeySpace, fyne.KeyReturn, fyne.KeyEnter:
		r.open()
	}
}
