package company

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"aval/agent/record"
	"aval/agent/strict"
	"aval/agent/wire"
	"aval/summarizer/store"
)

// A session code can be used once, within CodeLife; an address may try CodeTries
// codes that are not right within TryWindow.
const (
	CodeLife  = 10 * time.Minute
	CodeTries = 5
	TryWindow = 10 * time.Minute
)

// maxSupporter is the longest name of a supporter or module, in bytes.
const maxSupporter = 100

// CodeFor is what a session code asks for.
type CodeFor struct {
	Supporter   string // who will connect; required
	LogSessions bool   // that person's sessions are to be summarised
	// Module is the id or the name of one of the company's modules that stands;
	// empty: none. Its own switch for summaries counts, as it is now.
	Module string
}

// NewCode is a code as its maker hands it on. It is not shown again.
type NewCode struct {
	ID        string    `json:"id"`
	Code      string    `json:"code"` // XXXX-XXXX@server
	Link      string    `json:"link"`
	Supporter string    `json:"supporter"`
	ExpiresAt time.Time `json:"expires_at"`
	// Pinned: the server's certificate is its own, so the code carries its fingerprint.
	Pinned bool `json:"pinned"`
}

// ErrCodeFor: what a code is to ask for is not complete.
var ErrCodeFor = errors.New("a session code needs the supporter's name, of at most 100 characters")

// ErrOwnName: the company vouches for the name in a code, so nobody but who may
// change users makes one for somebody else.
var ErrOwnName = errors.New("make the code in your own name, or ask somebody who may change users")

// NewCode makes a session code. Its errors are ErrCodeFor, ErrOwnName, ErrNoModule and those
// of the store.
func (s *Service) NewCode(ctx context.Context, f CodeFor) (NewCode, error) {
	f.Supporter, f.Module = cleanName(strings.TrimSpace(f.Supporter)), strings.TrimSpace(f.Module)
	switch {
	case f.Supporter == "" || len(f.Supporter) > maxSupporter:
		return NewCode{}, ErrCodeFor
	case s.server == "":
		return NewCode{}, errors.New("make session code: the server's address is not known; start the server once")
	}
	now := s.now()
	code := wire.Code{Server: s.server, Pin: s.Pin()}
	c := store.SessionCode{ID: store.NewID(now), Company: s.id, Supporter: f.Supporter, LogSessions: f.LogSessions, CreatedBy: s.actor.String(), CreatedAt: now, ExpiresAt: now.Add(CodeLife)}
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		if err := errors.Join(tx.DropCodes(s.id, now.Add(-CodeLife)), tx.DropTries(now.Add(-TryWindow))); err != nil {
			return err
		}
		if !s.SpeaksFor("") {
			u, err := s.liveUser(tx, s.actor.ID)
			if err != nil {
				return err
			}
			if cleanName(u.Name) != f.Supporter {
				return ErrOwnName
			}
			c.LogSessions = c.LogSessions && u.LogSessions
		}
		if f.Module != "" {
			m, err := s.moduleFor(tx, f.Module, now)
			if err != nil {
				return err
			}
			c.Module, c.ModuleEnabled = m.Name, m.Enabled
		}
		for {
			code.Secret = wire.NewSecret()
			c.Hash = s.keyed("code", code.Secret)
			err := tx.InsertCode(c)
			if errors.Is(err, store.ErrExists) {
				continue
			}
			if err != nil {
				return err
			}
			return s.audit(tx, "session-code-created", c.ID, f.Supporter)
		}
	})
	if err != nil {
		return NewCode{}, fmt.Errorf("make session code: %w", err)
	}
	return NewCode{ID: c.ID, Code: code.String(), Link: code.Link(), Supporter: c.Supporter, ExpiresAt: c.ExpiresAt.UTC(), Pinned: code.Pin != ""}, nil
}

// keyed is the hash under which something with few bits is stored: whoever has
// the database without the server's key cannot try them all.
func (s *Service) keyed(what, value string) []byte { return keyed(s.key, what, value) }

func keyed(key ed25519.PrivateKey, what, value string) []byte {
	m := hmac.New(sha256.New, key.Seed())
	m.Write([]byte("aval " + what + "\x00" + value))
	return m.Sum(nil)
}

// Redeem answers POST /redeem: see wire.RedeemRequest.
func (h *Host) Redeem() http.Handler {
	return h.proven("redeem session code", wire.RedeemLabel, func(r *http.Request, raw, exported []byte) (any, error) {
		reply, err := h.redeem(r.Context(), r.RemoteAddr, raw, exported)
		if err != nil {
			return nil, err
		}
		h.log.Info("session code redeemed", "device", reply.Device)
		return reply, nil
	})
}

// redeem takes a code from the network address from.
func (h *Host) redeem(ctx context.Context, from string, raw, exported []byte) (wire.RedeemReply, error) {
	none := wire.RedeemReply{}
	req, err := DecodeRedeem(raw)
	if err != nil {
		return none, errMalformed
	}
	if !record.VerifyBytes(req.PublicKey, record.TypeProof, wire.EnrollPayload(exported, req.PublicKey, req.Code), req.Proof) {
		return none, refuse(http.StatusForbidden, "proof",
			"The session's key was not proved on this connection: something between computer and server opens the TLS connection. Let this address through unopened.")
	}
	// Counted and committed before the code is looked at: tries at the same time
	// do not overtake their number.
	now := h.now()
	home, err := h.Home(ctx)
	if err != nil {
		return none, err
	}
	address := home.keyed("address", tryAddress(from))
	var tries int64
	err = h.db.Tx(ctx, func(tx *store.Tx) (err error) {
		tries, err = tx.CodeTry(address, now.Add(-TryWindow), now)
		return err
	})
	if err != nil {
		return none, err
	}
	if tries > CodeTries {
		return none, refuse(http.StatusTooManyRequests, "too-many",
			"Too many codes that are not right came from this address. Wait ten minutes, and ask the support for a new code.")
	}
	s, err := h.codeOf(ctx, req.Code)
	if err != nil {
		return none, err
	}
	var reply wire.RedeemReply
	err = h.db.Tx(ctx, func(tx *store.Tx) error {
		reply = wire.RedeemReply{Company: s.id, ServerKey: s.PublicKey(), Device: store.NewID(now)}
		if req.Module != "" {
			if _, err := s.standing(tx, req.Module, now); err != nil {
				return err
			}
		}
		code, err := tx.UseCode(s.id, s.keyed("code", req.Code), reply.Device, req.Module, now)
		if errors.Is(err, store.ErrNotFound) {
			return s.whyNot(tx, req.Code)
		}
		if err != nil {
			return err
		}
		// The computer's name is not asked for: it is the company's for one session alone.
		d := store.Device{ID: reply.Device, Company: s.id, AgentVersion: cleanName(req.AgentVersion), EnrolledAt: now, Code: code.ID}
		if err := tx.InsertDevice(d, record.KeyID(req.PublicKey), req.PublicKey); err != nil {
			return err
		}
		if reply.Request, err = s.request(tx, code); err != nil {
			return err
		}
		if err := tx.CodeTryBack(address); err != nil {
			return err
		}
		return tx.AddAudit(store.Audit{Company: s.id, At: now, Actor: "device:" + d.ID, Action: "session-code-redeemed", Subject: code.ID})
	})
	if err != nil {
		return none, err
	}
	return reply, nil
}

// codeOf is the company that made a code, or the refusal of one that nobody made.
// Each company's codes are stored under a key of its own.
func (h *Host) codeOf(ctx context.Context, secret string) (*Service, error) {
	all, err := h.All(ctx)
	if err != nil {
		return nil, err
	}
	var found *Service
	err = h.db.View(ctx, func(tx *store.Tx) error {
		for _, s := range all {
			switch _, err := tx.Code(s.id, s.keyed("code", secret)); {
			case err == nil:
				found = s
			case !errors.Is(err, store.ErrNotFound):
				return err
			}
		}
		return nil
	})
	if err == nil && found == nil {
		err = refuse(http.StatusForbidden, "code-unknown", "This code is not known here. Check it, or ask the support for a new one.")
	}
	return found, err
}

// request signs what a used code asks for.
func (s *Service) request(tx *store.Tx, code store.SessionCode) ([]byte, error) {
	c, err := tx.Company(s.id)
	if err != nil {
		return nil, err
	}
	set := decodeSettings(c.Settings).asking()
	return record.Sign(s.signer(), record.TypeRequest, record.Request{V: 1, ID: code.ID, Company: s.id, Device: code.Device,
		At: code.UsedAt.UTC(), Expires: code.UsedAt.Add(record.RequestLife).UTC(), CompanyName: c.Name,
		Supporter: code.Supporter, LogSessions: code.LogSessions && set.LogSessions, Outgoing: set.Outgoing,
		Module: code.Module, ModuleEnabled: code.ModuleEnabled, Engine: set.Engine, RetentionDays: set.RetentionDays, Readers: set.Readers})
}

// whyNot explains a code that cannot be used.
func (s *Service) whyNot(tx *store.Tx, secret string) error {
	c, err := tx.Code(s.id, s.keyed("code", secret))
	switch {
	case err != nil:
		return err
	case !c.UsedAt.IsZero():
		return refuse(http.StatusForbidden, "code-used", "This code has been used already; each opens one session. Ask the support for a new one.")
	}
	return refuse(http.StatusForbidden, "code-expired", "This code has expired; it can be used for ten minutes. Ask the support for a new one.")
}

// tryAddress is what counts as one address: a whole /64 where it is of IPv6, for
// each of those is one connection's.
func tryAddress(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return remote
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}

// DecodeRedeem reads a request to redeem: strict JSON, the code in its one form,
// key and proof of their right lengths.
func DecodeRedeem(raw []byte) (wire.RedeemRequest, error) {
	var req wire.RedeemRequest
	if err := strict.Decode(raw, &req); err != nil {
		return wire.RedeemRequest{}, err
	}
	if code, err := wire.ParseSecret(req.Code); err != nil || code != req.Code ||
		len(req.PublicKey) != ed25519.PublicKeySize || len(req.Proof) != ed25519.SignatureSize || len(req.Module) > maxModuleID {
		return wire.RedeemRequest{}, errors.New("code, key or proof is missing")
	}
	return req, nil
}
