package integration_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"aval/summarizer/integration"
	"aval/summarizer/store"
	"aval/summarizer/store/storetest"
)

// inside are ways to write an address of the server's own network, with what a
// resolver that means well, or ill, says of the names among them. They are from
// the lists that testers of such guards use.
var inside = []struct{ url, resolves string }{
	// Loopback, as it is written usually and unusually.
	{"https://127.0.0.1:%d/", ""}, {"https://localhost:%d/", "127.0.0.1"}, {"https://LOCALHOST:%d/", "127.0.0.1"}, {"https://localhost.:%d/", "127.0.0.1"},
	{"https://a.localhost:%d/", "127.0.0.1"}, {"https://127.1:%d/", "127.0.0.1"}, {"https://127.0.1:%d/", "127.0.0.1"}, {"https://2130706433:%d/", "127.0.0.1"},
	{"https://0x7f000001:%d/", "127.0.0.1"}, {"https://0x7f.1:%d/", "127.0.0.1"}, {"https://0x7f.0.0.0x1:%d/", "127.0.0.1"}, {"https://0177.0.0.1:%d/", "127.0.0.1"},
	{"https://0177.1:%d/", "127.0.0.1"}, {"https://017700000001:%d/", "127.0.0.1"}, {"https://127.000.000.001:%d/", "127.0.0.1"}, {"https://127.0.0.1.:%d/", "127.0.0.1"},
	{"https://127.127.127.127:%d/", ""}, {"https://0.0.0.0:%d/", ""}, {"https://0:%d/", "0.0.0.0"}, {"https://0.0.0.0.:%d/", "0.0.0.0"},
	{"https://１２７.0.0.1:%d/", "127.0.0.1"}, {"https://①②⑦.⓪.⓪.①:%d/", "127.0.0.1"}, {"https://127。0。0。1:%d/", "127.0.0.1"}, {"https://ⓛocalhost:%d/", "127.0.0.1"},
	{"https://%%31%%32%%37.0.0.1:%d/", "127.0.0.1"}, {"https://127.0.0.1%%00.example.com:%d/", "127.0.0.1"}, {"https://127.0.0.1%%2f@example.com:%d/", "127.0.0.1"},
	// IPv6, and IPv4 inside of it.
	{"https://[::1]:%d/", ""}, {"https://[0:0:0:0:0:0:0:1]:%d/", ""}, {"https://[0000::0001]:%d/", ""}, {"https://[::]:%d/", ""}, {"https://[::ffff:127.0.0.1]:%d/", ""},
	{"https://[::ffff:7f00:1]:%d/", ""}, {"https://[::127.0.0.1]:%d/", ""}, {"https://[64:ff9b::127.0.0.1]:%d/", ""}, {"https://[64:ff9b::7f00:1]:%d/", ""},
	{"https://[64:ff9b:1::7f00:1]:%d/", ""}, {"https://[2002:7f00:1::]:%d/", ""}, {"https://[2001:0:7f00:1::]:%d/", ""}, {"https://[fe80::1]:%d/", ""}, {"https://[fe80::1%%25lo]:%d/", ""},
	{"https://[::1%%25lo]:%d/", ""}, {"https://[fc00::1]:%d/", ""}, {"https://[fd00:ec2::254]:%d/", ""}, {"https://[fec0::1]:%d/", ""}, {"https://[ff02::1]:%d/", ""},
	// Networks that are not public.
	{"https://10.0.0.1:%d/", ""}, {"https://172.16.0.1:%d/", ""}, {"https://172.31.255.255:%d/", ""}, {"https://192.168.1.1:%d/", ""}, {"https://100.64.0.1:%d/", ""},
	{"https://198.18.0.1:%d/", ""}, {"https://192.0.0.8:%d/", ""}, {"https://224.0.0.1:%d/", ""}, {"https://255.255.255.255:%d/", ""}, {"https://240.0.0.1:%d/", ""},
	// The clouds' metadata.
	{"https://169.254.169.254:%d/latest/meta-data/", ""}, {"https://2852039166:%d/", "169.254.169.254"}, {"https://0xa9fea9fe:%d/", "169.254.169.254"},
	{"https://metadata.google.internal:%d/", "169.254.169.254"}, {"https://[::ffff:a9fe:a9fe]:%d/", ""}, {"https://100.100.100.200:%d/", ""},
	// Names of anybody's that mean it.
	{"https://rebind.example.com:%d/", "127.0.0.1"}, {"https://six.example.com:%d/", "::1"}, {"https://mapped.example.com:%d/", "::ffff:127.0.0.1"},
	{"https://private.example.com:%d/", "10.1.2.3"}, {"https://zone.example.com:%d/", "fe80::1%lo"}, {"https://nat.example.com:%d/", "64:ff9b::a00:1"},
	{"https://printer.local:%d/", "192.168.1.9"}, {"https://intranet:%d/", "10.0.0.9"}, {"https://db.corp:%d/", "10.0.0.9"},
	// Not what it seems to be.
	{"http://example.com:%d/", "127.0.0.1"}, {"https://example.com@127.0.0.1:%d/", ""}, {"https://127.0.0.1:%d#@example.com/", ""}, {"https://127.0.0.1\\@example.com:%d/", "127.0.0.1"},
	{"https:127.0.0.1:%d/", ""}, {"https:///127.0.0.1:%d/", ""}, {"//127.0.0.1:%d/", ""}, {"gopher://127.0.0.1:%d/", ""}, {"file:///etc/passwd?%d", ""}, {"ftp://127.0.0.1:%d/", ""},
	{"unix:///run/aval.sock?%d", ""}, {"https://[::1]@example.com:%d/", "127.0.0.1"}, {"https://example.com\r\nHost: 127.0.0.1:%d/", ""}, {"HTTPS://127.0.0.1:%d/", ""},
}

// No spelling of an address inside reaches a server that listens there, neither
// when it is entered nor when it is dialled; the same holds for what was entered
// while the name still meant another address. Planted and seen: without the check
// in Control, the six names are dialled and two connections come through.
func TestInsideIsNotReached(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var reached atomic.Int64
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			reached.Add(1)
			_ = c.Close()
		}
	}()
	port := l.Addr().(*net.TCPAddr).Port
	if len(inside) < 60 {
		t.Fatalf("only %d spellings", len(inside))
	}
	refusedEarly := 0
	h := open(t)
	for _, in := range inside {
		address := fmt.Sprintf(in.url, port)
		looked := false
		hub, err := integration.New(h.db, integration.Options{Now: h.clock.now, Log: slog.New(slog.DiscardHandler), Lookup: func(_ context.Context, host string) ([]netip.Addr, error) {
			looked = true
			if in.resolves == "" {
				return nil, fmt.Errorf("no such host")
			}
			return []netip.Addr{netip.MustParseAddr(in.resolves)}, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		h.hub, h.co = hub, hub.Of("c1", "user:u1")
		e, _, err := h.co.Create(t.Context(), integration.Endpoint{Kind: store.Webhook, Name: "x", Config: integration.Config{URL: address}, Events: []string{store.SessionStarted}, Enabled: true}, integration.Secrets{})
		if err != nil {
			if !errors.Is(err, integration.ErrWrong) || !errors.Is(err, integration.ErrForbidden) {
				t.Errorf("%q: refused for another reason: %v", address, err)
			}
			refusedEarly++
			continue
		}
		if err := h.co.Ping(t.Context(), e.ID); err != nil {
			t.Fatal(err)
		}
		h.work()
		d := h.deliveries()[0]
		if !looked || d.State != store.JobFailed || !strings.Contains(d.LastError, integration.ErrForbidden.Error()) {
			t.Errorf("%q: looked %v, %s %q", address, looked, d.State, d.LastError)
		}
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("%d connections came through", n)
	}
	t.Logf("%d spellings: %d refused as they are written, %d when they were dialled", len(inside), refusedEarly, len(inside)-refusedEarly)
}

// Addresses of the public Internet are taken, and one inside where whoever runs
// the server has named its host; but nothing link-local even then.
func TestWhatIsAllowed(t *testing.T) {
	h := open(t)
	for address, ok := range map[string]bool{
		"https://hooks.example.com/a/b?c=d": true,
		"https://hooks.example.com:8443":    true,
		"https://93.184.215.14/":            true,
		"https://[2606:2800:21f::1]/x":      true,
		"http://127.0.0.1:9/x":              true, // named by open
		"http://127.0.0.2:9/x":              false,
	} {
		_, _, err := h.co.Create(t.Context(), integration.Endpoint{Kind: store.Webhook, Name: "x", Config: integration.Config{URL: address}, Events: []string{store.SessionStarted}}, integration.Secrets{})
		if (err == nil) != ok {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := integration.New(h.db, integration.Options{Allow: []string{"https://x"}}); err == nil {
		t.Error("--allow-host takes what is no host")
	}
	hub, err := integration.New(h.db, integration.Options{Allow: []string{"meta.example.com"}, Now: h.clock.now, Log: slog.New(slog.DiscardHandler),
		Lookup: func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("169.254.169.254")}, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	h.hub = hub
	e, _, err := hub.Of("c1", "user:u1").Create(t.Context(), integration.Endpoint{Kind: store.Webhook, Name: "x", Config: integration.Config{URL: "http://meta.example.com/"}, Events: []string{store.SessionStarted}, Enabled: true}, integration.Secrets{})
	if err != nil {
		t.Fatal(err)
	}
	if err := hub.Of("c1", "user:u1").Ping(t.Context(), e.ID); err != nil {
		t.Fatal(err)
	}
	h.work()
	if d := h.deliveries()[0]; d.State != store.JobFailed || !strings.Contains(d.LastError, "not allowed") {
		t.Errorf("%+v", d)
	}
}

// A redirect is not followed, wherever it leads.
func TestNoRedirect(t *testing.T) {
	h := open(t)
	other := newHook(t, nil)
	hook := newHook(t, func(_ int, w http.ResponseWriter) {
		w.Header().Set("Location", other.URL)
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	e, _ := h.create(store.Webhook, integration.Config{URL: hook.URL}, integration.Secrets{}, store.SessionStarted)
	if err := h.co.Ping(t.Context(), e.ID); err != nil {
		t.Fatal(err)
	}
	h.work()
	h.clock.add(time.Second)
	if len(other.all()) != 0 || !strings.Contains(h.deliveries()[0].LastError, "redirects are not followed") {
		t.Errorf("%d, %+v", len(other.all()), h.deliveries())
	}
}

func FuzzAddress(f *testing.F) {
	for _, in := range inside {
		f.Add(strings.ReplaceAll(in.url, "%d", "1"))
	}
	db, err := store.Open(f.Context(), storetest.Dir(f))
	if err != nil {
		f.Fatal(err)
	}
	defer db.Close()
	hub, err := integration.New(db, integration.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := hub.CheckURL(raw)
		if err != nil {
			return
		}
		if u.Scheme != "https" || u.User != nil || u.Fragment != "" || strings.Contains(u.Host, "@") {
			t.Fatalf("taken: %q", raw)
		}
		if a, err := netip.ParseAddr(u.Hostname()); err == nil && (a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.Unmap().IsLoopback() || a.Unmap().IsPrivate()) {
			t.Fatalf("taken: %q", raw)
		}
	})
}
