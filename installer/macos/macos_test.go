package macos

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"crypto/sha1"
	"crypto/sha256"
	"debug/macho"
	"encoding/binary"
	"encoding/xml"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"aval/agent/service"
)

var at = time.Unix(1_700_000_000, 0)

// options are those of a package whose programs are short texts.
func options() Options {
	return Options{Version: "1.2.3-rc.1", At: at, Texts: map[string][]byte{"LICENSE": []byte("a licence\n")},
		Programs: []Program{{"aval", []byte("one program")}, {"aval-desktop", []byte("another")}}}
}

func packed(t *testing.T, o Options) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// unpacked reads a xar archive by itself: every sum is recomputed.
func unpacked(t *testing.T, raw []byte) map[string][]byte {
	t.Helper()
	n := binary.BigEndian.Uint64(raw[8:])
	if string(raw[:8]) != "xar!\x00\x1c\x00\x01" || binary.BigEndian.Uint32(raw[24:]) != 1 {
		t.Fatalf("header %x", raw[:28])
	}
	table, heap := raw[28:28+n], raw[28+n:]
	z, err := zlib.NewReader(bytes.NewReader(table))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil || uint64(len(plain)) != binary.BigEndian.Uint64(raw[16:]) {
		t.Fatalf("table of contents: %d bytes, %v", len(plain), err)
	}
	if sum := sha1.Sum(table); !bytes.Equal(sum[:], heap[:20]) {
		t.Error("the sum of the table of contents is wrong")
	}
	type file struct {
		Name string `xml:"name"`
		Type string `xml:"type"`
		Data *struct {
			Length, Offset, Size int
			Sum                  string `xml:"archived-checksum"`
		} `xml:"data"`
		Files []file `xml:"file"`
	}
	var x struct {
		Files []file `xml:"toc>file"`
	}
	if err := xml.Unmarshal(bytes.ReplaceAll(bytes.ReplaceAll(bytes.ReplaceAll(plain, []byte("length>"), []byte("Length>")), []byte("offset>"), []byte("Offset>")), []byte("size>"), []byte("Size>")), &x); err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	end := 20
	var walk func(dir string, all []file)
	walk = func(dir string, all []file) {
		for _, f := range all {
			if f.Type == "directory" {
				walk(f.Name+"/", f.Files)
				continue
			}
			if f.Data.Offset != end || f.Data.Size != f.Data.Length {
				t.Errorf("%s: %+v, not at %d", f.Name, f.Data, end)
			}
			end += f.Data.Length
			data := heap[f.Data.Offset:end]
			if got := fmt.Sprintf("%x", sha256.Sum256(data)); got != f.Data.Sum {
				t.Errorf("%s: the sum is %s, and not %s", f.Name, got, f.Data.Sum)
			}
			out[dir+f.Name] = data
		}
	}
	walk("", x.Files)
	if end != len(heap) {
		t.Errorf("the heap has %d bytes, of which %d are named", len(heap), end)
	}
	return out
}

// read reads a payload by itself.
func read(t *testing.T, raw []byte) []entry {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	var out []entry
	field := func(from, to int) int {
		n, err := strconv.ParseInt(string(b[from:to]), 8, 64)
		if err != nil {
			t.Fatal(err)
		}
		return int(n)
	}
	for len(b) > 0 {
		if string(b[:6]) != "070707" {
			t.Fatalf("magic %q", b[:6])
		}
		mode, name, size := field(18, 24), field(59, 65), field(65, 76)
		if field(24, 30) != 0 || field(30, 36) != 0 {
			t.Errorf("an entry belongs to %d:%d", field(24, 30), field(30, 36))
		}
		e := entry{path: string(b[76 : 76+name-1]), mode: uint32(mode), data: b[76+name : 76+name+size]}
		b = b[76+name+size:]
		if e.path == "TRAILER!!!" {
			break
		}
		e.path = strings.TrimPrefix(e.path, "./")
		out = append(out, e)
	}
	if len(b) > 0 {
		t.Errorf("%d bytes behind the trailer", len(b))
	}
	return out
}

// listed reads a bill of materials by itself, through its index and its tree.
func listed(t interface{ Fatalf(string, ...any) }, raw []byte) (out []entry, sums []uint32) {
	u32 := binary.BigEndian.Uint32
	index, vars := raw[u32(raw[16:]):], raw[u32(raw[24:]):]
	if string(raw[:8]) != "BOMStore" || int(u32(raw[16:])+u32(raw[20:])) != len(raw) {
		t.Fatalf("header %x", raw[:32])
	}
	block := func(n uint32) []byte {
		if n == 0 || n >= u32(index) {
			t.Fatalf("block %d of %d", n, u32(index))
		}
		at, size := u32(index[4+8*n:]), u32(index[8+8*n:])
		return raw[at : at+size]
	}
	names := map[string]uint32{}
	for n, b := u32(vars), vars[4:]; n > 0; n-- {
		names[string(b[5:5+b[4]])] = u32(b)
		b = b[5+b[4]:]
	}
	tree := block(names["Paths"])
	leaf := block(u32(tree[8:]))
	if string(tree[:4]) != "tree" || len(leaf) != int(u32(tree[12:])) || binary.BigEndian.Uint16(leaf) != 1 {
		t.Fatalf("tree %x, leaf of %d", tree, len(leaf))
	}
	paths := map[uint32]string{}
	lastParent, lastName := uint32(0), ""
	for i := range int(binary.BigEndian.Uint16(leaf[2:])) {
		info, file := block(u32(leaf[12+8*i:])), block(u32(leaf[16+8*i:]))
		id, facts, parent, name := u32(info), block(u32(info[4:])), u32(file), strings.TrimSuffix(string(file[4:]), "\x00")
		if parent < lastParent || parent == lastParent && name <= lastName {
			t.Fatalf("%d %q stands behind %d %q", parent, name, lastParent, lastName)
		}
		lastParent, lastName = parent, name
		if parent != 0 && paths[parent] == "" {
			t.Fatalf("%q has a folder that is not there", name)
		}
		if p := path.Join(paths[parent], name); parent == 0 {
			paths[id] = "."
		} else {
			paths[id] = p
		}
		e := entry{path: paths[id], mode: uint32(binary.BigEndian.Uint16(facts[4:])), data: make([]byte, u32(facts[18:]))}
		out = append(out, e)
		sums = append(sums, u32(facts[23:]))
	}
	if total := block(names["BomInfo"]); int(u32(total[4:])) != len(out)+1 || int(u32(tree[16:])) != len(out) {
		t.Fatalf("it says %d and %d paths, and has %d", u32(total[4:])-1, u32(tree[16:]), len(out))
	}
	return out, sums
}

// TestPackage reads the package back: what is installed is what is listed, with the
// modes that it is to have, in folders of root's; the same options give the same bytes.
// Planted once: the end of the compressed payload left out (its reader fails); the
// bill of materials sorted by whole paths; a mode of 0o775 for the programs.
func TestPackage(t *testing.T) {
	raw := packed(t, options())
	if again := packed(t, options()); !bytes.Equal(raw, again) {
		t.Error("the same options give other bytes")
	}
	all := unpacked(t, raw)
	entries := read(t, all["aval.pkg/Payload"])
	var names []string
	for _, e := range entries {
		names = append(names, e.path)
		if e.mode&0o022 != 0 {
			t.Errorf("%s can be changed by others: %o", e.path, e.mode)
		}
	}
	for p, mode := range map[string]uint32{
		"opt/aval/bin/aval": typeFile | 0o755, "opt/aval/bin/aval-desktop": typeFile | 0o755, "opt/aval/uninstall": typeFile | 0o755, "opt/aval/LICENSE": typeFile | 0o644,
		"Library/LaunchDaemons/aval.plist": typeFile | 0o644, "Library/LaunchAgents/aval-desktop.plist": typeFile | 0o644,
		"private/etc/aval/enroll.d": typeDir | 0o700, "private/etc/aval/policies/managed": typeDir | 0o755, "opt": typeDir | 0o755, ".": typeDir | 0o755,
	} {
		if i := slices.Index(names, p); i < 0 || entries[i].mode != mode {
			t.Errorf("%s is not there with mode %o", p, mode)
		}
	}
	inBom, sums := listed(t, all["aval.pkg/Bom"])
	if len(inBom) != len(entries) {
		t.Errorf("%d are listed and %d installed", len(inBom), len(entries))
	}
	for i, b := range inBom {
		j := slices.Index(names, b.path)
		if j < 0 || entries[j].mode != b.mode || len(entries[j].data) != len(b.data) {
			t.Errorf("%s is listed and not installed so", b.path)
		} else if b.mode&typeMask == typeFile && sums[i] != cksum(entries[j].data) {
			t.Errorf("%s: sum %d", b.path, sums[i])
		}
	}
	scripts := read(t, all["aval.pkg/Scripts"])
	if len(scripts) != 3 || !bytes.Contains(scripts[2].data, []byte("\nnew=1.2.3-rc.1\n")) || bytes.Contains(scripts[2].data, []byte("@")) {
		t.Errorf("scripts: %d", len(scripts))
	}
	var info struct {
		ID      string `xml:"identifier,attr"`
		Version string `xml:"version,attr"`
		Auth    string `xml:"auth,attr"`
		Payload struct {
			Files int `xml:"numberOfFiles,attr"`
		} `xml:"payload"`
	}
	if err := xml.Unmarshal(all["aval.pkg/PackageInfo"], &info); err != nil || info.ID != ID || info.Version != "1.2.3-rc.1" || info.Auth != "root" || info.Payload.Files != len(entries) {
		t.Errorf("%+v, %v", info, err)
	}
	if d := string(all["Distribution"]); !strings.Contains(d, ">#aval.pkg</pkg-ref>") || !strings.Contains(d, `min="12.0"`) || strings.Contains(d, "@") {
		t.Errorf("distribution: %s", d)
	}
}

// TestDoctorList: aval doctor finds each program as it is after the script.
func TestDoctorList(t *testing.T) {
	for _, e := range read(t, unpacked(t, packed(t, options()))["aval.pkg/Payload"]) {
		if "/"+e.path != service.MacFolder+"/files" {
			continue
		}
		want := fmt.Sprintf("%x 2755 _aval /opt/aval/bin/aval-desktop\n", sha256.Sum256([]byte("another")))
		if !strings.Contains(string(e.data), want) || strings.Contains(string(e.data), " /opt/aval/files\n") {
			t.Errorf("%s", e.data)
		}
		return
	}
	t.Error("there is no such list")
}

// TestBomOfAnyTree: whatever the names, every path is found again under its folder,
// and the leaf is sorted as it is searched. Seen to fail with paths sorted as texts
// ("a-b/x" before "a/x").
func TestBomOfAnyTree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var in []entry
		seen := map[string]bool{}
		for _, p := range rapid.SliceOfN(rapid.StringMatching(`(/[a-c.-]{1,2}){1,4}`), 0, 40).Draw(t, "paths") {
			if path.Clean(p) != p || seen[p] {
				continue
			}
			seen[p] = true
			in = append(in, entry{p, typeDir | 0o755, nil})
		}
		slices.SortFunc(in, func(a, b entry) int { return strings.Compare(a.path, b.path) })
		all, err := withFolders(in)
		if err != nil { // a folder that was added above another path came again itself
			t.Skip(err)
		}
		raw, err := bom(all, at)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := listed(t, raw)
		var have, want []string
		for i := range got {
			have, want = append(have, got[i].path), append(want, all[i].path)
		}
		slices.Sort(have)
		slices.Sort(want)
		if !slices.Equal(have, want) {
			t.Fatalf("%q, not %q", have, want)
		}
	})
}

// TestCksum: those of POSIX's cksum(1), and the one that mkbom wrote for no bytes.
func TestCksum(t *testing.T) {
	for text, want := range map[string]uint32{"": 4294967295, "a": 1220704766, "123456789": 930766865, strings.Repeat("x", 70000): 4215398528} {
		if got := cksum([]byte(text)); got != want {
			t.Errorf("%.9q: %d, not %d", text, got, want)
		}
	}
}

// program is the header of one for a processor, with or without a signature.
func program(cpu macho.Cpu, signature bool) []byte {
	b := binary.LittleEndian.AppendUint32(nil, macho.Magic64)
	loads := 0
	if signature {
		loads = 1
	}
	for _, v := range []uint32{uint32(cpu), 0, uint32(macho.TypeExec), uint32(loads), uint32(16 * loads), 0, 0} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	if signature {
		for _, v := range []uint32{loadSignature, 16, 0, 0} {
			b = binary.LittleEndian.AppendUint32(b, v)
		}
	}
	return append(b, fmt.Sprintf("the code for %v", cpu)...)
}

// TestUniversal: Go's own reader finds both programs, each at its page; a program of
// another kind, and one that Apple silicon would not start, is refused.
func TestUniversal(t *testing.T) {
	intel, apple := program(macho.CpuAmd64, false), program(macho.CpuArm64, true)
	both, err := universal(intel, apple)
	if err != nil {
		t.Fatal(err)
	}
	f, err := macho.NewFatFile(bytes.NewReader(both))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]byte{intel, apple} {
		a := f.Arches[i]
		if a.Offset%(1<<a.Align) != 0 || !bytes.Equal(both[a.Offset:a.Offset+a.Size], want) {
			t.Errorf("%v at %d, aligned to 2^%d", a.Cpu, a.Offset, a.Align)
		}
	}
	for why, pair := range map[string][2][]byte{
		"the wrong way round": {apple, intel}, "no signature": {intel, program(macho.CpuArm64, false)}, "no program": {intel, []byte("#!/bin/sh\n")},
	} {
		if _, err := universal(pair[0], pair[1]); err == nil {
			t.Errorf("%s: taken", why)
		}
	}
}

// TestRefused: what cannot be a package is none.
func TestRefused(t *testing.T) {
	for why, change := range map[string]func(*Options){
		"no aval-desktop":     func(o *Options) { o.Programs = o.Programs[:1] },
		"a program's path":    func(o *Options) { o.Programs[1].Name = "../aval-desktop" },
		"an empty program":    func(o *Options) { o.Programs[0].Data = nil },
		"a text that goes up": func(o *Options) { o.Texts["../../etc/sudoers"] = []byte("x") },
		"a text twice":        func(o *Options) { o.Texts["uninstall"] = []byte("x") },
		"a version with more": func(o *Options) { o.Version = "1.2.3; reboot" },
		"a time before all":   func(o *Options) { o.At = time.Unix(-1, 0) },
		"too many files": func(o *Options) {
			for i := range maxBom {
				o.Texts[fmt.Sprint(i)] = nil
			}
		},
	} {
		o := options()
		change(&o)
		if err := Write(io.Discard, o); err == nil {
			t.Errorf("%s: taken", why)
		}
	}
}
