package tray

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"

	"golang.org/x/image/vector"

	"aval/assets"
)

// badge is the sign in the corner of the icon. Each has a shape of its own, for
// whoever does not see its colour.
type badge int

const (
	badgeNone badge = iota
	badgeRecording
	badgePaused
)

// side is the icon's size in pixels; trays shrink it.
const side = 48

var (
	ring      = color.NRGBA{R: 0xFF, G: 0xFF, B: 0xFF, A: 0xFF}
	recording = color.NRGBA{R: 0xD9, G: 0x2D, B: 0x20, A: 0xFF}
	paused    = color.NRGBA{R: 0x8A, G: 0x5A, B: 0x00, A: 0xFF}
)

// icon draws the program's icon with a badge, as PNG.
func icon(b badge) []byte {
	base := assets.Icon(side)
	if b == badgeNone {
		return base
	}
	src, err := png.Decode(bytes.NewReader(base))
	if err != nil {
		return base // compiled in: its own test sees it first
	}
	dst := image.NewNRGBA(image.Rect(0, 0, side, side))
	draw.Draw(dst, dst.Bounds(), src, src.Bounds().Min, draw.Src)
	const x, y, r = 34, 34, 13
	disc(dst, x, y, r, ring)
	switch b {
	case badgeRecording:
		disc(dst, x, y, r-3, recording)
	case badgePaused:
		disc(dst, x, y, r-3, paused)
		for _, left := range []int{x - 5, x + 2} {
			draw.Draw(dst, image.Rect(left, y-5, left+3, y+5), image.NewUniform(ring), image.Point{}, draw.Src)
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, dst); err != nil {
		return base
	}
	return out.Bytes()
}

// disc fills a circle.
func disc(dst draw.Image, x, y, r float32, c color.NRGBA) {
	v := vector.NewRasterizer(dst.Bounds().Dx(), dst.Bounds().Dy())
	const k = 0.5523 // of the radius: the handles of a quarter circle
	v.MoveTo(x+r, y)
	v.CubeTo(x+r, y+k*r, x+k*r, y+r, x, y+r)
	v.CubeTo(x-k*r, y+r, x-r, y+k*r, x-r, y)
	v.CubeTo(x-r, y-k*r, x-k*r, y-r, x, y-r)
	v.CubeTo(x+k*r, y-r, x+r, y-k*r, x+r, y)
	v.ClosePath()
	v.Draw(dst, dst.Bounds(), image.NewUniform(c), image.Point{})
}
