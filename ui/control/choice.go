package control

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"aval/agent/ipc"
	"aval/assets"
	"aval/ui/theme"
)

// Choice is one value with its meaning beneath: one of several where its mark is
// round, one that can be left out where it is a box. A click, Space or Enter
// picks it; the arrows only move the focus, for what is picked counts at once.
type Choice struct {
	widget.DisableableWidget
	attention
	// Pick is called when it is picked, Step with 1 or -1 for an arrow. Either may
	// be nil.
	Pick func()
	Step func(by int)

	name, meaning string
	chosen, box   bool
	byKey         bool // what picked it last was a key

	frame, mark, dot *canvas.Rectangle
	short, long      *canvas.Line // the check in a box
	text             *widget.RichText
}

var (
	_ fyne.Tappable     = (*Choice)(nil)
	_ fyne.Focusable    = (*Choice)(nil)
	_ desktop.Hoverable = (*Choice)(nil)
)

const markSize float32 = 18

// NewChoice makes a choice with a round mark, or a box.
func NewChoice(box bool) *Choice {
	c := &Choice{box: box, frame: canvas.NewRectangle(nil), mark: canvas.NewRectangle(nil), dot: canvas.NewRectangle(nil), text: widget.NewRichText()}
	c.frame.CornerRadius = 6
	c.mark.StrokeWidth = 2
	c.mark.CornerRadius, c.dot.CornerRadius = markSize/2, markSize/4
	c.short, c.long = canvas.NewLine(nil), canvas.NewLine(nil)
	c.short.StrokeWidth, c.long.StrokeWidth = 2.5, 2.5
	if box {
		c.mark.CornerRadius = 4
	}
	c.text.Wrapping = fyne.TextWrapWord
	c.changed = c.Refresh
	c.ExtendBaseWidget(c)
	c.paint()
	return c
}

// Name is what it is called.
func (c *Choice) Name() string { return c.name }

// Chosen tells whether it is marked.
func (c *Choice) Chosen() bool { return c.chosen }

// Set changes what it says.
func (c *Choice) Set(name, meaning string, chosen, greyed bool) {
	c.name, c.meaning, c.chosen = name, meaning, chosen
	if greyed != c.Disabled() {
		if greyed {
			c.Disable()
		} else {
			c.Enable()
		}
	}
	c.Refresh()
}

// CreateRenderer implements fyne.Widget.
func (c *Choice) CreateRenderer() fyne.WidgetRenderer {
	c.mark.SetMinSize(fyne.NewSquareSize(markSize))
	c.dot.SetMinSize(fyne.NewSquareSize(markSize / 2))
	inside := fyne.CanvasObject(container.NewCenter(c.dot))
	if c.box {
		c.short.Position1, c.short.Position2 = fyne.NewPos(4, 9.5), fyne.NewPos(7.5, 13)
		c.long.Position1, c.long.Position2 = fyne.NewPos(7.5, 13), fyne.NewPos(14, 5.5)
		inside = container.NewWithoutLayout(c.short, c.long)
	}
	mark := container.NewVBox(container.NewPadded(container.NewPadded(container.NewStack(c.mark, inside))))
	return widget.NewSimpleRenderer(container.NewStack(c.frame, container.NewBorder(nil, nil, mark, nil, c.text)))
}

// AccessibilityLabel implements fyne.Accessible.
func (c *Choice) AccessibilityLabel() string { return c.name + ": " + c.meaning }

// AccessibilityRole implements fyne.Accessible.
func (c *Choice) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }

// Refresh implements fyne.Widget.
func (c *Choice) Refresh() {
	c.paint()
	c.frame.Refresh()
	c.mark.Refresh()
	c.dot.Refresh()
	c.short.Refresh()
	c.long.Refresh()
	c.text.Refresh()
	c.DisableableWidget.Refresh()
}

func (c *Choice) paint() {
	pal := theme.Current()
	ink, line := fynetheme.ColorNameForeground, pal.Accent
	if c.Disabled() {
		ink, line = fynetheme.ColorNameDisabled, pal.Edge
	}
	PaintRing(c.frame, c.focused)
	if c.hovered && !c.Disabled() {
		c.frame.FillColor = pal.Hover
	}
	c.mark.FillColor, c.mark.StrokeColor, c.dot.FillColor = pal.Ground, pal.Edge, color.Transparent
	c.short.StrokeColor, c.long.StrokeColor = color.Transparent, color.Transparent
	switch {
	case c.chosen && c.box:
		c.mark.FillColor, c.mark.StrokeColor, c.short.StrokeColor, c.long.StrokeColor = line, line, pal.OnTick, pal.OnTick
	case c.chosen:
		c.mark.StrokeColor, c.dot.FillColor = line, line
	}
	c.text.Segments = segments(c.name, c.meaning, c.text.Size().Width, ink)
}

// Resize implements fyne.CanvasObject.
func (c *Choice) Resize(size fyne.Size) {
	c.DisableableWidget.Resize(size)
	if assets.Unspaced(c.name + c.meaning) {
		c.paint()
		c.text.Refresh()
	}
}

// segments are a name and, if there is one, what it means or what is so now.
func segments(name, more string, width float32, ink fyne.ThemeColorName) []widget.RichTextSegment {
	var all []widget.RichTextSegment
	for i, text := range []string{name, more} {
		if i == 0 || text != "" {
			style := fyne.TextStyle{Bold: i == 0}
			all = append(all, &widget.TextSegment{Text: broken(text, width, fynetheme.SizeNameText, style),
				Style: widget.RichTextStyle{ColorName: ink, SizeName: fynetheme.SizeNameText, TextStyle: style}})
		}
	}
	return all
}

// Tapped implements fyne.Tappable.
func (c *Choice) Tapped(*fyne.PointEvent) { c.pick(false) }

func (c *Choice) pick(byKey bool) {
	if !c.Disabled() && c.Pick != nil {
		c.byKey = byKey
		c.Pick()
	}
}

// Press is where it was picked just now; call it in Pick.
func (c *Choice) Press() *ipc.Press { return Pressed(c, c.byKey) }

// TypedKey implements fyne.Focusable.
func (c *Choice) TypedKey(e *fyne.KeyEvent) {
	move := 0
	switch e.Name {
	case fyne.KeySpace, fyne.KeyReturn, fyne.KeyEnter:
		c.pick(true)
	case fyne.KeyDown:
		move = 1
	case fyne.KeyUp:
		move = -1
	}
	if move != 0 && c.Step != nil {
		c.Step(move)
	}
}
