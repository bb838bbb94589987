package store

import "time"

// Opening is a module that somebody opened without a code, and that waits for a
// supporter to take it.
type Opening struct {
	ID           string
	Company      string
	Module       string // id
	ModuleName   string // read with it
	Number       string // six digits, of one that waits in the company
	PublicKey    []byte // Ed25519, of the session that it is to be
	AgentVersion string
	CreatedAt    time.Time
	ExpiresAt    time.Time
	PolledAt     time.Time // when the computer last asked; when it was opened at first
	ClosedAt     time.Time // zero: it waits
	Code         string    // id of the session code that it was taken by; empty: it was not
}

const openingColumns = `o.id, o.company, o.module, m.name, o.number, o.public_key, o.agent_version, o.created_at, o.expires_at, o.polled_at, o.closed_at, o.code
	FROM openings o JOIN modules m ON m.company = o.company AND m.id = o.module`

func (o *Opening) into() []any {
	return []any{&o.ID, &o.Company, &o.Module, &o.ModuleName, &o.Number, &o.PublicKey, &o.AgentVersion, stamp{&o.CreatedAt}, stamp{&o.ExpiresAt},
		stamp{&o.PolledAt}, stamp{&o.ClosedAt}, &o.Code}
}

// InsertOpening adds one that waits. ErrExists where one that waits has its number.
func (t *Tx) InsertOpening(o Opening) error {
	n, err := t.exec(`INSERT INTO openings (id, company, module, number, public_key, agent_version, created_at, expires_at, polled_at, closed_at, code)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $7, 0, '') ON CONFLICT DO NOTHING`,
		o.ID, o.Company, o.Module, o.Number, o.PublicKey, o.AgentVersion, ns(o.CreatedAt), ns(o.ExpiresAt))
	if err == nil && n == 0 {
		return ErrExists
	}
	return err
}

// Openings lists those of a company that wait now and whose computer has asked
// since a time, oldest first, at most limit; of one module (by id; empty: of all).
func (t *Tx) Openings(company, module string, now, asked time.Time, limit int) (list []Opening, err error) {
	err = t.each(`SELECT `+openingColumns+` WHERE o.company = $1 AND ($2 = '' OR o.module = $2) AND o.closed_at = 0 AND o.expires_at > $3 AND o.polled_at >= $4
		ORDER BY o.created_at, o.id LIMIT $5`, []any{company, module, ns(now), ns(asked), limit}, func(scan func(...any) error) error {
		var o Opening
		if err := scan(o.into()...); err != nil {
			return err
		}
		list = append(list, o)
		return nil
	})
	return list, err
}

// Opening returns one by id, or ErrNotFound.
func (t *Tx) Opening(company, id string) (o Opening, err error) {
	err = t.one(`SELECT `+openingColumns+` WHERE o.company = $1 AND o.id = $2`, []any{company, id}, o.into()...)
	return o, err
}

// PollOpening notes that its computer has asked.
func (t *Tx) PollOpening(company, id string, at time.Time) error {
	n, err := t.exec(`UPDATE openings SET polled_at = $3 WHERE company = $1 AND id = $2`, company, id, ns(at))
	return found(n, err)
}

// CloseOpening ends one that waits: taken by a code, or, with none, for good.
// ErrNotFound where it does not wait any more.
func (t *Tx) CloseOpening(company, id, code string, at time.Time) error {
	n, err := t.exec(`UPDATE openings SET closed_at = $4, code = $3 WHERE company = $1 AND id = $2 AND closed_at = 0 AND expires_at > $4`,
		company, id, code, ns(at))
	return found(n, err)
}

// InsertUsedCode adds a code that nobody has to enter: a supporter has taken what
// waited, and it is used up already.
func (t *Tx) InsertUsedCode(c SessionCode) error {
	_, err := t.exec(`INSERT INTO session_codes (`+codeColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		c.ID, c.Company, c.Hash, c.Supporter, c.LogSessions, c.Module, c.ModuleEnabled, c.CreatedBy, ns(c.CreatedAt), ns(c.ExpiresAt), ns(c.UsedAt), c.Device)
	return err
}

// DropOpenings forgets those of all companies that expired before a time.
func (t *Tx) DropOpenings(before time.Time) error {
	_, err := t.exec(`DELETE FROM openings WHERE expires_at < $1`, ns(before))
	return err
}
