package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"time"

	"aval/agent/event"
	"aval/agent/record"
	"aval/summarizer/store"
)

// Session is one session in an export. Times are RFC 3339 UTC; those that have
// not come are left out.
type Session struct {
	ID                string           `json:"id"` // TOOL/ID
	Ref               string           `json:"ref"`
	Company           string           `json:"company"`
	Device            string           `json:"device"`
	DeviceName        string           `json:"device_name"`
	Tool              string           `json:"tool"`
	Supporter         string           `json:"supporter"`
	SupporterVerified bool             `json:"supporter_verified"`
	Direction         string           `json:"direction"`
	Basis             string           `json:"basis"`
	Provenance        string           `json:"provenance"`
	Groups            []event.Group    `json:"groups"`
	StartedAt         time.Time        `json:"started_at,omitzero"`
	EndedAt           time.Time        `json:"ended_at,omitzero"`
	EndReason         string           `json:"end_reason,omitempty"`
	WithdrawnAt       time.Time        `json:"withdrawn_at,omitzero"`
	ObjectedAt        time.Time        `json:"objected_at,omitzero"`
	ErasedAt          time.Time        `json:"erased_at,omitzero"`
	Job               string           `json:"job,omitempty"` // of the summary: ready, leased, waiting, done, failed
	JobError          string           `json:"job_error,omitempty"`
	Credits           *int64           `json:"credits,omitempty"` // what it was charged; left out: not yet
	Events            []map[string]any `json:"events"`            // seq, kind, at, grant and the event's own fields
	Summary           json.RawMessage  `json:"summary"`           // null: none yet
	SummaryVersion    int64            `json:"summary_version"`
	Grants            []Record         `json:"grants"`
	Records           []Record         `json:"records"`
}

// Record is a signed record in an export, with the key that verifies it.
type Record struct {
	ID    string      `json:"id"`
	Type  record.Type `json:"type"`
	At    time.Time   `json:"at"`
	KeyID string      `json:"key_id,omitempty"`
	// PublicKey is the Ed25519 key; left out where the device's key was revoked.
	PublicKey []byte          `json:"public_key,omitempty"`
	Envelope  json.RawMessage `json:"envelope"`
}

// ErrNoSession: no session has the id that was asked for.
var ErrNoSession = errors.New("no such session")

// page is how many sessions are looked up at once.
const page = 100

// Export writes {"sessions": […]}, newest first, out of one snapshot of the
// store; only those with the id session unless it is empty. It holds one
// session in memory at a time.
func Export(ctx context.Context, db *store.DB, w io.Writer, session string) error {
	out := bufio.NewWriter(w)
	first := true
	_, _ = out.WriteString(`{"sessions":[`)
	err := Each(ctx, db, session, func(s Session) error {
		raw, err := encode(s)
		if err != nil {
			return err
		}
		if !first {
			_ = out.WriteByte(',')
		}
		first = false
		_ = out.WriteByte('\n')
		_, err = out.Write(raw) // the first error of a bufio.Writer stays
		return err
	})
	if err != nil {
		return err
	}
	_, _ = out.WriteString("\n]}\n")
	return out.Flush()
}

func encode(s Session) ([]byte, error) {
	raw, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("export %s: %w", s.ID, err)
	}
	return raw, nil
}

// Each calls f for every session, newest first, out of one snapshot.
// ErrNoSession where session is named and there is none.
func Each(ctx context.Context, db *store.DB, session string, f func(Session) error) error {
	found := false
	err := db.View(ctx, func(t *store.Tx) error {
		companies, err := t.Companies()
		if err != nil {
			return err
		}
		for _, c := range companies {
			for after := (store.Cursor{}); ; {
				streams, err := t.Streams(c.ID, after, page)
				if err != nil {
					return err
				}
				for _, st := range streams {
					if session != "" && st.Session != session {
						continue
					}
					found = true
					s, err := Read(t, st)
					if err != nil {
						return fmt.Errorf("export %s: %w", st.Session, err)
					}
					if err := f(s); err != nil {
						return err
					}
				}
				if len(streams) < page {
					break
				}
				after = streams[len(streams)-1].Cursor()
			}
		}
		return nil
	})
	if err == nil && session != "" && !found {
		return fmt.Errorf("%w: %s", ErrNoSession, session)
	}
	return err
}

// Read is one session in an export.
func Read(t *store.Tx, st store.Stream) (Session, error) {
	s := Session{ID: st.Session, Ref: st.Ref, Company: st.Company, Device: st.Device, DeviceName: st.DeviceName, Tool: st.Tool,
		Supporter: st.Supporter, SupporterVerified: st.SupporterVerified, Direction: string(st.Direction), Basis: string(st.Basis),
		Provenance: string(st.Provenance), Groups: st.Groups, StartedAt: st.StartedAt, EndedAt: st.EndedAt, EndReason: st.EndReason,
		WithdrawnAt: st.WithdrawnAt, ObjectedAt: st.ObjectedAt, ErasedAt: st.ErasedAt, Job: string(st.JobState), JobError: st.JobError,
		Events: []map[string]any{}, Summary: json.RawMessage("null"), Grants: []Record{}, Records: []Record{}}
	if s.Groups == nil {
		s.Groups = []event.Group{}
	}
	events, err := t.Events(st.Key, 0, 0)
	if err != nil {
		return s, err
	}
	for _, e := range events {
		s.Events = append(s.Events, Flat(e))
	}
	sum, err := t.Summary(st.Key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return s, err
	}
	if err == nil {
		s.Summary, s.SummaryVersion = json.RawMessage(sum.JSON), sum.Version
	}
	use, err := t.CreditUse(st.Key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return s, err
	}
	if err == nil {
		s.Credits = &use.Amount
	}
	return s, readRecords(t, st.Key, &s)
}

// Flat puts an event's own fields beside those that all events have, which win.
func Flat(e store.StoredEvent) map[string]any {
	m := map[string]any{}
	for k, v := range e.Fields {
		m[k] = v
	}
	maps.Copy(m, map[string]any{"seq": e.Seq, "kind": e.Kind, "at": e.At, "grant": e.GrantID})
	return m
}

func readRecords(t *store.Tx, k store.Key, s *Session) error {
	keys, err := t.DeviceKeys(k.Company, k.Device)
	if err != nil {
		return err
	}
	grants, err := t.Grants(k)
	if err != nil {
		return err
	}
	for _, g := range grants {
		s.Grants = append(s.Grants, Record{ID: g.ID, Type: record.TypeGrant, At: g.MadeAt, KeyID: g.KeyID, PublicKey: keys[g.KeyID], Envelope: raw(g.Envelope)})
	}
	records, err := t.Records(k)
	if err != nil {
		return err
	}
	for _, r := range records {
		id := keyID(r.Envelope)
		s.Records = append(s.Records, Record{ID: r.ID, Type: r.Type, At: r.MadeAt, KeyID: id, PublicKey: keys[id], Envelope: raw(r.Envelope)})
	}
	return nil
}

// raw keeps a damaged envelope in the export, as a string.
func raw(b []byte) json.RawMessage {
	if json.Valid(b) {
		return b
	}
	s, _ := json.Marshal(string(b)) // a string always encodes
	return s
}

// keyID reads the id of the key that an envelope names, without verifying.
func keyID(envelope []byte) string {
	var env record.Envelope
	if json.Unmarshal(envelope, &env) != nil || len(env.Signatures) == 0 {
		return ""
	}
	return env.Signatures[0].KeyID
}
