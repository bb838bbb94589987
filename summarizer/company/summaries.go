package company

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"aval/summarizer/store"
	"aval/summarizer/summary"
)

// Errors that callers tell apart.
var (
	ErrNoSummary = errors.New("there is no such summary")
	// ErrChanged: somebody else has changed the summary, or the policy, since it was read.
	ErrChanged = errors.New("somebody else has changed this meanwhile")
	// ErrNotEnded: the session is still going on.
	ErrNotEnded = errors.New("the session has not ended yet")
)

// author is who a version says that it is by.
func (s *Service) author() string {
	if s.actor.Name != "" {
		return s.actor.Name
	}
	return s.actor.String()
}

// ofSummary runs f on the session's summary in force in one transaction; base is
// the version that the caller has read, 0: any.
func (s *Service) ofSummary(ctx context.Context, what string, k store.Key, base int64, f func(*store.Tx, store.Summary) error) error {
	k.Company = s.id
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		now, err := tx.Summary(k)
		if errors.Is(err, store.ErrNotFound) {
			return ErrNoSummary
		}
		if err != nil {
			return err
		}
		if base != 0 && base != now.Version {
			return ErrChanged
		}
		return f(tx, now)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// EditSummary stores the next version of a session's summary: the one in force
// as change makes it. The versions before stay. base is the version that was
// read, 0: any. ErrNoSummary, ErrChanged, summary.ErrEdit.
func (s *Service) EditSummary(ctx context.Context, k store.Key, base int64, change func(summary.Edit) summary.Edit) (version int64, err error) {
	err = s.ofSummary(ctx, "edit summary", k, base, func(tx *store.Tx, old store.Summary) error {
		var sum summary.Summary
		if err := json.Unmarshal([]byte(old.JSON), &sum); err != nil {
			return fmt.Errorf("read summary: %w", err)
		}
		if sum, err = sum.Apply(change(sum.Draft())); err != nil {
			return err
		}
		raw, err := json.Marshal(sum)
		if err != nil {
			return err
		}
		version, err = s.nextVersion(tx, old, string(raw), "summary-edited", fmt.Sprintf("before=%d", old.Version))
		return err
	})
	return version, err
}

// RestoreSummary makes an earlier version's words the next version.
func (s *Service) RestoreSummary(ctx context.Context, k store.Key, base, from int64) (version int64, err error) {
	err = s.ofSummary(ctx, "restore summary", k, base, func(tx *store.Tx, now store.Summary) error {
		all, err := tx.Summaries(now.Key)
		if err != nil {
			return err
		}
		for _, old := range all {
			if old.Version == from {
				version, err = s.nextVersion(tx, old, old.JSON, "summary-restored", fmt.Sprintf("before=%d from=%d", now.Version, from))
				return err
			}
		}
		return ErrNoSummary
	})
	return version, err
}

// nextVersion stores words as the version after the one in force. The audit says
// that it happened, never what was written.
func (s *Service) nextVersion(tx *store.Tx, from store.Summary, json, action, detail string) (int64, error) {
	v, err := tx.InsertSummary(store.Summary{Key: from.Key, JSON: json, Engine: from.Engine, Lang: from.Lang, Author: s.author(), CreatedAt: s.now()})
	if err != nil {
		return 0, err
	}
	return v, s.audit(tx, action, from.Key.Ref(), fmt.Sprintf("version=%d %s", v, detail))
}

// RegenerateSummary has the engine write the summary anew, as the next version.
// It costs nothing: the session was charged once. What people edited stays in the
// history. ErrNotEnded where there is no summary to write yet.
func (s *Service) RegenerateSummary(ctx context.Context, k store.Key) error {
	k.Company = s.id
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		st, err := tx.Stream(k)
		switch {
		case err != nil:
			return err
		case !st.ErasedAt.IsZero():
			return ErrNoSummary
		case st.JobState == "":
			return ErrNotEnded
		case st.JobState != store.JobDone && st.JobState != store.JobFailed:
			return nil // it is on its way
		}
		if err := tx.RestartJob(store.JobSummary, k, s.now()); err != nil {
			return err
		}
		return s.audit(tx, "summary-regenerated", st.Ref, fmt.Sprintf("before=%d", st.SummaryVersion))
	})
	if err != nil {
		return fmt.Errorf("regenerate summary: %w", err)
	}
	return nil
}

// DeleteSession deletes everything recorded of a session: its events, every
// version of its summary, and what it is found by, in one transaction with the
// audit row. The signed records of what was decided stay, as proof; the credit
// stays used. The person's computer is told that the company's copy is gone.
func (s *Service) DeleteSession(ctx context.Context, k store.Key) error {
	k.Company = s.id
	if err := s.erase(ctx, k, "session-deleted"); err != nil {
		return fmt.Errorf("delete session: %w", err)
	}
	flush(ctx, s.db, s.log)
	return nil
}

// flush takes what was deleted out of the write-ahead log as well. A busy database
// does it with its next checkpoint.
func flush(ctx context.Context, db *store.DB, log *slog.Logger) {
	if err := db.Flush(ctx); err != nil && !errors.Is(err, store.ErrBusy) {
		log.Warn("flush after deleting", "err", err)
	}
}

// erase deletes a session of this company, with an audit row that names why; one
// that is erased stays so.
func (s *Service) erase(ctx context.Context, k store.Key, action string) error {
	return s.db.Tx(ctx, func(tx *store.Tx) error {
		st, err := tx.Stream(k)
		if err != nil || !st.ErasedAt.IsZero() {
			return err
		}
		events, err := tx.EraseStream(k, s.now())
		if err != nil {
			return err
		}
		return s.audit(tx, action, st.Ref, fmt.Sprintf("events=%d versions=%d", events, st.SummaryVersion))
	})
}
