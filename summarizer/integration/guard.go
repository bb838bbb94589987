package integration

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"crypto/tls"

	"aval/agent/strict"
)

// ErrForbidden: the address is not one that the server speaks to.
var ErrForbidden = errors.New("this address is not allowed")

// Lookup resolves a name.
type Lookup func(ctx context.Context, host string) ([]netip.Addr, error)

// callWithin bounds one request with its answer. Standard Webhooks asks for 15 to
// 30 seconds.
const callWithin = 20 * time.Second

// guard keeps requests out of the server's own network: companies name the
// addresses, and what lies behind the server's firewall is not theirs.
type guard struct {
	allow  []string
	lookup Lookup
}

func newGuard(allow []string, lookup Lookup) (*guard, error) {
	g := &guard{lookup: lookup}
	for _, a := range allow {
		if a = strings.ToLower(a); !strict.Host(a) {
			return nil, fmt.Errorf("allow host %q: it is no HOST or HOST:PORT", a)
		}
		g.allow = append(g.allow, a)
	}
	if g.lookup == nil {
		g.lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	return g, nil
}

// allowed tells whether whoever runs the server has named this host.
func (g *guard) allowed(host, port string) bool {
	return slices.Contains(g.allow, strings.ToLower(host)) || slices.Contains(g.allow, strings.ToLower(net.JoinHostPort(host, port)))
}

// check refuses an address as it is written; what it resolves to is looked at
// when it is dialled.
func (g *guard) check(raw string) (*url.URL, error) {
	if len(raw) > 2048 {
		return nil, fmt.Errorf("%w: it is longer than 2048 bytes", ErrForbidden)
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Opaque != "" {
		return nil, fmt.Errorf("%w: it is no https://HOST/PATH", ErrForbidden)
	}
	host, port := u.Hostname(), u.Port()
	if port == "" {
		port = "443"
		if u.Scheme == "http" {
			port = "80"
		}
	}
	known := g.allowed(host, port)
	switch {
	case u.Scheme != "https" && (u.Scheme != "http" || !known):
		return nil, fmt.Errorf("%w: it must begin with https://", ErrForbidden)
	case u.User != nil:
		return nil, fmt.Errorf("%w: leave user and password out of it", ErrForbidden)
	case u.Fragment != "" || strings.Contains(raw, "#"):
		return nil, fmt.Errorf("%w: leave the part after # out of it", ErrForbidden)
	case !strict.Host(strings.ToLower(u.Host)):
		return nil, fmt.Errorf("%w: its host is no plain name or address", ErrForbidden)
	case known:
		return u, nil
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return u, reachable(a)
	}
	name := strings.TrimSuffix(strings.ToLower(host), ".")
	last := name[strings.LastIndexByte(name, '.')+1:]
	switch {
	case last == "" || last[0] >= '0' && last[0] <= '9':
		// What ends in a number is read as an IPv4 address by some: 127.1, 0x7f.1, 2130706433.
		return nil, fmt.Errorf("%w: write an IP address in its usual form", ErrForbidden)
	case !strings.Contains(name, "."), slices.Contains([]string{"localhost", "local", "internal", "lan", "home", "corp", "intranet", "localdomain", "arpa"}, last):
		return nil, fmt.Errorf("%w: it is a name of the server's own network", ErrForbidden)
	}
	return u, nil
}

// never are the networks that are no part of the public Internet: the special
// purpose registries of IANA (RFC 6890 and its successors).
var never = prefixes("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"::/128", "::1/128", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8")

// hidden are the networks whose addresses carry an IPv4 address, at this byte.
var hidden = []struct {
	net netip.Prefix
	at  int
}{
	{netip.MustParsePrefix("::/96"), 12},        // IPv4-compatible, RFC 4291
	{netip.MustParsePrefix("64:ff9b::/96"), 12}, // NAT64, RFC 6052
	{netip.MustParsePrefix("2002::/16"), 2},     // 6to4, RFC 3056
}

func prefixes(list ...string) (out []netip.Prefix) {
	for _, p := range list {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// reachable refuses an address that is not of the public Internet.
func reachable(a netip.Addr) error {
	if a.Zone() != "" {
		return fmt.Errorf("%w: it belongs to a network of the server's own", ErrForbidden)
	}
	a = a.Unmap()
	for _, p := range never {
		if p.Contains(a) {
			return fmt.Errorf("%w: %s is not of the public Internet", ErrForbidden, a)
		}
	}
	for _, h := range hidden {
		if h.net.Contains(a) {
			b := a.As16()
			return reachable(netip.AddrFrom4([4]byte(b[h.at : h.at+4])))
		}
	}
	return nil
}

// linkLocal addresses are not spoken to even where the host was named: the
// metadata services of clouds live there.
func linkLocal(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() || a == netip.MustParseAddr("fd00:ec2::254")
}

// dial resolves the name and speaks to an address that is allowed, whatever the
// name means by then: the check is on the very address that is dialled.
func (g *guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	known := g.allowed(host, port)
	var addrs []netip.Addr
	if a, err := netip.ParseAddr(host); err == nil {
		addrs = []netip.Addr{a}
	} else if addrs, err = g.lookup(ctx, host); err != nil {
		return nil, err
	}
	d := net.Dialer{Timeout: 10 * time.Second, Control: func(_, actual string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(actual)
		switch {
		case err != nil:
			return fmt.Errorf("%w: %s", ErrForbidden, actual)
		case known && !linkLocal(ap.Addr()):
			return nil
		case known:
			return fmt.Errorf("%w: %s is link-local", ErrForbidden, ap.Addr())
		}
		return reachable(ap.Addr())
	}}
	last := fmt.Errorf("look up %s: no address", host)
	for _, a := range addrs {
		conn, err := d.DialContext(ctx, network, net.JoinHostPort(a.String(), port))
		if err == nil {
			return conn, nil
		}
		last = err
	}
	return nil, last
}

// NewClient speaks to addresses that companies name, and refuses what they lead to
// inside of the server's own network, but for the hosts of allow. A request with
// its answer may take so long.
func NewClient(allow []string, within time.Duration) (*http.Client, error) {
	g, err := newGuard(allow, nil)
	if err != nil {
		return nil, err
	}
	return g.client(within), nil
}

// client speaks through the guard: no proxy of the environment, no redirect. A
// request with its answer may take so long.
func (g *guard) client(within time.Duration) *http.Client {
	return &http.Client{
		Timeout:       within,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DialContext: g.dial, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second, MaxIdleConnsPerHost: 2,
			IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 32 << 10, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}},
	}
}
