package x11

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
)

// maxProperty is how much of a property is read, in bytes: far above every
// title that is kept, far below what a hostile client can set.
const maxProperty = 8 << 10

// property reads one property; nil when it is not set or w is gone.
func (c *Conn) property(w xproto.Window, name string) *xproto.GetPropertyReply {
	atom, err := c.Atom(name)
	if err != nil {
		return nil
	}
	r, err := xproto.GetProperty(c.X, false, w, atom, xproto.GetPropertyTypeAny, 0, maxProperty/4).Reply()
	if err != nil || r.Type == xproto.AtomNone {
		return nil
	}
	return r
}

// Text reads a text property in whichever encoding its type names: UTF8_STRING
// as such, STRING as Latin-1 (ICCCM 2.7.1). Other encodings give "" unless
// they are plain ASCII.
func (c *Conn) Text(w xproto.Window, name string) string {
	r := c.property(w, name)
	if r == nil || r.Format != 8 {
		return ""
	}
	utf8String, err := c.Atom("UTF8_STRING")
	if err != nil {
		return ""
	}
	return decode(r.Value, r.Type == utf8String, r.Type == xproto.AtomString)
}

// decode turns the bytes of a text property into a string.
func decode(b []byte, isUTF8, isLatin1 bool) string {
	switch {
	case isUTF8:
		return strings.ToValidUTF8(string(b), "")
	case isLatin1:
		// Many programs put UTF-8 here all the same; valid UTF-8 beyond
		// ASCII is hardly ever meant as Latin-1.
		if utf8.Valid(b) {
			return string(b)
		}
		var s strings.Builder
		for _, c := range b {
			s.WriteRune(rune(c))
		}
		return s.String()
	}
	for _, c := range b {
		if c >= 0x80 || c == 0x1b {
			return ""
		}
	}
	return string(b)
}

// Titles returns the window's titles, the one that is shown first:
// _NET_WM_NAME and WM_NAME, as far as they are set.
func (c *Conn) Titles(w xproto.Window) []string {
	var out []string
	for _, name := range []string{"_NET_WM_NAME", "WM_NAME"} {
		if s := c.Text(w, name); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// Class returns the class part of WM_CLASS, else its instance part: the name
// of the application as it names itself.
func (c *Conn) Class(w xproto.Window) string {
	r := c.property(w, "WM_CLASS")
	if r == nil || r.Format != 8 {
		return ""
	}
	parts := bytes.Split(bytes.TrimRight(r.Value, "\x00"), []byte{0})
	return decode(parts[len(parts)-1], false, true)
}

// Cardinal reads the first 32-bit value of a property.
func (c *Conn) Cardinal(w xproto.Window, name string) (uint32, bool) {
	r := c.property(w, name)
	if r == nil || r.Format != 32 || len(r.Value) < 4 {
		return 0, false
	}
	return xgb.Get32(r.Value), true
}

// HasAtom tells whether the list property name of w contains the atom value.
func (c *Conn) HasAtom(w xproto.Window, name, value string) bool {
	want, err := c.Atom(value)
	r := c.property(w, name)
	if err != nil || r == nil || r.Format != 32 {
		return false
	}
	for v := r.Value; len(v) >= 4; v = v[4:] {
		if xproto.Atom(xgb.Get32(v)) == want {
			return true
		}
	}
	return false
}

// atOnce is how many questions are sent before the first answer is read.
const atOnce = 100

// TitlesOf returns the titles of each of windows, as Titles does, in few round trips.
func (c *Conn) TitlesOf(windows []xproto.Window) ([][]string, error) {
	var atoms [2]xproto.Atom
	for i, name := range []string{"_NET_WM_NAME", "WM_NAME"} {
		a, err := c.Atom(name)
		if err != nil {
			return nil, err
		}
		atoms[i] = a
	}
	utf8String, err := c.Atom("UTF8_STRING")
	if err != nil {
		return nil, err
	}
	out := make([][]string, 0, len(windows))
	for len(windows) > 0 {
		batch := windows[:min(atOnce, len(windows))]
		windows = windows[len(batch):]
		cookies := make([]xproto.GetPropertyCookie, 0, 2*len(batch))
		for _, w := range batch {
			for _, a := range atoms {
				cookies = append(cookies, xproto.GetProperty(c.X, false, w, a, xproto.GetPropertyTypeAny, 0, maxProperty/4))
			}
		}
		for i := range batch {
			var titles []string
			for _, cookie := range cookies[2*i : 2*i+2] {
				r, err := cookie.Reply()
				if err != nil || r.Type == xproto.AtomNone || r.Format != 8 {
					continue // not set, or gone
				}
				if s := decode(r.Value, r.Type == utf8String, r.Type == xproto.AtomString); s != "" {
					titles = append(titles, s)
				}
			}
			out = append(out, titles)
		}
	}
	return out, c.Alive()
}
