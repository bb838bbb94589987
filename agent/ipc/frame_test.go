package ipc

import (
	"bytes"
	"testing"
)

// FuzzFrame: no line can do more than be refused, and what is accepted encodes
// to a line that is accepted again.
func FuzzFrame(f *testing.F) {
	for _, s := range []string{`{"id":1,"method":"hello","params":{"version":1,"program":"aval"}}`, `{"id":2,"error":{"code":"refused","message":"m"}}`,
		`{"push":"indicator","data":{"revision":1,"sessions":[]}}`, `{"id":18446744073709551615}`, `{"ID":1}`, `{`, `nul`, "\x00", `{"id":1}{"id":2}`} {
		f.Add([]byte(s + "\n"))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := newReader(bytes.NewReader(raw))
		for {
			fr, err := readFrame(r)
			if err != nil {
				return
			}
			line, err := encodeFrame(fr)
			if err != nil {
				continue // escaping made it too long
			}
			if _, err := readFrame(newReader(bytes.NewReader(line))); err != nil {
				t.Fatalf("own line %q is refused: %v", line, err)
			}
			var p SessionBegin
			_ = Decode(fr.Params, &p)
			var a QuestionAnswer
			_ = Decode(fr.Params, &a)
		}
	})
}
