package company

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"aval/agent/consent"
	"aval/agent/record"
	"aval/summarizer/store"
)

// Settings are the company's choices for Session Insights.
type Settings struct {
	Server string `json:"server,omitempty"`
	// Authority: the server runs with a certificate of an authority, so that its
	// codes and tokens carry no pin.
	Authority        bool                   `json:"authority,omitempty"`
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
	RustDesk   RustDesk          `json:"rustdesk,omitzero"`
}

func defaultSettings() Settings {
	return Settings{Outgoing: consent.OutgoingAll, Incoming: consent.IncomingOff, IncomingEnforced: true, LogSessions: true,
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

// released tells whether the company may ask about incoming sessions as it has
// chosen: by the server's own key, or by the release of the assigned policy.
// Devices refuse a bundle whole that says more than is vouched for, so one that
// waits for its release does not ask.
func (s Settings) released(p *record.Assigned, now time.Time) bool {
	if s.Incoming == consent.IncomingOff || len(s.ReleaseKey) == 0 {
		return true
	}
	if p == nil || len(p.Release) == 0 {
		return false
	}
	r, _, err := record.OpenRelease(p.Release, s.ReleaseKey)
	return err == nil && r.Policy == p.ID && r.Version == p.Version && now.Before(r.Expires) && r.VouchesIncoming(s.Incoming, s.IncomingEnforced)
}

// Change is what SetOptions changes; nil leaves a choice as it is.
type Change struct {
	Outgoing         *consent.OutgoingOption
	Incoming         *consent.IncomingOption
	IncomingEnforced *bool
	RustDesk         *bool
	RustDeskForward  *string
}

// Choices are the company's choices as commands show them.
type Choices struct {
	Company string `json:"company"`
	Settings
	// Releases says whose key vouches for what can allow without a question:
	// server or release-key.
	Releases string `json:"releases"`
	// Waiting are the assigned policies whose release does not vouch for the
	// choice for incoming sessions: their devices are not asked about those.
	Waiting []string `json:"waiting"`
	// WaitingUnassigned: devices without a policy are not asked about them either.
	WaitingUnassigned bool `json:"waiting_unassigned"`
}

// Choices returns what the company has chosen.
func (s *Service) Choices(ctx context.Context) (out Choices, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		c, err := tx.Company(s.id)
		if err != nil {
			return err
		}
		out = Choices{Company: c.Name, Settings: decodeSettings(c.Settings), Releases: "server", Waiting: []string{}}
		if len(out.ReleaseKey) > 0 {
			out.Releases = "release-key"
		}
		assigned, err := tx.Assignments(s.id)
		if err != nil {
			return err
		}
		out.WaitingUnassigned = assigned[""] == "" && !out.released(nil, s.now())
		all, err := tx.Policies(s.id)
		if err != nil {
			return err
		}
		for _, p := range all {
			if p.Version == 0 || !slices.Contains(slices.Collect(maps.Values(assigned)), p.ID) {
				continue
			}
			v, err := tx.PolicyVersion(p.ID, p.Version)
			if err != nil {
				return err
			}
			if !out.released(&record.Assigned{ID: p.ID, Version: v.Version, Release: v.Release}, s.now()) {
				out.Waiting = append(out.Waiting, p.Name)
			}
		}
		return nil
	})
	if err != nil {
		return Choices{}, fmt.Errorf("show options: %w", err)
	}
	return out, nil
}

// SetOptions changes about which sessions the company asks. Devices that are
// connected hear of it within seconds.
func (s *Service) SetOptions(ctx context.Context, ch Change) error {
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		c, err := tx.Company(s.id)
		if err != nil {
			return err
		}
		set := decodeSettings(c.Settings)
		if ch.Outgoing != nil {
			set.Outgoing = *ch.Outgoing
		}
		if ch.Incoming != nil {
			set.Incoming = *ch.Incoming
		}
		if ch.IncomingEnforced != nil {
			set.IncomingEnforced = *ch.IncomingEnforced
		}
		switch {
		case !slices.Contains([]consent.OutgoingOption{consent.OutgoingOff, consent.OutgoingAll, consent.OutgoingModules}, set.Outgoing):
			return fmt.Errorf("outgoing cannot be %q: off, all or modules", set.Outgoing)
		case !slices.Contains([]consent.IncomingOption{consent.IncomingOff, consent.IncomingAll, consent.IncomingPolicy}, set.Incoming):
			return fmt.Errorf("incoming cannot be %q: off, all or policy", set.Incoming)
		}
		if err := set.RustDesk.change(ch.RustDesk, ch.RustDeskForward); err != nil {
			return err
		}
		c.Settings = set.encode()
		said := fmt.Sprintf("outgoing %s, incoming %s, enforced %v", set.Outgoing, set.Incoming, set.IncomingEnforced)
		if ch.RustDesk != nil || ch.RustDeskForward != nil {
			said += fmt.Sprintf(", rustdesk %v, passed on to %q", set.RustDesk.On, set.RustDesk.Forward)
		}
		if err := s.audit(tx, "options-set", "", said); err != nil {
			return err
		}
		return tx.UpdateCompany(c)
	})
	if err != nil {
		return fmt.Errorf("set options: %w", err)
	}
	return nil
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
	d, err := tx.Device(s.id, device)
	if err != nil {
		return nil, err
	}
	if d.Account != "" { // no computer of the company's: no policy, and nothing is enforced
		body.IncomingEnforced = false
		if body.Incoming != consent.IncomingAll {
			body.Incoming = consent.IncomingOff
		}
	}
	switch p, v, err := tx.PolicyOf(s.id, device); {
	case d.Account != "":
	case err == nil:
		body.Policy = &record.Assigned{ID: p.ID, Name: p.Name, Version: v.Version, Release: v.Release}
		if body.Policy.Settings, err = decodeDraft(v.Settings); err != nil {
			return nil, err
		}
	case !errors.Is(err, store.ErrNotFound):
		return nil, err
	}
	if !set.released(body.Policy, now) {
		body.Incoming, body.IncomingEnforced = consent.IncomingOff, false
	}
	env, err := record.Sign(s.signer(), record.TypePolicy, body)
	if err != nil {
		return nil, err
	}
	return env, tx.InsertOptions(store.DeviceOptions{Device: device, Version: body.Version, SettingsVersion: c.SettingsVersion,
		SignedAt: now, ExpiresAt: body.Expires, Envelope: env})
}
