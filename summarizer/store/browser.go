package store

import "time"

// ConsoleSession is a signed-in browser, known by the SHA-256 of its cookie.
type ConsoleSession struct {
	ID      string // by which it is listed
	Hash    []byte
	Company string
	// Owner is the user whose browser it is; empty: it came by an administrator link.
	Owner      string
	Via        string // link, password or oidc
	Address    string // it signed in from there
	Agent      string // what the browser says that it is
	CreatedAt  time.Time
	LastUsedAt time.Time
	ExpiresAt  time.Time
}

const consoleSessionColumns = `SELECT id, hash, company, owner, via, address, agent, created_at, last_used_at, expires_at FROM console_sessions`

func (c *ConsoleSession) into() []any {
	return []any{&c.ID, &c.Hash, &c.Company, &c.Owner, &c.Via, &c.Address, &c.Agent, stamp{&c.CreatedAt}, stamp{&c.LastUsedAt}, stamp{&c.ExpiresAt}}
}

// InsertConsoleSession adds a signed-in browser.
func (t *Tx) InsertConsoleSession(c ConsoleSession) error {
	_, err := t.exec(`INSERT INTO console_sessions (id, hash, company, owner, via, address, agent, created_at, last_used_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9)`,
		c.ID, c.Hash, c.Company, c.Owner, c.Via, c.Address, c.Agent, ns(c.CreatedAt), ns(c.ExpiresAt))
	return err
}

// ConsoleSession returns an unexpired one, of whichever company, or ErrNotFound.
func (t *Tx) ConsoleSession(hash []byte, at time.Time) (c ConsoleSession, err error) {
	err = t.one(consoleSessionColumns+` WHERE hash = $1 AND expires_at > $2`, []any{hash, ns(at)}, c.into()...)
	return c, err
}

// ConsoleSessions lists a user's unexpired ones, the last used first.
func (t *Tx) ConsoleSessions(company, owner string, at time.Time) (list []ConsoleSession, err error) {
	err = t.each(consoleSessionColumns+` WHERE company = $1 AND owner = $2 AND expires_at > $3 ORDER BY last_used_at DESC, id`,
		[]any{company, owner, ns(at)}, func(scan func(...any) error) error {
			var c ConsoleSession
			err := scan(c.into()...)
			list = append(list, c)
			return err
		})
	return list, err
}

// TouchConsoleSession notes a use and sets a new expiry.
func (t *Tx) TouchConsoleSession(company string, hash []byte, at, expires time.Time) error {
	n, err := t.exec(`UPDATE console_sessions SET last_used_at = $3, expires_at = $4 WHERE company = $1 AND hash = $2`, company, hash, ns(at), ns(expires))
	return found(n, err)
}

// DeleteConsoleSession signs a browser out, and clears away expired ones.
func (t *Tx) DeleteConsoleSession(hash []byte, at time.Time) error {
	_, err := t.exec(`DELETE FROM console_sessions WHERE hash = $1 OR expires_at <= $2`, hash, ns(at))
	return err
}

// EndConsoleSession signs one of a user's browsers out, by its ID; ErrNotFound.
func (t *Tx) EndConsoleSession(company, owner, id string) error {
	n, err := t.exec(`DELETE FROM console_sessions WHERE company = $1 AND owner = $2 AND id = $3`, company, owner, id)
	return found(n, err)
}

// EndConsoleSessions signs all browsers of a user out but the one with this ID,
// and returns how many.
func (t *Tx) EndConsoleSessions(company, owner, but string) (n int64, err error) {
	return t.exec(`DELETE FROM console_sessions WHERE company = $1 AND owner = $2 AND id <> $3`, company, owner, but)
}
