package watch

import (
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// greetWithin bounds the connection to a display's socket; the kernel makes it,
// the server need not answer.
const greetWithin = 200 * time.Millisecond

// DisplayServers lists the X servers and Wayland compositors of this computer,
// by their sockets; whose each is comes from the kernel (SO_PEERCRED, socket(7)).
// A socket that nobody listens on is none. Nothing is said to a server.
func DisplayServers() []DisplayServer {
	var out []DisplayServer
	for pattern, kind := range map[string]string{"/tmp/.X11-unix/X*": "x11", "/run/user/*/wayland-*": "wayland"} {
		sockets, err := filepath.Glob(pattern)
		if err != nil {
			continue // the pattern is right
		}
		for _, path := range sockets {
			name := filepath.Base(path)
			if kind == "x11" {
				n, err := strconv.Atoi(strings.TrimPrefix(name, "X"))
				if err != nil {
					continue
				}
				name = ":" + strconv.Itoa(n)
			} else if strings.HasSuffix(name, ".lock") {
				continue
			}
			cred, err := listener(path)
			if err != nil {
				continue
			}
			d := DisplayServer{Name: name, Type: kind, PID: int(cred.Pid), UID: cred.Uid}
			if b, err := readProc(d.PID, "cgroup"); err == nil {
				d.LogindID = scopeSession(string(b))
			}
			out = append(out, d)
		}
	}
	return out
}

// listener is who listens on a Unix socket.
func listener(path string) (*unix.Ucred, error) {
	c, err := net.DialTimeout("unix", path, greetWithin)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return peerOf(c)
}

// Programs names the programs that a user runs, as the kernel cuts them: 15
// bytes (proc_pid_comm(5)).
func Programs(uid uint32) map[string]bool {
	out := map[string]bool{}
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return out
	}
	for _, dir := range dirs {
		var st unix.Stat_t
		if unix.Stat(dir, &st) != nil || st.Uid != uid {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil {
			if b, err := readProc(pid, "comm"); err == nil {
				out[strings.TrimSpace(string(b))] = true
			}
		}
	}
	return out
}
