package company

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"aval/summarizer/store"
)

// BackPath is where the identity provider sends the browser back to.
const BackPath = "/sign-in/back"

// ProviderLife is how long a person may take at the identity provider.
const ProviderLife = 10 * time.Minute

const (
	// knownFor is how long an issuer's own description counts before it is fetched anew.
	knownFor = time.Hour
	// skew is how far an issuer's clock may be ahead.
	skew = 2 * time.Minute
)

// Errors of signing in by an identity provider.
var (
	// ErrProviderDown: the provider could not be asked.
	ErrProviderDown = errors.New("the identity provider does not answer")
	// ErrProviderRefused: the provider's answer does not hold, or was not for this
	// browser.
	ErrProviderRefused = errors.New("the identity provider's answer does not hold")
	// ErrNotWelcome: the provider knows the person, and the company has no place for them.
	ErrNotWelcome = errors.New("the company has no place for this account")
)

// errand is what a browser carries to the provider and back, sealed.
type errand struct {
	Company  string    `json:"company"`
	State    string    `json:"state"`
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"`
	Issuer   string    `json:"issuer"`
	Until    time.Time `json:"until"`
}

// issuer is what is known of a company's provider.
type issuer struct {
	provider *oidc.Provider
	of       string // the issuer's address
	at       time.Time
}

// issuerOf fetches the issuer's description, at most once an hour.
func (s *Service) issuerOf(ctx context.Context, p Provider) (*oidc.Provider, error) {
	s.issuersMu.Lock()
	known := s.issuers[s.id]
	s.issuersMu.Unlock()
	if known.of == p.Issuer && s.now().Sub(known.at) < knownFor {
		return known.provider, nil
	}
	// The keys are fetched later, when this request is over.
	base := oidc.ClientContext(context.WithoutCancel(ctx), providerClient)
	got, err := oidc.NewProvider(base, p.Issuer)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProviderDown, err)
	}
	s.issuersMu.Lock()
	defer s.issuersMu.Unlock()
	s.issuers[s.id] = issuer{got, p.Issuer, s.now()}
	return got, nil
}

func (s *Service) oauth(ctx context.Context, p store.Provider) (Provider, *oidc.Provider, *oauth2.Config, error) {
	set := decodeProvider(p.Settings)
	secret, err := s.unseal("provider", p.Secret)
	if err != nil {
		return set, nil, nil, fmt.Errorf("read the client's secret: %w", err)
	}
	is, err := s.issuerOf(ctx, set)
	if err != nil {
		return set, nil, nil, err
	}
	return set, is, &oauth2.Config{ClientID: set.ClientID, ClientSecret: string(secret), Endpoint: is.Endpoint(),
		RedirectURL: s.server + BackPath, Scopes: []string{oidc.ScopeOpenID, "profile", "email"}}, nil
}

// ToProvider begins a sign-in by the company's identity provider: where the
// browser goes, and what it keeps meanwhile in a cookie. ErrNoProvider,
// ErrProviderDown.
func (s *Service) ToProvider(ctx context.Context) (to, keep string, err error) {
	var p store.Provider
	err = s.db.View(ctx, func(tx *store.Tx) (err error) { p, err = tx.Provider(s.id); return err })
	if errors.Is(err, store.ErrNotFound) {
		return "", "", ErrNoProvider
	}
	if err != nil {
		return "", "", fmt.Errorf("sign in: %w", err)
	}
	set, _, conf, err := s.oauth(ctx, p)
	if err != nil {
		return "", "", err
	}
	e := errand{Company: s.id, State: newSecret(""), Nonce: newSecret(""), Verifier: oauth2.GenerateVerifier(), Issuer: set.Issuer, Until: s.now().Add(ProviderLife)}
	raw, err := json.Marshal(e)
	if err != nil {
		return "", "", fmt.Errorf("sign in: %w", err)
	}
	sealed, err := s.seal("errand", raw)
	if err != nil {
		return "", "", fmt.Errorf("sign in: %w", err)
	}
	opts := []oauth2.AuthCodeOption{oidc.Nonce(e.Nonce), oauth2.S256ChallengeOption(e.Verifier)}
	if set.Domain != "" {
		opts = append(opts, oauth2.SetAuthURLParam("hd", set.Domain))
	}
	return conf.AuthCodeURL(e.State, opts...), s.id + "." + base64.RawURLEncoding.EncodeToString(sealed), nil
}

// FromProvider ends a sign-in by an identity provider: kept is what ToProvider
// had the browser keep, state and code are what the provider sent back. Errors
// are ErrProviderDown, ErrProviderRefused, ErrNotWelcome and those of the store.
func (h *Host) FromProvider(ctx context.Context, kept, state, code string, b Browser) (s *Service, secret string, err error) {
	id, sealed, _ := strings.Cut(kept, ".")
	if s, err = h.Of(ctx, id); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			err = ErrProviderRefused
		}
		return nil, "", err
	}
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err == nil {
		raw, err = s.unseal("errand", raw)
	}
	var e errand
	if err == nil {
		err = json.Unmarshal(raw, &e)
	}
	if err != nil || e.Company != s.id || !s.now().Before(e.Until) || state == "" || code == "" ||
		subtle.ConstantTimeCompare([]byte(e.State), []byte(state)) != 1 {
		return nil, "", fmt.Errorf("%w: it is not for this browser, or came too late", ErrProviderRefused)
	}
	var p store.Provider
	err = s.db.View(ctx, func(tx *store.Tx) (err error) { p, err = tx.Provider(s.id); return err })
	if errors.Is(err, store.ErrNotFound) {
		return nil, "", ErrNoProvider
	}
	if err != nil {
		return nil, "", fmt.Errorf("sign in: %w", err)
	}
	set, is, conf, err := s.oauth(ctx, p)
	if err != nil {
		return nil, "", err
	}
	if set.Issuer != e.Issuer {
		return nil, "", fmt.Errorf("%w: the provider was changed meanwhile", ErrProviderRefused)
	}
	who, err := s.identify(ctx, set, is, conf, e, code)
	if err != nil {
		return nil, "", err
	}
	secret, err = s.welcome(ctx, set, who, b)
	if errors.Is(err, ErrNotWelcome) {
		err = errors.Join(err, s.db.Tx(ctx, func(tx *store.Tx) error {
			return s.audit(tx, "sign-in-refused", set.Issuer, cut(err.Error(), 300))
		}))
	}
	return s, secret, err
}

// identity is what an ID token says, once it holds.
type identity struct {
	subject, name, email string
	verified             bool // the e-mail address is known to be theirs
	claims               map[string]any
}

// identify exchanges the code and verifies the ID token (OpenID Connect Core 1.0,
// section 3.1.3.7).
func (s *Service) identify(ctx context.Context, set Provider, is *oidc.Provider, conf *oauth2.Config, e errand, code string) (identity, error) {
	ctx = oidc.ClientContext(ctx, providerClient)
	no := func(err error) (identity, error) { return identity{}, fmt.Errorf("%w: %w", ErrProviderRefused, err) }
	tok, err := conf.Exchange(ctx, code, oauth2.VerifierOption(e.Verifier))
	var answered *oauth2.RetrieveError
	if errors.As(err, &answered) {
		return no(err)
	}
	if err != nil {
		return identity{}, fmt.Errorf("%w: %w", ErrProviderDown, err)
	}
	raw, _ := tok.Extra("id_token").(string)
	if raw == "" {
		return no(errors.New("it has no ID token"))
	}
	// Algorithms with a public key only: none and the symmetric ones never count.
	v := is.VerifierContext(ctx, &oidc.Config{ClientID: set.ClientID, Now: s.now, SupportedSigningAlgs: []string{oidc.RS256, oidc.RS384, oidc.RS512,
		oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA}})
	id, err := v.Verify(ctx, raw)
	if err != nil {
		return no(err)
	}
	var c struct {
		Name     string `json:"name"`
		Login    string `json:"preferred_username"`
		Email    string `json:"email"`
		Verified any    `json:"email_verified"` // some issuers send a word
		Party    string `json:"azp"`
		Domain   string `json:"hd"`
	}
	var all map[string]any
	if err := errors.Join(id.Claims(&c), id.Claims(&all)); err != nil {
		return no(err)
	}
	switch {
	case id.Issuer != set.Issuer:
		return no(errors.New("it is of another issuer"))
	case id.Subject == "" || len(id.Subject) > 255:
		return no(errors.New("it names nobody"))
	case subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(e.Nonce)) != 1:
		return no(errors.New("it is not for this sign-in"))
	case len(id.Audience) > 1 && c.Party != set.ClientID, c.Party != "" && c.Party != set.ClientID:
		return no(errors.New("it is for another program"))
	case id.IssuedAt.After(s.now().Add(skew)):
		return no(errors.New("it is from the future"))
	case set.Domain != "" && c.Domain != set.Domain:
		return identity{}, fmt.Errorf("%w: it is not of the domain %s", ErrNotWelcome, set.Domain)
	}
	if id.AccessTokenHash != "" {
		if err := id.VerifyAccessToken(tok.AccessToken); err != nil {
			return no(err)
		}
	}
	who := identity{subject: id.Subject, name: c.Name, email: strings.ToLower(c.Email), claims: all}
	who.verified = who.email != "" && (c.Verified == true || c.Verified == "true")
	for _, n := range []string{c.Login, c.Email, "User " + hexOf(id.Subject)} {
		if who.name == "" {
			who.name = n
		}
	}
	return who, nil
}

// hexOf is a short name for somebody who has none.
func hexOf(subject string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(subject)))[:8] }

// welcome finds the person, or makes them, and signs the browser in. Who somebody
// is, issuer and subject say, and nothing else. The first time a person who was
// added beforehand is found by an e-mail address that the issuer has
// verified; never one who has a password or another identity, so
// that nobody takes somebody else's place.
func (s *Service) welcome(ctx context.Context, set Provider, who identity, b Browser) (secret string, err error) {
	role, decides := set.roleOf(who.claims)
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		u, err := tx.UserByIdentity(s.id, set.Issuer, who.subject)
		if errors.Is(err, store.ErrNotFound) {
			u, err = s.firstTime(tx, set, who, role)
		}
		if err != nil {
			return err
		}
		if !u.DisabledAt.IsZero() {
			return fmt.Errorf("%w: %s is disabled", ErrNotWelcome, u.ID)
		}
		as := s.As(asUser(u).actor())
		if decides && role == "" {
			return fmt.Errorf("%w: %s is in no group that has a role", ErrNotWelcome, u.ID)
		}
		if decides && Role(u.Role) != role {
			before := asUser(u)
			if before.Role == Administrator {
				if err := s.notLast(tx, u.ID); err != nil {
					return fmt.Errorf("%w: %w", ErrNotWelcome, err)
				}
			}
			u.Role = string(role)
			if err := tx.UpdateUser(u); err != nil {
				return err
			}
			if err := s.changes(tx, "user-changed", u.ID, u.Name, before.said(), asUser(u).said()); err != nil {
				return err
			}
		}
		if secret, err = s.signIn(tx, b, u.ID, ViaProvider); err != nil {
			return err
		}
		return as.audit(tx, "signed-in", u.ID, ViaProvider)
	})
	if err != nil {
		return "", fmt.Errorf("sign in: %w", err)
	}
	return secret, nil
}

func (s *Service) firstTime(tx *store.Tx, set Provider, who identity, role Role) (store.User, error) {
	now := s.now()
	var u store.User
	err := store.ErrNotFound
	if who.verified {
		u, err = tx.UserByLogin(s.id, who.email)
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		if role == "" {
			return u, fmt.Errorf("%w: nobody has added them", ErrNotWelcome)
		}
		u = store.User{ID: store.NewID(now), Company: s.id, Name: who.name, Role: string(role), LogSessions: true, CreatedAt: now.UTC()}
		if who.verified {
			u.Login = who.email
		}
		if err := tidy(&u); err != nil {
			u.Login = ""
			u.Name = "User " + hexOf(who.subject)
		}
		if err := s.insertUser(tx, u); err != nil {
			return u, err
		}
	case err != nil:
		return u, err
	case u.Password != "" || u.Linked:
		return u, fmt.Errorf("%w: %s signs in otherwise", ErrNotWelcome, u.ID)
	}
	if err := tx.InsertIdentity(store.Identity{Company: s.id, Issuer: set.Issuer, Subject: who.subject, Owner: u.ID, CreatedAt: now}); err != nil {
		return u, err
	}
	return u, s.audit(tx, "user-linked", u.ID, set.Issuer)
}
