//go:build unix

package watch

import (
	"os"
	"path/filepath"
	"syscall"
)

// homes are the folders of the users, with whose they are: what stands in one
// was written by its owner, whatever the file itself says. Without root it is
// the caller's alone.
func homes() []home {
	var dirs []string
	if own, err := os.UserHomeDir(); err == nil {
		dirs = append(dirs, own)
	}
	if os.Geteuid() == 0 {
		more, _ := filepath.Glob(homesPattern) // a fixed pattern, which is well formed
		dirs = append(dirs, more...)
	}
	var out []home
	for _, d := range dirs {
		st, err := os.Stat(d)
		if err != nil || !st.IsDir() {
			continue
		}
		if s, ok := st.Sys().(*syscall.Stat_t); ok {
			out = append(out, home{d, s.Uid})
		}
	}
	return out
}
