package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"syscall"
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/record"
	"aval/agent/store/outbox"
)

// TestFailedSync lets commits fail as a failed fsync does: bare error, outcome
// unknown. The handle must not be used again, what was acknowledged must be
// there, and the store goes on. The seam is file.fail, because a disk whose
// fsync fails cannot be had here.
func TestFailedSync(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	name := Stream{"co", "t/1"}
	note := func(i int) []event.Event {
		return []event.Event{{Kind: event.Note, At: time.Unix(int64(i), 0), Fields: map[string]string{"text": fmt.Sprint(i)}}}
	}
	if err := s.OpenStream(name, "g", []byte("e")); err != nil {
		t.Fatal(err)
	}
	said := map[string]bool{}
	for i := range 20 {
		before, was := s.file.db, fileOf(t, dir)
		if i%4 == 3 {
			s.file.mu.Lock()
			s.file.fail = func() error { s.file.fail = nil; return syscall.EIO }
			s.file.mu.Unlock()
		}
		_, err := s.Append(context.Background(), name, note(i))
		if i%4 != 3 {
			if err != nil {
				t.Fatal(err)
			}
			said[fmt.Sprint(i)] = true
			continue
		}
		if !errors.Is(err, syscall.EIO) {
			t.Fatalf("append over a failed sync: %v", err)
		}
		// The next call waits until the store is whole again.
		if err := s.SetSetting(1, consent.AccessDenied, time.Now()); err != nil {
			t.Fatal(err)
		}
		if s.file.db == before || os.SameFile(fileOf(t, dir), was) {
			t.Fatal("the handle or the file whose sync failed is still in use")
		}
	}
	evs, _, err := s.History(name, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range evs {
		if e.Seq != uint64(i+1) {
			t.Fatalf("hole before %d", e.Seq)
		}
		delete(said, e.Fields["text"])
	}
	if len(said) != 0 {
		t.Fatalf("lost: %v", said)
	}
	if n := s.Notes(); len(n) != 0 {
		t.Fatalf("notes: %q", n)
	}
}

func fileOf(t *testing.T, dir string) os.FileInfo {
	t.Helper()
	info, err := os.Stat(filepath.Join(dir, "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// TestInterruptedOpening leaves a key without its stream, and a stream whose
// key was not yet put in use.
func TestInterruptedOpening(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	name, never := Stream{"co", "t/1"}, Stream{"co", "t/2"}
	if err := s.OpenStream(name, "g", []byte("e")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.keys.create(never.hash()); err != nil {
		t.Fatal(err)
	}
	if err := s.keys.move(name.hash(), keyLive, keyNew); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if s, err = Open(dir, Options{}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if !exists(s.keys.path(name.hash(), keyLive)) || exists(s.keys.path(never.hash(), keyNew)) {
		t.Fatal("the keys were not put in order")
	}
	if n := s.Notes(); len(n) != 0 {
		t.Fatalf("notes: %q", n)
	}
	if err := s.OpenStream(never, "g", []byte("e")); err != nil {
		t.Fatal(err)
	}
}

// TestCompactionGivesSpaceBack drains a large backlog.
func TestCompactionGivesSpaceBack(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{MaxHistory: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	name := Stream{"co", "t/1"}
	if err := s.OpenStream(name, "g", []byte("e")); err != nil {
		t.Fatal(err)
	}
	many := make([]event.Event, 1000)
	for i := range many {
		many[i] = event.Event{Kind: event.Note, At: time.Unix(1, 0), Fields: map[string]string{"text": fmt.Sprintf("%01000d", i)}}
	}
	last := uint64(0)
	for range 20 {
		if last, err = s.Append(context.Background(), name, many); err != nil {
			t.Fatal(err)
		}
	}
	size := func() int64 {
		info, err := os.Stat(filepath.Join(dir, "store.db"))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	full := size()
	if err := s.Compact(); err != nil || size() < full/2 {
		t.Fatalf("a file that is in use was rewritten: %d of %d, %v", size(), full, err)
	}
	if err := s.Ack(name, last); err != nil {
		t.Fatal(err)
	}
	if err := s.SetSetting(1, consent.AccessDenied, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := s.Compact(); err != nil || size() > 1<<20 {
		t.Fatalf("%d of %d bytes remain, %v", size(), full, err)
	}
	if _, err = s.Append(context.Background(), name, many[:1]); err != nil {
		t.Fatal(err)
	}
	if items, err := s.Read(name, last, 0, 0); err != nil || len(items) != 1 || items[0].Event.Seq != last+1 {
		t.Fatalf("%d items, %v", len(items), err)
	}
}

func FuzzEntry(f *testing.F) {
	f.Add(encodeEntry(Entry{ID: "r", Type: record.TypeGrant, Company: "c", Session: "s", At: time.Unix(1, 2), Envelope: []byte("{}")}, record.NewSalt()))
	f.Add([]byte{entryVersion})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, salt, err := decodeEntry(7, raw)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		if again := encodeEntry(e, salt); !bytes.Equal(again, raw) {
			t.Fatalf("%x became %x", raw, again)
		}
	})
}

func FuzzKeyFile(f *testing.F) {
	f.Add(encodeKey("h", make([]byte, outbox.KeySize)))
	f.Add([]byte(keyMagic))
	f.Fuzz(func(t *testing.T, raw []byte) {
		k, err := decodeKey("h", raw)
		if (err == nil) != (k != nil) {
			t.Fatal(k, err)
		}
		if err == nil && !reflect.DeepEqual(encodeKey("h", raw[len(keyMagic):len(keyMagic)+outbox.KeySize]), raw) {
			t.Fatalf("%x is no key file", raw)
		}
	})
}

// FuzzPrecheck changes a database: what passes the check must neither stop bbolt
// from opening it, nor end the process from one of its goroutines.
func FuzzPrecheck(f *testing.F) {
	dir := f.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		f.Fatal(err)
	}
	if err := s.OpenStream(Stream{"co", "t/1"}, "g", []byte("e")); err != nil {
		f.Fatal(err)
	}
	for i := range 40 {
		ev := event.Event{Kind: event.Note, At: time.Unix(1, 0), Fields: map[string]string{"text": fmt.Sprintf("%0900d", i)}}
		if _, err := s.Append(context.Background(), Stream{"co", "t/1"}, []event.Event{ev}); err != nil {
			f.Fatal(err)
		}
		if _, err := s.AppendRecord(Entry{ID: fmt.Sprint(i), Type: record.TypeRefusal, At: time.Unix(1, 0), Envelope: []byte("{}")}); err != nil {
			f.Fatal(err)
		}
	}
	if err := s.rewrite(); err != nil {
		f.Fatal(err)
	}
	s.Close()
	base, err := os.ReadFile(filepath.Join(dir, "store.db"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint32(0), []byte{1}, uint32(0))
	f.Add(uint32(0x1008), []byte{0xff, 0xff}, uint32(4096))
	f.Add(uint32(0x300a), []byte{9}, uint32(1))
	f.Fuzz(func(t *testing.T, at uint32, change []byte, cut uint32) {
		raw := bytes.Clone(base)
		copy(raw[int(at)%len(raw):], change)
		raw = raw[:len(raw)-int(cut)%len(raw)]
		path := filepath.Join(t.TempDir(), "x.db")
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := precheck(path); err != nil {
			return
		}
		db, err := openBolt(path)
		if err != nil {
			if errors.Is(err, errPanic) {
				return // caught, and put aside
			}
			t.Fatalf("bbolt does not open what passed: %v", err)
		}
		_ = guard(db.Close)
	})
}
