package company

import (
	"context"
	"errors"
	"fmt"

	"aval/summarizer/store"
)

// NoteReport changes what is added to the report of a session: how it is billed
// (Bill, Billed, DoNotBill) and a note; nil leaves it as it is. ServiceNow finds
// the session's ticket by the number in the note.
func (s *Service) NoteReport(ctx context.Context, k store.Key, billing, note *string) error {
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		old, err := tx.ReportNote(k)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		n := old
		if billing != nil {
			n.BillingState = *billing
		}
		if note != nil {
			n.Note = *note
		}
		if n == old {
			return nil
		}
		n.UpdatedAt = s.now()
		if err := tx.PutReportNote(k, n); err != nil {
			return err
		}
		return s.changes(tx, "report-noted", k.Ref(), "", map[string]string{"billing_state": old.BillingState, "note": old.Note},
			map[string]string{"billing_state": n.BillingState, "note": n.Note})
	})
	if err != nil {
		return fmt.Errorf("note report: %w", err)
	}
	return nil
}
