package company

import (
	"context"
	"errors"
	"fmt"
	"time"

	"aval/summarizer/store"
)

// How long a sign-in lasts: from the last use, and from the first.
const (
	SignInIdle    = 12 * time.Hour
	SignInLongest = 7 * 24 * time.Hour
	// touchSignIn spares a write for each page.
	touchSignIn = 5 * time.Minute
)

// How somebody signed in.
const (
	ViaLink     = "link"
	ViaPassword = "password"
	ViaProvider = "oidc"
)

// ErrSignedOut: nobody is signed in with this secret (any more).
var ErrSignedOut = errors.New("nobody is signed in")

// Browser is where a request came from.
type Browser struct {
	Address string // HOST:PORT of the connection
	Agent   string // what the browser says that it is
	// Before is the secret that the browser brought; it ends with a sign-in.
	Before string
}

// SignedIn is who a browser's secret stands for.
type SignedIn struct {
	ID    string // of the browser's sign-in
	Via   string
	Actor Actor
	// User is who is signed in; empty ID: a browser that came by a link.
	User User
	// Company as it is stored now.
	Company store.Company
	// Glass are uses of an administrator link that this administrator has not
	// seen yet, the newest first.
	Glass []store.BreakGlass
	// SetUp: the first-run wizard was completed.
	SetUp bool
	// Sight is what they may see of the company's sessions; nil: all.
	Sight *store.Sight
}

// SignedIn returns who a browser's secret stands for, and their company as they
// deal with it; ErrSignedOut. Role and disabling are looked up each time, so that
// a change counts at once.
func (h *Host) SignedIn(ctx context.Context, secret string) (*Service, SignedIn, error) {
	if secret == "" {
		return nil, SignedIn{}, ErrSignedOut
	}
	now := h.now()
	var c store.ConsoleSession
	var in SignedIn
	err := h.db.View(ctx, func(tx *store.Tx) (err error) {
		if c, err = tx.ConsoleSession(Hash(secret), now); err != nil {
			return err
		}
		in = SignedIn{ID: c.ID, Via: c.Via, Actor: Link}
		if in.Company, err = tx.Company(c.Company); err != nil {
			return err
		}
		if in.SetUp, err = tx.IsSetUp(c.Company); err != nil || c.Owner == "" {
			return err
		}
		u, err := tx.User(c.Company, c.Owner)
		if err != nil {
			return err
		}
		if !u.DisabledAt.IsZero() {
			return store.ErrNotFound
		}
		in.User = asUser(u)
		in.Actor, in.Sight = in.User.actor(), sightOf(in.Company.Settings, in.User)
		if in.User.Role == Administrator {
			in.Glass, err = tx.UnseenGlass(c.Company, u.ID, 5)
		}
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, SignedIn{}, ErrSignedOut
	}
	if err != nil {
		return nil, SignedIn{}, fmt.Errorf("look up sign-in: %w", err)
	}
	if now.Sub(c.LastUsedAt) >= touchSignIn {
		expires := now.Add(SignInIdle)
		if last := c.CreatedAt.Add(SignInLongest); expires.After(last) {
			expires = last
		}
		err := h.db.Tx(ctx, func(tx *store.Tx) error { return tx.TouchConsoleSession(c.Company, c.Hash, now, expires) })
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, SignedIn{}, fmt.Errorf("note use of sign-in: %w", err)
		}
	}
	s, err := h.Of(ctx, c.Company)
	if err != nil {
		return nil, SignedIn{}, err
	}
	return s.As(in.Actor), in, nil
}

// signIn signs a browser in, in the transaction of whatever proved who it is. The
// secret is always new: what the browser brought is worth nothing, and ends.
func (s *Service) signIn(tx *store.Tx, b Browser, owner, via string) (secret string, err error) {
	now := s.now()
	secret = newSecret("")
	if b.Before != "" {
		if err := tx.DeleteConsoleSession(Hash(b.Before), now); err != nil {
			return "", err
		}
	}
	if owner != "" {
		if err := tx.SignedIn(s.id, owner, now); err != nil {
			return "", err
		}
	}
	c := store.ConsoleSession{ID: store.NewID(now), Hash: Hash(secret), Company: s.id, Owner: owner, Via: via,
		Address: tryAddress(b.Address), Agent: cleanName(b.Agent), CreatedAt: now, ExpiresAt: now.Add(SignInIdle)}
	return secret, tx.InsertConsoleSession(c)
}

// SignOut ends the sign-in of a browser's secret. It is idempotent.
func (h *Host) SignOut(ctx context.Context, secret string) error {
	if err := h.db.Tx(ctx, func(tx *store.Tx) error { return tx.DeleteConsoleSession(Hash(secret), h.now()) }); err != nil {
		return fmt.Errorf("sign out: %w", err)
	}
	return nil
}

// OpenBrowser is a signed-in browser as its user sees it.
type OpenBrowser struct {
	ID         string
	Via        string
	Address    string
	Agent      string
	CreatedAt  time.Time
	LastUsedAt time.Time // five minutes behind at most
}

// Browsers lists the signed-in browsers of the person who asks, the last used first.
func (s *Service) Browsers(ctx context.Context) (out []OpenBrowser, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		list, err := tx.ConsoleSessions(s.id, s.actor.ID, s.now())
		for _, c := range list {
			out = append(out, OpenBrowser{c.ID, c.Via, c.Address, c.Agent, c.CreatedAt, c.LastUsedAt})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list browsers: %w", err)
	}
	return out, nil
}

// EndBrowsers signs the browsers of the person who asks out: the one with this
// id; or all but that one, where others is true. It returns how many.
func (s *Service) EndBrowsers(ctx context.Context, id string, others bool) (n int64, err error) {
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		if others {
			n, err = tx.EndConsoleSessions(s.id, s.actor.ID, id)
		} else if err = tx.EndConsoleSession(s.id, s.actor.ID, id); err == nil {
			n = 1
		} else if errors.Is(err, store.ErrNotFound) {
			err = nil
		}
		if err != nil || n == 0 {
			return err
		}
		return s.audit(tx, "browsers-signed-out", s.actor.ID, fmt.Sprint(n))
	})
	if err != nil {
		return 0, fmt.Errorf("sign browsers out: %w", err)
	}
	return n, nil
}
