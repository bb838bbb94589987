package control

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"

	"aval/ui/theme"
)

// MinTarget is the least height of what can be pressed, in device-independent
// pixels.
const MinTarget float32 = 36

// Drawing renders a widget out of canvas objects and functions.
type Drawing struct {
	Parts []fyne.CanvasObject
	Min   func() fyne.Size
	Place func(fyne.Size) // lays the parts out
	Paint func()          // gives them their colours and texts
}

// Objects implements fyne.WidgetRenderer.
func (d *Drawing) Objects() []fyne.CanvasObject { return d.Parts }

// MinSize implements fyne.WidgetRenderer.
func (d *Drawing) MinSize() fyne.Size { return d.Min() }

// Layout implements fyne.WidgetRenderer.
func (d *Drawing) Layout(size fyne.Size) { d.Place(size) }

// Destroy implements fyne.WidgetRenderer.
func (d *Drawing) Destroy() {}

// Refresh implements fyne.WidgetRenderer.
func (d *Drawing) Refresh() {
	d.Paint()
	for _, o := range d.Parts {
		o.Refresh()
	}
}

// PaintRing paints what is drawn around the thing that has the keyboard's focus.
func PaintRing(r *canvas.Rectangle, focused bool) {
	r.FillColor, r.StrokeColor, r.StrokeWidth = color.Transparent, color.Transparent, 3
	if focused {
		r.StrokeColor = theme.Current().Focus
	}
}
