package store_test

import (
	"crypto/ed25519"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aval/agent/store"
)

// TestMachine: state that turns up on another computer loses the key and what was
// agreed under it, and nothing else; what is not known of a computer tells
// nothing. Fault planted once: other always false.
func TestMachine(t *testing.T) {
	a := store.Machine{System: "s1", Board: "b1"}
	for name, c := range map[string]struct {
		then  store.Machine
		moved bool
	}{
		"the same":                {a, false},
		"nothing known":           {store.Machine{}, false},
		"system alone known":      {store.Machine{System: "s1"}, false},
		"re-imaged":               {store.Machine{System: "s2", Board: "b1"}, true},
		"copied to another board": {store.Machine{System: "s1", Board: "b2"}, true},
		"both":                    {store.Machine{System: "s2", Board: "b2"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "s")
			on := func(m store.Machine) *store.Store {
				return open(t, dir, func(o *store.Options) { o.Machine, o.Bound = m, []string{"agreed"} })
			}
			s := on(a)
			key := s.DeviceKey().Public().(ed25519.PublicKey)
			must(t, s.PutDoc("agreed", []byte("x")))
			must(t, s.PutDoc("other", []byte("y")))
			must(t, s.OpenStream(one, "g", []byte("e")))
			must(t, s.Close())
			if c.moved { // an interruption after the documents, before the name
				must(t, os.Remove(filepath.Join(dir, "docs", "agreed")))
			}
			s = on(c.then)
			if same := key.Equal(s.DeviceKey().Public()); same == c.moved {
				t.Errorf("the same key: %v", same)
			}
			if _, err := s.Doc("agreed"); errors.Is(err, fs.ErrNotExist) != c.moved {
				t.Errorf("agreed: %v", err)
			}
			if _, err := s.Doc("other"); err != nil {
				t.Error(err)
			}
			if all, err := s.Streams(); err != nil || len(all) != 1 {
				t.Errorf("streams: %v, %v", all, err)
			}
			if said := strings.Contains(strings.Join(s.Notes(), "\n"), "cloned"); said != c.moved {
				t.Errorf("notes: %v", s.Notes())
			}
			key = s.DeviceKey().Public().(ed25519.PublicKey)
			must(t, s.Close())
			s = on(c.then) // and it is settled then
			if !key.Equal(s.DeviceKey().Public()) || len(s.Notes()) != 0 {
				t.Errorf("again: another key, or %v", s.Notes())
			}
			must(t, s.Close())
		})
	}
	t.Run("a name that cannot be read", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "s")
		on := func() *store.Store { return open(t, dir, func(o *store.Options) { o.Machine = a }) }
		s := on()
		key := s.DeviceKey().Public().(ed25519.PublicKey)
		must(t, s.Close())
		must(t, os.WriteFile(filepath.Join(dir, "docs", "machine"), []byte("{}"), 0o600))
		if s = on(); key.Equal(s.DeviceKey().Public()) {
			t.Error("the key was kept")
		}
	})
	t.Run("state of an earlier version", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "s")
		s := open(t, dir)
		key := s.DeviceKey().Public().(ed25519.PublicKey)
		must(t, s.Close())
		if s = open(t, dir, func(o *store.Options) { o.Machine = a }); !key.Equal(s.DeviceKey().Public()) {
			t.Error("it lost its key")
		}
	})
}
