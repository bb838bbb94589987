package store

import (
	"net/url"
	"strings"
	"testing"
)

// A connection to another computer is encrypted and its certificate checked,
// unless the address says otherwise. Planted: without it the driver's "prefer"
// took a plain connection.
func TestEncrypted(t *testing.T) {
	t.Setenv("PGSSLMODE", "")
	for address, want := range map[string]bool{
		"postgres://u@db.example.com/x":                               true,
		"postgres://u@db.example.com:5433/x?application_name=y":       true,
		"postgres://u@127.0.0.1,db.example.com:5432/x":                true,
		"postgres://u@[2001:db8::1]:5432/x":                           true,
		"postgres://u@/x?host=db.example.com":                         true,
		"postgres://u@127.0.0.1/x":                                    false,
		"postgres://u@[::1]:5432/x":                                   false,
		"postgres://u@localhost/x":                                    false,
		"postgres://u@/x?host=/run/postgresql":                        false,
		"postgres://u@db.example.com/x?sslmode=disable":               false,
		"postgres://u@db.example.com/x?sslmode=require":               false, // as it says
		"postgres://u@db.example.com/x?sslmode=verify-ca&sslcert=c.p": false,
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(encrypted(u), "sslmode=verify-full"); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
}
