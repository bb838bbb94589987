package store

import "time"

// APIToken is a secret with which programs speak to the server, known by its
// SHA-256 only.
type APIToken struct {
	ID      string
	Company string
	Hash    []byte
	// Prefix is the beginning of the secret, to recognise it by.
	Prefix string
	Name   string
	// Owner is the user whose token it is; empty: the company's own.
	Owner string
	// Scopes are words with spaces between them, see company.Permission.
	Scopes    string
	CreatedBy string // an actor
	CreatedAt time.Time
	ExpiresAt time.Time // zero: never
	UsedAt    time.Time // about a minute behind
	RevokedAt time.Time
}

const apiTokenColumns = `SELECT id, company, hash, prefix, name, owner, scopes, created_by, created_at, expires_at, used_at, revoked_at FROM api_tokens`

func (k *APIToken) into() []any {
	return []any{&k.ID, &k.Company, &k.Hash, &k.Prefix, &k.Name, &k.Owner, &k.Scopes, &k.CreatedBy,
		stamp{&k.CreatedAt}, stamp{&k.ExpiresAt}, stamp{&k.UsedAt}, stamp{&k.RevokedAt}}
}

// InsertAPIToken adds a token.
func (t *Tx) InsertAPIToken(k APIToken) error {
	_, err := t.exec(`INSERT INTO api_tokens (id, company, hash, prefix, name, owner, scopes, created_by, created_at, expires_at, used_at, revoked_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, 0)`,
		k.ID, k.Company, k.Hash, k.Prefix, k.Name, k.Owner, k.Scopes, k.CreatedBy, ns(k.CreatedAt), ns(k.ExpiresAt))
	return err
}

// LiveAPIToken returns the token with this hash, of whichever company, if it can
// be used at now and its owner is not disabled; ErrNotFound otherwise.
func (t *Tx) LiveAPIToken(hash []byte, now time.Time) (k APIToken, err error) {
	err = t.one(apiTokenColumns+` k WHERE k.hash = $1 AND k.revoked_at = 0 AND (k.expires_at = 0 OR k.expires_at > $2)
		AND (k.owner = '' OR EXISTS (SELECT 1 FROM users u WHERE u.company = k.company AND u.id = k.owner AND u.disabled_at = 0))`,
		[]any{hash, ns(now)}, k.into()...)
	return k, err
}

// APITokens lists a company's tokens, revoked and expired ones too, newest first:
// at most max, and only those made before a time; zero: from the newest.
func (t *Tx) APITokens(company string, before time.Time, max int) (list []APIToken, err error) {
	where, args := ` WHERE company = $1`, []any{company, int64(max)}
	if !before.IsZero() {
		where, args = where+` AND created_at < $3`, append(args, ns(before))
	}
	err = t.each(apiTokenColumns+where+` ORDER BY created_at DESC, id DESC LIMIT $2`, args, func(scan func(...any) error) error {
		var k APIToken
		err := scan(k.into()...)
		list = append(list, k)
		return err
	})
	return list, err
}

// RevokeAPIToken ends a token, and returns it as it was; ErrNotFound where there
// is none that still stands.
func (t *Tx) RevokeAPIToken(company, id string, at time.Time) (k APIToken, err error) {
	if err = t.one(apiTokenColumns+` WHERE company = $1 AND id = $2 AND revoked_at = 0`, []any{company, id}, k.into()...); err != nil {
		return k, err
	}
	n, err := t.exec(`UPDATE api_tokens SET revoked_at = $3 WHERE company = $1 AND id = $2 AND revoked_at = 0`, company, id, ns(at))
	return k, found(n, err)
}

// TouchAPIToken notes a use.
func (t *Tx) TouchAPIToken(company, id string, at time.Time) error {
	_, err := t.exec(`UPDATE api_tokens SET used_at = $3 WHERE company = $1 AND id = $2 AND used_at < $3`, company, id, ns(at))
	return err
}
