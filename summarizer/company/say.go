package company

import (
	"encoding/json"
	"fmt"

	"aval/summarizer/store"
)

// Said is an error whose sentence is for the person who asked: what is wrong
// with what they entered. Everything else is a fault of the server.
type Said struct {
	// Key names the sentence in the console's texts, below console.said; Args are
	// what stands in it, as a, b, ….
	Key  string
	Args map[string]any
	text string
}

func (s *Said) Error() string { return s.text }

// sayf makes a Said; format is its English text for commands.
func sayf(key, format string, args ...any) error {
	s := &Said{Key: key, Args: map[string]any{}, text: fmt.Sprintf(format, args...)}
	for i, a := range args {
		s.Args[string(rune('a'+i))] = a
	}
	return s
}

// Wrong is an error of what was asked for, as Said, where only commands and
// programs ask: its sentence is English. A page that has words of its own for it
// knows it by the error that it is.
type Wrong struct {
	text string
	is   error // what errors.Is finds; nil: nothing
}

func (w *Wrong) Error() string { return w.text }

// Unwrap is the error that callers tell apart.
func (w *Wrong) Unwrap() error { return w.is }

func wrongf(format string, args ...any) error { return &Wrong{fmt.Sprintf(format, args...), nil} }

// wrongIs is wrongf of an error that callers tell apart.
func wrongIs(is error, format string, args ...any) error {
	return &Wrong{fmt.Sprintf(format, args...), is}
}

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
