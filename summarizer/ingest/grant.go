package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"aval/agent/consent"
	"aval/agent/policy"
	"aval/agent/record"
	"aval/agent/wire"
	"aval/summarizer/store"
)

// openError is the code for an envelope that record did not open.
func openError(err error, other Code) error {
	switch {
	case errors.Is(err, record.ErrUnknownKey):
		return no(CodeUnknownKey)
	case errors.Is(err, record.ErrSignature):
		return no(CodeSignature)
	}
	return no(other)
}

// onOpen verifies and keeps a grant and answers how far its stream has come.
// answer is the earlier grant on which it rests, where it rests on one.
func (c *conn) onOpen(raw, answer []byte) error {
	var g record.Grant
	var s store.Stream
	now := c.s.o.Now()
	code, err := c.inTx(func(tx *store.Tx) error {
		keys, err := c.keys(tx)
		if err != nil {
			return err
		}
		var keyID string
		if g, keyID, err = record.OpenGrant(raw, keys); err != nil {
			return openError(err, CodeBadGrant)
		}
		if err := c.checkGrant(tx, g, answer); err != nil {
			return err
		}
		k := store.Key{Company: g.Company, Device: g.Device, Session: g.Session}
		old, err := tx.Grant(g.Company, g.Device, g.ID)
		switch {
		case errors.Is(err, store.ErrNotFound):
			if err := c.newGrant(tx, k, g, keyID, raw, now); err != nil {
				return err
			}
		case err != nil:
			return err
		case !bytes.Equal(old.Envelope, raw):
			return no(CodeEquivocation)
		}
		s, err = tx.Stream(k)
		return err
	})
	c.audit(code, g.ID)
	if code == "" {
		if len(c.grants) >= maxGrants {
			c.refuse(CodeServer)
			return errGone
		}
		if c.grants == nil {
			c.grants = map[string]*grant{}
		}
		c.grants[g.ID] = &grant{store.Key{Company: g.Company, Device: g.Device, Session: g.Session}, g}
	}
	return c.answer(code, err, peekID(raw), 0, &wire.Frame{Body: &wire.Frame_Opened{Opened: &wire.Opened{GrantId: g.ID,
		Acked: s.Acked, AckedHash: s.AckedHash}}})
}

// checkGrant: of this company and device, with names that can be kept, resting
// on options that were published, not withdrawn.
func (c *conn) checkGrant(tx *store.Tx, g record.Grant, answer []byte) error {
	switch {
	case g.Company != c.company:
		return no(CodeOtherCompany)
	case g.Device != c.device:
		return no(CodeOtherDevice)
	case !isID(g.ID) || !isName(g.Session):
		return no(CodeBadGrant)
	}
	if err := c.checkRequest(tx, g); err != nil {
		return err
	}
	if err := c.checkPolicy(tx, g); err != nil {
		return err
	}
	withdrawn, err := tx.Withdrawn(c.company, c.device, g.ID)
	if err != nil {
		return err
	}
	if withdrawn {
		return no(CodeWithdrawn)
	}
	return c.checkAnswer(tx, g, answer)
}

// checkAnswer: a grant that rests on an earlier answer names a grant of this
// device which says so itself, and which was not withdrawn before. It is the one
// that was kept here, or, where its own stream was withdrawn before it was ever
// announced, the one that came along: signed by the device just as well.
func (c *conn) checkAnswer(tx *store.Tx, g record.Grant, answer []byte) error {
	if g.Answer == "" {
		return nil
	}
	old, err := tx.Grant(g.Company, g.Device, g.Answer)
	switch {
	case err == nil:
		answer = old.Envelope
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	keys, err := c.keys(tx)
	if err != nil {
		return err
	}
	first, _, err := record.OpenGrant(answer, keys)
	if err != nil || g.RestsOn(first) != nil || !isName(first.Session) {
		return no(CodeBadAnswer)
	}
	if err := c.checkPolicy(tx, first); err != nil {
		return err
	}
	// A withdrawal carries the device's time, as the grant does.
	list, err := tx.Records(store.Key{Company: first.Company, Device: first.Device, Session: first.Session})
	if err != nil {
		return err
	}
	for _, r := range list {
		typ, b, err := open(r.Envelope, keys)
		if err == nil && (typ == record.TypeWithdrawal || typ == record.TypeErasure) && b.Grant == first.ID && !b.At.After(g.At) {
			return no(CodeBadAnswer)
		}
	}
	return nil
}

// checkPolicy: the options are a bundle that was published to this device, and a
// policy from the server is the one that stands in it. A policy of the device's
// own sources is taken as recorded, with its hash and its origin. Incoming
// sessions are recorded only where these very options ask for them, and as the
// decision comes out of what the grant says went into it.
func (c *conn) checkPolicy(tx *store.Tx, g record.Grant) error {
	if g.Direction != consent.Outgoing && g.Direction != consent.Incoming {
		return no(CodeBadGrant)
	}
	if c.account && !accountFollows(g) {
		return no(CodeUnknownPolicy)
	}
	served := strings.HasPrefix(g.PolicyOrigin, originServer) || strings.Contains(g.PolicyOrigin, ", "+originServer)
	if g.PolicyVersion == 0 {
		if served || g.Direction == consent.Incoming {
			return no(CodeUnknownPolicy)
		}
		return nil
	}
	envelope, err := tx.OptionsOf(c.company, c.device, g.PolicyVersion)
	if errors.Is(err, store.ErrNotFound) {
		return no(CodeUnknownPolicy)
	}
	if err != nil || !served && g.Direction == consent.Outgoing {
		return err
	}
	var o record.Options
	_, payload, err := record.Peek(envelope)
	if err == nil {
		err = json.Unmarshal(payload, &o)
	}
	if err != nil {
		return fmt.Errorf("read options %d: %w", g.PolicyVersion, err)
	}
	if g.Direction == consent.Incoming && !incomingFollows(g, o, c.account) {
		return no(CodeUnknownPolicy)
	}
	if !served {
		return nil
	}
	if o.Policy == nil || !strings.HasSuffix(g.PolicyOrigin, originServer+o.Policy.String()) {
		return no(CodeUnknownPolicy)
	}
	return nil
}

// accountFollows tells whether a grant of a computer that is signed in to an
// account rests on the person's own word, a yes or their own setting, and comes
// out of what went into it, from which everything was taken that could allow
// without one. The company manages nothing there, so no policy allows anything.
func accountFollows(g record.Grant) bool {
	said := g.Input
	policy.Unmanaged(&said)
	return said == g.Input && consent.Decide(g.Input) == g.Decision &&
		(g.Basis == consent.BasisConsent || g.Basis == consent.BasisStandingSetting) &&
		(g.PolicyOrigin == policy.FromAccount || strings.HasSuffix(g.PolicyOrigin, ", "+policy.FromAccount))
}

// incomingFollows tells whether a grant for an incoming session comes out of the
// options that it names: they ask for it, the decision is that of what the grant
// says went into it, and where the server's is the only policy, or there is
// none, that is what the policy says.
func incomingFollows(g record.Grant, o record.Options, account bool) bool {
	if o.Policy != nil && !strings.HasSuffix(g.PolicyOrigin, originServer+o.Policy.String()) {
		return false // the policy that they hold is one of the sources, whatever others there are
	}
	in := g.Input
	if o.Incoming == consent.IncomingOff || in.Direction != g.Direction || in.Incoming != o.Incoming || in.IncomingEnforced != o.IncomingEnforced ||
		consent.Decide(in) != g.Decision {
		return false
	}
	var layers []policy.Layer
	switch {
	case g.PolicyOrigin == "none", account && g.PolicyOrigin == policy.FromAccount:
	case o.Policy != nil && g.PolicyOrigin == originServer+o.Policy.String():
		values, problems := policy.ParseSettings(o.Policy.String(), o.Policy.Settings)
		if len(problems) > 0 {
			return false
		}
		layers = []policy.Layer{{Origin: policy.Origin{Name: policy.FromServer, Scope: policy.Machine}, Values: values}}
	default: // the device has sources of its own, which the record names
		return true
	}
	said := in
	policy.Merge(layers).Fill(&said)
	if account {
		policy.Unmanaged(&said)
	}
	said.PolicyState = in.PolicyState
	return said == in
}

// originServer is how a record names the server as a policy's origin.
const originServer = policy.FromServer + ":"

func (c *conn) newGrant(tx *store.Tx, k store.Key, g record.Grant, keyID string, raw []byte, now time.Time) error {
	if s, err := tx.Stream(k); err == nil {
		switch {
		case !s.ErasedAt.IsZero():
			return no(CodeErased)
		case !s.WithdrawnAt.IsZero():
			return no(CodeWithdrawn)
		}
	} else if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	started := g.SessionStartedAt
	if started.IsZero() {
		started = g.NotBefore
	}
	supporter := printable(g.Supporter, maxName)
	request := g.Request
	if c.code != nil {
		request = c.code.ID
	}
	owner, err := tx.StarterOf(c.company, request, supporter, g.SupporterVerified)
	if err != nil {
		return err
	}
	if err := tx.InsertStream(store.Stream{Key: k, Owner: owner, Tool: printable(g.Tool, 64), Supporter: supporter, SupporterVerified: g.SupporterVerified,
		Direction: g.Direction, Basis: g.Basis, Provenance: g.Provenance, Groups: g.Groups, StartedAt: started, OpenedAt: now}); err != nil {
		return err
	}
	if err := tx.InsertGrant(store.Grant{Key: k, ID: g.ID, KeyID: keyID, Envelope: raw, Tool: printable(g.Tool, 64), Supporter: supporter,
		Direction: g.Direction, Basis: g.Basis, Provenance: g.Provenance, Groups: g.Groups, MadeAt: g.At, NotBefore: g.NotBefore,
		Expires: g.Expires, ReceivedAt: now}); err != nil {
		return err
	}
	// An objection may have come before its stream.
	list, err := tx.Records(k)
	if err != nil {
		return err
	}
	for _, r := range list {
		if r.Type == record.TypeObjection {
			return tx.ObjectStream(k, r.MadeAt)
		}
	}
	return nil
}
