package evidence

import (
	"image"
	"math"
	"time"
)

// place is where a pointer is, as far as that is certain. The server is asked
// after each motion. A WarpPointer makes no raw event: what the server says long
// after a motion is believed only where the hand's own motion led to it.
type place struct {
	at           image.Point // what the server said last
	known        bool        // it said something
	asked, again bool
	// forced: what moved the pointer last is a device that does not count.
	forced bool
	// moved is when it moved last, by the server's clock.
	moved uint32
	// slow: at was told too late, and the motion did not lead there.
	slow bool
	// led is where the motion of devices that count has led to since the pointer's
	// place was last certain, and sure says whether that is known. spot is the last
	// motion taken as a place, where it told x and y; spotted says whether it did.
	led, spot     [2]float64
	sure, spotted bool
	// points is the device whose last motion was a place, by what the server said of it
	// soon: it is not asked for its mode, which a server such as Xephyr tells wrongly.
	// Zero: none. by is the device that moved the pointer last.
	points, by uint16
}

// toldWithin is how soon after a motion the place of the pointer must be known.
const toldWithin = 20 * time.Millisecond

// near is how far, in pixels, the server's word may be from where the motion led:
// parts of a pixel, and the rounding of an absolute device.
const near = 2

// nowhere is the place of a pointer before a press when it is not certain: it has
// just moved and nothing says where to, or a program moved it.
var nowhere = image.Pt(-1<<20, -1<<20)

// step takes in a motion by device d on a screen of this size.
func (p *place) step(e raw, d device, counts bool, size image.Point) {
	p.forced, p.moved, p.by = !counts, e.time, e.source
	p.spotted = counts && e.told == [2]bool{true, true}
	if p.sure = p.sure && counts; !counts {
		return
	}
	limit := [2]float64{float64(max(size.X-1, 0)), float64(max(size.Y-1, 0))}
	for i, axis := range d.axes {
		if !e.told[i] {
			continue
		}
		p.spot[i] = e.way[i]
		if axis.max > axis.min { // the whole screen, as the server scales it
			p.spot[i] = (e.way[i] - axis.min) / (axis.max - axis.min + 1) * (limit[i] + 1)
		}
		p.led[i] = min(max(p.led[i]+e.way[i], 0), limit[i])
	}
}

// tell takes in the server's word of where the pointer is; soon: it came soon
// after the last motion.
func (p *place) tell(at image.Point, soon bool) {
	spot, led := p.spotted && reaches(p.spot, at), p.sure && reaches(p.led, at)
	switch {
	case spot && !led && soon:
		p.points = p.by
	case !spot && p.points == p.by:
		p.points = 0
	}
	p.at, p.known, p.slow = at, true, !soon && !led && (!spot || p.points != p.by)
	if !led {
		p.led, p.sure = [2]float64{float64(at.X), float64(at.Y)}, !p.slow && !p.forced
	}
}

// reaches tells whether a motion led to a place.
func reaches(a [2]float64, at image.Point) bool {
	return math.Abs(a[0]-float64(at.X)) <= near && math.Abs(a[1]-float64(at.Y)) <= near
}

// before is where the pointer is for a press now.
func (p *place) before() image.Point {
	switch {
	case p.forced || !p.asked && p.slow:
		return nowhere
	case !p.asked:
		return p.at
	case p.spotted && p.points != 0 && p.points == p.by: // a hand put it there, wherever a program moves it now
		return image.Pt(int(p.spot[0]), int(p.spot[1]))
	}
	return nowhere
}
