package company

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"aval/summarizer/store"
)

// Servers on one database sign and answer as one: each needs the companies' keys,
// the key of the certificate that agents pin, and whatever else stands in
// DATA/keys. The database carries these files from one server to the others,
// sealed with ServerKey, which is copied by hand and is never in the database: who
// has the database or a backup of it has no key.

// ServerKey is the file, below the data folder, of the key that opens what the
// servers of one database share: 32 bytes, 0600, the same on each of them.
const ServerKey = "keys/server.key"

const serverKeySize = 32

// tlsKey is the key of the self-made certificate.
const tlsKey = "tls/key.pem"

// Share gives the other servers on this database the key files that only this one
// has, and takes theirs. Nothing is ever replaced: a file that differs is an
// error. With the embedded database there are no others, and it does nothing.
func (s *site) Share(ctx context.Context) error {
	if !s.db.Shared() {
		return nil
	}
	if err := s.share(ctx); err != nil {
		return fmt.Errorf("share keys: %w", err)
	}
	return nil
}

func (s *site) share(ctx context.Context) error {
	for {
		var rows map[string][]byte
		if err := s.db.View(ctx, func(tx *store.Tx) (err error) { rows, err = tx.SealedFiles(); return err }); err != nil {
			return err
		}
		key, err := s.serverKey(len(rows) > 0)
		if err != nil {
			return err
		}
		for name, sealed := range rows {
			if err := s.take(key, name, sealed); err != nil {
				return err
			}
		}
		missing, err := s.ownFiles(key, rows)
		if err != nil || len(missing) == 0 {
			return err
		}
		now := s.now()
		err = s.db.Tx(ctx, func(tx *store.Tx) error {
			// Another server may have been faster, with another key.
			again, err := tx.SealedFiles()
			if err != nil {
				return err
			}
			if len(again) != len(rows) {
				return store.ErrExists
			}
			for name, sealed := range missing {
				if err := tx.InsertSealedFile(name, sealed, now); err != nil {
					return err
				}
			}
			return nil
		})
		if !errors.Is(err, store.ErrExists) {
			return err
		}
	}
}

// serverKey reads the key, and makes it where this is the first server.
func (s *site) serverKey(others bool) (cipher.AEAD, error) {
	file := s.dir(filepath.FromSlash(ServerKey))
	raw, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist) && others:
		return nil, fmt.Errorf("this database has a server already: copy its DATA/%s to %s, 0600, so that this one can open the keys that they share", ServerKey, file)
	case errors.Is(err, fs.ErrNotExist):
		raw = make([]byte, serverKeySize)
		_, _ = rand.Read(raw) // never fails, see crypto/rand
		if err := writeFile(file, raw); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	case len(raw) != serverKeySize:
		return nil, fmt.Errorf("%s is damaged: copy it from another server, or put it back from a backup", file)
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// sealedLabel binds what is sealed to its purpose; the file's name follows it.
const sealedLabel = "aval shared file\x00"

// take opens a file of the others and keeps it here where it is missing.
func (s *site) take(key cipher.AEAD, name string, sealed []byte) error {
	if !filepath.IsLocal(filepath.FromSlash(name)) || !(strings.HasPrefix(name, "keys/") || name == tlsKey) || name == ServerKey {
		return fmt.Errorf("the database names a file %q that servers do not share", name)
	}
	if len(sealed) < key.NonceSize() {
		return fmt.Errorf("%s in the database is damaged", name)
	}
	plain, err := key.Open(nil, sealed[:key.NonceSize()], sealed[key.NonceSize():], []byte(sealedLabel+name))
	if err != nil {
		return fmt.Errorf("%s does not open %s: it is not the key of the other servers on this database; copy theirs", s.dir(ServerKey), name)
	}
	file := s.dir(filepath.FromSlash(name))
	have, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return writeFile(file, plain)
	case err != nil:
		return err
	case !bytes.Equal(have, plain):
		return fmt.Errorf("%s is not that of the other servers on this database; move it away, and theirs is taken", file)
	}
	return nil
}

// ownFiles seals the files that the others do not have yet.
func (s *site) ownFiles(key cipher.AEAD, have map[string][]byte) (map[string][]byte, error) {
	names := []string{tlsKey}
	list, err := os.ReadDir(s.dir("keys"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range list {
		if e.Type().IsRegular() && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, "keys/"+e.Name())
		}
	}
	out := map[string][]byte{}
	for _, name := range slices.Compact(names) {
		if name == ServerKey || have[name] != nil {
			continue
		}
		plain, err := os.ReadFile(s.dir(filepath.FromSlash(name)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		nonce := make([]byte, key.NonceSize())
		_, _ = rand.Read(nonce)
		out[name] = key.Seal(nonce, nonce, plain, []byte(sealedLabel+name))
	}
	return out, nil
}
