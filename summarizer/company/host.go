package company

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"aval/agent/record"
	"aval/summarizer/credit"
	"aval/summarizer/store"
)

// Host is the companies of one server. They share its address and certificate;
// each has a signing key of its own.
type Host struct {
	*site
	first *FirstStart

	known sync.Mutex // guards services
	// services are those that were asked for; a company never goes.
	services map[string]*Service
}

// Open loads the companies of db's folder; the first start creates one. While
// the first start is not completed (nobody has signed in, no device is enrolled)
// it also keeps a usable link and token in DATA/first-start: see First.
func Open(ctx context.Context, db *store.DB, o Options) (*Host, error) {
	h := host(db, o)
	if h.server != "" {
		if err := checkServer(h.server); err != nil {
			return nil, err
		}
	}
	var err error
	if h.public, err = loadPublic(o.CertFile, o.KeyFile); err != nil {
		return nil, err
	}
	h.authority = h.public != nil
	list, err := companies(ctx, db)
	if err != nil {
		return nil, err
	}
	if h.server == "" && (len(list) == 0 || !db.Shared()) {
		h.server = o.Fallback
	}
	if err := h.Share(ctx); err != nil {
		return nil, err
	}
	if len(list) == 0 {
		_, err := h.create(ctx, o.Name, o.Lang, credit.DefaultTier, Server, true)
		if err != nil && !errors.Is(err, store.ErrExists) { // another server that starts now was faster
			return nil, fmt.Errorf("create company: %w", err)
		}
		if list, err = companies(ctx, db); err != nil {
			return nil, err
		}
	}
	h.home = list[0].ID
	if err := h.moved(ctx, list); err != nil {
		return nil, err
	}
	if h.cert, err = loadCertificate(h.dir("tls"), h.server, h.now()); err != nil {
		return nil, err
	}
	if err := h.Share(ctx); err != nil { // the certificate's key
		return nil, err
	}
	if _, err := h.All(ctx); err != nil { // a missing key is seen at the start
		return nil, err
	}
	if err := h.settleEngines(ctx); err != nil {
		return nil, fmt.Errorf("set engine: %w", err)
	}
	home, err := h.Home(ctx)
	if err != nil {
		return nil, err
	}
	if h.first, err = home.completeFirstStart(ctx); err != nil {
		return nil, fmt.Errorf("write first-start files: %w", err)
	}
	return h, nil
}

// Load loads the companies for a command that runs beside the server or without
// it; it creates nothing. store.ErrNoStore where there is none yet.
func Load(ctx context.Context, db *store.DB, o Options) (*Host, error) {
	h := host(db, o)
	list, err := companies(ctx, db)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: no company in %s; start the server once", store.ErrNoStore, db.Dir())
	}
	h.home = list[0].ID
	set := decodeSettings(list[0].Settings)
	h.authority = set.Authority
	if h.server == "" {
		h.server = set.Server
	}
	h.cert, err = loadCertificate(h.dir("tls"), h.server, h.now())
	return h, err
}

func host(db *store.DB, o Options) *Host {
	h := &Host{site: &site{db: db, server: o.Server, model: o.Model, now: o.Now, log: o.Log, issuers: map[string]issuer{}}, services: map[string]*Service{}}
	if h.now == nil {
		h.now = time.Now
	}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	db.SignAudit(h.signAudit)
	return h
}

// signAudit signs the head of a company's audit log. The company may be one that
// is being made in the very transaction: only its key is asked for.
func (h *Host) signAudit(company string, size int64, root record.Hash) ([]byte, error) {
	h.known.Lock()
	s := h.services[company]
	h.known.Unlock()
	if s == nil {
		key, err := readKey(h.keyFile(company))
		if err != nil {
			return nil, err
		}
		s = &Service{site: h.site, id: company, key: key}
	}
	return s.signHead(size, root)
}

func companies(ctx context.Context, db *store.DB) (list []store.Company, err error) {
	err = db.View(ctx, func(tx *store.Tx) (err error) { list, err = tx.Companies(); return err })
	if err != nil {
		return nil, fmt.Errorf("list companies: %w", err)
	}
	return list, nil
}

// moved writes the server's address and kind of certificate down with the
// companies whose bundles say something else; without an address the one of the
// last start counts.
func (h *Host) moved(ctx context.Context, list []store.Company) error {
	if h.server == "" {
		h.server = decodeSettings(list[0].Settings).Server
	}
	return h.db.Tx(ctx, func(tx *store.Tx) error {
		for _, c := range list {
			set := decodeSettings(c.Settings)
			if set.Server == h.server && set.Authority == h.authority {
				continue
			}
			set.Server, set.Authority = h.server, h.authority
			c.Settings = set.encode()
			if err := tx.UpdateCompany(c); err != nil {
				return err
			}
		}
		return nil
	})
}

// Of is the company with this id; store.ErrNotFound where there is none.
func (h *Host) Of(ctx context.Context, id string) (*Service, error) {
	h.known.Lock()
	s := h.services[id]
	h.known.Unlock()
	if s != nil {
		return s, nil
	}
	if err := h.db.View(ctx, func(tx *store.Tx) error { _, err := tx.Company(id); return err }); err != nil {
		return nil, err
	}
	// A company that another server has made since.
	if _, err := os.Stat(h.keyFile(id)); errors.Is(err, fs.ErrNotExist) {
		if err := h.Share(ctx); err != nil {
			return nil, err
		}
	}
	key, err := readKey(h.keyFile(id))
	if err != nil {
		return nil, err
	}
	return h.keep(id, key), nil
}

func (h *Host) keep(id string, key ed25519.PrivateKey) *Service {
	h.known.Lock()
	defer h.known.Unlock()
	if s := h.services[id]; s != nil {
		return s
	}
	s := &Service{site: h.site, id: id, key: key, actor: Server}
	h.services[id] = s
	return s
}

// Home is the oldest company: the one that the first start made.
func (h *Host) Home(ctx context.Context) (*Service, error) { return h.Of(ctx, h.home) }

// All are all companies, oldest first.
func (h *Host) All(ctx context.Context) ([]*Service, error) {
	list, err := companies(ctx, h.db)
	if err != nil {
		return nil, err
	}
	var out []*Service
	for _, c := range list {
		s, err := h.Of(ctx, c.ID)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// First returns what is left of the first start, nil when nothing is.
func (h *Host) First() *FirstStart { return h.first }

// Create adds a company with a signing key of its own; lang is empty for en,
// tier for credit.DefaultTier.
func (h *Host) Create(ctx context.Context, name, lang, tier string, by Actor) (*Service, error) {
	if name = cleanName(strings.TrimSpace(name)); name == "" {
		return nil, errors.New("create company: a name is needed")
	}
	if tier == "" {
		tier = credit.DefaultTier
	}
	if _, err := credit.RuleOf(tier); err != nil {
		return nil, fmt.Errorf("create company: %w", err)
	}
	s, err := h.create(ctx, name, lang, tier, by, false)
	if err != nil {
		return nil, fmt.Errorf("create company: %w", err)
	}
	return s, nil
}

// create adds a company; first: only where there is none, else store.ErrExists.
func (h *Host) create(ctx context.Context, name, lang, tier string, by Actor, first bool) (*Service, error) {
	now := h.now()
	c := store.Company{ID: store.NewID(now), Name: name, Tier: tier, Lang: lang, SettingsVersion: 1, CreatedAt: now}
	if c.Name == "" {
		c.Name = "My company"
	}
	if c.Lang == "" {
		c.Lang = "en"
	}
	set := defaultSettings()
	set.Server, set.Authority = h.server, h.authority
	if by == Server { // whoever starts a server of their own means to use it; the page asks for the terms by name
		set.Activation = &Activation{At: now.UTC(), By: byFirstStart}
	}
	c.Settings = set.encode()
	// The key must be on the disk before anything refers to it.
	key, err := makeKey(h.keyFile(c.ID))
	if err != nil {
		return nil, err
	}
	if err := h.Share(ctx); err != nil {
		return nil, err
	}
	err = h.db.Tx(ctx, func(tx *store.Tx) error {
		if first {
			if list, err := tx.Companies(); err != nil || len(list) > 0 {
				return errors.Join(err, store.ErrExists)
			}
		}
		if err := tx.InsertCompany(c); err != nil {
			return err
		}
		return tx.AddAudit(store.Audit{Company: c.ID, At: now, Actor: by.String(), Action: "company-created", Subject: c.ID})
	})
	if err != nil {
		return nil, err
	}
	return h.keep(c.ID, key), nil
}

// belongs finds the company that something belongs to, by one of the store's
// look-ups across companies.
func (h *Host) belongs(ctx context.Context, find func(*store.Tx) (company string, err error)) (*Service, error) {
	var id string
	if err := h.db.View(ctx, func(tx *store.Tx) (err error) { id, err = find(tx); return err }); err != nil {
		return nil, err
	}
	return h.Of(ctx, id)
}
