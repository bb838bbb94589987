package store

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

// writeFile puts a small file in place whole or not at all: temporary file,
// sync, rename, sync of the directory.
func writeFile(path string, raw []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	return syncDir(filepath.Dir(path))
}

// removeFile removes a file for good; one that is not there is no error.
func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return syncDir(filepath.Dir(path))
}

var docName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,99}$`)

const docHead = "aval-document-1 sha256:"

func (s *Store) docPath(name string) (string, error) {
	if !docName.MatchString(name) {
		return "", fmt.Errorf("document %q: names are lower-case letters, digits, '.', '_' and '-'", name)
	}
	return filepath.Join(s.dir, "docs", name), nil
}

// Doc reads a small document. It returns fs.ErrNotExist where there is none and
// ErrDamaged where it is not what PutDoc wrote.
func (s *Store) Doc(name string) ([]byte, error) {
	path, err := s.docPath(name)
	if err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read document: %w", err)
	}
	head, body, ok := bytes.Cut(raw, []byte("\n"))
	sum := sha256.Sum256(body)
	if !ok || string(head) != docHead+hex.EncodeToString(sum[:]) {
		return nil, fmt.Errorf("read document %s: %w: it is not what was written", name, ErrDamaged)
	}
	return body, nil
}

// PutDoc writes a small document; it is durable on return.
func (s *Store) PutDoc(name string, raw []byte) error {
	path, err := s.docPath(name)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(raw)
	whole := append([]byte(docHead+hex.EncodeToString(sum[:])+"\n"), raw...)
	err = writeFile(path, whole)
	if isFull(err) && s.reserve.release() {
		err = writeFile(path, whole)
	}
	if isFull(err) {
		return fmt.Errorf("write document %s: %w", name, errDiskFull)
	}
	if err != nil {
		return fmt.Errorf("write document %s: %w", name, err)
	}
	return nil
}

// DeleteDoc removes a document; one that does not exist is no error.
func (s *Store) DeleteDoc(name string) error {
	path, err := s.docPath(name)
	if err != nil {
		return err
	}
	if err := removeFile(path); err != nil {
		return fmt.Errorf("delete document %s: %w", name, err)
	}
	return nil
}

const (
	pemPrivate = "PRIVATE KEY" // PKCS #8, RFC 5958
	pemPublic  = "PUBLIC KEY"  // beside it: a flipped bit would else make another key
)

// deviceKey reads the device's key, or makes it when there is none.
func deviceKey(path string) (key crypto.Signer, made bool, err error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		k, err := makeDeviceKey(path)
		return k, true, err
	}
	if err != nil {
		return nil, false, fmt.Errorf("read device key: %w", err)
	}
	raw, err = openSecret(raw)
	if err != nil {
		return nil, false, fmt.Errorf("read device key: %w: restore %s from a backup of this very computer, or move it away and enrol this computer again", err, path)
	}
	bad := fmt.Errorf("read device key: %w: restore %s from a backup, or move it away and enrol this computer again", ErrDamaged, path)
	priv, rest := pem.Decode(raw)
	pub, rest := pem.Decode(rest)
	if priv == nil || pub == nil || priv.Type != pemPrivate || pub.Type != pemPublic || len(bytes.TrimSpace(rest)) != 0 {
		return nil, false, bad
	}
	parsed, err := x509.ParsePKCS8PrivateKey(priv.Bytes)
	k, ok := parsed.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, false, bad
	}
	der, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil || !bytes.Equal(der, pub.Bytes) {
		return nil, false, bad
	}
	return k, false, nil
}

func makeDeviceKey(path string) (crypto.Signer, error) {
	pub, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make device key: %w", err)
	}
	priv, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return nil, fmt.Errorf("make device key: %w", err)
	}
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, fmt.Errorf("make device key: %w", err)
	}
	raw := pem.EncodeToMemory(&pem.Block{Type: pemPrivate, Bytes: priv})
	raw = append(raw, pem.EncodeToMemory(&pem.Block{Type: pemPublic, Bytes: der})...)
	if raw, err = sealSecret(raw); err != nil {
		return nil, fmt.Errorf("make device key: %w", err)
	}
	if err := writeFile(path, raw); err != nil {
		return nil, fmt.Errorf("make device key: %w", err)
	}
	return k, nil
}
