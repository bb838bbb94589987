//go:build windows || darwin

package font

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
)

// bundled is a font that the system comes with.
type bundled struct {
	lang       string // whose characters it is best for; empty: any
	file, bold string // bold is empty where the file has no bold one beside it
	index      int    // of the face in the file; 0 where it is no collection
}

// bundledIn lists the fonts of all below dir that may be there: the language's own first.
func bundledIn(dir string, all []bundled, lang string, bold bool) []candidate {
	var first, rest []candidate
	for _, f := range all {
		c := candidate{filepath.Join(dir, f.file), f.index}
		if bold && f.bold != "" {
			c.path = filepath.Join(dir, f.bold)
		}
		if f.lang != "" && strings.HasPrefix(lang, f.lang) {
			first = append(first, c)
		} else {
			rest = append(rest, c)
		}
	}
	return append(first, rest...)
}

// trusted: only an administrator writes to the folders of what the system comes with.
func trusted(_ string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return errors.New("no regular file")
	}
	return nil
}
