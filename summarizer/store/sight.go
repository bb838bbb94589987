package store

import (
	"context"
	"errors"
	"fmt"
)

// Sight is whose sessions somebody may see, where it is not all of the company's.
type Sight struct {
	Owner string // a user's own
	Team  string // and those of the users of this group; empty: no others
}

type sightKey struct{}

// WithSight bounds what the transactions of a context find of sessions: those
// that are not in sight are not there. It is set where a request comes in,
// so that no handler can forget it. nil: everything is in sight.
func WithSight(ctx context.Context, s *Sight) context.Context {
	if s == nil {
		return ctx
	}
	return context.WithValue(ctx, sightKey{}, *s)
}

// seen is the condition on streams s that a transaction's sight makes; arg adds
// an argument to the statement and names it.
func (t *Tx) seen(arg func(any) string) string {
	if t.sight == nil {
		return ""
	}
	own := arg(t.sight.Owner)
	if t.sight.Team == "" {
		return ` AND s.owner <> '' AND s.owner = ` + own
	}
	return ` AND s.owner <> '' AND (s.owner = ` + own + ` OR s.owner IN (SELECT u.id FROM users u WHERE u.company = s.company AND u.team = ` + arg(t.sight.Team) + `))`
}

// sighted walks the sessions that are in sight.
func (t *Tx) sighted(company string) candidates {
	return func(after Cursor, n int) ([]Cursor, error) {
		where, args := place(after, []any{company, int64(n)})
		where += t.seen(func(v any) string { args = append(args, v); return fmt.Sprintf("$%d", len(args)) })
		return t.cursors(`SELECT s.started_at, s.ref FROM streams s WHERE s.company = $1`+where+` ORDER BY s.started_at DESC, s.ref LIMIT $2`, args)
	}
}

// StarterOf is the user who started a session by what it was asked for: the
// announcement with this id, or the code that certified the device's key. Empty:
// nobody whom the company knows.
func (t *Tx) StarterOf(company, request, supporter string, verified bool) (owner string, err error) {
	for _, q := range []struct {
		sql  string
		args []any
	}{
		{`SELECT owner FROM announcements WHERE company = $1 AND id = $2`, []any{company, request}},
		{`SELECT u.id FROM session_codes c JOIN users u ON u.company = c.company AND c.created_by = 'user:' || u.id WHERE c.company = $1 AND c.id = $2`, []any{company, request}},
	} {
		if request == "" {
			break
		}
		if err = t.one(q.sql, q.args, &owner); err == nil || !errors.Is(err, ErrNotFound) {
			return owner, err
		}
	}
	if !verified {
		return "", nil
	}
	// An announcement is forgotten after ten minutes; the name in it was the company's own.
	var n int64
	if err := t.one(`SELECT COUNT(*), COALESCE(MAX(id), '') FROM users WHERE company = $1 AND name = $2`, []any{company, supporter}, &n, &owner); err != nil {
		return "", err
	}
	if n != 1 {
		return "", nil
	}
	return owner, nil
}
