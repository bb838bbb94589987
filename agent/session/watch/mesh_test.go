package watch

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// framed puts the lengths before messages.
func framed(messages ...string) []byte {
	var b []byte
	for _, m := range messages {
		b = append(binary.LittleEndian.AppendUint32(b, uint32(len(m)+4)), m...)
	}
	return b
}

// heardOf is what a stream of messages says, a line for each change, and how it
// ends.
func heardOf(r io.Reader) (lines []string, err error) {
	var s meshState
	for {
		body, err := readMeshFrame(r)
		if err != nil {
			return lines, err
		}
		m, err := parseMesh(body)
		if err != nil {
			return lines, err
		}
		if m.sessions == nil {
			continue
		}
		for _, c := range s.to(m.sessions) {
			if c.terminal {
				lines = append(lines, fmt.Sprintf("%s terminals %d to %d", meshName(c.user), c.was, c.now))
			} else {
				lines = append(lines, fmt.Sprintf("%s %v", meshName(c.user), c.kinds))
			}
		}
	}
}

func state(kinds string) string { return `{"cmd":"sessions","sessions":{` + kinds + `}}` }

// TestMeshReplay: what the real agent said, whole and in pieces of one byte.
// Planted once and caught here: the length taken as that of the JSON alone.
func TestMeshReplay(t *testing.T) {
	stream := framed(strings.Split(strings.TrimSpace(sample(t, "meshagent.jsonl")), "\n")...)
	want := []string{"admin terminals 0 to 1", "admin terminals 1 to 0", "admin [view control]", "admin []", "admin [files]", "admin []"}
	for name, r := range map[string]io.Reader{"whole": bytes.NewReader(stream), "a byte at a time": iotest.OneByteReader(bytes.NewReader(stream))} {
		if got, err := heardOf(r); !slices.Equal(got, want) || err != io.EOF {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// TestMeshState: users and kinds kept apart. Planted once and caught here: what
// begins is told before what ends; a kind that is no longer named goes on.
func TestMeshState(t *testing.T) {
	for name, tt := range map[string]struct {
		messages, want []string
		ends           string // part of the error; empty: the stream's end
	}{
		"desktop and files are one": {[]string{state(`"desktop":{"user//ana":1}`), state(`"desktop":{"user//ana":1},"files":{"user//ana":1}`), state(`"files":{"user//ana":1}`)},
			[]string{"ana [view control]", "ana [view control files]", "ana [files]"}, ""},
		"two users, one after the other": {[]string{state(`"desktop":{"user//ana":1}`), state(`"desktop":{"user//rui":1}`)}, []string{"ana [view control]", "ana []", "rui [view control]"}, ""},
		"a second window of one user":    {[]string{state(`"desktop":{"user//ana":1}`), state(`"desktop":{"user//ana":2}`), state(`"desktop":{"user//ana":1}`)}, []string{"ana [view control]"}, ""},
		"a count of none":                {[]string{state(`"desktop":{"user//ana":0}`)}, nil, ""},
		"two terminals":                  {[]string{state(`"terminal":{"user//ana":1}`), state(`"terminal":{"user//ana":2,"user//rui":1}`)}, []string{"ana terminals 0 to 1", "ana terminals 1 to 2", "rui terminals 0 to 1"}, ""},
		"what is no session":             {[]string{state(`"tcp":{"user//ana":1},"udp":{"user//ana":1},"msg":{"0":{"msg":"x"}},"new":[1]`)}, nil, ""},
		"unknown messages":               {[]string{`{"cmd":"amtstate","value":{}}`, `{}`, `{"cmd":"sessions"}`, `{"cmd":7}`}, nil, "cannot unmarshal"},
		"no JSON":                        {[]string{"{terminal}"}, nil, "invalid character"},
		"a kind that is no list":         {[]string{state(`"desktop":["user//ana"]`)}, nil, "desktop users"},
		"a count that is none":           {[]string{state(`"desktop":{"user//ana":"1"}`)}, nil, "desktop users"},
		"a count below zero":             {[]string{state(`"terminal":{"user//ana":-1}`)}, nil, "-1 connections"},
		"a count without end":            {[]string{state(`"terminal":{"user//ana":1000000000}`)}, nil, "connections"},
		"an id without end":              {[]string{state(`"files":{"` + strings.Repeat("a", maxMeshUser+1) + `":1}`)}, nil, "513 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := heardOf(bytes.NewReader(framed(tt.messages...)))
			if !slices.Equal(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
			if tt.ends == "" && err != io.EOF || tt.ends != "" && !strings.Contains(err.Error(), tt.ends) {
				t.Errorf("it ends with %v", err)
			}
		})
	}
	var many []string
	for i := range maxMeshUsers + 1 {
		many = append(many, fmt.Sprintf(`"user//u%d":1`, i))
	}
	if _, err := heardOf(bytes.NewReader(framed(state(`"files":{` + strings.Join(many, ",") + `}`)))); !strings.Contains(err.Error(), "65 at once") {
		t.Error(err)
	}
}

// TestMeshFrame: a length is checked before anything is kept for it, and a
// message that breaks off is none. Planted once: no upper bound.
func TestMeshFrame(t *testing.T) {
	for name, stream := range map[string][]byte{
		"shorter than itself": {3, 0, 0, 0, '{', '}'},
		"empty":               {4, 0, 0, 0},
		"huge":                {0xff, 0xff, 0xff, 0xff, '{'},
		"a little too long":   append(binary.LittleEndian.AppendUint32(nil, maxMeshFrame+1), bytes.Repeat([]byte{' '}, maxMeshFrame)...),
	} {
		if _, err := readMeshFrame(bytes.NewReader(stream)); err == nil || !strings.Contains(err.Error(), errMeshFrame.Error()) {
			t.Errorf("%s: %v", name, err)
		}
	}
	whole := framed(`{"cmd":"x"}`)
	for n := 1; n < len(whole); n++ {
		if body, err := readMeshFrame(bytes.NewReader(whole[:n])); err == nil || err == io.EOF {
			t.Errorf("%d of %d bytes: %q, %v", n, len(whole), body, err)
		}
	}
	if got := meshFrame("register", "aval"); !bytes.Equal(got, framed(`{"cmd":"register","value":"aval"}`)) {
		t.Errorf("%q", got)
	}
}

func TestMeshName(t *testing.T) {
	for id, want := range map[string]string{
		"user//admin":                      "admin",
		"user/lab/ana":                     "ana@lab",
		"user//~oidc:ana@example.com":      "~oidc:ana@example.com",
		"user//a/b":                        "a/b",
		"user//ana/guest:UnVpIFNhbnRvcw==": "Rui Santos (ana)",
		"user//ana/guest:!":                "ana",
		"x":                                "x",
		"":                                 "",
	} {
		if got := meshName(id); got != want {
			t.Errorf("%q: %q, want %q", id, got, want)
		}
	}
}

// FuzzMesh: whatever comes over the socket, which anybody may listen on, nothing
// is kept beyond the bounds, and a user's connections end only after they have begun.
func FuzzMesh(f *testing.F) {
	lines := strings.Split(strings.TrimSpace(sample(f, "meshagent.jsonl")), "\n")
	f.Add(framed(lines...))
	for _, l := range lines {
		f.Add(framed(l))
	}
	f.Add(framed(state(`"desktop":{"user//ana":1,"user//ana":0}`), state(`"terminal":{"":1}`)))
	f.Fuzz(func(t *testing.T, stream []byte) {
		var s meshState
		desk, terms := map[string]bool{}, map[string]int{}
		r := bytes.NewReader(stream)
		for {
			body, err := readMeshFrame(r)
			if err != nil {
				return
			}
			if len(body) > maxMeshFrame {
				t.Fatalf("%d bytes", len(body))
			}
			m, err := parseMesh(body)
			if err != nil || m.sessions == nil {
				continue
			}
			for _, c := range s.to(m.sessions) {
				_ = meshName(c.user)
				switch {
				case c.terminal:
					if c.was != terms[c.user] || c.now == c.was || c.now < 0 || c.now > maxMeshCount {
						t.Fatalf("%+v after %d", c, terms[c.user])
					}
					terms[c.user] = c.now
				case len(c.kinds) == 0 && !desk[c.user]:
					t.Fatalf("%+v ends before it began", c)
				default:
					desk[c.user] = len(c.kinds) > 0
				}
			}
		}
	})
}

// TestMeshPipe: the pipe's name comes from what the installer keeps, and from nothing
// that is of another form.
func TestMeshPipe(t *testing.T) {
	raw := bytes.Repeat([]byte{0xFB, 0xEF, 0xFF}, 16)
	node := strings.NewReplacer("+", "@", "/", "$").Replace(base64.StdEncoding.EncodeToString(raw))
	if !strings.ContainsAny(node, "@") || !strings.ContainsAny(node, "$") {
		t.Fatal(node)
	}
	if p, ok := meshPipe(node); !ok || p != `\\.\pipe\`+strings.Repeat("FBEFFF", 16)+"-DAIPC" {
		t.Errorf("%q, %v", p, ok)
	}
	for _, bad := range []string{"", "short", node[:8], node + node, `..\..\x`, node[:63] + "!"} {
		if p, ok := meshPipe(bad); ok {
			t.Errorf("%q: %q", bad, p)
		}
	}
}
