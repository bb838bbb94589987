package rig

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"

	"github.com/jezek/xgb/xproto"
)

// Picture takes a picture of the whole display.
func (d *Display) Picture() (*image.RGBA, error) {
	return d.part(image.Rect(0, 0, d.Width, d.Height))
}

// Part takes a picture of r, in the coordinates of the root window; the picture
// keeps these coordinates.
func (d *Display) Part(r image.Rectangle) (*image.RGBA, error) {
	return d.part(r.Intersect(image.Rect(0, 0, d.Width, d.Height)))
}

func (d *Display) part(r image.Rectangle) (*image.RGBA, error) {
	if d.depth != 24 && d.depth != 32 {
		return nil, fmt.Errorf("take picture of %s: depth %d is not supported", d.Name, d.depth)
	}
	img := image.NewRGBA(r)
	// In strips: a reply may hold what the server's largest request does.
	const strip = 64
	for y := r.Min.Y; y < r.Max.Y; y += strip {
		h := min(strip, r.Max.Y-y)
		rep, err := xproto.GetImage(d.conn, xproto.ImageFormatZPixmap, xproto.Drawable(d.root),
			int16(r.Min.X), int16(y), uint16(r.Dx()), uint16(h), 0xffffffff).Reply()
		if err != nil {
			return nil, fmt.Errorf("take picture of %s: %w", d.Name, err)
		}
		for i := 0; i+3 < len(rep.Data); i += 4 { // BGRX on little-endian servers
			o := img.PixOffset(r.Min.X, y) + i
			img.Pix[o], img.Pix[o+1], img.Pix[o+2], img.Pix[o+3] = rep.Data[i+2], rep.Data[i+1], rep.Data[i], 255
		}
	}
	return img, nil
}

// SavePicture takes a picture of the display into a PNG file.
func (d *Display) SavePicture(path string) error {
	img, err := d.Picture()
	if err != nil {
		return err
	}
	return SavePNG(path, img)
}

// SavePNG writes img, making the folder.
func SavePNG(path string, img image.Image) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := png.Encode(f, img); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// Colours counts the different colours of img, at most limit.
func Colours(img *image.RGBA, limit int) int {
	seen := map[color.RGBA]bool{}
	b := img.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y += 2 {
		for x := b.Min.X; x < b.Max.X; x += 2 {
			seen[img.RGBAAt(x, y)] = true
			if len(seen) >= limit {
				return limit
			}
		}
	}
	return len(seen)
}
