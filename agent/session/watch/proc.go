package watch

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// stat is what Aval reads of /proc/PID/stat (proc_pid_stat(5)).
type stat struct {
	ppid  int    // field 4
	tty   string // of field 7: "pts/3", "tty1" or empty
	start uint64 // field 22, clock ticks since boot
}

var errStat = errors.New("malformed process status")

// parseStat reads one line. The name in brackets may itself hold brackets and
// blanks: fields are counted from its last closing bracket.
func parseStat(b []byte) (stat, error) {
	i := bytes.LastIndexByte(b, ')')
	if i < 0 {
		return stat{}, errStat
	}
	f := strings.Fields(string(b[i+1:])) // f[0] is field 3
	if len(f) < 20 {
		return stat{}, errStat
	}
	ppid, err1 := strconv.Atoi(f[1])
	tty, err2 := strconv.Atoi(f[4])
	start, err3 := strconv.ParseUint(f[19], 10, 64)
	if err := errors.Join(err1, err2, err3); err != nil {
		return stat{}, fmt.Errorf("%w: %w", errStat, err)
	}
	return stat{ppid: ppid, tty: ttyName(tty), start: start}, nil
}

// ttyName names a controlling terminal: the major number is in bits 8 to 19,
// the minor in 0 to 7 and 20 to 31; 136 to 143 are pseudo terminals and 4 the
// virtual consoles (Linux, Documentation/admin-guide/devices.txt).
func ttyName(nr int) string {
	major, minor := nr>>8&0xfff, nr&0xff|nr>>12&0xfff00
	switch {
	case major >= 136 && major <= 143:
		return "pts/" + strconv.Itoa((major-136)<<8|minor)
	case major == 4 && minor < 64:
		return "tty" + strconv.Itoa(minor)
	}
	return ""
}

// parseOwner reads the real user id and the groups out of /proc/PID/status.
func parseOwner(b []byte) (uid uint32, gids []uint32, ok bool) {
	for line := range strings.Lines(string(b)) {
		name, rest, _ := strings.Cut(line, ":")
		switch f := strings.Fields(rest); name {
		case "Uid":
			if len(f) == 0 {
				return 0, nil, false
			}
			n, err := strconv.ParseUint(f[0], 10, 32)
			if err != nil {
				return 0, nil, false
			}
			uid, ok = uint32(n), true
		case "Gid", "Groups":
			if name == "Gid" && len(f) > 1 {
				f = f[:1]
			}
			for _, g := range f {
				if n, err := strconv.ParseUint(g, 10, 32); err == nil {
					gids = append(gids, uint32(n))
				}
			}
		}
	}
	return uid, gids, ok
}

// nulStrings splits the contents of /proc/PID/cmdline or environ.
func nulStrings(b []byte) []string {
	b = bytes.TrimRight(b, "\x00")
	if len(b) == 0 {
		return nil
	}
	return strings.Split(string(b), "\x00")
}

// lookup finds NAME=value in an environment.
func lookup(env []string, name string) string {
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			return v
		}
	}
	return ""
}
