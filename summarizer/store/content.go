package store

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"aval/agent/event"
	"aval/agent/record"
)

// insertEvents is the statement for so many rows.
func insertEvents(rows int) string {
	var b strings.Builder
	b.WriteString(`INSERT INTO events (company, device, session, seq, grant_id, kind, at, fields) VALUES `)
	for i := range rows {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "($1, $2, $3, $%d, $4, $%d, $%d, $%d)", 5+4*i, 6+4*i, 7+4*i, 8+4*i)
	}
	b.WriteString(` ON CONFLICT (company, device, session, seq) DO NOTHING`)
	return b.String()
}

// InsertEvents adds events of one grant, whose Seq the caller has checked to
// follow. A sequence that is stored already is an error, never overwritten.
func (t *Tx) InsertEvents(k Key, grant string, events []event.Event) error {
	if len(events) == 0 {
		return nil
	}
	if err := t.free(); err != nil {
		return err
	}
	together := min(t.rows, len(events))
	stmt, err := t.tx.PrepareContext(t.ctx, insertEvents(together))
	if err != nil {
		return err
	}
	defer stmt.Close()
	for part := range slices.Chunk(events, together) {
		args := make([]any, 0, 4+4*len(part))
		args = append(args, k.Company, k.Device, k.Session, grant)
		for _, e := range part {
			fields, err := encodeFields(e.Fields)
			if err != nil {
				return err
			}
			args = append(args, int64(e.Seq), string(e.Kind), e.At.UnixNano(), fields)
		}
		var res sql.Result
		if len(part) == together {
			res, err = stmt.ExecContext(t.ctx, args...)
		} else {
			res, err = t.tx.ExecContext(t.ctx, insertEvents(len(part)), args...)
		}
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n != int64(len(part)) {
			return fmt.Errorf("insert events from %d on: %w", part[0].Seq, errors.Join(ErrExists, err))
		}
	}
	return nil
}

func encodeFields(f map[string]string) (string, error) {
	if len(f) == 0 {
		return "{}", nil
	}
	b, err := json.Marshal(f)
	return string(b), err
}

// StoredEvent is an event with the grant that covers it.
type StoredEvent struct {
	event.Event
	GrantID string
}

// Events returns a session's events with a sequence above after, in order, at
// most max of them (0: all).
func (t *Tx) Events(k Key, after uint64, max int) (list []StoredEvent, err error) {
	if max <= 0 {
		max = 1 << 40
	}
	err = t.each(`SELECT seq, grant_id, kind, at, fields FROM events
		WHERE company = $1 AND device = $2 AND session = $3 AND seq > $4 ORDER BY seq LIMIT $5`,
		[]any{k.Company, k.Device, k.Session, int64(after), int64(max)}, func(scan func(...any) error) error {
			e := StoredEvent{Event: event.Event{Session: k.Session}}
			var seq, at int64
			var fields string
			if err := scan(&seq, &e.GrantID, &e.Kind, &at, &fields); err != nil {
				return err
			}
			e.Seq, e.At = uint64(seq), time.Unix(0, at).UTC()
			if fields != "{}" {
				if err := json.Unmarshal([]byte(fields), &e.Fields); err != nil {
					return fmt.Errorf("read event %d of %s: %w", seq, k.Session, err)
				}
			}
			list = append(list, e)
			return nil
		})
	return list, err
}

// Record is a stored signed record that is no grant.
type Record struct {
	Key
	ID         string
	Type       record.Type
	MadeAt     time.Time
	ReceivedAt time.Time
	Envelope   []byte
}

const recordColumns = `SELECT company, device, session, id, type, made_at, received_at, envelope FROM records`

func (r *Record) into() []any {
	return []any{&r.Company, &r.Device, &r.Session, &r.ID, &r.Type, stamp{&r.MadeAt}, stamp{&r.ReceivedAt}, &r.Envelope}
}

// InsertRecord adds a record. ErrExists where the id is known already: compare
// the envelopes then.
func (t *Tx) InsertRecord(r Record) error {
	n, err := t.exec(`INSERT INTO records (company, device, id, type, session, made_at, received_at, envelope)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (company, device, id) DO NOTHING`,
		r.Company, r.Device, r.ID, string(r.Type), r.Session, ns(r.MadeAt), ns(r.ReceivedAt), r.Envelope)
	if err == nil && n == 0 {
		return ErrExists
	}
	return err
}

// Record returns one record by its id, or ErrNotFound.
func (t *Tx) Record(company, device, id string) (r Record, err error) {
	err = t.one(recordColumns+` WHERE company = $1 AND device = $2 AND id = $3`, []any{company, device, id}, r.into()...)
	return r, err
}

// Records lists a session's records, oldest first.
func (t *Tx) Records(k Key) ([]Record, error) {
	return t.records(` WHERE company = $1 AND device = $2 AND session = $3 ORDER BY made_at, id`, k.Company, k.Device, k.Session)
}

// AllRecords lists a company's records, oldest first.
func (t *Tx) AllRecords(company string) ([]Record, error) {
	return t.records(` WHERE company = $1 ORDER BY made_at, id`, company)
}

func (t *Tx) records(where string, args ...any) (list []Record, err error) {
	err = t.each(recordColumns+where, args, func(scan func(...any) error) error {
		var r Record
		if err := scan(r.into()...); err != nil {
			return err
		}
		list = append(list, r)
		return nil
	})
	return list, err
}

// Summary is one version of a session's summary.
type Summary struct {
	Key
	Version   int64 // 1, 2, …; the highest is in force
	JSON      string
	Engine    string // rules, or the name of a model
	Lang      string
	Author    string // who wrote or edited it; empty: the engine
	CreatedAt time.Time
}

const summaryColumns = `SELECT company, device, session, version, json, engine, lang, author, created_at FROM summaries
	WHERE company = $1 AND device = $2 AND session = $3 ORDER BY version DESC`

func (s *Summary) into() []any {
	return []any{&s.Company, &s.Device, &s.Session, &s.Version, &s.JSON, &s.Engine, &s.Lang, &s.Author, stamp{&s.CreatedAt}}
}

// InsertSummary adds the next version of a session's summary and returns its
// number. ErrNotFound where the session is unknown or erased: what was erased
// gets no summary again.
func (t *Tx) InsertSummary(s Summary) (version int64, err error) {
	err = t.one(`INSERT INTO summaries (company, device, session, version, json, engine, lang, author, created_at)
		SELECT s.company, s.device, s.session,
			COALESCE((SELECT MAX(m.version) FROM summaries m WHERE m.company = $1 AND m.device = $2 AND m.session = $3), 0) + 1,
			$4, $5, $6, $7, $8
		FROM streams s WHERE s.company = $1 AND s.device = $2 AND s.session = $3 AND s.erased_at = 0
		RETURNING version`,
		[]any{s.Company, s.Device, s.Session, s.JSON, s.Engine, s.Lang, s.Author, ns(s.CreatedAt)}, &version)
	if err == nil {
		err = t.index(s.Key)
	}
	if err == nil {
		err = t.summaryNews(s.Key)
	}
	if err != nil {
		return version, err
	}
	typ := SummaryCreated
	if version > 1 {
		typ = SummaryEdited
	}
	by := "person"
	if s.Author == "" {
		by = "engine"
	}
	return version, t.tell(happening{Key: s.Key, typ: typ, name: fmt.Sprintf("%s/%d", s.Key.Ref(), version), revision: version, at: s.CreatedAt,
		data: map[string]any{"revision": version, "engine": s.Engine, "language": s.Lang, "by": by}})
}

// summaryNews marks a session whose summary came, changed or went, so that its
// device is told.
func (t *Tx) summaryNews(k Key) error {
	_, err := t.exec(`UPDATE streams SET summary_news = 1 WHERE company = $1 AND device = $2 AND session = $3`, k.Company, k.Device, k.Session)
	t.news = append(t.news, k.Device)
	return err
}

// SummaryNews lists the sessions of a device, at most max, whose summary it has
// not been told of as it is now. Not by an index over companies: without statistics
// the embedded database takes one for better than that of the news, and walks through
// all sessions of the device.
func (t *Tx) SummaryNews(company, device string, max int) (list []Key, err error) {
	err = t.each(`SELECT company, device, session FROM streams WHERE company || '' = $1 AND device = $2 AND summary_news = 1 ORDER BY updated_at LIMIT $3`,
		[]any{company, device, int64(max)}, func(scan func(...any) error) error {
			var k Key
			if err := scan(&k.Company, &k.Device, &k.Session); err != nil {
				return err
			}
			list = append(list, k)
			return nil
		})
	return list, err
}

// SummaryTold notes that the device knows a version of its session's summary, 0:
// that there is none, and how often it was read; nil: it takes no such number. It
// stays news where there is another one, or another number, by now.
func (t *Tx) SummaryTold(k Key, version uint64, reads *uint64) error {
	times := int64(-1)
	if reads != nil {
		times = int64(*reads)
	}
	_, err := t.exec(`UPDATE streams SET summary_news = 0 WHERE company = $1 AND device = $2 AND session = $3 AND $4 = COALESCE(
		(SELECT MAX(m.version) FROM summaries m WHERE m.company = $1 AND m.device = $2 AND m.session = $3), 0)
		AND CAST($5 AS BIGINT) IN (-1, (SELECT COUNT(*) FROM session_reads r WHERE r.company = $1 AND r.ref = streams.ref))`,
		k.Company, k.Device, k.Session, int64(version), times)
	return err
}

// Summary returns the version in force, or ErrNotFound.
func (t *Tx) Summary(k Key) (s Summary, err error) {
	err = t.one(summaryColumns+` LIMIT 1`, []any{k.Company, k.Device, k.Session}, s.into()...)
	return s, err
}

// Summaries lists all versions, newest first.
func (t *Tx) Summaries(k Key) (list []Summary, err error) {
	err = t.each(summaryColumns, []any{k.Company, k.Device, k.Session}, func(scan func(...any) error) error {
		var s Summary
		if err := scan(s.into()...); err != nil {
			return err
		}
		list = append(list, s)
		return nil
	})
	return list, err
}
