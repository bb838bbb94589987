package company

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"aval/summarizer/store"
)

// How many passwords that are not right are taken within TryWindow: for one
// person from one address, for anybody from it, and for one person from
// anywhere. The last is high, so that somebody else cannot lock a person out from one place.
const (
	personTries  = 10
	addressTries = 40
	loginTries   = 200
)

// InviteLife is how long an invitation can be used.
const InviteLife = 7 * 24 * time.Hour

// invitePrefix begins the secret of an invitation.
const invitePrefix = "aval_invite_"

// InvitePath is where an invitation leads, with the secret as "token".
const InvitePath = "/invitation"

// minReason is the shortest reason for breaking the glass, in characters.
const minReason = 10

// Errors of signing in that callers tell apart; whoever is at the browser reads a
// sentence of the console's own.
var (
	ErrWrongPassword = errors.New("name or password is not right")
	ErrTooManyTries  = errors.New("too many tries; wait ten minutes")
	ErrBadLink       = errors.New("this link was used, replaced or has expired")
	ErrNeedsReason   = errors.New("an administrator link needs a reason here: administrators can sign in themselves")
	// ErrWhichCompany: the server has several companies, and which one is meant is
	// not known.
	ErrWhichCompany = errors.New("the company is not known here")
)

// Named is the company that somebody who signs in means: by its id or its whole
// name, or the only one; ErrWhichCompany.
func (h *Host) Named(ctx context.Context, name string) (*Service, error) {
	list, err := companies(ctx, h.db)
	if err != nil {
		return nil, err
	}
	var found []store.Company
	for _, c := range list {
		if c.ID == name || name == "" && len(list) == 1 {
			return h.Of(ctx, c.ID)
		}
		if name != "" && store.Fold(c.Name) == store.Fold(name) {
			found = append(found, c)
		}
	}
	if len(found) != 1 {
		return nil, ErrWhichCompany
	}
	return h.Of(ctx, found[0].ID)
}

// Several tells whether the server has more than one company.
func (h *Host) Several(ctx context.Context) (bool, error) {
	list, err := companies(ctx, h.db)
	return len(list) > 1, err
}

// SignIn signs a browser in with a password and returns its secret. Errors are
// ErrWrongPassword, ErrTooManyTries and those of the store. What is wrong,
// a name that is nobody's or the password, is not told, and takes as long.
func (s *Service) SignIn(ctx context.Context, login, password string, b Browser) (secret string, err error) {
	login = strings.ToLower(strings.TrimSpace(login))
	// Counted before the password is looked at: tries at the same time do not
	// overtake their number.
	tries, err := s.tries(ctx, login, b)
	if err != nil {
		return "", err
	}
	var u store.User
	err = s.db.View(ctx, func(tx *store.Tx) (err error) {
		if u, err = tx.UserByLogin(s.id, login); errors.Is(err, store.ErrNotFound) {
			u, err = store.User{}, nil
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("sign in: %w", err)
	}
	right, err := checkPassword(ctx, password, u.Password)
	if err != nil {
		return "", fmt.Errorf("sign in: %w", err)
	}
	if !right || !u.DisabledAt.IsZero() {
		if u.ID != "" {
			err := s.db.Tx(ctx, func(tx *store.Tx) error { return s.audit(tx, "sign-in-refused", u.ID, tryAddress(b.Address)) })
			if err != nil {
				return "", fmt.Errorf("sign in: %w", err)
			}
		}
		return "", ErrWrongPassword
	}
	as := s.As(asUser(u).actor())
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		// Looked up again: it may have been changed meanwhile.
		now, err := s.liveUser(tx, u.ID)
		if err != nil || now.Password != u.Password {
			return errors.Join(ErrWrongPassword, err)
		}
		for _, k := range tries {
			if err := tx.CodeTryBack(k); err != nil {
				return err
			}
		}
		if secret, err = s.signIn(tx, b, u.ID, ViaPassword); err != nil {
			return err
		}
		return as.audit(tx, "signed-in", u.ID, ViaPassword)
	})
	if err != nil {
		return "", fmt.Errorf("sign in: %w", err)
	}
	return secret, nil
}

// tries counts a try of a login from a browser, and refuses one above the
// numbers. The keys are for taking the try back that was none.
func (s *Service) tries(ctx context.Context, login string, b Browser) (keys [][]byte, err error) {
	now, over, address := s.now(), false, tryAddress(b.Address)
	keys = [][]byte{s.keyed("sign-in", address+"\x00"+login), s.keyed("sign-in-address", address), s.keyed("sign-in-login", login)}
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		over = false
		if err := tx.DropTries(now.Add(-TryWindow)); err != nil {
			return err
		}
		for i, most := range []int64{personTries, addressTries, loginTries} {
			n, err := tx.CodeTry(keys[i], now.Add(-TryWindow), now)
			if err != nil {
				return err
			}
			over = over || n > most
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("sign in: %w", err)
	}
	if over {
		return nil, ErrTooManyTries
	}
	return keys, nil
}

// Invite makes a link with which a person sets a password and signs in, once; an
// earlier one ends. They need a login.
func (s *Service) Invite(ctx context.Context, id string) (link string, until time.Time, err error) {
	if s.server == "" {
		return "", time.Time{}, errors.New("invite: the server's address is not known; start the server once")
	}
	secret, now := newSecret(invitePrefix), s.now()
	until = now.Add(InviteLife)
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		u, err := s.liveUser(tx, id)
		if err != nil {
			return err
		}
		if u.Login == "" {
			return sayf("no_login", "%s has no name to sign in with; give one first", u.Name)
		}
		k := store.Token{Hash: Hash(secret), Company: s.id, User: id, CreatedAt: now, ExpiresAt: until}
		if err := tx.InsertInvitation(k); err != nil {
			return err
		}
		return s.audit(tx, "user-invited", id, u.Name)
	})
	if err != nil {
		return "", time.Time{}, fmt.Errorf("invite: %w", err)
	}
	return s.server + InvitePath + "?token=" + secret, until, nil
}

// Invited is whom a link invites, without using it up; ErrBadLink.
func (h *Host) Invited(ctx context.Context, secret string) (*Service, User, error) {
	var co string
	var u store.User
	err := h.db.View(ctx, func(tx *store.Tx) (err error) {
		var id string
		if co, id, err = tx.Invited(Hash(secret), h.now()); err == nil {
			u, err = tx.User(co, id)
		}
		return err
	})
	if errors.Is(err, store.ErrNotFound) || err == nil && !u.DisabledAt.IsZero() {
		return nil, User{}, ErrBadLink
	}
	if err != nil {
		return nil, User{}, fmt.Errorf("look up invitation: %w", err)
	}
	s, err := h.Of(ctx, co)
	return s, asUser(u), err
}

// Accept uses an invitation up: the person has the password from now on, all
// their other browsers are signed out and this one is signed in.
func (h *Host) Accept(ctx context.Context, secret, password string, b Browser) (signedIn string, err error) {
	s, u, err := h.Invited(ctx, secret)
	if err != nil {
		return "", err
	}
	if err := goodPassword(password, u.Login, u.Name); err != nil {
		return "", err
	}
	hash, err := hashPassword(ctx, password)
	if err != nil {
		return "", fmt.Errorf("accept invitation: %w", err)
	}
	as := s.As(u.actor())
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		id, err := tx.UseInvitation(s.id, Hash(secret), s.now())
		if errors.Is(err, store.ErrNotFound) {
			return ErrBadLink
		}
		if err != nil {
			return err
		}
		if _, err := s.liveUser(tx, id); err != nil {
			return ErrBadLink
		}
		if signedIn, err = as.newPassword(tx, id, hash, b); err != nil {
			return err
		}
		return as.audit(tx, "invitation-used", id, u.Name)
	})
	if err != nil {
		return "", fmt.Errorf("accept invitation: %w", err)
	}
	return signedIn, nil
}

// newPassword keeps a hash, signs all of a person's browsers out and the one that
// asks in.
func (s *Service) newPassword(tx *store.Tx, id, hash string, b Browser) (secret string, err error) {
	if err := tx.SetPassword(s.id, id, hash); err != nil {
		return "", err
	}
	if _, err := tx.EndConsoleSessions(s.id, id, ""); err != nil {
		return "", err
	}
	return s.signIn(tx, b, id, ViaPassword)
}

// ChangePassword changes the password of the person who asks; their other
// browsers are signed out. ErrWrongPassword, ErrTooManyTries.
func (s *Service) ChangePassword(ctx context.Context, old, password string, b Browser) (secret string, err error) {
	u, err := s.User(ctx, s.actor.ID)
	if err != nil {
		return "", err
	}
	if err := goodPassword(password, u.Login, u.Name); err != nil {
		return "", err
	}
	tries, err := s.tries(ctx, u.Login, b)
	if err != nil {
		return "", err
	}
	var now store.User
	if err := s.db.View(ctx, func(tx *store.Tx) (err error) { now, err = s.liveUser(tx, u.ID); return err }); err != nil {
		return "", fmt.Errorf("change password: %w", err)
	}
	right, err := checkPassword(ctx, old, now.Password)
	if err != nil {
		return "", fmt.Errorf("change password: %w", err)
	}
	if !right {
		return "", ErrWrongPassword
	}
	hash, err := hashPassword(ctx, password)
	if err != nil {
		return "", fmt.Errorf("change password: %w", err)
	}
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		for _, k := range tries {
			if err := tx.CodeTryBack(k); err != nil {
				return err
			}
		}
		if secret, err = s.newPassword(tx, u.ID, hash, b); err != nil {
			return err
		}
		return s.audit(tx, "password-changed", u.ID, "")
	})
	if err != nil {
		return "", fmt.Errorf("change password: %w", err)
	}
	return secret, nil
}

// LinkFor tells whose an administrator link is, without using it up, and whether
// it needs a reason: where administrators can sign in themselves, it breaks the
// glass. ErrBadLink.
func (h *Host) LinkFor(ctx context.Context, token string) (s *Service, needsReason bool, err error) {
	var co string
	err = h.db.View(ctx, func(tx *store.Tx) (err error) {
		if co, err = tx.LiveAdminLink(Hash(token), h.now()); err != nil {
			return err
		}
		n, err := tx.Administrators(co, "")
		needsReason = n > 0
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, false, ErrBadLink
	}
	if err != nil {
		return nil, false, fmt.Errorf("look up link: %w", err)
	}
	s, err = h.Of(ctx, co)
	return s, needsReason, err
}

// OpenLink uses an administrator link up and signs a browser in by it. Where
// administrators can sign in themselves it needs a reason, and is shown to all of
// them: ErrNeedsReason, ErrBadLink.
//
// first says that nothing has been done with the company yet: the wizard comes next.
func (h *Host) OpenLink(ctx context.Context, token, reason string, b Browser) (secret string, first bool, err error) {
	s, needs, err := h.LinkFor(ctx, token)
	if err != nil {
		return "", false, err
	}
	reason = strings.TrimSpace(reason)
	if needs && len([]rune(reason)) < minReason {
		return "", false, ErrNeedsReason
	}
	now := s.now()
	as := s.As(Link)
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		_, err := tx.UseAdminLink(Hash(token), now)
		if errors.Is(err, store.ErrNotFound) {
			return ErrBadLink
		}
		if err != nil {
			return err
		}
		if !needs {
			// Somebody may have become administrator since it was looked up.
			n, err := tx.Administrators(s.id, "")
			if err != nil {
				return err
			}
			if n > 0 {
				return ErrNeedsReason
			}
		}
		// Audited before anything is seen.
		action, subject, detail := "console-signed-in", "", tryAddress(b.Address)
		if needs {
			g := store.BreakGlass{ID: store.NewID(now), Company: s.id, At: now, Reason: cut(reason, 500), Address: tryAddress(b.Address)}
			if err := tx.InsertBreakGlass(g); err != nil {
				return err
			}
			action, subject, detail = "glass-broken", g.ID, g.Reason
		}
		if err := as.audit(tx, action, subject, detail); err != nil {
			return err
		}
		if first, err = s.untouched(tx); err != nil {
			return err
		}
		secret, err = s.signIn(tx, b, "", ViaLink)
		return err
	})
	if err != nil {
		return "", false, fmt.Errorf("open link: %w", err)
	}
	return secret, first, nil
}

// untouched tells whether the company is as the first start made it.
func (s *Service) untouched(tx *store.Tx) (bool, error) {
	done, err := tx.IsSetUp(s.id)
	if err != nil || done {
		return false, err
	}
	devices, err := tx.HasDevices(s.id)
	if err != nil || devices {
		return false, err
	}
	people, err := tx.FindUsers(s.id, store.UserFilter{Max: 1})
	return len(people) == 0, err
}

// cut is what is printable of s, at most n characters of it.
func cut(s string, n int) string {
	r := []rune(strings.Join(strings.Fields(strings.ToValidUTF8(s, "")), " "))
	if len(r) > n {
		r = r[:n]
	}
	return string(r)
}

// GlassSeen notes that the administrator who asks has seen that the glass was
// broken, up to the use with this id.
func (s *Service) GlassSeen(ctx context.Context, id string) error {
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		list, err := tx.UnseenGlass(s.id, s.actor.ID, 100)
		if err != nil {
			return err
		}
		for _, g := range list {
			if g.ID == id {
				if err := tx.GlassSeen(s.id, s.actor.ID, g.At); err != nil {
					return err
				}
				return s.audit(tx, "glass-seen", g.ID, "")
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("note what was seen: %w", err)
	}
	return nil
}

// SignInBy tells how a company's people sign in.
type SignInBy struct {
	// Possible: there is an administrator who can, or an identity provider; else
	// only an administrator link opens the console.
	Possible bool
	Provider string // the name of the identity provider; empty: there is none
}

// SignInBy tells how the company's people sign in. It is for whoever asks.
func (s *Service) SignInBy(ctx context.Context) (by SignInBy, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		n, err := tx.Administrators(s.id, "")
		if err != nil {
			return err
		}
		p, err := tx.Provider(s.id)
		if err == nil {
			by.Provider = decodeProvider(p.Settings).Name
		}
		if errors.Is(err, store.ErrNotFound) {
			err = nil
		}
		by.Possible = n > 0 || by.Provider != ""
		return err
	})
	if err != nil {
		return SignInBy{}, fmt.Errorf("look up ways to sign in: %w", err)
	}
	return by, nil
}
