package capture

import (
	"os"
	"path/filepath"
	"strings"
)

// systemFolder: places whose changes are told by other sources or are nobody's
// doing: the disk's root, the system, installed programs, and what programs keep
// for themselves in a profile.
func systemFolder(dir string) bool {
	if dir == filepath.VolumeName(dir) || dir == filepath.VolumeName(dir)+`\` {
		return true
	}
	for _, v := range []string{"SystemRoot", "ProgramFiles", "ProgramFiles(x86)", "ProgramW6432"} {
		if within(dir, os.Getenv(v)) && !samePath(dir, filepath.Join(os.Getenv("SystemRoot"), `System32\drivers\etc`)) {
			return true
		}
	}
	for part := range strings.SplitSeq(strings.ToLower(dir), `\`) {
		switch part {
		case "appdata", "$recycle.bin", "system volume information", "package cache":
			return true
		}
	}
	return within(dir, filepath.Join(os.Getenv("ProgramData"), "Microsoft"))
}

// samePath tells whether two paths name the same: case says nothing.
func samePath(a, b string) bool { return strings.EqualFold(a, b) }

// watchable: a watch costs the same whatever the folder holds.
func watchable(string) bool { return true }
