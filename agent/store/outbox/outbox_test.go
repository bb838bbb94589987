package outbox

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"aval/agent/event"
)

var name = Name{Company: "co", Session: "t/1"}

func testKey(t testing.TB) *Key {
	t.Helper()
	k, err := NewKey(bytes.Repeat([]byte{7}, KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func events(n, size int) []event.Event {
	out := make([]event.Event, n)
	for i := range out {
		out[i] = event.Event{Kind: event.Note, At: time.Unix(1, int64(i)).UTC(), Fields: map[string]string{"text": fmt.Sprintf("%0*d", size, i)}}
	}
	return out
}

// queue runs fn on a queue with 60 events in values of several sizes.
func queue(t testing.TB, fn func(q Queue)) {
	t.Helper()
	db, err := bolt.Open(filepath.Join(t.TempDir(), "q.db"), 0o600, &bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucket([]byte("q"))
		if err != nil {
			return err
		}
		st := NewState()
		q := Queue{B: b, Name: name, Key: testKey(t), State: &st}
		for i, n := range []int{1, 12, 25, 22} {
			if err := q.Add(fmt.Sprint("g", i/2), time.Unix(int64(i), 0), events(n, 100*i)); err != nil {
				return err
			}
		}
		fn(q)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// drain reads everything and counts.
func drain(q Queue) (n int, err error) {
	after := q.State.First - 1
	for {
		items, err := q.Read(after, 7, 5000)
		if err != nil || len(items) == 0 {
			return n, err
		}
		n += len(items)
		after = items[len(items)-1].Event.Seq
	}
}

func rows(q Queue) (keys, values [][]byte) {
	_ = q.B.ForEach(func(k, v []byte) error {
		keys, values = append(keys, bytes.Clone(k)), append(values, bytes.Clone(v))
		return nil
	})
	return keys, values
}

// TestEveryDamageIsSeen changes, removes, swaps and moves values.
func TestEveryDamageIsSeen(t *testing.T) {
	for what, damage := range map[string]func(q Queue, k, v [][]byte){
		"a bit in the head":       func(q Queue, k, v [][]byte) { v[3][5] ^= 1; _ = q.B.Put(k[3], v[3]) },
		"a bit in the text":       func(q Queue, k, v [][]byte) { v[3][len(v[3])-40] ^= 1; _ = q.B.Put(k[3], v[3]) },
		"a value is missing":      func(q Queue, k, v [][]byte) { _ = q.B.Delete(k[2]) },
		"the first is missing":    func(q Queue, k, v [][]byte) { _ = q.B.Delete(k[0]) },
		"the last is missing":     func(q Queue, k, v [][]byte) { _ = q.B.Delete(k[len(k)-1]) },
		"two are exchanged":       func(q Queue, k, v [][]byte) { _ = q.B.Put(k[1], v[2]); _ = q.B.Put(k[2], v[1]) },
		"one takes another place": func(q Queue, k, v [][]byte) { _ = q.B.Put(k[4], v[3]) },
		"cut":                     func(q Queue, k, v [][]byte) { _ = q.B.Put(k[3], v[3][:20]) },
		"the grant is another": func(q Queue, k, v [][]byte) {
			i := bytes.Index(v[3], []byte("g1"))
			v[3][i+1] = '0'
			_ = q.B.Put(k[3], v[3])
		},
		"another session": func(q Queue, k, v [][]byte) {},
		"the same, sealed again": func(q Queue, k, v [][]byte) {
			c, _ := parse(keySeq(k[3]), v[3])
			evs, _, _ := q.Key.open(q.Name, c)
			again, _ := q.Key.seal(q.Name, c.first, c.at, c.prev, c.grant, encode(evs))
			_ = q.B.Put(k[3], again)
		},
	} {
		t.Run(what, func(t *testing.T) {
			queue(t, func(q Queue) {
				if n, err := drain(q); n != 60 || err != nil || q.Check() != nil {
					t.Fatalf("%d of 60 events, %v, %v", n, err, q.Check())
				}
				k, v := rows(q)
				damage(q, k, v)
				if what == "another session" {
					q.Name.Session = "t/2"
				}
				n, err := drain(q)
				if what == "the same, sealed again" {
					// From its start on the chain must break after it.
					err = q.walk(0, func(chunk, []event.Event, int) bool { return true })
				}
				if !errors.Is(err, ErrDamaged) {
					t.Fatalf("%d events and %v", n, err)
				}
			})
		})
	}
}

func TestAcknowledgeAndEvict(t *testing.T) {
	queue(t, func(q Queue) {
		whole := q.State.Bytes
		if q.State.Unsent != whole || q.State.Oldest != 0 && q.State.Oldest != 1 {
			t.Fatalf("%+v", *q.State)
		}
		if err := q.Acknowledge(61); err == nil {
			t.Fatal("what is not there was acknowledged")
		}
		if freed, err := q.Evict(1 << 30); freed != 0 || err != nil {
			t.Fatalf("unsent events were evicted: %d, %v", freed, err)
		}
		for _, seq := range []uint64{5, 3, 14, 40} {
			if err := q.Acknowledge(seq); err != nil {
				t.Fatal(err)
			}
		}
		if q.State.Acked != 40 || q.State.Settled > 40 || q.State.Settled < 30 || q.State.Oldest != 3 {
			t.Fatalf("%+v", *q.State)
		}
		freed, err := q.Evict(1 << 30)
		if err != nil || freed != whole-q.State.Unsent || q.State.Bytes != q.State.Unsent || q.State.First != q.State.Settled+1 {
			t.Fatalf("freed %d, %+v, %v", freed, *q.State, err)
		}
		if n, err := drain(q); err != nil || uint64(n) != 60-q.State.Settled || q.Check() != nil {
			t.Fatalf("%d left, %v, %v", n, err, q.Check())
		}
		if err := q.Acknowledge(60); err != nil || q.State.Unsent != 0 || q.State.Oldest != 0 {
			t.Fatalf("%+v, %v", *q.State, err)
		}
		if _, err := q.Evict(1 << 30); err != nil || q.State.Bytes != 0 || q.State.First != 61 || q.Check() != nil {
			t.Fatalf("%+v, %v, %v", *q.State, err, q.Check())
		}
		if err := q.Add("g9", time.Unix(9, 0), events(3, 10)); err != nil || q.State.Last != 63 {
			t.Fatal(err)
		}
		if n, err := drain(q); n != 3 || err != nil {
			t.Fatal(n, err)
		}
	})
}

func TestValuesFitOnAPage(t *testing.T) {
	queue(t, func(q Queue) {
		if err := q.Add("g", time.Unix(9, 0), events(40, 1900)); err != nil {
			t.Fatal(err)
		}
		keys, values := rows(q)
		for i, v := range values {
			if len(v) > 4000 {
				t.Errorf("value %d has %d bytes", keySeq(keys[i]), len(v))
			}
		}
	})
}

func TestTextThatIsNotUTF8IsMended(t *testing.T) {
	queue(t, func(q Queue) {
		if err := q.Add("g", time.Unix(9, 0), []event.Event{{Kind: event.Note, Fields: map[string]string{"text": "caf\xe9"}}}); err != nil {
			t.Fatal(err)
		}
		items, err := q.Read(60, 1, 1)
		if err != nil || items[0].Event.Fields["text"] != "caf\uFFFD" {
			t.Fatalf("%+v, %v", items, err)
		}
	})
}

// FuzzChunk: whatever is stored, opening it gives exactly what seal was given,
// or ErrDamaged. Values are tried as they are, and as changes of a good one.
func FuzzChunk(f *testing.F) {
	key := testKey(f)
	want := events(3, 20)
	for i := range want {
		want[i].Session, want[i].Seq = name.Session, uint64(i+1)
	}
	good, err := key.seal(name, 1, 5, Sum{1}, "g", encode(want))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, uint16(0), byte(0))
	f.Add(good[:50], uint16(9), byte(1))
	f.Add([]byte{chunkVersion, 1}, uint16(1), byte(0x80))
	f.Fuzz(func(t *testing.T, raw []byte, at uint16, flip byte) {
		changed := bytes.Clone(good)
		changed[int(at)%len(changed)] ^= flip
		for _, v := range [][]byte{raw, changed} {
			c, err := parse(1, v)
			var evs []event.Event
			if err == nil {
				evs, _, err = key.open(name, c)
			}
			// A seed that another process sealed has another nonce: what counts
			// is what comes out.
			if err == nil && !reflect.DeepEqual(evs, want) {
				t.Fatalf("%x opens as %+v", v, evs)
			}
			if err != nil && !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
		}
	})
}

func TestSum(t *testing.T) {
	s := Sum{1, 2}
	text, _ := s.MarshalText()
	var got Sum
	if err := got.UnmarshalText(text); err != nil || got != s {
		t.Fatal(got, err)
	}
	for _, bad := range []string{"", "00", strings.Repeat("zz", 32), strings.Repeat("0", 66)} {
		if err := got.UnmarshalText([]byte(bad)); err == nil {
			t.Fatalf("%q", bad)
		}
	}
}
