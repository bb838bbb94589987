// Package company keeps what makes a server a company's: its signing key, its
// certificate, the tokens that enrol devices, and the signed options that each
// device is given.
//
// The one rule that must not be broken: a token enrols one device, once, and is
// used up in the same transaction that creates the device; no secret is stored
// but as its hash, except in the file that is handed to the administrator.
package company

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"aval/summarizer/store"
)

// Options of Open.
type Options struct {
	// Name of the company at first start; empty: "My company".
	Name string
	// Lang of its summaries at first start, en or pt-BR; empty: en.
	Lang string
	// Server is the address under which agents reach this server,
	// https://host:port; empty: the one of the last start.
	Server string
	// CertFile and KeyFile are a certificate of an authority and its key, in PEM;
	// both empty: the server makes its own.
	CertFile, KeyFile string
	Now               func() time.Time // nil: time.Now
	Log               *slog.Logger     // nil: nothing is logged
}

// Service is the one company of this server.
type Service struct {
	db     *store.DB
	id     string
	server string
	key    ed25519.PrivateKey
	now    func() time.Time
	log    *slog.Logger
	first  *FirstStart
	public *public // nil: the self-made certificate is in service
	// authority: the server runs with a certificate of an authority.
	authority bool

	mu   sync.Mutex // guards cert
	cert *certificate
}

// Open loads the company of db's folder, or creates it at the first start. While
// the first start is not completed (nobody has signed in, no device is enrolled)
// it also keeps a usable link and token in DATA/first-start: see First.
func Open(ctx context.Context, db *store.DB, o Options) (*Service, error) {
	s := start(db, o)
	if s.server != "" {
		if err := checkServer(s.server); err != nil {
			return nil, err
		}
	}
	var err error
	if s.public, err = loadPublic(o.CertFile, o.KeyFile); err != nil {
		return nil, err
	}
	s.authority = s.public != nil
	list, err := companies(ctx, db)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		if err := s.create(ctx, o); err != nil {
			return nil, fmt.Errorf("create company: %w", err)
		}
	} else if err := s.load(ctx, list[0]); err != nil {
		return nil, err
	}
	if s.cert, err = loadCertificate(s.dir("tls"), s.server, s.now()); err != nil {
		return nil, err
	}
	if s.first, err = s.completeFirstStart(ctx); err != nil {
		return nil, fmt.Errorf("write first-start files: %w", err)
	}
	return s, nil
}

// Load loads the company for a command that runs beside the server or without
// it; it creates nothing. store.ErrNoStore where there is none yet.
func Load(ctx context.Context, db *store.DB, o Options) (*Service, error) {
	s := start(db, o)
	list, err := companies(ctx, db)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: no company in %s; start the server once", store.ErrNoStore, db.Dir())
	}
	if s.key, err = readKey(s.keyFile(list[0].ID)); err != nil {
		return nil, err
	}
	s.id = list[0].ID
	set := decodeSettings(list[0].Settings)
	s.authority = set.Authority
	if s.server == "" {
		s.server = set.Server
	}
	s.cert, err = loadCertificate(s.dir("tls"), s.server, s.now())
	return s, err
}

func start(db *store.DB, o Options) *Service {
	s := &Service{db: db, server: o.Server, now: o.Now, log: o.Log}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s
}

func companies(ctx context.Context, db *store.DB) (list []store.Company, err error) {
	err = db.View(ctx, func(tx *store.Tx) (err error) { list, err = tx.Companies(); return err })
	if err != nil {
		return nil, fmt.Errorf("list companies: %w", err)
	}
	return list, nil
}

func (s *Service) create(ctx context.Context, o Options) error {
	now := s.now()
	s.id = store.NewID(now)
	c := store.Company{ID: s.id, Name: o.Name, Tier: "self-hosted", Lang: o.Lang, SettingsVersion: 1, CreatedAt: now}
	if c.Name == "" {
		c.Name = "My company"
	}
	if c.Lang == "" {
		c.Lang = "en"
	}
	set := defaultSettings()
	set.Server, set.Authority = s.server, s.authority
	c.Settings = set.encode()
	// The key must be on the disk before anything refers to it.
	var err error
	if s.key, err = makeKey(s.keyFile(s.id)); err != nil {
		return err
	}
	return s.db.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.InsertCompany(c); err != nil {
			return err
		}
		return tx.AddAudit(store.Audit{Company: s.id, At: now, Actor: "server", Action: "company-created", Subject: s.id})
	})
}

func (s *Service) load(ctx context.Context, c store.Company) (err error) {
	s.id = c.ID
	if s.key, err = readKey(s.keyFile(c.ID)); err != nil {
		return err
	}
	set := decodeSettings(c.Settings)
	if s.server == "" {
		s.server = set.Server
	}
	if set.Server == s.server && set.Authority == s.authority {
		return nil
	}
	set.Server, set.Authority = s.server, s.authority
	c.Settings = set.encode()
	return s.db.Tx(ctx, func(tx *store.Tx) error { return tx.UpdateCompany(c) })
}

// Company returns the company as it is stored now.
func (s *Service) Company(ctx context.Context) (c store.Company, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) (err error) { c, err = tx.Company(s.id); return err })
	return c, err
}

// ID is the company's id.
func (s *Service) ID() string { return s.id }

// Server is the address under which agents reach this server.
func (s *Service) Server() string { return s.server }

// PublicKey verifies what the company signs.
func (s *Service) PublicKey() ed25519.PublicKey { return s.key.Public().(ed25519.PublicKey) }

// signer signs for the company.
func (s *Service) signer() crypto.Signer { return s.key }

func (s *Service) dir(name string) string { return filepath.Join(s.db.Dir(), name) }

func (s *Service) keyFile(id string) string { return filepath.Join(s.dir("keys"), id+".pem") }

func checkServer(server string) error {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.Path != "" || u.RawQuery != "" || u.User != nil {
		return fmt.Errorf("server address %q is not https://host:port", server)
	}
	if p := u.Port(); p != "" {
		if _, err := net.LookupPort("tcp", p); err != nil {
			return fmt.Errorf("server address %q: port %s is none", server, p)
		}
	}
	return nil
}

// makeKey makes an Ed25519 key and keeps it in file, PKCS #8 in PEM, 0600.
func makeKey(file string) (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	return key, writeFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// MakeReleaseKey makes a release key and keeps it in file, which must not exist.
func MakeReleaseKey(file string) (ed25519.PublicKey, error) {
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("make release key: %s exists already", file)
	}
	key, err := makeKey(file)
	if err != nil {
		return nil, fmt.Errorf("make release key: %w", err)
	}
	return key.Public().(ed25519.PublicKey), nil
}

// ReadReleaseKey reads a key that MakeReleaseKey made.
func ReadReleaseKey(file string) (ed25519.PrivateKey, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read release key: %w", err)
	}
	key, err := decodeKey(raw)
	if err != nil {
		return nil, fmt.Errorf("read release key %s: %w", file, err)
	}
	return key, nil
}

func readKey(file string) (ed25519.PrivateKey, error) {
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the company's signing key %s is missing: put it back from a backup; devices trust no other", file)
	}
	if err != nil {
		return nil, fmt.Errorf("read signing key: %w", err)
	}
	key, err := decodeKey(raw)
	if err != nil {
		return nil, fmt.Errorf("the company's signing key %s is damaged (%w): put it back from a backup", file, err)
	}
	return key, nil
}

func decodeKey(raw []byte) (ed25519.PrivateKey, error) {
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, errors.New("it is not PEM")
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := k.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("it is %T, not Ed25519", k)
	}
	return key, nil
}

// writeFile replaces file in one step, 0600 in a 0700 folder, durable on return.
func writeFile(file string, data []byte) (err error) {
	dir := filepath.Dir(file)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	f, err := os.CreateTemp(dir, ".new-*") // made 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
			err = fmt.Errorf("write %s: %w", file, err)
		}
	}()
	if _, err = f.Write(data); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), file); err != nil {
		return err
	}
	return syncDir(dir)
}
