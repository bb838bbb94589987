package company

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"aval/agent/record"
	"aval/summarizer/store"
)

// Everybody is told, with the question or the notice, for how many days the company
// keeps what is recorded, and their grant says so. When that time is over it is
// deleted, as by DeleteSession; nobody has to think of it.
const (
	retainEvery = time.Hour
	// retainFirst is about how long after its start a server looks first: it has
	// other things to do then, and several that start together do not meet.
	retainFirst = 10 * time.Minute
	// RetainPage is how many sessions are looked at in one transaction.
	RetainPage = 100
)

// Retain deletes, every hour until ctx ends, what has been kept for as long as
// people were told.
func (h *Host) Retain(ctx context.Context) {
	t := time.NewTimer(retainFirst/2 + rand.N(retainFirst))
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		n, err := h.RetainNow(ctx)
		if err != nil && ctx.Err() == nil {
			h.log.Error("delete what has been kept for its time", "err", err)
		}
		if n > 0 {
			h.log.Info("deleted what has been kept for its time", "sessions", n)
		}
		t.Reset(retainEvery)
	}
}

// RetainNow deletes the sessions of every company whose time is over, and tells how
// many those were. What cannot be deleted of one company does not keep the others'.
func (h *Host) RetainNow(ctx context.Context) (n int, err error) {
	all, err := h.All(ctx)
	if err != nil {
		return 0, fmt.Errorf("retain: %w", err)
	}
	for _, s := range all {
		k, e := s.As(Server).retain(ctx)
		if n += k; e != nil {
			err = errors.Join(err, fmt.Errorf("retain: company %s: %w", s.id, e))
		}
	}
	if n > 0 {
		flush(ctx, h.db, h.log)
	}
	return n, err
}

func (s *Service) retain(ctx context.Context) (n int, err error) {
	now := s.now()
	var days int
	err = s.db.View(ctx, func(tx *store.Tx) error {
		c, err := tx.Company(s.id)
		days = decodeSettings(c.Settings).RetentionDays
		return err
	})
	if err != nil {
		return 0, err
	}
	// Those that began longer ago than the company keeps anything, oldest first; and
	// those of clocks that run ahead, which would be looked at too late: what began in
	// the future. A clock that runs ahead by less keeps its sessions for as much longer.
	past := func(tx *store.Tx, after store.Cursor) ([]store.Stream, error) {
		return tx.KeptBefore(s.id, now.AddDate(0, 0, -days), after, RetainPage)
	}
	ahead := func(tx *store.Tx, after store.Cursor) ([]store.Stream, error) {
		list, err := tx.Streams(s.id, after, RetainPage)
		i := slices.IndexFunc(list, func(st store.Stream) bool { return !st.StartedAt.After(now) })
		if i >= 0 {
			list = list[:i]
		}
		return list, err
	}
	for _, pages := range []func(*store.Tx, store.Cursor) ([]store.Stream, error){past, ahead} {
		k, err := s.retainOf(ctx, now, pages)
		if n += k; err != nil {
			return n, err
		}
	}
	return n, nil
}

// retainOf deletes those of the listed sessions whose time is over at now.
func (s *Service) retainOf(ctx context.Context, now time.Time, pages func(*store.Tx, store.Cursor) ([]store.Stream, error)) (n int, err error) {
	for after := (store.Cursor{}); ; {
		var page []store.Stream
		var over []store.Key
		err := s.db.View(ctx, func(tx *store.Tx) (err error) {
			over = nil
			if page, err = pages(tx, after); err != nil {
				return err
			}
			for _, st := range page {
				until, err := keptUntil(tx, st)
				if err != nil {
					return err
				}
				if st.ErasedAt.IsZero() && !until.IsZero() && !now.Before(until) {
					over = append(over, st.Key)
				}
			}
			return nil
		})
		if err != nil {
			return n, err
		}
		for _, k := range over {
			if err := s.erase(ctx, k, "session-expired"); err != nil {
				return n, err
			}
			n++
		}
		if len(page) < RetainPage {
			return n, nil
		}
		after = page[len(page)-1].Cursor()
	}
}

// keptUntil is when a session's time is over: the shortest that one of its grants
// says, from its end by the device's clock, or from what arrived last by the
// server's, whichever is earlier. Zero: no grant says a time.
func keptUntil(tx *store.Tx, st store.Stream) (time.Time, error) {
	grants, err := tx.Grants(st.Key)
	if err != nil {
		return time.Time{}, err
	}
	days := 0
	for _, kept := range grants {
		var g record.Grant
		_, payload, err := record.Peek(kept.Envelope) // verified when it came
		if err == nil {
			err = json.Unmarshal(payload, &g)
		}
		if err != nil {
			return time.Time{}, fmt.Errorf("read grant %s: %w", kept.ID, err)
		}
		if g.RetentionDays > 0 && (days == 0 || g.RetentionDays < days) {
			days = g.RetentionDays
		}
	}
	if days == 0 {
		return time.Time{}, nil
	}
	from := st.UpdatedAt
	for _, end := range []time.Time{st.EndedAt, st.LastEventAt, st.StartedAt} {
		if !end.IsZero() {
			if end.Before(from) {
				from = end
			}
			break
		}
	}
	return from.AddDate(0, 0, days), nil
}
