package wire_test

import (
	"strings"
	"testing"

	"aval/agent/wire"
)

// A server's address is taken in one form. Planted: without strict.Host, five of
// the bad ones were taken.
func TestParseServer(t *testing.T) {
	pin := "sha256:" + strings.Repeat("ab", 32)
	for in, want := range map[string][2]string{
		"https://support.example.com":                {"https://support.example.com", ""},
		" HTTPS://Support.example.com:8443/ ":        {"https://support.example.com:8443", ""},
		"https://127.0.0.1:8443#" + pin:              {"https://127.0.0.1:8443", pin},
		"https://[::1]:8443#" + strings.ToUpper(pin): {"https://[::1]:8443", pin},
	} {
		if server, p, err := wire.ParseServer(in); err != nil || server != want[0] || p != want[1] {
			t.Errorf("%q: %q %q %v", in, server, p, err)
		}
	}
	for _, in := range []string{"", "support.example.com", "https://suppоrt.example.com", "https://a@b", "https://a/b", "https://a#x", "https://a:0", "http://a", "https://a?b"} {
		if server, _, err := wire.ParseServer(in); err == nil {
			t.Errorf("%q: %q", in, server)
		}
	}
}

func FuzzParseServer(f *testing.F) {
	f.Add("https://support.example.com:8443#sha256:00")
	f.Fuzz(func(t *testing.T, in string) {
		server, pin, err := wire.ParseServer(in)
		if err != nil {
			return
		}
		tail := ""
		if pin != "" {
			tail = "#" + pin
		}
		if s, p, err := wire.ParseServer(server + tail); err != nil || s != server || p != pin {
			t.Errorf("%q: %q %q, then %q %q %v", in, server, pin, s, p, err)
		}
	})
}
