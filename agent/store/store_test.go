package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/record"
	"aval/agent/store"
)

var (
	ctx   = context.Background()
	start = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	one   = store.Stream{Company: "co-1", Session: "x11vnc/1"}
	two   = store.Stream{Company: "co-2", Session: "x11vnc/1"}
)

func open(t testing.TB, dir string, o ...func(*store.Options)) *store.Store {
	t.Helper()
	opt := store.Options{}
	for _, f := range o {
		f(&opt)
	}
	s, err := store.Open(dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ev makes an event that can be told from every other.
func ev(text string) event.Event {
	return event.Event{Kind: event.Note, At: start, Fields: map[string]string{"text": text}}
}

func evs(n int, text string) []event.Event {
	out := make([]event.Event, n)
	for i := range out {
		out[i] = ev(fmt.Sprintf("%s %d", text, i))
	}
	return out
}

func texts(items []store.Item) []string {
	out := make([]string, len(items))
	for i, it := range items {
		out[i] = it.Event.Fields["text"]
	}
	return out
}

func entryOf(id string, typ record.Type, company string) store.Entry {
	return store.Entry{ID: id, Type: typ, Company: company, Session: one.Session, At: start, Envelope: []byte(`{"id":"` + id + `"}`)}
}

func noNotes(t testing.TB, s *store.Store) {
	t.Helper()
	if n := s.Notes(); len(n) != 0 {
		t.Fatalf("notes: %q", n)
	}
}

func TestEventsComeBackAsTheyWereAppended(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if _, err := s.Append(ctx, one, evs(1, "x")); !errors.Is(err, store.ErrNoStream) {
		t.Fatalf("append without a stream: %v", err)
	}
	must(t, s.OpenStream(one, "grant-1", []byte("envelope 1")))
	last, err := s.Append(ctx, one, evs(25, "a"))
	if err != nil || last != 25 {
		t.Fatalf("last %d, %v", last, err)
	}
	must(t, s.OpenStream(one, "grant-2", []byte("envelope 2")))
	if last, err = s.Append(ctx, one, evs(3, "b")); err != nil || last != 28 {
		t.Fatalf("last %d, %v", last, err)
	}
	check := func(s *store.Store) {
		t.Helper()
		items, err := s.Read(one, 0, 0, 0)
		must(t, err)
		if len(items) != 25 {
			t.Fatalf("one answer must hold one grant: %d items", len(items))
		}
		for i, it := range items {
			want := ev(fmt.Sprintf("a %d", i))
			if it.GrantID != "grant-1" || it.Event.Seq != uint64(i+1) || it.Event.Session != one.Session ||
				it.Event.Kind != want.Kind || !it.Event.At.Equal(want.At) || it.Event.Fields["text"] != want.Fields["text"] {
				t.Fatalf("item %d: %+v", i, it)
			}
		}
		items, err = s.Read(one, 25, 0, 0)
		must(t, err)
		if got := strings.Join(texts(items), ","); got != "b 0,b 1,b 2" || items[0].GrantID != "grant-2" {
			t.Fatalf("got %s", got)
		}
		// From within a stored value, and with both limits.
		items, err = s.Read(one, 13, 4, 1<<20)
		must(t, err)
		if got := strings.Join(texts(items), ","); got != "a 13,a 14,a 15,a 16" {
			t.Fatalf("got %s", got)
		}
		if items, err = s.Read(one, 13, 1000, 1); err != nil || len(items) == 0 {
			t.Fatalf("at least one event: %d, %v", len(items), err)
		}
		if items, err = s.Read(one, 28, 0, 0); err != nil || len(items) != 0 {
			t.Fatalf("past the end: %d, %v", len(items), err)
		}
		infos, err := s.Streams()
		must(t, err)
		if len(infos) != 1 || infos[0].GrantID != "grant-2" || string(infos[0].Grant) != "envelope 2" || infos[0].Last != 28 || infos[0].Unsent == 0 {
			t.Fatalf("streams: %+v", infos)
		}
		noNotes(t, s)
	}
	check(s)
	must(t, s.Close())
	check(open(t, dir))
}

func TestStreamEnds(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name             string
		end              func(*store.Store) error
		appends          error
		reads            int
		history          int
		historyErr       error
		closed, wd, gone bool
	}{
		{"closed", func(s *store.Store) error { return s.CloseStream(one) }, store.ErrClosed, 5, 5, nil, true, false, false},
		{"withdrawn", func(s *store.Store) error { return s.Withdraw(one) }, store.ErrWithdrawn, 0, 5, nil, false, true, false},
		{"erased", func(s *store.Store) error { return s.Erase(one) }, store.ErrErased, 0, 0, store.ErrErased, true, false, true},
		{"withdrawn and erased", func(s *store.Store) error { return errors.Join(s.Withdraw(one), s.Erase(one), s.Erase(one)) }, store.ErrErased, 0, 0, store.ErrErased, true, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(dir, c.name)
			s := open(t, dir)
			must(t, s.OpenStream(one, "g", []byte("e")))
			must(t, s.OpenStream(two, "h", []byte("f")))
			_, err := s.Append(ctx, one, evs(5, "one"))
			must(t, err)
			_, err = s.Append(ctx, two, evs(5, "two"))
			must(t, err)
			must(t, c.end(s))
			for range 2 {
				if _, err := s.Append(ctx, one, evs(1, "late")); !errors.Is(err, c.appends) {
					t.Fatalf("append: %v", err)
				}
				if err := s.OpenStream(one, "g2", []byte("e")); !errors.Is(err, c.appends) {
					t.Fatalf("open again: %v", err)
				}
				if items, err := s.Read(one, 0, 0, 0); err != nil || len(items) != c.reads {
					t.Fatalf("read: %d, %v", len(items), err)
				}
				if got, _, err := s.History(one, 0, 0); !errors.Is(err, c.historyErr) || len(got) != c.history {
					t.Fatalf("history: %d, %v", len(got), err)
				}
				if items, err := s.Read(two, 0, 0, 0); err != nil || len(items) != 5 {
					t.Fatalf("the other stream: %d, %v", len(items), err)
				}
				infos, err := s.Streams()
				must(t, err)
				if i := infos[0]; i.Closed != c.closed || i.Erased != c.gone || (!c.gone && i.Withdrawn != c.wd) || i.Last != 5 {
					t.Fatalf("info: %+v", i)
				}
				must(t, s.Close())
				s = open(t, dir)
				noNotes(t, s)
			}
		})
	}
}

func TestAcknowledgedEventsBecomeHistory(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	must(t, s.OpenStream(one, "g", []byte("e")))
	_, err := s.Append(ctx, one, evs(30, "a"))
	must(t, err)
	if err := s.Ack(one, 31); err == nil {
		t.Fatal("an event that was never stored was acknowledged")
	}
	must(t, s.Ack(one, 15))
	must(t, s.Ack(one, 3)) // older: changes nothing
	must(t, s.Close())
	s = open(t, dir)
	infos, err := s.Streams()
	must(t, err)
	if infos[0].Acked != 15 || infos[0].Unsent == 0 {
		t.Fatalf("%+v", infos[0])
	}
	must(t, s.Ack(one, 30))
	must(t, s.Close())
	s = open(t, dir)
	if infos, err = s.Streams(); err != nil || infos[0].Acked != 30 || infos[0].Unsent != 0 {
		t.Fatalf("%+v %v", infos[0], err)
	}
	got, acked, err := s.History(one, 0, 100)
	if err != nil || len(got) != 30 || acked != 30 {
		t.Fatalf("history: %d events, acked %d, %v", len(got), acked, err)
	}
	if got, _, err = s.History(one, 28, 100); err != nil || len(got) != 2 || got[0].Seq != 29 {
		t.Fatalf("history after 28: %+v %v", got, err)
	}
}

func TestHistoryIsLimitedAndUnsentEventsAreNot(t *testing.T) {
	s := open(t, t.TempDir(), func(o *store.Options) { o.MaxHistory = 20_000 })
	must(t, s.OpenStream(one, "g", []byte("e")))
	pad := strings.Repeat("x", 500)
	for range 20 {
		last, err := s.Append(ctx, one, evs(10, pad))
		must(t, err)
		if last <= 150 {
			must(t, s.Ack(one, last))
		}
	}
	got, acked, err := s.History(one, 0, 1000)
	must(t, err)
	if acked != 150 || got[len(got)-1].Seq != 200 {
		t.Fatalf("acked %d, newest %d", acked, got[len(got)-1].Seq)
	}
	if n := 200 - len(got); n < 50 || n > 130 {
		t.Fatalf("%d of 150 acknowledged events left the history", n)
	}
	for i, e := range got {
		if e.Seq != got[0].Seq+uint64(i) {
			t.Fatalf("hole before %d", e.Seq)
		}
	}
	items, err := s.Read(one, 150, 0, 0)
	if err != nil || len(items) != 50 {
		t.Fatalf("waiting: %d, %v", len(items), err)
	}
}

func TestQuota(t *testing.T) {
	now := start
	var mu sync.Mutex
	s := open(t, t.TempDir(), func(o *store.Options) {
		o.MaxUnsent = 10_000
		o.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	})
	must(t, s.OpenStream(one, "g", []byte("e")))
	must(t, s.OpenStream(two, "g", []byte("e")))
	var last uint64
	for {
		n, err := s.Append(ctx, one, evs(5, strings.Repeat("x", 300)))
		if errors.Is(err, store.ErrFull) {
			break
		}
		must(t, err)
		last = n
		if last > 100 {
			t.Fatal("the limit was never reached")
		}
	}
	_, err := s.Append(ctx, two, evs(1, "the other company is not concerned"))
	must(t, err)
	must(t, s.Ack(one, last))
	// The room is there once the acknowledgement is committed, here with a record.
	_, err = s.AppendRecord(entryOf("r", record.TypeRefusal, "co-1"))
	must(t, err)
	_, err = s.Append(ctx, one, evs(1, "room again"))
	must(t, err)
	mu.Lock()
	now = now.Add(store.MaxWait + time.Minute)
	mu.Unlock()
	if _, err = s.Append(ctx, two, evs(1, "late")); !errors.Is(err, store.ErrFull) {
		t.Fatalf("an event older than 30 days waits: %v", err)
	}
}

func TestManyAtOnceKeepOrder(t *testing.T) {
	s := open(t, t.TempDir())
	must(t, s.OpenStream(one, "g", []byte("e")))
	const writers, each = 16, 40
	var wg sync.WaitGroup
	seqs := make([][]uint64, writers)
	for w := range writers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range each {
				last, err := s.Append(ctx, one, []event.Event{ev(fmt.Sprintf("%d %d", w, i))})
				if err != nil {
					t.Error(err)
					return
				}
				seqs[w] = append(seqs[w], last)
			}
		}()
	}
	wg.Wait()
	got, _, err := s.History(one, 0, writers*each+1)
	must(t, err)
	if len(got) != writers*each {
		t.Fatalf("%d events", len(got))
	}
	for w := range seqs {
		for i, seq := range seqs[w] {
			if text := got[seq-1].Fields["text"]; text != fmt.Sprintf("%d %d", w, i) {
				t.Fatalf("event %d is %q", seq, text)
			}
		}
	}
}

func TestAppendHeedsItsContextOnlyBeforeItIsTaken(t *testing.T) {
	s := open(t, t.TempDir())
	must(t, s.OpenStream(one, "g", []byte("e")))
	gone, cancel := context.WithCancel(ctx)
	cancel()
	done := 0
	for range 50 {
		if _, err := s.Append(gone, one, evs(1, "x")); err == nil {
			done++
		} else if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	got, _, err := s.History(one, 0, 100)
	if err != nil || len(got) != done {
		t.Fatalf("%d stored, %d reported: %v", len(got), done, err)
	}
}

func TestSettings(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if v := s.Setting(1000); v.Value != consent.AccessUnset {
		t.Fatalf("%+v", v)
	}
	must(t, s.SetSetting(1000, consent.AccessDenied, start))
	must(t, s.SetSetting(1001, consent.AccessAllowed, start))
	must(t, s.SetSetting(1001, consent.AccessUnset, start))
	for _, v := range []consent.AccessControl{consent.AccessCorrupt, "", "sometimes"} {
		if err := s.SetSetting(1000, v, start); err == nil {
			t.Fatalf("%q was accepted", v)
		}
	}
	must(t, s.Close())
	s = open(t, dir)
	if v := s.Setting(1000); v.Value != consent.AccessDenied || !v.Since.Equal(start) {
		t.Fatalf("%+v", v)
	}
	if v := s.Setting(1001); v.Value != consent.AccessUnset {
		t.Fatalf("%+v", v)
	}
}

func TestDocumentsAndSessions(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if _, err := s.Doc("enrolment"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "../x", "A", "a/b", ".tmp"} {
		if err := s.PutDoc(bad, nil); err == nil {
			t.Fatalf("document %q", bad)
		}
	}
	must(t, s.PutDoc("enrolment", []byte("one")))
	must(t, s.PutDoc("enrolment", []byte("two\n")))
	must(t, s.PutSession("b", []byte("2")))
	must(t, s.PutSession("a", []byte("1")))
	must(t, s.PutSession("a", []byte("1b")))
	must(t, s.DeleteSession("b"))
	must(t, s.DeleteSession("never"))
	must(t, s.Close())
	s = open(t, dir)
	if raw, err := s.Doc("enrolment"); err != nil || string(raw) != "two\n" {
		t.Fatalf("%q %v", raw, err)
	}
	got, err := s.Sessions()
	if err != nil || len(got) != 1 || string(got["a"]) != "1b" {
		t.Fatalf("%q %v", got, err)
	}
	path := filepath.Join(dir, "docs", "enrolment")
	raw, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, bytes.Replace(raw, []byte("two"), []byte("twp"), 1), 0o600))
	if _, err := s.Doc("enrolment"); !errors.Is(err, store.ErrDamaged) {
		t.Fatalf("a changed document was read: %v", err)
	}
	must(t, s.DeleteDoc("enrolment"))
	must(t, s.DeleteDoc("enrolment"))
	noNotes(t, s)
}

func TestRecords(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if size, root, err := s.Checkpoint(); size != 0 || root == [32]byte{} || err != nil {
		t.Fatal(size, root, err)
	}
	types := []record.Type{record.TypeGrant, record.TypeRefusal, record.TypeWithdrawal, record.TypeGrant, record.TypeNoAnswer}
	for i := range 50 {
		n, err := s.AppendRecord(entryOf(fmt.Sprintf("r%02d", i), types[i%5], "co-1"))
		if err != nil || n != int64(i) {
			t.Fatal(n, err)
		}
	}
	if n, err := s.AppendRecord(entryOf("r07", record.TypeWithdrawal, "co-1")); err != nil || n != 7 {
		t.Fatalf("the same record again: %d %v", n, err)
	}
	other := entryOf("r07", record.TypeWithdrawal, "co-1")
	other.Envelope = []byte("another")
	if _, err := s.AppendRecord(other); !errors.Is(err, store.ErrExists) {
		t.Fatal(err)
	}
	size, root, err := s.Checkpoint()
	if err != nil || size != 50 {
		t.Fatal(size, err)
	}
	pend, err := s.PendingRecords("co-1", 4)
	if err != nil || len(pend) != 4 || pend[0].ID != "r01" || pend[1].ID != "r02" || pend[2].ID != "r04" || pend[3].ID != "r06" {
		t.Fatalf("%+v %v", pend, err)
	}
	must(t, s.RecordAcked("co-1", "r02")) // out of order
	must(t, s.RecordAcked("co-1", "r01"))
	must(t, s.RecordAcked("co-1", "r01"))
	if err := s.RecordAcked("co-2", "r04"); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("another company acknowledged: %v", err)
	}
	must(t, s.Close())
	s = open(t, dir)
	if n, r, err := s.Checkpoint(); n != size || r != root || err != nil {
		t.Fatal("the log changed over a restart")
	}
	if pend, err = s.PendingRecords("co-1", 0); err != nil || len(pend) != 28 || pend[0].ID != "r04" {
		t.Fatalf("%d pending, %v", len(pend), err)
	}
	next := 49
	must(t, s.Records(func(e store.Entry) bool {
		if e.ID != fmt.Sprintf("r%02d", next) || e.Index != int64(next) || !e.At.Equal(start) {
			t.Fatalf("%+v instead of %d", e, next)
		}
		next--
		// Writing while listing must be possible.
		if next == 20 {
			must(t, s.PutSession("x", nil))
		}
		return true
	}))
	if next != -1 {
		t.Fatalf("ended before %d", next)
	}
	if e, err := s.Record("r31"); err != nil || e.Index != 31 {
		t.Fatal(e, err)
	}
	if _, err := s.Record("r99"); !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	noNotes(t, s)
}

func TestChangedTellsOfWhatIsNew(t *testing.T) {
	s := open(t, t.TempDir())
	expect := func(what string, do func()) {
		t.Helper()
		select {
		case <-s.Changed():
		default:
		}
		do()
		select {
		case <-s.Changed():
		default:
			t.Fatalf("no nudge after %s", what)
		}
	}
	expect("a stream", func() { must(t, s.OpenStream(one, "g", []byte("e"))) })
	expect("an event", func() { _, err := s.Append(ctx, one, evs(1, "a")); must(t, err) })
	expect("a record", func() { _, err := s.AppendRecord(entryOf("r", record.TypeRefusal, "co-1")); must(t, err) })
	expect("an end", func() { must(t, s.CloseStream(one)) })
}
