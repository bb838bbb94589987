package evidence

import (
	"image"
	"testing"
	"testing/synctest"
	"time"
)

// motion is a raw motion of a device that tells x and y.
func motion(source uint16, x, y int32) []byte {
	b := append(rawPress(evRawMotion, source), make([]byte, 4+2*8)...)
	le.PutUint32(b[4:], uint32(len(b)-32)/4)
	le.PutUint16(b[22:], 1)
	b[32] = 3
	le.PutUint32(b[36:], uint32(x))
	le.PutUint32(b[44:], uint32(y))
	return b
}

// TestPlace: what the server says late of a motion counts only where the hand's
// own motion led, and before it says anything only for a device whose motions are
// places. Let tell take every answer for a fit, or before give what was told
// however late, or count the motion of any device, and a line fails.
func TestPlace(t *testing.T) {
	const hand, program = 9, 10
	button, other := image.Pt(300, 200), image.Pt(80, 600)
	type step struct {
		by   uint16 // a motion, unless zero
		x, y int32
		told image.Point // what the server says of it; zero: nothing
		late bool
	}
	abs := step{by: hand, x: 500, y: 300, told: image.Pt(500, 300)}
	for name, c := range map[string]struct {
		steps []step
		ok    bool
	}{
		"told soon":                                 {[]step{{hand, 3, 2, button, false}}, true},
		"told late":                                 {[]step{{hand, 3, 2, button, true}}, false},
		"told late, where a mouse led":              {[]step{{hand, 3, 2, button.Sub(image.Pt(5, 5)), false}, {hand, 5, 5, button, true}}, true},
		"told late, where a mouse did not lead":     {[]step{{hand, 3, 2, other, false}, {hand, 5, 5, button, true}}, false},
		"and after that":                            {[]step{{hand, 3, 2, other, false}, {hand, 5, 5, button, true}, {hand, 0, 0, button, true}}, false},
		"led on by a program":                       {[]step{{hand, 3, 2, button.Sub(image.Pt(5, 5)), false}, {program, 0, 0, button.Sub(image.Pt(5, 5)), false}, {hand, 5, 5, button, true}}, false},
		"not told, of a mouse":                      {[]step{{hand, 3, 2, button, false}, {hand, 0, 0, image.Point{}, false}}, false},
		"told late, of a tablet":                    {[]step{abs, {hand, 300, 200, button, true}}, true},
		"told late, a tablet elsewhere":             {[]step{abs, {hand, 80, 600, button, true}}, false},
		"not told, of a tablet":                     {[]step{abs, {hand, 300, 200, image.Point{}, false}}, true},
		"not told, a tablet elsewhere":              {[]step{abs, {hand, 80, 600, image.Point{}, false}}, false},
		"not told, of what was not a tablet before": {[]step{{hand, 300, 200, image.Point{}, false}}, false},
		"not told, of a program":                    {[]step{abs, {program, 300, 200, image.Point{}, false}}, false},
		"told soon, of a program":                   {[]step{abs, {program, 300, 200, button, false}}, false},
		"not told, of what was a tablet once":       {[]step{abs, {hand, 9, 9, other, false}, {hand, 300, 200, image.Point{}, false}}, false},
	} {
		m := standing()
		m.size = image.Pt(1100, 720)
		n := uint16(0)
		for _, s := range c.steps {
			m.say(motion(s.by, s.x, s.y))
			if s.late {
				m.began = m.began.Add(-time.Second)
			}
			if n++; s.told != (image.Point{}) {
				m.say(pointerAt(n, s.told))
			}
			if s.late {
				m.began = m.began.Add(time.Second)
			}
		}
		m.say(rawPress(evRawButtonPress, hand))
		for len(m.asked) > 0 {
			m.say(pointerAt(m.asked[0].seq, button))
		}
		if _, ok := m.take(time.Time{}, around(button), true); ok != c.ok || m.failure() != nil {
			t.Errorf("%s: %v, %v", name, ok, m.failure())
		}
	}
}

// The range of an absolute device is the whole screen.
func TestSpot(t *testing.T) {
	p := place{}
	d := device{info: info{axes: [2]axis{{0, 32767}, {0, 32767}}}}
	p.step(raw{source: 9, told: [2]bool{true, true}, way: [2]float64{16384, 32767}}, d, true, image.Pt(1000, 500))
	if p.tell(image.Pt(500, 499), true); p.points != 9 {
		t.Errorf("%v is not seen as a place", p.spot)
	}
}

// TestLate: how late an event was told is right while the server's clock comes
// round, 49.7 days after the server began, and after that. (With times that go on,
// everything after it is 49.7 days late, and no place of the pointer is certain.)
func TestLate(t *testing.T) {
	const ms = time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		m := standing()
		clock := uint32(1<<32 - 3000) // of the server, now
		pass := func(d time.Duration) {
			time.Sleep(d)
			clock += uint32(d.Milliseconds())
		}
		m.late(clock - 5) // 5 ms under way, the least so far
		for i, c := range []struct {
			pass, under, want time.Duration
		}{
			{time.Second, 5 * ms, 0},
			{time.Second, 25 * ms, 20 * ms},
			{2 * time.Second, 5 * ms, 0}, // come round
			{time.Second, 65 * ms, 60 * ms},
			{ms, 2 * ms, 0},
			{time.Hour, 12 * ms, 10 * ms},
			{24 * 24 * time.Hour, 3 * ms, ms},
			{40 * 24 * time.Hour, 3 * ms, ms}, // once more
		} {
			pass(c.pass)
			if got := m.late(clock - uint32(c.under.Milliseconds())); got != c.want {
				t.Errorf("%d: %v late, not %v", i, got, c.want)
			}
		}
	})
}
