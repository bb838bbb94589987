package watch

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// ToolTigerVNC is the name of sessions of Xvnc and x0vncserver.
const ToolTigerVNC = "tigervnc"

var tigerVNCFacts = facts{hears: []string{"begin", "end", "address", "display", "view only"}, missing: "what a viewer copies or sends"}

// maxVNCClients bounds what a server's log can make us keep.
const maxVNCClients = 256

// Lines of a TigerVNC server (1.12 as seen; from 1.15 with capitals). Accepted
// is the TCP connection alone; the pixel format comes only after the login and
// names no client.
var (
	vncAccepted = regexp.MustCompile(`(?i)^ Connections: accepted: (\S+)$`)
	vncIn       = regexp.MustCompile(`(?i)^ VNCSConnST: +server default pixel format `)
	vncClosed   = regexp.MustCompile(`(?i)^ (?:Connections: closed: (\S+)|VNCSConnST: +closing (\S+): .*)$`)
)

// vncClient is one connection to a TigerVNC server.
type vncClient struct {
	addr  netip.AddrPort
	begun bool
	// unclear: others were logging in at the same moment, and the line that says
	// that one has succeeded names none.
	unclear bool
}

// vncLog reads the log of one TigerVNC server.
type vncLog struct {
	clients []*vncClient // that are connected, from oldest
	begin   func(*vncClient)
	end     func(*vncClient)
}

// line takes one line. Whoever is connected with the server may make it write
// many: what exceeds maxVNCClients is not heard.
func (v *vncLog) line(s string) {
	if m := vncAccepted.FindStringSubmatch(s); m != nil {
		if addr, err := vncAddress(m[1]); err == nil && len(v.clients) < maxVNCClients {
			v.close(addr) // a port that is used again
			v.clients = append(v.clients, &vncClient{addr: addr})
		}
		return
	}
	if vncIn.MatchString(s) {
		v.login()
		return
	}
	if m := vncClosed.FindStringSubmatch(s); m != nil {
		if addr, err := vncAddress(m[1] + m[2]); err == nil {
			v.close(addr)
		}
	}
}

// login takes the oldest connection that is not logged in for the one that is.
func (v *vncLog) login() {
	var waiting []*vncClient
	for _, c := range v.clients {
		if !c.begun {
			waiting = append(waiting, c)
		}
	}
	if len(waiting) == 0 {
		return
	}
	for _, c := range waiting {
		c.unclear = len(waiting) > 1
	}
	waiting[0].begun = true
	v.begin(waiting[0])
}

// close forgets a connection. If it was taken for one that had logged in, and
// another one might have been it, that one has its place.
func (v *vncLog) close(addr netip.AddrPort) {
	i := slices.IndexFunc(v.clients, func(c *vncClient) bool { return c.addr == addr })
	if i < 0 {
		return
	}
	c := v.clients[i]
	v.clients = slices.Delete(v.clients, i, i+1)
	if !c.begun {
		return
	}
	v.end(c)
	if !c.unclear {
		return
	}
	for _, o := range v.clients {
		if o.unclear && !o.begun {
			o.begun = true
			v.begin(o)
			return
		}
	}
}

// vncAddress reads "192.0.2.1::5900" or "[2001:db8::1]::5900".
func vncAddress(s string) (netip.AddrPort, error) {
	i := strings.LastIndex(s, "::")
	if i < 0 {
		return netip.AddrPort{}, fmt.Errorf("read address %q: no port", s)
	}
	host := strings.TrimSuffix(strings.TrimPrefix(s[:i], "["), "]")
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	a, err := netip.ParseAddrPort(host + ":" + s[i+2:])
	if err != nil {
		return netip.AddrPort{}, err
	}
	return netip.AddrPortFrom(a.Addr().WithZone(""), a.Port()), nil
}

// vncServer tells from a command line whether a program is a TigerVNC server,
// and which display it shows. Xvnc has a display of its own, empty where the
// command line leaves the number to it; x0vncserver shows one that exists.
func vncServer(args, env []string) (display string, ok bool) {
	if len(args) == 0 {
		return "", false
	}
	switch args[0][strings.LastIndexByte(args[0], '/')+1:] {
	case "Xvnc", "Xtigervnc":
		for _, a := range args[1:] {
			if isDisplay(a) {
				return a, true
			}
		}
		return "", true
	case "x0vncserver", "X0tigervnc":
		for _, a := range args[1:] {
			if v, found := cutFold(a, "display="); found && v != "" {
				return screenless(v), true
			}
		}
		d := displayOf(args, env)
		return screenless(d), d != ""
	}
	return "", false
}

// cutFold takes the value out of "-Name=value" or "name=value"; TigerVNC does
// not mind capitals in the names of its parameters.
func cutFold(arg, name string) (string, bool) {
	arg = strings.TrimLeft(arg, "-")
	if len(arg) < len(name) || !strings.EqualFold(arg[:len(name)], name) {
		return "", false
	}
	return arg[len(name):], true
}

// viewOnly tells whether a server takes neither keys nor the mouse from anybody.
func viewOnly(args []string) bool {
	off := map[string]bool{}
	for i, a := range args {
		for _, name := range []string{"AcceptKeyEvents", "AcceptPointerEvents"} {
			v, ok := cutFold(a, name+"=")
			if !ok && i+1 < len(args) && strings.EqualFold(strings.TrimLeft(a, "-"), name) {
				v, ok = args[i+1], true
			}
			if ok {
				off[name] = slices.Contains([]string{"0", "off", "false", "no"}, strings.ToLower(v))
			}
		}
	}
	return off["AcceptKeyEvents"] && off["AcceptPointerEvents"]
}

var displayRE = regexp.MustCompile(`^:[0-9]{1,5}$`)

func isDisplay(s string) bool { return displayRE.MatchString(s) }

// screenless takes the screen's number off a display: ":0.0" is on ":0".
func screenless(d string) string {
	if i := strings.LastIndexByte(d, '.'); i > strings.LastIndexByte(d, ':') {
		return d[:i]
	}
	return d
}
