package font

import (
	"encoding/binary"
	"errors"
	"io"
)

// aligned is one font of a file as a file of its own, whose tables begin at
// multiples of four as the standard wants it. The parser insists on that
// (golang.org/x/image/font/sfnt, errInvalidTableOffset), and some widespread
// collections do not keep to it (WenQuanYi Micro Hei 0.2.0-beta).
type aligned struct {
	file   io.ReaderAt
	head   []byte // the directory
	tables []table
	size   int64
}

// table is a piece of the file: at from there, at to here.
type table struct{ to, from, size int64 }

// maxTables is far above the number of tables that any font has.
const maxTables = 256

var errDirectory = errors.New("the font's directory cannot be read")

// newAligned reads the directory of font number index.
func newAligned(file io.ReaderAt, index int) (*aligned, error) {
	var head [directoryHead]byte
	if _, err := file.ReadAt(head[:], 0); err != nil {
		return nil, err
	}
	var at int64
	switch {
	case string(head[:4]) != "ttcf":
		if index != 0 {
			return nil, errDirectory
		}
	case index < 0 || int64(index) >= int64(binary.BigEndian.Uint32(head[8:])):
		return nil, errDirectory
	default:
		var place [4]byte
		if _, err := file.ReadAt(place[:], collectionHead+4*int64(index)); err != nil {
			return nil, err
		}
		at = int64(binary.BigEndian.Uint32(place[:]))
		if _, err := file.ReadAt(head[:], at); err != nil {
			return nil, err
		}
	}
	n := int(binary.BigEndian.Uint16(head[4:]))
	if n == 0 || n > maxTables {
		return nil, errDirectory
	}
	a := &aligned{file: file, head: make([]byte, directoryHead+directoryEntry*n)}
	if _, err := file.ReadAt(a.head, at); err != nil {
		return nil, err
	}
	a.size = int64(len(a.head))
	for e := a.head[directoryHead:]; len(e) > 0; e = e[directoryEntry:] {
		t := table{to: a.size, from: int64(binary.BigEndian.Uint32(e[8:])), size: int64(binary.BigEndian.Uint32(e[12:]))}
		binary.BigEndian.PutUint32(e[8:], uint32(t.to))
		a.tables = append(a.tables, t)
		a.size += (t.size + 3) &^ 3
		if a.size >= 1<<30 { // no place for it in the directory, or nearly
			return nil, errDirectory
		}
	}
	return a, nil
}

// ReadAt implements io.ReaderAt. Between the tables there are zeros.
func (a *aligned) ReadAt(p []byte, at int64) (int, error) {
	if at < 0 || at >= a.size {
		return 0, io.EOF
	}
	whole := len(p)
	p = p[:min(int64(len(p)), a.size-at)]
	clear(p)
	if at < int64(len(a.head)) {
		copy(p, a.head[at:])
	}
	for _, t := range a.tables {
		from, to := max(at, t.to), min(at+int64(len(p)), t.to+t.size)
		if from >= to {
			continue
		}
		if n, err := a.file.ReadAt(p[from-at:to-at], t.from+from-t.to); int64(n) < to-from {
			return 0, err
		}
	}
	if len(p) < whole {
		return len(p), io.EOF
	}
	return len(p), nil
}
