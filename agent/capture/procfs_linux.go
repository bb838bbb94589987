package capture

import (
	"bytes"
	"errors"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxProc bounds what is read of one file in /proc, in bytes.
const maxProc = 128 << 10

// procStatus is what is read of /proc/PID/stat (proc_pid_stat(5)).
type procStatus struct {
	name  string
	state byte
	ppid  int
	group int    // process group
	tty   int    // device number of the controlling terminal; 0: none
	start uint64 // clock ticks since boot
}

var errProc = errors.New("malformed process status")

func procPath(pid int, name string) string { return "/proc/" + strconv.Itoa(pid) + "/" + name }

// procRead reads a file of /proc with three system calls: a program may last
// for less than a millisecond, and its files go with it.
func procRead(pid int, name string) ([]byte, error) {
	fd, err := unix.Open(procPath(pid, name), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	b := make([]byte, 4<<10)
	for n := 0; ; {
		m, err := unix.Read(fd, b[n:])
		if err == unix.EINTR {
			continue
		}
		if n += max(m, 0); err != nil || m == 0 || n < 4<<10 || n >= maxProc {
			return b[:n], err
		}
		if n == len(b) {
			b = append(b, make([]byte, len(b))...)
		}
	}
}

func procStat(pid int) (procStatus, error) {
	b, err := procRead(pid, "stat")
	if err != nil {
		return procStatus{}, err
	}
	return parseProcStat(b)
}

// parseProcStat reads one line. The name in brackets may hold brackets and
// blanks: it ends at the last closing one.
func parseProcStat(b []byte) (procStatus, error) {
	open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 0 || end < open {
		return procStatus{}, errProc
	}
	f := strings.Fields(string(b[end+1:])) // f[0] is field 3
	if len(f) < 20 {
		return procStatus{}, errProc
	}
	ppid, err1 := strconv.Atoi(f[1])
	group, err2 := strconv.Atoi(f[2])
	tty, err3 := strconv.Atoi(f[4])
	start, err4 := strconv.ParseUint(f[19], 10, 64)
	if err1 != nil || err2 != nil || err3 != nil || err4 != nil {
		return procStatus{}, errProc
	}
	return procStatus{name: string(b[open+1 : end]), state: f[0][0], ppid: ppid, group: group, tty: tty, start: start}, nil
}

// procStrings reads cmdline or environ; nil if that is not allowed or gone.
func procStrings(pid int, name string) []string {
	b, err := procRead(pid, name)
	b = bytes.TrimRight(b, "\x00")
	if err != nil || len(b) == 0 {
		return nil
	}
	return strings.Split(string(b), "\x00")
}

func lookup(env []string, name string) string {
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			return v
		}
	}
	return ""
}

// executable is the base name and path of what a process runs. Where the link
// may not be read, both are the name that the kernel keeps, of 15 characters.
// A kernel thread has neither.
func executable(pid int, st procStatus) (name, file string) {
	link, err := os.Readlink(procPath(pid, "exe"))
	switch {
	case err == nil:
		link = strings.TrimSuffix(link, " (deleted)")
		return path.Base(link), link
	case errors.Is(err, os.ErrPermission):
		return st.name, st.name
	}
	return "", ""
}

// owner is the effective user of a process.
func owner(pid int) (uint32, bool) {
	var st unix.Stat_t
	if err := unix.Stat(procPath(pid, "."), &st); err != nil {
		return 0, false
	}
	return st.Uid, true
}

// auditSession is the audit session that pam_loginuid gave a login; empty where
// there is none. Only a privileged process could leave it.
func auditSession(pid int) string {
	b, err := procRead(pid, "sessionid")
	s := strings.TrimSpace(string(b))
	if err != nil || s == "4294967295" || s == "0" {
		return ""
	}
	return s
}
