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
