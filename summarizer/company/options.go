package company

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
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
	Authority bool `json:"authority,omitempty"`
	// Activation is nil until somebody has accepted the terms: nothing is asked
	// until then, whatever is chosen.
	Activation       *Activation            `json:"activation,omitempty"`
	Outgoing         consent.OutgoingOption `json:"outgoing"`
	Incoming         consent.IncomingOption `json:"incoming"`
	IncomingEnforced bool                   `json:"incoming_enforced"`
	// OutgoingChoice and IncomingChoice are what the option comes to when it is
	// switched on again; empty: what it comes to the first time.
	OutgoingChoice consent.OutgoingOption `json:"outgoing_choice,omitempty"`
	IncomingChoice consent.IncomingOption `json:"incoming_choice,omitempty"`
	LogSessions    bool                   `json:"log_sessions"`
	// Engine is what devices are told, see consent.Engine; EngineChoice is what it
	// comes from.
	Engine        string       `json:"engine"`
	EngineChoice  EngineChoice `json:"engine_choice,omitempty"`
	RetentionDays int          `json:"retention_days"`
	Readers       string       `json:"readers,omitempty"`
	// Sees is whose sessions viewers and supporters see; empty: SeesAll.
	Sees Sees `json:"sees,omitempty"`
	// ReleaseKey is the key, kept elsewhere, that vouches for values which can
	// allow without a question; empty: the server's own key does.
	ReleaseKey ed25519.PublicKey `json:"release_key,omitempty"`
	RustDesk   RustDesk          `json:"rustdesk,omitzero"`
}

func defaultSettings() Settings {
	return Settings{Outgoing: consent.OutgoingAll, Incoming: consent.IncomingOff, IncomingEnforced: true, LogSessions: true,
		Engine: "rules", RetentionDays: 90}
}

// What an option comes to when it is switched on for the first time. Outgoing's
// is that of the commercial system; incoming's is the narrower one, under which
// a policy has to name each device.
const (
	firstOutgoing = consent.OutgoingAll
	firstIncoming = consent.IncomingPolicy
)

// asking are the settings as sessions meet them: a company that has not
// activated Session Insights asks about nothing.
func (s Settings) asking() Settings {
	if s.Activation == nil {
		s.Outgoing, s.Incoming, s.IncomingEnforced = consent.OutgoingOff, consent.IncomingOff, false
	}
	return s
}

// chosen is the part of the settings that SetOptions changes, as the history keeps it.
type chosen struct {
	Outgoing         consent.OutgoingOption `json:"outgoing"`
	OutgoingChoice   consent.OutgoingOption `json:"outgoing_choice"`
	Incoming         consent.IncomingOption `json:"incoming"`
	IncomingChoice   consent.IncomingOption `json:"incoming_choice"`
	IncomingEnforced bool                   `json:"incoming_enforced"`
	RustDesk         bool                   `json:"rustdesk"`
	RustDeskForward  string                 `json:"rustdesk_forward"`
	Sees             Sees                   `json:"sees"`
}

// chosen returns that part, with the choices that an option has though nobody made them.
func (s Settings) chosen() chosen {
	c := chosen{s.Outgoing, s.OutgoingChoice, s.Incoming, s.IncomingChoice, s.IncomingEnforced, s.RustDesk.On, s.RustDesk.Forward, cmp.Or(s.Sees, SeesAll)}
	switch {
	case s.Outgoing != consent.OutgoingOff:
		c.OutgoingChoice = s.Outgoing
	case c.OutgoingChoice == "":
		c.OutgoingChoice = firstOutgoing
	}
	switch {
	case s.Incoming != consent.IncomingOff:
		c.IncomingChoice = s.Incoming
	case c.IncomingChoice == "":
		c.IncomingChoice = firstIncoming
	}
	return c
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
		return Settings{Outgoing: consent.OutgoingOff, Incoming: consent.IncomingOff, Engine: "rules", RetentionDays: 90, Sees: SeesOwn}
	}
	s.Outgoing, s.Incoming = cmp.Or(s.Outgoing, consent.OutgoingOff), cmp.Or(s.Incoming, consent.IncomingOff)
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

// Change is what SetOptions changes; nil leaves a choice as it is. Outgoing and
// Incoming may also be On: what was chosen when it was last on.
type Change struct {
	Outgoing         *consent.OutgoingOption `json:"outgoing"`
	OutgoingChoice   *consent.OutgoingOption `json:"outgoing_choice"`
	Incoming         *consent.IncomingOption `json:"incoming"`
	IncomingChoice   *consent.IncomingOption `json:"incoming_choice"`
	IncomingEnforced *bool                   `json:"incoming_enforced"`
	RustDesk         *bool                   `json:"rustdesk"`
	RustDeskForward  *string                 `json:"rustdesk_forward"`
	Sees             *Sees                   `json:"sees"`
}

// On switches an option on with the choice that it had before.
const On = "on"

// Choices are the company's choices as commands show them.
type Choices struct {
	Company string `json:"company"`
	Settings
	// WhenOn is what outgoing and incoming come to when they are switched on.
	OutgoingWhenOn consent.OutgoingOption `json:"outgoing_when_on"`
	IncomingWhenOn consent.IncomingOption `json:"incoming_when_on"`
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
		out.OutgoingWhenOn, out.IncomingWhenOn = out.chosen().OutgoingChoice, out.chosen().IncomingChoice
		if len(out.ReleaseKey) > 0 {
			out.Releases = "release-key"
		}
		assigned, err := tx.Assignments(s.id)
		if err != nil {
			return err
		}
		out.WaitingUnassigned = assigned[""] == "" && !out.released(nil, s.now())
		groups, err := tx.Groups(s.id)
		if err != nil {
			return err
		}
		used := slices.Collect(maps.Values(assigned))
		for _, g := range groups {
			used = append(used, g.Policy)
		}
		all, err := tx.Policies(s.id)
		if err != nil {
			return err
		}
		for _, p := range all {
			if p.Version == 0 || !slices.Contains(used, p.ID) {
				continue
			}
			v, err := tx.PolicyVersion(s.id, p.ID, p.Version)
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
	if err := s.db.Tx(ctx, func(tx *store.Tx) error { return s.setOptions(tx, ch, 0) }); err != nil {
		return fmt.Errorf("set options: %w", err)
	}
	return nil
}

func (s *Service) setOptions(tx *store.Tx, ch Change, undoes int64) error {
	c, err := tx.Company(s.id)
	if err != nil {
		return err
	}
	set := decodeSettings(c.Settings)
	before := set.chosen()
	if err := set.apply(ch); err != nil {
		return err
	}
	if err := set.RustDesk.change(ch.RustDesk, ch.RustDeskForward); err != nil {
		return err
	}
	old, now := differ(before, set.chosen())
	if len(now) == 0 {
		return nil
	}
	c.Settings = set.encode()
	if err := tx.UpdateCompany(c); err != nil {
		return err
	}
	return s.note(tx, entry{kind: ChangeOptions, action: "options-set", old: old, new: now, undoes: undoes})
}

// apply takes a change of the two options into the settings.
func (s *Settings) apply(ch Change) error {
	is := s.chosen()
	s.OutgoingChoice, s.IncomingChoice = is.OutgoingChoice, is.IncomingChoice
	if ch.OutgoingChoice != nil {
		s.OutgoingChoice = *ch.OutgoingChoice
	}
	if ch.IncomingChoice != nil {
		s.IncomingChoice = *ch.IncomingChoice
	}
	if ch.Outgoing != nil {
		s.Outgoing = *ch.Outgoing
	}
	if ch.Incoming != nil {
		s.Incoming = *ch.Incoming
	}
	if s.Outgoing == On {
		s.Outgoing = s.OutgoingChoice
	}
	if s.Incoming == On {
		s.Incoming = s.IncomingChoice
	}
	if ch.IncomingEnforced != nil {
		s.IncomingEnforced = *ch.IncomingEnforced
	}
	if ch.Sees != nil {
		s.Sees = *ch.Sees
	}
	choices := s.chosen()
	s.OutgoingChoice, s.IncomingChoice = choices.OutgoingChoice, choices.IncomingChoice
	outgoing := []consent.OutgoingOption{consent.OutgoingAll, consent.OutgoingModules, consent.OutgoingOff}
	incoming := []consent.IncomingOption{consent.IncomingAll, consent.IncomingPolicy, consent.IncomingOff}
	switch {
	case s.Sees != "" && !s.Sees.valid():
		return fmt.Errorf("sees cannot be %q: all, group or own", s.Sees)
	case !slices.Contains(outgoing, s.Outgoing) || !slices.Contains(outgoing[:2], s.OutgoingChoice):
		return fmt.Errorf("outgoing cannot be %q: off, all or modules", cmp.Or(s.Outgoing, s.OutgoingChoice))
	case !slices.Contains(incoming, s.Incoming) || !slices.Contains(incoming[:2], s.IncomingChoice):
		return fmt.Errorf("incoming cannot be %q: off, all or policy", cmp.Or(s.Incoming, s.IncomingChoice))
	}
	return nil
}

func (s *Service) undoOptions(tx *store.Tx, c store.Change) error {
	company, err := tx.Company(s.id)
	if err != nil {
		return err
	}
	var was, is map[string]any
	var back Change
	if err := errors.Join(json.Unmarshal([]byte(c.Old), &was), json.Unmarshal([]byte(c.New), &is), json.Unmarshal([]byte(c.Old), &back)); err != nil {
		return fmt.Errorf("read change: %w", err)
	}
	_, now := differ(struct{}{}, decodeSettings(company.Settings).chosen())
	for k, v := range is {
		if !reflect.DeepEqual(now[k], v) {
			return ErrChangedSince
		}
	}
	return s.setOptions(tx, back, c.Number)
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
	last, err = tx.LatestOptions(s.id, device)
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
	set := decodeSettings(c.Settings).asking()
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
	switch p, v, _, err := tx.PolicyOf(s.id, device); {
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
	given := record.Assigned{}
	if body.Policy != nil {
		given = *body.Policy
	}
	if err := tx.GivenOptions(s.id, device, given.ID, given.Version, c.SettingsVersion, now); err != nil {
		return nil, err
	}
	return env, tx.InsertOptions(store.DeviceOptions{Device: device, Version: body.Version, SettingsVersion: c.SettingsVersion,
		SignedAt: now, ExpiresAt: body.Expires, Envelope: env})
}
