package store_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aval/summarizer/store"
	"aval/summarizer/store/storetest"
)

// A backup made while the store is open comes up elsewhere with all that it held,
// the keys too, and only its owner can read it. Agents take the next options,
// though they have seen versions that the backup does not know.
func TestBackup(t *testing.T) {
	dir := storetest.Dir(t)
	db := open(t, dir)
	k := seed(t, db, "x/1", 200)
	tx(t, db, func(tx *store.Tx) error {
		return tx.InsertOptions(store.DeviceOptions{Device: "d1", Version: 7, SettingsVersion: 1, SignedAt: t0, ExpiresAt: t0, Envelope: []byte("{}")})
	})
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, "keys"), 0o700), os.WriteFile(filepath.Join(dir, "keys", "k.pem"), []byte("key"), 0o600),
		os.MkdirAll(filepath.Join(dir, "first-start"), 0o700), os.WriteFile(filepath.Join(dir, "first-start", "admin-link"), []byte("once"), 0o600)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "b.tar")
	m, err := db.Archive(t.Context(), file, "test", t0)
	if err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("backup: %v %v", st, err)
	}
	if _, err := db.Archive(t.Context(), file, "test", t0); err == nil {
		t.Error("a backup was written over another")
	}
	seed(t, db, "x/2", 1) // after it

	to := filepath.Join(t.TempDir(), "new")
	address := ""
	if m.Database == "aval.pgdump" {
		p := storetest.Server(t)
		if err := errors.Join(p.Exec("postgres", "DROP DATABASE IF EXISTS restored"), p.Create("restored", "template0")); err != nil {
			t.Fatal(err)
		}
		address = p.Address("restored")
	}
	if _, err := store.Unpack(t.Context(), dir, address, file); !errors.Is(err, store.ErrExists) {
		t.Errorf("restored over a data folder: %v", err)
	}
	if _, err := store.Unpack(t.Context(), to, address, file); err != nil {
		t.Fatal(err)
	}
	back := open(t, to)
	tx(t, back, func(tx *store.Tx) error {
		evs, err := tx.Events(k, 0, 0)
		if err != nil || len(evs) != 200 || evs[7].Fields["title"] != "canary-0007-<&>\u2028" {
			t.Errorf("%d events, %v", len(evs), err)
		}
		if _, err := tx.Stream(store.Key{Company: "c1", Device: "d1", Session: "x/2"}); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("what came later: %v", err)
		}
		o, err := tx.LatestOptions("c1", "d1")
		if err != nil || o.Version <= 1000 {
			t.Errorf("options %d, %v", o.Version, err)
		}
		c, err := tx.Company("c1")
		if c.SettingsVersion == o.SettingsVersion {
			t.Error("the old options would be taken for good ones")
		}
		return err
	})
	for name, want := range map[string]bool{"keys/k.pem": true, "first-start/admin-link": false, "lock": true} {
		if _, err := os.Stat(filepath.Join(to, name)); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if st, err := os.Stat(to); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("folder: %v %v", st, err)
	}
}

// What is no backup is refused, and the folder is as it was: nothing is written
// outside of it, whatever the names in the archive. Planted: without the look at
// the names, "../out" was written beside the folder.
func TestSQLiteUnpackRefuses(t *testing.T) {
	manifest := `{"format":1,"database":"aval.db"}`
	for name, c := range map[string]struct {
		files []tar.Header
		want  string
	}{
		"empty":           {nil, "empty"},
		"no manifest":     {[]tar.Header{{Name: "data/x"}}, "no backup"},
		"newer":           {[]tar.Header{{Name: "manifest.json", Uname: `{"format":2}`}}, "newer"},
		"another base":    {[]tar.Header{{Name: "manifest.json", Uname: `{"format":1,"database":"../x"}`}}, "no backup"},
		"outside":         {[]tar.Header{{Name: "manifest.json", Uname: manifest}, {Name: "data/../../out", Uname: "x"}}, "which no backup does"},
		"absolute":        {[]tar.Header{{Name: "manifest.json", Uname: manifest}, {Name: "/out", Uname: "x"}}, "which no backup does"},
		"an address":      {[]tar.Header{{Name: "manifest.json", Uname: manifest}, {Name: "data/database", Uname: "postgres://db.example.com/x"}}, "which no backup does"},
		"a link":          {[]tar.Header{{Name: "manifest.json", Uname: manifest}, {Name: "data/keys", Typeflag: tar.TypeSymlink, Linkname: "/etc"}}, "which no backup does"},
		"cut off":         {[]tar.Header{{Name: "manifest.json", Uname: manifest}, {Name: "data/keys/k", Uname: "x"}}, "its end is missing"},
		"twice":           {[]tar.Header{{Name: "manifest.json", Uname: manifest}, {Name: "data/k", Uname: "x"}, {Name: "data/k", Uname: "y"}}, ""},
		"no database":     {[]tar.Header{{Name: "manifest.json", Uname: manifest}, {Name: "aval.db", Uname: strings.Repeat("no database", 100)}}, "damaged"},
		"PostgreSQL's":    {[]tar.Header{{Name: "manifest.json", Uname: `{"format":1,"database":"aval.pgdump"}`}, {Name: "aval.pgdump", Uname: "x"}}, "--database"},
		"neither of them": {[]tar.Header{{Name: "manifest.json", Uname: manifest}, {Name: "other", Uname: "x"}}, "which no backup does"},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			w := tar.NewWriter(&b)
			for _, h := range c.files {
				content := h.Uname // the table's place for it
				h.Uname, h.Size, h.Mode = "", int64(len(content)), 0o600
				if h.Typeflag == tar.TypeSymlink {
					h.Size, content = 0, ""
				}
				if err := w.WriteHeader(&h); err != nil {
					t.Fatal(err)
				}
				if _, err := w.Write([]byte(content)); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			base := t.TempDir()
			file := filepath.Join(base, "b.tar")
			if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := store.Unpack(t.Context(), filepath.Join(base, "data"), "", file)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
			list, err := os.ReadDir(base)
			if err != nil || len(list) != 1 {
				t.Errorf("left behind: %v %v", list, err)
			}
		})
	}
}
