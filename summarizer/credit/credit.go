// Package credit keeps the ledger of AI credits: the free lot of each month,
// packs that were ordered, and what each session used.
//
// The one rule that must not be broken: a session is charged once, ever, and
// only in the transaction that stores its summary; the sum of what was granted
// equals the sum of what is left plus the sum of what was used.
//
// How many credits a licence brings, and what packs cost, is data, not code:
// rules.json, or the file of an operator's own. The figures of the four
// commercial tiers are those of TeamViewer's article on Session Insights
// (Business 5, Premium 10, Corporate 15, Tensor 50 on the 1st of the month).
// "self-hosted" is our own: whoever runs the server pays for no summary that
// rules wrote, and has 50 a month for those of a model. The packs and prices
// that are compiled in are examples.
package credit

import (
	"errors"
	"fmt"
	"time"

	"aval/summarizer/store"
)

// DefaultTier is what a server's first company gets.
const DefaultTier = "self-hosted"

// DefaultWarn is how many credits are left when a company is warned, unless it
// chose another number.
const DefaultWarn = 2

// Kinds of lot.
const (
	Free  = "free"  // of one calendar month of the company's; what is left then is gone
	AddOn = "addon" // of an order; its full amount until the licence's renewal
)

// actor is who grants what comes by itself.
const actor = "server"

// ZoneOf is the company's time zone. An unknown one is ErrZone, never UTC in
// silence.
func ZoneOf(c store.Company) (*time.Location, error) { return LoadZone(c.Zone) }

// LoadZone finds a time zone by its name in the IANA database; empty is UTC.
func LoadZone(name string) (*time.Location, error) {
	if name == "" || name == "UTC" {
		return time.UTC, nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, fmt.Errorf("%w %q: a name such as America/Sao_Paulo is needed", ErrZone, name)
	}
	return zone, nil
}

// NextMonth is when the company's next free lot comes.
func NextMonth(c store.Company, now time.Time) (time.Time, error) {
	zone, err := ZoneOf(c)
	if err != nil {
		return time.Time{}, err
	}
	_, _, to := month(now, zone)
	return to, nil
}

// due is one lot that ought to be there by now.
type due struct {
	lot    store.CreditLot
	charge *store.CreditCharge // of an order; nil: it is free
}

// missing lists the lots that the company ought to have at now and has not: the
// month's, and one for each order that goes on.
func missing(t *store.Tx, c store.Company, now time.Time) (list []due, err error) {
	rule, err := RuleOf(c.Tier)
	if err != nil {
		return nil, err
	}
	zone, err := ZoneOf(c)
	if err != nil {
		return nil, err
	}
	if rule.Monthly > 0 {
		period, from, to := month(now, zone)
		list = append(list, due{lot: store.CreditLot{Company: c.ID, Kind: Free, Period: period, Granted: rule.Monthly, ValidFrom: from, ExpiresAt: to, CreatedAt: now}})
	}
	orders, err := t.CreditOrders(c.ID)
	if err != nil {
		return nil, err
	}
	if len(orders) > 0 {
		from, to, err := term(t, c, now, zone)
		switch {
		case errors.Is(err, ErrTerm): // the licence begins later: nothing renews
		case err != nil:
			return nil, err
		default:
			for _, o := range orders {
				// Cancelled before this term began: it has had its last lot.
				if o.CancelledAt.IsZero() || o.CancelledAt.After(from.In(zone)) {
					list = append(list, ordered(o, from, to, from, zone, now))
				}
			}
		}
	}
	out := list[:0]
	for _, d := range list {
		has, err := t.HasLot(c.ID, d.lot.Kind, d.lot.Period)
		if err != nil {
			return nil, err
		}
		if !has {
			out = append(out, d)
		}
	}
	return out, nil
}

// Due tells whether CatchUp has something to add. It only reads.
func Due(t *store.Tx, c store.Company, now time.Time) (bool, error) {
	list, err := missing(t, c, now)
	return len(list) > 0, err
}

// CatchUp adds the lots that the company ought to have at now: the free one of
// the month, and for each order the one of the term. It is idempotent: a server
// that was down on the day catches up with its first call, and a month or term
// that has passed altogether brings nothing. The old lots of an order end with
// the instant at which the new ones begin, so one transaction does both. Jobs
// that waited for credits become ready.
func CatchUp(t *store.Tx, c store.Company, now time.Time) (added int, err error) {
	list, err := missing(t, c, now)
	for _, d := range list {
		ok, err := add(t, d, actor)
		if err != nil {
			return added, err
		}
		if ok {
			added++
		}
	}
	return added, err
}

// add grants a lot, once: false where it was granted before.
func add(t *store.Tx, d due, by string) (bool, error) {
	id, err := t.InsertLot(d.lot)
	if errors.Is(err, store.ErrExists) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if d.charge != nil {
		d.charge.Lot = id
		if err := t.InsertCreditCharge(*d.charge); err != nil {
			return false, err
		}
	}
	l := d.lot
	if err := t.AddAudit(store.Audit{Company: l.Company, At: l.CreatedAt, Actor: by, Action: "credits-granted",
		Subject: l.Kind + ":" + l.Period, Detail: fmt.Sprintf("granted=%d expires=%s", l.Granted, l.ExpiresAt.UTC().Format(time.RFC3339))}); err != nil {
		return false, err
	}
	if err := watch(t, l.Company, l.CreatedAt); err != nil {
		return false, err
	}
	_, err = t.ReleaseJobs(l.Company, l.CreatedAt)
	return true, err
}

// Enough tells whether the session can be charged now: it was before, it costs
// nothing, or there is a credit left.
func Enough(t *store.Tx, c store.Company, k store.Key, engine string, now time.Time) (bool, error) {
	r, err := RuleOf(c.Tier)
	if err != nil {
		return false, err
	}
	if r.CostOf(engine) == 0 {
		return true, nil
	}
	if _, err := t.CreditUse(k); !errors.Is(err, store.ErrNotFound) {
		return err == nil, err
	}
	left, err := t.Balance(c.ID, now)
	return left >= r.CostOf(engine), err
}

// Charge books what the session costs. A session that was charged before is not
// charged again, whatever engine wrote then. store.ErrNoCredit: none is left.
// Where few are left now, a warning goes into the audit, once until there are
// more again.
func Charge(t *store.Tx, c store.Company, k store.Key, engine string, now time.Time) (store.CreditUse, error) {
	r, err := RuleOf(c.Tier)
	if err != nil {
		return store.CreditUse{}, err
	}
	cost := r.CostOf(engine)
	use, err := t.UseCredit(k, cost, now)
	if err != nil || cost == 0 {
		return use, err
	}
	return use, watch(t, c.ID, now)
}

// warning is at how many credits a company is warned, and since when it is.
func warning(t *store.Tx, company string) (warn int64, lowAt time.Time, err error) {
	warn, lowAt, err = t.CreditWarning(company)
	if errors.Is(err, store.ErrNotFound) {
		return DefaultWarn, time.Time{}, nil
	}
	return warn, lowAt, err
}

// watch notes when the balance falls to the warning's number, and when it has
// risen above it again.
func watch(t *store.Tx, company string, now time.Time) error {
	warn, lowAt, err := warning(t, company)
	if err != nil {
		return err
	}
	left, err := t.Balance(company, now)
	switch {
	case err != nil:
		return err
	case left <= warn && lowAt.IsZero():
		if err := t.AddAudit(store.Audit{Company: company, At: now, Actor: actor, Action: "credits-low", Subject: company,
			Detail: fmt.Sprintf("left=%d warn=%d", left, warn)}); err != nil {
			return err
		}
		if err := t.TellCreditsLow(company, left, warn, now); err != nil {
			return err
		}
		return t.SetCreditWarning(company, warn, now)
	case left > warn && !lowAt.IsZero():
		return t.SetCreditWarning(company, warn, time.Time{})
	}
	return nil
}
