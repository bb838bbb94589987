package company_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"aval/summarizer/company"
	"aval/summarizer/store"
)

// issuer is an identity provider on loopback: what it answers the test decides.
type issuer struct {
	*httptest.Server
	key   *rsa.PrivateKey
	token func(claims map[string]any) string // makes the ID token out of good claims
	now   func() time.Time
	asked url.Values // what the browser was sent with
	got   url.Values // what was sent for the code
}

var issuerKey = func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
}()

func b64(v any) string {
	raw, ok := v.([]byte)
	if !ok {
		var err error
		if raw, err = json.Marshal(v); err != nil {
			panic(err)
		}
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// rs256 signs claims as a token of this key.
func rs256(key *rsa.PrivateKey, kid string, claims map[string]any) string {
	body := b64(map[string]any{"alg": "RS256", "kid": kid, "typ": "JWT"}) + "." + b64(claims)
	sum := sha256.Sum256([]byte(body))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return body + "." + b64(sig)
}

func startIssuer(t *testing.T, now func() time.Time) *issuer {
	i := &issuer{key: issuerKey, now: now}
	i.token = func(c map[string]any) string { return rs256(i.key, "k1", c) }
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"issuer": i.URL, "authorization_endpoint": i.URL + "/auth", "token_endpoint": i.URL + "/token", "jwks_uri": i.URL + "/keys",
			"id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"}})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"keys": []any{map[string]any{"kty": "RSA", "use": "sig", "kid": "k1", "alg": "RS256", "n": b64(i.key.N.Bytes()), "e": b64(big.NewInt(int64(i.key.E)).Bytes())}}})
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		i.got = r.PostForm
		sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
		if r.PostForm.Get("code") != "the-code" || b64(sum[:]) != i.asked.Get("code_challenge") {
			w.WriteHeader(http.StatusBadRequest)
			answer(w, map[string]string{"error": "invalid_grant"})
			return
		}
		claims := map[string]any{"iss": i.URL, "aud": "aval", "sub": "s-1", "nonce": i.asked.Get("nonce"), "iat": i.now().Unix(), "exp": i.now().Add(5 * time.Minute).Unix(),
			"name": "Ana Souza", "email": "ana@example.com", "email_verified": true, "groups": []string{"staff"}}
		answer(w, map[string]any{"access_token": "at", "token_type": "Bearer", "expires_in": 300, "id_token": i.token(claims)})
	})
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

// through goes to the issuer and back as a browser does.
func (i *issuer) through(t *testing.T, h *company.Host, co *company.Service, change func(kept, state, code *string)) (string, error) {
	t.Helper()
	to, kept, err := co.ToProvider(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	i.asked = u.Query()
	state, code := i.asked.Get("state"), "the-code"
	if change != nil {
		change(&kept, &state, &code)
	}
	_, secret, err := h.FromProvider(t.Context(), kept, state, code, company.Browser{Address: "192.0.2.1:1"})
	return secret, err
}

// The whole way by code, PKCE, state and nonce; the person is made with the role
// of their groups, and is the same one the next time.
func TestProvider(t *testing.T) {
	h, co, now := clocked(t)
	i := startIssuer(t, func() time.Time { return *now })
	p := company.Provider{Name: "Staff", Issuer: i.URL, ClientID: "aval", Groups: "groups", Roles: map[string]company.Role{"staff": company.Supporter, "leads": company.Editor}}
	if err := co.SetProvider(t.Context(), p, "client-secret"); err != nil {
		t.Fatal(err)
	}
	secret, err := i.through(t, h, co, nil)
	if err != nil {
		t.Fatal(err)
	}
	if i.asked.Get("code_challenge_method") != "S256" || i.asked.Get("response_type") != "code" || i.asked.Get("redirect_uri") != "https://support.example.com/sign-in/back" || len(i.asked.Get("state")) < 40 || len(i.asked.Get("nonce")) < 40 {
		t.Errorf("%v", i.asked)
	}
	_, in, err := h.SignedIn(t.Context(), secret)
	if err != nil || in.User.Name != "Ana Souza" || in.User.Login != "ana@example.com" || in.User.Role != company.Supporter || in.Via != company.ViaProvider || !in.User.Linked || !in.User.LogSessions {
		t.Fatalf("%+v %v", in, err)
	}
	i.token = func(c map[string]any) string { c["groups"] = []string{"leads", "staff"}; return rs256(i.key, "k1", c) }
	secret, err = i.through(t, h, co, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, again, err := h.SignedIn(t.Context(), secret); err != nil || again.User.ID != in.User.ID || again.User.Role != company.Editor {
		t.Errorf("%+v %v", again, err)
	}
	for name, change := range map[string]func(c map[string]any){
		"in no group":     func(c map[string]any) { c["groups"] = []string{"guests"} },
		"without a claim": func(c map[string]any) { delete(c, "groups") },
	} {
		i.token = func(c map[string]any) string { change(c); return rs256(i.key, "k1", c) }
		if _, err := i.through(t, h, co, nil); !errors.Is(err, company.ErrNotWelcome) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := co.DisableUser(t.Context(), in.User.ID); err != nil {
		t.Fatal(err)
	}
	i.token = func(c map[string]any) string { return rs256(i.key, "k1", c) }
	if _, err := i.through(t, h, co, nil); !errors.Is(err, company.ErrNotWelcome) {
		t.Errorf("disabled: %v", err)
	}
	// Neither the settings nor the audit log tell the client's secret.
	rows, err := co.Audits(t.Context(), store.AuditFilter{Action: "provider-set"})
	if err != nil || len(rows) != 1 || strings.Contains(fmt.Sprint(rows), "client-secret") || i.got.Get("client_secret") == "" && i.got.Get("code") == "" {
		t.Errorf("%+v %v", rows, err)
	}
}

// What an issuer's token must say, and whose browser it must be. Each row is a
// fault; with the check of the nonce left out "another sign-in's nonce" signed in, and
// with HS256 among the algorithms "signed with the public key" did.
func TestProviderRefuses(t *testing.T) {
	h, co, now := clocked(t)
	i := startIssuer(t, func() time.Time { return *now })
	if err := co.SetProvider(t.Context(), company.Provider{Issuer: i.URL, ClientID: "aval", Otherwise: company.Viewer}, ""); err != nil {
		t.Fatal(err)
	}
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&i.key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	hs256 := func(key []byte, c map[string]any) string {
		body := b64(map[string]any{"alg": "HS256", "kid": "k1"}) + "." + b64(c)
		m := hmac.New(sha256.New, key)
		m.Write([]byte(body))
		return body + "." + b64(m.Sum(nil))
	}
	with := func(key string, v any) func(map[string]any) string {
		return func(c map[string]any) string {
			if v == nil {
				delete(c, key)
			} else {
				c[key] = v
			}
			return rs256(i.key, "k1", c)
		}
	}
	good := i.token
	for name, token := range map[string]func(map[string]any) string{
		"no signature":               func(c map[string]any) string { return b64(map[string]any{"alg": "none"}) + "." + b64(c) + "." },
		"none, with a signature":     func(c map[string]any) string { return b64(map[string]any{"alg": "none"}) + "." + b64(c) + ".AAAA" },
		"signed with the public key": func(c map[string]any) string { return hs256(der, c) },
		"signed with the secret":     func(c map[string]any) string { return hs256(nil, c) },
		"a stranger's key":           func(c map[string]any) string { return rs256(stranger, "k1", c) },
		"a key that is not there":    func(c map[string]any) string { return rs256(stranger, "k2", c) },
		"another kind of key": func(c map[string]any) string {
			body := b64(map[string]any{"alg": "EdDSA", "kid": "k1"}) + "." + b64(c)
			return body + "." + b64(ed25519.Sign(edKey, []byte(body)))
		},
		"changed after signing": func(c map[string]any) string {
			part := strings.Split(rs256(i.key, "k1", c), ".")
			d := maps.Clone(c)
			d["sub"] = "somebody-else"
			return part[0] + "." + b64(d) + "." + part[2]
		},
		"for another program":         with("aud", "other"),
		"for nobody":                  with("aud", nil),
		"for two, ours not the party": with("aud", []string{"aval", "other"}),
		"another party":               with("azp", "other"),
		"another issuer":              with("iss", "https://login.example.com"),
		"an issuer with a slash":      with("iss", i.URL+"/"),
		"no issuer":                   with("iss", nil),
		"another sign-in's nonce":     with("nonce", "x"),
		"no nonce":                    with("nonce", nil),
		"expired":                     with("exp", now.Add(-time.Minute).Unix()),
		"without an end":              with("exp", nil),
		"from the future":             with("iat", now.Add(time.Hour).Unix()),
		"not yet":                     with("nbf", now.Add(time.Hour).Unix()),
		"nobody":                      with("sub", ""),
		"a hash of another token":     with("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"),
		"no token":                    func(map[string]any) string { return "" },
		"no JWT":                      func(map[string]any) string { return "a.b" },
	} {
		i.token = token
		if _, err := i.through(t, h, co, nil); !errors.Is(err, company.ErrProviderRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	i.token = good
	other, err := h.Create(t.Context(), "Other", "en", "", company.Command)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(kept, state, code *string){
		"another browser's cookie": func(kept, _, _ *string) {
			_, *kept, _ = co.ToProvider(t.Context())
		},
		"no cookie":            func(kept, _, _ *string) { *kept = "" },
		"another company's":    func(kept, _, _ *string) { _, rest, _ := strings.Cut(*kept, "."); *kept = other.ID() + "." + rest },
		"a damaged cookie":     func(kept, _, _ *string) { *kept += "A" },
		"another state":        func(_, state, _ *string) { *state = "x" },
		"no state":             func(_, state, _ *string) { *state = "" },
		"no code":              func(_, _, code *string) { *code = "" },
		"somebody else's code": func(_, _, code *string) { *code = "x" },
		"too late":             func(_, _, _ *string) { *now = now.Add(company.ProviderLife) },
	} {
		if _, err := i.through(t, h, co, change); !errors.Is(err, company.ErrProviderRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if list, err := co.Users(t.Context(), company.UserFilter{}); err != nil || len(list) != 0 {
		t.Errorf("%+v %v", list, err)
	}
	if _, err := i.through(t, h, co, nil); err != nil {
		t.Errorf("the good one: %v", err)
	}
	i.Close()
	*now = now.Add(2 * time.Hour)
	if _, _, err := co.ToProvider(t.Context()); !errors.Is(err, company.ErrProviderDown) {
		t.Errorf("down: %v", err)
	}
}

// Nobody takes somebody else's place by an e-mail address: an identity is tied to
// a person who was added beforehand only by an address that the issuer has verified,
// and never to one who signs in already. Planted: without the look at verified the
// second row became Bia.
func TestProviderTakesNobodysPlace(t *testing.T) {
	h, co, now := clocked(t)
	i := startIssuer(t, func() time.Time { return *now })
	if err := co.SetProvider(t.Context(), company.Provider{Issuer: i.URL, ClientID: "aval", Otherwise: company.Viewer}, ""); err != nil {
		t.Fatal(err)
	}
	bia, err := co.CreateUser(t.Context(), company.NewUser{Name: "Bia", Login: "bia@example.com", Role: company.Administrator})
	if err != nil {
		t.Fatal(err)
	}
	as := func(sub, email string, verified any) (string, error) {
		i.token = func(c map[string]any) string {
			c["sub"], c["email"], c["email_verified"] = sub, email, verified
			return rs256(i.key, "k1", c)
		}
		secret, err := i.through(t, h, co, nil)
		if err != nil {
			return "", err
		}
		_, in, err := h.SignedIn(t.Context(), secret)
		return in.User.ID, err
	}
	for _, verified := range []any{false, nil, "no", 1, "TRUE"} {
		if id, err := as(fmt.Sprint("unverified", verified), "bia@example.com", verified); err != nil || id == bia.ID {
			t.Errorf("%v: %v", verified, err)
		}
	}
	if id, err := as("s-bia", "Bia@Example.com", true); err != nil || id != bia.ID {
		t.Errorf("%v %v", id, err)
	}
	if _, err := as("s-mallory", "bia@example.com", true); !errors.Is(err, company.ErrNotWelcome) {
		t.Errorf("a second identity: %v", err)
	}
	if id, err := as("s-bia", "somebody@example.com", true); err != nil || id != bia.ID {
		t.Errorf("the address changed: %v %v", id, err)
	}
	person(t, h, co, "caio@example.com", company.Administrator)
	if _, err := as("s-caio", "caio@example.com", true); !errors.Is(err, company.ErrNotWelcome) {
		t.Errorf("one with a password: %v", err)
	}
}

// Shapes of three issuers.
func TestProviderShapes(t *testing.T) {
	h, co, now := clocked(t)
	for name, row := range map[string]struct {
		p     company.Provider
		token func(map[string]any)
		want  company.Role // empty: refused
	}{
		"Keycloak, roles of the realm": {company.Provider{Groups: "realm_access.roles", Roles: map[string]company.Role{"aval-admin": company.Administrator}},
			func(c map[string]any) {
				c["realm_access"] = map[string]any{"roles": []string{"offline_access", "aval-admin"}}
				c["azp"], c["preferred_username"] = "aval", "ana"
			}, company.Administrator},
		"Keycloak, groups with paths": {company.Provider{Roles: map[string]company.Role{"/support": company.Supporter}},
			func(c map[string]any) { c["groups"] = []string{"/support", "/support/night"} }, company.Supporter},
		"Entra, ids of groups, no word on the address": {company.Provider{Roles: map[string]company.Role{"6a1f2f3e-0000-0000-0000-000000000001": company.Auditor}},
			func(c map[string]any) {
				c["groups"], c["tid"], c["preferred_username"] = []string{"6a1f2f3e-0000-0000-0000-000000000001"}, "t", "ana@example.com"
				delete(c, "email_verified")
			}, company.Auditor},
		"Entra, roles of the app": {company.Provider{Groups: "roles", Roles: map[string]company.Role{"Billing": company.Billing}},
			func(c map[string]any) { c["roles"] = []string{"Billing"} }, company.Billing},
		"Google, the domain": {company.Provider{Domain: "example.com", Otherwise: company.Viewer},
			func(c map[string]any) { c["hd"] = "example.com" }, company.Viewer},
		"Google, another domain":       {company.Provider{Domain: "example.com", Otherwise: company.Viewer}, func(c map[string]any) { c["hd"] = "example.org" }, ""},
		"Google, somebody's own":       {company.Provider{Domain: "example.com", Otherwise: company.Viewer}, func(c map[string]any) { delete(c, "hd") }, ""},
		"nobody is let in by default":  {company.Provider{}, func(map[string]any) {}, ""},
		"groups that are no list":      {company.Provider{Roles: map[string]company.Role{"staff": company.Viewer}}, func(c map[string]any) { c["groups"] = map[string]any{"staff": true} }, ""},
		"an object where a word stood": {company.Provider{Groups: "a.b", Roles: map[string]company.Role{"x": company.Viewer}}, func(c map[string]any) { c["a"] = "x" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			i := startIssuer(t, func() time.Time { return *now })
			p := row.p
			p.Issuer, p.ClientID = i.URL, "aval"
			if err := co.SetProvider(t.Context(), p, ""); err != nil {
				t.Fatal(err)
			}
			i.token = func(c map[string]any) string {
				c["email"] = strings.ReplaceAll(strings.ToLower(name), " ", "-") + "@example.com"
				row.token(c)
				return rs256(i.key, "k1", c)
			}
			secret, err := i.through(t, h, co, nil)
			if row.want == "" {
				if !errors.Is(err, company.ErrNotWelcome) {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, in, err := h.SignedIn(t.Context(), secret); err != nil || in.User.Role != row.want {
				t.Errorf("%+v %v", in.User, err)
			}
		})
	}
	for _, p := range []company.Provider{
		{Issuer: "http://login.example.com", ClientID: "x"}, {Issuer: "https://login.example.com"}, {Issuer: "login.example.com", ClientID: "x"}, {Issuer: "https://user@login.example.com", ClientID: "x"},
		{Issuer: "https://accounts.google.com", ClientID: "x"}, {Issuer: "https://login.microsoftonline.com/common/v2.0", ClientID: "x"},
		{Issuer: "https://login.example.com", ClientID: "x", Otherwise: "boss"}, {Issuer: "https://login.example.com", ClientID: "x", Roles: map[string]company.Role{"a": "boss"}},
	} {
		if err := co.SetProvider(t.Context(), p, ""); err == nil {
			t.Errorf("%+v was taken", p)
		}
	}
}
