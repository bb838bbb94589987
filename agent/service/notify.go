package service

import (
	"net"
	"os"
	"strings"
)

// Ready tells the service manager that the service can be used. It does nothing
// where nobody asked for that.
func Ready() { notify("READY=1") }

// notify sends a state to the service manager (sd_notify(3)): one datagram to
// the socket named in NOTIFY_SOCKET, where a leading @ means an abstract name.
// Its loss only makes systemd wait, so errors are of no use to anybody.
func notify(state string) {
	name := os.Getenv("NOTIFY_SOCKET")
	if !strings.HasPrefix(name, "/") && !strings.HasPrefix(name, "@") {
		return
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return
	}
	defer conn.Close()
	conn.Write([]byte(state))
}
