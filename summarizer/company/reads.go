package company

import (
	"context"
	"fmt"

	"aval/summarizer/store"
)

// ReadSession notes that the actor reads what the company has of a session, by
// its ref: in the audit log, once an hour. It must be called before anything of
// it is shown: what cannot be noted is not read.
func (s *Service) ReadSession(ctx context.Context, ref string) error {
	was := false
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		was, err = tx.WasRead(s.id, ref, s.actor.String(), s.now())
		return err
	})
	if err == nil && !was {
		err = s.db.Tx(ctx, func(tx *store.Tx) error {
			first, err := tx.AddRead(s.id, ref, s.actor.String(), s.now())
			if err != nil || !first {
				return err
			}
			return s.audit(tx, "session-read", ref, "")
		})
	}
	if err != nil {
		return fmt.Errorf("note reading: %w", err)
	}
	return nil
}

// ReadList is ReadSession for many at once: one row in the audit log.
func (s *Service) ReadList(ctx context.Context, refs []string) error {
	if len(refs) == 0 {
		return nil
	}
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		for _, ref := range refs {
			if _, err := tx.AddRead(s.id, ref, s.actor.String(), s.now()); err != nil {
				return err
			}
		}
		return s.audit(tx, "sessions-read", "", fmt.Sprintf("%d sessions, as a list", len(refs)))
	})
	if err != nil {
		return fmt.Errorf("note reading: %w", err)
	}
	return nil
}

// Readers lists who has read a session, the last ones first, at most max.
func (s *Service) Readers(ctx context.Context, ref string, max int) (list []store.Read, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) (err error) { list, err = tx.Reads(s.id, ref, max); return err })
	if err != nil {
		return nil, fmt.Errorf("list readers: %w", err)
	}
	return list, nil
}
