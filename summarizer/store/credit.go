package store

import (
	"errors"
	"time"
)

// CreditLot is a number of credits with a life time.
type CreditLot struct {
	ID        string
	Company   string
	Kind      string // free or addon
	Period    string // 2026-11 for free ones, the order's number for add-ons; unique for company and kind
	Granted   int64
	Remaining int64
	ValidFrom time.Time
	ExpiresAt time.Time // zero: never
	CreatedAt time.Time
}

// InsertLot adds a lot once and returns its id: ErrExists where one of the same
// company, kind and period is there already.
func (t *Tx) InsertLot(l CreditLot) (id string, err error) {
	id = NewID(l.CreatedAt)
	n, err := t.exec(`INSERT INTO credit_lots (id, company, kind, period, granted, remaining, valid_from, expires_at, created_at)
		VALUES ($1, $2, $3, $4, $5, $5, $6, $7, $8) ON CONFLICT (company, kind, period) DO NOTHING`,
		id, l.Company, l.Kind, l.Period, l.Granted, ns(l.ValidFrom), ns(l.ExpiresAt), ns(l.CreatedAt))
	if err == nil && n == 0 {
		return "", ErrExists
	}
	return id, err
}

// HasLot tells whether a lot of this kind and period was ever granted.
func (t *Tx) HasLot(company, kind, period string) (bool, error) {
	var n int64
	err := t.one(`SELECT COUNT(*) FROM credit_lots WHERE company = $1 AND kind = $2 AND period = $3`, []any{company, kind, period}, &n)
	return n > 0, err
}

// MoveLot gives a lot another period and end: what was granted, and what is left
// of it, stays as it is. ErrExists where a lot has that period already.
func (t *Tx) MoveLot(company, id, period string, expires time.Time) error {
	var n int64
	if err := t.one(`SELECT COUNT(*) FROM credit_lots l JOIN credit_lots o ON o.company = l.company AND o.kind = l.kind
		WHERE l.company = $1 AND l.id = $2 AND o.id <> l.id AND o.period = $3`, []any{company, id, period}, &n); err != nil {
		return err
	}
	if n > 0 {
		return ErrExists
	}
	n, err := t.exec(`UPDATE credit_lots SET period = $3, expires_at = $4 WHERE company = $1 AND id = $2`, company, id, period, ns(expires))
	return found(n, err)
}

const lotColumns = `SELECT id, company, kind, period, granted, remaining, valid_from, expires_at, created_at FROM credit_lots WHERE company = $1`

func (t *Tx) lots(more string, args ...any) (list []CreditLot, err error) {
	err = t.each(lotColumns+more, args, func(scan func(...any) error) error {
		var l CreditLot
		if err := scan(&l.ID, &l.Company, &l.Kind, &l.Period, &l.Granted, &l.Remaining,
			stamp{&l.ValidFrom}, stamp{&l.ExpiresAt}, stamp{&l.CreatedAt}); err != nil {
			return err
		}
		list = append(list, l)
		return nil
	})
	return list, err
}

const lotValid = ` valid_from <= $2 AND (expires_at = 0 OR expires_at > $2)`

// Lots lists the lots of a company that are valid at now, soonest expiry first.
func (t *Tx) Lots(company string, now time.Time) ([]CreditLot, error) {
	return t.lots(` AND`+lotValid+` ORDER BY CASE WHEN expires_at = 0 THEN 1 ELSE 0 END, expires_at, id`, company, ns(now))
}

// LotsSince lists the lots of a company that were valid at some time from since
// on, in the order in which they began.
func (t *Tx) LotsSince(company string, since time.Time) ([]CreditLot, error) {
	return t.lots(` AND (expires_at = 0 OR expires_at > $2) ORDER BY valid_from, id`, company, ns(since))
}

// Balance is what a company may still use at now.
func (t *Tx) Balance(company string, now time.Time) (n int64, err error) {
	err = t.one(`SELECT COALESCE(SUM(remaining), 0) FROM credit_lots WHERE company = $1 AND`+lotValid, []any{company, ns(now)}, &n)
	return n, err
}

// CreditUse is what one session cost.
type CreditUse struct {
	Key
	Lot    string // empty: free by the rule
	Amount int64
	At     time.Time
}

// UseCredit charges a session amount credits (0 or 1) from the lot that expires
// soonest, once: a session that was charged before is not charged again, whatever
// the amount. ErrNoCredit where no lot has enough.
func (t *Tx) UseCredit(k Key, amount int64, now time.Time) (CreditUse, error) {
	// The row comes first: of two transactions for one session, the second waits
	// here for the first and then finds the session charged.
	n, err := t.exec(`INSERT INTO credit_uses (company, device, session, lot, amount, at) VALUES ($1, $2, $3, '', $4, $5)
		ON CONFLICT (company, device, session) DO NOTHING`, k.Company, k.Device, k.Session, amount, ns(now))
	if err != nil || n == 0 {
		if err == nil {
			return t.CreditUse(k)
		}
		return CreditUse{}, err
	}
	use := CreditUse{Key: k, Amount: amount, At: now}
	if amount == 0 {
		return use, nil
	}
	if use.Lot, err = t.debit(k.Company, amount, now); err != nil {
		if errors.Is(err, ErrNoCredit) { // the caller may go on in this transaction
			if _, err := t.exec(`DELETE FROM credit_uses WHERE company = $1 AND device = $2 AND session = $3`, k.Company, k.Device, k.Session); err != nil {
				return CreditUse{}, err
			}
		}
		return CreditUse{}, err
	}
	_, err = t.exec(`UPDATE credit_uses SET lot = $4 WHERE company = $1 AND device = $2 AND session = $3`, k.Company, k.Device, k.Session, use.Lot)
	return use, err
}

// debit takes amount from the lot that expires soonest. Another transaction may
// empty that lot between the look and the change: then the next lot is tried.
func (t *Tx) debit(company string, amount int64, now time.Time) (lot string, err error) {
	for {
		err = t.one(`UPDATE credit_lots SET remaining = remaining - $3 WHERE company = $1 AND remaining >= $3 AND id = (
			SELECT id FROM credit_lots WHERE company = $1 AND remaining >= $3 AND`+lotValid+`
			ORDER BY CASE WHEN expires_at = 0 THEN 1 ELSE 0 END, expires_at, id LIMIT 1) RETURNING id`,
			[]any{company, ns(now), amount}, &lot)
		if !errors.Is(err, ErrNotFound) {
			return lot, err
		}
		var left int64
		if err := t.one(`SELECT COUNT(*) FROM credit_lots WHERE company = $1 AND remaining >= $3 AND`+lotValid, []any{company, ns(now), amount}, &left); err != nil {
			return "", err
		}
		if left == 0 {
			return "", ErrNoCredit
		}
	}
}

// CreditUse returns what a session was charged, or ErrNotFound.
func (t *Tx) CreditUse(k Key) (u CreditUse, err error) {
	u.Key = k
	err = t.one(`SELECT lot, amount, at FROM credit_uses WHERE company = $1 AND device = $2 AND session = $3`,
		[]any{k.Company, k.Device, k.Session}, &u.Lot, &u.Amount, stamp{&u.At})
	return u, err
}

// CreditUses lists what a company's sessions used, newest first, before the
// place of the last one seen (zero: from the newest), at most max of them. Those
// that were free by the rule are no uses.
func (t *Tx) CreditUses(company string, before CreditUse, max int) (list []CreditUse, err error) {
	where, args := "", []any{company, int64(max)}
	if !before.At.IsZero() {
		where = ` AND (at < $3 OR (at = $3 AND (device < $4 OR (device = $4 AND session < $5))))`
		args = append(args, ns(before.At), before.Device, before.Session)
	}
	err = t.each(`SELECT company, device, session, lot, amount, at FROM credit_uses WHERE company = $1 AND amount > 0`+where+`
		ORDER BY at DESC, device DESC, session DESC LIMIT $2`, args, func(scan func(...any) error) error {
		var u CreditUse
		if err := scan(&u.Company, &u.Device, &u.Session, &u.Lot, &u.Amount, stamp{&u.At}); err != nil {
			return err
		}
		list = append(list, u)
		return nil
	})
	return list, err
}

// Licence is the days of a company's licence, YYYY-MM-DD in its zone.
type Licence struct {
	Company, Starts, Renews string
	UpdatedAt               time.Time
}

// Licence returns a company's licence, or ErrNotFound.
func (t *Tx) Licence(company string) (l Licence, err error) {
	err = t.one(`SELECT company, starts, renews, updated_at FROM licences WHERE company = $1`, []any{company},
		&l.Company, &l.Starts, &l.Renews, stamp{&l.UpdatedAt})
	return l, err
}

// SetLicence adds or replaces a company's licence.
func (t *Tx) SetLicence(l Licence) error {
	_, err := t.exec(`INSERT INTO licences (company, starts, renews, updated_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (company) DO UPDATE SET starts = excluded.starts, renews = excluded.renews, updated_at = excluded.updated_at`,
		l.Company, l.Starts, l.Renews, ns(l.UpdatedAt))
	return err
}

// CreditOrder is an order of a pack of credits.
type CreditOrder struct {
	ID, Company string
	Token       string // the caller's own
	Pack        string
	Credits     int64 // of each term
	Price       int64 // of a whole term, in hundredths of Currency
	Currency    string
	PlacedBy    string
	PlacedAt    time.Time
	CancelledAt time.Time // zero: it goes on
}

const orderColumns = `SELECT id, company, token, pack, credits, price, currency, placed_by, placed_at, cancelled_at FROM credit_orders WHERE company = $1`

func (o *CreditOrder) into() []any {
	return []any{&o.ID, &o.Company, &o.Token, &o.Pack, &o.Credits, &o.Price, &o.Currency, &o.PlacedBy, stamp{&o.PlacedAt}, stamp{&o.CancelledAt}}
}

// InsertCreditOrder adds an order once: ErrExists where the token was used.
func (t *Tx) InsertCreditOrder(o CreditOrder) error {
	n, err := t.exec(`INSERT INTO credit_orders (id, company, token, pack, credits, price, currency, placed_by, placed_at, cancelled_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0) ON CONFLICT (company, token) DO NOTHING`,
		o.ID, o.Company, o.Token, o.Pack, o.Credits, o.Price, o.Currency, o.PlacedBy, ns(o.PlacedAt))
	if err == nil && n == 0 {
		return ErrExists
	}
	return err
}

// CreditOrderByToken returns the order that a token placed, or ErrNotFound.
func (t *Tx) CreditOrderByToken(company, token string) (o CreditOrder, err error) {
	err = t.one(orderColumns+` AND token = $2`, []any{company, token}, o.into()...)
	return o, err
}

// CreditOrders lists a company's orders, oldest first.
func (t *Tx) CreditOrders(company string) (list []CreditOrder, err error) {
	err = t.each(orderColumns+` ORDER BY placed_at, id`, []any{company}, func(scan func(...any) error) error {
		var o CreditOrder
		if err := scan(o.into()...); err != nil {
			return err
		}
		list = append(list, o)
		return nil
	})
	return list, err
}

// CancelCreditOrder ends an order: no lot follows. ErrNotFound where it has ended.
func (t *Tx) CancelCreditOrder(company, id string, now time.Time) error {
	n, err := t.exec(`UPDATE credit_orders SET cancelled_at = $3 WHERE company = $1 AND id = $2 AND cancelled_at = 0`, company, id, ns(now))
	return found(n, err)
}

// CreditCharge is what one lot of an order cost.
type CreditCharge struct {
	Lot, Company, Order string
	Starts, Ends        string // the term's days
	Days, OfDays        int64  // that were left of it when the lot began, and that it has
	Amount              int64  // in hundredths of Currency
	Currency            string
	At                  time.Time
}

// InsertCreditCharge adds the charge of a lot.
func (t *Tx) InsertCreditCharge(c CreditCharge) error {
	_, err := t.exec(`INSERT INTO credit_charges (lot, company, ordered, starts, ends, days, of_days, amount, currency, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		c.Lot, c.Company, c.Order, c.Starts, c.Ends, c.Days, c.OfDays, c.Amount, c.Currency, ns(c.At))
	return err
}

// CreditCharges lists a company's charges, newest first.
func (t *Tx) CreditCharges(company string) (list []CreditCharge, err error) {
	err = t.each(`SELECT lot, company, ordered, starts, ends, days, of_days, amount, currency, at FROM credit_charges
		WHERE company = $1 ORDER BY at DESC, lot DESC`, []any{company}, func(scan func(...any) error) error {
		var c CreditCharge
		if err := scan(&c.Lot, &c.Company, &c.Order, &c.Starts, &c.Ends, &c.Days, &c.OfDays, &c.Amount, &c.Currency, stamp{&c.At}); err != nil {
			return err
		}
		list = append(list, c)
		return nil
	})
	return list, err
}

// CreditWarning is at how many credits a company is warned, and since when it
// has been; ErrNotFound where nothing was ever set.
func (t *Tx) CreditWarning(company string) (warn int64, lowAt time.Time, err error) {
	err = t.one(`SELECT warn, low_at FROM credit_warnings WHERE company = $1`, []any{company}, &warn, stamp{&lowAt})
	return warn, lowAt, err
}

// SetCreditWarning sets both.
func (t *Tx) SetCreditWarning(company string, warn int64, lowAt time.Time) error {
	_, err := t.exec(`INSERT INTO credit_warnings (company, warn, low_at) VALUES ($1, $2, $3)
		ON CONFLICT (company) DO UPDATE SET warn = excluded.warn, low_at = excluded.low_at`, company, warn, ns(lowAt))
	return err
}
