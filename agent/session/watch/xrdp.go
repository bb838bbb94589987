package watch

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// ToolXrdp is the name of sessions of xrdp.
const ToolXrdp = "xrdp"

var xrdpFacts = facts{hears: []string{"begin", "left", "back again", "end", "address", "account", "display"}, missing: "shared drives and the clipboard; desktops with Xvnc instead of Xorg"}

// XrdpLog is where xrdp writes unless its configuration says otherwise
// (xrdp.ini(5), section Logging).
const XrdpLog = "/var/log/xrdp.log"

// xrdpPeer is the line with which an xrdp process says that it has reached the
// desktop of a user who has logged in, for the first time or again. xrdp 0.9
// writes X11rdp_pid and client_ip with client_port, 0.10 Xorg_pid and client;
// the time before it differs too and is not needed. Each connection has a
// process of its own, which ends with it.
var xrdpPeer = regexp.MustCompile(`^\[[0-9T:.+\-]{17,40}\] \[[A-Z]+ *\] lib_mod_log_peer: xrdp_pid=([0-9]{1,10}) connected to (?:X11rdp|Xorg)_pid=([0-9]{1,10}) (?:X11rdp|Xorg)_uid=([0-9]{1,10}) (?:X11rdp|Xorg)_gid=[0-9]{1,10} (?:client_ip=(\S+) client_port=([0-9]{1,5})|client=(.*))$`)

// xrdpConn is a connection that has reached a desktop.
type xrdpConn struct {
	pid  int    // of xrdp, for this connection alone
	xpid int    // of the X server
	uid  uint32 // whose it is
	// addr is where the client is; not valid: the line has it in words only.
	addr netip.AddrPort
}

// parseXrdpPeer reads such a line.
func parseXrdpPeer(s string) (xrdpConn, bool) {
	m := xrdpPeer.FindStringSubmatch(s)
	if m == nil {
		return xrdpConn{}, false
	}
	pid, err1 := strconv.Atoi(m[1])
	xpid, err2 := strconv.Atoi(m[2])
	uid, err3 := strconv.ParseUint(m[3], 10, 32)
	if err1 != nil || err2 != nil || err3 != nil || pid <= 1 || xpid <= 1 {
		return xrdpConn{}, false
	}
	c := xrdpConn{pid: pid, xpid: xpid, uid: uint32(uid)}
	if m[4] != "" {
		addr, err1 := netip.ParseAddr(m[4])
		port, err2 := strconv.ParseUint(m[5], 10, 16)
		if err1 == nil && err2 == nil {
			c.addr = netip.AddrPortFrom(addr.Unmap().WithZone(""), uint16(port))
		}
	}
	return c, true
}

// xrdpLogOf finds the log in the text of an xrdp.ini.
func xrdpLogOf(ini string) string {
	section := ""
	for line := range strings.Lines(ini) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = strings.ToLower(line)
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if ok && section == "[logging]" && strings.EqualFold(strings.TrimSpace(name), "LogFile") {
			if v := strings.TrimSpace(value); strings.HasPrefix(v, "/") {
				return v
			}
			return "/var/log/" + strings.TrimSpace(value)
		}
	}
	return XrdpLog
}
