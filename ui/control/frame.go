package control

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
)

// Titled is a window's icon with its title beside it.
func Titled(icon, title fyne.CanvasObject) *fyne.Container {
	return container.New(layout.NewCustomPaddedHBoxLayout(10), icon, container.NewCenter(title))
}

// Frame puts top above and bottom beneath middle, which takes the room that is
// left. Tab goes through them in this order; the toolkit's own border begins
// with the middle (fyne 2.8.1, container/layouts.go).
func Frame(top, middle, bottom fyne.CanvasObject) *fyne.Container {
	return container.New(layout.NewBorderLayout(top, bottom, nil, nil), top, middle, bottom)
}
