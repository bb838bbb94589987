package company_test

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/record"
	"aval/agent/wire"
	"aval/summarizer/company"
	"aval/summarizer/store"
	"aval/summarizer/store/storetest"
)

var t0 = time.Date(2026, 8, 3, 9, 0, 0, 0, time.UTC)

func openCompany(t *testing.T, dir string, now *time.Time) (*store.DB, *company.Service) {
	t.Helper()
	db, h := openHost(t, dir, now)
	co, err := h.Home(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return db, co
}

func openHost(t *testing.T, dir string, now *time.Time) (*store.DB, *company.Host) {
	t.Helper()
	db, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	co, err := company.Open(t.Context(), db, company.Options{Name: "Example Support", Server: "https://127.0.0.1:8443", Now: func() time.Time { return *now }})
	if err != nil {
		t.Fatal(err)
	}
	return db, co
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The first start leaves a link and a token in 0600 files, keeps them as long as
// they can be used, replaces them when they cannot, and takes them away when
// somebody has signed in and a device is enrolled.
func TestFirstStart(t *testing.T) {
	dir, now := storetest.Dir(t), t0
	db, co := openHost(t, dir, &now)
	home, err := co.Home(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f := co.First()
	if f == nil || f.Link != strings.TrimSpace(read(t, f.LinkFile)) || !strings.HasPrefix(f.Link, "https://127.0.0.1:8443/sign-in?token=") {
		t.Fatalf("first start %+v", f)
	}
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if path != dir && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is open to others: %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var tok wire.TokenFile
	if err := json.Unmarshal([]byte(read(t, f.TokenFile)), &tok); err != nil || tok.Server != "https://127.0.0.1:8443" || tok.Pin != co.Pin() ||
		tok.Company != "Example Support" || len(tok.Token) < 40 {
		t.Errorf("token file %+v, %v", tok, err)
	}
	key, pin := home.PublicKey(), co.Pin()
	again := func() *company.Host {
		t.Helper()
		_ = db.Close()
		db, co = openHost(t, dir, &now)
		if home, err = co.Home(t.Context()); err != nil {
			t.Fatal(err)
		}
		return co
	}
	if g := again().First(); g.Link != f.Link || read(t, f.TokenFile) == "" || !home.PublicKey().Equal(key) || co.Pin() != pin {
		t.Error("a second start changes what is still good")
	}
	now = now.Add(25 * time.Hour)
	g := again().First()
	if g.Link == f.Link || strings.Contains(read(t, f.TokenFile), tok.Token) {
		t.Error("what has expired is not replaced")
	}
	_, secret, _ := strings.Cut(g.Link, "?token=")
	if err := json.Unmarshal([]byte(read(t, f.TokenFile)), &tok); err != nil {
		t.Fatal(err)
	}
	err = db.Tx(t.Context(), func(tx *store.Tx) error {
		_, err := tx.UseAdminLink(company.Hash(secret), now)
		if err != nil {
			return err
		}
		if _, err := tx.UseAdminLink(company.Hash(secret), now); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the link works twice: %v", err)
		}
		if _, err := tx.UseEnrolToken(company.Hash(tok.Token), "d1", now); err != nil {
			return err
		}
		return tx.InsertDevice(store.Device{ID: "d1", Company: home.ID(), EnrolledAt: now}, "k", make([]byte, 32))
	})
	if err != nil {
		t.Fatal(err)
	}
	if h := again().First(); h != nil {
		t.Errorf("first start goes on: %+v", h)
	}
	for _, file := range []string{g.LinkFile, g.TokenFile} {
		if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there", file)
		}
	}
	// No secret in the database.
	if err := db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if raw := string(storetest.Content(t, dir)); !strings.Contains(raw, home.ID()) || strings.Contains(raw, tok.Token) || strings.Contains(raw, secret) {
		t.Error("a secret is stored in the clear")
	}
}

// Options go up by one whenever they are signed anew, and stay the same bytes in
// between.
func TestOptions(t *testing.T) {
	now := t0
	db, co := openCompany(t, storetest.Dir(t), &now)
	err := db.Tx(t.Context(), func(tx *store.Tx) error {
		return tx.InsertDevice(store.Device{ID: "d1", Company: co.ID(), EnrolledAt: now}, "k", make([]byte, 32))
	})
	if err != nil {
		t.Fatal(err)
	}
	get := func() (string, record.Options) {
		t.Helper()
		env, err := co.Options(t.Context(), "d1")
		if err != nil {
			t.Fatal(err)
		}
		var o record.Options
		if _, err := record.OpenAs(env, record.OneKey(co.PublicKey()), record.TypePolicy, &o); err != nil {
			t.Fatal(err)
		}
		return string(env), o
	}
	first, o := get()
	want := record.Options{V: 1, Company: co.ID(), Device: "d1", Version: 1, At: t0, Expires: t0.Add(30 * 24 * time.Hour), CompanyName: "Example Support",
		Outgoing: consent.OutgoingAll, Incoming: consent.IncomingOff, IncomingEnforced: true, LogSessions: true, Engine: "rules", RetentionDays: 90}
	if o != want {
		t.Errorf("options\n got %+v\nwant %+v", o, want)
	}
	now = now.Add(6 * 24 * time.Hour)
	if again, _ := get(); again != first {
		t.Error("signed anew without need")
	}
	now = now.Add(2 * 24 * time.Hour)
	if _, o := get(); o.Version != 2 || !o.At.Equal(now) {
		t.Errorf("after a week: %+v", o)
	}
	c, err := co.Company(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.Name = "Example Help"
	if err := db.Tx(t.Context(), func(tx *store.Tx) error { return tx.UpdateCompany(c) }); err != nil {
		t.Fatal(err)
	}
	if _, o := get(); o.Version != 3 || o.CompanyName != "Example Help" {
		t.Errorf("after a change: %+v", o)
	}
	now = t0.Add(-time.Hour) // a clock put back must not take the version back
	if _, o := get(); o.Version != 4 {
		t.Errorf("after the clock was put back: %+v", o)
	}
}

// Without its key a company is not opened with another one. On PostgreSQL a missing
// file comes back from the sealed copy, see TestPostgresServersShareKeys.
func TestSQLiteMissingKeyIsNotReplaced(t *testing.T) {
	dir, now := storetest.Dir(t), t0
	db, co := openCompany(t, dir, &now)
	_ = db.Close()
	file := filepath.Join(dir, "keys", co.ID()+".pem")
	for name, spoil := range map[string]func() error{
		"damaged": func() error { return os.WriteFile(file, []byte("x"), 0o600) },
		"missing": func() error { return os.Remove(file) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		db, err := store.Open(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		_, err = company.Open(t.Context(), db, company.Options{})
		if err == nil || !strings.Contains(err.Error(), "backup") {
			t.Errorf("%s: %v", name, err)
		}
		_ = db.Close()
	}
}

// Without TLS in this process nobody enrols: a gateway in front that opens TLS
// would break the proof.
func TestEnrollNeedsTLS(t *testing.T) {
	now := t0
	_, co := openHost(t, storetest.Dir(t), &now)
	w := httptest.NewRecorder()
	co.Enroll().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "http://127.0.0.1/enroll", strings.NewReader("{}")))
	if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "TLS") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func FuzzDecodeEnroll(f *testing.F) {
	good, err := json.Marshal(wire.EnrollRequest{Token: "t", DevicePublicKey: make([]byte, 32), Proof: make([]byte, 64)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(append(good, good...))
	f.Add([]byte(`{"token":"t","surprise":1}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := company.DecodeEnroll(raw)
		if err == nil && (r.Token == "" || len(r.DevicePublicKey) != ed25519.PublicKeySize || len(r.Proof) != ed25519.SignatureSize) {
			t.Errorf("%+v", r)
		}
	})
}
