package store

import (
	"errors"
	"fmt"
	"time"

	"aval/agent/consent"
)

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

// Report is a session that has ended, with what people added to it.
type Report struct {
	Stream
	Note ReportNote
	// Group is the group that its device is in now; empty: none.
	Group, GroupName string
}

// ReportFilter chooses reports; a zero field chooses all but for Company and
// Direction, which are needed.
type ReportFilter struct {
	Company    string
	Direction  consent.Direction
	From, To   time.Time // of the end: From is in, To is not
	Supporter  string    // the whole name; case does not count
	Owner      string    // the user who started it, where the company knows it
	Device     string
	DeviceName string // the whole name; case does not count
	Group      string // the id of a group that the device is in now
	Code       *bool  // begun by a session code, or not
	Summarised bool   // only those that have a summary
	After      ReportCursor
}

// ReportCursor is a place in the list of Reports.
type ReportCursor struct {
	EndedAt time.Time
	Ref     string
}

// countedReports is how far Reports counts what comes after a page.
const countedReports = 100_000

// Reports lists ended sessions, newest end first, at most max, and how many come
// after them, which is counted up to countedReports.
func (t *Tx) Reports(f ReportFilter, max int) (list []Report, left int64, err error) {
	where, args := ` WHERE s.company = $1 AND s.direction = $2 AND s.ended_at > 0`, []any{f.Company, string(f.Direction)}
	add := func(cond string, values ...any) {
		places := make([]any, len(values))
		for i, v := range values {
			args = append(args, v)
			places[i] = len(args)
		}
		where += fmt.Sprintf(cond, places...)
	}
	if !f.From.IsZero() {
		add(` AND s.ended_at >= $%d`, ns(f.From))
	}
	if !f.To.IsZero() {
		add(` AND s.ended_at < $%d`, ns(f.To))
	}
	if f.Supporter != "" {
		add(` AND LOWER(s.supporter) = LOWER($%d)`, f.Supporter)
	}
	if f.Owner != "" {
		add(` AND s.owner = $%d`, f.Owner)
	}
	where += t.seen(func(v any) string { args = append(args, v); return fmt.Sprintf("$%d", len(args)) })
	if f.Device != "" {
		add(` AND s.device = $%d`, f.Device)
	}
	if f.DeviceName != "" {
		add(` AND s.device IN (SELECT d.id FROM devices d WHERE d.company = $1 AND LOWER(d.name) = LOWER($%d))`, f.DeviceName)
	}
	if f.Group != "" {
		add(` AND s.device IN (SELECT d.id FROM devices d WHERE d.company = $1 AND d.device_group = $%d)`, f.Group)
	}
	if f.Code != nil && *f.Code {
		add(` AND s.device IN (SELECT d.id FROM devices d WHERE d.company = $1 AND d.code <> '')`)
	} else if f.Code != nil {
		add(` AND s.device IN (SELECT d.id FROM devices d WHERE d.company = $1 AND d.code = '')`)
	}
	if f.Summarised {
		where += ` AND s.erased_at = 0 AND EXISTS (SELECT 1 FROM summaries m WHERE m.company = s.company AND m.device = s.device AND m.session = s.session)`
	}
	if f.After.Ref != "" {
		add(` AND (s.ended_at < $%d OR (s.ended_at = $%d AND s.ref > $%d))`, ns(f.After.EndedAt), ns(f.After.EndedAt), f.After.Ref)
	}
	var total int64
	if err := t.one(`SELECT COUNT(*) FROM (SELECT 1 AS x FROM streams s`+where+fmt.Sprintf(` LIMIT %d) AS counted`, countedReports+max), args, &total); err != nil {
		return nil, 0, err
	}
	args = append(args, int64(max))
	err = t.each(streamColumns+where+fmt.Sprintf(` ORDER BY s.ended_at DESC, s.ref LIMIT $%d`, len(args)), args, func(scan func(...any) error) error {
		var r Report
		if err := r.scan(scan); err != nil {
			return err
		}
		list = append(list, r)
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	for i := range list {
		if err := t.CompleteReport(&list[i]); err != nil {
			return nil, 0, err
		}
	}
	return list, total - int64(len(list)), nil
}

// CompleteReport fills in what is kept beside the session.
func (t *Tx) CompleteReport(r *Report) (err error) {
	if r.Note, err = t.ReportNote(r.Key); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	err = t.one(`SELECT g.id, g.name FROM devices d JOIN device_groups g ON g.id = d.device_group AND g.company = d.company AND g.deleted_at = 0
		WHERE d.company = $1 AND d.id = $2`, []any{r.Company, r.Device}, &r.Group, &r.GroupName)
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return err
}
