package company_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"aval/summarizer/company"
	"aval/summarizer/store"
	"aval/summarizer/store/storetest"
)

// node opens a server of its own data folder on the database of another's.
func node(t *testing.T, dir, like string) (*company.Host, *store.DB, error) {
	t.Helper()
	if like != "" {
		address, err := os.ReadFile(filepath.Join(like, store.AddressFile))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, store.AddressFile), address, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	db, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	h, err := company.Open(t.Context(), db, company.Options{Fallback: "https://" + filepath.Base(filepath.Dir(dir)) + ".example.com"})
	return h, db, err
}

func copyKey(t *testing.T, from, to string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(from, company.ServerKey))
	if err == nil {
		err = errors.Join(os.MkdirAll(filepath.Join(to, "keys"), 0o700), os.WriteFile(filepath.Join(to, company.ServerKey), raw, 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A second server on the same database needs one file of the first, and is then
// the same to everybody: the same company key, the same pin, the same address; a
// company that one makes the other knows. Without the file, with another one, or
// with a certificate of its own it does not start. What the database holds stands
// sealed. Planted: a server that made a key where there were others was found.
func TestPostgresServersShareKeys(t *testing.T) {
	one := storetest.Dir(t)
	a, db, err := node(t, one, "")
	if err != nil {
		t.Fatal(err)
	}
	home, err := a.Home(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	two := t.TempDir()
	if _, _, err := node(t, two, one); err == nil || !strings.Contains(err.Error(), "copy its DATA/keys/server.key") {
		t.Fatalf("without the key: %v", err)
	}
	if list, _ := os.ReadDir(filepath.Join(two, "keys")); len(list) != 0 {
		t.Errorf("it made keys: %v", list)
	}
	wrong := t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(wrong, "keys"), 0o700), os.WriteFile(filepath.Join(wrong, company.ServerKey), make([]byte, 32), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := node(t, wrong, one); err == nil || !strings.Contains(err.Error(), "not the key of the other servers") {
		t.Errorf("with another key: %v", err)
	}
	own := t.TempDir()
	copyKey(t, one, own)
	if err := errors.Join(os.Mkdir(filepath.Join(own, "tls"), 0o700), os.WriteFile(filepath.Join(own, "tls", "key.pem"), []byte("own"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := node(t, own, one); err == nil || !strings.Contains(err.Error(), "move it away") {
		t.Errorf("with a certificate of its own: %v", err)
	}

	two = t.TempDir()
	copyKey(t, one, two)
	b, _, err := node(t, two, one)
	if err != nil {
		t.Fatal(err)
	}
	same, err := b.Of(t.Context(), home.ID())
	if err != nil || !same.PublicKey().Equal(home.PublicKey()) || b.Pin() != a.Pin() || b.Pin() == "" || b.Server() != a.Server() {
		t.Errorf("the second is another: %v, %s %s, %s %s", err, a.Pin(), b.Pin(), a.Server(), b.Server())
	}
	made, err := b.Create(t.Context(), "Second Example", "en", "", company.Command)
	if err != nil {
		t.Fatal(err)
	}
	if there, err := a.Of(t.Context(), made.ID()); err != nil || !there.PublicKey().Equal(made.PublicKey()) {
		t.Errorf("a company that the other made: %v", err)
	}
	for _, name := range []string{company.ServerKey, "keys/" + made.ID() + ".pem", "tls/key.pem"} {
		if st, err := os.Stat(filepath.Join(two, name)); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, st, err)
		}
	}
	// What the database holds says nothing without the key.
	err = db.View(t.Context(), func(tx *store.Tx) error {
		rows, err := tx.SealedFiles()
		if len(rows) < 3 {
			t.Errorf("%d sealed files", len(rows))
		}
		for name, sealed := range rows {
			plain, err := os.ReadFile(filepath.Join(two, filepath.FromSlash(name)))
			if err != nil || len(plain) < 32 || bytes.Contains(sealed, plain[len(plain)/2:]) || bytes.Contains(sealed, []byte("PRIVATE KEY")) {
				t.Errorf("%s stands open: %v", name, err)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Servers with the same key that start together on an empty database make one
// company. Planted: without the look inside of the transaction they made several.
func TestPostgresFirstStartTogether(t *testing.T) {
	one := storetest.Dir(t)
	storetest.Once(t, one)
	if err := errors.Join(os.Mkdir(filepath.Join(one, "keys"), 0o700), os.WriteFile(filepath.Join(one, company.ServerKey), bytes.Repeat([]byte{7}, 32), 0o600)); err != nil {
		t.Fatal(err)
	}
	dirs := []string{one}
	for range 2 {
		d := t.TempDir()
		copyKey(t, one, d)
		dirs = append(dirs, d)
	}
	hosts := make([]*company.Host, len(dirs))
	var wg sync.WaitGroup
	for i, d := range dirs {
		like := one
		if i == 0 {
			like = ""
		}
		wg.Go(func() {
			h, _, err := node(t, d, like)
			if err != nil && !strings.Contains(err.Error(), "move it away") { // both had made a certificate
				t.Errorf("server %d: %v", i, err)
			}
			hosts[i] = h
		})
	}
	wg.Wait()
	for _, h := range hosts {
		if h == nil {
			continue
		}
		all, err := h.All(t.Context())
		if err != nil || len(all) != 1 {
			t.Errorf("%d companies, %v", len(all), err)
		}
	}
}
