package store

import (
	"context"
	"fmt"
	"time"
)

// HeldFor is how long a closed stream that is held waits for Release.
const HeldFor = 24 * time.Hour

// Hold keeps a stream, closed or not, from being sent from now on until Release:
// somebody has asked to delete it. It takes no further grant, and what is held
// already does not wait longer for it. The mark is durable on return; it holds
// in this process even where an error is returned.
func (s *Store) Hold(name Stream) error {
	st, m, err := s.get(name)
	if err != nil {
		return fmt.Errorf("hold stream: %w", err)
	}
	if m.erased {
		return fmt.Errorf("hold stream: %w", ErrErased)
	}
	s.mu.Lock()
	st.marks.held = true
	s.mu.Unlock()
	err = s.do(context.Background(), &op{run: func(t *txn) error {
		st := t.find(name)
		if st == nil {
			return fmt.Errorf("%w: %s", ErrNoStream, name.Session)
		}
		if !st.row.Asked && !st.row.Held {
			st.row.Until = time.Time{}
		}
		st.row.Asked = true
		return nil
	}})
	if err != nil {
		return fmt.Errorf("hold stream: %w", err)
	}
	s.nudge()
	return nil
}

// Release lets a closed stream that was held be sent. It is durable on return.
func (s *Store) Release(name Stream) error {
	err := s.do(context.Background(), &op{run: func(t *txn) error {
		st := t.find(name)
		if st == nil {
			return fmt.Errorf("%w: %s", ErrNoStream, name.Session)
		}
		if st.row.Erased || st.marks.erased {
			return ErrErased
		}
		st.row.Held, st.row.Asked, st.row.Until = false, false, time.Time{}
		return nil
	}})
	if err != nil {
		return fmt.Errorf("release stream: %w", err)
	}
	if st, _, err := s.get(name); err == nil {
		s.mu.Lock()
		st.marks.held = false
		s.mu.Unlock()
	}
	s.nudge()
	return nil
}
