package agent

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// realServer tells whether a process is an X server that has the devices of the
// computer: Xorg itself, a program of root's, run by root or by the user of the
// session. Nested and virtual servers (Xephyr, Xvfb, Xvnc, Xwayland) have names
// of their own.
func realServer(pid int, uid uint32) bool {
	if pid <= 0 {
		return false
	}
	proc := "/proc/" + strconv.Itoa(pid)
	exe, err := os.Readlink(proc + "/exe")
	if err != nil || !slices.Contains([]string{"Xorg", "Xorg.bin", "Xorg.wrap", "X"}, filepath.Base(exe)) {
		return false
	}
	program, err := os.Stat(proc + "/exe")
	if err != nil || !program.Mode().IsRegular() || program.Mode().Perm()&0o022 != 0 || owner(program) != 0 {
		return false
	}
	process, err := os.Stat(proc)
	return err == nil && (owner(process) == 0 || owner(process) == int64(uid))
}

func owner(fi os.FileInfo) int64 {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return int64(st.Uid)
	}
	return -1
}
