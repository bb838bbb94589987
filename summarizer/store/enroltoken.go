package store

import "time"

// EnrolToken is a secret that enrols computers, known to the store by its SHA-256
// only.
type EnrolToken struct {
	ID        string // empty: it was made by an earlier version
	Company   string
	Hash      []byte
	Name      string // as people read it; may be empty
	Group     string // id of the group that its computers come into; empty: none
	Uses      int64  // how many computers it may enrol
	Used      int64
	CreatedBy string
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    time.Time // last; zero: never
	Device    string    // that used it last
	RevokedAt time.Time
}

const enrolTokenColumns = `id, company, hash, name, device_group, uses, used, created_by, created_at, expires_at, used_at, device, revoked_at`

func (k *EnrolToken) into() []any {
	return []any{&k.ID, &k.Company, &k.Hash, &k.Name, &k.Group, &k.Uses, &k.Used, &k.CreatedBy, stamp{&k.CreatedAt}, stamp{&k.ExpiresAt},
		stamp{&k.UsedAt}, &k.Device, stamp{&k.RevokedAt}}
}

// InsertEnrolToken adds a token that nobody has used.
func (t *Tx) InsertEnrolToken(k EnrolToken) error {
	_, err := t.exec(`INSERT INTO enrol_tokens (`+enrolTokenColumns+`) VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8, $9, 0, '', 0)`,
		k.ID, k.Company, k.Hash, k.Name, k.Group, k.Uses, k.CreatedBy, ns(k.CreatedAt), ns(k.ExpiresAt))
	return err
}

// EnrolToken returns the token with this hash, whatever has become of it, or
// ErrNotFound.
func (t *Tx) EnrolToken(hash []byte) (k EnrolToken, err error) {
	err = t.one(`SELECT `+enrolTokenColumns+` FROM enrol_tokens WHERE hash = $1`, []any{hash}, k.into()...)
	return k, err
}

// EnrolTokens lists a company's tokens, newest first, at most limit; before is the
// last one of the page before, zero for the first page.
func (t *Tx) EnrolTokens(company string, before time.Time, limit int) (list []EnrolToken, err error) {
	at := ns(before)
	err = t.each(`SELECT `+enrolTokenColumns+` FROM enrol_tokens WHERE company = $1 AND id <> '' AND (created_at < $2 OR $2 = 0)
		ORDER BY created_at DESC, id DESC LIMIT $3`, []any{company, at, limit}, func(scan func(...any) error) error {
		var k EnrolToken
		if err := scan(k.into()...); err != nil {
			return err
		}
		list = append(list, k)
		return nil
	})
	return list, err
}

// UseEnrolToken uses a token once more, for device, and returns it; ErrNotFound where
// it is used up, expired or revoked. Call it in the transaction that creates the
// device.
func (t *Tx) UseEnrolToken(hash []byte, device string, at time.Time) (k EnrolToken, err error) {
	err = t.one(`UPDATE enrol_tokens SET used = used + 1, used_at = $3, device = $2
		WHERE hash = $1 AND used < uses AND revoked_at = 0 AND expires_at > $3 RETURNING `+enrolTokenColumns, []any{hash, device, ns(at)}, k.into()...)
	return k, err
}

// RevokeEnrolToken ends a token at once, and returns it; ErrNotFound where none
// with this id can still be used.
func (t *Tx) RevokeEnrolToken(company, id string, at time.Time) (k EnrolToken, err error) {
	err = t.one(`UPDATE enrol_tokens SET revoked_at = $3 WHERE company = $1 AND id = $2 AND id <> '' AND revoked_at = 0 RETURNING `+enrolTokenColumns,
		[]any{company, id, ns(at)}, k.into()...)
	return k, err
}

// EnrolledKey is the enrolled, unrevoked device of a company that has this key, and
// the token and try by which it has; ErrNotFound.
func (t *Tx) EnrolledKey(company, keyID string) (d Device, token, try string, err error) {
	var id string
	err = t.one(`SELECT d.id, d.enrol_token, d.enrol_try FROM device_keys k JOIN devices d ON d.id = k.device
		WHERE k.key_id = $2 AND d.company = $1 AND d.code = '' AND d.account = '' AND d.revoked_at = 0 AND k.revoked_at = 0
		ORDER BY d.enrolled_at DESC LIMIT 1`, []any{company, keyID}, &id, &token, &try)
	if err == nil {
		d, err = t.Device(company, id)
	}
	return d, token, try, err
}

// EnrolledBy notes by which token, and in which try of its own, a device was enrolled,
// and the group that it comes into with it.
func (t *Tx) EnrolledBy(company, device, token, try, group string) error {
	n, err := t.exec(`UPDATE devices SET enrol_token = $3, enrol_try = $4, device_group = $5 WHERE company = $1 AND id = $2`, company, device, token, try, group)
	return found(n, err)
}

// LeaveDevice ends a device's right to connect and to sign, and revokes its keys: it
// has said itself that it is the company's no more. It is idempotent.
func (t *Tx) LeaveDevice(company, id string, at time.Time) error {
	n, err := t.exec(`UPDATE devices SET left_at = CASE WHEN left_at = 0 THEN $3 ELSE left_at END,
			revoked_at = CASE WHEN revoked_at = 0 THEN $3 ELSE revoked_at END WHERE company = $1 AND id = $2`, company, id, ns(at))
	if err = found(n, err); err != nil {
		return err
	}
	_, err = t.exec(`UPDATE device_keys SET revoked_at = $3 WHERE device = $2 AND revoked_at = 0
		AND EXISTS (SELECT 1 FROM devices d WHERE d.company = $1 AND d.id = $2)`, company, id, ns(at))
	return err
}

// KeyOf returns a device's key by its id, revoked or not, or ErrNotFound.
func (t *Tx) KeyOf(company, device, keyID string) (key []byte, err error) {
	err = t.one(`SELECT k.public_key FROM device_keys k JOIN devices d ON d.id = k.device WHERE d.company = $1 AND d.id = $2 AND k.key_id = $3`,
		[]any{company, device, keyID}, &key)
	return key, err
}
