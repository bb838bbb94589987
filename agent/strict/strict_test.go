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

// TestOnce: a name stands once in an object, however deep; elsewhere it may come again.
// Let a value's own names count for the object around it, and it fails.
func TestOnce(t *testing.T) {
	for raw, ok := range map[string]bool{
		`{"a":1,"b":{"a":2,"c":[{"a":3},{"a":4}]}}`: true,
		`{"a":"b","b":"a","c":["a","a"]}`:           true,
		`{"a":{"b":1},"b":{}}`:                      true,
		`{}`:                                        true,
		`7`:                                         true,
		`{"a":1,"a":1}`:                             false,
		`{"a":1,"b":2,"A":3}`:                       false,
		`{"\u0061":1,"a":2}`:                        false,
		`{"a":[],"a":{}}`:                           false,
		`[{"b":{"a":{},"a":{}}}]`:                   false,
		`{"k":1,"\u212a":2}`:                        false, // the sign of Kelvin is a k to encoding/json
	} {
		if err := Once([]byte(raw)); (err == nil) != ok {
			t.Errorf("%s: %v", raw, err)
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
