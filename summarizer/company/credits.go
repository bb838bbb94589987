package company

import (
	"context"
	"errors"
	"fmt"
	"time"

	"aval/summarizer/credit"
	"aval/summarizer/store"
)

// ErrNoOrder: the order is unknown or has been cancelled before.
var ErrNoOrder = errors.New("there is no such order, or it was cancelled before")

// Credits is the company's account. What is due by now (a month's lot, an order's
// renewal) is granted first.
func (s *Service) Credits(ctx context.Context) (a credit.Account, err error) {
	look := func(tx *store.Tx) (due bool, err error) {
		c, err := tx.Company(s.id)
		if err != nil {
			return false, err
		}
		if a, err = credit.Look(tx, c, s.now()); err != nil {
			return false, err
		}
		return credit.Due(tx, c, s.now())
	}
	due := false
	err = s.db.View(ctx, func(tx *store.Tx) (err error) { due, err = look(tx); return err })
	if err != nil {
		return a, fmt.Errorf("read credits: %w", err)
	}
	if due {
		err = s.onAccount(ctx, "read credits", func(tx *store.Tx, _ store.Company, _ time.Time) error { _, err := look(tx); return err })
	}
	return a, err
}

// onAccount grants what is due and lets f change the account, in one transaction.
func (s *Service) onAccount(ctx context.Context, what string, f func(*store.Tx, store.Company, time.Time) error) error {
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		c, err := tx.Company(s.id)
		if err != nil {
			return err
		}
		now := s.now()
		if _, err := credit.CatchUp(tx, c, now); err != nil && !errors.Is(err, credit.ErrTier) && !errors.Is(err, credit.ErrZone) {
			return err // an unknown tier or zone can be mended here
		}
		return f(tx, c, now)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// SetLicence changes the tier and the days of the licence, YYYY-MM-DD in the
// company's zone: its first day, and its first renewal; an empty renewal is a
// year after the start. zone is the company's time zone from now on; nil: it
// stays. All is done, or nothing.
func (s *Service) SetLicence(ctx context.Context, tier, starts, renews string, zone *string) error {
	var l credit.Licence
	var err error
	if l.Starts, err = credit.ParseDay(starts); err != nil {
		return fmt.Errorf("set licence: start: %w", err)
	}
	if l.Renews = l.Starts.AddYears(1); renews != "" {
		if l.Renews, err = credit.ParseDay(renews); err != nil {
			return fmt.Errorf("set licence: renewal: %w", err)
		}
	}
	return s.onAccount(ctx, "set licence", func(tx *store.Tx, c store.Company, now time.Time) error {
		if zone != nil {
			if err := credit.SetZone(tx, c, s.actor.String(), *zone, now); err != nil {
				return err
			}
			var err error
			if c, err = tx.Company(s.id); err != nil {
				return err
			}
		}
		return credit.SetLicence(tx, c, s.actor.String(), tier, l, now)
	})
}

// OrderCredits orders a pack: see credit.Order. The same token orders once.
func (s *Service) OrderCredits(ctx context.Context, pack, token string) (o store.CreditOrder, err error) {
	err = s.onAccount(ctx, "order credits", func(tx *store.Tx, c store.Company, now time.Time) (err error) {
		o, err = credit.Order(tx, c, s.actor.String(), pack, token, now)
		return err
	})
	return o, err
}

// CancelOrder ends an order at the next renewal. ErrNoOrder.
func (s *Service) CancelOrder(ctx context.Context, id string) error {
	return s.onAccount(ctx, "cancel order", func(tx *store.Tx, c store.Company, now time.Time) error {
		err := credit.Cancel(tx, c, s.actor.String(), id, now)
		if errors.Is(err, store.ErrNotFound) {
			return ErrNoOrder
		}
		return err
	})
}

// SetCreditWarning changes at how many credits the company is warned.
func (s *Service) SetCreditWarning(ctx context.Context, n int64) error {
	return s.onAccount(ctx, "set credit warning", func(tx *store.Tx, c store.Company, now time.Time) error {
		return credit.SetWarning(tx, c, s.actor.String(), n, now)
	})
}

// SetZone changes the company's time zone, a name of the IANA database.
func (s *Service) SetZone(ctx context.Context, zone string) error {
	return s.onAccount(ctx, "set time zone", func(tx *store.Tx, c store.Company, now time.Time) error {
		return credit.SetZone(tx, c, s.actor.String(), zone, now)
	})
}

// Use is what one session used.
type Use struct {
	Session string    `json:"session"` // TOOL/ID
	Ref     string    `json:"ref"`
	Device  string    `json:"device"`
	Credits int64     `json:"credits"`
	At      time.Time `json:"at"`
}

// CreditUses lists what sessions used, newest first, before the last one seen
// (nil: from the newest), at most max of them.
func (s *Service) CreditUses(ctx context.Context, before *Use, max int) (out []Use, err error) {
	out = []Use{}
	var from store.CreditUse
	if before != nil {
		from = store.CreditUse{Key: store.Key{Device: before.Device, Session: before.Session}, At: before.At}
	}
	err = s.db.View(ctx, func(tx *store.Tx) error {
		list, err := tx.CreditUses(s.id, from, max)
		for _, u := range list {
			out = append(out, Use{u.Session, u.Key.Ref(), u.Device, u.Amount, u.At})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list credit uses: %w", err)
	}
	return out, nil
}
