package company

import (
	"context"
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

// How long a bundle is in force, and when a connected device is given a new one.
const (
	optionsLife  = 30 * 24 * time.Hour
	OptionsRenew = 7 * 24 * time.Hour
)

// Options returns the signed options for a device: the bundle that it was last
// given, or the next version where the settings have changed or a week has gone.
// Versions of a device only go up, and each names the same bytes for ever.
func (s *Service) Options(ctx context.Context, device string) (envelope []byte, err error) {
	err = s.db.Tx(ctx, func(tx *store.Tx) error { envelope, err = s.options(tx, device); return err })
	if err != nil {
		return nil, fmt.Errorf("sign options: %w", err)
	}
	return envelope, nil
}

func (s *Service) options(tx *store.Tx, device string) ([]byte, error) {
	c, err := tx.Company(s.id)
	if err != nil {
		return nil, err
	}
	now := s.now()
	last, err := tx.LatestOptions(device)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	if age := now.Sub(last.SignedAt); err == nil && last.SettingsVersion == c.SettingsVersion && age >= 0 && age < OptionsRenew {
		return last.Envelope, nil
	}
	set := decodeSettings(c.Settings)
	body := record.Options{V: 1, Company: s.id, Device: device, Version: last.Version + 1, At: now.UTC(), Expires: now.Add(optionsLife).UTC(),
		CompanyName: c.Name, Outgoing: set.Outgoing, Incoming: set.Incoming, IncomingEnforced: set.IncomingEnforced,
		LogSessions: set.LogSessions, Engine: set.Engine, RetentionDays: set.RetentionDays, Readers: set.Readers}
	env, err := record.Sign(s.signer(), record.TypePolicy, body)
	if err != nil {
		return nil, err
	}
	return env, tx.InsertOptions(store.DeviceOptions{Device: device, Version: body.Version, SettingsVersion: c.SettingsVersion,
		SignedAt: now, ExpiresAt: body.Expires, Envelope: env})
}
