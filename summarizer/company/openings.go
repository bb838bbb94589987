package company

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"time"

	"aval/agent/record"
	"aval/agent/strict"
	"aval/agent/wire"
	"aval/summarizer/store"
)

// A module that was opened without a code waits OpenLife for a supporter. An
// address may open one module OpenTries times within TryWindow, and no more than
// openMost of one module wait at a time.
const (
	OpenLife  = 10 * time.Minute
	OpenTries = 10
	openMost  = 100
	// openEvery is how often a computer may ask, in seconds.
	openEvery = 2
	// openSeen is how long after its last question a computer counts as waiting.
	openSeen = 20 * time.Second
)

// Opening is a module that waits for a supporter, as they see it.
type Opening struct {
	ID        string    `json:"id"`
	Number    string    `json:"number"` // that the person reads out
	Module    string    `json:"module"` // its name
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Taken is what a supporter gets for one that they took.
type Taken struct {
	Opening
	Supporter string `json:"supporter"`
	Device    string `json:"device"` // the key's holder, for this session alone
}

// ErrNoOpening: nothing waits under an id or number.
var ErrNoOpening = errors.New("nobody waits with this number: it was taken, given up or has expired; ask the person for the number that they see now")

func asOpening(o store.Opening) Opening {
	return Opening{o.ID, o.Number, o.ModuleName, o.CreatedAt.UTC(), o.ExpiresAt.UTC()}
}

// Openings lists the modules that wait for a supporter now, oldest first.
func (s *Service) Openings(ctx context.Context) (out []Opening, err error) {
	out = []Opening{}
	err = s.db.View(ctx, func(tx *store.Tx) error {
		list, err := s.openings(tx)
		for _, o := range list {
			out = append(out, asOpening(o))
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list waiting modules: %w", err)
	}
	return out, nil
}

func (s *Service) openings(tx *store.Tx) ([]store.Opening, error) {
	now := s.now()
	return tx.Openings(s.id, "", now, now.Add(-openSeen), 2*openMost)
}

// waitingAs finds what waits under an id, or under the number that a person reads
// out; spaces in it do not count.
func (s *Service) waitingAs(tx *store.Tx, which string) (store.Opening, error) {
	which = strings.Join(strings.Fields(which), "")
	list, err := s.openings(tx)
	if err != nil {
		return store.Opening{}, err
	}
	for _, o := range list {
		if which == o.ID || which == o.Number {
			return o, nil
		}
	}
	return store.Opening{}, ErrNoOpening
}

// TakeOpening makes a user the supporter of a module that waits, by its id or the
// number that the person reads out. From then on the company, the supporter and
// whether their sessions are summarised are known as by a code; the person is
// asked as always.
func (s *Service) TakeOpening(ctx context.Context, user, which string) (Taken, error) {
	var out Taken
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		if !s.SpeaksFor(user) {
			return ErrNoUser
		}
		u, err := s.liveUser(tx, user)
		if err != nil {
			return err
		}
		o, err := s.waitingAs(tx, which)
		if err != nil {
			return err
		}
		now := s.now()
		m, err := s.standing(tx, o.Module, now)
		if err != nil {
			return err
		}
		d := store.Device{ID: store.NewID(now), Company: s.id, AgentVersion: o.AgentVersion, EnrolledAt: now}
		code := store.SessionCode{ID: store.NewID(now), Company: s.id, Hash: s.keyed("opening", o.ID), Supporter: u.Name, LogSessions: u.LogSessions,
			Module: m.Name, ModuleEnabled: m.Enabled, CreatedBy: Actor{Kind: KindUser, ID: u.ID}.String(), CreatedAt: now, ExpiresAt: o.ExpiresAt, UsedAt: now, Device: d.ID}
		d.Code = code.ID
		if err := tx.CloseOpening(s.id, o.ID, code.ID, now); errors.Is(err, store.ErrNotFound) {
			return ErrNoOpening
		} else if err != nil {
			return err
		}
		if err := tx.InsertUsedCode(code); err != nil {
			return err
		}
		if err := tx.InsertDevice(d, record.KeyID(o.PublicKey), o.PublicKey); err != nil {
			return err
		}
		out = Taken{asOpening(o), u.Name, d.ID}
		return s.audit(tx, "opened-module-taken", code.ID, u.ID+" "+m.ID)
	})
	if err != nil {
		return Taken{}, fmt.Errorf("take waiting module: %w", err)
	}
	return out, nil
}

// RefuseOpening turns away a module that waits, by its id or number.
func (s *Service) RefuseOpening(ctx context.Context, which string) (Opening, error) {
	var out Opening
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		o, err := s.waitingAs(tx, which)
		if err != nil {
			return err
		}
		if err := tx.CloseOpening(s.id, o.ID, "", s.now()); errors.Is(err, store.ErrNotFound) {
			return ErrNoOpening
		} else if err != nil {
			return err
		}
		out = asOpening(o)
		return s.audit(tx, "opened-module-refused", o.ID, o.Module)
	})
	if err != nil {
		return Opening{}, fmt.Errorf("refuse waiting module: %w", err)
	}
	return out, nil
}

// Open answers POST /module/open: see wire.OpenRequest. It is no session yet, and
// makes nothing known of the computer but a key that is made for it.
func (h *Host) Open() http.Handler {
	return h.proven("open module", wire.OpenLabel, func(r *http.Request, raw, exported []byte) (any, error) {
		q, err := DecodeOpen(raw)
		if err != nil || !proved(q.PublicKey, q.Module, exported, q.Proof) {
			return nil, errProof
		}
		s, err := h.belongs(r.Context(), func(tx *store.Tx) (string, error) { return tx.CompanyOfModule(q.Module) })
		if errors.Is(err, store.ErrNotFound) {
			return nil, errNoSuchModule
		}
		if err != nil {
			return nil, err
		}
		// Counted and committed before anything else, as codes are.
		now := h.now()
		address := s.keyed("opening from", tryAddress(r.RemoteAddr)+" "+q.Module)
		var tries int64
		err = h.db.Tx(r.Context(), func(tx *store.Tx) (err error) {
			tries, err = tx.CodeTry(address, now.Add(-TryWindow), now)
			return err
		})
		if err != nil {
			return nil, err
		}
		if tries > OpenTries {
			return nil, refuse(http.StatusTooManyRequests, "too-many", "This module was opened too often from this address. Wait ten minutes, or ask the support for a code.")
		}
		var o store.Opening
		err = h.db.Tx(r.Context(), func(tx *store.Tx) error {
			if _, err := s.standing(tx, q.Module, now); err != nil {
				return err
			}
			if err := errors.Join(tx.DropOpenings(now.Add(-OpenLife)), tx.DropTries(now.Add(-TryWindow))); err != nil {
				return err
			}
			wait, err := tx.Openings(s.id, q.Module, now, now.Add(-openSeen), openMost)
			if err != nil {
				return err
			}
			if len(wait) >= openMost {
				return refuse(http.StatusTooManyRequests, "too-many", "Too many people wait for this support just now. Try again in a few minutes, or ask the support for a code.")
			}
			o = store.Opening{ID: store.NewID(now), Company: s.id, Module: q.Module, PublicKey: q.PublicKey, AgentVersion: cleanName(q.AgentVersion), CreatedAt: now, ExpiresAt: now.Add(OpenLife)}
			for {
				if o.Number, err = newNumber(); err != nil {
					return err
				}
				if err := tx.InsertOpening(o); !errors.Is(err, store.ErrExists) {
					return err
				}
			}
		})
		if err != nil {
			return nil, err
		}
		return wire.OpenReply{ID: o.ID, Number: o.Number, ExpiresIn: int(OpenLife / time.Second), Interval: openEvery}, nil
	})
}

// newNumber draws a number without a leading zero, which people leave out.
func newNumber() (string, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(900_000))
	if err != nil {
		return "", fmt.Errorf("draw number: %w", err)
	}
	return fmt.Sprint(n.Int64() + 100_000), nil
}

var errOpeningExpired = refuse(http.StatusForbidden, wire.OpenExpired, "Nobody has taken this session within ten minutes.")

// Opened answers POST /module/wait: see wire.OpenedRequest.
func (h *Host) Opened() http.Handler {
	return h.proven("wait for supporter", wire.OpenLabel, func(r *http.Request, raw, exported []byte) (any, error) {
		q, err := DecodeOpened(raw)
		if err != nil || !proved(q.PublicKey, q.Token(), exported, q.Proof) {
			return nil, errProof
		}
		s, err := h.belongs(r.Context(), func(tx *store.Tx) (string, error) { return tx.CompanyOfOpening(q.ID) })
		if errors.Is(err, store.ErrNotFound) {
			return nil, errOpeningExpired
		}
		if err != nil {
			return nil, err
		}
		var reply wire.RedeemReply
		var no error
		err = h.db.Tx(r.Context(), func(tx *store.Tx) error {
			reply, no, err = s.opened(tx, q)
			return err
		})
		if err == nil {
			err = no
		}
		return reply, err
	})
}

// opened is what came of an opening: a reply, or in no why there is none yet.
// What it notes stays noted with a refusal too.
func (s *Service) opened(tx *store.Tx, q wire.OpenedRequest) (reply wire.RedeemReply, no, err error) {
	now := s.now()
	o, err := tx.Opening(s.id, q.ID)
	if errors.Is(err, store.ErrNotFound) || err == nil && !ed25519.PublicKey(o.PublicKey).Equal(ed25519.PublicKey(q.PublicKey)) {
		return reply, errOpeningExpired, nil
	}
	if err != nil {
		return reply, nil, err
	}
	if err := tx.PollOpening(s.id, o.ID, now); err != nil {
		return reply, nil, err
	}
	switch {
	case o.Code != "": // once more where the answer was lost: this very key has it again
		code, err := tx.CodeBy(s.id, o.Code)
		if err != nil {
			return reply, nil, err
		}
		reply = wire.RedeemReply{Company: s.id, ServerKey: s.PublicKey(), Device: code.Device}
		reply.Request, err = s.request(tx, code)
		return reply, nil, err
	case !o.ClosedAt.IsZero():
		return reply, refuse(http.StatusForbidden, wire.OpenRefused, "The support has turned this session away."), nil
	case !now.Before(o.ExpiresAt):
		return reply, errOpeningExpired, nil
	case q.GiveUp:
		if err := tx.CloseOpening(s.id, o.ID, "", now); err != nil && !errors.Is(err, store.ErrNotFound) {
			return reply, nil, err
		}
		return reply, errOpeningExpired, nil
	case o.PolledAt.After(o.CreatedAt) && now.Sub(o.PolledAt) < openEvery*time.Second/2:
		return reply, refuse(http.StatusTooManyRequests, wire.OpenSlower, "Ask less often."), nil
	}
	return reply, refuse(http.StatusForbidden, wire.OpenWaiting, "Nobody has taken this session yet."), nil
}

var errOpening = errors.New("module, key or proof is missing")

// DecodeOpen reads a request to open a module: strict JSON, key and proof of their
// right lengths.
func DecodeOpen(raw []byte) (wire.OpenRequest, error) {
	var q wire.OpenRequest
	if err := strict.Decode(raw, &q); err != nil {
		return wire.OpenRequest{}, err
	}
	if q.Module == "" || len(q.Module) > maxModuleID || len(q.PublicKey) != ed25519.PublicKeySize || len(q.Proof) != ed25519.SignatureSize {
		return wire.OpenRequest{}, errOpening
	}
	return q, nil
}

// DecodeOpened is DecodeOpen for the question what came of it.
func DecodeOpened(raw []byte) (wire.OpenedRequest, error) {
	var q wire.OpenedRequest
	if err := strict.Decode(raw, &q); err != nil {
		return wire.OpenedRequest{}, err
	}
	if q.ID == "" || len(q.ID) > maxModuleID || len(q.PublicKey) != ed25519.PublicKeySize || len(q.Proof) != ed25519.SignatureSize {
		return wire.OpenedRequest{}, errOpening
	}
	return q, nil
}
