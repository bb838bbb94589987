package store_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"aval/agent/consent"
	"aval/agent/record"
	"aval/agent/store"
)

// TestFullDisk fills a small file system: appending says so and loses nothing;
// records, settings, endings, withdrawals and erasures still work.
func TestFullDisk(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can mount a small file system to fill it")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=6m,mode=0700"); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	defer func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	}()
	s := open(t, dir)
	defer func() { s.Close() }()
	for _, n := range []store.Stream{one, two} {
		must(t, s.OpenStream(n, "g", []byte("e")))
	}
	_, err := s.Append(ctx, two, evs(5, "two"))
	must(t, err)
	last := uint64(0)
	fill := func() {
		t.Helper()
		for last < 1_000_000 {
			n, err := s.Append(ctx, one, evs(50, strings.Repeat("x", 400)))
			if err == nil {
				last = n
				continue
			}
			if !errors.Is(err, store.ErrFull) || !strings.Contains(err.Error(), "disk") {
				t.Fatal(err)
			}
			return
		}
		t.Fatal("the disk was never full")
	}
	fill()
	// To the last byte, as another program would.
	must(t, os.WriteFile(filepath.Join(dir, "filler"), nil, 0o600))
	f, err := os.OpenFile(filepath.Join(dir, "filler"), os.O_WRONLY, 0)
	must(t, err)
	for _, err = f.Write(make([]byte, 1<<16)); err == nil; {
		_, err = f.Write(make([]byte, 4096))
	}
	must(t, f.Close())
	fill()
	for i := range 5 {
		_, err = s.AppendRecord(entryOf(fmt.Sprint("refusal", i), record.TypeRefusal, "co-1"))
		must(t, err)
	}
	must(t, s.SetSetting(1000, consent.AccessDenied, start))
	must(t, s.CloseStream(one))
	must(t, s.Withdraw(one))
	must(t, s.Erase(two))
	must(t, s.PutDoc("note", []byte("small")))
	check := func() {
		t.Helper()
		if got, _, err := s.History(one, 0, int(last)+100); err != nil || uint64(len(got)) != last {
			t.Fatalf("%d of %d events, %v", len(got), last, err)
		}
		if items, err := s.Read(one, 0, 0, 0); err != nil || len(items) != 0 {
			t.Fatalf("withdrawn events: %d, %v", len(items), err)
		}
		if v := s.Setting(1000); v.Value != consent.AccessDenied {
			t.Fatalf("setting: %+v", v)
		}
		if e, err := s.Record("refusal4"); err != nil || e.Index != 4 {
			t.Fatal(err)
		}
		noNotes(t, s)
	}
	check()
	must(t, s.Close())
	if s, err = store.Open(dir, store.Options{}); err != nil {
		t.Fatalf("a full disk must not keep the service from starting: %v", err)
	}
	check()
	// Room again: it goes on by itself.
	must(t, os.Remove(filepath.Join(dir, "filler")))
	must(t, s.Erase(one))
	must(t, s.Compact())
	three := store.Stream{Company: "co-3", Session: "t/3"}
	must(t, s.OpenStream(three, "g", []byte("e")))
	_, err = s.Append(ctx, three, evs(3, "again"))
	must(t, err)
	must(t, s.Close())
}
