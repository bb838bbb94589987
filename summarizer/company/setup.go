package company

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"aval/assets"
	"aval/summarizer/credit"
	"aval/summarizer/store"
)

// ErrSetUp: the first-run wizard works once, and only by an administrator link.
var ErrSetUp = errors.New("the company has been set up already")

// Setup is what the first-run wizard asks for.
type Setup struct {
	Company string // its name, as people at computers read it
	Lang    string // of its summaries
	Zone    string // its time zone, a name of the IANA database
	// Name, Login and Password of the first administrator.
	Name, Login, Password string
	// TermsLang and Terms are the terms that were accepted, as Activate wants them;
	// both empty: they were not, and nothing is asked until they are.
	TermsLang, Terms string
}

// SetUp completes the first start, once: name, language and zone of the company,
// its first administrator, who is signed in by it, and whether the terms are
// accepted. The link's own sign-in ends. ErrSetUp, ErrTerms, Said.
func (s *Service) SetUp(ctx context.Context, n Setup, b Browser) (secret string, err error) {
	if s.actor.Kind != KindLink {
		return "", ErrSetUp
	}
	n.Company = cleanName(strings.TrimSpace(n.Company))
	u := store.User{ID: store.NewID(s.now()), Company: s.id, Name: n.Name, Login: n.Login, Role: string(Administrator), LogSessions: true, CreatedAt: s.now().UTC()}
	err = tidy(&u)
	switch {
	case n.Company == "" || len(n.Company) > maxSupporter:
		err = sayf("company", "the company's name is needed, of at most %d characters", maxSupporter)
	case err != nil:
	case u.Login == "":
		err = sayf("login", "the name to sign in with has no spaces and %d characters at most", maxLogin)
	case !slices.Contains(assets.LangsOf("summary"), n.Lang):
		err = sayf("lang", "there are no summaries in the language %s", n.Lang)
	default:
		err = goodPassword(n.Password, u.Login, u.Name)
	}
	if err == nil && n.Terms != "" {
		if _, in, sum := Terms(n.TermsLang); in != n.TermsLang || sum != n.Terms {
			err = ErrTerms
		}
	}
	if err != nil {
		return "", fmt.Errorf("set up: %w", err)
	}
	hash, err := hashPassword(ctx, n.Password)
	if err != nil {
		return "", fmt.Errorf("set up: %w", err)
	}
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		err := tx.InsertSetup(s.id, n.Terms, u.ID, s.now())
		if errors.Is(err, store.ErrExists) {
			return ErrSetUp
		}
		if err != nil {
			return err
		}
		c, err := tx.Company(s.id)
		if err != nil {
			return err
		}
		before := map[string]string{"name": c.Name, "lang": c.Lang}
		c.Name, c.Lang = n.Company, n.Lang
		if err := tx.UpdateCompany(c); err != nil {
			return err
		}
		if err := s.changes(tx, "company-set-up", s.id, "", before, map[string]string{"name": c.Name, "lang": c.Lang}); err != nil {
			return err
		}
		err = credit.SetZone(tx, c, s.actor.String(), n.Zone, s.now())
		if errors.Is(err, credit.ErrZone) {
			return sayf("zone", "there is no time zone %s", n.Zone)
		}
		if err != nil {
			return err
		}
		if err := s.insertUser(tx, u); err != nil {
			return err
		}
		secret, err = s.newPassword(tx, u.ID, hash, b)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("set up: %w", err)
	}
	// The administrator, and not the link, accepts the terms or leaves them.
	as := s.As(asUser(u).actor())
	if n.Terms != "" {
		err = as.Activate(ctx, n.TermsLang, n.Terms)
	} else {
		err = as.Deactivate(ctx)
	}
	return secret, err
}
