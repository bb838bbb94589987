package store

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
)

// Key names a stream: one company's part of one session of one device.
// Session (TOOL/ID) alone is not unique: two devices may use the same.
type Key struct{ Company, Device, Session string }

// Ref is a short name for the stream that can stand in an address: 20 hex digits.
func (k Key) Ref() string {
	sum := sha256.Sum256([]byte(k.Company + "\x00" + k.Device + "\x00" + k.Session))
	return hex.EncodeToString(sum[:10])
}

// Stream is what the server knows of one session.
type Stream struct {
	Key
	Ref string // Key.Ref

	// Of the grant that opened it first; Groups of the latest.
	Tool              string
	Supporter         string
	SupporterVerified bool
	Direction         consent.Direction
	Basis             consent.Basis
	Provenance        consent.Provenance
	Groups            []event.Group
	// Owner is the user who started the session, where the company knows it.
	Owner string

	StartedAt time.Time // of the remote session, by the device's clock
	OpenedAt  time.Time // when the server first heard of it
	UpdatedAt time.Time

	// Acked is the highest sequence stored without holes; AckedHash is the chain
	// hash of the batch that ended there.
	Acked     uint64
	AckedHash []byte
	// LastEventAt is the time of the event Acked.
	LastEventAt time.Time

	EndedAt     time.Time // of the session-ended event; zero: still going on
	EndReason   string
	WithdrawnAt time.Time
	ObjectedAt  time.Time
	ErasedAt    time.Time

	// Filled by Streams, Stream and StreamByRef, not stored here.
	JobState       JobState // of the summary job; empty: none yet
	JobError       string
	SummaryVersion int64 // 0: none
	DeviceName     string
	Title          string // of the summary in force; empty: none
}

const streamColumns = `SELECT s.company, s.device, s.session, s.ref, s.tool, s.supporter, s.supporter_verified, s.direction, s.basis,
	s.provenance, s.groups, s.started_at, s.opened_at, s.updated_at, s.acked, s.acked_hash, s.last_event_at, s.ended_at,
	s.end_reason, s.withdrawn_at, s.objected_at, s.erased_at,
	COALESCE((SELECT j.state FROM jobs j WHERE j.company = s.company AND j.kind = 'summary' AND j.ref = s.ref), ''),
	COALESCE((SELECT j.last_error FROM jobs j WHERE j.company = s.company AND j.kind = 'summary' AND j.ref = s.ref), ''),
	COALESCE((SELECT MAX(m.version) FROM summaries m WHERE m.company = s.company AND m.device = s.device AND m.session = s.session), 0),
	COALESCE((SELECT d.name FROM devices d WHERE d.company = s.company AND d.id = s.device), ''), s.title, s.owner
	FROM streams s`

func (s *Stream) scan(scan func(...any) error) error {
	var groups string
	var acked int64
	err := scan(&s.Company, &s.Device, &s.Session, &s.Ref, &s.Tool, &s.Supporter, &s.SupporterVerified, &s.Direction, &s.Basis,
		&s.Provenance, &groups, stamp{&s.StartedAt}, stamp{&s.OpenedAt}, stamp{&s.UpdatedAt}, &acked, &s.AckedHash,
		stamp{&s.LastEventAt}, stamp{&s.EndedAt}, &s.EndReason, stamp{&s.WithdrawnAt}, stamp{&s.ObjectedAt}, stamp{&s.ErasedAt},
		&s.JobState, &s.JobError, &s.SummaryVersion, &s.DeviceName, &s.Title, &s.Owner)
	s.Acked, s.Groups = uint64(acked), splitGroups(groups)
	return err
}

func joinGroups(groups []event.Group) string {
	words := make([]string, len(groups))
	for i, g := range groups {
		words[i] = string(g)
	}
	return strings.Join(words, ",")
}

func splitGroups(s string) (groups []event.Group) {
	for w := range strings.SplitSeq(s, ",") {
		if w != "" {
			groups = append(groups, event.Group(w))
		}
	}
	return groups
}

func (t *Tx) oneStream(where string, args ...any) (s Stream, err error) {
	err = s.scan(func(into ...any) error { return t.one(streamColumns+where, args, into...) })
	return s, err
}

// Stream returns one stream, or ErrNotFound.
func (t *Tx) Stream(k Key) (Stream, error) {
	return t.oneStream(` WHERE s.company = $1 AND s.device = $2 AND s.session = $3`, k.Company, k.Device, k.Session)
}

// StreamByRef returns one stream of a company by its short name, or ErrNotFound,
// also where it is out of sight.
func (t *Tx) StreamByRef(company, ref string) (Stream, error) {
	args := []any{company, ref}
	seen := t.seen(func(v any) string { args = append(args, v); return fmt.Sprintf("$%d", len(args)) })
	return t.oneStream(` WHERE s.company = $1 AND s.ref = $2`+seen, args...)
}

// Streams lists a company's sessions, newest first, from after the cursor of the
// last one seen (zero: from the newest), at most max of them. Erased ones are
// listed too: that something was erased is part of the history.
func (t *Tx) Streams(company string, after Cursor, max int) (list []Stream, err error) {
	where, args := ` WHERE s.company = $1`, []any{company, int64(max)}
	if after.Ref != "" {
		where += ` AND s.started_at <= $3 AND (s.started_at < $3 OR s.ref > $4)`
		args = append(args, ns(after.StartedAt), after.Ref)
	}
	where += t.seen(func(v any) string { args = append(args, v); return fmt.Sprintf("$%d", len(args)) })
	err = t.each(streamColumns+where+` ORDER BY s.started_at DESC, s.ref LIMIT $2`, args, func(scan func(...any) error) error {
		var s Stream
		if err := s.scan(scan); err != nil {
			return err
		}
		list = append(list, s)
		return nil
	})
	return list, err
}

// Cursor is a place in the list of Streams.
type Cursor struct {
	StartedAt time.Time
	Ref       string
}

// Cursor is the stream's place in the list of Streams.
func (s Stream) Cursor() Cursor { return Cursor{StartedAt: s.StartedAt, Ref: s.Ref} }

// InsertStream adds a stream; one that exists is left as it is.
func (t *Tx) InsertStream(s Stream) error {
	n, err := t.exec(`INSERT INTO streams (company, device, session, ref, tool, supporter, supporter_verified, direction, basis,
		provenance, groups, started_at, opened_at, updated_at, acked, acked_hash, last_event_at, ended_at, end_reason,
		withdrawn_at, objected_at, erased_at, owner)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, 0, $14, 0, 0, '', 0, 0, 0, $15)
		ON CONFLICT (company, device, session) DO NOTHING`,
		s.Company, s.Device, s.Session, s.Key.Ref(), s.Tool, s.Supporter, s.SupporterVerified, s.Direction, s.Basis,
		s.Provenance, joinGroups(s.Groups), ns(s.StartedAt), ns(s.OpenedAt), []byte{}, s.Owner)
	if err != nil || n == 0 {
		return err
	}
	if err := t.index(s.Key); err != nil {
		return err
	}
	return t.tell(happening{Key: s.Key, typ: SessionStarted, name: s.Key.Ref(), at: s.StartedAt})
}

// Advance moves a stream's acknowledged end from acked to last. It fails with
// ErrNotFound where the stream is not at acked, or was withdrawn or erased.
func (t *Tx) Advance(k Key, acked, last uint64, hash []byte, lastEventAt, now time.Time) error {
	n, err := t.exec(`UPDATE streams SET acked = $5, acked_hash = $6, last_event_at = $7, updated_at = $8
		WHERE company = $1 AND device = $2 AND session = $3 AND acked = $4 AND withdrawn_at = 0 AND erased_at = 0`,
		k.Company, k.Device, k.Session, int64(acked), int64(last), hash, ns(lastEventAt), ns(now))
	return found(n, err)
}

// EndStream notes the end of the session. The first end stays.
func (t *Tx) EndStream(k Key, at time.Time, reason string) error {
	n, err := t.exec(`UPDATE streams SET ended_at = $4, end_reason = $5
		WHERE company = $1 AND device = $2 AND session = $3 AND ended_at = 0`, k.Company, k.Device, k.Session, ns(at), reason)
	if err != nil || n == 0 {
		return err
	}
	return t.tell(happening{Key: k, typ: SessionEnded, name: k.Ref(), at: at, data: map[string]any{"ended_at": at.UTC(), "reason": reason}})
}

// ObjectStream notes an objection. The first one's time stays.
func (t *Tx) ObjectStream(k Key, at time.Time) error {
	n, err := t.exec(`UPDATE streams SET objected_at = $4
		WHERE company = $1 AND device = $2 AND session = $3 AND objected_at = 0`, k.Company, k.Device, k.Session, ns(at))
	if err != nil || n == 0 {
		return err
	}
	return t.tell(happening{Key: k, typ: Objection, name: k.Ref(), at: at, data: map[string]any{"objected_at": at.UTC()}})
}

// WithdrawStream marks a stream and the named grant as withdrawn: Advance
// refuses from now on. A grant that is not known yet is remembered, see Withdrawn.
func (t *Tx) WithdrawStream(k Key, grant string, at time.Time) error {
	if _, err := t.exec(`INSERT INTO withdrawals (company, device, grant_id, session, at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (company, device, grant_id) DO NOTHING`, k.Company, k.Device, grant, k.Session, ns(at)); err != nil {
		return err
	}
	if _, err := t.exec(`UPDATE grants SET withdrawn_at = $4 WHERE company = $1 AND device = $2 AND id = $3 AND withdrawn_at = 0`,
		k.Company, k.Device, grant, ns(at)); err != nil {
		return err
	}
	n, err := t.exec(`UPDATE streams SET withdrawn_at = $4
		WHERE company = $1 AND device = $2 AND session = $3 AND withdrawn_at = 0`, k.Company, k.Device, k.Session, ns(at))
	if err != nil || n == 0 {
		return err
	}
	return t.tell(happening{Key: k, typ: Decision, name: k.Ref() + "/withdrawn", at: at, data: map[string]any{"verdict": "withdrawn", "grant": grant}})
}

// Withdrawn tells whether a grant was withdrawn, known here or not.
func (t *Tx) Withdrawn(company, device, grant string) (bool, error) {
	var n int64
	err := t.one(`SELECT COUNT(*) FROM withdrawals WHERE company = $1 AND device = $2 AND grant_id = $3`, []any{company, device, grant}, &n)
	return n > 0, err
}

// EraseStream deletes all content of a session: events, every version of the
// summary, what it was found by, its job. Signed records stay: they hold no captured text and are the
// proof of what was decided. Call DB.Flush after the commit.
func (t *Tx) EraseStream(k Key, at time.Time) (events int64, err error) {
	last, err := t.Summary(k)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return 0, err
	}
	if events, err = t.exec(`DELETE FROM events WHERE company = $1 AND device = $2 AND session = $3`, k.Company, k.Device, k.Session); err != nil {
		return 0, err
	}
	for _, table := range []string{"summaries", "jobs"} {
		n, err := t.exec(`DELETE FROM `+table+` WHERE company = $1 AND device = $2 AND session = $3`, k.Company, k.Device, k.Session)
		if err == nil && n > 0 && table == "summaries" {
			err = t.summaryNews(k)
		}
		if err != nil {
			return 0, err
		}
	}
	if err := t.unindex(k); err != nil {
		return 0, err
	}
	_, err = t.exec(`UPDATE streams SET erased_at = $4, title = '', has_terms = TRUE
		WHERE company = $1 AND device = $2 AND session = $3 AND erased_at = 0`, k.Company, k.Device, k.Session, ns(at))
	if err != nil || last.Version == 0 {
		return events, err
	}
	return events, t.tell(happening{Key: k, typ: SummaryDeleted, name: fmt.Sprintf("%s/%d", k.Ref(), last.Version+1), revision: last.Version + 1, at: at})
}

// Grant is a stored grant: the envelope is the record, the rest is what lists need.
type Grant struct {
	Key
	ID          string
	KeyID       string // of the device key that signed it
	Envelope    []byte // exactly as it came
	Tool        string
	Supporter   string
	Direction   consent.Direction
	Basis       consent.Basis
	Provenance  consent.Provenance
	Groups      []event.Group
	MadeAt      time.Time
	NotBefore   time.Time
	Expires     time.Time
	ReceivedAt  time.Time
	WithdrawnAt time.Time
}

const grantColumns = `SELECT company, device, session, id, key_id, envelope, tool, supporter, direction, basis, provenance, groups,
	made_at, not_before, expires, received_at, withdrawn_at FROM grants`

func (g *Grant) scan(scan func(...any) error) error {
	var groups string
	err := scan(&g.Company, &g.Device, &g.Session, &g.ID, &g.KeyID, &g.Envelope, &g.Tool, &g.Supporter, &g.Direction, &g.Basis,
		&g.Provenance, &groups, stamp{&g.MadeAt}, stamp{&g.NotBefore}, stamp{&g.Expires}, stamp{&g.ReceivedAt}, stamp{&g.WithdrawnAt})
	g.Groups = splitGroups(groups)
	return err
}

// InsertGrant adds a grant to its stream, which must exist. ErrExists where the
// id is known already: compare the envelopes then.
func (t *Tx) InsertGrant(g Grant) error {
	n, err := t.exec(`INSERT INTO grants (company, device, id, session, key_id, envelope, tool, supporter, direction, basis,
		provenance, groups, made_at, not_before, expires, received_at, withdrawn_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 0)
		ON CONFLICT (company, device, id) DO NOTHING`,
		g.Company, g.Device, g.ID, g.Session, g.KeyID, g.Envelope, g.Tool, g.Supporter, g.Direction, g.Basis,
		g.Provenance, joinGroups(g.Groups), ns(g.MadeAt), ns(g.NotBefore), ns(g.Expires), ns(g.ReceivedAt))
	if err == nil && n == 0 {
		return ErrExists
	}
	if err != nil {
		return err
	}
	if _, err = t.exec(`UPDATE streams SET groups = $4 WHERE company = $1 AND device = $2 AND session = $3`,
		g.Company, g.Device, g.Session, joinGroups(g.Groups)); err != nil {
		return err
	}
	return t.tell(happening{Key: g.Key, typ: Decision, name: g.Device + "/" + g.ID, at: g.MadeAt, data: map[string]any{"verdict": "allow", "grant": g.ID,
		"basis": g.Basis, "provenance": g.Provenance, "groups": g.Groups}})
}

// Grant returns one grant by its id, or ErrNotFound.
func (t *Tx) Grant(company, device, id string) (g Grant, err error) {
	err = g.scan(func(into ...any) error {
		return t.one(grantColumns+` WHERE company = $1 AND device = $2 AND id = $3`, []any{company, device, id}, into...)
	})
	return g, err
}

// Grants lists the grants of a stream, oldest first.
func (t *Tx) Grants(k Key) ([]Grant, error) {
	return t.grants(` WHERE company = $1 AND device = $2 AND session = $3 ORDER BY made_at, id`, k.Company, k.Device, k.Session)
}

// AllGrants lists every grant of a company, oldest first.
func (t *Tx) AllGrants(company string) ([]Grant, error) {
	return t.grants(` WHERE company = $1 ORDER BY made_at, id`, company)
}

func (t *Tx) grants(where string, args ...any) (list []Grant, err error) {
	err = t.each(grantColumns+where, args, func(scan func(...any) error) error {
		var g Grant
		if err := g.scan(scan); err != nil {
			return err
		}
		list = append(list, g)
		return nil
	})
	return list, err
}
