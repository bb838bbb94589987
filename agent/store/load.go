package store

import (
	"fmt"

	bolt "go.etcd.io/bbolt"

	"aval/agent/store/outbox"
)

// load reads the state that is kept in memory, and finishes what an
// interruption left half done. The database is open and nothing commits.
func (s *Store) load() error {
	keys, err := s.keys.scan()
	if err != nil {
		return err
	}
	l := &loader{s: s, keys: keys, streams: map[uint64]*stream{}, byName: map[Stream]uint64{}}
	if err := s.file.view(l.read); err != nil {
		return fmt.Errorf("read database: %w", err)
	}
	s.mu.Lock()
	// What was withdrawn or erased in this process stays so, whatever the disk says.
	for name, no := range l.byName {
		if old, ok := s.byName[name]; ok {
			m, was := l.streams[no].marks, s.streams[old].marks
			m.withdrawn, m.erased, m.held = m.withdrawn || was.withdrawn, m.erased || was.erased, m.held || was.held
		}
	}
	s.streams, s.byName, s.acks = l.streams, l.byName, map[uint64]uint64{}
	s.log, s.pending = l.log, l.pending
	s.mu.Unlock()
	if err := l.finishKeys(); err != nil {
		return err
	}
	return s.finishRows(l)
}

type loader struct {
	s       *Store
	keys    map[string]string // base name of the key file → its state
	streams map[uint64]*stream
	byName  map[Stream]uint64
	log     logState
	logBad  bool
	pending map[string][]int64
	gone    []uint64 // streams whose key is gone: to be erased
	publish []string // keys whose stream is durable
	drop    []string // keys that never got a stream
}

func (l *loader) read(tx *bolt.Tx) error {
	s := l.s
	s.loadSettings(tx)
	if err := openJSON(bState, kLog, tx.Bucket([]byte(bState)).Get(kLog), &l.log); err != nil {
		l.log, l.logBad = newLogState(), true
	}
	var bad int
	if l.pending, bad = readPending(tx, l.log); bad > 0 {
		s.note(fmt.Sprintf("%d records that were to be sent are damaged.", bad))
	}
	if root, err := recordRoot(tx, l.log); err != nil || root != l.log.Root {
		l.logBad = true
	}
	damagedRows := 0
	err := tx.Bucket([]byte(bStreams)).ForEach(func(k, v []byte) error {
		var row streamRow
		if err := openJSON(bStreams, k, v, &row); err != nil {
			damagedRows++
			return nil
		}
		st := &stream{row: row, marks: &marks{held: row.Asked}}
		l.streams[row.No], l.byName[st.name()] = st, row.No
		return nil
	})
	if err != nil {
		return err
	}
	for no, st := range l.streams {
		l.mark(tx, no, st)
	}
	l.orphans(damagedRows)
	return nil
}

// mark compares a stream with its key and with the ends of its events.
func (l *loader) mark(tx *bolt.Tx, no uint64, st *stream) {
	hash := st.name().hash()
	state, ok := l.keys[hash]
	delete(l.keys, hash)
	switch {
	case st.row.Erased:
		st.marks.erased = true
		if ok {
			l.drop = append(l.drop, hash)
		}
		return
	case !ok:
		st.marks.erased = true
		l.gone = append(l.gone, no)
		return
	case state == keyNew:
		l.publish = append(l.publish, hash)
	case state == keyWithdrawn:
		st.marks.withdrawn = true
	}
	b := tx.Bucket([]byte(bEvents)).Bucket(numKey(no))
	if b == nil {
		l.s.damage(st, fmt.Errorf("%w: its events are missing", ErrDamaged))
		return
	}
	if err := (outbox.Queue{B: b, State: &st.row.State}).Check(); err != nil {
		l.s.damage(st, err)
	}
}

// orphans are keys without a stream. A new one is left from an opening that was
// interrupted; any other belongs to a row that was lost to damage.
func (l *loader) orphans(damagedRows int) {
	lost := 0
	for hash, state := range l.keys {
		if state == keyNew {
			l.drop = append(l.drop, hash)
		} else {
			lost++
		}
	}
	if damagedRows > 0 || lost > 0 {
		l.s.note(fmt.Sprintf("What was known of %d recorded sessions is damaged; their events cannot be read.", max(damagedRows, lost)))
	}
}

func (l *loader) finishKeys() error {
	for _, hash := range l.publish {
		if err := l.s.keys.move(hash, keyNew, keyLive); err != nil {
			return fmt.Errorf("finish opening a stream: %w", err)
		}
	}
	for _, hash := range l.drop {
		if _, err := l.s.keys.destroy(hash); err != nil {
			return err
		}
	}
	return nil
}

// finishRows removes the rows of streams whose keys are gone, and mends the log.
// On a full disk that waits for the next opening: nothing of it can be read.
func (s *Store) finishRows(l *loader) error {
	if len(l.gone) == 0 && !l.logBad {
		return nil
	}
	t := &txn{s: s, streams: map[uint64]*stream{}, acked: map[int64]string{}}
	err := s.file.update(func(tx *bolt.Tx) error {
		t.tx = tx
		for _, no := range l.gone {
			if err := t.erase(t.stream(no)); err != nil {
				return err
			}
		}
		if l.logBad {
			if err := t.mendLog(); err != nil {
				return err
			}
		}
		return t.finish()
	})
	if isFull(err) {
		s.note("The disk is full: what is left of erased sessions, which cannot be read any more, is removed later.")
		return nil
	}
	if err != nil {
		return fmt.Errorf("finish what was interrupted: %w", err)
	}
	t.publish()
	return nil
}
