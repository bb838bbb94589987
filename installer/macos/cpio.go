package macos

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// Types of file, in the upper bits of a mode (stat(2)).
const (
	typeMask = 0o170000
	typeDir  = 0o040000
	typeFile = 0o100000
	typeLink = 0o120000
)

// entry is one file, folder or link of a payload. All belong to root and wheel.
type entry struct {
	path string // from the root on, without a slash before it; "." is the root
	mode uint32 // with its type
	data []byte // of a link: its target
}

// payload is what a package installs, or its scripts: a cpio archive in the old
// portable form (cpio(5), "odc"), compressed by gzip. Everything has the time at.
func payload(entries []entry, at time.Time) ([]byte, error) {
	var plain bytes.Buffer
	put := func(n int, e entry, links int) error {
		name := e.path + "\x00"
		if n > 1 { // neither the root nor the trailer
			name = "./" + name
		}
		head := fmt.Sprintf("070707%06o%06o%06o%06o%06o%06o%06o%011o%06o%011o", 0, n, e.mode, 0, 0, links, 0, at.Unix(), len(name), len(e.data))
		if len(head) != 76 {
			return fmt.Errorf("pack %s: it, or its time, is too large", e.path)
		}
		plain.WriteString(head + name)
		plain.Write(e.data)
		return nil
	}
	for i, e := range entries {
		links := 1
		if e.mode&typeMask == typeDir {
			links = 2
		}
		if err := put(i+1, e, links); err != nil {
			return nil, err
		}
	}
	if err := put(0, entry{path: "TRAILER!!!"}, 1); err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(plain.Bytes()); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil { // which writes the end
		return nil, err
	}
	return packed.Bytes(), nil
}

// withFolders makes the paths relative to the root and puts the root, and the folders
// above each entry, before it. Those are the system's, with the mode that it gives them.
func withFolders(entries []entry) ([]entry, error) {
	out := []entry{{path: ".", mode: typeDir | 0o755}}
	have := map[string]bool{".": true}
	for _, e := range entries {
		rel, ok := strings.CutPrefix(e.path, "/")
		if !ok || path.Clean(rel) != rel || rel == "." {
			return nil, fmt.Errorf("pack %q: it is no plain absolute path", e.path)
		}
		at := len(out)
		for dir := path.Dir(rel); !have[dir]; dir = path.Dir(dir) {
			have[dir] = true
			out = slices.Insert(out, at, entry{path: dir, mode: typeDir | 0o755})
		}
		if have[rel] {
			return nil, fmt.Errorf("pack %s: it is there twice", e.path)
		}
		have[rel] = true
		e.path = rel
		out = append(out, e)
	}
	return out, nil
}
