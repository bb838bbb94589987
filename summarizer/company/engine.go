package company

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"aval/agent/consent"
	"aval/summarizer/store"
	"aval/summarizer/summary/llm"
)

// EngineChoice is what a company has its summaries written by.
type EngineChoice string

// The choices.
const (
	// EngineDefault, nothing chosen: the server's model where the company is the one
	// that the server was set up for, else the rules. What other companies record is
	// not handed to a model that only whoever runs the server has chosen.
	EngineDefault EngineChoice = ""
	EngineServer  EngineChoice = "server" // the server's model; the rules where it has none
	EngineByRules EngineChoice = "rules"
	EngineOwn     EngineChoice = "own" // a model that the company names
)

// ErrEngine: what was entered is no engine; its text says why.
var ErrEngine = errors.New("this cannot write summaries")

// ErrKeyHost: the key that is kept was entered for another host.
var ErrKeyHost = errors.New("enter the key again: it was for another host")

// Engine is who writes a company's summaries, as people see it: without the key.
type Engine struct {
	Choice EngineChoice `json:"choice"`
	// Engine is what it comes to, see consent.Engine: what devices are told.
	Engine string `json:"engine"`
	// Server is the server's model; empty: it has none. Applies: it is the
	// company's where it has chosen nothing.
	Server  string `json:"server,omitempty"`
	Applies bool   `json:"applies"`
	// Own is the company's own model, HasKey whether a key is kept with it.
	Own    *llm.Config `json:"own,omitempty"`
	HasKey bool        `json:"has_key"`
}

// engineKept is what history and audit say of a choice.
type engineKept struct {
	Choice EngineChoice `json:"engine_choice"`
	Engine string       `json:"engine"`
	URL    string       `json:"engine_address,omitempty"`
	Header string       `json:"engine_header,omitempty"`
	Key    bool         `json:"engine_key"`
	KeySet string       `json:"engine_key_set,omitempty"` // when one was entered by this change
}

// serverEngine is the server's model by its name; the rules where it has none.
func (s *site) serverEngine() string {
	if s.model == nil {
		return consent.EngineRules
	}
	return s.model.Name()
}

// own reads the company's own model, with its key; nil: it has none.
func (s *Service) own(tx *store.Tx) (*llm.Config, error) {
	m, err := tx.Model(s.id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var c llm.Config
	if err := json.Unmarshal([]byte(m.Config), &c); err != nil {
		return nil, fmt.Errorf("read model: %w", err)
	}
	if len(m.Secret) > 0 {
		key, err := s.unseal("model", m.Secret)
		if err != nil {
			return nil, fmt.Errorf("read the model's key: %w", err)
		}
		c.Key = string(key)
	}
	return &c, nil
}

// comesTo is the engine that a choice comes to.
func (s *Service) comesTo(choice EngineChoice, own *llm.Config) string {
	switch {
	case choice == EngineOwn && own != nil:
		return own.Name()
	case choice == EngineServer, choice == EngineDefault && s.id == s.home:
		return s.serverEngine()
	}
	return consent.EngineRules
}

// Engine returns what the company has chosen.
func (s *Service) Engine(ctx context.Context) (e Engine, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		c, err := tx.Company(s.id)
		if err != nil {
			return err
		}
		set := decodeSettings(c.Settings)
		e = Engine{Choice: set.EngineChoice, Engine: set.Engine, Applies: s.id == s.home}
		if s.model != nil {
			e.Server = s.model.Name()
		}
		m, err := tx.Model(s.id)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		e.Own, e.HasKey = &llm.Config{}, len(m.Secret) > 0
		return json.Unmarshal([]byte(m.Config), e.Own)
	})
	if err != nil {
		return Engine{}, fmt.Errorf("show engine: %w", err)
	}
	return e, nil
}

// SetEngine chooses who writes the company's summaries. own is read with EngineOwn
// alone; keepKey: its key is the one that is kept already. Devices are told within
// seconds, and what was allowed before that is written by the rules. Whether the
// server speaks to the model's address, the caller has looked at.
func (s *Service) SetEngine(ctx context.Context, choice EngineChoice, own llm.Config, keepKey bool) error {
	switch choice {
	case EngineDefault, EngineServer, EngineByRules:
	case EngineOwn:
		if err := own.Check(); err != nil {
			return fmt.Errorf("set engine: %w: %w", ErrEngine, err)
		}
	default:
		return fmt.Errorf("set engine: %w: there is no choice %q", ErrEngine, choice)
	}
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		c, err := tx.Company(s.id)
		if err != nil {
			return err
		}
		set := decodeSettings(c.Settings)
		had, errHad := s.own(tx)
		if errHad != nil && choice == EngineOwn && keepKey {
			return errHad // otherwise what cannot be read is replaced
		}
		before := kept(set, had)
		var now *llm.Config
		if choice == EngineOwn {
			m := own
			if keepKey && had != nil && had.Key != "" {
				// A key is the one server's that it was entered for.
				if hostOf(m) != hostOf(*had) {
					return fmt.Errorf("%w: %w", ErrEngine, ErrKeyHost)
				}
				m.Key = had.Key
			}
			if err := s.keepModel(tx, m); err != nil {
				return err
			}
			now = &m
		} else if err := tx.DropModel(s.id); err != nil {
			return err
		}
		set.EngineChoice, set.Engine = choice, s.comesTo(choice, now)
		after := kept(set, now)
		if now != nil && own.Key != "" && !keepKey {
			after.KeySet = s.now().UTC().Format(time.RFC3339)
		}
		return s.setEngine(tx, c, set, before, after)
	})
	if err != nil {
		return fmt.Errorf("set engine: %w", err)
	}
	return nil
}

// hostOf is what a key is for: the host, and whether it is spoken to by TLS.
func hostOf(c llm.Config) string {
	_, host := consent.SplitEngine(c.Name())
	return c.URL[:min(len(c.URL), len("https:"))] + host
}

func kept(set Settings, own *llm.Config) engineKept {
	k := engineKept{Choice: set.EngineChoice, Engine: set.Engine}
	if own != nil {
		k.URL, k.Header, k.Key = own.URL, own.Header, own.Key != ""
	}
	return k
}

func (s *Service) keepModel(tx *store.Tx, c llm.Config) error {
	raw, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode model: %w", err)
	}
	m := store.Model{Config: string(raw), SetAt: s.now()}
	if c.Key != "" {
		if m.Secret, err = s.seal("model", []byte(c.Key)); err != nil {
			return err
		}
	}
	return tx.SetModel(s.id, m)
}

func (s *Service) setEngine(tx *store.Tx, c store.Company, set Settings, before, after engineKept) error {
	old, now := differ(before, after)
	if len(now) == 0 && len(old) == 0 {
		return nil
	}
	c.Settings = set.encode()
	if err := tx.UpdateCompany(c); err != nil {
		return err
	}
	return s.note(tx, entry{kind: ChangeEngine, action: "engine-set", subject: set.Engine, old: old, new: now})
}

// ModelIn is the model that writes the company's summaries now, with its key; nil:
// the rules do. own: the company named it, so that it may be no address inside of
// the server's network. What devices were told is what counts: a model under any
// other name is none.
func (s *Service) ModelIn(tx *store.Tx) (c *llm.Config, own bool, err error) {
	row, err := tx.Company(s.id)
	if err != nil {
		return nil, false, err
	}
	set := decodeSettings(row.Settings)
	if set.EngineChoice == EngineOwn {
		if c, err = s.own(tx); err != nil {
			return nil, true, err
		}
		own = true
	} else if s.comesTo(set.EngineChoice, nil) != consent.EngineRules {
		c = s.model
	}
	if c == nil || c.Name() != set.Engine {
		return nil, own, nil
	}
	return c, own, nil
}

// settleEngines tells the devices of companies that use the server's model which
// one it is since this start, or that there is none any more.
func (h *Host) settleEngines(ctx context.Context) error {
	all, err := h.All(ctx)
	if err != nil {
		return err
	}
	return h.db.Tx(ctx, func(tx *store.Tx) error {
		for _, s := range all {
			c, err := tx.Company(s.id)
			if err != nil {
				return err
			}
			set := decodeSettings(c.Settings)
			if set.EngineChoice == EngineOwn {
				continue
			}
			before := kept(set, nil)
			if set.Engine = s.comesTo(set.EngineChoice, nil); set.Engine == before.Engine {
				continue
			}
			if err := s.setEngine(tx, c, set, before, kept(set, nil)); err != nil {
				return err
			}
		}
		return nil
	})
}
