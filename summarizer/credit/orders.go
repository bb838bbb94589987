package credit

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"aval/summarizer/store"
)

// licence reads the company's licence; ErrTerm where it has none.
func licence(t *store.Tx, company string) (l Licence, err error) {
	raw, err := t.Licence(company)
	if errors.Is(err, store.ErrNotFound) {
		return l, fmt.Errorf("%w: its start and renewal are not known yet", ErrTerm)
	}
	if err != nil {
		return l, err
	}
	if l.Starts, err = ParseDay(raw.Starts); err != nil {
		return l, err
	}
	l.Renews, err = ParseDay(raw.Renews)
	return l, err
}

// term is the company's term at now; ErrTerm where there is none.
func term(t *store.Tx, c store.Company, now time.Time, zone *time.Location) (from, to Day, err error) {
	l, err := licence(t, c.ID)
	if err != nil {
		return from, to, err
	}
	from, to, ok := l.Term(DayOf(now, zone))
	if !ok {
		return from, to, fmt.Errorf("%w: it starts on %s", ErrTerm, l.Starts)
	}
	return from, to, nil
}

// ordered is the lot of an order for the term from…to, and what it costs where
// it begins on the day begins.
func ordered(o store.CreditOrder, from, to, begins Day, zone *time.Location, now time.Time) due {
	valid := from.In(zone)
	if begins != from {
		valid = now
	}
	days, of := begins.Until(to), from.Until(to)
	return due{
		lot: store.CreditLot{Company: o.Company, Kind: AddOn, Period: o.ID + "/" + from.String(), Granted: o.Credits,
			ValidFrom: valid, ExpiresAt: to.In(zone), CreatedAt: now},
		charge: &store.CreditCharge{Company: o.Company, Order: o.ID, Starts: from.String(), Ends: to.String(), Days: days, OfDays: of,
			Amount: share(o.Price, days, of), Currency: o.Currency, At: now},
	}
}

// maxToken is the longest token of an order, in bytes.
const maxToken = 100

// Order places an order: the pack's full amount at once, valid until the
// licence's renewal, for price × days left ÷ days of the term, today included;
// then the full amount for the full price at each renewal, until it is
// cancelled. The same token orders once: the second call returns the first
// one's order. ErrPack, ErrTerm.
func Order(t *store.Tx, c store.Company, by, pack, token string, now time.Time) (store.CreditOrder, error) {
	var none store.CreditOrder
	if token == "" || len(token) > maxToken {
		return none, fmt.Errorf("order credits: %w: a token of 1 to %d characters is needed", ErrInput, maxToken)
	}
	o, err := t.CreditOrderByToken(c.ID, token)
	if !errors.Is(err, store.ErrNotFound) {
		return o, err
	}
	p, err := PackOf(pack)
	if err != nil {
		return none, fmt.Errorf("order credits: %w", err)
	}
	zone, err := ZoneOf(c)
	if err != nil {
		return none, err
	}
	from, to, err := term(t, c, now, zone)
	if err != nil {
		return none, fmt.Errorf("order credits: %w", err)
	}
	o = store.CreditOrder{ID: store.NewID(now), Company: c.ID, Token: token, Pack: p.Name, Credits: p.Credits,
		Price: p.Price, Currency: p.Currency, PlacedBy: by, PlacedAt: now}
	if err := t.InsertCreditOrder(o); err != nil {
		return none, err // also ErrExists: another transaction had the token first
	}
	d := ordered(o, from, to, DayOf(now, zone), zone, now)
	if err := t.AddAudit(store.Audit{Company: c.ID, At: now, Actor: by, Action: "credits-ordered", Subject: o.ID,
		Detail: fmt.Sprintf("pack=%s credits=%d amount=%s days=%d/%d", p.Name, p.Credits, Money(d.charge.Amount, p.Currency), d.charge.Days, d.charge.OfDays)}); err != nil {
		return none, err
	}
	_, err = add(t, d, by)
	return o, err
}

// Cancel ends an order: what was granted stays until the renewal, and nothing
// follows. store.ErrNotFound where it has ended or is another company's.
func Cancel(t *store.Tx, c store.Company, by, order string, now time.Time) error {
	if err := t.CancelCreditOrder(c.ID, order, now); err != nil {
		return err
	}
	return t.AddAudit(store.Audit{Company: c.ID, At: now, Actor: by, Action: "credits-order-cancelled", Subject: order})
}

// SetLicence changes the company's tier and the days of its licence. What is
// left of ordered lots moves to the new renewal; what was granted stays. A
// higher tier counts from the next month on.
func SetLicence(t *store.Tx, c store.Company, by, tier string, l Licence, now time.Time) error {
	tier = strings.ToLower(tier)
	if _, err := RuleOf(tier); err != nil {
		return err
	}
	if err := l.valid(); err != nil {
		return err
	}
	if _, err := CatchUp(t, c, now); err != nil { // by the old days, as far as they go
		return err
	}
	zone, err := ZoneOf(c)
	if err != nil {
		return err
	}
	if _, _, ok := l.Term(DayOf(now, zone)); !ok {
		orders, err := t.CreditOrders(c.ID)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(orders, func(o store.CreditOrder) bool { return o.CancelledAt.IsZero() }) {
			return fmt.Errorf("%w: it starts on %s, and orders are running now: cancel them first", ErrInput, l.Starts)
		}
	}
	before := c.Tier
	if old, err := licence(t, c.ID); err == nil {
		before += " " + old.Starts.String() + " " + old.Renews.String()
	}
	if err := t.SetLicence(store.Licence{Company: c.ID, Starts: l.Starts.String(), Renews: l.Renews.String(), UpdatedAt: now}); err != nil {
		return err
	}
	if c.Tier != tier {
		c.Tier = tier
		if err := t.UpdateCompany(c); err != nil {
			return err
		}
	}
	if err := t.AddAudit(store.Audit{Company: c.ID, At: now, Actor: by, Action: "licence-changed", Subject: c.ID,
		Before: before, After: tier + " " + l.Starts.String() + " " + l.Renews.String()}); err != nil {
		return err
	}
	return move(t, c, now)
}

// SetZone changes the company's time zone. The running month's lot, and what is
// left of ordered ones, end at the new zone's midnight.
func SetZone(t *store.Tx, c store.Company, by, zone string, now time.Time) error {
	if _, err := LoadZone(zone); err != nil {
		return err
	}
	if zone == "" {
		zone = "UTC"
	}
	if zone == c.Zone {
		return nil
	}
	if _, err := CatchUp(t, c, now); err != nil && !errors.Is(err, ErrZone) {
		return err
	}
	if err := t.AddAudit(store.Audit{Company: c.ID, At: now, Actor: by, Action: "zone-changed", Subject: c.ID,
		Before: c.Zone, After: zone}); err != nil {
		return err
	}
	c.Zone = zone
	if err := t.SetZone(c.ID, zone); err != nil {
		return err
	}
	return move(t, c, now)
}

// move gives the lots that are valid at now the ends that the company's zone and
// licence say, and adds what is then missing.
func move(t *store.Tx, c store.Company, now time.Time) error {
	zone, err := ZoneOf(c)
	if err != nil {
		return err
	}
	from, to, errTerm := term(t, c, now, zone)
	if errTerm != nil && !errors.Is(errTerm, ErrTerm) {
		return errTerm
	}
	lots, err := t.Lots(c.ID, now)
	if err != nil {
		return err
	}
	for _, l := range lots {
		switch l.Kind {
		case Free:
			first, err := ParseDay(l.Period + "-01")
			if err != nil {
				return err
			}
			_, _, end := month(first.In(zone), zone)
			if err := t.MoveLot(c.ID, l.ID, l.Period, end); err != nil {
				return err
			}
		case AddOn:
			if errTerm != nil {
				continue // it keeps the end that it was bought for
			}
			order, _, _ := strings.Cut(l.Period, "/")
			switch err := t.MoveLot(c.ID, l.ID, order+"/"+from.String(), to.In(zone)); {
			case errors.Is(err, store.ErrExists): // the term's own lot is there too
			case err != nil:
				return err
			}
		}
	}
	if _, err := CatchUp(t, c, now); err != nil {
		return err
	}
	return watch(t, c.ID, now)
}

// SetWarning changes at how many credits the company is warned; 0: only when
// none is left.
func SetWarning(t *store.Tx, c store.Company, by string, warn int64, now time.Time) error {
	if warn < 0 || warn > maxCredits {
		return fmt.Errorf("%w: a number from 0 to %d is needed", ErrInput, maxCredits)
	}
	old, lowAt, err := warning(t, c.ID)
	if err != nil || old == warn {
		return err
	}
	if err := t.SetCreditWarning(c.ID, warn, lowAt); err != nil {
		return err
	}
	if err := t.AddAudit(store.Audit{Company: c.ID, At: now, Actor: by, Action: "credit-warning-changed", Subject: c.ID,
		Before: strconv.FormatInt(old, 10), After: strconv.FormatInt(warn, 10)}); err != nil {
		return err
	}
	return watch(t, c.ID, now)
}

// Account is all that people are shown of a company's credits.
type Account struct {
	Tier    string `json:"tier"`
	Monthly int64  `json:"monthly"`
	Zone    string `json:"zone"`
	Left    int64  `json:"left"`
	// Warn is the number at which a warning is due; Low tells whether it is.
	Warn int64 `json:"warn_at"`
	Low  bool  `json:"low"`
	// Waiting is how many sessions wait for a credit.
	Waiting int64     `json:"waiting"`
	Next    time.Time `json:"next_month"`
	// Starts and Renews are the running term's days; empty: no term is running.
	Starts  string   `json:"term_starts,omitempty"`
	Renews  string   `json:"term_renews,omitempty"`
	Licence *Dates   `json:"licence,omitempty"`
	Lots    []Lot    `json:"lots"`
	Orders  []Placed `json:"orders"`
	Offers  []Offer  `json:"offers"`
}

// Dates are the days of a licence as they were entered.
type Dates struct {
	Starts string `json:"starts"`
	Renews string `json:"renews"`
}

// Lot is a lot that is valid now, soonest expiry first.
type Lot struct {
	Kind    string    `json:"kind"`
	Period  string    `json:"period"` // YYYY-MM of a month, or the pack's name
	Granted int64     `json:"granted"`
	Left    int64     `json:"left"`
	From    time.Time `json:"valid_from"`
	Expires time.Time `json:"expires_at,omitzero"`
}

// Placed is an order with what it has cost so far, newest charge first.
type Placed struct {
	ID          string    `json:"id"`
	Pack        string    `json:"pack"`
	Credits     int64     `json:"credits"`
	Price       int64     `json:"price_hundredths"`
	Currency    string    `json:"currency"`
	PlacedBy    string    `json:"placed_by"`
	PlacedAt    time.Time `json:"placed_at"`
	CancelledAt time.Time `json:"cancelled_at,omitzero"`
	Charges     []Paid    `json:"charges"`
}

// Paid is what one term of an order cost.
type Paid struct {
	Starts string    `json:"starts"`
	Ends   string    `json:"ends"`
	Days   int64     `json:"days"`
	OfDays int64     `json:"of_days"`
	Amount int64     `json:"amount_hundredths"`
	At     time.Time `json:"at"`
}

// Offer is a pack and what it would cost today; Now is 0 and Days is 0 where no
// term is running.
type Offer struct {
	Pack
	Now    int64 `json:"now_hundredths"`
	Days   int64 `json:"days"`
	OfDays int64 `json:"of_days"`
}

// Look reads the company's account as it is at now.
func Look(t *store.Tx, c store.Company, now time.Time) (a Account, err error) {
	rule, err := RuleOf(c.Tier)
	if err != nil {
		return a, err
	}
	zone, err := ZoneOf(c)
	if err != nil {
		return a, err
	}
	a = Account{Tier: c.Tier, Monthly: rule.Monthly, Zone: cmp.Or(c.Zone, "UTC"), Lots: []Lot{}, Orders: []Placed{}, Offers: []Offer{}}
	if a.Left, err = t.Balance(c.ID, now); err != nil {
		return a, err
	}
	var lowAt time.Time
	if a.Warn, lowAt, err = warning(t, c.ID); err != nil {
		return a, err
	}
	a.Low = !lowAt.IsZero() && a.Left <= a.Warn
	if a.Waiting, err = t.JobsWaiting(c.ID); err != nil {
		return a, err
	}
	_, _, next := month(now, zone)
	a.Next = next.UTC()
	if l, err := licence(t, c.ID); err == nil {
		a.Licence = &Dates{l.Starts.String(), l.Renews.String()}
	} else if !errors.Is(err, ErrTerm) {
		return a, err
	}
	from, to, errTerm := term(t, c, now, zone)
	if errTerm != nil && !errors.Is(errTerm, ErrTerm) {
		return a, errTerm
	}
	if errTerm == nil {
		a.Starts, a.Renews = from.String(), to.String()
	}
	for _, p := range Packs() {
		o := Offer{Pack: p}
		if errTerm == nil {
			o.Days, o.OfDays = DayOf(now, zone).Until(to), from.Until(to)
			o.Now = share(p.Price, o.Days, o.OfDays)
		}
		a.Offers = append(a.Offers, o)
	}
	if err := a.orders(t, c); err != nil {
		return a, err
	}
	return a, a.lots(t, c, now)
}

func (a *Account) orders(t *store.Tx, c store.Company) error {
	orders, err := t.CreditOrders(c.ID)
	if err != nil {
		return err
	}
	charges, err := t.CreditCharges(c.ID)
	if err != nil {
		return err
	}
	for _, o := range slices.Backward(orders) {
		p := Placed{ID: o.ID, Pack: o.Pack, Credits: o.Credits, Price: o.Price, Currency: o.Currency, PlacedBy: o.PlacedBy,
			PlacedAt: o.PlacedAt, CancelledAt: o.CancelledAt, Charges: []Paid{}}
		for _, ch := range charges {
			if ch.Order == o.ID {
				p.Charges = append(p.Charges, Paid{ch.Starts, ch.Ends, ch.Days, ch.OfDays, ch.Amount, ch.At})
			}
		}
		a.Orders = append(a.Orders, p)
	}
	return nil
}

func (a *Account) lots(t *store.Tx, c store.Company, now time.Time) error {
	lots, err := t.Lots(c.ID, now)
	if err != nil {
		return err
	}
	for _, l := range lots {
		out := Lot{Kind: l.Kind, Period: l.Period, Granted: l.Granted, Left: l.Remaining, From: l.ValidFrom, Expires: l.ExpiresAt}
		if order, _, ok := strings.Cut(l.Period, "/"); ok {
			for _, o := range a.Orders {
				if o.ID == order {
					out.Period = o.Pack
				}
			}
		}
		a.Lots = append(a.Lots, out)
	}
	return nil
}

// Money writes an amount of hundredths with its currency, such as 12.50 EUR.
func Money(hundredths int64, currency string) string {
	return fmt.Sprintf("%d.%02d %s", hundredths/100, hundredths%100, currency)
}
