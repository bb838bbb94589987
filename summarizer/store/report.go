package store

import "time"

// ReportNote is what people add to the report of a session.
type ReportNote struct {
	BillingState string // Bill, Billed, DoNotBill; empty: not said
	Note         string
	UpdatedAt    time.Time
}

// ReportNote returns what was added to a session's report, or ErrNotFound.
func (t *Tx) ReportNote(k Key) (n ReportNote, err error) {
	err = t.one(`SELECT billing_state, note, updated_at FROM report_notes WHERE company = $1 AND device = $2 AND session = $3`,
		[]any{k.Company, k.Device, k.Session}, &n.BillingState, &n.Note, stamp{&n.UpdatedAt})
	return n, err
}

// PutReportNote keeps what is added to a session's report.
func (t *Tx) PutReportNote(k Key, n ReportNote) error {
	_, err := t.exec(`INSERT INTO report_notes (company, device, session, billing_state, note, updated_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (company, device, session) DO UPDATE SET billing_state = excluded.billing_state, note = excluded.note, updated_at = excluded.updated_at`,
		k.Company, k.Device, k.Session, n.BillingState, n.Note, ns(n.UpdatedAt))
	return err
}
