package company

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"aval/agent/record"
	"aval/summarizer/store"
)

// AnnounceLife is how long an announced session may begin.
const AnnounceLife = 10 * time.Minute

// userPrefix begins the secret of a user's token.
const userPrefix = "aval_user_"

// Errors that callers tell apart.
var (
	ErrNoUser   = errors.New("there is no such user, or they are disabled")
	ErrNoDevice = errors.New("there is no such computer; its Aval ID stands in its main window and in aval status")
)

// User is a supporter as commands show them.
type User struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	LogSessions bool      `json:"log_sessions"`
	CreatedAt   time.Time `json:"created_at"`
	DisabledAt  time.Time `json:"disabled_at,omitzero"`
}

func asUser(u store.User) User {
	return User{u.ID, u.Name, u.LogSessions, u.CreatedAt, u.DisabledAt}
}

// CreateUser adds a supporter. The people at computers read the name.
func (s *Service) CreateUser(ctx context.Context, name string, logSessions bool) (User, error) {
	name = cleanName(strings.TrimSpace(name))
	if name == "" || len(name) > maxSupporter {
		return User{}, errors.New("create user: a name of at most 100 characters is needed")
	}
	now := s.now()
	u := store.User{ID: store.NewID(now), Company: s.id, Name: name, LogSessions: logSessions, CreatedAt: now.UTC()}
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.InsertUser(u); err != nil {
			return err
		}
		return s.audit(tx, "user-created", u.ID, u.Name)
	})
	if err != nil {
		return User{}, fmt.Errorf("create user: %w", err)
	}
	return asUser(u), nil
}

// Users lists the supporters, oldest first.
func (s *Service) Users(ctx context.Context) (out []User, err error) {
	out = []User{}
	err = s.db.View(ctx, func(tx *store.Tx) error {
		list, err := tx.Users(s.id)
		for _, u := range list {
			out = append(out, asUser(u))
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	return out, nil
}

// DisableUser ends what a supporter may do, with their tokens, at once.
func (s *Service) DisableUser(ctx context.Context, id string) error {
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.DisableUser(s.id, id, s.now()); err != nil {
			return err
		}
		return s.audit(tx, "user-disabled", id, "")
	})
	if errors.Is(err, store.ErrNotFound) {
		err = ErrNoUser
	}
	if err != nil {
		return fmt.Errorf("disable user: %w", err)
	}
	return nil
}

// NewUserToken makes a token with which a supporter's programs speak to the
// server. It is stored as its hash only.
func (s *Service) NewUserToken(ctx context.Context, user string) (string, error) {
	secret := newSecret(userPrefix)
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		u, err := tx.User(s.id, user)
		if errors.Is(err, store.ErrNotFound) || err == nil && !u.DisabledAt.IsZero() {
			return ErrNoUser
		}
		if err != nil {
			return err
		}
		if err := tx.InsertUserToken(Hash(secret), user, s.now()); err != nil {
			return err
		}
		return s.audit(tx, "user-token-created", user, "")
	})
	if err != nil {
		return "", fmt.Errorf("make token: %w", err)
	}
	return secret, nil
}

// UserOf is the supporter whose token this is, and their company as they deal
// with it; ErrNoUser.
func (h *Host) UserOf(ctx context.Context, token string) (*Service, User, error) {
	var u store.User
	s, err := h.belongs(ctx, func(tx *store.Tx) (string, error) { return tx.CompanyOfUserToken(Hash(token)) })
	if err == nil {
		err = h.db.View(ctx, func(tx *store.Tx) (err error) { u, err = tx.UserOf(s.id, Hash(token)); return err })
	}
	if errors.Is(err, store.ErrNotFound) {
		err = ErrNoUser
	}
	if err != nil {
		return nil, User{}, fmt.Errorf("look up token: %w", err)
	}
	return s.As(Actor{Kind: KindUser, ID: u.ID, Name: u.Name, Role: Supporter}), asUser(u), nil
}

// Announced is an announcement as its maker sees it.
type Announced struct {
	ID        string    `json:"id"`
	Device    string    `json:"device"`
	Supporter string    `json:"supporter"`
	ExpiresAt time.Time `json:"expires_at"`
	// Delivered: the computer has it.
	Delivered bool `json:"delivered"`
}

// Announce tells an enrolled computer, signed, that a supporter is about to
// connect. It reaches the computer within seconds where that is connected.
func (s *Service) Announce(ctx context.Context, user, device string) (Announced, error) {
	now := s.now()
	out := Announced{ID: store.NewID(now), Device: strings.ToUpper(strings.TrimSpace(device)), ExpiresAt: now.Add(AnnounceLife).UTC()}
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		u, err := tx.User(s.id, user)
		if errors.Is(err, store.ErrNotFound) || err == nil && !u.DisabledAt.IsZero() {
			return ErrNoUser
		}
		if err != nil {
			return err
		}
		d, err := tx.Device(s.id, out.Device)
		if errors.Is(err, store.ErrNotFound) || err == nil && (d.Code != "" || !d.RevokedAt.IsZero()) {
			return ErrNoDevice
		}
		if err != nil {
			return err
		}
		c, err := tx.Company(s.id)
		if err != nil {
			return err
		}
		set := decodeSettings(c.Settings)
		out.Supporter = u.Name
		env, err := record.Sign(s.signer(), record.TypeRequest, record.Request{V: 1, ID: out.ID, Company: s.id, Device: d.ID, At: now.UTC(),
			Expires: out.ExpiresAt, CompanyName: c.Name, Supporter: u.Name, LogSessions: u.LogSessions, Outgoing: set.Outgoing,
			Engine: set.Engine, RetentionDays: set.RetentionDays, Readers: set.Readers})
		if err != nil {
			return err
		}
		if err := tx.DropAnnouncements(s.id, now.Add(-AnnounceLife)); err != nil {
			return err
		}
		if err := tx.InsertAnnouncement(store.Announcement{ID: out.ID, Company: s.id, Device: d.ID, User: u.ID, Envelope: env, CreatedAt: now, ExpiresAt: out.ExpiresAt}); err != nil {
			return err
		}
		return s.audit(tx, "session-announced", d.ID, u.ID+" "+out.ID)
	})
	if err != nil {
		return Announced{}, fmt.Errorf("announce session: %w", err)
	}
	return out, nil
}

// Delivered tells whether the computer has an announcement.
func (s *Service) Delivered(ctx context.Context, id string) (bool, error) {
	var at time.Time
	err := s.db.View(ctx, func(tx *store.Tx) (err error) { at, err = tx.Told(s.id, id); return err })
	return !at.IsZero(), err
}
