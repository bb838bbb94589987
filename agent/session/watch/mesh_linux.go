package watch

import (
	"net"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// meshAgent tells what of MeshCentral a process is. Its socket is looked for in
// its working folder, through the process, wherever that is.
func meshAgent(pid int, parent string, s Server) (Server, bool) {
	if parent == "meshagent" {
		return Server{}, false // it shows the desktop for the agent
	}
	s.Tool = ToolMeshCentral
	s.Socket = meshSocketOf(Server{PID: pid})
	return s, true
}

// meshSocketOf is the socket of an agent; empty: it has none by now.
func meshSocketOf(s Server) string {
	path := "/proc/" + strconv.Itoa(s.PID) + "/cwd/" + meshSocket
	if fi, err := os.Stat(path); err != nil || fi.Mode()&os.ModeSocket == 0 {
		return ""
	}
	return path
}

// meshDial connects with an agent and says which process listens, by the kernel.
func meshDial(s Server) (meshConn, int, error) {
	c, err := net.DialTimeout("unix", s.Socket, meshAnswer)
	if err != nil {
		return nil, 0, err
	}
	cred, err := peerOf(c)
	if err != nil {
		c.Close()
		return nil, 0, err
	}
	return c, int(cred.Pid), nil
}

// viewer is the process in which the agent shows a desktop, and which display:
// a child of the agent with its command line that is connected with an X server.
func (m *mesh) viewer() (pid int, start uint64, display string) {
	own, err := readProc(m.s.PID, "cmdline")
	if err != nil {
		return 0, 0, ""
	}
	var sockets map[uint32]unixSocket
	for _, c := range children(m.s.PID) {
		if cmd, err := readProc(c, "cmdline"); err != nil || string(cmd) != string(own) {
			continue
		}
		if sockets == nil {
			if sockets, err = unixSockets(); err != nil {
				m.t.log.Warn("find the desktop that is shown", "tool", ToolMeshCentral, "err", err)
				return 0, 0, ""
			}
		}
		if d := shownBy(c, sockets); d != "" {
			if st, err := readStat(c); err == nil && st.start > start { // the newest
				pid, start, display = c, st.start, d
			}
		}
	}
	return pid, start, display
}

// shell is the oldest program that the agent runs in a terminal and that belongs
// to no session yet.
func (m *mesh) shell() (pid int, st stat, uid uint32, gids []uint32) {
	own, err := readStat(m.s.PID)
	if err != nil {
		return 0, stat{}, 0, nil
	}
	for _, c := range children(m.s.PID) {
		s, err := readStat(c)
		if err != nil || s.tty == "" || s.tty == own.tty || m.taken[c] == s.start || (pid != 0 && s.start >= st.start) {
			continue
		}
		if b, err := readProc(c, "status"); err == nil {
			if u, g, ok := parseOwner(b); ok {
				pid, st, uid, gids = c, s, u, g
			}
		}
	}
	return pid, st, uid, gids
}

// peerOf is who listens at the other end of a Unix socket.
func peerOf(c net.Conn) (*unix.Ucred, error) {
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		return nil, err
	}
	var cred *unix.Ucred
	var cerr error
	if err := raw.Control(func(fd uintptr) { cred, cerr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil {
		return nil, err
	}
	return cred, cerr
}
