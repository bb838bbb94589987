package store

import "time"

// Module is a company's own way to have Aval run where it is not installed.
type Module struct {
	ID      string
	Company string
	Name    string // unique in the company
	// Enabled is the module's own switch for summaries.
	Enabled   bool
	CreatedAt time.Time
	ExpiresAt time.Time
	RevokedAt time.Time // zero: not revoked
}

const moduleColumns = `id, company, name, enabled, created_at, expires_at, revoked_at`

func (m *Module) into() []any {
	return []any{&m.ID, &m.Company, &m.Name, &m.Enabled, stamp{&m.CreatedAt}, stamp{&m.ExpiresAt}, stamp{&m.RevokedAt}}
}

// InsertModule adds a module; ErrExists where one has its name.
func (t *Tx) InsertModule(m Module) error {
	n, err := t.exec(`INSERT INTO modules (`+moduleColumns+`) VALUES ($1, $2, $3, $4, $5, $6, 0) ON CONFLICT DO NOTHING`,
		m.ID, m.Company, m.Name, m.Enabled, ns(m.CreatedAt), ns(m.ExpiresAt))
	if err == nil && n == 0 {
		return ErrExists
	}
	return err
}

// Module returns a module by id, standing or not, or ErrNotFound.
func (t *Tx) Module(company, id string) (m Module, err error) {
	err = t.one(`SELECT `+moduleColumns+` FROM modules WHERE company = $1 AND id = $2`, []any{company, id}, m.into()...)
	return m, err
}

// Modules lists a company's modules, oldest first.
func (t *Tx) Modules(company string) (list []Module, err error) {
	err = t.each(`SELECT `+moduleColumns+` FROM modules WHERE company = $1 ORDER BY created_at, id`, []any{company}, func(scan func(...any) error) error {
		var m Module
		if err := scan(m.into()...); err != nil {
			return err
		}
		list = append(list, m)
		return nil
	})
	return list, err
}

// SwitchModule sets a module's switch for summaries, of one that is not revoked.
func (t *Tx) SwitchModule(company, id string, on bool) error {
	n, err := t.exec(`UPDATE modules SET enabled = $3 WHERE company = $1 AND id = $2 AND revoked_at = 0`, company, id, on)
	return found(n, err)
}

// RevokeModule ends a module for good. It is idempotent.
func (t *Tx) RevokeModule(company, id string, at time.Time) error {
	n, err := t.exec(`UPDATE modules SET revoked_at = CASE WHEN revoked_at = 0 THEN $3 ELSE revoked_at END
		WHERE company = $1 AND id = $2`, company, id, ns(at))
	return found(n, err)
}
