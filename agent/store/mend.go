package store

import (
	"fmt"

	bolt "go.etcd.io/bbolt"

	"aval/agent/record"
	"aval/agent/store/outbox"
)

// kept is a record that is whole, with what belongs to it.
type kept struct {
	entry Entry
	salt  [record.SaltSize]byte
	acked bool
}

// mendLog computes the log's nodes and ids anew from the records. Where that
// does not give the root that was committed, records are lost: the log is begun
// anew with those that are whole, and damaged rows are put into a bucket of
// their own for whoever examines them.
func (t *txn) mendLog() error {
	st := t.logCopy()
	old := *st
	whole, broken := t.readAll()
	if err := t.empty(bHashes, bIDs); err != nil {
		return err
	}
	*st = newLogState()
	for i, w := range whole {
		if w.entry.Index < old.Settled {
			st.Settled = int64(i) + 1
		}
		if err := t.addNodes(st, w); err != nil {
			return err
		}
	}
	t.rebuilt = true
	if st.Size == old.Size && st.Root == old.Root {
		st.Settled = old.Settled
		t.s.note("The index of the records was damaged and was mended. No record is missing.")
		return nil
	}
	if err := t.putAside(broken); err != nil {
		return err
	}
	if err := t.empty(bEntries, bAcked); err != nil {
		return err
	}
	for i, w := range whole {
		k := numKey(uint64(i))
		if err := t.bucket(bEntries).Put(k, closeRow(bEntries, k, encodeEntry(w.entry, w.salt))); err != nil {
			return err
		}
		if w.acked {
			if err := t.bucket(bAcked).Put(k, []byte{1}); err != nil {
				return err
			}
		}
	}
	t.s.note(fmt.Sprintf("Records were damaged: %d of %d could be kept. The log was begun anew with them; the company's copy shows what is missing.", len(whole), old.Size))
	return nil
}

// readAll reads every record that is whole, in order, and every row that is not.
func (t *txn) readAll() (whole []kept, broken map[string][]byte) {
	broken = map[string][]byte{}
	_ = t.bucket(bEntries).ForEach(func(k, v []byte) error {
		n, ok := keyNum(k)
		raw, err := openRow(bEntries, k, v)
		if ok && err == nil {
			var w kept
			if w.entry, w.salt, err = decodeEntry(int64(n), raw); err == nil {
				w.acked = t.bucket(bAcked).Get(k) != nil
				whole = append(whole, w)
				return nil
			}
		}
		broken[string(k)] = append([]byte(nil), v...)
		return nil
	})
	return whole, broken
}

// addNodes adds a record's nodes and id at the end of the log.
func (t *txn) addNodes(st *logState, w kept) error {
	x, err := record.Extend(st.Size, record.Leaf(w.salt, w.entry.Envelope), hashes(t.tx))
	if err != nil {
		return err
	}
	for i, h := range x.Nodes {
		if err := t.bucket(bHashes).Put(numKey(uint64(x.First)+uint64(i)), h[:]); err != nil {
			return err
		}
	}
	if err := t.bucket(bIDs).Put([]byte(w.entry.ID), numKey(uint64(st.Size))); err != nil {
		return err
	}
	st.Size, st.Root = st.Size+1, outbox.Sum(x.Root)
	return nil
}

func (t *txn) empty(names ...string) error {
	for _, name := range names {
		if err := t.tx.DeleteBucket([]byte(name)); err != nil {
			return err
		}
		if _, err := t.tx.CreateBucket([]byte(name)); err != nil {
			return err
		}
	}
	return nil
}

func (t *txn) putAside(rows map[string][]byte) error {
	b, err := t.tx.CreateBucketIfNotExists([]byte("damaged-" + t.s.o.Now().UTC().Format("20060102T150405Z")))
	if err != nil {
		return err
	}
	for k, v := range rows {
		if k == "" {
			continue
		}
		if err := b.Put([]byte(k), v); err != nil {
			return err
		}
	}
	return nil
}

// readPending finds the records that still travel, from the settled mark on.
func readPending(tx *bolt.Tx, st logState) (pending map[string][]int64, bad int) {
	pending = map[string][]int64{}
	acked := tx.Bucket([]byte(bAcked))
	for i := st.Settled; i < st.Size; i++ {
		e, _, err := entry(tx, i)
		if err != nil {
			bad++
			continue
		}
		if e.sent() && acked.Get(numKey(uint64(i))) == nil {
			pending[e.Company] = append(pending[e.Company], i)
		}
	}
	return pending, bad
}
