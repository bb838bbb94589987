package indicator

import (
	"errors"
	"fmt"
	"image"
	"io"
	"log"
	"strconv"
	"strings"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/randr"
	"github.com/jezek/xgb/shape"
	"github.com/jezek/xgb/xproto"
)

// xgb writes what it finds odd to standard error by default.
func init() { xgb.Logger = log.New(io.Discard, "", 0) }

// screen is an X display: its monitors, its scale, how its pixels are laid out, and
// the bar's window on it.
type screen struct {
	x       *xgb.Conn
	info    *xproto.ScreenInfo
	format  pixels
	chunk   int // the most bytes of an image in one request
	randr   bool
	shape   bool
	atoms   map[string]xproto.Atom
	display string

	win  xproto.Window // the bar's; 0: there is none
	gc   xproto.Gcontext
	size image.Point
	buf  []byte
}

// Open connects to the display. It shows nothing until Show.
func Open(o Options) (Indicator, error) {
	if o.Type == "wayland" {
		return nil, fmt.Errorf("%w: under Wayland no program can tell that its window is in front", ErrUnavailable)
	}
	s, err := openScreen(o.Display)
	if err != nil {
		return nil, err
	}
	return start(s, o), nil
}

func openScreen(display string) (*screen, error) {
	x, err := xgb.NewConnDisplay(display)
	if err != nil {
		return nil, fmt.Errorf("open display %q: %w", display, err)
	}
	setup := xproto.Setup(x)
	s := &screen{
		x: x, info: setup.DefaultScreen(x), atoms: map[string]xproto.Atom{}, display: display,
		chunk: int(setup.MaximumRequestLength)*4 - 64,
	}
	if s.format, err = pixelsOf(setup, s.info); err != nil {
		x.Close()
		return nil, err
	}
	s.randr = s.extension("RANDR")
	s.shape = s.extension("SHAPE")
	return s, nil
}

// extension enables an extension by its opcode alone. xgb's own Init also
// enters the extension's events in tables that are global and without a lock,
// while the readers of other connections look things up in them.
func (s *screen) extension(name string) bool {
	r, err := xproto.QueryExtension(s.x, uint16(len(name)), name).Reply()
	if err != nil || !r.Present {
		return false
	}
	s.x.ExtLock.Lock()
	s.x.Extensions[name] = r.MajorOpcode
	s.x.ExtLock.Unlock()
	return true
}

func (s *screen) atom(name string) xproto.Atom {
	if a, ok := s.atoms[name]; ok {
		return a
	}
	r, err := xproto.InternAtom(s.x, false, uint16(len(name)), name).Reply()
	if err != nil {
		return xproto.AtomNone
	}
	s.atoms[name] = r.Atom
	return r.Atom
}

// whole is the rectangle of the whole screen as it is now.
func (s *screen) whole() image.Rectangle {
	g, err := xproto.GetGeometry(s.x, xproto.Drawable(s.info.Root)).Reply()
	if err != nil {
		return image.Rect(0, 0, int(s.info.WidthInPixels), int(s.info.HeightInPixels))
	}
	return image.Rect(0, 0, int(g.Width), int(g.Height))
}

// monitors lists the monitors, the primary one first, and the size of that one
// in millimetres where it is known. Without RandR the screen is one monitor.
func (s *screen) monitors() (all []image.Rectangle, millimetres int) {
	whole := s.whole()
	if s.randr {
		if v, err := randr.QueryVersion(s.x, 1, 5).Reply(); err == nil && (v.MajorVersion > 1 || v.MinorVersion >= 5) {
			if r, err := randr.GetMonitors(s.x, s.info.Root, true).Reply(); err == nil {
				for _, m := range r.Monitors {
					rect := image.Rect(int(m.X), int(m.Y), int(m.X)+int(m.Width), int(m.Y)+int(m.Height)).Intersect(whole)
					switch {
					case rect.Empty():
					case m.Primary || len(all) == 0:
						all = append([]image.Rectangle{rect}, all...)
						millimetres = int(m.WidthInMillimeters)
					default:
						all = append(all, rect)
					}
				}
			}
		}
	}
	if len(all) == 0 {
		return []image.Rectangle{whole}, int(s.info.WidthInMillimeters)
	}
	return all, millimetres
}

// inUse is the monitor that the person works on: that of the active window
// (EWMH 1.5, _NET_ACTIVE_WINDOW), else that of the pointer, else the first.
func (s *screen) inUse(monitors []image.Rectangle) image.Rectangle {
	if len(monitors) == 1 {
		return monitors[0]
	}
	if r, ok := s.active(); ok && !r.Intersect(s.whole()).Empty() {
		return monitorAt(monitors, r)
	}
	p := s.pointer()
	return monitorAt(monitors, image.Rectangle{Min: p, Max: p.Add(image.Pt(1, 1))})
}

// active is the rectangle of the active window.
func (s *screen) active() (image.Rectangle, bool) {
	r, err := xproto.GetProperty(s.x, false, s.info.Root, s.atom("_NET_ACTIVE_WINDOW"), xproto.AtomWindow, 0, 1).Reply()
	if err != nil || len(r.Value) != 4 {
		return image.Rectangle{}, false
	}
	w := xproto.Window(xgb.Get32(r.Value))
	if w == xproto.WindowNone {
		return image.Rectangle{}, false
	}
	g, err1 := xproto.GetGeometry(s.x, xproto.Drawable(w)).Reply()
	at, err2 := xproto.TranslateCoordinates(s.x, w, s.info.Root, 0, 0).Reply()
	if err1 != nil || err2 != nil {
		return image.Rectangle{}, false
	}
	return image.Rect(int(at.DstX), int(at.DstY), int(at.DstX)+int(g.Width), int(at.DstY)+int(g.Height)), true
}

// scale is the scale that the desktop asks for.
func (s *screen) scale() float64 {
	monitors, mm := s.monitors()
	return scaleFor(s.xftDPI(), monitors[0].Dx(), mm)
}

// xftDPI reads Xft.dpi from the resources of the root window; 0: not set.
func (s *screen) xftDPI() float64 {
	r, err := xproto.GetProperty(s.x, false, s.info.Root, xproto.AtomResourceManager, xproto.AtomString, 0, 16<<10).Reply()
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(r.Value)) {
		name, value, _ := strings.Cut(line, ":")
		if strings.TrimSpace(name) == "Xft.dpi" {
			dpi, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err == nil && dpi > 0 && dpi < 1000 {
				return dpi
			}
		}
	}
	return 0
}

func (s *screen) pointer() image.Point {
	p, err := xproto.QueryPointer(s.x, s.info.Root).Reply()
	if err != nil {
		return image.Pt(-1, -1)
	}
	return image.Pt(int(p.RootX), int(p.RootY))
}

// above lists the windows that are over the bar on the screen, where they can be seen.
func (s *screen) above() ([]image.Rectangle, error) {
	tree, err := xproto.QueryTree(s.x, s.info.Root).Reply()
	if err != nil {
		return nil, err
	}
	at := -1
	for i, c := range tree.Children { // from the bottom to the top
		if c == s.win {
			at = i
		}
	}
	if at < 0 {
		return nil, errors.New("the window is not on the screen")
	}
	over := tree.Children[at+1:]
	attributes := make([]xproto.GetWindowAttributesCookie, len(over))
	geometries := make([]xproto.GetGeometryCookie, len(over))
	for i, c := range over {
		attributes[i] = xproto.GetWindowAttributes(s.x, c)
		geometries[i] = xproto.GetGeometry(s.x, xproto.Drawable(c))
	}
	var out []image.Rectangle
	for i := range over {
		a, err1 := attributes[i].Reply()
		g, err2 := geometries[i].Reply()
		if err1 != nil || err2 != nil || a.MapState != xproto.MapStateViewable || a.Class != xproto.WindowClassInputOutput {
			continue
		}
		b := 2 * int(g.BorderWidth)
		out = append(out, image.Rect(int(g.X), int(g.Y), int(g.X)+int(g.Width)+b, int(g.Y)+int(g.Height)+b))
	}
	return out, nil
}

// setShape gives a window its outline; without the extension it stays square.
func (s *screen) setShape(w xproto.Window, outline []image.Rectangle) {
	if !s.shape {
		return
	}
	rects := make([]xproto.Rectangle, len(outline))
	for i, r := range outline {
		rects[i] = xproto.Rectangle{X: int16(r.Min.X), Y: int16(r.Min.Y), Width: uint16(r.Dx()), Height: uint16(r.Dy())}
	}
	shape.Rectangles(s.x, shape.SoSet, shape.SkBounding, xproto.ClipOrderingUnsorted, w, 0, 0, rects)
}

// pixels is how the server wants the pixels of an image.
type pixels struct {
	depth            byte
	bytes            int // of one pixel: 2 or 4
	pad              int // a line is a multiple of so many bytes
	big              bool
	red, green, blue uint32
}

// pixelsOf reads it from the connection's setup. Only true colour is drawn on:
// displays with a colour table have been gone for decades.
func pixelsOf(setup *xproto.SetupInfo, info *xproto.ScreenInfo) (pixels, error) {
	p := pixels{depth: info.RootDepth, big: setup.ImageByteOrder == xproto.ImageOrderMSBFirst}
	for _, f := range setup.PixmapFormats {
		if f.Depth == p.depth {
			p.bytes, p.pad = int(f.BitsPerPixel)/8, int(f.ScanlinePad)/8
		}
	}
	for _, d := range info.AllowedDepths {
		for _, v := range d.Visuals {
			if v.VisualId == info.RootVisual && v.Class == xproto.VisualClassTrueColor {
				p.red, p.green, p.blue = v.RedMask, v.GreenMask, v.BlueMask
			}
		}
	}
	if p.red == 0 || p.pad == 0 || p.bytes != 2 && p.bytes != 4 {
		return p, fmt.Errorf("%w: the display has %d colour bits in a layout that is not true colour", ErrUnavailable, p.depth)
	}
	return p, nil
}

func (p pixels) stride(width int) int { return (width*p.bytes + p.pad - 1) / p.pad * p.pad }

// convert writes the lines from y0 to y1 of img, size.X wide, into buf.
func (p pixels) convert(buf []byte, img *image.RGBA, width, y0, y1 int) []byte {
	stride := p.stride(width)
	if n := stride * (y1 - y0); cap(buf) < n {
		buf = make([]byte, n)
	} else {
		buf = buf[:n]
	}
	for y := y0; y < y1; y++ {
		src := img.Pix[y*img.Stride : y*img.Stride+4*width]
		dst := buf[(y-y0)*stride:]
		for x := range width {
			v := scaled(src[4*x], p.red) | scaled(src[4*x+1], p.green) | scaled(src[4*x+2], p.blue)
			for i := range p.bytes {
				at := x*p.bytes + i
				if p.big {
					at = x*p.bytes + p.bytes - 1 - i
				}
				dst[at] = byte(v >> (8 * i))
			}
		}
	}
	return buf
}

// scaled puts an 8-bit value into the bits of mask.
func scaled(v byte, mask uint32) uint32 {
	low := mask & -mask
	if low == 0 {
		return 0
	}
	return uint32(uint64(v)*uint64(mask/low)/255) * low
}
