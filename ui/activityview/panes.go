package activityview

import "fyne.io/fyne/v2"

// listWidth is how wide the history is beside the details, and wideFrom from
// which width of the window on both are seen at once.
const (
	listWidth float32 = 320
	wideFrom  float32 = 700
)

// panes puts history and details side by side, with a line between, or, in a narrow window, shows
// the one of them that is being read.
type panes struct {
	detail  bool // in a narrow window: the details
	narrow  bool
	changed func() // narrow has changed, or the width of the details
	width   float32
}

// MinSize implements fyne.Layout.
func (p *panes) MinSize(objects []fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(280, 120)
}

// Layout implements fyne.Layout.
func (p *panes) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	left, right, between := objects[0], objects[1], objects[2]
	p.narrow = size.Width < wideFrom
	show := func(o fyne.CanvasObject, yes bool) {
		if yes && !o.Visible() {
			o.Show()
		} else if !yes && o.Visible() {
			o.Hide()
		}
	}
	show(left, !p.narrow || !p.detail)
	show(right, !p.narrow || p.detail)
	show(between, !p.narrow)
	between.Move(fyne.NewPos(listWidth+3, 8))
	between.Resize(fyne.NewSize(1, max(0, size.Height-16)))
	wide := size.Width
	if p.narrow {
		left.Move(fyne.NewPos(0, 0))
		left.Resize(size)
		right.Move(fyne.NewPos(0, 0))
	} else {
		wide -= listWidth + 8
		left.Move(fyne.NewPos(0, 0))
		left.Resize(fyne.NewSize(listWidth, size.Height))
		right.Move(fyne.NewPos(listWidth+8, 0))
	}
	if wide != p.width {
		p.width = wide
		p.changed()
	}
	right.Resize(fyne.NewSize(wide, size.Height))
}
