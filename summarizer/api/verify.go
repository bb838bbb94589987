package api

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"aval/agent/event"
	"aval/agent/record"
	"aval/summarizer/store"
)

// Check is what came out of looking at one record or event.
type Check struct {
	Session string `json:"session"`
	Record  string `json:"record,omitempty"`
	Type    string `json:"type,omitempty"`
	KeyID   string `json:"key_id,omitempty"`
	Event   any    `json:"event,omitempty"` // its sequence, where the event is what is wrong
	OK      bool   `json:"ok"`
	Problem string `json:"problem,omitempty"`
}

// Report is the outcome of a verification.
type Report struct {
	OK       bool `json:"ok"`
	Sessions int  `json:"sessions"`
	Records  int  `json:"records"`
	Events   int  `json:"events"`
	// Checks are those of all records, and of the events that are wrong.
	Checks []Check `json:"checks"`
	// OwnKeys: the keys came out of the very file that was checked. The records
	// then agree with these keys; whose keys they are, the file cannot prove.
	OwnKeys bool `json:"own_keys"`
}

// add notes one check; one that failed fails the report.
func (r *Report) add(c Check) {
	r.Checks = append(r.Checks, c)
	r.OK = r.OK && c.OK
}

// VerifyStore checks every stored record against the keys of its device, and
// that every event is covered by its grant in kind and time.
func VerifyStore(ctx context.Context, db *store.DB) (Report, error) {
	r := Report{OK: true, Checks: []Check{}}
	err := Each(ctx, db, "", func(s Session) error {
		r.session(s)
		return nil
	})
	return r, err
}

// VerifySession checks the records and events of one session.
func VerifySession(s Session) Report {
	r := Report{OK: true, Checks: []Check{}}
	r.session(s)
	return r
}

// VerifyFile checks a file: an export, or one record's envelope, for which keys
// must find the key. keys may be nil for an export that brings its own.
func VerifyFile(raw []byte, keys record.Keys) (Report, error) {
	r := Report{OK: true, Checks: []Check{}}
	var file struct {
		Sessions    []Session   `json:"sessions"`
		PayloadType record.Type `json:"payloadType"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		return r, fmt.Errorf("read file: it is neither an export nor a record: %w", err)
	}
	switch {
	case file.Sessions != nil:
		r.OwnKeys = keys == nil
		for _, s := range file.Sessions {
			if keys != nil {
				s.trust(keys)
			}
			r.session(s)
		}
	case file.PayloadType != "":
		if keys == nil {
			return r, errors.New("read file: a single record brings no key; name the server's data folder with --data")
		}
		id := keyID(raw)
		rec := Record{Type: file.PayloadType, KeyID: id, PublicKey: keys(id), Envelope: raw}
		var head record.Head
		if _, payload, err := record.Peek(raw); err == nil {
			_ = json.Unmarshal(payload, &head) // a body that is none shows as a problem below
		}
		rec.ID = head.ID
		r.record(head.Session, rec)
	default:
		return r, errors.New("read file: it is neither an export nor a record")
	}
	return r, nil
}

// trust replaces the keys that came with the file.
func (s *Session) trust(keys record.Keys) {
	for _, list := range [][]Record{s.Grants, s.Records} {
		for i := range list {
			list[i].PublicKey = keys(list[i].KeyID)
		}
	}
}

func (r *Report) session(s Session) {
	r.Sessions++
	grants := map[string]record.Grant{}
	for _, g := range s.Grants {
		if body, ok := r.record(s.ID, g); ok && g.Type == record.TypeGrant {
			if g.ID != body.ID || body.Session != s.ID {
				r.add(Check{Session: s.ID, Record: g.ID, Problem: "the grant is of another session or id"})
				continue
			}
			grants[g.ID] = body
		}
	}
	for _, rec := range s.Records {
		r.record(s.ID, rec)
	}
	next := uint64(1)
	for _, e := range s.Events {
		r.Events++
		if problem := covered(e, grants, &next); problem != "" {
			r.add(Check{Session: s.ID, Event: e["seq"], Problem: problem})
		}
	}
}

// record checks one record's signature and, of a grant, its body.
func (r *Report) record(session string, rec Record) (record.Grant, bool) {
	r.Records++
	c := Check{Session: session, Record: rec.ID, Type: string(rec.Type), KeyID: rec.KeyID, OK: true}
	var body record.Grant
	var err error
	switch pub := ed25519.PublicKey(rec.PublicKey); {
	case len(pub) == 0:
		err = errors.New("its key is unknown here, or was revoked")
	case record.KeyID(pub) != rec.KeyID:
		err = errors.New("the key is not the one that it names")
	case rec.Type == record.TypeGrant:
		body, _, err = record.OpenGrant(bytes.TrimSpace(rec.Envelope), record.OneKey(pub))
	default:
		var typ record.Type
		if typ, _, _, err = record.Open(bytes.TrimSpace(rec.Envelope), record.OneKey(pub)); err == nil && typ != rec.Type {
			err = record.ErrWrongType
		}
	}
	if err != nil {
		c.OK, c.Problem = false, err.Error()
	}
	r.add(c)
	return body, err == nil
}

// covered tells what is wrong with an event; empty: nothing.
func covered(e map[string]any, grants map[string]record.Grant, next *uint64) string {
	seq, at, kind, grant := number(e["seq"]), moment(e["at"]), fmt.Sprint(e["kind"]), fmt.Sprint(e["grant"])
	want := *next
	*next = seq + 1
	g, ok := grants[grant]
	switch {
	case seq != want:
		return fmt.Sprintf("the sequence should be %d", want)
	case !ok:
		return "it has no valid grant"
	case !event.Covered(event.Kind(kind), g.Groups):
		return "its kind was not granted: " + kind
	case at.Before(g.NotBefore) || !at.Before(g.Expires):
		return "its time is outside of the grant"
	}
	return ""
}

// number reads a sequence as it is in memory and as JSON gives it back.
func number(v any) uint64 {
	switch n := v.(type) {
	case uint64:
		return n
	case float64:
		return uint64(max(0, n))
	}
	return 0
}

func moment(v any) time.Time {
	switch t := v.(type) {
	case time.Time:
		return t
	case string:
		at, _ := time.Parse(time.RFC3339Nano, t) // the zero time is in no grant
		return at
	}
	return time.Time{}
}

// StoreKeys finds the keys of all enrolled devices by their ids.
func StoreKeys(ctx context.Context, db *store.DB) (record.Keys, error) {
	all := map[string]ed25519.PublicKey{}
	err := db.View(ctx, func(t *store.Tx) error {
		companies, err := t.Companies()
		if err != nil {
			return err
		}
		for _, c := range companies {
			devices, err := t.Devices(c.ID)
			if err != nil {
				return err
			}
			for _, d := range devices {
				keys, err := t.DeviceKeys(c.ID, d.ID)
				if err != nil {
					return err
				}
				for id, k := range keys {
					all[id] = k
				}
			}
		}
		return nil
	})
	return func(id string) ed25519.PublicKey { return all[id] }, err
}

// Wrong lists the checks that failed, in a stable order.
func (r Report) Wrong() []Check {
	out := []Check{}
	for _, c := range r.Checks {
		if !c.OK {
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b Check) int {
		return cmp.Or(cmp.Compare(a.Session, b.Session), cmp.Compare(a.Record, b.Record))
	})
	return out
}
