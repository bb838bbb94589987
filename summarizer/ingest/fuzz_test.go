package ingest

import (
	"crypto/ed25519"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	"aval/agent/event"
	"aval/agent/record"
	"aval/agent/wire"
)

var t0 = time.Date(2026, 8, 3, 9, 0, 0, 0, time.UTC)

func TestEveryCodeHasASentence(t *testing.T) {
	for _, c := range Codes {
		if c.Sentence() == "" {
			t.Errorf("%s has no sentence", c)
		}
	}
	if len(sentences) != len(Codes) {
		t.Errorf("%d sentences for %d codes", len(sentences), len(Codes))
	}
}

// FuzzReach reads what a device says of its desktops: what is kept is a word of
// the list and short text that can be shown. To see it fail, leave printable out
// of reachOf.
func FuzzReach(f *testing.F) {
	for _, r := range []*wire.Reach{{}, {State: wire.ReachReady, Window: true}, {State: "newer"}, {State: wire.ReachReady, StartLine: "x"},
		{State: wire.ReachNoHelper, StartFile: "~/.xinitrc", StartLine: "aval-desktop &"}, {State: wire.ReachNoHelper, StartLine: strings.Repeat("\u202e\n", 300)}} {
		fr, err := proto.Marshal(&wire.Frame{Body: &wire.Frame_Reach{Reach: r}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(fr)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		fr, err := decodeFrame(in)
		if err != nil || fr.GetReach() == nil {
			return
		}
		r, ok := reachOf(fr.GetReach())
		if ok != slices.Contains(wire.Reaches(), r.State) || len(r.StartFile) > maxStart || len(r.StartLine) > maxStart || r.StartFile != "" && r.StartLine == "" {
			t.Fatalf("%+v, %v", r, ok)
		}
		for _, s := range []string{r.StartFile, r.StartLine} {
			if !utf8.ValidString(s) || strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) }) {
				t.Fatalf("%q", s)
			}
		}
	})
}

// FuzzCheckpoint reads what a device shows of its log: what is kept is signed by its
// key, of it, and bounded. To see it fail, leave the device out of headOf, or the
// bound out of record.UnpackProof.
func FuzzCheckpoint(f *testing.F) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	keys := record.OneKey(key.Public().(ed25519.PublicKey))
	sign := func(typ record.Type, body any) []byte {
		env, err := record.Sign(key, typ, body)
		if err != nil {
			f.Fatal(err)
		}
		return env
	}
	root := make([]byte, 32)
	good := record.NewCheckpoint("c", "d", t0, 3, record.Hash(root))
	for _, c := range []*wire.Checkpoint{{}, {Envelope: sign(record.TypeCheckpoint, good), Proof: [][]byte{root, root}, Since: 2},
		{Envelope: sign(record.TypeCheckpoint, good), Proof: slices.Repeat([][]byte{root}, record.MaxProof+1)},
		{Envelope: sign(record.TypeCheckpoint, good), Proof: [][]byte{root[:31]}}, {Envelope: sign(record.TypeProof, good)},
		{Envelope: sign(record.TypeCheckpoint, record.NewCheckpoint("c", "e", t0, 3, record.Hash(root)))},
		{Envelope: sign(record.TypeCheckpoint, record.NewCheckpoint("c", "d", t0, 1<<62, record.Hash(root))), Since: 1 << 61}} {
		fr, err := proto.Marshal(&wire.Frame{Body: &wire.Frame_Checkpoint{Checkpoint: c}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(fr)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		fr, err := decodeFrame(in)
		if err != nil || fr.GetCheckpoint() == nil {
			return
		}
		h, err := headOf(fr.GetCheckpoint(), keys, "c", "d")
		if err != nil {
			return
		}
		c, _, err := record.OpenCheckpoint(h.Envelope, keys)
		if err != nil || c.Company != "c" || c.Device != "d" || c.Size != h.Size || h.Size > record.MaxLog || len(h.Proof) > record.MaxProof {
			t.Fatalf("%+v, %v", h, err)
		}
		_ = record.CheckConsistency(h.Proof, h.Size, h.Root, h.Since, h.Root) // whatever it is, it ends
	})
}

// FuzzFrame reads any frame of a device: unpacking stays within the limit, and an
// event that passes is one that the grant covers, in its time.
func FuzzFrame(f *testing.F) {
	g := record.Grant{Groups: []event.Group{event.Windows}, NotBefore: t0, Expires: t0.Add(time.Hour)}
	g.Session = "x/1"
	b := &wire.Batch{GrantId: "g", Session: "x/1", FirstSeq: 1, Events: []*wire.Event{
		{Kind: "window-focused", AtUnixNano: t0.UnixNano(), Fields: []*wire.Field{{Name: "title", Value: "a"}}},
		{Kind: "program-started", AtUnixNano: t0.UnixNano(), Fields: []*wire.Field{{Name: "command", Value: "a"}, {Name: "program", Value: "b"}}},
		{Kind: "chat", AtUnixNano: t0.UnixNano()}, {Kind: "session-ended", AtUnixNano: t0.Add(2 * time.Hour).UnixNano()}}}
	raw, err := proto.Marshal(b)
	if err != nil {
		f.Fatal(err)
	}
	z, err := zstd.NewWriter(nil)
	if err != nil {
		f.Fatal(err)
	}
	for _, sb := range []*wire.SignedBatch{{Batch: raw}, {Batch: z.EncodeAll(raw, nil), Compression: wire.Compression_ZSTD},
		{Batch: z.EncodeAll(make([]byte, 8<<20), nil), Compression: wire.Compression_ZSTD}, {Compression: 9}} {
		fr, err := proto.Marshal(&wire.Frame{Body: &wire.Frame_Batch{Batch: sb}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(fr)
	}
	s := New(nil, nil, Options{Now: func() time.Time { return t0 }})
	c := &conn{s: s}
	f.Fuzz(func(t *testing.T, in []byte) {
		fr, err := decodeFrame(in)
		if err != nil || fr.GetBatch() == nil {
			return
		}
		raw, code := c.unpack(fr.GetBatch())
		if code != "" {
			return
		}
		if len(raw) > wire.MaxBatchBytes {
			t.Fatalf("%d bytes unpacked", len(raw))
		}
		b := &wire.Batch{}
		if proto.Unmarshal(raw, b) != nil {
			return
		}
		for i, w := range b.GetEvents() {
			e, err := c.checkEvent(w, g, uint64(i+1), t0)
			if err != nil {
				continue
			}
			if !event.Covered(e.Kind, g.Groups) || e.Fields["command"] != "" || e.At.Before(t0) || (e.At.After(g.Expires) && !e.Kind.Mark()) {
				t.Errorf("passed: %s at %s", e.Kind, e.At)
			}
		}
	})
}

// FuzzRecord reads any envelope: one that is accepted is signed by the key.
func FuzzRecord(f *testing.F) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	h := record.Head{V: 1, ID: "R1", At: t0, Company: "c", Device: "d", Session: "x/1"}
	seeds := map[string]bool{}
	for typ, body := range map[record.Type]any{record.TypeRefusal: record.Refusal{Head: h}, record.TypeNoAnswer: record.NoAnswer{Head: h},
		record.TypeObjection: record.Objection{Head: h, Grant: "g"}, record.TypeWithdrawal: record.Withdrawal{Head: h, Grant: "g", Erase: true},
		record.TypeErasure: record.Erasure{Head: h, Grant: "g"}, record.TypeGrant: record.Grant{Head: h}} {
		raw, err := record.Sign(key, typ, body)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
		_, payload, err := record.Peek(raw)
		if err != nil {
			f.Fatal(err)
		}
		seeds[string(typ)+string(payload)] = true
	}
	keys := record.OneKey(key.Public().(ed25519.PublicKey))
	f.Fuzz(func(t *testing.T, raw []byte) {
		_ = peekID(raw)
		typ, _, err := open(raw, keys)
		if err != nil {
			return
		}
		got, payload, err := record.Peek(raw)
		if err != nil || got != typ || !seeds[string(typ)+string(payload)] {
			t.Errorf("accepted what was never signed: %s", raw)
		}
	})
}

func FuzzPrintable(f *testing.F) {
	f.Add("Ana", 3)
	f.Add("a\u202eb\x00\xff", 2)
	f.Fuzz(func(t *testing.T, s string, n int) {
		n = min(max(n, 0), 300)
		out := printable(s, n)
		if len(out) > n || printable(out, n) != out {
			t.Errorf("%q → %q", s, out)
		}
		if isID(s) && printable(s, 64) != s {
			t.Errorf("%q is no id", s)
		}
	})
}
