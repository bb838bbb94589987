package strict

import (
	"encoding/hex"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// Pin: sha256:HEX of a server key's SPKI.
func Pin(s string) bool {
	const kind = "sha256:"
	if len(s) < len(kind) || !strings.EqualFold(s[:len(kind)], kind) {
		return false
	}
	raw, err := hex.DecodeString(s[len(kind):])
	return err == nil && len(raw) == 32
}

// Host: HOST or HOST:PORT with a name in ASCII or an address. Another alphabet
// could make one name look like another.
func Host(s string) bool {
	u, err := url.Parse("https://" + s)
	if err != nil || u.Host != s || u.Hostname() == "" || u.User != nil {
		return false
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
			return false
		}
	} else if strings.HasSuffix(s, ":") {
		return false
	}
	if strings.HasPrefix(s, "[") {
		return net.ParseIP(u.Hostname()) != nil
	}
	for _, r := range u.Hostname() {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '.' && r != '-' {
			return false
		}
	}
	return true
}

// Server refuses what is no https://HOST[:PORT] of at most 512 bytes in lower case, or
// no pin; an empty pin is none.
func Server(server, pin string) error {
	host, ok := strings.CutPrefix(server, "https://")
	if !ok || len(server) > 512 || !Host(host) || pin != "" && (!Pin(pin) || pin != strings.ToLower(pin)) {
		return errors.New("this is no server's address")
	}
	return nil
}
