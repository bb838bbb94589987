// Package fit finds text in a window that is cut off at an edge, lies over other
// text or is broken where its language forbids it, and what the keyboard does not
// reach.
//
// The one rule that must not be broken: it measures what the toolkit laid out,
// and knows nothing of what the window wanted.
package fit

import (
	"fmt"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"
)

// slack is how far a text may reach over, in units: rounding, and the room that
// a font leaves beside and above its letters.
const slack = 2

type rect struct{ x, y, right, bottom float32 }

// within is the part of a that is in b; it may be empty.
func (a rect) within(b rect) rect {
	return rect{max(a.x, b.x), max(a.y, b.y), min(a.right, b.right), min(a.bottom, b.bottom)}
}

type placed struct {
	rect
	text string
}

// Find lists what is wrong with the texts of a content in a window of a size.
func Find(content fyne.CanvasObject, size fyne.Size) []string {
	var texts []placed
	var wrong []string
	// clip is where a text may be, scrolled to or not; seen is what is in sight.
	var walk func(o fyne.CanvasObject, at fyne.Position, clip, seen rect)
	walk = func(o fyne.CanvasObject, at fyne.Position, clip, seen rect) {
		if o == nil || !o.Visible() {
			return
		}
		at = at.Add(o.Position())
		switch o := o.(type) {
		case *canvas.Text:
			if strings.TrimSpace(o.Text) == "" {
				return
			}
			// JIS X 4051: these stay with what is before them.
			if strings.ContainsRune("。、，．！？」』）】", []rune(o.Text)[0]) {
				wrong = append(wrong, fmt.Sprintf("%q begins a line", o.Text))
			}
			p := box(o, at)
			if p.x < clip.x-slack || p.right > clip.right+slack {
				wrong = append(wrong, fmt.Sprintf("%q reaches from %.0f to %.0f, there is room from %.0f to %.0f", o.Text, p.x, p.right, clip.x, clip.right))
			}
			if p.y < clip.y-slack || p.bottom > clip.bottom+slack {
				wrong = append(wrong, fmt.Sprintf("%q reaches down from %.0f to %.0f, there is room from %.0f to %.0f", o.Text, p.y, p.bottom, clip.y, clip.bottom))
			}
			p.rect = p.within(seen)
			texts = append(texts, p)
		case *fyne.Container:
			for _, child := range o.Objects {
				walk(child, at, clip, seen)
			}
		case *container.Scroll:
			inner := rect{max(clip.x, at.X), -1e6, min(clip.right, at.X+o.Size().Width), 1e6} // what is below is scrolled to
			walk(o.Content, at, inner, seen.within(rect{at.X, at.Y, at.X + o.Size().Width, at.Y + o.Size().Height}))
		case fyne.Widget:
			if _, list := o.(*widget.List); list {
				return // its rows are drawn and cut by itself
			}
			for _, child := range test.WidgetRenderer(o).Objects() {
				walk(child, at, clip, seen)
			}
		}
	}
	window := rect{0, 0, size.Width, size.Height}
	walk(content, fyne.NewPos(0, 0), window, window)
	for i, a := range texts {
		for _, b := range texts[:i] {
			if a.x+slack < b.right && b.x+slack < a.right && a.y+2*slack < b.bottom && b.y+2*slack < a.bottom {
				wrong = append(wrong, fmt.Sprintf("%q lies over %q", a.text, b.text))
			}
		}
	}
	return wrong
}

// box is where the letters of a text are: it is drawn at its own size, whatever
// size it was given.
func box(t *canvas.Text, at fyne.Position) placed {
	need := t.MinSize()
	x := at.X
	switch t.Alignment {
	case fyne.TextAlignCenter:
		x += (t.Size().Width - need.Width) / 2
	case fyne.TextAlignTrailing:
		x += t.Size().Width - need.Width
	}
	y := at.Y + max(0, (t.Size().Height-need.Height)/2)
	return placed{rect{x, y, x + need.Width, y + need.Height}, t.Text}
}

// Walk presses Tab until the focus is where it was before, and lists what takes
// keys and was not come by, and what had the focus out of sight.
func Walk(c fyne.Canvas, content fyne.CanvasObject, size fyne.Size) []string {
	var wrong []string
	name := func(o fyne.Focusable) string {
		if a, ok := o.(interface{ AccessibilityLabel() string }); ok {
			return fmt.Sprintf("%T %q", o, a.AccessibilityLabel())
		}
		return fmt.Sprintf("%T", o)
	}
	want := map[fyne.Focusable]bool{}
	views := map[fyne.Focusable][]fyne.CanvasObject{} // what scrolls it
	var walk func(o fyne.CanvasObject, in []fyne.CanvasObject)
	walk = func(o fyne.CanvasObject, in []fyne.CanvasObject) {
		if o == nil || !o.Visible() {
			return
		}
		disabled := false
		if d, ok := o.(fyne.Disableable); ok {
			disabled = d.Disabled()
		}
		if f, ok := o.(fyne.Focusable); ok && !disabled {
			want[f], views[f] = true, in
			return // its parts are its own
		}
		switch o := o.(type) {
		case *fyne.Container:
			for _, child := range o.Objects {
				walk(child, in)
			}
		case *container.Scroll:
			walk(o.Content, append(in[:len(in):len(in)], o))
		case fyne.Widget:
			for _, child := range test.WidgetRenderer(o).Objects() {
				walk(child, in)
			}
		}
	}
	walk(content, nil)
	c.Unfocus()
	driver := fyne.CurrentApp().Driver()
	seen := map[fyne.Focusable]bool{}
	for range len(want) + 2 {
		c.FocusNext()
		f := c.Focused()
		if f == nil || seen[f] {
			break
		}
		seen[f] = true
		if !want[f] {
			wrong = append(wrong, name(f)+" has the focus and is not to be seen")
			continue
		}
		o := f.(fyne.CanvasObject)
		at := driver.AbsolutePositionForObject(o)
		for _, v := range views[f] {
			top := driver.AbsolutePositionForObject(v)
			if at.Y < top.Y-slack || at.Y+min(o.Size().Height, v.Size().Height) > top.Y+v.Size().Height+slack {
				wrong = append(wrong, fmt.Sprintf("%s has the focus from %.0f to %.0f, in sight is %.0f to %.0f", name(f), at.Y, at.Y+o.Size().Height, top.Y, top.Y+v.Size().Height))
			}
		}
		if at.Y < -slack || at.Y+o.Size().Height > size.Height+slack {
			wrong = append(wrong, name(f)+" has the focus outside the window")
		}
	}
	for f := range want {
		if !seen[f] {
			wrong = append(wrong, name(f)+" is not come by with Tab")
		}
	}
	return wrong
}
