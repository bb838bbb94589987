package integration

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"aval/summarizer/store"
)

// remote is a system that keeps summaries: ServiceNow or Salesforce.
type remote struct {
	h *Hub
	e store.Endpoint
	c Config
	s Secrets
}

// keeper is what each of them does.
type keeper interface {
	// put makes what the system keeps of a session agree with in: one record, or
	// one note for each revision. It may be repeated after any failure.
	put(ctx context.Context, in content, known string) (answer, error)
	// drop takes it away, or says that it does not hold any more.
	drop(ctx context.Context, in content, known string) (answer, error)
	// ping only looks whether it could.
	ping(ctx context.Context) (answer, error)
}

func (r remote) keeper() keeper {
	if r.e.Kind == store.ServiceNow {
		return serviceNow{r}
	}
	return salesforce{r}
}

// sendNote makes what an endpoint keeps of a session agree with what is stored
// now. An older delivery that comes late does no harm: it sends what holds now.
func (h *Hub) sendNote(ctx context.Context, e store.Endpoint, c Config, s Secrets, d store.Delivery) (answer, *store.Note, error) {
	k := remote{h, e, c, s}.keeper()
	if d.Type == store.Ping {
		a, err := k.ping(ctx)
		return a, nil, err
	}
	var in content
	var known store.Note
	err := h.db.View(ctx, func(t *store.Tx) (err error) {
		if in, err = load(t, d.Key); err != nil {
			return err
		}
		known, err = t.Note(e.ID, d.Key)
		return err
	})
	never := errors.Is(err, store.ErrNotFound)
	if err != nil && (!never || in.stream.Ref == "") {
		return answer{}, nil, err
	}
	note := &store.Note{Key: d.Key, Endpoint: e.ID, Remote: known.Remote, Revision: in.revision, UpdatedAt: h.now()}
	var a answer
	if in.exists {
		a, err = k.put(ctx, in, known.Remote)
	} else {
		// An attempt may have come through without its answer: what was never noted
		// is looked for too.
		in.revision = d.Revision
		a, err = k.drop(ctx, in, known.Remote)
		note.Revision = 0
	}
	if a.remote != "" {
		note.Remote = a.remote
	}
	if err != nil {
		return a, nil, err
	}
	return a, note, nil
}

// token is an access token of OAuth.
type token struct {
	version  int64 // of the endpoint that it was got with
	value    string
	instance string // where Salesforce wants the calls
	api      string // the version of Salesforce's API
	expires  time.Time
}

// tokens are kept in memory only.
type tokens struct {
	mu sync.Mutex
	of map[string]token
}

func (t *tokens) get(e store.Endpoint, now time.Time) (token, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k, ok := t.of[e.ID]
	return k, ok && k.version == e.Version && now.Before(k.expires)
}

func (t *tokens) put(id string, k token) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.of == nil {
		t.of = map[string]token{}
	}
	t.of[id] = k
}

func (t *tokens) drop(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.of, id)
}

// assertion is a JWT that the server signs with the endpoint's key: RFC 7523,
// RS256 (RFC 7518). Salesforce takes no more than five minutes.
func (r remote) assertion(now time.Time) (string, error) {
	key, err := rsaKey(r.s.Key)
	if err != nil {
		return "", err
	}
	aud := r.c.Audience
	if aud == "" {
		aud = r.c.URL
	}
	claims, err := json.Marshal(map[string]any{"iss": r.c.ClientID, "sub": r.c.User, "aud": aud, "iat": now.Unix(), "exp": now.Add(3 * time.Minute).Unix(), "jti": store.NewID(now)})
	if err != nil {
		return "", err
	}
	enc := base64.RawURLEncoding
	text := enc.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + enc.EncodeToString(claims)
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	return text + "." + enc.EncodeToString(sig), err
}

// login gets an access token, or the one that still counts.
func (r remote) login(ctx context.Context, path string) (token, error) {
	now := r.h.now()
	if k, ok := r.h.tokens.get(r.e, now); ok {
		return k, nil
	}
	form := url.Values{}
	if r.c.Auth == JWT {
		a, err := r.assertion(now)
		if err != nil {
			return token{}, final(err)
		}
		form.Set("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
		form.Set("assertion", a)
	} else {
		form.Set("grant_type", "client_credentials")
	}
	if r.s.Client != "" {
		form.Set("client_id", r.c.ClientID)
		form.Set("client_secret", r.s.Client)
	}
	req, err := r.h.request(ctx, http.MethodPost, r.c.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		return token{}, final(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a, err := r.h.do(req)
	if err != nil {
		return token{}, err
	}
	var body struct {
		Token    string `json:"access_token"`
		Expires  any    `json:"expires_in"` // seconds, a number or a text
		Instance string `json:"instance_url"`
		Error    string `json:"error"`
	}
	switch {
	case a.status == http.StatusBadRequest, a.status == http.StatusUnauthorized, a.status == http.StatusForbidden:
		_ = a.json(&body) // without it there is no reason to tell
		return token{}, fmt.Errorf("%w: %s", errLogin, short(body.Error))
	case a.status/100 != 2:
		return token{}, a.failed("the sign-in")
	}
	if err := a.json(&body); err != nil {
		return token{}, err
	}
	if body.Token == "" {
		return token{}, errors.New("the sign-in gave no access token")
	}
	k := token{version: r.e.Version, value: body.Token, instance: strings.TrimSuffix(body.Instance, "/"), expires: now.Add(seconds(body.Expires))}
	if k.instance == "" || r.e.Kind != store.Salesforce { // only Salesforce says where
		k.instance = r.c.URL
	}
	if _, err := r.h.guard.check(k.instance); err != nil {
		return token{}, final(fmt.Errorf("the sign-in points to another address: %w", err))
	}
	r.h.tokens.put(r.e.ID, k)
	return k, nil
}

// seconds is how long a token is used: what was said less a minute, a quarter of
// an hour where nothing was (Salesforce says nothing).
func seconds(v any) time.Duration {
	n, err := time.ParseDuration(fmt.Sprint(v) + "s")
	if err != nil || n <= 0 {
		return 15 * time.Minute
	}
	return max(min(n, 12*time.Hour)-time.Minute, 10*time.Second)
}

// short makes a code of somebody else's fit to show.
func short(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r == ' ' || r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, s)
	if len(s) > 120 {
		s = s[:120]
	}
	if s == "" {
		return "no reason was given"
	}
	return s
}

// call speaks to the system with an access token; one that is not taken any more
// is got anew, once. path is below the instance.
func (r remote) call(ctx context.Context, login, method, path string, body any) (a answer, err error) {
	var raw []byte
	if body != nil {
		if raw, err = json.Marshal(body); err != nil {
			return a, final(err)
		}
	}
	for try := range 2 {
		k, err := r.login(ctx, login)
		if err != nil {
			return a, err
		}
		var rd io.Reader
		if raw != nil {
			rd = bytes.NewReader(raw)
		}
		req, err := r.h.request(ctx, method, k.instance+path, rd)
		if err != nil {
			return a, final(err)
		}
		if raw != nil {
			req.Header.Set("Content-Type", "application/json")
		}
		req.Header.Set("Authorization", "Bearer "+k.value)
		a, err = r.h.do(req)
		if err != nil || a.status != http.StatusUnauthorized {
			return a, err
		}
		r.h.tokens.drop(r.e.ID)
		if try == 1 {
			return a, errLogin
		}
	}
	return a, errLogin
}
