package store

import (
	"bytes"
	"crypto/ed25519"
	"time"
)

// Company is one tenant.
type Company struct {
	ID   string
	Name string
	// Tier names the credit rule, see summarizer/credit.
	Tier string
	// Lang is the language in which summaries are written: en or pt-BR.
	Lang string
	// Settings is JSON owned by summarizer/company; SettingsVersion counts its changes.
	Settings        string
	SettingsVersion int64
	CreatedAt       time.Time
	// Zone is a name of the IANA time zone database; empty counts as UTC. Its
	// credit month begins at midnight there. Changed by SetZone alone.
	Zone string
}

// InsertCompany adds a company.
func (t *Tx) InsertCompany(c Company) error {
	if c.Zone == "" {
		c.Zone = "UTC"
	}
	_, err := t.exec(`INSERT INTO companies (id, name, tier, lang, settings, settings_version, created_at, zone)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, c.ID, c.Name, c.Tier, c.Lang, c.Settings, c.SettingsVersion, ns(c.CreatedAt), c.Zone)
	return err
}

const companyColumns = `SELECT id, name, tier, lang, settings, settings_version, created_at, zone FROM companies`

func (c *Company) into() []any {
	return []any{&c.ID, &c.Name, &c.Tier, &c.Lang, &c.Settings, &c.SettingsVersion, stamp{&c.CreatedAt}, &c.Zone}
}

// Company returns one company, or ErrNotFound.
func (t *Tx) Company(id string) (c Company, err error) {
	err = t.one(companyColumns+` WHERE id = $1`, []any{id}, c.into()...)
	return c, err
}

// Companies lists all companies, oldest first.
func (t *Tx) Companies() (list []Company, err error) {
	err = t.each(companyColumns+` ORDER BY created_at, id`, nil, func(scan func(...any) error) error {
		var c Company
		if err := scan(c.into()...); err != nil {
			return err
		}
		list = append(list, c)
		return nil
	})
	return list, err
}

// UpdateCompany changes name, tier, lang and settings; the settings' version
// goes up by one.
func (t *Tx) UpdateCompany(c Company) error {
	n, err := t.exec(`UPDATE companies SET name = $2, tier = $3, lang = $4, settings = $5,
		settings_version = settings_version + 1 WHERE id = $1`, c.ID, c.Name, c.Tier, c.Lang, c.Settings)
	return found(n, err)
}

// SetZone changes a company's time zone.
func (t *Tx) SetZone(company, zone string) error {
	n, err := t.exec(`UPDATE companies SET zone = $2 WHERE id = $1`, company, zone)
	return found(n, err)
}

// Device is one enrolled computer.
type Device struct {
	ID           string
	Company      string
	Name         string // what it is called here; at first the host name that it gave itself: not verified
	AgentVersion string
	EnrolledAt   time.Time
	LastSeenAt   time.Time
	// ClockSkew is the device's clock minus the server's at the last connection.
	ClockSkew time.Duration
	RevokedAt time.Time
	// Code: the key was certified by a session code and is one session's; the
	// holder is no computer of the company's. Empty: a computer.
	Code string
	// Account is the user in whose account an unmanaged computer is signed in; it
	// has no policy. Empty: an enrolled computer, or one session's key.
	Account string

	// Hostname is what it called itself when it was enrolled; Search is how it is
	// found, folded by summarizer/company.
	Hostname string
	Search   string
	Group    string // id of its group; empty: none
	// LeftAt is when it said itself that it is the company's no more; zero: it has not.
	LeftAt time.Time
	// LogBrokenAt is that of its DeviceLog.
	LogBrokenAt time.Time
	// What the last bundle that was signed for it says: see GivenOptions.
	Policy          string
	PolicyVersion   int64
	PolicySince     time.Time
	SettingsVersion int64
	Reach           Reach
}

const deviceColumns = `SELECT id, company, name, agent_version, enrolled_at, last_seen_at, clock_skew, revoked_at, code,
	hostname, search, device_group, policy, policy_version, policy_since, settings_version, account,
	reach, reach_at, reach_window, reach_dialog, reach_file, reach_line, left_at,
	COALESCE((SELECT l.broken_at FROM device_logs l WHERE l.company = devices.company AND l.device = devices.id), 0) FROM devices`

func (d *Device) into() []any {
	return []any{&d.ID, &d.Company, &d.Name, &d.AgentVersion, stamp{&d.EnrolledAt}, stamp{&d.LastSeenAt},
		(*int64)(&d.ClockSkew), stamp{&d.RevokedAt}, &d.Code,
		&d.Hostname, &d.Search, &d.Group, &d.Policy, &d.PolicyVersion, stamp{&d.PolicySince}, &d.SettingsVersion, &d.Account,
		&d.Reach.State, stamp{&d.Reach.At}, &d.Reach.Window, &d.Reach.Dialog, &d.Reach.StartFile, &d.Reach.StartLine, stamp{&d.LeftAt}, stamp{&d.LogBrokenAt}}
}

// InsertDevice adds a device with its first key.
func (t *Tx) InsertDevice(d Device, keyID string, key ed25519.PublicKey) error {
	_, err := t.exec(`INSERT INTO devices (id, company, name, agent_version, enrolled_at, last_seen_at, clock_skew, revoked_at, code, hostname, search, account)
		VALUES ($1, $2, $3, $4, $5, 0, 0, 0, $6, $3, $7, $8)`, d.ID, d.Company, d.Name, d.AgentVersion, ns(d.EnrolledAt), d.Code, d.Search, d.Account)
	if err != nil {
		return err
	}
	if _, err = t.exec(`INSERT INTO device_keys (device, key_id, public_key, added_at, revoked_at) VALUES ($1, $2, $3, $4, 0)`,
		d.ID, keyID, []byte(key), ns(d.EnrolledAt)); err != nil || d.Code != "" {
		return err // one session's key is looked for by nobody
	}
	return t.suffix(d.Company, d.ID, d.Search, d.EnrolledAt)
}

// Device returns one device of a company, revoked or not, or ErrNotFound.
func (t *Tx) Device(company, id string) (d Device, err error) {
	err = t.one(deviceColumns+` WHERE company = $1 AND id = $2`, []any{company, id}, d.into()...)
	return d, err
}

// Devices lists a company's devices, those of single sessions too, newest first.
func (t *Tx) Devices(company string) (list []Device, err error) {
	err = t.each(deviceColumns+` WHERE company = $1 ORDER BY enrolled_at DESC, id`, []any{company}, func(scan func(...any) error) error {
		var d Device
		if err := scan(d.into()...); err != nil {
			return err
		}
		list = append(list, d)
		return nil
	})
	return list, err
}

// DeviceKeys returns the unrevoked keys of an unrevoked device of company by
// their id; no device, or a revoked one, has none.
func (t *Tx) DeviceKeys(company, device string) (map[string]ed25519.PublicKey, error) {
	keys := map[string]ed25519.PublicKey{}
	err := t.each(`SELECT k.key_id, k.public_key FROM device_keys k JOIN devices d ON d.id = k.device
		WHERE d.company = $1 AND d.id = $2 AND d.revoked_at = 0 AND k.revoked_at = 0`, []any{company, device},
		func(scan func(...any) error) error {
			var id string
			var key []byte
			if err := scan(&id, &key); err != nil {
				return err
			}
			keys[id] = bytes.Clone(key)
			return nil
		})
	return keys, err
}

// SeenDevice notes a connection.
func (t *Tx) SeenDevice(company, id, agentVersion string, at time.Time, skew time.Duration) error {
	n, err := t.exec(`UPDATE devices SET last_seen_at = $3, agent_version = $4, clock_skew = $5 WHERE company = $1 AND id = $2`,
		company, id, ns(at), agentVersion, int64(skew))
	return found(n, err)
}

// RevokeDevice ends a device's right to connect and to sign. It is idempotent.
func (t *Tx) RevokeDevice(company, id string, at time.Time) error {
	n, err := t.exec(`UPDATE devices SET revoked_at = CASE WHEN revoked_at = 0 THEN $3 ELSE revoked_at END
		WHERE company = $1 AND id = $2`, company, id, ns(at))
	return found(n, err)
}

// DeviceOptions is a bundle that was signed for a device.
type DeviceOptions struct {
	Device          string
	Version         int64
	SettingsVersion int64
	SignedAt        time.Time
	ExpiresAt       time.Time
	Envelope        []byte
}

// LatestOptions returns the bundle last signed for a device, or ErrNotFound.
func (t *Tx) LatestOptions(company, device string) (o DeviceOptions, err error) {
	err = t.one(`SELECT o.device, o.version, o.settings_version, o.signed_at, o.expires_at, o.envelope FROM device_options o
		JOIN devices d ON d.id = o.device WHERE d.company = $1 AND o.device = $2 ORDER BY o.version DESC LIMIT 1`,
		[]any{company, device}, &o.Device, &o.Version, &o.SettingsVersion, stamp{&o.SignedAt}, stamp{&o.ExpiresAt}, &o.Envelope)
	return o, err
}

// OptionsOf returns the bundle of this version that was signed for a device, or
// ErrNotFound.
func (t *Tx) OptionsOf(company, device string, version int64) (envelope []byte, err error) {
	err = t.one(`SELECT o.envelope FROM device_options o JOIN devices d ON d.id = o.device WHERE d.company = $1 AND o.device = $2 AND o.version = $3`,
		[]any{company, device, version}, &envelope)
	return envelope, err
}

// InsertOptions keeps a signed bundle. ErrExists where the version is taken.
func (t *Tx) InsertOptions(o DeviceOptions) error {
	n, err := t.exec(`INSERT INTO device_options (device, version, settings_version, signed_at, expires_at, envelope)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (device, version) DO NOTHING`,
		o.Device, o.Version, o.SettingsVersion, ns(o.SignedAt), ns(o.ExpiresAt), o.Envelope)
	if err == nil && n == 0 {
		return ErrExists
	}
	return err
}

// Token is the one-time secret of a link, known to the store by its SHA-256 only.
type Token struct {
	Hash      []byte
	Company   string
	CreatedAt time.Time
	ExpiresAt time.Time
	User      string // whom an invitation is for; a link that signs in names nobody
}

// InsertAdminLink adds a one-time sign-in link for the console.
func (t *Tx) InsertAdminLink(k Token) error {
	_, err := t.exec(`INSERT INTO admin_links (hash, company, created_at, expires_at, used_at) VALUES ($1, $2, $3, $4, 0)`,
		k.Hash, k.Company, ns(k.CreatedAt), ns(k.ExpiresAt))
	return err
}

// UseAdminLink uses up an unused, unexpired link and returns its company;
// ErrNotFound otherwise.
func (t *Tx) UseAdminLink(hash []byte, at time.Time) (company string, err error) {
	err = t.one(`UPDATE admin_links SET used_at = $2 WHERE hash = $1 AND used_at = 0 AND expires_at > $2 RETURNING company`,
		[]any{hash, ns(at)}, &company)
	return company, err
}

// AdminSignedIn tells whether any administrator link of the company was used.
func (t *Tx) AdminSignedIn(company string) (bool, error) {
	var n int64
	err := t.one(`SELECT COUNT(*) FROM admin_links WHERE company = $1 AND used_at > 0`, []any{company}, &n)
	return n > 0, err
}

// HasDevices tells whether any computer was ever enrolled with the company.
func (t *Tx) HasDevices(company string) (bool, error) {
	var n int64
	err := t.one(`SELECT COUNT(*) FROM devices WHERE company = $1 AND code = '' AND account = ''`, []any{company}, &n)
	return n > 0, err
}

// LiveAdminLink returns the company of an administrator link that can be used at
// now; ErrNotFound otherwise.
func (t *Tx) LiveAdminLink(hash []byte, now time.Time) (company string, err error) {
	err = t.one(`SELECT company FROM admin_links WHERE hash = $1 AND used_at = 0 AND expires_at > $2`, []any{hash, ns(now)}, &company)
	return company, err
}

// found turns "no row changed" into ErrNotFound.
func found(n int64, err error) error {
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}
