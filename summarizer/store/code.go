package store

import (
	"errors"
	"time"
)

// SessionCode asks for one session of one supporter; it is known by a keyed hash.
type SessionCode struct {
	ID            string
	Company       string
	Hash          []byte
	Supporter     string
	LogSessions   bool
	Module        string // empty: none
	ModuleEnabled bool
	CreatedBy     string
	CreatedAt     time.Time
	ExpiresAt     time.Time
	UsedAt        time.Time
	Device        string // whose key it certified; empty: not used
}

const codeColumns = `id, company, hash, supporter, log_sessions, module, module_enabled, created_by, created_at, expires_at, used_at, device`

func (c *SessionCode) into() []any {
	return []any{&c.ID, &c.Company, &c.Hash, &c.Supporter, &c.LogSessions, &c.Module, &c.ModuleEnabled, &c.CreatedBy,
		stamp{&c.CreatedAt}, stamp{&c.ExpiresAt}, stamp{&c.UsedAt}, &c.Device}
}

// InsertCode adds a code that nobody has used. ErrExists where the same code is
// known already.
func (t *Tx) InsertCode(c SessionCode) error {
	n, err := t.exec(`INSERT INTO session_codes (`+codeColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, '')
		ON CONFLICT (hash) DO NOTHING`, c.ID, c.Company, c.Hash, c.Supporter, c.LogSessions, c.Module, c.ModuleEnabled, c.CreatedBy,
		ns(c.CreatedAt), ns(c.ExpiresAt))
	if err == nil && n == 0 {
		return ErrExists
	}
	return err
}

// UseCode uses up an unused, unexpired code for a device and returns it, or
// ErrNotFound. Entered in a module (by id; empty: none) it is for that module,
// with the module's own switch. Call it in the transaction that creates the device.
func (t *Tx) UseCode(company string, hash []byte, device, module string, at time.Time) (c SessionCode, err error) {
	err = t.one(`UPDATE session_codes SET used_at = $4, device = $3,
			module = COALESCE((SELECT m.name FROM modules m WHERE m.company = $1 AND m.id = $5), module),
			module_enabled = COALESCE((SELECT m.enabled FROM modules m WHERE m.company = $1 AND m.id = $5), module_enabled)
		WHERE company = $1 AND hash = $2 AND used_at = 0 AND expires_at > $4 RETURNING `+codeColumns, []any{company, hash, device, ns(at), module}, c.into()...)
	return c, err
}

// Code returns the code with this hash, used or not, or ErrNotFound.
func (t *Tx) Code(company string, hash []byte) (c SessionCode, err error) {
	err = t.one(`SELECT `+codeColumns+` FROM session_codes WHERE company = $1 AND hash = $2`, []any{company, hash}, c.into()...)
	return c, err
}

// CodeBy returns the code with this id, or ErrNotFound.
func (t *Tx) CodeBy(company, id string) (c SessionCode, err error) {
	err = t.one(`SELECT `+codeColumns+` FROM session_codes WHERE company = $1 AND id = $2`, []any{company, id}, c.into()...)
	return c, err
}

// CodeOf returns the code that certified a device's key; ErrNotFound for an
// enrolled computer.
func (t *Tx) CodeOf(company, device string) (c SessionCode, err error) {
	err = t.one(`SELECT `+codeColumns+` FROM session_codes WHERE company = $1 AND device = $2 AND used_at > 0`, []any{company, device}, c.into()...)
	return c, err
}

// DropCodes forgets codes that expired unused before a time.
func (t *Tx) DropCodes(company string, before time.Time) error {
	_, err := t.exec(`DELETE FROM session_codes WHERE company = $1 AND used_at = 0 AND expires_at < $2`, company, ns(before))
	return err
}

// CodeTry counts a try of an address in one step, so that tries at the same time
// on several servers each get a number of their own, and returns the number. A
// series that began before since is over, and a new one begins.
func (t *Tx) CodeTry(address []byte, since, now time.Time) (n int64, err error) {
	err = t.one(`INSERT INTO code_tries (address, since, n) VALUES ($1, $3, 1)
		ON CONFLICT (address) DO UPDATE SET
			n = CASE WHEN code_tries.since < $2 THEN 1 ELSE code_tries.n + 1 END,
			since = CASE WHEN code_tries.since < $2 THEN $3 ELSE code_tries.since END
		RETURNING n`, []any{address, ns(since), ns(now)}, &n)
	return n, err
}

// CodeTryBack takes a try back that was none: the code was right.
func (t *Tx) CodeTryBack(address []byte) error {
	_, err := t.exec(`UPDATE code_tries SET n = n - 1 WHERE address = $1 AND n > 0`, address)
	return err
}

// DropTries forgets series that began before a time.
func (t *Tx) DropTries(before time.Time) error {
	_, err := t.exec(`DELETE FROM code_tries WHERE since < $1`, ns(before))
	return err
}

// SessionOf is the one session that a device has a stream of, where its key is
// one session's; empty: it has none yet.
func (t *Tx) SessionOf(company, device string) (session string, err error) {
	err = t.one(`SELECT session FROM streams WHERE company = $1 AND device = $2 LIMIT 1`, []any{company, device}, &session)
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return session, err
}
