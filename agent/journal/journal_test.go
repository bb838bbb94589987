package journal

import (
	"testing"
	"time"
)

// TestDecode: the forms that journalctl(1) names for -o json. Fault planted once:
// the first of several values was taken; a program could hide one behind another.
func TestDecode(t *testing.T) {
	const head = `{"__REALTIME_TIMESTAMP":"1795380001578286","__CURSOR":"s=1;i=3","_UID":"1000","_PID":"77",`
	for name, tt := range map[string]struct{ line, message string }{
		"text":           {head + `"MESSAGE":"Client connected: a@example.com/x"}`, "Client connected: a@example.com/x"},
		"several values": {head + `"MESSAGE":["one","two"]}`, ""},
		"not text":       {head + `"MESSAGE":[67,108,255]}`, ""},
		"too long":       {head + `"MESSAGE":null}`, ""},
	} {
		e, err := Decode([]byte(tt.line))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		uid, ok := e.UID()
		if e.Fields["MESSAGE"] != tt.message || uid != 1000 || !ok || e.PID() != 77 || e.Cursor != "s=1;i=3" || !e.At.Equal(time.UnixMicro(1795380001578286)) {
			t.Errorf("%s: %+v", name, e)
		}
	}
	for _, line := range []string{``, `{`, `[]`, `{}`, `{"MESSAGE":"x"}`, `{"__REALTIME_TIMESTAMP":"-1"}`, `{"__REALTIME_TIMESTAMP":"soon"}`} {
		if e, err := Decode([]byte(line)); err == nil {
			t.Errorf("%q: %+v", line, e)
		}
	}
	for _, uid := range []string{`"_UID":"-1"`, `"_UID":["0","1000"]`, `"UID":"0"`} {
		e, err := Decode([]byte(`{"__REALTIME_TIMESTAMP":"1",` + uid + `}`))
		if _, ok := e.UID(); err != nil || ok {
			t.Errorf("%s: %+v, %v", uid, e, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"__REALTIME_TIMESTAMP":"1795380001578286","_UID":"0","MESSAGE":[1,2],"_PID":"9"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		e, err := Decode(line)
		if err != nil {
			return
		}
		if e.At.IsZero() || e.PID() < 0 || len(e.Fields) > maxFields {
			t.Errorf("%+v", e)
		}
	})
}
