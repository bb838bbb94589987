package store

import (
	"context"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"aval/agent/store/outbox"
)

// PutSummary keeps the summary of a stream's session, sealed with the session's
// key, in the place of the one before; an empty one: there is none any more. A
// shorter one leaves nothing of the longer one in the file. It is durable on return. ErrNoStream and ErrErased: there is nothing to keep it with.
func (s *Store) PutSummary(name Stream, raw []byte) error {
	err := s.do(context.Background(), &op{run: func(t *txn) error {
		st := t.find(name)
		if st == nil {
			return fmt.Errorf("%w: %s", ErrNoStream, name.Session)
		}
		key, err := s.sessionKey(st)
		if err != nil {
			return err
		}
		no, sums := numKey(st.row.No), t.bucket(bSums)
		if len(raw) == 0 {
			t.scrub = true
			return sums.Delete(no)
		}
		sealed := key.SealBeside(outbox.Name(name), "summary", raw)
		t.scrub = t.scrub || len(sealed) < len(sums.Get(no))
		return sums.Put(no, sealed)
	}})
	if err != nil {
		return fmt.Errorf("keep summary: %w", err)
	}
	return nil
}

// Summary returns what PutSummary kept; nil: nothing. ErrErased once the session
// was erased.
func (s *Store) Summary(name Stream) ([]byte, error) {
	st, m, err := s.get(name)
	if err == nil && m.erased {
		err = ErrErased
	}
	var key *outbox.Key
	if err == nil {
		key, err = s.sessionKey(st)
	}
	var plain []byte
	if err == nil {
		err = s.file.view(func(tx *bolt.Tx) (err error) {
			if sealed := tx.Bucket([]byte(bSums)).Get(numKey(st.row.No)); sealed != nil {
				plain, err = key.OpenBeside(outbox.Name(name), "summary", sealed)
			}
			return err
		})
	}
	if err == nil {
		return plain, nil
	}
	if _, m, gerr := s.get(name); gerr == nil && m.erased { // meanwhile
		err = ErrErased
	}
	if errors.Is(err, ErrErased) {
		return nil, ErrErased
	}
	return nil, fmt.Errorf("read summary: %w", err)
}
