package company

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"aval/agent/consent"
	"aval/agent/record"
	"aval/summarizer/store"
)

// Settings are the company's choices for Session Insights.
type Settings struct {
	Server           string                 `json:"server,omitempty"`
	Outgoing         consent.OutgoingOption `json:"outgoing"`
	Incoming         consent.IncomingOption `json:"incoming"`
	IncomingEnforced bool                   `json:"incoming_enforced"`
	LogSessions      bool                   `json:"log_sessions"`
	Engine           string                 `json:"engine"`
	RetentionDays    int                    `json:"retention_days"`
	Readers          string                 `json:"readers,omitempty"`
	// ReleaseKey is the key, kept elsewhere, that vouches for values which can
	// allow without a question; empty: the server's own key does.
	ReleaseKey ed25519.PublicKey `json:"release_key,omitempty"`
}

func defaultSettings() Settings {
	return Settings{Outgoing: consent.OutgoingAll, Incoming: consent.IncomingOff, LogSessions: true,
		Engine: "rules", RetentionDays: 90}
}

func (s Settings) encode() string {
	b, err := json.Marshal(s)
	if err != nil { // strings, bools and an int always encode
		panic(err)
	}
	return string(b)
}

// decodeSettings reads what encode wrote; what cannot be read asks for nothing.
func decodeSettings(raw string) Settings {
	var s Settings
	if err := json.Unmarshal([]byte(raw), &s); err != nil {
		return Settings{Outgoing: consent.OutgoingOff, Incoming: consent.IncomingOff, Engine: "rules", RetentionDays: 90}
	}
	return s
}

// OptionsRenew is when a connected device is given a new bundle.
const OptionsRenew = 7 * 24 * time.Hour

// Options returns the signed options for a device: the bundle that it was last
// given, or the next version where the settings have changed or a week has gone.
// Versions of a device only go up, and each names the same bytes for ever.
func (s *Service) Options(ctx context.Context, device string) (envelope []byte, err error) {
	err = s.db.Tx(ctx, func(tx *store.Tx) error { envelope, err = s.OptionsIn(tx, device); return err })
	if err != nil {
		return nil, fmt.Errorf("sign options: %w", err)
	}
	return envelope, nil
}

// latest returns the company, its last bundle for a device, and whether that one
// still says what it should.
func (s *Service) latest(tx *store.Tx, device string) (c store.Company, last store.DeviceOptions, good bool, err error) {
	if c, err = tx.Company(s.id); err != nil {
		return c, last, false, err
	}
	last, err = tx.LatestOptions(device)
	if errors.Is(err, store.ErrNotFound) {
		return c, store.DeviceOptions{}, false, nil
	}
	age := s.now().Sub(last.SignedAt)
	return c, last, err == nil && last.SettingsVersion == c.SettingsVersion && age >= 0 && age < OptionsRenew, err
}

// OptionsStale tells whether Options would sign a new bundle for a device.
func (s *Service) OptionsStale(tx *store.Tx, device string) (bool, error) {
	_, _, good, err := s.latest(tx, device)
	return !good && err == nil, err
}

// OptionsIn is Options within a transaction.
func (s *Service) OptionsIn(tx *store.Tx, device string) ([]byte, error) {
	c, last, good, err := s.latest(tx, device)
	if err != nil {
		return nil, err
	}
	if good {
		return last.Envelope, nil
	}
	now := s.now()
	set := decodeSettings(c.Settings)
	body := record.Options{V: 1, Company: s.id, Device: device, Version: last.Version + 1, At: now.UTC(), Expires: now.Add(record.OptionsLife).UTC(),
		CompanyName: c.Name, Outgoing: set.Outgoing, Incoming: set.Incoming, IncomingEnforced: set.IncomingEnforced,
		LogSessions: set.LogSessions, Engine: set.Engine, RetentionDays: set.RetentionDays, Readers: set.Readers}
	switch p, v, err := tx.PolicyOf(s.id, device); {
	case err == nil:
		body.Policy = &record.Assigned{ID: p.ID, Name: p.Name, Version: v.Version, Release: v.Release}
		if body.Policy.Settings, err = decodeDraft(v.Settings); err != nil {
			return nil, err
		}
	case !errors.Is(err, store.ErrNotFound):
		return nil, err
	}
	env, err := record.Sign(s.signer(), record.TypePolicy, body)
	if err != nil {
		return nil, err
	}
	return env, tx.InsertOptions(store.DeviceOptions{Device: device, Version: body.Version, SettingsVersion: c.SettingsVersion,
		SignedAt: now, ExpiresAt: body.Expires, Envelope: env})
}
