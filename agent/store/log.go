package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"aval/agent/record"
	"aval/agent/store/outbox"
)

// Entry is one signed record in the log.
type Entry struct {
	Index            int64 // in the log, from 0; set by the store
	ID               string
	Type             record.Type
	Company, Session string
	At               time.Time
	Envelope         []byte
}

// sent tells whether the record travels to the company by itself. Grants travel
// with their stream.
func (e Entry) sent() bool {
	return e.Company != "" && e.Type != record.TypeGrant && e.Type != record.TypeCheckpoint && e.Type != record.TypePolicy
}

// logState is what must be known of the log beside its rows.
type logState struct {
	Size int64      `json:"size"`
	Root outbox.Sum `json:"root"`
	// Settled: every record below it needs no sending any more.
	Settled int64 `json:"settled"`
}

func newLogState() logState {
	root, _ := record.Root(0, nil)
	return logState{Root: outbox.Sum(root)}
}

// hashes reads stored nodes of the log.
func hashes(tx *bolt.Tx) record.HashReader {
	b := tx.Bucket([]byte(bHashes))
	return record.HashReaderFunc(func(indexes []int64) ([]record.Hash, error) {
		out := make([]record.Hash, len(indexes))
		for i, n := range indexes {
			if copy(out[i][:], b.Get(numKey(uint64(n)))) != len(out[i]) {
				return nil, fmt.Errorf("%w: a node of the log is missing", ErrDamaged)
			}
		}
		return out, nil
	})
}

// entry reads one record and checks it against its leaf.
func entry(tx *bolt.Tx, index int64) (Entry, record.Hash, error) {
	k := numKey(uint64(index))
	raw, err := openRow(bEntries, k, tx.Bucket([]byte(bEntries)).Get(k))
	if err != nil {
		return Entry{}, record.Hash{}, err
	}
	e, salt, err := decodeEntry(index, raw)
	return e, record.Leaf(salt, e.Envelope), err
}

func (t *txn) logCopy() *logState {
	if t.log == nil {
		t.s.mu.RLock()
		c := t.s.log
		t.s.mu.RUnlock()
		t.log = &c
	}
	return t.log
}

// AppendRecord puts a signed record at the end of the log. It is durable on
// return, and works while the disk is full for events. The same record again
// gives its first index; another one under the same id gives ErrExists.
func (s *Store) AppendRecord(e Entry) (index int64, err error) {
	if e.ID == "" || len(e.ID) > 128 || len(e.Envelope) == 0 || len(e.Envelope) > record.MaxEnvelope {
		return 0, errors.New("keep record: it has no id, or no envelope, or is too long")
	}
	salt := record.NewSalt()
	err = s.do(context.Background(), &op{run: func(t *txn) error {
		if raw := t.bucket(bIDs).Get([]byte(e.ID)); raw != nil {
			n, ok := keyNum(raw)
			old, _, err := entry(t.tx, int64(n))
			if ok && err == nil && old.ID == e.ID {
				if !bytes.Equal(old.Envelope, e.Envelope) {
					return ErrExists
				}
				index = int64(n)
				return nil
			}
		}
		st := t.logCopy()
		if err := t.soundLog(); err != nil {
			return err
		}
		index = st.Size
		e.Index = index
		k := numKey(uint64(index))
		for _, name := range []string{bEntries, bHashes} {
			t.bucket(name).FillPercent = 1
		}
		if err := t.bucket(bEntries).Put(k, closeRow(bEntries, k, encodeEntry(e, salt))); err != nil {
			return err
		}
		t.entries = append(t.entries, e)
		return t.addNodes(st, kept{entry: e, salt: salt})
	}})
	if err != nil {
		return 0, fmt.Errorf("keep record: %w", err)
	}
	s.nudge()
	return index, nil
}

// soundLog makes sure that the stored nodes give the root that was committed,
// so that damage is never built upon.
func (t *txn) soundLog() error {
	st := t.logCopy()
	root, err := record.Root(st.Size, hashes(t.tx))
	if err == nil && outbox.Sum(root) == st.Root {
		return nil
	}
	return t.mendLog()
}

// finishLog writes the log's state, and settles what was acknowledged.
func (t *txn) finishLog() error {
	if t.log == nil {
		return nil
	}
	if t.rebuilt {
		t.renumbered, _ = readPending(t.tx, *t.log)
	} else if len(t.acked) > 0 {
		if err := t.settle(); err != nil {
			return err
		}
	}
	raw, err := closeJSON(bState, kLog, t.log)
	if err != nil {
		return err
	}
	return t.bucket(bState).Put(kLog, raw)
}

// settle moves the mark below which every record needs no sending, and drops
// the single marks below it.
func (t *txn) settle() error {
	low := t.log.Size
	t.s.mu.RLock()
	for _, list := range t.s.pending {
		for _, i := range list {
			if _, done := t.acked[i]; !done {
				low = min(low, i)
				break
			}
		}
	}
	t.s.mu.RUnlock()
	for _, e := range t.entries {
		if e.sent() {
			low = min(low, e.Index)
		}
	}
	if low <= t.log.Settled {
		return nil
	}
	b := t.bucket(bAcked)
	var old [][]byte
	c := b.Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		if n, ok := keyNum(k); ok && int64(n) >= low {
			break
		}
		old = append(old, slices.Clone(k))
	}
	for _, k := range old {
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	t.log.Settled = low
	return nil
}

// publishLog puts the transaction's log in place. The caller holds mu.
func (t *txn) publishLog() {
	s := t.s
	if t.log != nil {
		s.log = *t.log
	}
	if t.rebuilt {
		s.pending = t.renumbered
		return
	}
	for _, e := range t.entries {
		if e.sent() {
			s.pending[e.Company] = append(s.pending[e.Company], e.Index)
		}
	}
	for i, company := range t.acked {
		s.pending[company] = slices.DeleteFunc(s.pending[company], func(n int64) bool { return n == i })
	}
}

// Records yields all records, newest first, until yield returns false. Damaged
// ones are left out and noted. yield may call the store.
func (s *Store) Records(yield func(Entry) bool) error {
	const page = 32
	s.mu.RLock()
	next := s.log.Size - 1
	s.mu.RUnlock()
	bad := 0
	for next >= 0 {
		var got []Entry
		err := s.file.view(func(tx *bolt.Tx) error {
			for ; next >= 0 && len(got) < page; next-- {
				e, err := s.checked(tx, next)
				if err != nil {
					bad++
					continue
				}
				got = append(got, e)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("read records: %w", err)
		}
		for _, e := range got {
			if !yield(e) {
				return nil
			}
		}
	}
	if bad > 0 {
		s.note(fmt.Sprintf("%d records are damaged and are not shown.", bad))
	}
	return nil
}

// checked reads a record and compares it with its leaf in the log.
func (s *Store) checked(tx *bolt.Tx, index int64) (Entry, error) {
	e, leaf, err := entry(tx, index)
	if err != nil {
		return Entry{}, err
	}
	stored, err := hashes(tx).ReadHashes([]int64{record.NodeOfLeaf(index)})
	if err != nil {
		return Entry{}, err
	}
	if stored[0] != leaf {
		return Entry{}, fmt.Errorf("%w: record %d is not the one in the log", ErrDamaged, index)
	}
	return e, nil
}

// Record returns the record with an id; ErrNotFound where there is none.
func (s *Store) Record(id string) (Entry, error) {
	var e Entry
	found := false
	err := s.file.view(func(tx *bolt.Tx) error {
		raw := tx.Bucket([]byte(bIDs)).Get([]byte(id))
		n, ok := keyNum(raw)
		if !ok {
			return nil
		}
		var err error
		if e, err = s.checked(tx, int64(n)); err != nil {
			return err
		}
		found = e.ID == id
		return nil
	})
	if err == nil && !found {
		// The index may be damaged: what is in the log is looked through.
		err = s.Records(func(x Entry) bool {
			found = x.ID == id
			if found {
				e = x
			}
			return !found
		})
	}
	if err == nil && !found {
		err = fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	if err != nil {
		return Entry{}, fmt.Errorf("read record: %w", err)
	}
	return e, nil
}

// LogSize is the number of records.
func (s *Store) LogSize() int64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.log.Size
}

// Checkpoint returns size and root of the log, checked against its nodes.
func (s *Store) Checkpoint() (size int64, root [32]byte, err error) {
	size, root, _, err = s.ProveLog(0)
	return size, root, err
}

// ProveLog returns size and root of the log, checked against its nodes, and the
// proof that it continues the log of old records; none where it has fewer.
func (s *Store) ProveLog(old int64) (size int64, root [32]byte, proof []record.Hash, err error) {
	s.mu.RLock()
	st := s.log
	s.mu.RUnlock()
	err = s.file.view(func(tx *bolt.Tx) error {
		h, err := record.Root(st.Size, hashes(tx))
		if err == nil && outbox.Sum(h) != st.Root {
			err = fmt.Errorf("%w: the log's root is another", ErrDamaged)
		}
		if err == nil && old <= st.Size {
			proof, err = record.ProveConsistency(st.Size, old, hashes(tx))
		}
		return err
	})
	if err != nil {
		return 0, root, nil, fmt.Errorf("prove log: %w", err)
	}
	return st.Size, st.Root, proof, nil
}

// PendingRecords returns up to max records of a company that its summarizer has
// not acknowledged, oldest first: all types that travel by themselves.
func (s *Store) PendingRecords(company string, max int) ([]Entry, error) {
	s.mu.RLock()
	list := slices.Clone(s.pending[company])
	s.mu.RUnlock()
	var out []Entry
	err := s.file.view(func(tx *bolt.Tx) error {
		for _, i := range list {
			if max > 0 && len(out) == max {
				break
			}
			e, err := s.checked(tx, i)
			if err != nil {
				continue // Records and the check at opening say so
			}
			out = append(out, e)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read pending records: %w", err)
	}
	return out, nil
}

// RecordAcked notes that the company has the record. One that is not pending
// any more changes nothing.
func (s *Store) RecordAcked(company, id string) error {
	err := s.do(context.Background(), &op{run: func(t *txn) error {
		raw := t.bucket(bIDs).Get([]byte(id))
		n, ok := keyNum(raw)
		if !ok {
			return fmt.Errorf("%w: %s", ErrNotFound, id)
		}
		e, _, err := entry(t.tx, int64(n))
		if err != nil {
			return err
		}
		if e.ID != id || e.Company != company {
			return fmt.Errorf("%w: %s of this company", ErrNotFound, id)
		}
		t.logCopy()
		t.acked[e.Index] = company
		return t.bucket(bAcked).Put(numKey(n), []byte{1})
	}})
	if err != nil {
		return fmt.Errorf("acknowledge record: %w", err)
	}
	return nil
}

// recordRoot computes the root of the stored log.
func recordRoot(tx *bolt.Tx, st logState) (outbox.Sum, error) {
	h, err := record.Root(st.Size, hashes(tx))
	return outbox.Sum(h), err
}
