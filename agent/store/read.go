package store

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"

	"aval/agent/event"
	"aval/agent/store/outbox"
	"aval/agent/wire"
)

// Read returns events after sequence after for sending: at most maxEvents and
// about maxBytes, but at least one; all under one grant. Limits of 0 or less
// mean those of a batch on the wire. It returns nothing once the stream is
// withdrawn or erased, and while it is held. Where events are damaged, the good ones before them are
// returned first, then ErrDamaged.
func (s *Store) Read(name Stream, after uint64, maxEvents, maxBytes int) ([]Item, error) {
	if maxEvents <= 0 {
		maxEvents = wire.MaxBatchEvents
	}
	if maxBytes <= 0 {
		maxBytes = wire.MaxBatchBytes
	}
	sendable := func() (bool, error) {
		st, m, err := s.get(name)
		return err == nil && !m.withdrawn && !m.erased && !m.held && !st.row.Held, err
	}
	if ok, err := sendable(); !ok {
		return nil, err
	}
	items, err := s.read(name, after, maxEvents, maxBytes)
	// Withdrawn while it was read: then it is not given out any more.
	if ok, _ := sendable(); !ok {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	return items, nil
}

func (s *Store) read(name Stream, after uint64, maxEvents, maxBytes int) ([]Item, error) {
	for {
		st, m, err := s.get(name)
		if err != nil {
			return nil, err
		}
		if m.erased {
			return nil, ErrErased
		}
		state := st.row.State
		if after >= state.Last {
			return nil, nil
		}
		key, err := s.sessionKey(st)
		if err != nil {
			return nil, err
		}
		var items []Item
		err = s.file.view(func(tx *bolt.Tx) error {
			b := tx.Bucket([]byte(bEvents)).Bucket(numKey(st.row.No))
			if b == nil {
				return fmt.Errorf("%w: the events of a stream are missing", ErrDamaged)
			}
			q := outbox.Queue{B: b, Name: outbox.Name(name), Key: key, State: &state}
			var err error
			items, err = q.Read(after, maxEvents, maxBytes)
			return err
		})
		if err == nil {
			return items, nil
		}
		// The oldest may just have left the history, or all of it been erased.
		now, m, gerr := s.get(name)
		if gerr == nil && m.erased {
			return nil, ErrErased
		}
		if gerr == nil && now.row.State.First != state.First {
			continue
		}
		if errors.Is(err, ErrDamaged) {
			s.damage(st, err)
		}
		return nil, err
	}
}

// Ack notes that everything up to seq is stored by the summarizer. It is
// committed with the next change, or shortly after by itself; lost in a crash,
// the summarizer says it again.
func (s *Store) Ack(name Stream, seq uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	no, ok := s.byName[name]
	if !ok {
		return fmt.Errorf("acknowledge events: %w: %s", ErrNoStream, name.Session)
	}
	st := s.streams[no]
	if seq > st.row.State.Last {
		return fmt.Errorf("acknowledge events: number %d was never stored", seq)
	}
	if st.row.Erased || seq <= max(st.row.State.Acked, s.acks[no]) {
		return nil
	}
	s.acks[no] = seq
	s.lazy.Reset(lazyDelay)
	return nil
}

func (s *Store) acksWaiting() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.acks) > 0
}

// Streams lists all streams, oldest first.
func (s *Store) Streams() ([]StreamInfo, error) {
	s.mu.RLock()
	out := make([]StreamInfo, 0, len(s.streams))
	nos := make(map[Stream]uint64, len(s.streams))
	for no, st := range s.streams {
		r, m := st.row, st.marks
		nos[st.name()] = no
		out = append(out, StreamInfo{Stream: st.name(), GrantID: r.GrantID, Last: r.State.Last,
			Acked: max(r.State.Acked, s.acks[no]), Closed: r.Closed, Withdrawn: m.withdrawn,
			Held: r.Held, HeldUntil: r.Until, DeleteAsked: m.held,
			Erased: r.Erased || m.erased, Damaged: m.damaged, Unsent: r.State.Unsent, OpenedAt: r.OpenedAt})
	}
	s.mu.RUnlock()
	slices.SortFunc(out, func(a, b StreamInfo) int { return cmp.Compare(nos[a.Stream], nos[b.Stream]) })
	err := s.file.view(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte(bGrants))
		for i := range out {
			k := numKey(nos[out[i].Stream])
			raw, err := openRow(bGrants, k, b.Get(k))
			if err != nil {
				out[i].Damaged = true
				continue
			}
			out[i].Grant = slices.Clone(raw)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list streams: %w", err)
	}
	return out, nil
}

// History returns up to max events after sequence after, oldest first, waiting
// and acknowledged ones alike, and the newest acknowledged sequence. A max of 0
// or less means wire.MaxBatchEvents. It works after a withdrawal, for the
// person may see what was recorded; an erased stream gives ErrErased.
func (s *Store) History(name Stream, after uint64, max int) (evs []event.Event, acked uint64, err error) {
	if max <= 0 {
		max = wire.MaxBatchEvents
	}
	for len(evs) < max {
		items, err := s.read(name, after, max-len(evs), wire.MaxBatchBytes)
		if err != nil {
			if len(evs) > 0 {
				break // the good ones first; the next call says what is wrong
			}
			return nil, 0, fmt.Errorf("read history: %w", err)
		}
		if len(items) == 0 {
			break
		}
		for _, it := range items {
			evs = append(evs, it.Event)
		}
		after = evs[len(evs)-1].Seq
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if no, ok := s.byName[name]; ok {
		acked = s.streams[no].row.State.Acked
		if a := s.acks[no]; a > acked {
			acked = a
		}
	}
	return evs, acked, nil
}
