package company

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"aval/summarizer/store"
)

// Provider is a company's identity provider, an OpenID Connect issuer. It is set
// at the server's command line and not in the console: the server fetches what
// stands at its address, and companies do not choose where the server reaches.
type Provider struct {
	Name     string `json:"name"`   // on the button
	Issuer   string `json:"issuer"` // exactly as the issuer names itself
	ClientID string `json:"client_id"`
	// Groups is the claim that lists a person's groups, with dots into objects:
	// groups (Entra, Keycloak with a mapper), realm_access.roles (Keycloak).
	Groups string `json:"groups,omitempty"`
	// Roles says which role the members of a group get; of several the last one in
	// the order of Roles() counts. It is looked at with each sign-in.
	Roles map[string]Role `json:"roles,omitempty"`
	// Otherwise is the role of people who are in none of these groups; empty: they
	// do not get in, unless they were added before and no group is asked for.
	Otherwise Role `json:"otherwise,omitempty"`
	// Domain is what the claim hd must say (Google); empty: it is not asked.
	Domain string `json:"domain,omitempty"`
}

func decodeProvider(raw string) Provider {
	var p Provider
	if err := json.Unmarshal([]byte(raw), &p); err != nil {
		return Provider{}
	}
	return p
}

// check refuses what cannot work or is not safe.
func (p *Provider) check() error {
	p.Name, p.Issuer, p.ClientID, p.Groups = cleanName(strings.TrimSpace(p.Name)), strings.TrimSpace(p.Issuer), strings.TrimSpace(p.ClientID), strings.TrimSpace(p.Groups)
	u, err := url.Parse(p.Issuer)
	switch {
	case err != nil || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return fmt.Errorf("the issuer %q is not an address like https://login.example.com/realms/staff", p.Issuer)
	case u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())):
		return errors.New("the issuer's address begins with https://")
	case p.ClientID == "":
		return errors.New("the client's id is missing: what the issuer calls this server")
	}
	if u.Hostname() == "accounts.google.com" && p.Domain == "" {
		return errors.New("everybody has an account at this issuer: name your domain, whose people are meant")
	}
	if strings.HasSuffix(u.Hostname(), "login.microsoftonline.com") && (strings.HasPrefix(u.Path, "/common") || strings.HasPrefix(u.Path, "/organizations") || strings.HasPrefix(u.Path, "/consumers")) {
		return errors.New("this issuer is everybody's: name your own tenant's, https://login.microsoftonline.com/TENANT/v2.0")
	}
	if p.Name == "" {
		p.Name = u.Hostname()
	}
	if len(p.Roles) > 0 && p.Groups == "" {
		p.Groups = "groups"
	}
	for group, role := range p.Roles {
		if !role.Valid() {
			return fmt.Errorf("group %s: there is no role %s", group, role)
		}
	}
	if p.Otherwise != "" && !p.Otherwise.Valid() {
		return fmt.Errorf("there is no role %s", p.Otherwise)
	}
	return nil
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// SetProvider sets the company's identity provider. The secret is kept sealed
// and never shown again; empty: the client has none (PKCE alone).
func (s *Service) SetProvider(ctx context.Context, p Provider, secret string) error {
	if err := p.check(); err != nil {
		return fmt.Errorf("set identity provider: %w", err)
	}
	raw, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("set identity provider: %w", err)
	}
	sealed, err := s.seal("provider", []byte(secret))
	if err != nil {
		return fmt.Errorf("set identity provider: %w", err)
	}
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		var before any
		if old, err := tx.Provider(s.id); err == nil {
			before = decodeProvider(old.Settings)
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err := tx.SetProvider(s.id, store.Provider{Settings: string(raw), Secret: sealed, SetAt: s.now()}); err != nil {
			return err
		}
		return s.changes(tx, "provider-set", p.Issuer, "", before, p)
	})
	if err != nil {
		return fmt.Errorf("set identity provider: %w", err)
	}
	return nil
}

// DropProvider takes the company's identity provider away; who signed in by it
// stays signed in until that ends.
func (s *Service) DropProvider(ctx context.Context) error {
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		old, err := tx.Provider(s.id)
		if err != nil {
			return err
		}
		if err := tx.DropProvider(s.id); err != nil {
			return err
		}
		return s.changes(tx, "provider-dropped", "", "", decodeProvider(old.Settings), nil)
	})
	if errors.Is(err, store.ErrNotFound) {
		return ErrNoProvider
	}
	if err != nil {
		return fmt.Errorf("take identity provider away: %w", err)
	}
	return nil
}

// ErrNoProvider: the company has no identity provider.
var ErrNoProvider = errors.New("the company has no identity provider")

// Provider is the company's identity provider; ErrNoProvider.
func (s *Service) Provider(ctx context.Context) (Provider, error) {
	var p store.Provider
	err := s.db.View(ctx, func(tx *store.Tx) (err error) { p, err = tx.Provider(s.id); return err })
	if errors.Is(err, store.ErrNotFound) {
		return Provider{}, ErrNoProvider
	}
	if err != nil {
		return Provider{}, fmt.Errorf("show identity provider: %w", err)
	}
	return decodeProvider(p.Settings), nil
}

// roleOf is the role that the claims give; changes says that groups decide it.
func (p Provider) roleOf(claims map[string]any) (role Role, decides bool) {
	if len(p.Roles) == 0 {
		return p.Otherwise, false
	}
	var best = -1
	for _, g := range groupsIn(claims, p.Groups) {
		if r, ok := p.Roles[g]; ok {
			best = max(best, slices.Index(Roles(), r))
		}
	}
	if best >= 0 {
		return Roles()[best], true
	}
	return p.Otherwise, true
}

// groupsIn reads a claim that is a list of words or one word, by a path of dots.
// A name with dots that is there as it stands counts first.
func groupsIn(claims map[string]any, path string) []string {
	var v any = claims[path]
	if v == nil {
		v = claims
		for _, part := range strings.Split(path, ".") {
			m, ok := v.(map[string]any)
			if !ok {
				return nil
			}
			v = m[part]
		}
	}
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, g := range v {
			if s, ok := g.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

// providerClient fetches the issuer's documents: no proxy of the environment's,
// no long answers, and never a redirect to somewhere else.
var providerClient = &http.Client{
	Timeout: 10 * time.Second,
	CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if r.URL.Host != via[0].URL.Host || len(via) > 3 {
			return errors.New("the identity provider leads elsewhere")
		}
		return nil
	},
	Transport: short{&http.Transport{DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext, TLSHandshakeTimeout: 5 * time.Second,
		ResponseHeaderTimeout: 5 * time.Second, MaxResponseHeaderBytes: 64 << 10, ForceAttemptHTTP2: true, IdleConnTimeout: time.Minute}},
}

// maxProviderAnswer is the longest answer of an issuer that is read, in bytes.
const maxProviderAnswer = 1 << 20

// short cuts answers off at maxProviderAnswer.
type short struct{ http.RoundTripper }

func (s short) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := s.RoundTripper.RoundTrip(r)
	if err == nil {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, maxProviderAnswer), res.Body}
	}
	return res, err
}
