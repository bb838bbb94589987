package strict

import "testing"

func TestDecode(t *testing.T) {
	type value struct{ A int }
	for raw, ok := range map[string]bool{
		`{"A":1}`:          true,
		" {\"A\":1}\n":     true,
		`{}`:               true,
		``:                 false,
		`{"A":1`:           false,
		`{"B":1}`:          false,
		`{"A":"1"}`:        false,
		`{"A":1}{"A":2}`:   false,
		`{"A":1} x`:        false,
		`{"A":1}]`:         false,
		`{"A":1}` + "\x00": false,
	} {
		var v value
		if err := Decode([]byte(raw), &v); (err == nil) != ok {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

func TestServer(t *testing.T) {
	const pin = "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
	for server, ok := range map[string]bool{
		"https://support.example.com":      true,
		"https://support.example.com:8443": true,
		"https://[::1]:8443":               true,
		"https://127.0.0.1":                true,
		"http://support.example.com":       false,
		"https://Support.example.com":      false,
		"https://supрort.example.com":      false, // Cyrillic
		"https://a@support.example.com":    false,
		"https://support.example.com/x":    false,
		"https://support.example.com:":     false,
		"https://support.example.com:0":    false,
		"https://":                         false,
		"":                                 false,
	} {
		if err := Server(server, pin); (err == nil) != ok {
			t.Errorf("%q: %v", server, err)
		}
	}
	for p, ok := range map[string]bool{"": true, pin: true, pin[1:]: false, pin + "0": false, "sha256:zz": false} {
		if err := Server("https://support.example.com", p); (err == nil) != ok {
			t.Errorf("pin %q: %v", p, err)
		}
	}
}
