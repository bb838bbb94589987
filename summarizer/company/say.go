package company

import (
	"encoding/json"
	"fmt"

	"aval/summarizer/store"
)

// Said is an error whose sentence is for the person who asked: what is wrong
// with what they entered. Everything else is a fault of the server.
type Said struct{ err error }

func (s *Said) Error() string { return s.err.Error() }

func (s *Said) Unwrap() error { return s.err }

func sayf(format string, args ...any) error { return &Said{fmt.Errorf(format, args...)} }

// changes writes the audit row of a change: the thing before and after it, as
// JSON; nil: it was not there. Neither may hold a secret.
func (s *Service) changes(tx *store.Tx, action, subject, detail string, before, after any) error {
	a := store.Audit{Company: s.id, At: s.now(), Actor: s.actor.String(), Action: action, Subject: subject, Detail: detail}
	var err error
	if a.Before, err = asJSON(before); err == nil {
		a.After, err = asJSON(after)
	}
	if err != nil {
		return fmt.Errorf("write audit: %w", err)
	}
	return tx.AddAudit(a)
}

func asJSON(v any) (string, error) {
	if v == nil {
		return "", nil
	}
	raw, err := json.Marshal(v)
	return string(raw), err
}
