package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"aval/agent/consent"
	"aval/agent/event"
)

// Setting is one user's own value of the access control, and since when.
type Setting struct {
	Value consent.AccessControl
	Since time.Time
}

// settings is one row for all users, so that none can vanish unnoticed.
type settings struct {
	// Doubt: values were lost. Who has none here has a corrupt one.
	Doubt bool               `json:"doubt,omitempty"`
	Users map[uint32]userSet `json:"users,omitempty"`
	Prefs map[uint32]Prefs   `json:"prefs,omitempty"`
}

// Prefs are a user's own choices beside the access control.
type Prefs struct {
	// Record are the groups that may be recorded; empty: all.
	Record []event.Group `json:"record,omitempty"`
	// Language is a language of the windows and the question; empty: the desktop's.
	Language string `json:"language,omitempty"`
	// Welcomed: the main window has opened once by itself.
	Welcomed bool `json:"welcomed,omitempty"`
	// X11 are the groups that the user's desktop could deliver when it was last one
	// of X11; empty: it never was. What Wayland took is told by them.
	X11 []event.Group `json:"x11,omitempty"`
}

type userSet struct {
	Value consent.AccessControl `json:"value"`
	Since time.Time             `json:"since"`
}

// Setting returns the value that the user uid set: AccessUnset when it was
// never set, AccessCorrupt when it is damaged, or may have been lost.
func (s *Store) Setting(uid uint32) Setting {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if u, ok := s.settings.Users[uid]; ok {
		return Setting(u)
	}
	if s.settings.Doubt {
		return Setting{Value: consent.AccessCorrupt}
	}
	return Setting{Value: consent.AccessUnset}
}

// SetSetting keeps the value that the user uid set; unset removes it. It is
// durable on return. Only unset, allowed, denied and after-confirmation can be set.
func (s *Store) SetSetting(uid uint32, v consent.AccessControl, at time.Time) error {
	switch v {
	case consent.AccessUnset, consent.AccessAllowed, consent.AccessDenied, consent.AccessAfterConfirmation:
	default:
		return fmt.Errorf("keep setting: %q is not a value", v)
	}
	err := s.do(context.Background(), &op{run: func(t *txn) error {
		cur := t.settingsCopy()
		if v == consent.AccessUnset && !cur.Doubt {
			delete(cur.Users, uid)
		} else {
			// In doubt an explicit unset must be kept, or it would read as corrupt.
			cur.Users[uid] = userSet{Value: v, Since: at.UTC()}
		}
		return t.putSettings(cur)
	}})
	if err != nil {
		return fmt.Errorf("keep setting: %w", err)
	}
	return nil
}

// Prefs returns the user's own choices; those that may have been lost are the
// zero value, and Setting is then corrupt.
func (s *Store) Prefs(uid uint32) Prefs {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p := s.settings.Prefs[uid]
	p.Record, p.X11 = slices.Clone(p.Record), slices.Clone(p.X11)
	return p
}

// SetPrefs keeps them. It is durable on return.
func (s *Store) SetPrefs(uid uint32, p Prefs) error {
	p.Record, p.X11 = slices.Clone(p.Record), slices.Clone(p.X11)
	err := s.do(context.Background(), &op{run: func(t *txn) error {
		cur := t.settingsCopy()
		cur.Prefs[uid] = p
		return t.putSettings(cur)
	}})
	if err != nil {
		return fmt.Errorf("keep choices: %w", err)
	}
	return nil
}

// settingsCopy is the transaction's own copy of the row.
func (t *txn) settingsCopy() *settings {
	if t.settings == nil {
		t.s.mu.RLock()
		now := t.s.settings
		t.settings = &settings{Doubt: now.Doubt, Users: map[uint32]userSet{}, Prefs: map[uint32]Prefs{}}
		maps.Copy(t.settings.Users, now.Users)
		maps.Copy(t.settings.Prefs, now.Prefs)
		t.s.mu.RUnlock()
	}
	return t.settings
}

func (t *txn) putSettings(v *settings) error {
	raw, err := closeJSON(bState, kSettings, v)
	if err != nil {
		return err
	}
	return t.bucket(bState).Put(kSettings, raw)
}

// putSettings writes the row while the database is being opened.
func (s *Store) putSettings(v settings) error {
	raw, err := closeJSON(bState, kSettings, v)
	if err != nil {
		return err
	}
	return guard(func() error {
		return s.file.db.Update(func(tx *bolt.Tx) error { return tx.Bucket([]byte(bState)).Put(kSettings, raw) })
	})
}

// loadSettings reads the row; a damaged one makes every value corrupt.
func (s *Store) loadSettings(tx *bolt.Tx) {
	var v settings
	if err := openJSON(bState, kSettings, tx.Bucket([]byte(bState)).Get(kSettings), &v); err != nil {
		s.note("The settings are damaged. Nothing is allowed by a setting until it is set again.")
		v = settings{Doubt: true}
	}
	s.mu.Lock()
	s.settings = v
	s.mu.Unlock()
}

// PutSession keeps a live session for the next start. It is durable on return.
func (s *Store) PutSession(key string, raw []byte) error {
	if key == "" || len(key) > 1000 {
		return errors.New("keep session: its key is empty or too long")
	}
	return s.changeSession(key, func(b *bolt.Bucket, keys []string) ([]string, error) {
		if i, ok := slices.BinarySearch(keys, key); !ok {
			keys = slices.Insert(keys, i, key)
		}
		return keys, b.Put([]byte(key), closeRow(bSessions, []byte(key), raw))
	})
}

// DeleteSession forgets a live session; one that is not there is no error.
func (s *Store) DeleteSession(key string) error {
	return s.changeSession(key, func(b *bolt.Bucket, keys []string) ([]string, error) {
		if i, ok := slices.BinarySearch(keys, key); ok {
			keys = slices.Delete(keys, i, i+1)
		}
		return keys, b.Delete([]byte(key))
	})
}

// changeSession changes a row together with the index of all keys, without
// which a row that vanished would not be missed.
func (s *Store) changeSession(key string, change func(*bolt.Bucket, []string) ([]string, error)) error {
	err := s.do(context.Background(), &op{run: func(t *txn) error {
		b := t.bucket(bSessions)
		keys, err := sessionKeys(t.tx)
		if err != nil {
			// The index is made anew from what is there; Sessions has said so.
			keys = nil
			_ = b.ForEach(func(k, _ []byte) error { keys = append(keys, string(k)); return nil })
		}
		if keys, err = change(b, keys); err != nil {
			return err
		}
		raw, err := closeJSON(bState, kSessions, keys)
		if err != nil {
			return err
		}
		return t.bucket(bState).Put(kSessions, raw)
	}})
	if err != nil {
		return fmt.Errorf("keep session %s: %w", key, err)
	}
	return nil
}

func sessionKeys(tx *bolt.Tx) (keys []string, err error) {
	raw, err := openRow(bState, kSessions, tx.Bucket([]byte(bState)).Get(kSessions))
	if err == nil {
		err = json.Unmarshal(raw, &keys)
	}
	return keys, err
}

// Sessions returns the live sessions that were kept. Damaged ones are left out
// and noted: a session that is not certain ends.
func (s *Store) Sessions() (map[string][]byte, error) {
	out := map[string][]byte{}
	bad := 0
	err := s.file.view(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte(bSessions))
		keys, err := sessionKeys(tx)
		if err != nil {
			bad++
			return nil
		}
		for _, k := range keys {
			raw, err := openRow(bSessions, []byte(k), b.Get([]byte(k)))
			if err != nil {
				bad++
				continue
			}
			out[k] = slices.Clone(raw)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read sessions: %w", err)
	}
	if bad > 0 {
		s.note("What was kept of running sessions is damaged; such sessions are ended.")
	}
	return out, nil
}
