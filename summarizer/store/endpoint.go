package store

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Kinds of endpoint.
const (
	Webhook    = "webhook"
	ServiceNow = "servicenow"
	Salesforce = "salesforce"
)

// Types of what endpoints are told.
const (
	SessionStarted = "session.started"
	SessionEnded   = "session.ended"
	Decision       = "decision"
	SummaryCreated = "summary.created"
	SummaryEdited  = "summary.edited"
	SummaryDeleted = "summary.deleted"
	CreditsLow     = "credits.low"
	Objection      = "objection"
	// Ping is told to one endpoint, where somebody tries it out.
	Ping = "ping"
)

// Types are all that an endpoint can choose.
var Types = []string{SessionStarted, SessionEnded, Decision, SummaryCreated, SummaryEdited, SummaryDeleted, CreditsLow, Objection}

// Endpoint is where a company is told what happens.
type Endpoint struct {
	ID      string
	Company string
	Kind    string
	Name    string
	Config  string // JSON owned by summarizer/integration
	Secrets []byte // sealed
	Events  []string
	Enabled bool
	// OffReason says why the server switched it off; empty: it did not.
	OffReason string
	Version   int64 // counts its changes
	CreatedAt time.Time
	UpdatedAt time.Time
}

const endpointColumns = `id, company, kind, name, config, secrets, events, enabled, off_reason, version, created_at, updated_at`

func (e *Endpoint) scan(scan func(...any) error) error {
	var events string
	err := scan(&e.ID, &e.Company, &e.Kind, &e.Name, &e.Config, &e.Secrets, &events, &e.Enabled, &e.OffReason, &e.Version,
		stamp{&e.CreatedAt}, stamp{&e.UpdatedAt})
	e.Events = strings.FieldsFunc(events, func(r rune) bool { return r == ',' })
	return err
}

func joinTypes(types []string) string { return "," + strings.Join(types, ",") + "," }

// InsertEndpoint adds an endpoint.
func (t *Tx) InsertEndpoint(e Endpoint) error {
	_, err := t.exec(`INSERT INTO endpoints (`+endpointColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '', 1, $9, $9)`,
		e.ID, e.Company, e.Kind, e.Name, e.Config, e.Secrets, joinTypes(e.Events), e.Enabled, ns(e.CreatedAt))
	return err
}

// Endpoint returns one endpoint, or ErrNotFound.
func (t *Tx) Endpoint(company, id string) (e Endpoint, err error) {
	err = none(e.scan(t.tx.QueryRowContext(t.ctx, `SELECT `+endpointColumns+` FROM endpoints WHERE company = $1 AND id = $2`, company, id).Scan))
	return e, err
}

// Endpoints lists a company's endpoints, oldest first.
func (t *Tx) Endpoints(company string) (list []Endpoint, err error) {
	err = t.each(`SELECT `+endpointColumns+` FROM endpoints WHERE company = $1 ORDER BY created_at, id`, []any{company}, func(scan func(...any) error) error {
		var e Endpoint
		if err := e.scan(scan); err != nil {
			return err
		}
		list = append(list, e)
		return nil
	})
	return list, err
}

// UpdateEndpoint changes all but the kind, and counts the version up. ErrNotFound
// where it is gone or was changed since e was read.
func (t *Tx) UpdateEndpoint(e Endpoint, now time.Time) error {
	n, err := t.exec(`UPDATE endpoints SET name = $4, config = $5, secrets = $6, events = $7, enabled = $8, off_reason = $9,
		version = version + 1, updated_at = $10 WHERE company = $1 AND id = $2 AND version = $3`,
		e.Company, e.ID, e.Version, e.Name, e.Config, e.Secrets, joinTypes(e.Events), e.Enabled, e.OffReason, ns(now))
	return found(n, err)
}

// DeleteEndpoint ends an endpoint with all that it was to be told.
func (t *Tx) DeleteEndpoint(company, id string) error {
	for _, q := range []string{
		`DELETE FROM jobs WHERE kind = 'delivery' AND company = $1 AND ref IN (SELECT d.id FROM deliveries d WHERE d.company = $1 AND d.endpoint = $2)`,
		`DELETE FROM deliveries WHERE company = $1 AND endpoint = $2`,
		`DELETE FROM endpoint_notes WHERE company = $1 AND endpoint = $2`,
	} {
		if _, err := t.exec(q, company, id); err != nil {
			return err
		}
	}
	n, err := t.exec(`DELETE FROM endpoints WHERE company = $1 AND id = $2`, company, id)
	return found(n, err)
}

// happening is one thing that endpoints may want to be told.
type happening struct {
	Key
	typ      string
	name     string // what tells it from all others of its type
	revision int64
	at       time.Time
	data     map[string]any // beside what is known of the session; no captured text
}

// tell writes a delivery for each endpoint of the company that wants h, in the
// transaction of what h tells.
func (t *Tx) tell(h happening) error {
	var to []string
	err := t.each(`SELECT id, events FROM endpoints WHERE company = $1 AND enabled = TRUE`, []any{h.Company}, func(scan func(...any) error) error {
		var id, events string
		err := scan(&id, &events)
		if strings.Contains(events, ","+h.typ+",") {
			to = append(to, id)
		}
		return err
	})
	if err != nil || len(to) == 0 {
		return err
	}
	if h.Session != "" {
		s, err := t.Stream(h.Key)
		if err != nil {
			return err
		}
		about := map[string]any{"session": s.Session, "ref": s.Ref, "device": s.Device, "device_name": s.DeviceName, "tool": s.Tool,
			"supporter": s.Supporter, "supporter_verified": s.SupporterVerified, "direction": s.Direction, "started_at": s.StartedAt}
		for k, v := range h.data {
			about[k] = v
		}
		h.data = about
	}
	return t.deliver(h, to)
}

func (t *Tx) deliver(h happening, to []string) error {
	data, err := json.Marshal(h.data)
	if err != nil {
		return fmt.Errorf("encode %s: %w", h.typ, err)
	}
	now := time.Now()
	event := NewID(now)
	for _, endpoint := range to {
		id := NewID(now)
		n, err := t.exec(`INSERT INTO deliveries (id, company, endpoint, event, happening, type, device, session, revision, at, data, status, remote, skipped, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, '', FALSE, $12) ON CONFLICT (endpoint, happening) DO NOTHING`,
			id, h.Company, endpoint, event, h.typ+"/"+h.name, h.typ, h.Device, h.Session, h.revision, ns(h.at), string(data), ns(now))
		if err != nil {
			return err
		}
		if n > 0 {
			if err := t.addJob(JobDelivery, id, Key{Company: h.Company}, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// TellCreditsLow tells that a company has left credits or fewer than it wants to
// be warned of.
func (t *Tx) TellCreditsLow(company string, left, warn int64, now time.Time) error {
	return t.tell(happening{Key: Key{Company: company}, typ: CreditsLow, name: NewID(now), at: now, data: map[string]any{"left": left, "warn": warn}})
}

// TellPing tells one endpoint that somebody tries it out, whatever it has chosen.
func (t *Tx) TellPing(company, endpoint string, now time.Time) error {
	return t.deliver(happening{Key: Key{Company: company}, typ: Ping, name: NewID(now), at: now, data: map[string]any{}}, []string{endpoint})
}

// Delivery is one thing that one endpoint is told, with where its job stands.
type Delivery struct {
	Key
	ID        string
	Endpoint  string
	Event     string // the same for all endpoints that are told it
	Type      string
	Revision  int64
	At        time.Time
	Data      string
	Status    int64  // of the last HTTP answer; 0: none
	Remote    string // the other system's record
	Skipped   bool   // by somebody who gave it up
	CreatedAt time.Time

	EndpointName, EndpointKind string

	State     JobState
	Attempts  int64
	RunAt     time.Time
	LastError string
	DoneAt    time.Time
}

const deliveryColumns = `SELECT d.id, d.company, d.device, d.session, d.endpoint, d.event, d.type, d.revision, d.at, d.data, d.status, d.remote, d.skipped,
	d.created_at, e.name, e.kind, j.state, j.attempts, j.run_at, j.last_error, j.done_at
	FROM deliveries d JOIN endpoints e ON e.company = d.company AND e.id = d.endpoint
	JOIN jobs j ON j.company = d.company AND j.kind = 'delivery' AND j.ref = d.id`

func (d *Delivery) into() []any {
	return []any{&d.ID, &d.Company, &d.Device, &d.Session, &d.Endpoint, &d.Event, &d.Type, &d.Revision, stamp{&d.At}, &d.Data, &d.Status, &d.Remote, &d.Skipped,
		stamp{&d.CreatedAt}, &d.EndpointName, &d.EndpointKind, &d.State, &d.Attempts, stamp{&d.RunAt}, &d.LastError, stamp{&d.DoneAt}}
}

// Delivery returns one delivery, or ErrNotFound.
func (t *Tx) Delivery(company, id string) (d Delivery, err error) {
	err = t.one(deliveryColumns+` WHERE d.company = $1 AND d.id = $2`, []any{company, id}, d.into()...)
	return d, err
}

// Deliveries lists what is told, newest first, at most max, older than the one
// with the id before; endpoint and state narrow it where they are not empty.
func (t *Tx) Deliveries(company, endpoint string, state JobState, before string, max int) (list []Delivery, err error) {
	where, args := ` WHERE d.company = $1`, []any{company, int64(max)}
	add := func(cond string, v any) {
		args = append(args, v)
		where += fmt.Sprintf(cond, len(args))
	}
	if endpoint != "" {
		add(` AND d.endpoint = $%d`, endpoint)
	}
	if state != "" {
		add(` AND j.state = $%d`, string(state))
	}
	if before != "" {
		add(` AND d.id < $%d`, before)
	}
	err = t.each(deliveryColumns+where+` ORDER BY d.id DESC LIMIT $2`, args, func(scan func(...any) error) error {
		var d Delivery
		if err := scan(d.into()...); err != nil {
			return err
		}
		list = append(list, d)
		return nil
	})
	return list, err
}

// AnsweredDelivery notes what the endpoint answered, and its record.
func (t *Tx) AnsweredDelivery(company, id string, status int, remote string) error {
	n, err := t.exec(`UPDATE deliveries SET status = $3, remote = CASE WHEN $4 = '' THEN remote ELSE $4 END WHERE company = $1 AND id = $2`,
		company, id, int64(status), remote)
	return found(n, err)
}

// RepeatDelivery has a delivery that failed, was skipped or was made be made
// again. ErrNotFound where there is none, or it is at work.
func (t *Tx) RepeatDelivery(company, id string, now time.Time) error {
	n, err := t.exec(`UPDATE jobs SET state = 'ready', run_at = $3, attempts = 0, last_error = '', done_at = 0
		WHERE kind = 'delivery' AND company = $1 AND ref = $2 AND state <> 'leased'`, company, id, ns(now))
	t.jobs = t.jobs || n > 0
	if err := found(n, err); err != nil {
		return err
	}
	_, err = t.exec(`UPDATE deliveries SET skipped = FALSE WHERE company = $1 AND id = $2`, company, id)
	return err
}

// SkipDelivery gives up a delivery that is not made. ErrNotFound where there is
// none, or it was made, or is at work.
func (t *Tx) SkipDelivery(company, id string, now time.Time) error {
	n, err := t.exec(`UPDATE jobs SET state = 'failed', done_at = $3
		WHERE kind = 'delivery' AND company = $1 AND ref = $2 AND state IN ('ready', 'failed')`, company, id, ns(now))
	if err := found(n, err); err != nil {
		return err
	}
	_, err = t.exec(`UPDATE deliveries SET skipped = TRUE WHERE company = $1 AND id = $2`, company, id)
	return err
}

// EarlierDelivery tells whether the endpoint has still to be told something older
// of the same session.
func (t *Tx) EarlierDelivery(d Delivery) (bool, error) {
	var n int64
	err := t.one(`SELECT COUNT(*) FROM deliveries d JOIN jobs j ON j.company = d.company AND j.kind = 'delivery' AND j.ref = d.id
		WHERE d.endpoint = $1 AND d.company = $2 AND d.device = $3 AND d.session = $4 AND d.id < $5 AND j.state IN ('ready', 'leased')`,
		[]any{d.Endpoint, d.Company, d.Device, d.Session, d.ID}, &n)
	return n > 0, err
}

// DropDeliveries forgets what was made or given up before a time, at most max.
func (t *Tx) DropDeliveries(before time.Time, max int) (int64, error) {
	const old = `SELECT d.id FROM deliveries d JOIN jobs j ON j.company = d.company AND j.kind = 'delivery' AND j.ref = d.id
		WHERE j.state IN ('done', 'failed') AND j.done_at > 0 AND j.done_at < $1 ORDER BY d.id LIMIT $2`
	n, err := t.exec(`DELETE FROM deliveries WHERE id IN (`+old+`)`, ns(before), int64(max))
	if err != nil || n == 0 {
		return n, err
	}
	_, err = t.exec(`DELETE FROM jobs WHERE kind = 'delivery' AND state IN ('done', 'failed') AND done_at > 0 AND done_at < $1
		AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.company = jobs.company AND d.id = jobs.ref)`, ns(before))
	return n, err
}

// Note is what an endpoint keeps of a session.
type Note struct {
	Key
	Endpoint  string
	Remote    string
	Revision  int64 // of the summary; 0: none, it was deleted there
	UpdatedAt time.Time
}

// Note returns what an endpoint keeps of a session, or ErrNotFound.
func (t *Tx) Note(endpoint string, k Key) (n Note, err error) {
	n.Key, n.Endpoint = k, endpoint
	err = t.one(`SELECT remote, revision, updated_at FROM endpoint_notes WHERE endpoint = $1 AND company = $2 AND device = $3 AND session = $4`,
		[]any{endpoint, k.Company, k.Device, k.Session}, &n.Remote, &n.Revision, stamp{&n.UpdatedAt})
	return n, err
}

// PutNote keeps what an endpoint keeps of a session.
func (t *Tx) PutNote(n Note) error {
	_, err := t.exec(`INSERT INTO endpoint_notes (endpoint, company, device, session, remote, revision, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (endpoint, device, session) DO UPDATE SET remote = excluded.remote, revision = excluded.revision, updated_at = excluded.updated_at`,
		n.Endpoint, n.Company, n.Device, n.Session, n.Remote, n.Revision, ns(n.UpdatedAt))
	return err
}
