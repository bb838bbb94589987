package settingsview

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"aval/ui/theme"
	"aval/ui/viewmodel"
)

// choice is one value with its meaning beneath. A click, Space or Enter picks
// it; the arrows only move the focus, for what is picked counts at once.
type choice struct {
	widget.DisableableWidget
	now     viewmodel.Choice
	pick    func()
	move    func(by int)
	reveal  func() // it got the focus: bring it into sight
	focused bool
	hovered bool

	frame, circle, dot *canvas.Rectangle
	text               *widget.RichText
}

var (
	_ fyne.Tappable     = (*choice)(nil)
	_ fyne.Focusable    = (*choice)(nil)
	_ desktop.Hoverable = (*choice)(nil)
)

const circleSize float32 = 18

func newChoice(now viewmodel.Choice) *choice {
	c := &choice{now: now, frame: canvas.NewRectangle(nil), circle: canvas.NewRectangle(nil), dot: canvas.NewRectangle(nil), text: widget.NewRichText()}
	c.frame.CornerRadius = 6
	c.circle.CornerRadius, c.circle.StrokeWidth = circleSize/2, 2
	c.dot.CornerRadius = circleSize / 4
	c.text.Wrapping = fyne.TextWrapWord
	c.ExtendBaseWidget(c)
	c.paint()
	return c
}

func (c *choice) CreateRenderer() fyne.WidgetRenderer {
	c.circle.SetMinSize(fyne.NewSquareSize(circleSize))
	c.dot.SetMinSize(fyne.NewSquareSize(circleSize / 2))
	mark := container.NewVBox(container.NewPadded(container.NewPadded(container.NewStack(c.circle, container.NewCenter(c.dot)))))
	return widget.NewSimpleRenderer(container.NewStack(c.frame, container.NewBorder(nil, nil, mark, nil, c.text)))
}

// AccessibilityLabel implements fyne.Accessible.
func (c *choice) AccessibilityLabel() string { return c.now.Name + ": " + c.now.Meaning }

// AccessibilityRole implements fyne.Accessible.
func (c *choice) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }

// show changes what the choice says.
func (c *choice) show(now viewmodel.Choice, greyed bool) {
	c.now = now
	if greyed != c.Disabled() {
		if greyed {
			c.Disable()
		} else {
			c.Enable()
		}
	}
	c.Refresh()
}

// Refresh implements fyne.Widget.
func (c *choice) Refresh() {
	c.paint()
	c.frame.Refresh()
	c.circle.Refresh()
	c.dot.Refresh()
	c.text.Refresh()
	c.DisableableWidget.Refresh()
}

func (c *choice) paint() {
	pal := theme.Current()
	ink, line := fynetheme.ColorNameForeground, pal.Accent
	if c.Disabled() {
		ink, line = fynetheme.ColorNameDisabled, pal.Edge
	}
	c.frame.FillColor, c.frame.StrokeColor, c.frame.StrokeWidth = color.Transparent, color.Transparent, 3
	if c.hovered && !c.Disabled() {
		c.frame.FillColor = pal.Hover
	}
	if c.focused {
		c.frame.StrokeColor = pal.Focus
	}
	c.circle.FillColor, c.circle.StrokeColor, c.dot.FillColor = pal.Ground, pal.Edge, color.Transparent
	if c.now.Chosen {
		c.circle.StrokeColor, c.dot.FillColor = line, line
	}
	part := func(text string, bold bool) *widget.TextSegment {
		return &widget.TextSegment{Text: text, Style: widget.RichTextStyle{
			ColorName: ink, SizeName: fynetheme.SizeNameText, TextStyle: fyne.TextStyle{Bold: bold}}}
	}
	c.text.Segments = []widget.RichTextSegment{part(c.now.Name, true), part(c.now.Meaning, false)}
}

// Tapped implements fyne.Tappable.
func (c *choice) Tapped(*fyne.PointEvent) {
	if !c.Disabled() {
		c.pick()
	}
}

// MouseIn implements desktop.Hoverable.
func (c *choice) MouseIn(*desktop.MouseEvent) { c.hovered = true; c.Refresh() }

// MouseMoved implements desktop.Hoverable.
func (c *choice) MouseMoved(*desktop.MouseEvent) {}

// MouseOut implements desktop.Hoverable.
func (c *choice) MouseOut() { c.hovered = false; c.Refresh() }

// FocusGained implements fyne.Focusable.
func (c *choice) FocusGained() {
	c.focused = true
	c.Refresh()
	c.reveal()
}

// FocusLost implements fyne.Focusable.
func (c *choice) FocusLost() { c.focused = false; c.Refresh() }

// TypedRune implements fyne.Focusable.
func (c *choice) TypedRune(rune) {}

// TypedKey implements fyne.Focusable.
func (c *choice) TypedKey(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeySpace, fyne.KeyReturn, fyne.KeyEnter:
		c.Tapped(nil)
	case fyne.KeyDown:
		c.move(1)
	case fyne.KeyUp:
		c.move(-1)
	}
}
