package store

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"aval/agent/store/outbox"
)

// The state of a session's key is in its file's name, outside the database: to
// withdraw is to rename the file, to erase is to destroy it. Both work on a full
// disk, and no damage to the database can undo them.
const (
	keyNew       = ".new"       // made, the stream's row is not durable yet
	keyLive      = ".key"       // in use
	keyWithdrawn = ".withdrawn" // nothing is read for sending any more
	keyErasing   = ".erasing"   // being destroyed: finished forward at opening
)

const (
	keyMagic = "AVALKEY1"
	keySum   = 16
	keyFile  = len(keyMagic) + outbox.KeySize + keySum
)

// keyring is the folder of session keys.
type keyring struct {
	mu         sync.Mutex
	dir        string
	quarantine string // folder of quarantine folders, each with keys/
}

// hash is the base name of a stream's key file.
func (st Stream) hash() string {
	h := sha256.New()
	h.Write([]byte(st.Company))
	h.Write([]byte{0})
	h.Write([]byte(st.Session))
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func (r *keyring) path(hash, ext string) string { return filepath.Join(r.dir, hash+ext) }

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// create makes the key of a stream. A key left over from a creation that was
// interrupted never sealed anything and is made anew.
func (r *keyring) create(hash string) (*outbox.Key, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, ext := range []string{keyLive, keyWithdrawn, keyErasing} {
		if exists(r.path(hash, ext)) {
			return nil, fmt.Errorf("make session key: %w: there is one already", ErrDamaged)
		}
	}
	raw := make([]byte, outbox.KeySize)
	_, _ = rand.Read(raw)
	sealed, err := sealSecret(encodeKey(hash, raw))
	if err == nil {
		err = writeFile(r.path(hash, keyNew), sealed)
	}
	if err != nil {
		return nil, fmt.Errorf("make session key: %w", err)
	}
	return outbox.NewKey(raw)
}

func encodeKey(hash string, raw []byte) []byte {
	b := append([]byte(keyMagic), raw...)
	sum := sha256.Sum256(append([]byte(hash), b...))
	return append(b, sum[:keySum]...)
}

func decodeKey(hash string, b []byte) (*outbox.Key, error) {
	if len(b) != keyFile || string(b[:len(keyMagic)]) != keyMagic {
		return nil, fmt.Errorf("%w: a session key", ErrDamaged)
	}
	sum := sha256.Sum256(append([]byte(hash), b[:keyFile-keySum]...))
	if subtle.ConstantTimeCompare(sum[:keySum], b[keyFile-keySum:]) != 1 {
		return nil, fmt.Errorf("%w: a session key", ErrDamaged)
	}
	return outbox.NewKey(b[len(keyMagic) : keyFile-keySum])
}

// move renames a key from one state to another, durably.
func (r *keyring) move(hash, from, to string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := os.Rename(r.path(hash, from), r.path(hash, to)); err != nil {
		return err
	}
	return syncDir(r.dir)
}

// load reads a key in whatever state it is; fs.ErrNotExist when destroyed.
func (r *keyring) load(hash string) (*outbox.Key, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, ext := range []string{keyLive, keyWithdrawn, keyNew} {
		raw, err := os.ReadFile(r.path(hash, ext))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read session key: %w", err)
		}
		if raw, err = openSecret(raw); err != nil {
			return nil, fmt.Errorf("read session key: %w", err)
		}
		return decodeKey(hash, raw)
	}
	return nil, fmt.Errorf("read session key: %w", fs.ErrNotExist)
}

// withdraw marks a key; it returns fs.ErrNotExist when there is none.
func (r *keyring) withdraw(hash string) error {
	if exists(r.path(hash, keyWithdrawn)) {
		return nil
	}
	err := r.move(hash, keyLive, keyWithdrawn)
	if errors.Is(err, fs.ErrNotExist) {
		err = r.move(hash, keyNew, keyWithdrawn) // its opening could not be finished
	}
	return err
}

// destroy overwrites and removes every copy of a key, here and in quarantine.
// found tells whether there was one. What it began is finished at the next
// opening if it is interrupted.
func (r *keyring) destroy(hash string) (found bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	dirs := []string{r.dir}
	more, _ := filepath.Glob(filepath.Join(r.quarantine, "*", "keys"))
	for _, dir := range append(dirs, more...) {
		for _, ext := range []string{keyNew, keyLive, keyWithdrawn, keyErasing} {
			path := filepath.Join(dir, hash+ext)
			if !exists(path) {
				continue
			}
			found = true
			if err := shred(path, filepath.Join(dir, hash+keyErasing)); err != nil {
				return true, fmt.Errorf("destroy session key: %w", err)
			}
		}
	}
	return found, nil
}

// shred marks, overwrites and removes one key file.
func shred(path, marked string) error {
	dir := filepath.Dir(path)
	if path != marked {
		if err := os.Rename(path, marked); err != nil {
			return err
		}
		if err := syncDir(dir); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(marked, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	noise := make([]byte, keyFile)
	_, _ = rand.Read(noise)
	if _, err = f.Write(noise); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	// An overwrite that fails must not keep the key alive: removing comes first.
	if rerr := os.Remove(marked); rerr != nil {
		return rerr
	}
	if serr := syncDir(dir); err == nil {
		err = serr
	}
	return err
}

// scan lists the state of every key, and finishes destructions that were begun.
func (r *keyring) scan() (map[string]string, error) {
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		return nil, fmt.Errorf("list session keys: %w", err)
	}
	out := make(map[string]string, len(entries))
	for _, e := range entries {
		path, ext := filepath.Join(r.dir, e.Name()), filepath.Ext(e.Name())
		hash := strings.TrimSuffix(e.Name(), ext)
		switch ext {
		case keyErasing:
			if err := shred(path, path); err != nil {
				return nil, fmt.Errorf("destroy session key: %w", err)
			}
		case keyNew, keyLive, keyWithdrawn:
			out[hash] = ext
		default:
			if strings.HasPrefix(e.Name(), ".tmp-") {
				_ = os.Remove(path)
			}
		}
	}
	return out, nil
}

// reserve is a file that only takes up space: it is given up when the disk is
// full, so that a withdrawal, a denial or an ending can still be written.
type reserve struct {
	mu   sync.Mutex
	path string
	held bool
}

const reserveSize = 512 << 10

// hold makes the file where there is room for it and as much again.
func (r *reserve) hold() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held {
		return true
	}
	free, err := freeSpace(filepath.Dir(r.path))
	if err != nil || free < 2*reserveSize {
		return false
	}
	noise := make([]byte, reserveSize) // random: a file system may compress zeros away
	_, _ = rand.Read(noise)
	r.held = writeFile(r.path, noise) == nil
	return r.held
}

// release gives the space up; true if there was any.
func (r *reserve) release() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.held {
		return false
	}
	r.held = false
	return removeFile(r.path) == nil
}
