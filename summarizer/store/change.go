package store

import "time"

// Change is one entry of the history of a company's settings.
type Change struct {
	Company string
	Number  int64
	At      time.Time
	Actor   string
	// Kind, Subject, Old and New are owned by summarizer/company; Old and New are JSON.
	Kind    string
	Subject string
	Name    string // of the subject, as it was called then
	Old     string
	New     string
	Undoes  int64 // the number of the change that this one takes back; 0: none
	Undone  int64 // the number of the last one that took this one back; 0: none
}

// AddChange adds the next entry and returns its number.
func (t *Tx) AddChange(c Change) (number int64, err error) {
	if err := t.one(`UPDATE companies SET changes = changes + 1 WHERE id = $1 RETURNING changes`, []any{c.Company}, &number); err != nil {
		return 0, err
	}
	_, err = t.exec(`INSERT INTO changes (company, number, at, actor, kind, subject, name, old_value, new_value, undoes)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, c.Company, number, ns(c.At), c.Actor, c.Kind, c.Subject, c.Name, c.Old, c.New, c.Undoes)
	return number, err
}

const changeColumns = `SELECT c.company, c.number, c.at, c.actor, c.kind, c.subject, c.name, c.old_value, c.new_value, c.undoes,
	COALESCE((SELECT MAX(u.number) FROM changes u WHERE u.company = c.company AND u.undoes = c.number), 0) FROM changes c`

func (c *Change) into() []any {
	return []any{&c.Company, &c.Number, stamp{&c.At}, &c.Actor, &c.Kind, &c.Subject, &c.Name, &c.Old, &c.New, &c.Undoes, &c.Undone}
}

// Change returns one entry, or ErrNotFound.
func (t *Tx) Change(company string, number int64) (c Change, err error) {
	err = t.one(changeColumns+` WHERE c.company = $1 AND c.number = $2`, []any{company, number}, c.into()...)
	return c, err
}

// Changes lists at most limit entries below a number, newest first; 0: from the
// newest on.
func (t *Tx) Changes(company string, before int64, limit int) (list []Change, err error) {
	if before <= 0 {
		before = 1<<63 - 1
	}
	err = t.each(changeColumns+` WHERE c.company = $1 AND c.number < $2 ORDER BY c.number DESC LIMIT $3`, []any{company, before, limit},
		func(scan func(...any) error) error {
			var c Change
			if err := scan(c.into()...); err != nil {
				return err
			}
			list = append(list, c)
			return nil
		})
	return list, err
}
