package wire_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"aval/agent/wire"
)

const pin = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestParseCode(t *testing.T) {
	want := wire.Code{Secret: "7K3M-Q9T0", Server: "https://support.example.com"}
	for _, text := range []string{
		"7K3M-Q9T0@support.example.com", "7k3mq9to@support.example.com\n", " 7K3M Q9TO @ Support.Example.com ",
		"https://support.example.com/join/7K3M-Q9T0", "HTTPS://support.example.com/join/7k3m-q9to",
	} {
		if got, err := wire.ParseCode(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	pinned := wire.Code{Secret: "1111-0000", Server: "https://127.0.0.1:8443", Pin: pin}
	for _, text := range []string{"IL1i-0oO0@127.0.0.1:8443#" + pin, "https://127.0.0.1:8443/join/11110000#" + strings.ToUpper(pin)} {
		if got, err := wire.ParseCode(text); err != nil || got != pinned {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "7K3M-Q9TD", "@host", "7K3M-Q9TD@", "7K3M-Q9TDX@host", "7K3M-Q9T@host", "7U3M-Q9TD@host", "7K3M-Q9TD@host/x",
		"7K3M-Q9TD@user@host", "7K3M-Q9TD@host:0", "7K3M-Q9TD@host:99999", "7K3M-Q9TD@host:", "7K3M-Q9TD@ho st", "7K3M-Q9TD@host?x",
		"http://host/join/7K3M-Q9TD", "https://host/other/7K3M-Q9TD", "https://host/join/7K3M-Q9TD/x", "https://u:p@host/join/7K3M-Q9TD",
		"7K3M-Q9TD@host#sha256:00", "7K3M-Q9TD@host#" + pin + "00", "7K3M-Q9TD@hоst" /* a Cyrillic o */, "７K3M-Q9TD@host",
		"7K3M-Q9TD@[nothing]", strings.Repeat("7", 600),
	} {
		if got, err := wire.ParseCode(text); !errors.Is(err, wire.ErrCode) {
			t.Errorf("%q is taken as %+v (%v)", text, got, err)
		}
	}
}

// What is made can be read again, however it is typed.
func TestCodeRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := wire.Code{Secret: wire.NewSecret(), Server: "https://" + rapid.StringMatching(`[a-z][a-z0-9-]{0,20}(\.[a-z]{2,5})?(:[1-9][0-9]{0,3})?`).Draw(t, "host")}
		if rapid.Bool().Draw(t, "pinned") {
			c.Pin = pin
		}
		for _, text := range []string{c.String(), c.Link(), strings.ToLower(c.String()), strings.Replace(c.String(), "-", "", 1)} {
			if got, err := wire.ParseCode(text); err != nil || got != c {
				t.Fatalf("%q: %+v, %v; want %+v", text, got, err, c)
			}
		}
	})
}

// 40 bits, and each sign of the alphabet comes: with a mask of 15 instead of 31
// in NewSecret, half of them never do.
func TestNewSecret(t *testing.T) {
	seen := map[rune]bool{}
	all := map[string]bool{}
	for range 4000 {
		s := wire.NewSecret()
		if len(s) != 9 || s[4] != '-' || all[s] {
			t.Fatalf("%q", s)
		}
		all[s] = true
		for _, r := range s {
			seen[r] = true
		}
	}
	if len(seen) != 33 { // with the dash
		t.Errorf("%d signs are used", len(seen))
	}
}

// What is taken is in one form only, and says the same when it is read again.
func FuzzParseCode(f *testing.F) {
	f.Add("7K3M-Q9TD@support.example.com")
	f.Add("https://127.0.0.1:8443/join/7K3M-Q9TD#" + pin)
	f.Add("7k3mq9td@[::1]:8443")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := wire.ParseCode(text)
		if err != nil {
			return
		}
		for _, again := range []string{c.String(), c.Link()} {
			if got, err := wire.ParseCode(again); err != nil || got != c {
				t.Fatalf("%q → %+v, then %q → %+v, %v", text, c, again, got, err)
			}
		}
		if strings.ContainsAny(c.Host(), "/@?# \r\n\\%") {
			t.Fatalf("%q: host %q", text, c.Host())
		}
	})
}
