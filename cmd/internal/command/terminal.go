package command

import (
	"os"
)

// Terminal tells whether somebody types into f, or reads what is written to it: it is
// a character device other than the one that swallows everything.
func Terminal(f any) bool {
	file, ok := f.(*os.File)
	if !ok {
		return false
	}
	fi, err := file.Stat()
	if err != nil || fi.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(fi, null)
}
