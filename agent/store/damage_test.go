package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"aval/agent/consent"
	"aval/agent/record"
	"aval/agent/store"
)

// torture is how often the tests that damage or kill do so: AVAL_TORTURE=N for more.
func torture(t testing.TB, usual int) int {
	t.Helper()
	if v := os.Getenv("AVAL_TORTURE"); v != "" {
		n, err := strconv.Atoi(v)
		must(t, err)
		return n
	}
	if testing.Short() {
		return max(usual/4, 10)
	}
	return usual
}

// seedOf makes a run repeatable: AVAL_SEED=N.
func seedOf(t testing.TB) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	if v := os.Getenv("AVAL_SEED"); v != "" {
		var err error
		seed, err = strconv.ParseUint(v, 10, 64)
		must(t, err)
	}
	t.Logf("AVAL_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// fill makes a directory with something of everything.
func fill(t testing.TB, dir string) {
	t.Helper()
	s := open(t, dir)
	for i := range 30 {
		_, err := s.AppendRecord(entryOf(fmt.Sprintf("r%02d", i), []record.Type{record.TypeGrant, record.TypeRefusal}[i%2], "co-1"))
		must(t, err)
	}
	for i := range 6 {
		must(t, s.PutSession(fmt.Sprintf("s%d", i), []byte(strings.Repeat(fmt.Sprint(i), 100))))
		name := store.Stream{Company: "co-1", Session: fmt.Sprint("t/", i)}
		must(t, s.OpenStream(name, fmt.Sprint("g", i), []byte("envelope")))
		for j := range 8 {
			last, err := s.Append(ctx, name, evs(12, fmt.Sprint("event", i, j)))
			must(t, err)
			must(t, s.Ack(name, last/2))
		}
	}
	must(t, s.Withdraw(store.Stream{Company: "co-1", Session: "t/4"}))
	must(t, s.Erase(store.Stream{Company: "co-1", Session: "t/5"}))
	must(t, s.SetSetting(1000, consent.AccessDenied, start))
	must(t, s.SetSetting(1001, consent.AccessAllowed, start))
	must(t, s.Close())
}

// view is everything that can be read from a store, as lines.
func view(s *store.Store) (lines map[string]string, errs int) {
	lines = map[string]string{}
	count := func(err error) bool {
		if err != nil {
			errs++
		}
		return err == nil
	}
	for _, uid := range []uint32{1000, 1001, 1002} {
		lines[fmt.Sprint("setting ", uid)] = string(s.Setting(uid).Value)
	}
	ss, err := s.Sessions()
	count(err)
	for k, v := range ss {
		lines["session "+k] = string(v)
	}
	count(s.Records(func(e store.Entry) bool {
		lines["record "+e.ID] = fmt.Sprint(e.Type, e.Company, e.Session, e.At, string(e.Envelope))
		return true
	}))
	pend, err := s.PendingRecords("co-1", 0)
	count(err)
	for _, e := range pend {
		lines["pending "+e.ID] = string(e.Envelope)
	}
	_, root, err := s.Checkpoint()
	if count(err) {
		lines["root"] = fmt.Sprintf("%x", root)
	}
	infos, err := s.Streams()
	count(err)
	for _, i := range infos {
		if i.Damaged {
			errs++
		} else {
			lines["stream "+i.Session] = fmt.Sprint(i.GrantID, i.Last, i.Acked, i.Closed, i.Withdrawn, i.Erased, i.Unsent)
			lines["grant "+i.Session] = string(i.Grant)
		}
		if i.Erased {
			continue
		}
		after := uint64(0)
		for {
			got, _, err := s.History(i.Stream, after, 7)
			if !count(err) || len(got) == 0 {
				break
			}
			for _, e := range got {
				lines[fmt.Sprint("event ", i.Session, e.Seq)] = fmt.Sprint(e.Kind, e.At, e.Fields)
			}
			after = got[len(got)-1].Seq
		}
		items, err := s.Read(i.Stream, 0, 0, 0)
		count(err)
		for _, it := range items {
			lines[fmt.Sprint("item ", i.Session, it.Event.Seq)] = fmt.Sprint(it.GrantID, it.Event.Kind, it.Event.At, it.Event.Fields)
		}
	}
	return lines, errs
}

// loosened tells whether what was read is something that was never written, or
// allows more than what was.
func loosened(key, got, want string) bool {
	switch {
	case got == want:
		return false
	case strings.HasPrefix(key, "setting "):
		return got != string(consent.AccessCorrupt)
	case key == "root", strings.HasPrefix(key, "stream "):
		return false // a log begun anew, a stream without its lost end: noted below
	}
	return true
}

// TestDamageIsHarmlessOrDetected flips a bit, clears a sector, swaps pages or
// cuts the file, and reads everything back: nothing may be read that was not
// written, nothing may be missing without a word, nothing withdrawn may be sent.
// Planted once: with an openRow that accepts anything it fails within a few dozen
// rounds; TestRawDatabaseDoesNotNotice shows what the database alone would do.
func TestDamageIsHarmlessOrDetected(t *testing.T) {
	base := filepath.Join(t.TempDir(), "base")
	fill(t, base)
	s := open(t, base)
	want, errs := view(s)
	must(t, s.Close())
	if errs != 0 || len(want) < 300 {
		t.Fatalf("the base is not whole: %d lines, %d errors", len(want), errs)
	}
	clean, err := os.ReadFile(filepath.Join(base, "store.db"))
	must(t, err)
	rnd := seedOf(t)
	harmless, detected, quarantined := 0, 0, 0
	for round := range torture(t, 150) {
		raw := slices.Clone(clean)
		what := mutate(rnd, &raw)
		dir := filepath.Join(t.TempDir(), "d")
		must(t, os.CopyFS(dir, os.DirFS(base)))
		closeModes(t, dir)
		must(t, os.WriteFile(filepath.Join(dir, "store.db"), raw, 0o600))
		s, err := store.Open(dir, store.Options{})
		if err != nil {
			t.Fatalf("round %d, %s: the service would not start: %v", round, what, err)
		}
		got, errs := view(s)
		missing := ""
		for k, w := range want {
			g, ok := got[k]
			if !ok {
				missing = k
			} else if loosened(k, g, w) {
				t.Fatalf("round %d, %s: %s is\n%s instead of\n%s\nnotes %q", round, what, k, g, w, s.Notes())
			} else if g != w {
				missing = k
			}
		}
		for k := range got {
			if _, ok := want[k]; !ok {
				t.Fatalf("round %d, %s: %s = %s was never written", round, what, k, got[k])
			}
			if strings.HasPrefix(k, "item t/4") || strings.HasPrefix(k, "item t/5") {
				t.Fatalf("round %d, %s: a withdrawn event is given out for sending", round, what)
			}
		}
		notes := s.Notes()
		switch {
		case missing != "" && errs == 0 && len(notes) == 0:
			t.Fatalf("round %d, %s: %s changed or vanished without a word", round, what, missing)
		case missing != "" || errs > 0 || len(notes) > 0:
			detected++
			if slices.ContainsFunc(notes, func(n string) bool { return strings.Contains(n, "quarantine") }) {
				quarantined++
			}
		default:
			harmless++
		}
		// Whatever was damaged: a denial can still be recorded, and so can new events.
		if _, err := s.AppendRecord(entryOf("after", record.TypeRefusal, "co-1")); err != nil {
			t.Fatalf("round %d, %s: no record can be kept: %v", round, what, err)
		}
		fresh := store.Stream{Company: "co-1", Session: "fresh"}
		must(t, s.OpenStream(fresh, "g", []byte("e")))
		_, err = s.Append(ctx, fresh, evs(3, "fresh"))
		must(t, err)
		must(t, s.Close())
		must(t, os.RemoveAll(dir))
	}
	t.Logf("%d harmless, %d detected, of which %d put the database aside", harmless, detected, quarantined)
	if detected == 0 {
		t.Fatal("no damage met anything: the test shows nothing")
	}
}

// closeModes: CopyFS makes files as the umask wants.
func closeModes(t testing.TB, dir string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			return os.Chmod(p, 0o700)
		} else if err == nil {
			return os.Chmod(p, 0o600)
		}
		return err
	}))
}

func mutate(rnd *rand.Rand, raw *[]byte) string {
	const page = 4096
	b := *raw
	used := func() int { // somewhere in a page that is not empty
		for {
			p := rnd.IntN(len(b) / page)
			if slices.ContainsFunc(b[p*page:(p+1)*page], func(c byte) bool { return c != 0 }) {
				return p * page
			}
		}
	}
	switch rnd.IntN(20) {
	case 0:
		n := rnd.IntN(len(b))
		*raw = b[:n]
		return fmt.Sprintf("cut to %d bytes", n)
	case 1:
		p, q := used(), used()
		x := slices.Clone(b[p : p+page])
		copy(b[p:], b[q:q+page])
		copy(b[q:], x)
		return fmt.Sprintf("pages %d and %d swapped", p/page, q/page)
	case 2:
		p := used() + 512*rnd.IntN(8)
		clear(b[p : p+512])
		return fmt.Sprintf("sector at %d cleared", p)
	case 3, 4, 5, 6: // heads of pages, where structure is
		p := used() + rnd.IntN(200)
		b[p] ^= 1 << rnd.IntN(8)
		return fmt.Sprintf("bit in byte %d flipped", p)
	}
	for {
		p := used() + rnd.IntN(page)
		if b[p] != 0 {
			b[p] ^= 1 << rnd.IntN(8)
			return fmt.Sprintf("bit in byte %d flipped", p)
		}
	}
}

// TestRawDatabaseDoesNotNotice is the negative control: bbolt alone opens a
// file with a flipped bit, finds it consistent and returns changed data.
func TestRawDatabaseDoesNotNotice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "raw.db")
	db, err := bolt.Open(path, 0o600, nil)
	must(t, err)
	must(t, db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucket([]byte("b"))
		if err != nil {
			return err
		}
		return b.Put([]byte("k"), []byte("the person said no"))
	}))
	must(t, db.Close())
	raw, err := os.ReadFile(path)
	must(t, err)
	for i := range raw {
		if strings.HasPrefix(string(raw[i:]), "the person said no") {
			raw[i+len("the person said ")] ^= 1
		}
	}
	must(t, os.WriteFile(path, raw, 0o600))
	db, err = bolt.Open(path, 0o600, nil)
	must(t, err)
	defer db.Close()
	must(t, db.View(func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			t.Fatalf("bbolt noticed (%v): the sums on top may not be needed any more", err)
		}
		if got := string(tx.Bucket([]byte("b")).Get([]byte("k"))); got != "the person said oo" {
			t.Fatalf("got %q", got)
		}
		return nil
	}))
}

func TestQuarantine(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, path string){
		"no header":  func(t *testing.T, path string) { must(t, os.WriteFile(path, []byte("not a database"), 0o600)) },
		"empty file": func(t *testing.T, path string) { must(t, os.Truncate(path, 0)) },
		"cut":        func(t *testing.T, path string) { must(t, os.Truncate(path, 20_000)) },
		"missing":    func(t *testing.T, path string) { must(t, os.Remove(path)) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			fill(t, dir)
			damage(t, filepath.Join(dir, "store.db"))
			s := open(t, dir)
			if n := s.Notes(); len(n) != 1 {
				t.Fatalf("notes: %q", n)
			}
			for _, uid := range []uint32{1000, 1001, 4242} {
				if v := s.Setting(uid); v.Value != consent.AccessCorrupt {
					t.Fatalf("setting of %d: %+v", uid, v)
				}
			}
			must(t, s.SetSetting(1001, consent.AccessAllowed, start))
			must(t, s.SetSetting(1000, consent.AccessUnset, start))
			must(t, s.Close())
			s = open(t, dir)
			noNotes(t, s)
			for uid, want := range map[uint32]consent.AccessControl{1000: consent.AccessUnset, 1001: consent.AccessAllowed, 4242: consent.AccessCorrupt} {
				if v := s.Setting(uid); v.Value != want {
					t.Fatalf("setting of %d: %+v", uid, v)
				}
			}
			kept, err := filepath.Glob(filepath.Join(dir, "quarantine", "*", "keys", "*"))
			must(t, err)
			if len(kept) != 5 {
				t.Fatalf("keys in quarantine: %q", kept)
			}
			db, err := filepath.Glob(filepath.Join(dir, "quarantine", "*", "store.db"))
			must(t, err)
			if (len(db) == 1) != (name != "missing") {
				t.Fatalf("databases in quarantine: %q", db)
			}
			// What lies in quarantine can be erased too.
			gone := store.Stream{Company: "co-1", Session: "t/2"}
			must(t, s.Erase(gone))
			if err := s.Erase(gone); !errors.Is(err, store.ErrNoStream) {
				t.Fatal(err)
			}
			if kept, _ = filepath.Glob(filepath.Join(dir, "quarantine", "*", "keys", "*")); len(kept) != 4 {
				t.Fatalf("keys in quarantine: %q", kept)
			}
		})
	}
}

// TestLostRowsAreMissed takes whole rows away, as a flipped bit in a page's
// count of elements does.
func TestLostRowsAreMissed(t *testing.T) {
	for _, c := range []struct{ bucket, key string }{
		{"streams", "\x00\x00\x00\x00\x00\x00\x00\x02"},
		{"sessions", "s3"},
		{"state", "settings"},
		{"state", "log"},
		{"state", "sessions"},
		{"grants", "\x00\x00\x00\x00\x00\x00\x00\x01"},
		{"entries", "\x00\x00\x00\x00\x00\x00\x00\x1d"},
		{"hashes", "\x00\x00\x00\x00\x00\x00\x00\x1e"}, // the node over the first 16 records
	} {
		t.Run(fmt.Sprintf("%s %q", c.bucket, c.key), func(t *testing.T) {
			dir := t.TempDir()
			fill(t, dir)
			db, err := bolt.Open(filepath.Join(dir, "store.db"), 0o600, nil)
			must(t, err)
			must(t, db.Update(func(tx *bolt.Tx) error { return tx.Bucket([]byte(c.bucket)).Delete([]byte(c.key)) }))
			must(t, db.Close())
			s := open(t, dir)
			_, errs := view(s)
			if len(s.Notes()) == 0 && errs == 0 {
				t.Fatal("nobody missed it")
			}
		})
	}
}
