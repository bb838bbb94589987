package font

import (
	"encoding/binary"
	"fmt"
)

// The layout of font files, OpenType 1.9.1, "Organization of an OpenType font":
// a font begins with a directory of 12 bytes and 16 for each table; a collection
// with a header that says where the directories of its fonts are. Places in a
// directory count from the beginning of the file in both.
const (
	directoryHead  = 12
	directoryEntry = 16
	collectionHead = 12
)

// Bytes is the face as a font file of its own, for a toolkit that knows no
// collections. The pages are the system's own copy of the file, read when they
// are touched; the bytes must not be changed.
func (f *Face) Bytes() ([]byte, error) {
	f.once.Do(func() {
		f.whole, f.err = mapped(f.file, f.size)
		if f.err == nil {
			f.err = single(f.whole, f.Index)
		}
		if f.err != nil {
			f.err = fmt.Errorf("read font %s: %w", f.Path, f.err)
		}
	})
	return f.whole, f.err
}

// single turns a collection in memory into its font number index: that one's
// directory is written over the collection's header. The tables stay where they
// are. A file that is no collection is left as it is.
func single(file []byte, index int) error {
	u32 := func(at int) int { return int(binary.BigEndian.Uint32(file[at:])) }
	if len(file) < collectionHead {
		return errDirectory
	}
	if string(file[:4]) != "ttcf" {
		return nil
	}
	if index < 0 || index >= u32(8) || len(file) < collectionHead+4*(index+1) {
		return errDirectory
	}
	from := u32(collectionHead + 4*index)
	if from < 0 || from+directoryHead > len(file) {
		return errDirectory
	}
	size := directoryHead + directoryEntry*int(binary.BigEndian.Uint16(file[from+4:]))
	if from+size > len(file) {
		return errDirectory
	}
	for at := from + directoryHead; at < from+size; at += directoryEntry {
		if u32(at+8) < size { // a table where the directory is to go
			return errDirectory
		}
	}
	copy(file, file[from:from+size])
	return nil
}
