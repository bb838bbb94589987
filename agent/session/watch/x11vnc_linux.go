package watch

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// x11vncLimit bounds a query: x11vnc takes about 3.3 s to answer.
const x11vncLimit = 8 * time.Second

// X11VNCDisplay is the display that an x11vnc process shows, such as ":82";
// empty if it cannot be told.
func X11VNCDisplay(pid int) string {
	cmdline, err := readProc(pid, "cmdline")
	if err != nil {
		return ""
	}
	environ, _ := readProc(pid, "environ") // another user's is closed to all but root
	return displayOf(nulStrings(cmdline), nulStrings(environ))
}

// ConfirmX11VNC tells whether the client that the hooks named id is still
// connected to the x11vnc server of process pid. known is false when that
// cannot be found out, and then nobody may assume that it is.
//
// The kernel is asked first: a server without any connection has no client.
// Then the server itself, by the program's own -query, run as the user whom the
// server belongs to and never as root; id and login time must both be the same.
// It takes up to 8 s.
func ConfirmX11VNC(ctx context.Context, pid int, id string) (alive, known bool) {
	want, err := parseX11VNCID(id)
	if err != nil || want.pid != pid {
		return false, false
	}
	start, ok := ProcStart(pid)
	if !ok {
		return false, true
	}
	if n, err := connections(pid); err == nil && n == 0 {
		return false, true
	}
	list, err := queryX11VNC(ctx, pid)
	if now, still := ProcStart(pid); !still || now != start {
		return false, true
	}
	if err != nil {
		return false, false
	}
	for _, c := range list {
		if c.same(want) {
			return true, true
		}
	}
	return false, true
}

// queryX11VNC asks the server of process pid for its clients.
func queryX11VNC(ctx context.Context, pid int) ([]x11vncClient, error) {
	cmdline, err := readProc(pid, "cmdline")
	if err != nil {
		return nil, err
	}
	environ, err := readProc(pid, "environ")
	if err != nil {
		return nil, err
	}
	status, err := readProc(pid, "status")
	if err != nil {
		return nil, err
	}
	args, env := nulStrings(cmdline), nulStrings(environ)
	uid, gids, ok := parseOwner(status)
	display := displayOf(args, env)
	if !ok || len(gids) == 0 || display == "" {
		return nil, errStat
	}
	// A fixed program, not the process's own: that one may be anybody's.
	query := []string{"-display", display, "-query", "pid,clients"}
	if auth := option(args, "auth"); auth != "" && auth != "guess" {
		query = append(query, "-auth", auth)
	}
	ctx, cancel := context.WithTimeout(ctx, x11vncLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/usr/bin/x11vnc", query...)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C"}
	for _, name := range []string{"HOME", "XAUTHORITY"} {
		if v := lookup(env, name); v != "" {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = time.Second
	if int(uid) != os.Getuid() {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uid, Gid: gids[0], Groups: gids}
	}
	var out bytes.Buffer
	cmd.Stdout = &limit{w: &out, left: 64 << 10}
	if err := cmd.Run(); err != nil {
		return nil, err
	}
	return parseX11VNCAnswer(out.String(), pid)
}

// limit keeps the first bytes and lets the rest go.
type limit struct {
	w    *bytes.Buffer
	left int
}

func (l *limit) Write(p []byte) (int, error) {
	n := min(len(p), l.left)
	l.left -= n
	l.w.Write(p[:n])
	return len(p), nil
}

// connections counts the TCP connections of a process that came in through one
// of its own listening ports.
func connections(pid int) (int, error) {
	own, err := sockets(pid)
	if err != nil {
		return 0, err
	}
	listening, connected := map[uint16]bool{}, map[uint16]int{}
	for _, c := range own {
		switch c.state {
		case unix.BPF_TCP_LISTEN:
			listening[c.local.Port()] = true
		case unix.BPF_TCP_ESTABLISHED:
			connected[c.local.Port()]++
		}
	}
	if len(listening) == 0 { // -connect, -inetd: connections of another kind
		return 0, errStat
	}
	n := 0
	for port := range listening {
		n += connected[port]
	}
	return n, nil
}

// sockets lists the TCP sockets of a process.
func sockets(pid int) ([]socket, error) {
	dir := "/proc/" + strconv.Itoa(pid) + "/fd"
	fds, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	own := map[string]bool{}
	for _, fd := range fds {
		link, err := os.Readlink(dir + "/" + fd.Name())
		if inode, ok := strings.CutPrefix(link, "socket:["); ok && err == nil {
			own[strings.TrimSuffix(inode, "]")] = true
		}
	}
	var out []socket
	read := false
	for _, name := range []string{"net/tcp", "net/tcp6"} {
		b, err := readProc(pid, name)
		if err != nil {
			continue
		}
		read = true
		for _, c := range parseTCP(string(b)) {
			if own[c.inode] {
				out = append(out, c)
			}
		}
	}
	if !read {
		return nil, errStat
	}
	return out, nil
}

// connectedTo tells whether a process has a TCP connection with that address.
// known is false where the system does not tell.
func connectedTo(pid int, remote netip.AddrPort) (yes, known bool) {
	own, err := sockets(pid)
	for _, c := range own {
		if c.state == unix.BPF_TCP_ESTABLISHED && c.remote.Port() == remote.Port() && c.remote.Addr().Unmap() == remote.Addr().Unmap() {
			return true, true
		}
	}
	return false, err == nil
}

// socket is one line of /proc/net/tcp or tcp6 (proc(5)).
type socket struct {
	local  netip.AddrPort
	remote netip.AddrPort
	state  int
	inode  string
}

func parseTCP(s string) []socket {
	var out []socket
	for line := range strings.Lines(s) {
		f := strings.Fields(line)
		if len(f) < 10 {
			continue
		}
		local, ok1 := parseEndpoint(f[1])
		remote, ok2 := parseEndpoint(f[2])
		st, err := strconv.ParseUint(f[3], 16, 8)
		if !ok1 || !ok2 || err != nil {
			continue // the header
		}
		out = append(out, socket{local, remote, int(st), f[9]})
	}
	return out
}

// parseEndpoint reads an address and a port in hex, as in "0100007F:1F90".
func parseEndpoint(s string) (netip.AddrPort, bool) {
	host, port, _ := strings.Cut(s, ":")
	raw, err1 := hex.DecodeString(host)
	n, err2 := strconv.ParseUint(port, 16, 16)
	if err1 != nil || err2 != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(raw); i += 4 { // words in the machine's order
		raw[i], raw[i+1], raw[i+2], raw[i+3] = raw[i+3], raw[i+2], raw[i+1], raw[i]
	}
	addr, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(addr, uint16(n)), ok
}

// X11VNCServers lists the x11vnc processes that the caller may look at: root
// sees all, others their own.
func X11VNCServers() []X11VNCServer {
	var out []X11VNCServer
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, d := range dirs {
		pid, err := strconv.Atoi(d.Name())
		if err != nil {
			continue
		}
		if comm, err := readProc(pid, "comm"); err != nil || strings.TrimSpace(string(comm)) != ToolX11VNC {
			continue
		}
		cmdline, err1 := readProc(pid, "cmdline")
		status, err2 := readProc(pid, "status")
		environ, err3 := readProc(pid, "environ")
		if err1 != nil || err2 != nil || err3 != nil {
			continue
		}
		uid, _, ok := parseOwner(status)
		args := nulStrings(cmdline)
		if display := displayOf(args, nulStrings(environ)); ok && display != "" {
			socket, ok := hooked(args)
			out = append(out, X11VNCServer{PID: pid, UID: uid, Display: display, Hooked: ok, Socket: socket})
		}
	}
	return out
}

// X11VNCClients asks a server for its clients; it takes up to 8 s.
func X11VNCClients(ctx context.Context, s X11VNCServer) ([]X11VNCClient, error) {
	if n, err := connections(s.PID); err == nil && n == 0 {
		return nil, nil
	}
	list, err := queryX11VNC(ctx, s.PID)
	if err != nil {
		return nil, fmt.Errorf("ask x11vnc for its clients: %w", err)
	}
	var out []X11VNCClient
	for _, c := range list {
		out = append(out, X11VNCClient{ID: c.name(), Address: c.address})
	}
	return out, nil
}
