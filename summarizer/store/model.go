package store

import "time"

// Model is how a company's own language model is reached.
type Model struct {
	Config string // JSON owned by summarizer/company
	Secret []byte // sealed; empty: none
	SetAt  time.Time
}

// Model returns a company's own model, or ErrNotFound.
func (t *Tx) Model(company string) (m Model, err error) {
	err = t.one(`SELECT config, secret, set_at FROM company_models WHERE company = $1`, []any{company}, &m.Config, &m.Secret, stamp{&m.SetAt})
	return m, err
}

// SetModel keeps a company's own model.
func (t *Tx) SetModel(company string, m Model) error {
	if m.Secret == nil {
		m.Secret = []byte{}
	}
	_, err := t.exec(`INSERT INTO company_models (company, config, secret, set_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (company) DO UPDATE SET config = $2, secret = $3, set_at = $4`, company, m.Config, m.Secret, ns(m.SetAt))
	return err
}

// DropModel takes a company's own model and its key away.
func (t *Tx) DropModel(company string) error {
	_, err := t.exec(`DELETE FROM company_models WHERE company = $1`, company)
	return err
}
