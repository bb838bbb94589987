package store_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"aval/agent/store"
)

func TestOpening(t *testing.T) {
	base := t.TempDir()
	t.Run("twice", func(t *testing.T) {
		s := open(t, filepath.Join(base, "twice"))
		if _, err := store.Open(filepath.Join(base, "twice"), store.Options{}); !errors.Is(err, store.ErrInUse) {
			t.Fatal(err)
		}
		must(t, s.Close())
		must(t, s.Close())
		must(t, open(t, filepath.Join(base, "twice")).Close())
	})
	t.Run("modes", func(t *testing.T) {
		dir := filepath.Join(base, "modes")
		s := open(t, dir)
		must(t, s.OpenStream(one, "g", []byte("e")))
		must(t, s.PutDoc("d", []byte("x")))
		must(t, filepath.Walk(dir, func(p string, i fs.FileInfo, err error) error {
			if want := map[bool]fs.FileMode{true: 0o700, false: 0o600}[i.IsDir()]; i.Mode().Perm() != want {
				t.Errorf("%s is %v", p, i.Mode())
			}
			return err
		}))
	})
	t.Run("open to others", func(t *testing.T) {
		dir := filepath.Join(base, "others")
		must(t, os.Mkdir(dir, 0o700))
		must(t, os.Chmod(dir, 0o777))
		if _, err := store.Open(dir, store.Options{}); !errors.Is(err, store.ErrUnsafe) {
			t.Fatal(err)
		}
	})
	t.Run("of another user", func(t *testing.T) {
		if os.Getuid() != 0 {
			t.Skip("only root can give a directory to another user")
		}
		dir := filepath.Join(base, "another")
		must(t, os.Mkdir(dir, 0o700))
		must(t, os.Chown(dir, 65534, 65534))
		if _, err := store.Open(dir, store.Options{}); !errors.Is(err, store.ErrUnsafe) {
			t.Fatal(err)
		}
	})
	t.Run("device key", func(t *testing.T) {
		dir := filepath.Join(base, "key")
		s := open(t, dir)
		pub := s.DeviceKey().Public().(ed25519.PublicKey)
		must(t, s.Close())
		s = open(t, dir)
		if !pub.Equal(s.DeviceKey().Public()) {
			t.Fatal("another key after a restart")
		}
		must(t, s.Close())
		path := filepath.Join(dir, "device.key")
		raw, err := os.ReadFile(path)
		must(t, err)
		for i := range raw {
			bad := bytes.Clone(raw)
			bad[i] ^= 1
			must(t, os.WriteFile(path, bad, 0o600))
			s, err := store.Open(dir, store.Options{})
			if err == nil {
				same := pub.Equal(s.DeviceKey().Public())
				s.Close()
				if !same {
					t.Fatalf("a key with a flipped bit in byte %d was used", i)
				}
			} else if !errors.Is(err, store.ErrDamaged) {
				t.Fatal(err)
			}
		}
	})
	t.Run("after close", func(t *testing.T) {
		s := open(t, filepath.Join(base, "closed"))
		must(t, s.OpenStream(one, "g", []byte("e")))
		must(t, s.Close())
		if _, err := s.Append(ctx, one, evs(1, "x")); !errors.Is(err, store.ErrClosed) {
			t.Fatal(err)
		}
		if _, err := s.Read(one, 0, 0, 0); err != nil {
			t.Fatal(err) // an empty stream needs no disk
		}
		if err := s.Records(func(store.Entry) bool { return true }); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Sessions(); !errors.Is(err, store.ErrClosed) {
			t.Fatal(err)
		}
	})
}
