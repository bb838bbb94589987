package company

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"aval/agent/record"
	"aval/agent/strict"
	"aval/agent/wire"
	"aval/summarizer/store"
)

// A sign-in waits SignInLife for its user; an address may begin SignInTries
// within TryWindow, and enter CodeTries codes that are not right.
const (
	SignInLife  = 10 * time.Minute
	SignInTries = 10
	// signInEvery is how often a computer may ask, in seconds.
	signInEvery = 2
)

// ApprovePath is the console's page where a user's computer is approved.
const ApprovePath = "/account"

const deviceCodePrefix = "aval_device_"

// SignIn is a computer that waits for its user, as they read it.
type SignIn struct {
	Name      string    `json:"name"`    // that it gave itself
	Address   string    `json:"address"` // from where it asked
	Key       string    `json:"key"`     // id of its key
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Errors that callers tell apart.
var (
	ErrNoSignIn = errors.New("no computer waits with this code: check it, or begin again on the computer (aval sign-in)")
	ErrTooMany  = errors.New("too many codes that are not right were entered: wait ten minutes")
)

// keyedHere is keyed for what is no company's yet, under the key of the oldest.
func (s *site) keyedHere(what, value string) ([]byte, error) {
	key, err := readKey(s.keyFile(s.home))
	if err != nil {
		return nil, err
	}
	return keyed(key, what, value), nil
}

// SignInStart answers POST /account/sign-in: see wire.SignInRequest. Whose
// company's the computer comes to be is known when a user of it approves.
func (h *Host) SignInStart() http.Handler {
	return h.proven("sign computer in", wire.AccountLabel, func(r *http.Request, raw, exported []byte) (any, error) {
		var q wire.SignInRequest
		if err := strict.Decode(raw, &q); err != nil || !proved(q.PublicKey, "", exported, q.Proof) {
			return nil, errProof
		}
		now := h.now()
		address, err := h.keyedHere("sign-in from", tryAddress(r.RemoteAddr))
		if err != nil {
			return nil, err
		}
		var tries int64
		err = h.db.Tx(r.Context(), func(tx *store.Tx) (err error) {
			tries, err = tx.CodeTry(address, now.Add(-TryWindow), now)
			return err
		})
		if err != nil {
			return nil, err
		}
		if tries > SignInTries {
			return nil, refuse(http.StatusTooManyRequests, "too-many", "Too many computers were to be signed in from this address. Wait ten minutes.")
		}
		reply := wire.SignInReply{DeviceCode: newSecret(deviceCodePrefix), VerifyURI: h.server + ApprovePath,
			ExpiresIn: int(SignInLife / time.Second), Interval: signInEvery}
		w := store.SignIn{ID: store.NewID(now), DeviceCode: Hash(reply.DeviceCode), PublicKey: q.PublicKey,
			Name: cleanName(q.Name), Address: tryAddress(r.RemoteAddr), AgentVersion: cleanName(q.AgentVersion), CreatedAt: now, ExpiresAt: now.Add(SignInLife)}
		err = h.db.Tx(r.Context(), func(tx *store.Tx) error {
			if err := errors.Join(tx.DropSignIns(now.Add(-SignInLife)), tx.DropTries(now.Add(-TryWindow))); err != nil {
				return err
			}
			for {
				reply.UserCode = wire.NewSecret()
				if w.UserCode, err = h.keyedHere("sign-in", reply.UserCode); err != nil {
					return err
				}
				if err := tx.InsertSignIn(w); !errors.Is(err, store.ErrExists) {
					return err
				}
			}
		})
		return reply, err
	})
}

// SignInWait answers POST /account/wait: see wire.AccountRequest.
func (h *Host) SignInWait() http.Handler {
	return h.proven("sign computer in", wire.AccountLabel, func(r *http.Request, raw, exported []byte) (any, error) {
		var q wire.AccountRequest
		if err := strict.Decode(raw, &q); err != nil || !proved(q.PublicKey, q.DeviceCode, exported, q.Proof) {
			return nil, errProof
		}
		var w store.SignIn
		now := h.now()
		err := h.db.Tx(r.Context(), func(tx *store.Tx) (err error) {
			w, err = tx.PollSignIn(Hash(q.DeviceCode), now)
			return err
		})
		if err == nil {
			err = waits(w, q, now)
		}
		if errors.Is(err, store.ErrNotFound) {
			err = errSignInExpired
		}
		if err != nil {
			return nil, err
		}
		co, err := h.Of(r.Context(), w.Company)
		if err != nil {
			return nil, err
		}
		var reply wire.AccountReply
		err = h.db.Tx(r.Context(), func(tx *store.Tx) (err error) {
			reply, err = co.signedIn(tx, w, q, now)
			return err
		})
		return reply, err
	})
}

var errSignInExpired = refuse(http.StatusForbidden, wire.SignInExpired, "Nobody has approved this computer within ten minutes. Begin again.")

// waits is why a computer gets nothing yet; nil: it was approved. w is as it was
// before this question.
func waits(w store.SignIn, q wire.AccountRequest, now time.Time) error {
	switch {
	case !ed25519.PublicKey(w.PublicKey).Equal(ed25519.PublicKey(q.PublicKey)), !now.Before(w.ExpiresAt):
		return errSignInExpired
	case now.Sub(w.PolledAt) < signInEvery*time.Second/2:
		return refuse(http.StatusTooManyRequests, wire.SignInSlower, "Ask less often.")
	case w.DecidedAt.IsZero():
		return refuse(http.StatusForbidden, wire.SignInPending, "The user has not approved this computer yet.")
	case w.User == "":
		return refuse(http.StatusForbidden, wire.SignInDenied, "The company has refused to sign this computer in.")
	}
	return nil
}

// signedIn makes a device of an approved computer, once.
func (s *Service) signedIn(tx *store.Tx, w store.SignIn, q wire.AccountRequest, now time.Time) (reply wire.AccountReply, err error) {
	u, err := tx.User(s.id, w.User)
	if err != nil {
		return reply, err
	}
	if !u.DisabledAt.IsZero() {
		return reply, refuse(http.StatusForbidden, wire.SignInDenied, "The account is disabled.")
	}
	c, err := tx.Company(s.id)
	if err != nil {
		return reply, err
	}
	if w.Device == "" { // else the answer was lost: this very key has it again
		w.Device = store.NewID(now)
		if err := tx.DeviceOfSignIn(s.id, w.ID, w.Device); err != nil {
			return reply, err
		}
		d := store.Device{ID: w.Device, Company: s.id, Name: w.Name, AgentVersion: w.AgentVersion, EnrolledAt: now, Account: u.ID}
		if err := tx.InsertDevice(d, record.KeyID(q.PublicKey), q.PublicKey); err != nil {
			return reply, err
		}
		if err := tx.AddAudit(store.Audit{Company: s.id, At: now, Actor: "device:" + d.ID, Action: "device-signed-in", Subject: d.ID, Detail: u.ID}); err != nil {
			return reply, err
		}
	}
	reply = wire.AccountReply{User: u.Name, EnrollReply: wire.EnrollReply{Company: s.id, CompanyName: c.Name, Device: w.Device, ServerKey: s.PublicKey()}}
	if reply.ReleaseKey = decodeSettings(c.Settings).ReleaseKey; len(reply.ReleaseKey) == 0 {
		reply.ReleaseKey = s.PublicKey() // a small set-up
	}
	reply.Options, err = s.OptionsIn(tx, w.Device)
	return reply, err
}

// SignInOf shows which computer waits with a code. from is the address from
// which the code was entered: five wrong ones end its tries for ten minutes. On
// the server itself it is empty and nothing is counted.
func (s *Service) SignInOf(ctx context.Context, code, from string) (SignIn, error) {
	w, err := s.waiting(ctx, code, from)
	if err != nil {
		return SignIn{}, fmt.Errorf("look up sign-in: %w", err)
	}
	return asSignIn(w), nil
}

func asSignIn(w store.SignIn) SignIn {
	return SignIn{w.Name, w.Address, record.KeyID(w.PublicKey), w.CreatedAt.UTC(), w.ExpiresAt.UTC()}
}

func (s *Service) waiting(ctx context.Context, code, from string) (store.SignIn, error) {
	now := s.now()
	address, err := s.keyedHere("address", tryAddress(from))
	if err != nil {
		return store.SignIn{}, err
	}
	if from != "" {
		var tries int64
		if err := s.db.Tx(ctx, func(tx *store.Tx) (err error) {
			tries, err = tx.CodeTry(address, now.Add(-TryWindow), now)
			return err
		}); err != nil {
			return store.SignIn{}, err
		}
		if tries > CodeTries {
			return store.SignIn{}, ErrTooMany
		}
	}
	secret, err := wire.ParseSecret(strings.TrimSpace(code))
	if err != nil {
		return store.SignIn{}, ErrNoSignIn
	}
	hash, err := s.keyedHere("sign-in", secret)
	if err != nil {
		return store.SignIn{}, err
	}
	var w store.SignIn
	err = s.db.Tx(ctx, func(tx *store.Tx) (err error) {
		if w, err = tx.SignInToDecide(hash, now); err != nil || from == "" {
			return err
		}
		return tx.CodeTryBack(address)
	})
	if errors.Is(err, store.ErrNotFound) {
		err = ErrNoSignIn
	}
	return w, err
}

// DecideSignIn signs the computer that waits with a code in to a user's account,
// or, with no user, refuses it. A user decides for their own account; for another's
// only who may change users.
func (s *Service) DecideSignIn(ctx context.Context, code, from, user string) (SignIn, error) {
	w, err := s.waiting(ctx, code, from)
	if err == nil && user != "" && !s.actor.Role.May(UsersWrite) && (s.actor.Kind != KindUser || s.actor.ID != user) {
		err = ErrNoUser
	}
	if err == nil {
		err = s.db.Tx(ctx, func(tx *store.Tx) error {
			action := "sign-in-refused"
			if user != "" {
				u, err := tx.User(s.id, user)
				if errors.Is(err, store.ErrNotFound) || err == nil && !u.DisabledAt.IsZero() {
					return ErrNoUser
				}
				if err != nil {
					return err
				}
				action = "sign-in-approved"
			}
			if err := tx.DecideSignIn(w.ID, s.id, user, s.now()); err != nil {
				return err
			}
			return s.audit(tx, action, w.ID, user)
		})
	}
	if errors.Is(err, store.ErrNotFound) {
		err = ErrNoSignIn
	}
	if err != nil {
		return SignIn{}, fmt.Errorf("decide sign-in: %w", err)
	}
	return asSignIn(w), nil
}
