package store_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/record"
	"aval/agent/store"
)

// model is a store as plain values in memory.
type model struct {
	streams  map[store.Stream]*modelStream
	settings map[uint32]consent.AccessControl
	sessions map[string]string
	records  []store.Entry
	acked    map[string]bool
}

type modelStream struct {
	events                    []string
	grants                    []string // of each event
	grant                     string
	acked                     uint64
	closed, withdrawn, erased bool
}

// refusal is the error that Append and OpenStream must give.
func (m *modelStream) refusal() error {
	switch {
	case m == nil:
		return store.ErrNoStream
	case m.erased:
		return store.ErrErased
	case m.withdrawn:
		return store.ErrWithdrawn
	case m.closed:
		return store.ErrClosed
	}
	return nil
}

// TestStoreIsAsTheModel plays random calls, and restarts at any moment, against
// the model. Planted once: where load does not look at withdrawn keys, it fails
// at the first restart after a withdrawal.
func TestStoreIsAsTheModel(t *testing.T) {
	names := []store.Stream{{Company: "a", Session: "t/1"}, {Company: "b", Session: "t/1"}, {Company: "a", Session: "t/2"}}
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "m")
		must(t, err)
		defer os.RemoveAll(dir)
		s := open(t, dir)
		defer func() { s.Close() }()
		m := &model{streams: map[store.Stream]*modelStream{}, settings: map[uint32]consent.AccessControl{},
			sessions: map[string]string{}, acked: map[string]bool{}}
		name := rapid.SampledFrom(names)
		count := 0
		same := func(got, want error) {
			if !errors.Is(got, want) || (want == nil) != (got == nil) {
				rt.Fatalf("error %v instead of %v", got, want)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"open": func(rt *rapid.T) {
				n := name.Draw(rt, "stream")
				count++
				grant := fmt.Sprint("grant", count)
				ms := m.streams[n]
				var want error
				if ms != nil {
					want = ms.refusal()
				}
				same(s.OpenStream(n, grant, []byte("envelope of "+grant)), want)
				if want != nil {
					return
				}
				if ms == nil {
					ms = &modelStream{}
					m.streams[n] = ms
				}
				ms.grant = grant
			},
			"append": func(rt *rapid.T) {
				n := name.Draw(rt, "stream")
				ms := m.streams[n]
				var add []event.Event
				for range rapid.IntRange(1, 23).Draw(rt, "events") {
					count++
					add = append(add, ev(fmt.Sprint(count, " ", rapid.StringN(0, 20, 400).Draw(rt, "text"))))
				}
				last, err := s.Append(ctx, n, add)
				same(err, ms.refusal())
				if err != nil {
					return
				}
				for _, e := range add {
					ms.events = append(ms.events, e.Fields["text"])
					ms.grants = append(ms.grants, ms.grant)
				}
				if last != uint64(len(ms.events)) {
					rt.Fatalf("last %d of %d", last, len(ms.events))
				}
			},
			"ack": func(rt *rapid.T) {
				n := name.Draw(rt, "stream")
				seq := rapid.Uint64Range(0, 60).Draw(rt, "seq")
				ms := m.streams[n]
				err := s.Ack(n, seq)
				if ms == nil || seq > uint64(len(ms.events)) {
					if err == nil {
						rt.Fatal("acknowledged what is not there")
					}
					return
				}
				same(err, nil)
				if !ms.erased {
					ms.acked = max(ms.acked, seq)
				}
			},
			"close": func(rt *rapid.T) {
				n := name.Draw(rt, "stream")
				if ms := m.streams[n]; ms == nil {
					same(s.CloseStream(n), store.ErrNoStream)
				} else {
					same(s.CloseStream(n), nil)
					ms.closed = true
				}
			},
			"withdraw": func(rt *rapid.T) {
				n := name.Draw(rt, "stream")
				if ms := m.streams[n]; ms == nil {
					same(s.Withdraw(n), store.ErrNoStream)
				} else {
					same(s.Withdraw(n), nil)
					ms.withdrawn = true
				}
			},
			"erase": func(rt *rapid.T) {
				n := name.Draw(rt, "stream")
				if ms := m.streams[n]; ms == nil {
					same(s.Erase(n), store.ErrNoStream)
				} else {
					same(s.Erase(n), nil)
					ms.erased, ms.closed = true, true
				}
			},
			"setting": func(rt *rapid.T) {
				uid := rapid.Uint32Range(1, 3).Draw(rt, "uid")
				v := rapid.SampledFrom([]consent.AccessControl{consent.AccessUnset, consent.AccessAllowed, consent.AccessDenied}).Draw(rt, "value")
				same(s.SetSetting(uid, v, start), nil)
				m.settings[uid] = v
			},
			"session": func(rt *rapid.T) {
				key := rapid.SampledFrom([]string{"x", "y", "z"}).Draw(rt, "key")
				if rapid.Bool().Draw(rt, "delete") {
					same(s.DeleteSession(key), nil)
					delete(m.sessions, key)
				} else {
					count++
					same(s.PutSession(key, []byte(fmt.Sprint(count))), nil)
					m.sessions[key] = fmt.Sprint(count)
				}
			},
			"record": func(rt *rapid.T) {
				typ := rapid.SampledFrom([]record.Type{record.TypeGrant, record.TypeRefusal, record.TypeErasure}).Draw(rt, "type")
				e := entryOf(fmt.Sprint("r", len(m.records)), typ, rapid.SampledFrom([]string{"", "a", "b"}).Draw(rt, "company"))
				n, err := s.AppendRecord(e)
				same(err, nil)
				if n != int64(len(m.records)) {
					rt.Fatalf("index %d of %d", n, len(m.records))
				}
				m.records = append(m.records, e)
			},
			"record acknowledged": func(rt *rapid.T) {
				if len(m.records) == 0 {
					return
				}
				e := m.records[rapid.IntRange(0, len(m.records)-1).Draw(rt, "record")]
				same(s.RecordAcked(e.Company, e.ID), nil)
				m.acked[e.ID] = true
			},
			"restart": func(rt *rapid.T) {
				same(s.Close(), nil)
				s = open(t, dir)
			},
			"compact": func(rt *rapid.T) { same(s.Compact(), nil) },
			"":        func(rt *rapid.T) { m.compare(rt, s, names) },
		})
	})
}

func (m *model) compare(rt *rapid.T, s *store.Store, names []store.Stream) {
	if n := s.Notes(); len(n) != 0 {
		rt.Fatalf("notes %q", n)
	}
	for uid := uint32(1); uid <= 3; uid++ {
		want := m.settings[uid]
		if want == "" {
			want = consent.AccessUnset
		}
		if got := s.Setting(uid).Value; got != want {
			rt.Fatalf("setting %d: %s instead of %s", uid, got, want)
		}
	}
	ss, err := s.Sessions()
	if err != nil || len(ss) != len(m.sessions) {
		rt.Fatalf("%d sessions instead of %d, %v", len(ss), len(m.sessions), err)
	}
	for k, v := range m.sessions {
		if string(ss[k]) != v {
			rt.Fatalf("session %s", k)
		}
	}
	var ids, want []string
	if err := s.Records(func(e store.Entry) bool { ids = append(ids, e.ID); return true }); err != nil {
		rt.Fatal(err)
	}
	slices.Reverse(ids)
	pending := map[string][]string{}
	for _, e := range m.records {
		want = append(want, e.ID)
		if e.Company != "" && e.Type != record.TypeGrant && !m.acked[e.ID] {
			pending[e.Company] = append(pending[e.Company], e.ID)
		}
	}
	if !slices.Equal(ids, want) {
		rt.Fatalf("records %v instead of %v", ids, want)
	}
	for _, c := range []string{"a", "b"} {
		got, err := s.PendingRecords(c, 0)
		var ids []string
		for _, e := range got {
			ids = append(ids, e.ID)
		}
		if err != nil || !slices.Equal(ids, pending[c]) {
			rt.Fatalf("pending of %s: %v instead of %v, %v", c, ids, pending[c], err)
		}
	}
	infos, err := s.Streams()
	if err != nil || len(infos) != len(m.streams) {
		rt.Fatalf("%d streams instead of %d, %v", len(infos), len(m.streams), err)
	}
	for _, i := range infos {
		ms := m.streams[i.Stream]
		if i.Last != uint64(len(ms.events)) || i.Acked != ms.acked || i.Closed != ms.closed || i.Erased != ms.erased ||
			(!ms.erased && i.Withdrawn != ms.withdrawn) || i.GrantID != ms.grant || string(i.Grant) != "envelope of "+ms.grant {
			rt.Fatalf("stream %+v instead of %+v", i, ms)
		}
	}
	for _, n := range names {
		ms := m.streams[n]
		if ms == nil {
			continue
		}
		got, acked, err := s.History(n, 0, 10_000)
		if ms.erased {
			if !errors.Is(err, store.ErrErased) || len(got) != 0 {
				rt.Fatalf("erased history: %d, %v", len(got), err)
			}
			got = nil
		} else if err != nil || len(got) != len(ms.events) || acked != ms.acked {
			rt.Fatalf("history: %d instead of %d, acked %d instead of %d, %v", len(got), len(ms.events), acked, ms.acked, err)
		}
		for i, e := range got {
			if e.Seq != uint64(i+1) || e.Fields["text"] != ms.events[i] {
				rt.Fatalf("event %d: %+v", i+1, e)
			}
		}
		var read []string
		for after := ms.acked; ; {
			items, err := s.Read(n, after, 9, 2000)
			if err != nil {
				rt.Fatal(err)
			}
			if len(items) == 0 {
				break
			}
			for _, it := range items {
				after++
				if it.Event.Seq != after || it.GrantID != ms.grants[after-1] || it.GrantID != items[0].GrantID {
					rt.Fatalf("item %+v at %d", it, after)
				}
				read = append(read, it.Event.Fields["text"])
			}
		}
		var want []string
		if !ms.withdrawn && !ms.erased {
			want = ms.events[ms.acked:]
		}
		if !slices.Equal(read, want) {
			rt.Fatalf("for sending: %d events instead of %d", len(read), len(want))
		}
	}
}

// BenchmarkAppend appends events of about 300 bytes in one call of n, each call
// durable; ns/op is for one event.
func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("batch=%d", n), func(b *testing.B) {
			s := open(b, b.TempDir(), func(o *store.Options) { o.MaxUnsent = 1 << 40; o.MaxHistory = 64 << 20 })
			must(b, s.OpenStream(one, "01JDGRANT", []byte("e")))
			batch := make([]event.Event, n)
			for i := range batch {
				batch[i] = event.Event{Kind: event.WindowFocused, At: time.Unix(1_800_000_000, int64(i)), Fields: map[string]string{
					"app": "Text Editor", "program": "mousepad", "title": fmt.Sprintf("%0240d", i)}}
			}
			b.ReportAllocs()
			b.ResetTimer()
			for done := 0; done < b.N; done += n {
				last, err := s.Append(ctx, one, batch)
				must(b, err)
				must(b, s.Ack(one, last))
			}
		})
	}
}
