package company

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"aval/agent/consent"
	"aval/agent/record"
	"aval/agent/strict"
	"aval/agent/wire"
	"aval/summarizer/store"
)

// A module stands for ModuleDays days, unless it is made for fewer or more, up to
// maxModuleDays.
const (
	ModuleDays    = 365
	maxModuleDays = 730
)

// maxModuleID is the longest id of a module that is looked at, in bytes.
const maxModuleID = 64

// ErrNoModule: no module stands under this id.
var ErrNoModule = errors.New("there is no such module, or it was revoked; module list shows them")

// Module is a module as commands show it.
type Module struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Enabled is its own switch for summaries; Asks, what comes of it together
	// with the company's choice for outgoing sessions.
	Enabled   bool                   `json:"enabled"`
	Outgoing  consent.OutgoingOption `json:"outgoing"`
	Asks      bool                   `json:"asks"`
	CreatedAt time.Time              `json:"created_at"`
	ExpiresAt time.Time              `json:"expires_at"`
	RevokedAt time.Time              `json:"revoked_at,omitzero"`
}

func asModule(m store.Module, outgoing consent.OutgoingOption) Module {
	return Module{m.ID, m.Name, m.Enabled, outgoing, asks(outgoing, m.Enabled), m.CreatedAt.UTC(), m.ExpiresAt.UTC(), m.RevokedAt}
}

// asks tells whether sessions by a module are asked about: as consent.Decide says.
func asks(outgoing consent.OutgoingOption, enabled bool) bool {
	return outgoing == consent.OutgoingAll || outgoing == consent.OutgoingModules && enabled
}

// Errors of CreateModule that callers tell apart, beside ErrTaken.
var (
	ErrModuleName = wrongf("a name of at most 100 characters is needed")
	ErrModuleDays = wrongf("it stands for 1 to %d days", maxModuleDays)
)

// CreateModule makes a module that stands for days, and the signed file of it.
func (s *Service) CreateModule(ctx context.Context, name string, enabled bool, days int) (Module, []byte, error) {
	name = cleanName(strings.TrimSpace(name))
	now := s.now()
	m := store.Module{ID: store.NewID(now), Company: s.id, Name: name, Enabled: enabled, CreatedAt: now.UTC(), ExpiresAt: now.AddDate(0, 0, days).UTC()}
	var file []byte
	var outgoing consent.OutgoingOption
	err := func() error {
		switch {
		case name == "" || len(name) > maxSupporter:
			return ErrModuleName
		case days < 1 || days > maxModuleDays:
			return ErrModuleDays
		}
		return s.db.Tx(ctx, func(tx *store.Tx) error {
			c, err := tx.Company(s.id)
			if err != nil {
				return err
			}
			outgoing = decodeSettings(c.Settings).asking().Outgoing
			if file, err = s.moduleFile(c, m); err != nil {
				return err
			}
			if err := tx.InsertModule(m); errors.Is(err, store.ErrExists) {
				return taken("module", name)
			} else if err != nil {
				return err
			}
			return s.note(tx, entry{kind: ChangeModule, action: "module-created", subject: m.ID, name: name, new: map[string]any{"enabled": enabled, "expires_at": m.ExpiresAt}})
		})
	}()
	if err != nil {
		return Module{}, nil, fmt.Errorf("create module: %w", err)
	}
	return asModule(m, outgoing), file, nil
}

// moduleFile signs a module. It holds no secret and is not kept: as long as the
// server's address and key stay, it is the same bytes each time.
func (s *Service) moduleFile(c store.Company, m store.Module) ([]byte, error) {
	if s.server == "" {
		return nil, errors.New("the server's address is not known; start the server once")
	}
	file, err := record.Sign(s.signer(), record.TypeModule, record.Module{V: 1, ID: m.ID, Name: m.Name, Company: s.id, CompanyName: c.Name,
		Server: strings.ToLower(s.server), Pin: s.Pin(), Key: s.PublicKey(), At: m.CreatedAt.UTC(), Expires: m.ExpiresAt.UTC()})
	if err == nil {
		_, err = record.OpenModule(file) // what nobody could open is not given away
	}
	return append(file, '\n'), err
}

// ModuleFile is the signed file of a module that was not revoked.
func (s *Service) ModuleFile(ctx context.Context, id string) (file []byte, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		m, err := tx.Module(s.id, id)
		if errors.Is(err, store.ErrNotFound) || err == nil && !m.RevokedAt.IsZero() {
			return ErrNoModule
		}
		if err != nil {
			return err
		}
		c, err := tx.Company(s.id)
		if err != nil {
			return err
		}
		file, err = s.moduleFile(c, m)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("write module: %w", err)
	}
	return file, nil
}

// Modules lists the company's modules, oldest first.
func (s *Service) Modules(ctx context.Context) (out []Module, err error) {
	out = []Module{}
	err = s.db.View(ctx, func(tx *store.Tx) error {
		c, err := tx.Company(s.id)
		if err != nil {
			return err
		}
		list, err := tx.Modules(s.id)
		for _, m := range list {
			out = append(out, asModule(m, decodeSettings(c.Settings).asking().Outgoing))
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list modules: %w", err)
	}
	return out, nil
}

// SwitchModule sets a module's own switch for summaries. It counts from the next
// code that is entered in the module.
func (s *Service) SwitchModule(ctx context.Context, id string, on bool) (Module, error) {
	return s.changeModule(ctx, "switch module", id, func(tx *store.Tx, m store.Module) error { return s.switchModule(tx, m, on, 0) })
}

func (s *Service) switchModule(tx *store.Tx, m store.Module, on bool, undoes int64) error {
	if err := tx.SwitchModule(s.id, m.ID, on); err != nil || on == m.Enabled {
		return err
	}
	action := "module-disabled"
	if on {
		action = "module-enabled"
	}
	return s.note(tx, entry{ChangeSwitch, action, m.ID, m.Name, m.Enabled, on, undoes})
}

func (s *Service) undoSwitch(tx *store.Tx, c store.Change) error {
	m, err := tx.Module(s.id, c.Subject)
	if err != nil {
		return err
	}
	if !same(m.Enabled, c.New) {
		return ErrChangedSince
	}
	if err := s.switchModule(tx, m, !m.Enabled, c.Number); errors.Is(err, store.ErrNotFound) {
		return wrongf("module %q was revoked", m.Name)
	} else if err != nil {
		return err
	}
	return nil
}

// RevokeModule ends a module for good: it does not start any more, and codes are
// not taken in it. Sessions that are open go on.
func (s *Service) RevokeModule(ctx context.Context, id string) (Module, error) {
	return s.changeModule(ctx, "revoke module", id, func(tx *store.Tx, m store.Module) error {
		if !m.RevokedAt.IsZero() {
			return nil
		}
		now := s.now()
		if err := tx.RevokeModule(s.id, id, now); err != nil {
			return err
		}
		return s.note(tx, entry{kind: ChangeModule, action: "module-revoked", subject: id, name: m.Name,
			old: map[string]any{"enabled": m.Enabled, "expires_at": m.ExpiresAt.UTC()}, new: map[string]any{"revoked_at": now.UTC()}})
	})
}

func (s *Service) changeModule(ctx context.Context, what, id string, change func(*store.Tx, store.Module) error) (Module, error) {
	var out Module
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		m, err := tx.Module(s.id, id)
		if err != nil {
			return err
		}
		if err := change(tx, m); err != nil {
			return err
		}
		if m, err = tx.Module(s.id, id); err != nil {
			return err
		}
		c, err := tx.Company(s.id)
		if err != nil {
			return err
		}
		out = asModule(m, decodeSettings(c.Settings).asking().Outgoing)
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		err = ErrNoModule
	}
	if err != nil {
		return Module{}, fmt.Errorf("%s: %w", what, err)
	}
	return out, nil
}

var errNoSuchModule = refuse(http.StatusForbidden, "module-unknown", "This module is not known here. Ask the support for their own.")

// standing is a module that stands, or the refusal that says why it does not.
func (s *Service) standing(tx *store.Tx, id string, now time.Time) (store.Module, error) {
	m, err := tx.Module(s.id, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return m, errNoSuchModule
	case err != nil:
		return m, err
	case !m.RevokedAt.IsZero():
		return m, refuse(http.StatusForbidden, "module-revoked", "The company has revoked this module. Ask the support for the new one.")
	case !now.Before(m.ExpiresAt):
		return m, refuse(http.StatusForbidden, "module-expired", "This module has expired. Ask the support for the new one.")
	}
	return m, nil
}

// moduleFor is the module with this id or name, if it stands.
func (s *Service) moduleFor(tx *store.Tx, which string, now time.Time) (store.Module, error) {
	list, err := tx.Modules(s.id)
	if err != nil {
		return store.Module{}, err
	}
	for _, m := range list {
		if (m.ID == which || m.Name == which) && m.RevokedAt.IsZero() && now.Before(m.ExpiresAt) {
			return m, nil
		}
	}
	return store.Module{}, ErrNoModule
}

// Module answers POST /module: see wire.ModuleQuery. What it says is no secret,
// and it changes nothing.
func (h *Host) Module() http.Handler {
	return h.answers("look up module", func(r *http.Request, raw []byte) (any, error) { return h.moduleReply(r.Context(), raw) })
}

func (h *Host) moduleReply(ctx context.Context, raw []byte) (wire.ModuleReply, error) {
	var reply wire.ModuleReply
	var q wire.ModuleQuery
	if strict.Decode(raw, &q) != nil || len(q.ID) > maxModuleID {
		return reply, errMalformed
	}
	s, err := h.belongs(ctx, func(tx *store.Tx) (string, error) { return tx.CompanyOfModule(q.ID) })
	if errors.Is(err, store.ErrNotFound) {
		return reply, errNoSuchModule
	}
	if err != nil {
		return reply, err
	}
	err = s.db.View(ctx, func(tx *store.Tx) error {
		m, err := s.standing(tx, q.ID, s.now())
		if err != nil {
			return err
		}
		c, err := tx.Company(s.id)
		if err != nil {
			return err
		}
		reply = wire.ModuleReply{Company: s.id, CompanyName: c.Name, ServerKey: s.PublicKey(), Name: m.Name,
			Asks: asks(decodeSettings(c.Settings).asking().Outgoing, m.Enabled)}
		return nil
	})
	return reply, err
}
