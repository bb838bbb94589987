package watch

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// ToolX11VNC is the name under which the hooks of x11vnc report sessions.
const ToolX11VNC = "x11vnc"

var x11vncFacts = facts{hears: []string{"begin before the login", "end", "address", "display"}, missing: "files that a viewer sends"}

// ErrX11VNCID: the id does not have the form that the documented hook lines give it.
var ErrX11VNCID = errors.New("id is not PID-CLIENTID-LOGINTIME as the x11vnc hook lines make it")

// x11vncClient is a client within one x11vnc server: the server's process, the
// client's number in it, and the unix second of its login.
type x11vncClient struct {
	pid   int
	id    uint64
	login int64
	// address is where the client connects from; empty where the answer cannot
	// be told apart from the client's own words.
	address string
}

// same tells whether both are one client: the address says nothing of that.
func (c x11vncClient) same(o x11vncClient) bool {
	return c.pid == o.pid && c.id == o.id && c.login == o.login
}

// name is the id that the documented hook lines give the client.
func (c x11vncClient) name() string { return fmt.Sprintf("%d-0x%x-%d", c.pid, c.id, c.login) }

// parseX11VNCID reads "$RFB_X11VNC_PID-$RFB_CLIENT_ID-$RFB_LOGIN_TIME", such as
// "702-0x1-1795329671"; x11vnc writes the client's number in hex.
func parseX11VNCID(s string) (x11vncClient, error) {
	f := strings.Split(s, "-")
	if len(f) != 3 {
		return x11vncClient{}, ErrX11VNCID
	}
	pid, err1 := strconv.Atoi(f[0])
	hex, isHex := strings.CutPrefix(f[1], "0x")
	id, err2 := strconv.ParseUint(hex, 16, 64)
	at, err3 := strconv.ParseInt(f[2], 10, 64)
	if err := errors.Join(err1, err2, err3); err != nil || !isHex || pid <= 0 || at <= 0 {
		return x11vncClient{}, ErrX11VNCID
	}
	return x11vncClient{pid: pid, id: id, login: at}, nil
}

// clientRE is one entry of x11vnc's answer to "clients", in 0.9.16
// id:address:port:user:…:view-only:logintime. Only both ends are read: an
// address may hold colons, and the middle is the client's own words. An entry
// that these words break into two is not found, and so not confirmed.
var clientRE = regexp.MustCompile(`^(0x[0-9a-f]+):(.*):([0-9]+)$`)

// parseX11VNCAnswer reads the answer to `x11vnc -query pid,clients`, as
// "aro=pid:29052,aro=clients:0x2:127.0.0.1:45780:unknown-user:…:1795358141".
func parseX11VNCAnswer(out string, pid int) ([]x11vncClient, error) {
	for line := range strings.Lines(out) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "aro=pid:")
		if !ok {
			continue
		}
		num, list, ok := strings.Cut(rest, ",aro=clients:")
		if n, err := strconv.Atoi(num); err != nil || !ok || n != pid {
			return nil, fmt.Errorf("x11vnc %q answers instead of process %d", num, pid)
		}
		var out []x11vncClient
		for entry := range strings.SplitSeq(list, ",") {
			m := clientRE.FindStringSubmatch(entry)
			if m == nil {
				continue
			}
			id, err1 := strconv.ParseUint(m[1][2:], 16, 64)
			at, err2 := strconv.ParseInt(m[3], 10, 64)
			if errors.Join(err1, err2) == nil {
				host, _, _ := strings.Cut(m[2], ":") // of an address with colons nothing is left
				if _, err := netip.ParseAddr(host); err != nil {
					host = ""
				}
				out = append(out, x11vncClient{pid, id, at, host})
			}
		}
		return out, nil
	}
	return nil, errors.New("x11vnc gave no answer")
}

// displayOf finds the display in an x11vnc command line, else in its environment.
func displayOf(args, env []string) string {
	if d := option(args, "display"); d != "" && !strings.HasPrefix(d, "WAIT") {
		return d
	}
	return lookup(env, "DISPLAY")
}

// option finds the value of an option; x11vnc takes -name and --name.
func option(args []string, name string) string {
	for i := 1; i+1 < len(args); i++ {
		if a := args[i]; a == "-"+name || a == "--"+name {
			return args[i+1]
		}
	}
	return ""
}

// X11VNCServer is an x11vnc process that runs.
type X11VNCServer struct {
	PID     int
	UID     uint32
	Display string
	// Hooked: its command line tells Aval of its clients.
	Hooked bool
	// Socket is the service that the line names; empty: it names none, so the
	// one that x11vnc's environment or the installation says.
	Socket string
}

// X11VNCClient is a client that is connected to such a server.
type X11VNCClient struct {
	ID      string // as the hook lines name it
	Address string // empty: not known
}

// socketRE finds the socket that a hook line names, quoted or not.
var socketRE = regexp.MustCompile(`--socket[ =]+(?:'([^']+)'|"([^"]+)"|([^\s'"]+))`)

// hooked tells whether an x11vnc command line has Aval's line among the hooks
// that run when a client comes, and which service's socket that line names.
func hooked(args []string) (socket string, ok bool) {
	line := option(args, "accept") + " " + option(args, "afteraccept")
	if !strings.Contains(line, "session begin") {
		return "", false
	}
	if m := socketRE.FindStringSubmatch(line); m != nil {
		socket = m[1] + m[2] + m[3]
	}
	return socket, true
}
