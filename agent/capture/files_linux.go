package capture

import (
	"slices"
	"strings"
)

// systemFolder: places whose changes are told by other sources or are nobody's
// doing.
func systemFolder(dir string) bool {
	if slices.Contains([]string{"/", "/tmp", "/var/tmp"}, dir) {
		return true
	}
	for _, p := range []string{"/proc", "/sys", "/dev", "/run", "/usr", "/bin", "/sbin", "/lib", "/lib64", "/boot", "/snap",
		"/var/log", "/var/lib", "/var/cache", "/var/spool", "/var/run"} {
		if (dir == p || strings.HasPrefix(dir, p+"/")) && !strings.HasPrefix(dir, "/usr/local") {
			return true
		}
	}
	return false
}

// samePath tells whether two paths name the same.
func samePath(a, b string) bool { return a == b }

// watchable: a watch costs the same whatever the folder holds.
func watchable(string) bool { return true }
