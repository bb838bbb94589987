package indicator

import "image"

// near is how far from the pointer the bar keeps when it appears, in pixels at 100 %.
const near = 24

// place finds where a bar of size appears on the monitor: at the top edge in
// the middle, or beside that where the pointer is: it never appears under it.
func place(monitor image.Rectangle, size, pointer image.Point, margin int) image.Point {
	mid := monitor.Min.X + (monitor.Dx()-size.X)/2
	left, right := monitor.Min.X+margin, monitor.Max.X-size.X-margin
	top, below := monitor.Min.Y, monitor.Min.Y+size.Y+4*margin
	for _, at := range []image.Point{{mid, top}, {left, top}, {right, top}, {mid, below}, {left, below}} {
		at = inside(monitor, size, at)
		r := image.Rectangle{Min: at, Max: at.Add(size)}.Inset(-margin)
		if !pointer.In(r) {
			return at
		}
	}
	return inside(monitor, size, image.Pt(mid, monitor.Max.Y-size.Y))
}

// inside moves a bar of size at the point at wholly onto the monitor; one that
// is wider shows its right end, where the buttons are.
func inside(monitor image.Rectangle, size, at image.Point) image.Point {
	at.X = min(max(at.X, monitor.Min.X), monitor.Max.X-size.X)
	at.Y = max(min(at.Y, monitor.Max.Y-size.Y), monitor.Min.Y)
	return at
}

// dragged limits where a person may move the bar: up to two fifths of its width
// over the sides, so that what it says and one of its buttons remain.
func dragged(monitor image.Rectangle, size, at image.Point) image.Point {
	over := size.X * 2 / 5
	at.X = min(max(at.X, monitor.Min.X-over), monitor.Max.X-size.X+over)
	at.Y = max(min(at.Y, monitor.Max.Y-size.Y), monitor.Min.Y)
	return at
}

// monitorAt returns the monitor that shows most of r, the first one if none does.
func monitorAt(monitors []image.Rectangle, r image.Rectangle) image.Rectangle {
	best, most := monitors[0], 0
	for _, m := range monitors {
		if i := m.Intersect(r); i.Dx()*i.Dy() > most {
			best, most = m, i.Dx()*i.Dy()
		}
	}
	return best
}

// shownPart is how much of r the monitors show, from 0 to 1.
func shownPart(monitors []image.Rectangle, r image.Rectangle) float64 {
	return 1 - freePart(r, monitors)
}

// coveredPart is how much of r the windows above it cover, from 0 to 1.
func coveredPart(r image.Rectangle, above []image.Rectangle) float64 {
	return 1 - freePart(r, above)
}

// cell is the grain of freePart, in pixels.
const cell = 4

// freePart is how much of r none of the others covers, from 0 to 1.
func freePart(r image.Rectangle, others []image.Rectangle) float64 {
	free, all := 0, 0
	for y := r.Min.Y + cell/2; y < r.Max.Y; y += cell {
		for x := r.Min.X + cell/2; x < r.Max.X; x += cell {
			all++
			taken := false
			for _, o := range others {
				if taken = image.Pt(x, y).In(o); taken {
					break
				}
			}
			if !taken {
				free++
			}
		}
	}
	if all == 0 {
		return 0
	}
	return float64(free) / float64(all)
}

// scaleFor picks the scale of a display: from Xft.dpi where the desktop sets
// it, else from the monitor's own size where that is dense for certain.
func scaleFor(xftDPI float64, pixels, millimetres int) float64 {
	dpi := xftDPI
	if dpi <= 0 && millimetres > 0 {
		if d := float64(pixels) * 25.4 / float64(millimetres); d >= 160 && d < 800 {
			dpi = 192
		}
	}
	if dpi <= 0 {
		return 1
	}
	quarters := int(dpi/96*4 + 0.5)
	return float64(min(max(quarters, 4), 16)) / 4
}
