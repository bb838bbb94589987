package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args  string
		code  int
		out   string
		error string
	}{
		{"--help", 0, "usage: aval-ui", ""},
		{"consent --help", 0, "usage: aval-ui", ""},
		{"settings --help", 0, "aval-ui settings", ""},
		{"settings --version", 0, "aval-ui ", ""},
		{"settings --question q", 2, "", "-question"},
		{"settings now", 2, "", `unexpected argument "now"`},
		{"--version", 0, "aval-ui ", ""},
		{"consent --version", 0, "aval-ui ", ""},
		{"activity --help", 0, "usage: aval-ui", ""},
		{"activity --version", 0, "aval-ui ", ""},
		{"activity x11vnc/1", 2, "", `unexpected argument "x11vnc/1"`},
		{"--session s", 2, "", "-session"},
		{"join", 2, "", "a code is read from standard input"},
		{"join 7K3M-Q9TD@support.example.com", 2, "", "a code is read from standard input"},
		{"join - 7K3M-Q9TD@support.example.com", 2, "", "a code is read from standard input"},
		{"join -", 2, "", "it is empty"},
		{"join --help", 0, "aval-ui join -", ""},
		{"consent", 2, "", "--question is missing"},
		{"consent --question q --nonce n", 2, "", "-nonce"},
		{"--question q", 2, "", "-question"},
		{"something", 2, "", `unexpected argument "something"`},
		{"--no-such-flag", 2, "", "no-such-flag"},
	} {
		var out, errs bytes.Buffer
		if code := run(strings.Fields(c.args), strings.NewReader(""), &out, &errs); code != c.code {
			t.Errorf("%s: exit status %d, want %d", c.args, code, c.code)
		}
		if !strings.Contains(out.String(), c.out) || !strings.Contains(errs.String(), c.error) {
			t.Errorf("%s: said %q and %q", c.args, out.String(), errs.String())
		}
	}
}

func TestParseNonce(t *testing.T) {
	for in, want := range map[string]string{
		"abc": "abc", "abc\n": "abc", " abc \r\nrest": "abc",
		"": "", "\n": "", "\nabc": "", strings.Repeat("x", 257): "",
		strings.Repeat("x", 256): strings.Repeat("x", 256),
	} {
		got, err := parseNonce(strings.NewReader(in))
		if got != want || (err == nil) != (want != "") {
			t.Errorf("parseNonce(%q) is %q, %v", in, got, err)
		}
	}
}
