// Package journal reads systemd's journal through journalctl, whose output is
// documented; the files' own format is not for others.
//
// The one rule that must not be broken: only fields that begin with an underscore
// are the journal's own words (systemd.journal-fields(7)); everything else was
// written by the program, and by any program.
package journal

import (
	"encoding/json"
	"errors"
	"strconv"
	"time"
)

// maxEntry is the largest entry that is read, in bytes of JSON. journalctl leaves
// out fields of more than 4096 bytes (journalctl(1), -o json), so that larger ones
// are nobody's lines.
const maxEntry = 256 << 10

// maxFields bounds the fields of one entry.
const maxFields = 256

// Entry is one entry of the journal.
type Entry struct {
	At     time.Time // when the journal took it
	Cursor string    // its place
	// Fields are the others, by name. One that was written several times, or is
	// not text, is left out.
	Fields map[string]string
}

// UID is whose process wrote the entry, as the kernel told the journal.
func (e Entry) UID() (uint32, bool) {
	n, err := strconv.ParseUint(e.Fields["_UID"], 10, 32)
	return uint32(n), err == nil
}

// PID is the process that wrote it, likewise; 0: not known.
func (e Entry) PID() int {
	n, err := strconv.ParseInt(e.Fields["_PID"], 10, 32)
	if err != nil || n < 1 {
		return 0
	}
	return int(n)
}

var errEntry = errors.New("not an entry of the journal")

// Decode reads one line of journalctl --output=json (journalctl(1)): an object
// whose values are strings; lists where a field has several values or is not
// text; null where it is too long.
func Decode(line []byte) (Entry, error) {
	if len(line) > maxEntry {
		return Entry{}, errEntry
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(line, &raw); err != nil || len(raw) > maxFields {
		return Entry{}, errEntry
	}
	e := Entry{Fields: make(map[string]string, len(raw))}
	for name, v := range raw {
		var s string
		if len(v) == 0 || v[0] != '"' || json.Unmarshal(v, &s) != nil {
			continue
		}
		e.Fields[name] = s
	}
	us, err := strconv.ParseInt(e.Fields["__REALTIME_TIMESTAMP"], 10, 64) // µs since 1970
	if err != nil || us < 0 {
		return Entry{}, errEntry
	}
	e.At, e.Cursor = time.UnixMicro(us).UTC(), e.Fields["__CURSOR"]
	return e, nil
}
