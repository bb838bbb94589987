package outbox

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"aval/agent/event"
)

// Sum is a link of the hash chain, kept as hex in JSON.
type Sum [hashSize]byte

// MarshalText writes the sum as hex.
func (s Sum) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, s[:]), nil }

// UnmarshalText reads what MarshalText wrote.
func (s *Sum) UnmarshalText(text []byte) error {
	if len(text) != 2*len(s) {
		return fmt.Errorf("hash of %d characters", len(text))
	}
	_, err := hex.Decode(s[:], text)
	return err
}

// State is what must be known of a queue beside its values. It is kept with
// the stream, in the same transaction as the values that it speaks of.
type State struct {
	// First is the oldest sequence that is still stored; Last+1 if none is.
	First uint64 `json:"first"`
	// Last is the newest sequence ever stored, 0 for none.
	Last uint64 `json:"last"`
	// Acked: everything up to it was acknowledged. Settled is the end of the
	// last value that was acknowledged whole.
	Acked   uint64 `json:"acked"`
	Settled uint64 `json:"settled"`
	// Tail is the hash of the newest value.
	Tail Sum `json:"tail"`
	// Bytes of all stored values, and of those not settled.
	Bytes  int64 `json:"bytes"`
	Unsent int64 `json:"unsent"`
	// Oldest is when the oldest unsettled value was stored, unix seconds; 0: none.
	Oldest int64 `json:"oldest"`
}

// NewState is the state of an empty queue.
func NewState() State { return State{First: 1} }

// Item is one event with the grant that covers it.
type Item struct {
	Event   event.Event
	GrantID string
}

// Queue works on one stream within a transaction. Key may be nil for what does
// not open values: Acknowledge, Evict and Check.
type Queue struct {
	B     *bolt.Bucket
	Name  Name
	Key   *Key
	State *State
}

// Add stores events after State.Last. The caller commits.
func (q Queue) Add(grant string, at time.Time, evs []event.Event) error {
	if q.Key == nil {
		return errors.New("store events: the session's key is missing")
	}
	// Keys only ascend: full leaves are never split again.
	q.B.FillPercent = 1
	for _, part := range split(encode(evs)) {
		first := q.State.Last + 1
		v, err := q.Key.seal(q.Name, first, at.Unix(), q.State.Tail, grant, part)
		if err != nil {
			return err
		}
		if err := q.B.Put(seqKey(first), v); err != nil {
			return fmt.Errorf("store events: %w", err)
		}
		q.State.Tail = sha256.Sum256(v)
		q.State.Last += uint64(len(part))
		q.State.Bytes += int64(len(v))
		q.State.Unsent += int64(len(v))
		if q.State.Oldest == 0 {
			q.State.Oldest = at.Unix()
		}
	}
	return nil
}

// Acknowledge moves State.Acked up to seq: the values stay as history. A seq
// that was never given out is refused; an old one changes nothing.
func (q Queue) Acknowledge(seq uint64) error {
	if seq > q.State.Last {
		return fmt.Errorf("acknowledge event %d: the last one is %d", seq, q.State.Last)
	}
	if seq <= q.State.Acked {
		return nil
	}
	q.State.Acked = seq
	c := q.B.Cursor()
	want := q.State.Settled + 1
	k, v := c.Seek(seqKey(want))
	for ; k != nil; k, v = c.Next() {
		ch, err := parse(keySeq(k), v)
		if err != nil {
			return err
		}
		if ch.first != want {
			return fmt.Errorf("%w: event %d is missing", ErrDamaged, want)
		}
		if ch.last() > seq {
			q.State.Oldest = ch.at
			return nil
		}
		want = ch.last() + 1
		q.State.Settled = ch.last()
		q.State.Unsent -= int64(len(v))
	}
	q.State.Oldest = 0
	if q.State.Settled != q.State.Last {
		return fmt.Errorf("%w: event %d is missing", ErrDamaged, want)
	}
	return nil
}

// Evict deletes settled values, oldest first, until it has freed at least
// bytes or none is left. It returns how many it freed.
func (q Queue) Evict(bytes int64) (freed int64, err error) {
	var keys [][]byte
	c := q.B.Cursor()
	first := q.State.First
	for k, v := c.First(); k != nil && freed < bytes; k, v = c.Next() {
		ch, err := parse(keySeq(k), v)
		if err != nil {
			return 0, err
		}
		if ch.last() > q.State.Settled {
			break
		}
		keys = append(keys, append([]byte(nil), k...))
		freed += int64(len(v))
		first = ch.last() + 1
	}
	// Known keys are deleted afterwards: a cursor that is moved after each
	// delete walks every emptied leaf.
	for _, k := range keys {
		if err := q.B.Delete(k); err != nil {
			return 0, fmt.Errorf("evict events: %w", err)
		}
	}
	q.State.First = first
	q.State.Bytes -= freed
	return freed, nil
}

// Check compares both ends of the queue with its state, without opening values.
func (q Queue) Check() error {
	c := q.B.Cursor()
	k, v := c.Last()
	if k == nil {
		if q.State.First != q.State.Last+1 {
			return fmt.Errorf("%w: events %d to %d are missing", ErrDamaged, q.State.First, q.State.Last)
		}
		return nil
	}
	ch, err := parse(keySeq(k), v)
	if err != nil {
		return err
	}
	if sum := sha256.Sum256(v); ch.last() != q.State.Last || !same(sum[:], q.State.Tail[:]) {
		return fmt.Errorf("%w: the newest event is not number %d as it was written", ErrDamaged, q.State.Last)
	}
	if k, _ := c.First(); keySeq(k) != q.State.First {
		return fmt.Errorf("%w: event %d is missing", ErrDamaged, q.State.First)
	}
	return nil
}

// Read returns up to maxEvents events and about maxBytes of them, at least
// one, beginning after sequence after; all under one grant. Where it meets
// damage it first returns what is good; the next Read gives ErrDamaged.
func (q Queue) Read(after uint64, maxEvents, maxBytes int) ([]Item, error) {
	var out []Item
	size := 0
	err := q.walk(after, func(c chunk, evs []event.Event, n int) bool {
		if len(out) > 0 && (c.grant != out[0].GrantID || size+n > maxBytes) {
			return false
		}
		size += n
		for _, e := range evs {
			if len(out) == maxEvents {
				return false
			}
			out = append(out, Item{Event: e, GrantID: c.grant})
		}
		return len(out) < maxEvents
	})
	if len(out) > 0 {
		return out, nil
	}
	return nil, err
}

// walk opens values in order, beginning with the one that holds after+1, and
// checks that each follows the one before.
func (q Queue) walk(after uint64, yield func(c chunk, evs []event.Event, size int) bool) error {
	if after < q.State.First-1 {
		after = q.State.First - 1
	}
	if after >= q.State.Last {
		return nil
	}
	if q.Key == nil {
		return fmt.Errorf("%w: the session's key is missing", ErrDamaged)
	}
	cur := q.B.Cursor()
	k, v := cur.Seek(seqKey(after + 1))
	if keySeq(k) != after+1 {
		k, v = cur.Prev()
	}
	var prev []byte
	want := uint64(0)
	for ; k != nil; k, v = cur.Next() {
		c, err := parse(keySeq(k), v)
		if err != nil {
			return err
		}
		if want == 0 && (c.first > after+1 || c.last() < after+1) {
			return fmt.Errorf("%w: event %d is missing", ErrDamaged, after+1)
		}
		if want != 0 && (c.first != want || !same(c.prev[:], prev)) {
			return fmt.Errorf("%w: event %d does not follow the one before", ErrDamaged, want)
		}
		sum := sha256.Sum256(v)
		if c.last() == q.State.Last && !same(sum[:], q.State.Tail[:]) {
			return fmt.Errorf("%w: event %d is not the one that was written last", ErrDamaged, c.last())
		}
		evs, size, err := q.Key.open(q.Name, c)
		if err != nil {
			return err
		}
		if c.first <= after {
			evs = evs[after-c.first+1:]
		}
		if !yield(c, evs, size) || c.last() >= q.State.Last {
			return nil
		}
		prev, want = sum[:], c.last()+1
	}
	return fmt.Errorf("%w: event %d is missing", ErrDamaged, max(want, after+1))
}
