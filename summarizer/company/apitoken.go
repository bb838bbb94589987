package company

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"aval/summarizer/store"
)

// How long an API token can be used: unless something else is said, and at most.
const (
	APITokenLife    = 90 * 24 * time.Hour
	APITokenLongest = 366 * 24 * time.Hour
)

const (
	apiPrefix = "aval_api_"
	// shownPrefix is how much of a secret is kept to recognise it by: 36 of its
	// 256 bits.
	shownPrefix = len(apiPrefix) + 6
	// touchToken is how exact a token's last use is.
	touchToken = time.Minute
)

// ErrNoToken: a token is not known, has expired or was revoked, or its user is
// disabled. Which of these, whoever brings it is not told.
var ErrNoToken = errors.New("this token is not known, has ended, or its user is disabled")

// APIToken is a token as people see it: never its secret.
type APIToken struct {
	ID        string       `json:"id"`
	Prefix    string       `json:"prefix"`
	Name      string       `json:"name"`
	User      string       `json:"user,omitempty"` // its owner's id; empty: the company's own
	Scopes    []Permission `json:"scopes"`
	CreatedBy string       `json:"created_by"`
	CreatedAt time.Time    `json:"created_at"`
	ExpiresAt time.Time    `json:"expires_at,omitzero"`
	UsedAt    time.Time    `json:"used_at,omitzero"`
	RevokedAt time.Time    `json:"revoked_at,omitzero"`
}

func asToken(k store.APIToken) APIToken {
	return APIToken{k.ID, k.Prefix, k.Name, k.Owner, scopesOf(k.Scopes), k.CreatedBy, k.CreatedAt, k.ExpiresAt, k.UsedAt, k.RevokedAt}
}

// scopesOf reads stored scopes; a word that is none any more is left out.
func scopesOf(words string) []Permission {
	out := []Permission{}
	for _, w := range strings.Fields(words) {
		if p := Permission(w); slices.Contains(Permissions(), p) {
			out = append(out, p)
		}
	}
	return out
}

// ParseScopes reads scopes with spaces or commas between them.
func ParseScopes(words string) ([]Permission, error) {
	var out []Permission
	for _, w := range strings.FieldsFunc(words, func(r rune) bool { return r == ' ' || r == ',' }) {
		p := Permission(w)
		if p == Own || !slices.Contains(Permissions(), p) {
			return nil, sayf("scope", "there is no scope %s; there are %s", w, scopeWords(Scopes()))
		}
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	if len(out) == 0 {
		return nil, sayf("no_scope", "a token needs a scope; there are %s", scopeWords(Scopes()))
	}
	return out, nil
}

// Scopes lists what a token can be given: every permission but the one that
// needs no giving.
func Scopes() []Permission {
	return slices.DeleteFunc(Permissions(), func(p Permission) bool { return p == Own })
}

func scopeWords(list []Permission) string {
	words := make([]string, len(list))
	for i, p := range list {
		words[i] = string(p)
	}
	return strings.Join(words, " ")
}

// NewAPIToken is what CreateAPIToken makes.
type NewAPIToken struct {
	Name   string       // as people read it
	User   string       // whose it is, by id; empty: the company's own
	Scopes []Permission // at least one, and only what its maker and its user may
	Life   time.Duration
}

// CreateAPIToken makes a token and returns its secret, which is not shown again
// and stored as its hash only. Life is APITokenLife where it is 0.
func (s *Service) CreateAPIToken(ctx context.Context, n NewAPIToken) (secret string, token APIToken, err error) {
	n.Name = cleanName(strings.TrimSpace(n.Name))
	if n.Life == 0 {
		n.Life = APITokenLife
	}
	switch {
	case n.Name == "" || len(n.Name) > maxSupporter:
		return "", APIToken{}, sayf("name", "a name of at most %d characters is needed", maxSupporter)
	case n.Life < time.Minute || n.Life > APITokenLongest:
		return "", APIToken{}, sayf("token_life", "a token can be used for %d days at most", int(APITokenLongest/(24*time.Hour)))
	}
	scopes, err := ParseScopes(scopeWords(n.Scopes))
	if err != nil {
		return "", APIToken{}, err
	}
	for _, p := range scopes {
		if s.actor.Kind != KindServer && !s.actor.Role.May(p) {
			return "", APIToken{}, sayf("token_scope", "your role does not include %s", p)
		}
	}
	now := s.now()
	secret = newSecret(apiPrefix)
	k := store.APIToken{ID: store.NewID(now), Company: s.id, Hash: Hash(secret), Prefix: secret[:shownPrefix], Name: n.Name, Owner: n.User,
		Scopes: scopeWords(scopes), CreatedBy: s.actor.String(), CreatedAt: now.UTC(), ExpiresAt: now.Add(n.Life).UTC()}
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		if n.User != "" {
			u, err := s.liveUser(tx, n.User)
			if err != nil {
				return err
			}
			for _, p := range scopes {
				if !Role(u.Role).May(p) {
					return sayf("token_user", "the role of %s does not include %s", u.Name, p)
				}
			}
		}
		if err := tx.InsertAPIToken(k); err != nil {
			return err
		}
		return s.changes(tx, "api-token-created", k.ID, k.Name, nil, asToken(k))
	})
	if err != nil {
		return "", APIToken{}, fmt.Errorf("make token: %w", err)
	}
	return secret, asToken(k), nil
}

// APITokens lists tokens, newest first; before is CreatedAt of the last one of
// the page before, zero for the first page.
func (s *Service) APITokens(ctx context.Context, before time.Time, max int) ([]APIToken, error) {
	out := []APIToken{}
	err := s.db.View(ctx, func(tx *store.Tx) error {
		list, err := tx.APITokens(s.id, before, max)
		for _, k := range list {
			out = append(out, asToken(k))
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	return out, nil
}

// RevokeAPIToken ends a token at once; ErrNoToken where none with this id stands.
func (s *Service) RevokeAPIToken(ctx context.Context, id string) error {
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		k, err := tx.RevokeAPIToken(s.id, id, s.now())
		if errors.Is(err, store.ErrNotFound) {
			return ErrNoToken
		}
		if err != nil {
			return err
		}
		return s.changes(tx, "api-token-revoked", k.ID, k.Name, asToken(k), nil)
	})
	if err != nil {
		return fmt.Errorf("revoke token: %w", err)
	}
	return nil
}

// Caller is who an API token speaks for, and what for.
type Caller struct {
	Actor  Actor
	Token  APIToken
	Scopes []Permission // what counts now: the token's, within its user's role
	// Sight is what its user may see of the company's sessions; nil: all.
	Sight *store.Sight
}

// May tells whether the caller has a permission.
func (c Caller) May(p Permission) bool { return slices.Contains(c.Scopes, p) }

// TokenOf is the company that a secret belongs to, as its caller deals with it;
// ErrNoToken. A user's role and a disabling count at once.
func (h *Host) TokenOf(ctx context.Context, secret string) (*Service, Caller, error) {
	var k store.APIToken
	var u store.User
	var co store.Company
	now := h.now()
	err := h.db.View(ctx, func(tx *store.Tx) (err error) {
		if k, err = tx.LiveAPIToken(Hash(secret), now); err == nil && k.Owner != "" {
			if u, err = tx.User(k.Company, k.Owner); err == nil {
				co, err = tx.Company(k.Company)
			}
		}
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, Caller{}, ErrNoToken
	}
	if err != nil {
		return nil, Caller{}, fmt.Errorf("look up token: %w", err)
	}
	c := Caller{Token: asToken(k), Actor: Actor{Kind: KindToken, ID: k.ID, Name: k.Name}, Scopes: scopesOf(k.Scopes)}
	if k.Owner != "" {
		c.Actor = Actor{Kind: KindUser, ID: u.ID, Name: u.Name, Role: Role(u.Role)}
		c.Sight = sightOf(co.Settings, asUser(u))
		c.Scopes = slices.DeleteFunc(c.Scopes, func(p Permission) bool { return !c.Actor.Role.May(p) })
	}
	if now.Sub(k.UsedAt) > touchToken {
		if err := h.db.Tx(ctx, func(tx *store.Tx) error { return tx.TouchAPIToken(k.Company, k.ID, now) }); err != nil {
			return nil, Caller{}, fmt.Errorf("note use of token: %w", err)
		}
	}
	s, err := h.Of(ctx, k.Company)
	if err != nil {
		return nil, Caller{}, err
	}
	return s.As(c.Actor), c, nil
}
