package evidence

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"strings"
)

// Numbers of the X11 protocol (X11R7.7, appendix B) and of XInput 2.2
// (XI2proto.txt, XI2.h).
const (
	opInternAtom     = 16
	opGetInputFocus  = 43
	opQueryExtension = 98

	xiQueryPointer = 40
	xiSelectEvents = 46
	xiQueryVersion = 47
	xiQueryDevice  = 48
	xiGetProperty  = 59

	xiAllDevices       = 0
	xiAllMasterDevices = 1

	evHierarchyChanged = 11
	evRawKeyPress      = 13
	evRawButtonPress   = 15
	evRawMotion        = 17

	useMasterPointer  = 1
	useMasterKeyboard = 2

	msgError        = 0
	msgReply        = 1
	msgGenericEvent = 35
	msgSent         = 0x80 // set by SendEvent

	flagKeyRepeat = 1 << 16
)

// maxMessage bounds one message of the server, in bytes; a device list of
// hundreds of devices stays far below it.
const maxMessage = 1 << 20

var errShort = errors.New("a message of the X server is too short")

var le = binary.LittleEndian

func pad4(n int) int { return (n + 3) &^ 3 }

// setupRequest asks for protocol 11.0, little endian.
func setupRequest() []byte { return []byte{'l', 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0} }

// request puts a head before body, whose length is brought to whole units.
func request(op, minor byte, body ...byte) []byte {
	n := 4 + pad4(len(body))
	b := make([]byte, 4, n)
	b[0], b[1] = op, minor
	le.PutUint16(b[2:], uint16(n/4))
	return append(b, body...)[:n]
}

func words(v ...uint16) []byte {
	var b []byte
	for _, w := range v {
		b = le.AppendUint16(b, w)
	}
	return b
}

func named(op byte, name string) []byte {
	return request(op, 0, append(words(uint16(len(name)), 0), name...)...)
}

func selectEvents(major byte, root uint32) []byte {
	b := le.AppendUint32(nil, root)
	b = append(b, words(2, 0)...)
	b = append(b, words(xiAllDevices, 1)...)
	b = le.AppendUint32(b, 1<<evHierarchyChanged)
	// Of the master devices, each press comes once, with its source.
	b = append(b, words(xiAllMasterDevices, 1)...)
	b = le.AppendUint32(b, 1<<evRawKeyPress|1<<evRawButtonPress|1<<evRawMotion)
	return request(major, xiSelectEvents, b...)
}

func queryPointer(major byte, root uint32, device uint16) []byte {
	return request(major, xiQueryPointer, append(le.AppendUint32(nil, root), words(device, 0)...)...)
}

// maxValue is how much of a property is asked for, in units of four bytes.
const maxValue = 64

func getProperty(major byte, device uint16, atom uint32) []byte {
	b := words(device, 0)
	for _, v := range []uint32{atom, 0, 0, maxValue} {
		b = le.AppendUint32(b, v)
	}
	return request(major, xiGetProperty, b...)
}

// readSetup reads the server's answer to the setup request and returns the
// root window of a screen and its size in pixels.
func readSetup(r io.Reader, screen int) (root uint32, size image.Point, err error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, size, fmt.Errorf("read the X server's greeting: %w", err)
	}
	body := make([]byte, 4*int(le.Uint16(head[6:])))
	if _, err := io.ReadFull(r, body); err != nil {
		return 0, size, fmt.Errorf("read the X server's greeting: %w", err)
	}
	if head[0] != 1 {
		return 0, size, errors.New("the X server refused the connection")
	}
	if len(body) < 32 {
		return 0, size, errShort
	}
	screens := int(body[20])
	skip := 32 + pad4(int(le.Uint16(body[16:]))) + 8*int(body[21])
	if skip > len(body) {
		return 0, size, errShort
	}
	b := body[skip:]
	for i := range screens {
		if len(b) < 40 {
			return 0, size, errShort
		}
		root := le.Uint32(b)
		wide, high := int(le.Uint16(b[20:])), int(le.Uint16(b[22:]))
		depths := int(b[39])
		b = b[40:]
		if i == screen {
			return root, image.Pt(wide, high), nil
		}
		for range depths {
			if len(b) < 8 {
				return 0, size, errShort
			}
			n := 8 + 24*int(le.Uint16(b[2:]))
			if len(b) < n {
				return 0, size, errShort
			}
			b = b[n:]
		}
	}
	return 0, size, fmt.Errorf("the X server has %d screens", screens)
}

// readMessage reads one reply, error or event; it has 32 bytes at least.
func readMessage(r io.Reader) ([]byte, error) {
	msg := make([]byte, 32)
	if _, err := io.ReadFull(r, msg); err != nil {
		return nil, fmt.Errorf("read from the X server: %w", err)
	}
	if t := msg[0] &^ msgSent; t != msgReply && t != msgGenericEvent {
		return msg, nil
	}
	n := le.Uint32(msg[4:])
	if n > (maxMessage-32)/4 {
		return nil, fmt.Errorf("read from the X server: a message of %d units", n)
	}
	msg = append(msg, make([]byte, 4*n)...)
	if _, err := io.ReadFull(r, msg[32:]); err != nil {
		return nil, fmt.Errorf("read from the X server: %w", err)
	}
	return msg, nil
}

// info is what the server says of one device.
type info struct {
	id, use, attachment uint16
	name                string
	axes                [2]axis // x and y
}

// axis is the range of one coordinate of a device, where it has one: max is then
// above min.
type axis struct{ min, max float64 }

// parseDevices reads the reply to XIQueryDevice.
func parseDevices(msg []byte) ([]info, error) {
	if len(msg) < 32 {
		return nil, errShort
	}
	var out []info
	b := msg[32:]
	for range le.Uint16(msg[8:]) {
		if len(b) < 12 {
			return nil, errShort
		}
		d := info{id: le.Uint16(b), use: le.Uint16(b[2:]), attachment: le.Uint16(b[4:])}
		classes, n := int(le.Uint16(b[6:])), int(le.Uint16(b[8:]))
		if len(b) < 12+pad4(n) {
			return nil, errShort
		}
		d.name = strings.Clone(string(b[12 : 12+n]))
		b = b[12+pad4(n):]
		for range classes {
			if len(b) < 4 {
				return nil, errShort
			}
			n := 4 * int(le.Uint16(b[2:]))
			if n < 4 || len(b) < n {
				return nil, errShort
			}
			d.class(b[:n])
			b = b[n:]
		}
		out = append(out, d)
	}
	if len(b) != 0 {
		return nil, errors.New("a device list of the X server is too long")
	}
	return out, nil
}

// class takes in what one class of a device says of x or y (XIValuatorClass).
func (d *info) class(b []byte) {
	const valuator = 2
	if len(b) < 44 || le.Uint16(b) != valuator {
		return
	}
	if n := le.Uint16(b[6:]); n < 2 {
		d.axes[n] = axis{min: fixed(b[12:]), max: fixed(b[20:])}
	}
}

// fixed reads a number with 32 bits after the point (FP3232).
func fixed(b []byte) float64 {
	return float64(int32(le.Uint32(b))) + float64(le.Uint32(b[4:]))/(1<<32)
}

// parseProperty reads the reply to XIGetProperty: a value of bytes, and whether
// the property is set at all.
func parseProperty(msg []byte) (value []byte, set bool, err error) {
	if len(msg) < 32 {
		return nil, false, errShort
	}
	if le.Uint32(msg[8:]) == 0 {
		return nil, false, nil
	}
	n := le.Uint32(msg[16:])
	if msg[20] != 8 || le.Uint32(msg[12:]) != 0 || n > 4*maxValue {
		return nil, true, nil // set, but not what we look for
	}
	if len(msg) < 32+int(n) {
		return nil, false, errShort
	}
	return msg[32 : 32+n], true, nil
}

// parsePointer reads the place from the reply to XIQueryPointer; it is in
// pixels with 16 bits after the point.
func parsePointer(msg []byte) (image.Point, error) {
	if len(msg) < 56 {
		return image.Point{}, errShort
	}
	return image.Pt(int(int32(le.Uint32(msg[16:]))>>16), int(int32(le.Uint32(msg[20:]))>>16)), nil
}

// raw is the part of a raw event that is looked at.
type raw struct {
	kind, master, source uint16
	time, detail, flags  uint32
	// way is what the device told of x and y, after the server's own acceleration
	// and transformation; told is set for those that it named.
	way  [2]float64
	told [2]bool
}

func parseRaw(msg []byte) (raw, error) {
	if len(msg) < 32 {
		return raw{}, errShort
	}
	e := raw{
		kind: le.Uint16(msg[8:]), master: le.Uint16(msg[10:]), time: le.Uint32(msg[12:]),
		detail: le.Uint32(msg[16:]), source: le.Uint16(msg[20:]), flags: le.Uint32(msg[24:]),
	}
	if e.kind != evRawMotion {
		return e, nil
	}
	// A mask of the axes, then a value for each of them: x and y are the first two.
	mask := 4 * int(le.Uint16(msg[22:]))
	if mask == 0 {
		return e, nil
	}
	if len(msg) < 32+mask {
		return raw{}, errShort
	}
	rest := msg[32+mask:]
	for i := range e.told {
		if e.told[i] = msg[32]>>i&1 == 1; !e.told[i] {
			continue
		}
		if len(rest) < 8 {
			return raw{}, errShort
		}
		e.way[i], rest = fixed(rest), rest[8:]
	}
	return e, nil
}
