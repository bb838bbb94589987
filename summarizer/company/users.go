package company

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"aval/summarizer/store"
)

// maxLogin is the longest login, in bytes: an e-mail address (RFC 5321, 4.5.3.1.3).
const maxLogin = 254

// ErrNoUser: there is no user with this id, or they are disabled.
var ErrNoUser = errors.New("there is no such user, or they are disabled")

// User is one person of the company as people see them.
type User struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Login string `json:"login,omitempty"` // what they sign in with
	Role  Role   `json:"role"`
	Team  string `json:"team,omitempty"`
	// LogSessions: their sessions are to be summarised.
	LogSessions bool      `json:"log_sessions"`
	Password    bool      `json:"password"` // they have set one
	Linked      bool      `json:"linked"`   // the identity provider knows them
	CreatedAt   time.Time `json:"created_at"`
	DisabledAt  time.Time `json:"disabled_at,omitzero"`
	SignedInAt  time.Time `json:"signed_in_at,omitzero"`

	fold string // their place in lists
}

func asUser(u store.User) User {
	return User{u.ID, u.Name, u.Login, Role(u.Role), u.Team, u.LogSessions, u.Password != "", u.Linked, u.CreatedAt, u.DisabledAt, u.SignedInAt, u.Fold}
}

// actor is a user as the audit names them.
func (u User) actor() Actor { return Actor{Kind: KindUser, ID: u.ID, Name: u.Name, Role: u.Role} }

// said is what the audit keeps of a user's changes.
func (u User) said() map[string]any {
	return map[string]any{"name": u.Name, "login": u.Login, "role": u.Role, "team": u.Team, "log_sessions": u.LogSessions}
}

// NewUser is what CreateUser adds.
type NewUser struct {
	Name  string // people at computers read it
	Login string // what they sign in with, an e-mail address or a name; empty: they do not, yet
	Role  Role   // empty: Supporter
	Team  string
	// Unlogged: their sessions are not to be summarised. New users' are.
	Unlogged bool
}

// CreateUser adds a person. They sign in once they were invited, or by the
// company's identity provider.
func (s *Service) CreateUser(ctx context.Context, n NewUser) (User, error) {
	now := s.now()
	u := store.User{ID: store.NewID(now), Company: s.id, Name: n.Name, Login: n.Login, Role: string(n.Role), Team: n.Team,
		LogSessions: !n.Unlogged, CreatedAt: now.UTC()}
	if u.Role == "" {
		u.Role = string(Supporter)
	}
	err := tidy(&u)
	if err == nil {
		err = s.db.Tx(ctx, func(tx *store.Tx) error { return s.insertUser(tx, u) })
	}
	if err != nil {
		return User{}, fmt.Errorf("create user: %w", err)
	}
	return asUser(u), nil
}

func (s *Service) insertUser(tx *store.Tx, u store.User) error {
	err := tx.InsertUser(u)
	if errors.Is(err, store.ErrExists) {
		return sayf("login_taken", "somebody signs in as %s already", u.Login)
	}
	if err != nil {
		return err
	}
	return s.changes(tx, "user-created", u.ID, u.Name, nil, asUser(u).said())
}

// tidy checks what people entered of a user.
func tidy(u *store.User) error {
	u.Name, u.Team = cleanName(strings.TrimSpace(u.Name)), cleanName(strings.TrimSpace(u.Team))
	u.Login = strings.ToLower(strings.TrimSpace(u.Login))
	switch {
	case u.Name == "" || len(u.Name) > maxSupporter:
		return sayf("name", "a name of at most %d characters is needed", maxSupporter)
	case len(u.Team) > maxSupporter:
		return sayf("team", "the group's name has %d characters at most", maxSupporter)
	case len(u.Login) > maxLogin || strings.ContainsFunc(u.Login, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }):
		return sayf("login", "the name to sign in with has no spaces and %d characters at most", maxLogin)
	case !Role(u.Role).Valid():
		return sayf("role", "there is no role %s; there are viewer, supporter, editor, auditor, billing, administrator", u.Role)
	}
	return nil
}

// User returns one person, disabled or not; ErrNoUser.
func (s *Service) User(ctx context.Context, id string) (User, error) {
	var u store.User
	err := s.db.View(ctx, func(tx *store.Tx) (err error) { u, err = tx.User(s.id, id); return err })
	if errors.Is(err, store.ErrNotFound) {
		err = ErrNoUser
	}
	if err != nil {
		return User{}, fmt.Errorf("show user: %w", err)
	}
	return asUser(u), nil
}

// UserFilter chooses people; a zero field chooses all.
type UserFilter struct {
	Search string // a part of name or login, whatever its case and accents
	Role   Role
	Logged *bool
	Live   bool   // only those who are not disabled
	After  string // the id of the last one of the page before
	Max    int    // how many at most; 0: all
}

// Users lists people by name.
func (s *Service) Users(ctx context.Context, f UserFilter) ([]User, error) {
	out := []User{}
	err := s.db.View(ctx, func(tx *store.Tx) error {
		sf := store.UserFilter{Search: f.Search, Role: string(f.Role), Logged: f.Logged, Live: f.Live, Max: f.Max}
		if f.After != "" {
			var err error
			if sf.After, err = tx.User(s.id, f.After); err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
		list, err := tx.FindUsers(s.id, sf)
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

// UsersNotLogged lists those whose sessions are not to be summarised: an
// integration or a program sees none of theirs.
func (s *Service) UsersNotLogged(ctx context.Context) ([]User, error) {
	off := false
	return s.Users(ctx, UserFilter{Logged: &off, Live: true})
}

// UserChange is what ChangeUser changes; nil leaves a value as it is.
type UserChange struct {
	Name, Login, Team *string
	Role              *Role
	LogSessions       *bool
}

// ChangeUser changes what is known of one person. A new role counts at once. One's
// own role somebody else changes, and the last administrator who can sign in
// stays one.
func (s *Service) ChangeUser(ctx context.Context, id string, ch UserChange) (User, error) {
	var u store.User
	err := s.db.Tx(ctx, func(tx *store.Tx) (err error) {
		if u, err = s.liveUser(tx, id); err != nil {
			return err
		}
		before := asUser(u)
		set(&u.Name, ch.Name)
		set(&u.Login, ch.Login)
		set(&u.Team, ch.Team)
		set(&u.LogSessions, ch.LogSessions)
		if ch.Role != nil {
			u.Role = string(*ch.Role)
		}
		if err := tidy(&u); err != nil {
			return err
		}
		if Role(u.Role) != before.Role {
			if s.isSelf(id) {
				return sayf("own_role", "your own role is changed by another administrator")
			}
			if before.Role == Administrator {
				if err := s.notLast(tx, id); err != nil {
					return err
				}
			}
		}
		err = tx.UpdateUser(u)
		if errors.Is(err, store.ErrExists) {
			return sayf("login_taken", "somebody signs in as %s already", u.Login)
		}
		if err != nil {
			return err
		}
		if after := asUser(u); after != before {
			return s.changes(tx, "user-changed", id, u.Name, before.said(), after.said())
		}
		return nil
	})
	if err != nil {
		return User{}, fmt.Errorf("change user: %w", err)
	}
	return asUser(u), nil
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func (s *Service) isSelf(id string) bool { return s.actor.Kind == KindUser && s.actor.ID == id }

// notLast refuses what would leave nobody who can sign in as an administrator.
func (s *Service) notLast(tx *store.Tx, id string) error {
	all, err := tx.Administrators(s.id, "")
	if err != nil {
		return err
	}
	others, err := tx.Administrators(s.id, id)
	if err != nil {
		return err
	}
	if all > 0 && others == 0 {
		return sayf("last_administrator", "this is the last administrator who can sign in; make another one first")
	}
	return nil
}

// SetLogged changes for many at once whether their sessions are to be summarised,
// and returns how many really changed. Oneself is left as one is, and self says
// that one was among them: one's own setting is changed alone, by ChangeUser, as
// the commercial system has it.
func (s *Service) SetLogged(ctx context.Context, ids []string, on bool) (n int, self bool, err error) {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		n, self = 0, false
		for _, id := range slices.Compact(ids) {
			if s.isSelf(id) {
				self = true
				continue
			}
			u, err := tx.User(s.id, id)
			if errors.Is(err, store.ErrNotFound) || err == nil && (u.LogSessions == on || !u.DisabledAt.IsZero()) {
				continue
			}
			if err != nil {
				return err
			}
			before := asUser(u)
			u.LogSessions = on
			if err := tx.UpdateUser(u); err != nil {
				return err
			}
			if err := s.changes(tx, "user-changed", id, u.Name, before.said(), asUser(u).said()); err != nil {
				return err
			}
			n++
		}
		return nil
	})
	if err != nil {
		return 0, false, fmt.Errorf("change users: %w", err)
	}
	return n, self, nil
}

// DisableUser ends what a person may do, at once: their browsers are signed out,
// the computers that are signed in to their account too, their tokens and
// invitation no longer count.
func (s *Service) DisableUser(ctx context.Context, id string) error {
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		u, err := s.liveUser(tx, id)
		if err != nil {
			return err
		}
		if s.isSelf(id) {
			return sayf("own_disable", "you cannot disable yourself; another administrator can")
		}
		if Role(u.Role) == Administrator {
			if err := s.notLast(tx, id); err != nil {
				return err
			}
		}
		if err := tx.DisableUser(s.id, id, s.now()); err != nil {
			return err
		}
		if err := tx.RevokeAccounts(s.id, id, s.now()); err != nil {
			return err
		}
		if _, err := tx.EndConsoleSessions(s.id, id, ""); err != nil {
			return err
		}
		return s.audit(tx, "user-disabled", id, u.Name)
	})
	if err != nil {
		return fmt.Errorf("disable user: %w", err)
	}
	return nil
}

// EnableUser takes back that a person was disabled.
func (s *Service) EnableUser(ctx context.Context, id string) error {
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		u, err := tx.User(s.id, id)
		if errors.Is(err, store.ErrNotFound) {
			return ErrNoUser
		}
		if err != nil || u.DisabledAt.IsZero() {
			return err
		}
		if err := tx.EnableUser(s.id, id); err != nil {
			return err
		}
		return s.audit(tx, "user-enabled", id, u.Name)
	})
	if err != nil {
		return fmt.Errorf("enable user: %w", err)
	}
	return nil
}

// liveUser returns a person who is not disabled; ErrNoUser.
func (s *Service) liveUser(tx *store.Tx, id string) (store.User, error) {
	u, err := tx.User(s.id, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && !u.DisabledAt.IsZero() {
		return store.User{}, ErrNoUser
	}
	return u, err
}
