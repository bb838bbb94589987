package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"time"

	"aval/test/rig"
)

// eye knows what a finished window looks like and sees when it is on the screen.
type eye struct {
	d     *rig.Display
	bands []band
}

// band is a few rows of the finished window and the pixels in them that say
// something: neither ground nor anything that changes while the window stands.
type band struct {
	at  image.Rectangle
	ink map[image.Point]color.RGBA
}

// Bands are low, so that looking costs little; one in each third of the window.
const bandRows = 6

// lookEvery is the resolution of what is measured.
const lookEvery = 3 * time.Millisecond

// learn opens a window, waits until it stands still, and looks at it for a while:
// what changes meanwhile (seconds that count down) is not looked for later.
func learn(ctx context.Context, d *rig.Display, open func() error) (*eye, *image.RGBA, error) {
	empty, err := d.Picture()
	if err != nil {
		return nil, nil, err
	}
	if err := open(); err != nil {
		return nil, nil, err
	}
	var shots []*image.RGBA
	var where image.Rectangle
	limit := time.Now().Add(30 * time.Second)
	for len(shots) < 12 {
		if err := pause(ctx, 250*time.Millisecond); err != nil {
			return nil, nil, err
		}
		shot, err := d.Picture()
		if err != nil {
			return nil, nil, err
		}
		r := differs(empty, shot)
		if r != where || r.Dx() < 150 || r.Dy() < 80 {
			where, shots = r, nil
		}
		shots = append(shots, shot)
		if time.Now().After(limit) {
			return nil, nil, errors.New("learn a window: it does not come, or does not stand still")
		}
	}
	e := &eye{d: d}
	last := shots[len(shots)-1]
	ground := dominant(last, where)
	still := func(p image.Point) bool {
		for _, s := range shots {
			if s.RGBAAt(p.X, p.Y) != last.RGBAAt(p.X, p.Y) {
				return false
			}
		}
		return true
	}
	for third := range 3 {
		best := band{}
		lo, hi := where.Min.Y+third*where.Dy()/3, where.Min.Y+(third+1)*where.Dy()/3
		for y := lo; y+bandRows <= hi; y += bandRows {
			b := band{at: image.Rect(where.Min.X, y, where.Max.X, y+bandRows), ink: map[image.Point]color.RGBA{}}
			for py := b.at.Min.Y; py < b.at.Max.Y; py++ {
				for px := b.at.Min.X; px < b.at.Max.X; px++ {
					p, c := image.Pt(px, py), last.RGBAAt(px, py)
					if c != ground && c != empty.RGBAAt(px, py) && still(p) {
						b.ink[p] = c
					}
				}
			}
			if len(b.ink) > len(best.ink) {
				best = b
			}
		}
		if len(best.ink) < 40 {
			return nil, nil, fmt.Errorf("learn a window: nothing to be seen in its part %d of 3", third+1)
		}
		e.bands = append(e.bands, best)
	}
	return e, last, nil
}

// painted waits until the window that was learned is on the screen, and says when.
func (e *eye) painted(ctx context.Context, within time.Duration) (time.Time, error) {
	limit := time.Now().Add(within)
	for {
		ok, err := e.sees()
		now := time.Now()
		if err != nil || ok {
			return now, err
		}
		if now.After(limit) {
			return now, fmt.Errorf("the window was not painted within %s", within)
		}
		if err := pause(ctx, lookEvery); err != nil {
			return now, err
		}
	}
}

// sees tells whether nearly all of the ink is there: the caret of a field or a
// hovered control may differ.
func (e *eye) sees() (bool, error) {
	for _, b := range e.bands {
		img, err := e.d.Part(b.at)
		if err != nil {
			return false, err
		}
		same := 0
		for p, c := range b.ink {
			if img.RGBAAt(p.X, p.Y) == c {
				same++
			}
		}
		if same*100 < len(b.ink)*95 {
			return false, nil
		}
	}
	return true, nil
}

// differs is the smallest rectangle that holds all that differs.
func differs(a, b *image.RGBA) image.Rectangle {
	var r image.Rectangle
	bounds := a.Bounds()
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			if a.RGBAAt(x, y) != b.RGBAAt(x, y) {
				r = r.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	return r
}

// dominant is the most frequent colour of a part of a picture.
func dominant(img *image.RGBA, r image.Rectangle) color.RGBA {
	seen := map[color.RGBA]int{}
	var best color.RGBA
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			c := img.RGBAAt(x, y)
			if seen[c]++; seen[c] > seen[best] {
				best = c
			}
		}
	}
	return best
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
