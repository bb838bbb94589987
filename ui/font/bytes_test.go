package font

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// collection is a file of two fonts with one table each, at the place table.
func collection(table int) []byte {
	var b bytes.Buffer
	u := func(values ...any) {
		for _, v := range values {
			_ = binary.Write(&b, binary.BigEndian, v)
		}
	}
	u([]byte("ttcf"), uint32(0x10000), uint32(2), uint32(20), uint32(48))
	for i := range 2 {
		u(uint32(0x10000), uint16(1), [6]byte{}, []byte{'t', 'b', 'l', byte('0' + i)}, uint32(0), uint32(table), uint32(4))
	}
	u([]byte("data"))
	return b.Bytes()
}

func TestSingle(t *testing.T) {
	for i := range 2 {
		file := collection(76)
		if err := single(file, i); err != nil {
			t.Fatal(err)
		}
		if got := string(file[12:16]); got != "tbl"+string(rune('0'+i)) {
			t.Errorf("font %d has the table %q", i, got)
		}
	}
	for name, c := range map[string]struct {
		file  []byte
		index int
	}{
		"no such font":             {collection(76), 2},
		"negative":                 {collection(76), -1},
		"cut in the header":        {collection(76)[:15], 0},
		"cut in the directory":     {collection(76)[:30], 0},
		"a table in the way":       {collection(20), 1},
		"shorter than any header":  {[]byte("ttcf"), 0},
		"directory beyond the end": {collection(76)[:50], 1},
	} {
		if single(c.file, c.index) == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestAligned reads a font whose tables begin at odd places, in pieces of each size.
func TestAligned(t *testing.T) {
	file := []byte{0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0}
	entry := func(tag string, at, size uint32) {
		file = append(file, tag...)
		for _, v := range []uint32{0, at, size} {
			file = binary.BigEndian.AppendUint32(file, v)
		}
	}
	entry("aaaa", 45, 3)
	entry("bbbb", 49, 5)
	file = append(file, "-123-45678"...)
	a, err := newAligned(bytes.NewReader(file), 0)
	if err != nil {
		t.Fatal(err)
	}
	whole := make([]byte, a.size)
	if n, err := a.ReadAt(whole, 0); n != len(whole) || err != nil {
		t.Fatal(n, err)
	}
	if got := string(whole[44:]); got != "123\x0045678\x00\x00\x00" {
		t.Errorf("the tables are %q", got)
	}
	for size := 1; size <= len(whole); size++ {
		for at := range whole {
			p := bytes.Repeat([]byte{'x'}, size)
			n, _ := a.ReadAt(p, int64(at))
			if want := whole[at:min(len(whole), at+size)]; !bytes.Equal(p[:n], want) {
				t.Fatalf("%d bytes at %d: %q, want %q", size, at, p[:n], want)
			}
		}
	}
	for name, f := range map[string][]byte{
		"empty": nil, "no tables": make([]byte, 20), "cut": file[:20],
		"collection without fonts": []byte("ttcf\x00\x01\x00\x00\x00\x00\x00\x00"),
	} {
		if _, err := newAligned(bytes.NewReader(f), 0); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
