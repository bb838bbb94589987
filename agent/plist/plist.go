// Package plist reads property lists, the files in which macOS keeps settings and
// records.
//
// The one rule that must not be broken: a list is read whole or not at all; nothing
// in it is guessed, and nothing of it can take more than bounded time and memory.
package plist

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// Limits of a property list, against ones that refer to themselves.
const (
	maxDepth = 8
	// MaxNodes is how many values one may have.
	MaxNodes = 20_000
)

// ErrFormat is what a property list that breaks its format is refused with.
var ErrFormat = errors.New("is no property list that can be read")

// Kinds says which values a property list may hold.
type Kinds bool

const (
	// Plain: texts, whole numbers, truths, arrays and dictionaries.
	Plain Kinds = false
	// Dates: those and dates.
	Dates Kinds = true
)

// Decode reads a property list, XML ("PropertyList-1.0.dtd") or binary ("bplist00",
// as CFBinaryPList.c writes it): string, int64, bool, []any, map[string]any and,
// where they are asked for, time.Time. Anything else, a key twice, and anything
// that is left over is an error.
func Decode(raw []byte, k Kinds) (any, error) {
	if bytes.HasPrefix(raw, []byte("bplist")) {
		return decodeBinary(raw, k)
	}
	return decodeXML(raw, k)
}

func broken(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
}

// xmlReader reads the elements of an XML property list.
type xmlReader struct {
	d     *xml.Decoder
	kinds Kinds
	nodes int
}

func decodeXML(raw []byte, k Kinds) (any, error) {
	if !utf8.Valid(raw) {
		return nil, broken("it is not text in UTF-8")
	}
	r := &xmlReader{d: xml.NewDecoder(bytes.NewReader(raw)), kinds: k}
	root, err := r.next()
	if err != nil {
		return nil, broken("it has no root")
	}
	s, ok := root.(xml.StartElement)
	if !ok || s.Name.Local != "plist" {
		return nil, broken("its root is no plist")
	}
	first, err := r.next()
	if err != nil {
		return nil, broken("it has no value")
	}
	v, err := r.value(first, 0)
	if err != nil {
		return nil, err
	}
	if end, err := r.next(); err != nil || end != (xml.EndElement{Name: s.Name}) {
		return nil, broken("something stands after its value")
	}
	if _, err := r.next(); !errors.Is(err, io.EOF) {
		return nil, broken("something stands after its end")
	}
	return v, nil
}

// next is the next element's begin or end. Text between elements must be blank.
func (r *xmlReader) next() (xml.Token, error) {
	for {
		t, err := r.d.Token()
		if errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		if err != nil {
			return nil, broken("%q", err.Error())
		}
		switch t := t.(type) {
		case xml.StartElement:
			if r.nodes++; r.nodes > MaxNodes {
				return nil, broken("it has too many elements")
			}
			return t, nil
		case xml.EndElement:
			return t, nil
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return nil, broken("text stands between its elements")
			}
		}
	}
}

// text reads up to the end of an element that holds text alone.
func (r *xmlReader) text() (string, error) {
	var b strings.Builder
	for {
		t, err := r.d.Token()
		if err != nil {
			return "", broken("%q", err.Error())
		}
		switch t := t.(type) {
		case xml.CharData:
			b.Write(t)
		case xml.EndElement:
			return b.String(), nil
		case xml.Comment:
		default:
			return "", broken("a text holds an element")
		}
	}
}

func (r *xmlReader) value(t xml.Token, depth int) (any, error) {
	s, ok := t.(xml.StartElement)
	if !ok {
		return nil, broken("a value is missing")
	}
	if depth > maxDepth {
		return nil, broken("it is nested too deeply")
	}
	switch s.Name.Local {
	case "string":
		return r.text()
	case "integer":
		text, err := r.text()
		if err != nil {
			return nil, err
		}
		n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		if err != nil {
			return nil, broken("%q is no whole number", text)
		}
		return n, nil
	case "true", "false":
		if text, err := r.text(); err != nil || strings.TrimSpace(text) != "" {
			return nil, broken("%s holds something", s.Name.Local)
		}
		return s.Name.Local == "true", nil
	case "date":
		if r.kinds != Dates {
			break
		}
		text, err := r.text()
		if err != nil {
			return nil, err
		}
		at, err := time.Parse(time.RFC3339, strings.TrimSpace(text))
		if err != nil {
			return nil, broken("%.40q is no date", text)
		}
		return at, nil
	case "array":
		list := []any{}
		for {
			t, err := r.next()
			if err != nil {
				return nil, err
			}
			if _, end := t.(xml.EndElement); end {
				return list, nil
			}
			v, err := r.value(t, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
	case "dict":
		return r.dict(depth)
	}
	return nil, broken("a value of type %.20q is not known", s.Name.Local)
}

func (r *xmlReader) dict(depth int) (any, error) {
	out := map[string]any{}
	for {
		t, err := r.next()
		if err != nil {
			return nil, err
		}
		s, begins := t.(xml.StartElement)
		if !begins {
			return out, nil
		}
		if s.Name.Local != "key" {
			return nil, broken("a value has no key")
		}
		k, err := r.text()
		if err != nil {
			return nil, err
		}
		if _, twice := out[k]; twice {
			return nil, broken("key %.60q stands there twice", k)
		}
		if t, err = r.next(); err != nil {
			return nil, err
		}
		if out[k], err = r.value(t, depth+1); err != nil {
			return nil, err
		}
	}
}

// binaryReader reads the objects of a binary property list.
type binaryReader struct {
	raw     []byte
	objects []int // where each begins
	refSize int
	kinds   Kinds
	nodes   int
}

const (
	epoch2001     = 978307200 // 2001-01-01, in seconds since 1970
	bplistHeader  = "bplist00"
	bplistTrailer = 32
)

func decodeBinary(raw []byte, k Kinds) (any, error) {
	if !bytes.HasPrefix(raw, []byte(bplistHeader)) || len(raw) < len(bplistHeader)+bplistTrailer {
		return nil, broken("it is cut off or of another version")
	}
	// Trailer: 5 bytes unused, 1 sort version, sizes of an offset and of a
	// reference, then number of objects, the top one, and where the offsets are.
	t := raw[len(raw)-bplistTrailer:]
	offSize, refSize := int(t[6]), int(t[7])
	count, top, table := binary.BigEndian.Uint64(t[8:]), binary.BigEndian.Uint64(t[16:]), binary.BigEndian.Uint64(t[24:])
	end := uint64(len(raw) - bplistTrailer)
	switch {
	case offSize < 1 || offSize > 8 || refSize < 1 || refSize > 8:
		return nil, broken("its trailer is damaged")
	case count == 0 || count > MaxNodes || top >= count || table < uint64(len(bplistHeader)) || table > end || count*uint64(offSize) != end-table:
		return nil, broken("its trailer is damaged")
	}
	r := &binaryReader{raw: raw[:table], refSize: refSize, kinds: k}
	for i := range int(count) {
		at := bigEndian(raw[int(table)+i*offSize:][:offSize])
		if at < uint64(len(bplistHeader)) || at >= table {
			return nil, broken("an object lies outside of it")
		}
		r.objects = append(r.objects, int(at))
	}
	return r.value(top, 0)
}

// bigEndian reads up to 8 bytes.
func bigEndian(b []byte) (n uint64) {
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n
}

// take cuts n bytes off at, or fails.
func (r *binaryReader) take(at, n int) ([]byte, error) {
	if n < 0 || at < 0 || at > len(r.raw) || n > len(r.raw)-at {
		return nil, broken("an object is cut off")
	}
	return r.raw[at : at+n], nil
}

// length reads the length of the object whose marker is at, and where it goes on.
func (r *binaryReader) length(at int) (n, next int, err error) {
	n = int(r.raw[at] & 0x0f)
	if n != 0x0f {
		return n, at + 1, nil
	}
	m, err := r.take(at+1, 1)
	if err != nil {
		return 0, 0, err
	}
	if m[0]>>4 != 1 || m[0]&0x0f > 3 {
		return 0, 0, broken("a length is no number")
	}
	size := 1 << (m[0] & 0x0f)
	b, err := r.take(at+2, size)
	if err != nil {
		return 0, 0, err
	}
	big := bigEndian(b)
	if big > uint64(len(r.raw)) {
		return 0, 0, broken("an object is cut off")
	}
	return int(big), at + 2 + size, nil
}

func (r *binaryReader) value(ref uint64, depth int) (any, error) {
	if r.nodes++; r.nodes > MaxNodes || depth > maxDepth {
		return nil, broken("it is nested too deeply or too large")
	}
	if ref >= uint64(len(r.objects)) {
		return nil, broken("an object is missing")
	}
	at := r.objects[ref]
	switch marker := r.raw[at]; marker >> 4 {
	case 0x0:
		switch marker {
		case 0x08:
			return false, nil
		case 0x09:
			return true, nil
		}
	case 0x1:
		if marker&0x0f > 3 {
			break
		}
		b, err := r.take(at+1, 1<<(marker&0x0f))
		if err != nil {
			return nil, err
		}
		return int64(bigEndian(b)), nil // 8 bytes are signed, fewer are not
	case 0x3: // seconds since 2001 as a floating-point number
		if marker != 0x33 || r.kinds != Dates {
			break
		}
		b, err := r.take(at+1, 8)
		if err != nil {
			return nil, err
		}
		s := math.Float64frombits(bigEndian(b))
		if math.IsNaN(s) || math.Abs(s) > 1e10 {
			return nil, broken("a date is out of all time")
		}
		return time.Unix(epoch2001+int64(s), 0).UTC(), nil
	case 0x5, 0x6:
		return r.text(at)
	case 0xa:
		refs, err := r.refs(at, 1)
		if err != nil {
			return nil, err
		}
		list := []any{}
		for _, ref := range refs {
			v, err := r.value(ref, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	case 0xd:
		refs, err := r.refs(at, 2)
		if err != nil {
			return nil, err
		}
		return r.dict(refs, depth)
	}
	return nil, broken("a value of type 0x%02x is not known", r.raw[at])
}

// text reads a text: ASCII, or UTF-16 with the length in units.
func (r *binaryReader) text(at int) (any, error) {
	n, next, err := r.length(at)
	if err != nil {
		return nil, err
	}
	if r.raw[at]>>4 == 5 {
		b, err := r.take(next, n)
		if err != nil {
			return nil, err
		}
		if bytes.ContainsFunc(b, func(c rune) bool { return c >= utf8.RuneSelf }) {
			return nil, broken("a text is not ASCII")
		}
		return string(b), nil
	}
	b, err := r.take(next, 2*n)
	if err != nil {
		return nil, err
	}
	units := make([]uint16, n)
	for i := range units {
		units[i] = binary.BigEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units)), nil
}

// refs reads the references of an array, or of a dictionary: keys, then values.
func (r *binaryReader) refs(at, times int) ([]uint64, error) {
	n, next, err := r.length(at)
	if err != nil {
		return nil, err
	}
	b, err := r.take(next, n*times*r.refSize)
	if err != nil {
		return nil, err
	}
	refs := make([]uint64, n*times)
	for i := range refs {
		refs[i] = bigEndian(b[i*r.refSize:][:r.refSize])
	}
	return refs, nil
}

func (r *binaryReader) dict(refs []uint64, depth int) (any, error) {
	out := map[string]any{}
	n := len(refs) / 2
	for i := range n {
		k, err := r.value(refs[i], depth+1)
		if err != nil {
			return nil, err
		}
		key, ok := k.(string)
		if !ok {
			return nil, broken("a key is no text")
		}
		if _, twice := out[key]; twice {
			return nil, broken("key %.60q stands there twice", key)
		}
		if out[key], err = r.value(refs[n+i], depth+1); err != nil {
			return nil, err
		}
	}
	return out, nil
}
