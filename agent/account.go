package agent

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/agent/policy"
	"aval/agent/record"
	"aval/agent/session"
	"aval/agent/uplink"
	"aval/agent/wire"
)

// docAccount is the account's document in the store. It is another one than the
// enrolment's: an earlier Aval must not take an account for an enrolment.
const docAccount = "account"

// account is what makes a company one in whose user's account a person of this
// computer is signed in. It manages nothing: it may ask about sessions on that
// person's own desktop, and only while it asks about all of them.
type account struct {
	UID  uint32 `json:"uid"`  // who has signed in
	User string `json:"user"` // whose account it is, as the server calls them
	Host string `json:"host"` // of the server, as TLS has verified it
	Key  []byte `json:"key"`  // seed of the account's Ed25519 key
	// First: it has not asked on this computer before.
	First bool `json:"first,omitempty"`
}

// own is the key under which a company knows this computer, where that is not
// the computer's; nil: it is.
func (c *company) own() ed25519.PrivateKey {
	switch {
	case c.guest != nil:
		return c.guest.key
	case c.Account != nil:
		return ed25519.NewKeyFromSeed(c.Account.Key)
	}
	return nil
}

// fillFor sets in an input what c asks for in one session, and what the policy in
// force says for it; nil: nobody asks. An account's company asks about outgoing
// sessions that it has announced, and about no others, and nothing but the person's
// own setting allows without a question.
func (a *Agent) fillFor(c *company, l *live, in *consent.Input, now time.Time) {
	if c == nil {
		in.Outgoing, in.Incoming = consent.OutgoingOff, consent.IncomingOff
		a.policy.Effective.Fill(in)
		return
	}
	c.fill(in, now)
	l.asAnnounced(in)
	a.policy.Effective.Fill(in)
	if c.Account != nil {
		if l.Request == "" {
			in.Outgoing = consent.OutgoingOff
		}
		policy.Unmanaged(in)
	}
}

// host is the name of a company's server, as TLS has verified it, where the
// company's own name is its own word; empty: this computer is enrolled with it.
func (c *company) host() string {
	switch {
	case c.guest != nil:
		return c.guest.host
	case c.Account != nil:
		return c.Account.Host
	}
	return ""
}

// firstContact is what a question says of a company that does not manage this
// computer: that no authority vouches for its server, only a fingerprint that was
// given here, and that it has not asked before.
func (c *company) firstContact() (pinned, first bool) {
	switch {
	case c.guest != nil:
		return c.guest.pinned, c.guest.first
	case c.Account != nil:
		return c.Pin != "", c.Account.First
	}
	return false, false
}

// metNow notes that the person has answered a question of their account's company:
// the next is not the first any more.
func (a *Agent) metNow(c *company) {
	if c == nil || c.Account == nil || !c.Account.First {
		return
	}
	c.Account.First = false
	if err := a.keepAccount(c); err != nil { // it is said once more then
		a.log.Error("keep account", "err", err)
	}
}

func (a *Agent) keepAccount(c *company) error {
	raw, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode account: %w", err)
	}
	return a.store.PutDoc(docAccount, raw)
}

// isTheirs tells whether the desktops that l shows are all the account's
// person's. Where nobody is there, or it is not known who, they are not.
func (a *Agent) isTheirs(c *company, l *live, targets []*desktop) bool {
	people := a.people(l, targets)
	return len(people) == 1 && people[0] == c.Account.UID
}

// handleSignIn asks the server for codes, has the caller show the one for the
// user, and waits. It ends with the caller's connection, and leaves nothing then.
func (a *Agent) handleSignIn(ctx context.Context, conn *ipc.Conn, params json.RawMessage) (any, error) {
	var r ipc.SignIn
	if err := ipc.Decode(params, &r); err != nil {
		return nil, err
	}
	server, pin, err := wire.ParseServer(r.Server)
	if err != nil {
		return nil, &ipc.Error{Code: ipc.CodeBadRequest, Message: err.Error(), Why: ipc.WhyBad}
	}
	p := conn.Peer()
	may := func() (err error) {
		if derr := a.do(ctx, func() { err = a.maySignIn(p) }); derr != nil {
			return derr
		}
		return err
	}
	if err := may(); err != nil {
		return nil, err
	}
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("make the account's key: %w", err)
	}
	first, cancel := context.WithTimeout(ctx, redeemWithin)
	defer cancel()
	s, err := uplink.StartSignIn(first, server, pin, key, a.cfg.Build)
	if err != nil {
		return nil, notSignedIn(err)
	}
	code, _ := wire.ParseSecret(s.UserCode)
	// The address is made here: no text of the server's is shown as one.
	conn.Push(ipc.PushSignIn, ipc.SignInCode{Code: code, URL: server + "/account", Expires: time.Now().Add(time.Duration(s.ExpiresIn) * time.Second).UTC()})
	got, err := s.Wait(ctx)
	if err != nil {
		return nil, notSignedIn(err)
	}
	var out ipc.SignInResult
	var serr error
	if err := a.do(ctx, func() {
		if serr = a.maySignIn(p); serr == nil {
			out, serr = a.signedInTo(&company{Enrolment: got.Enrolment, Server: server, Pin: pin,
				Account: &account{UID: p.UID, User: session.Clean(got.User, session.MaxSupporter), Host: got.Host, Key: key.Seed()}})
		}
	}); err != nil {
		return nil, err
	}
	return out, serr
}

// notSignedIn is what the server's answer, or its silence, means for the person.
func notSignedIn(err error) error {
	failed := &ipc.Error{Code: ipc.CodeFailed, Message: session.Clean(err.Error(), 400), Why: ipc.WhyServer}
	var no *uplink.Refusal
	switch {
	case errors.Is(err, uplink.ErrNotApproved):
		failed.Why = ipc.WhyExpired
	case errors.As(err, &no):
		failed.Code, failed.Why = ipc.CodeRefused, refusedSignIns[no.Code]
	}
	return failed
}

// refusedSignIns are the words for what the server says of a sign-in.
var refusedSignIns = map[string]string{wire.SignInDenied: ipc.WhyDenied, wire.SignInExpired: ipc.WhyExpired, "too-many": ipc.WhyTries}

// maySignIn: only where no company is known, and while no supporter is there,
// whose hand it could be.
func (a *Agent) maySignIn(p ipc.Peer) error {
	switch c := a.company; {
	case c != nil && c.Account != nil:
		return &ipc.Error{Code: ipc.CodeConflict, Message: fmt.Sprintf("somebody at this computer is signed in to an account of %s already", c.CompanyName), Hint: "aval sign-out first", Why: ipc.WhyManaged}
	case c != nil:
		return &ipc.Error{Code: ipc.CodeConflict, Message: fmt.Sprintf("this computer is managed by %s: nobody signs in to an account on it", c.CompanyName), Why: ipc.WhyManaged}
	case a.supporterOn(p.UID):
		return &ipc.Error{Code: ipc.CodeRefused, Message: "a remote session is open on your desktop", Hint: "sign in when it has ended", Why: ipc.WhySupporter}
	}
	return nil
}

func (a *Agent) signedInTo(c *company) (ipc.SignInResult, error) {
	none := ipc.SignInResult{}
	first, err := a.meet(c.Company, met{Name: c.CompanyName, Host: c.Account.Host, Key: c.ServerKey, FirstAt: time.Now().UTC()})
	if err != nil {
		return none, err
	}
	c.Account.First = first
	envelope := c.Options
	c.Options = nil
	b, err := record.OpenOptions(envelope, c.trust())
	if err != nil {
		return none, err
	}
	if err := a.keepOptions(c, b, envelope); err != nil {
		return none, err
	}
	if err := a.keepAccount(c); err != nil {
		return none, errors.Join(err, a.dropOptions())
	}
	a.company = c
	a.review()
	a.startUplink(c)
	a.log.Info("signed in", "company", c.Company, "device", c.Device)
	return ipc.SignInResult{Company: c.CompanyName, User: c.Account.User, Server: c.Server, Device: c.Device}, nil
}

// handleSignOut ends the account and waits a little for its server to know.
func (a *Agent) handleSignOut(ctx context.Context, p ipc.Peer, params json.RawMessage) (any, error) {
	if err := ipc.Decode(params, &ipc.Empty{}); err != nil {
		return nil, err
	}
	var out ipc.SignOutResult
	var told <-chan bool
	var err error
	if derr := a.do(ctx, func() { out.Company, told, err = a.signOut(p) }); derr != nil {
		return nil, derr
	}
	if err != nil {
		return nil, err
	}
	out.Told = a.soon(ctx, told)
	return out, nil
}

// signOut ends the account: its recordings end, and its server is told, now or when it
// can be reached; so long its key is kept, for nothing else. What waits to be sent
// stays on this computer, sealed, and is not sent.
func (a *Agent) signOut(p ipc.Peer) (name string, told <-chan bool, err error) {
	c := a.company
	switch {
	case c == nil || c.Account == nil:
		return "", nil, &ipc.Error{Code: ipc.CodeConflict, Message: "nobody at this computer is signed in to an account"}
	case p.Role() != ipc.RoleAdmin && p.UID != c.Account.UID:
		return "", nil, &ipc.Error{Code: ipc.CodeRefused, Message: "another user of this computer has signed in", Hint: "they, or an administrator, can sign out"}
	}
	// First what is to be told: where Aval ends between the two, the server ends the
	// account, and that ends it here.
	l := leftBehind(c)
	a.left = append(a.left, l)
	if err := a.keepLeft(); err != nil {
		a.log.Error("keep what is to be told", "err", err)
	}
	if err := a.leave(docAccount); err != nil {
		a.left = slices.DeleteFunc(a.left, l.is)
		return "", nil, errors.Join(err, a.keepLeft())
	}
	a.log.Info("signed out", "company", c.Company, "device", c.Device)
	return c.CompanyName, a.tellLeft(l), nil
}

// turnedAway ends an account that its server does not know any more. It only
// ever takes something away.
func (a *Agent) turnedAway(c *company, s uplink.State) {
	if a.company != c || c.Account == nil || !s.Unknown {
		return
	}
	name := c.CompanyName
	if err := a.leave(docAccount); err != nil {
		a.log.Error("end account", "err", err)
		return
	}
	a.notes = appendNote(a.notes, fmt.Sprintf("%s has ended the sign-in on this computer.", name))
}
