package wire_test

import (
	"strings"
	"testing"

	"aval/agent/wire"
)

func TestParseTokenFile(t *testing.T) {
	for text, want := range map[string]string{
		`{"server":"https://127.0.0.1:8443","pin":"sha256:00","token":"aval_enrol_x","company":"Example Support"}`: "https://127.0.0.1:8443 aval_enrol_x",
		" aval_enrol_x\n":                      " aval_enrol_x",
		`{"token":"a","more":1}`:               " a",
		"":                                     "",
		"{":                                    "",
		"{}":                                   "",
		"two words":                            "",
		`{"token":"a b"}`:                      "",
		`{"token":"a","server":"https://x\n"}`: "",
		`{"token":"` + strings.Repeat("a", 600) + `"}`: "",
	} {
		got, err := wire.ParseTokenFile([]byte(text))
		if (err == nil) != (want != "") || err == nil && got.Server+" "+got.Token != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

// FuzzTokenFile: what is taken holds a token of printable characters alone.
func FuzzTokenFile(f *testing.F) {
	f.Add([]byte(`{"server":"https://127.0.0.1:8443","token":"aval_enrol_x"}`))
	f.Add([]byte("aval_enrol_x"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := wire.ParseTokenFile(raw)
		if err != nil {
			return
		}
		if got.Token == "" || strings.ContainsFunc(got.Token+got.Server+got.Pin, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("%q was taken: %+v", raw, got)
		}
	})
}
