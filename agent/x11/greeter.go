package x11

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
)

// greeter puts the authorisation into the first bytes that xgb writes. xgb has
// no other way to bring a socket of one's own together with a cookie, and only
// with a socket of one's own can a connection to a hanging server be cut.
type greeter struct {
	net.Conn
	number string
	once   sync.Once
}

// greeting is the fixed part of the X connection setup, little endian, without
// authorisation (X11 protocol, chapter 8).
const greeting = 12

// Write replaces the setup request; everything after it passes unchanged.
func (g *greeter) Write(b []byte) (int, error) {
	first := false
	g.once.Do(func() { first = true })
	if !first {
		return g.Conn.Write(b)
	}
	if len(b) < greeting || b[0] != 'l' {
		return 0, errors.New("x11: the setup request is not as expected")
	}
	name, data := "", []byte(nil)
	if raw, err := os.ReadFile(authority()); err == nil {
		host, _ := os.Hostname()
		name, data = findCookie(raw, host, g.number)
	}
	setup := make([]byte, greeting, greeting+pad(len(name))+pad(len(data)))
	copy(setup, b[:6])
	binary.LittleEndian.PutUint16(setup[6:], uint16(len(name)))
	binary.LittleEndian.PutUint16(setup[8:], uint16(len(data)))
	setup = append(setup, name...)
	setup = append(setup, make([]byte, pad(len(name))-len(name))...)
	setup = append(setup, data...)
	setup = append(setup, make([]byte, pad(len(data))-len(data))...)
	if _, err := g.Conn.Write(setup); err != nil {
		return 0, err
	}
	return len(b), nil
}

func pad(n int) int { return (n + 3) &^ 3 }

func authority() string {
	if f := os.Getenv("XAUTHORITY"); f != "" {
		return f
	}
	return filepath.Join(os.Getenv("HOME"), ".Xauthority")
}

// Families of an authority entry (Xauth.h).
const (
	familyLocal = 256
	familyWild  = 65535
)

// findCookie looks for the MIT-MAGIC-COOKIE-1 of a local display in the bytes of
// an Xauthority file: entries of family, address, display number, name and
// data, each but the first with its length before it, big endian (XauFileName(3)).
func findCookie(raw []byte, host, number string) (name string, data []byte) {
	field := func() ([]byte, bool) {
		if len(raw) < 2 {
			return nil, false
		}
		n := int(binary.BigEndian.Uint16(raw))
		if len(raw) < 2+n {
			return nil, false
		}
		f := raw[2 : 2+n]
		raw = raw[2+n:]
		return f, true
	}
	for len(raw) >= 2 {
		family := binary.BigEndian.Uint16(raw)
		raw = raw[2:]
		var parts [4][]byte
		for i := range parts {
			f, ok := field()
			if !ok {
				return "", nil
			}
			parts[i] = f
		}
		address, display := string(parts[0]), string(parts[1])
		fits := family == familyWild || family == familyLocal && address == host
		if fits && (display == "" || display == number) && string(parts[2]) == "MIT-MAGIC-COOKIE-1" {
			return "MIT-MAGIC-COOKIE-1", parts[3]
		}
	}
	return "", nil
}
