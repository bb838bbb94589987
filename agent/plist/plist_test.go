package plist

import (
	"bytes"
	"testing"
	"time"
)

// binaryDate is a binary list of one date: seconds since 2001, then where the one
// object lies, then the trailer.
func binaryDate(bits ...byte) []byte {
	out := append([]byte("bplist00\x33"), bits...)
	out = append(out, 8) // the offset of the object
	trailer := make([]byte, 32)
	trailer[6], trailer[7], trailer[15], trailer[31] = 1, 1, 1, byte(len(out)-1)
	return append(out, trailer...)
}

// TestDates: a date is read where it is asked for, and refused elsewhere: a policy
// has none. Planted and seen caught: kinds not looked at in either form.
func TestDates(t *testing.T) {
	hour := binaryDate(0x40, 0xAC, 0x20, 0, 0, 0, 0, 0) // 3600.0
	for name, tt := range map[string]struct {
		raw  []byte
		want time.Time
	}{
		"XML":    {[]byte(`<plist version="1.0"><date>2026-02-14T10:30:12Z</date></plist>`), time.Date(2026, 2, 14, 10, 30, 12, 0, time.UTC)},
		"binary": {hour, time.Date(2001, 1, 1, 1, 0, 0, 0, time.UTC)},
	} {
		v, err := Decode(tt.raw, Dates)
		if at, ok := v.(time.Time); err != nil || !ok || !at.Equal(tt.want) {
			t.Errorf("%s: %v, %v", name, v, err)
		}
		if v, err := Decode(tt.raw, Plain); err == nil {
			t.Errorf("%s, not asked for: %v", name, v)
		}
	}
	for name, raw := range map[string][]byte{
		"no date":         []byte(`<plist version="1.0"><date>today</date></plist>`),
		"not a number":    binaryDate(0x7F, 0xF8, 0, 0, 0, 0, 0, 1),
		"out of all time": binaryDate(0x7F, 0xEF, 0xFF, 0, 0, 0, 0, 0),
		"a short date":    bytes.Replace(hour, []byte{0x33}, []byte{0x32}, 1),
	} {
		if v, err := Decode(raw, Dates); err == nil {
			t.Errorf("%s: %v", name, v)
		}
	}
}

// FuzzDecode: no property list ends the program or takes more than bounded time.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`<plist version="1.0"><array><date>2026-02-14T10:30:12Z</date><dict><key>a</key><true/></dict></array></plist>`))
	f.Add(binaryDate(0x40, 0xAC, 0x20, 0, 0, 0, 0, 0))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if v, err := Decode(raw, Dates); err == nil && v == nil {
			t.Error("nothing, and no error")
		}
	})
}
