package company

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"aval/agent/wire"
	"aval/summarizer/store"
)

// How long an enrolment token can be used: one for one computer TokenLife at most,
// one for many ManyLife unless it is made for less or more, up to ManyLongest; and
// how many computers one may enrol at most.
const (
	TokenLife   = 24 * time.Hour
	ManyLife    = 30 * 24 * time.Hour
	ManyLongest = 365 * 24 * time.Hour
	MostUses    = 1_000_000
)

// EnrolToken is an enrolment token as people see it, without its secret.
type EnrolToken struct {
	ID        string    `json:"id"`
	Name      string    `json:"name,omitempty"`
	Group     string    `json:"group,omitempty"` // the name of the group that its computers come into
	GroupID   string    `json:"group_id,omitempty"`
	Uses      int64     `json:"uses"` // how many computers it may enrol
	Used      int64     `json:"used"` // how many it has
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
	UsedAt    time.Time `json:"used_at,omitzero"` // last
	RevokedAt time.Time `json:"revoked_at,omitzero"`
}

// Ended says why a token enrols no computer any more at now: revoked, used or
// expired; empty: it does.
func (k EnrolToken) Ended(now time.Time) string {
	switch {
	case !k.RevokedAt.IsZero():
		return "revoked"
	case k.Used >= k.Uses:
		return "used"
	case !now.Before(k.ExpiresAt):
		return "expired"
	}
	return ""
}

func asEnrolToken(k store.EnrolToken, groups map[string]string) EnrolToken {
	return EnrolToken{ID: k.ID, Name: k.Name, Group: groups[k.Group], GroupID: k.Group, Uses: k.Uses, Used: k.Used, CreatedAt: k.CreatedAt.UTC(), ExpiresAt: k.ExpiresAt.UTC(),
		UsedAt: k.UsedAt, RevokedAt: k.RevokedAt}
}

// NewEnrolToken is what CreateEnrolToken makes.
type NewEnrolToken struct {
	Name string // as people read it; may be empty
	// Uses is how many computers it enrols, each once and with a key of its own; 0: 1.
	Uses int64
	// Group is the id or the name of a group that its computers come into; empty: none.
	Group string
	// Life is how long it can be used; 0: TokenLife for one computer, else ManyLife.
	Life time.Duration
}

// ErrEnrolToken: no enrolment token that can still be used stands under this id.
var ErrEnrolToken = errors.New("there is no such enrolment token, or it was revoked already")

// CreateEnrolToken makes an enrolment token. Its secret is in the file alone, and
// not shown again.
func (s *Service) CreateEnrolToken(ctx context.Context, n NewEnrolToken) (wire.TokenFile, EnrolToken, error) {
	file, token, err := s.createEnrolToken(ctx, n)
	if err != nil {
		return wire.TokenFile{}, EnrolToken{}, fmt.Errorf("make enrolment token: %w", err)
	}
	return file, token, nil
}

func (s *Service) createEnrolToken(ctx context.Context, n NewEnrolToken) (file wire.TokenFile, token EnrolToken, err error) {
	n.Name = cleanName(strings.TrimSpace(n.Name))
	if n.Uses == 0 {
		n.Uses = 1
	}
	longest := ManyLongest
	if n.Uses == 1 {
		longest = TokenLife
	}
	if n.Life == 0 {
		n.Life = min(ManyLife, longest)
	}
	switch {
	case len(n.Name) > maxSupporter:
		return file, token, sayf("name", "a name of at most %d characters is needed", maxSupporter)
	case n.Uses < 1 || n.Uses > MostUses:
		return file, token, sayf("enrol_uses", "a token enrols 1 to %d computers", MostUses)
	case n.Life < time.Minute || n.Life > longest:
		return file, token, sayf("enrol_life", "a token for one computer can be used for %d hours, one for more for %d days at most", int(TokenLife/time.Hour), int(ManyLongest/(24*time.Hour)))
	case s.server == "":
		return file, token, errors.New("the server's address is not known; start the server once")
	}
	file = wire.TokenFile{Server: s.server, Pin: s.Pin(), Token: newSecret(enrolPrefix)}
	now := s.now()
	k := store.EnrolToken{ID: store.NewID(now), Company: s.id, Hash: Hash(file.Token), Name: n.Name, Uses: n.Uses, CreatedBy: s.actor.String(), CreatedAt: now, ExpiresAt: now.Add(n.Life)}
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		c, err := tx.Company(s.id)
		if err != nil {
			return err
		}
		file.Company = c.Name
		groups := map[string]string{}
		if n.Group != "" {
			g, err := s.groupFor(tx, n.Group)
			if err != nil {
				return err
			}
			k.Group, groups[g.ID] = g.ID, g.Name
		}
		if err := tx.InsertEnrolToken(k); err != nil {
			return err
		}
		token = asEnrolToken(k, groups)
		return s.changes(tx, "token-created", k.ID, k.Name, nil, token)
	})
	return file, token, err
}

// EnrolTokens lists enrolment tokens, newest first; before is CreatedAt of the last
// one of the page before, zero for the first page.
func (s *Service) EnrolTokens(ctx context.Context, before time.Time, max int) ([]EnrolToken, error) {
	out := []EnrolToken{}
	err := s.db.View(ctx, func(tx *store.Tx) error {
		list, err := tx.EnrolTokens(s.id, before, max)
		if err != nil {
			return err
		}
		groups := map[string]string{}
		for _, k := range list {
			if _, known := groups[k.Group]; k.Group != "" && !known {
				g, err := tx.Group(s.id, k.Group)
				if err != nil && !errors.Is(err, store.ErrNotFound) {
					return err
				}
				groups[k.Group] = g.Name
			}
			out = append(out, asEnrolToken(k, groups))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list enrolment tokens: %w", err)
	}
	return out, nil
}

// RevokeEnrolToken ends an enrolment token at once; computers that it has enrolled
// stay. ErrEnrolToken where none with this id stands.
func (s *Service) RevokeEnrolToken(ctx context.Context, id string) error {
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		k, err := tx.RevokeEnrolToken(s.id, id, s.now())
		if errors.Is(err, store.ErrNotFound) {
			return ErrEnrolToken
		}
		if err != nil {
			return err
		}
		return s.changes(tx, "token-revoked", k.ID, k.Name, nil, asEnrolToken(k, nil))
	})
	if err != nil {
		return fmt.Errorf("revoke enrolment token: %w", err)
	}
	return nil
}
