package agent

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"slices"
	"strings"
	"time"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/agent/record"
	"aval/agent/session"
	"aval/agent/session/watch"
	"aval/agent/store"
	"aval/agent/uplink"
	"aval/agent/wire"
)

// The documents of companies that ask by session codes.
const (
	docGuests = "guests" // each with the key of its session
	docMet    = "met"    // the keys of all companies that ever asked here
)

// toolSupport is the tool of a session that a code itself opened.
const toolSupport = "support"

const (
	// redeemWithin bounds the way of a code to its server and back.
	redeemWithin = 40 * time.Second
	// guestLingers is how long after its session the connection to a guest's
	// server stays up by itself: the summary comes back soon.
	guestLingers = 15 * time.Minute
	// guestLooks is how often it is looked whether it is still needed.
	guestLooks = time.Minute
	// guestKept is how long after the company's retention its key is kept: until
	// then the person may want something deleted.
	guestKept = 30 * 24 * time.Hour
)

// guest is what makes a company one that asks for one session by a code: the
// key of that session, under which the company knows this computer and no other
// company does.
type guest struct {
	request  record.Request
	envelope []byte // of the request
	key      ed25519.PrivateKey
	host     string // of the server, as TLS has verified it
	pinned   bool   // by the fingerprint in the code alone
	first    bool   // the company has not asked on this computer before
	ended    time.Time
	look     *time.Timer
}

// keptGuest is a guest on disk.
type keptGuest struct {
	Server   string    `json:"server"`
	Pin      string    `json:"pin,omitempty"`
	Key      []byte    `json:"key"` // seed of the session's Ed25519 key
	Signs    []byte    `json:"server_key"`
	Request  []byte    `json:"request"`
	Company  string    `json:"company"`
	Device   string    `json:"device"`
	Host     string    `json:"host"`
	First    bool      `json:"first,omitempty"`
	EndedAt  time.Time `json:"ended_at,omitzero"`
	Accepted time.Time `json:"accepted_at"`
}

// met is a company that has asked on this computer.
type met struct {
	Name    string    `json:"name"`
	Host    string    `json:"host"`
	Key     []byte    `json:"key"` // Ed25519, of its server
	FirstAt time.Time `json:"first_at"`
}

// asker is the company that asks about l: that of its code, else the one that
// this computer is enrolled with; nil: nobody.
func (a *Agent) asker(l *live) *company {
	if l.Guest != "" {
		return a.guests[l.Guest]
	}
	return a.company
}

// moreKeys sign a record beside this computer's own: for a guest the session's,
// whose signature alone leaves.
func (a *Agent) moreKeys(device string) []crypto.Signer {
	c := a.guests[device]
	if c == nil && a.company != nil && a.company.Device == device {
		c = a.company
	}
	if c != nil && c.own() != nil {
		return []crypto.Signer{c.own()}
	}
	return nil
}

// newGuest makes the company of a verified request.
func newGuest(k keptGuest, r record.Request) *company {
	o := record.Options{V: 1, Company: r.Company, Device: r.Device, At: r.At, Expires: r.Expires, CompanyName: r.CompanyName, Outgoing: r.Outgoing,
		Incoming: consent.IncomingOff, LogSessions: r.LogSessions, Engine: r.Engine, RetentionDays: r.RetentionDays, Readers: r.Readers}
	return &company{
		Enrolment: uplink.Enrolment{Company: r.Company, CompanyName: session.Clean(r.CompanyName, session.MaxSupporter), Device: r.Device, ServerKey: k.Signs},
		Server:    k.Server, Pin: k.Pin, options: record.Bundle{Options: o, Until: r.Expires},
		guest: &guest{request: r, envelope: k.Request, key: ed25519.NewKeyFromSeed(k.Key), host: k.Host, pinned: k.Pin != "", first: k.First, ended: k.EndedAt},
	}
}

func (c *company) kept() keptGuest {
	g := c.guest
	return keptGuest{Server: c.Server, Pin: c.Pin, Key: g.key.Seed(), Signs: c.ServerKey, Request: g.envelope, Company: c.Company,
		Device: c.Device, Host: g.host, First: g.first, EndedAt: g.ended, Accepted: g.request.At}
}

// loadGuests reads the guests of before. A damaged one counts as none, visibly.
func (a *Agent) loadGuests() error {
	a.guests = map[string]*company{}
	raw, err := a.store.Doc(docGuests)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var list []keptGuest
	if err == nil {
		err = json.Unmarshal(raw, &list)
	}
	if err != nil && !errors.Is(err, store.ErrDamaged) && raw == nil {
		return fmt.Errorf("read companies of session codes: %w", err)
	}
	bad := err
	for _, k := range list {
		r, err := record.OpenRequest(k.Request, k.Signs, k.Company, k.Device)
		if err != nil || len(k.Key) != ed25519.SeedSize {
			bad = errors.Join(err, errors.New("a session's key is damaged"))
			continue
		}
		a.guests[k.Device] = newGuest(k, r)
	}
	if bad != nil {
		a.log.Error("read companies of session codes", "err", bad)
		a.notes = appendNote(a.notes, "What was kept of companies that asked by a session code is damaged: what still waits for them stays on this computer.")
	}
	return nil
}

func (a *Agent) keepGuests() error {
	list := []keptGuest{}
	for _, c := range a.guests {
		list = append(list, c.kept())
	}
	slices.SortFunc(list, func(x, y keptGuest) int { return x.Accepted.Compare(y.Accepted) })
	raw, err := json.Marshal(list)
	if err != nil {
		return fmt.Errorf("encode companies of session codes: %w", err)
	}
	return a.store.PutDoc(docGuests, raw)
}

// meet holds a company's id against what is known of it, and notes it. An id is
// the server's own choice: one that another server has is not taken.
func (a *Agent) meet(id string, m met) (first bool, err error) {
	all := map[string]met{}
	raw, err := a.store.Doc(docMet)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return false, fmt.Errorf("read known companies: %w", err)
	case json.Unmarshal(raw, &all) != nil:
		return false, fmt.Errorf("read known companies: %w", store.ErrDamaged)
	}
	if c := a.company; c != nil && c.Company == id {
		return false, &ipc.Error{Code: ipc.CodeConflict, Message: fmt.Sprintf("this computer is managed by %s: its sessions need no code", c.CompanyName), Why: ipc.WhyManaged}
	}
	old, known := all[id]
	switch {
	case known && !slices.Equal(old.Key, m.Key):
		return false, &ipc.Error{Code: ipc.CodeRefused, Message: fmt.Sprintf("the server at %s says that it is a company which this computer knows from %s, and it is not", m.Host, old.Host),
			Hint: "do not use this code; ask the support by another way", Why: ipc.WhyImpostor}
	case known:
		return false, nil
	}
	all[id] = m
	if raw, err = json.Marshal(all); err != nil {
		return false, fmt.Errorf("encode known companies: %w", err)
	}
	return true, a.store.PutDoc(docMet, raw)
}

// handleJoin redeems a session code and has the session decided that it asks
// for. What would come to nothing anyway is not even told to the server.
func (a *Agent) handleJoin(ctx context.Context, c *ipc.Conn, params json.RawMessage) (any, error) {
	var r ipc.SessionJoin
	if err := ipc.Decode(params, &r); err != nil {
		return nil, err
	}
	joined, err := a.redeem(ctx, c.Peer(), r.Code, r.Desktop)
	if err != nil {
		return nil, err
	}
	return a.beginAndWait(ctx, r.Hold, func() (*live, error) {
		a.opened()
		return a.joinSession(c.Peer(), joined, r.Desktop)
	})
}

// redeem checks whether a code may be used here, and redeems it. Only the
// network part is outside the loop.
func (a *Agent) redeem(ctx context.Context, p ipc.Peer, text, desktop string) (*company, error) {
	code, err := a.parseCode(text)
	if errors.Is(err, wire.ErrCode) {
		return nil, &ipc.Error{Code: ipc.CodeBadRequest, Message: err.Error(), Why: ipc.WhyBad}
	}
	if err != nil {
		return nil, err
	}
	if derr := a.do(ctx, func() { err = a.mayJoin(p, code.Host(), desktop) }); derr != nil {
		return nil, derr
	}
	if err != nil {
		return nil, err
	}
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("make the session's key: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, redeemWithin)
	defer cancel()
	got, err := uplink.Redeem(ctx, code, key, a.cfg.Build, a.cfg.Module.ID)
	if err != nil {
		failed := &ipc.Error{Code: ipc.CodeFailed, Message: session.Clean(err.Error(), 400), Why: ipc.WhyServer}
		var no *uplink.Refusal
		if errors.As(err, &no) {
			failed.Code, failed.Why = ipc.CodeRefused, refusedCodes[no.Code]
		}
		return nil, failed
	}
	return a.certified(got, code.Server, code.Pin, key)
}

// certified makes the company of a session whose key its server has certified. In a
// module that must be the module's.
func (a *Agent) certified(got uplink.Redeemed, server, pin string, key ed25519.PrivateKey) (*company, error) {
	if m := a.cfg.Module; m.ID != "" && (got.Request.Company != m.Company || !slices.Equal(got.ServerKey, m.Key)) {
		return nil, &ipc.Error{Code: ipc.CodeRefused, Message: uplink.ErrForeign.Error(), Why: ipc.WhyImpostor}
	}
	k := keptGuest{Server: server, Pin: pin, Key: key.Seed(), Signs: got.ServerKey, Request: got.Envelope, Host: got.Host}
	return newGuest(k, got.Request), nil
}

// parseCode reads a code. In a module the server is known: the eight signs are
// enough, and a code of another server is refused.
func (a *Agent) parseCode(text string) (wire.Code, error) {
	m := a.cfg.Module
	if m.ID == "" {
		return wire.ParseCode(text)
	}
	if secret, err := wire.ParseSecret(strings.TrimSpace(text)); err == nil {
		return wire.Code{Secret: secret, Server: m.Server, Pin: m.Pin}, nil
	}
	code, err := wire.ParseCode(text)
	if err != nil {
		return code, err
	}
	if code.Server != m.Server || code.Pin != "" && code.Pin != m.Pin {
		return code, &ipc.Error{Code: ipc.CodeRefused, Message: "this code is of " + code.Host() + ", and the module is for codes of " + hostOf(m.Server), Why: ipc.WhyUnknown}
	}
	code.Pin = m.Pin
	return code, nil
}

// refusedCodes are the words for what the server says of a code.
var refusedCodes = map[string]string{"code-unknown": ipc.WhyUnknown, "code-used": ipc.WhyUsed, "code-expired": ipc.WhyExpired, "too-many": ipc.WhyTries}

// mayJoin refuses before the server, host, is asked: a computer where nothing of it
// would be recorded tells nobody of the attempt.
func (a *Agent) mayJoin(p ipc.Peer, host, desktop string) error {
	if err := a.mayName(p, desktop); err != nil {
		return err
	}
	if p.Role() != ipc.RoleAdmin && !a.calm(p.UID) {
		return errTooMany
	}
	if c := a.company; c != nil && hostOf(c.Server) == host {
		return &ipc.Error{Code: ipc.CodeConflict, Message: fmt.Sprintf("this computer is managed by %s: its sessions need no code", c.CompanyName), Why: ipc.WhyManaged}
	}
	in := consent.Input{Direction: consent.Outgoing, Outgoing: consent.OutgoingAll, LogSessions: true, Incoming: consent.IncomingOff,
		PolicyState: consent.PolicyNone, Reporting: consent.SwitchUnset, Insights: consent.SwitchUnset, AccessControl: consent.AccessUnset,
		Local: a.store.Setting(p.UID).Value, Desktop: consent.DesktopAvailable}
	a.policyNow().Effective.Fill(&in)
	if d := consent.Decide(in); d.Verdict == consent.Deny {
		return &ipc.Error{Code: ipc.CodeRefused, Message: fmt.Sprintf("no session is recorded here (%s), so the code was not used", d.Reason),
			Hint: "aval settings get and aval policy show say why", Why: ipc.WhyDenied}
	}
	return nil
}

func hostOf(server string) string {
	u, err := url.Parse(server)
	if err != nil {
		return server
	}
	return strings.ToLower(u.Host)
}

// joinSession takes a company in for the one session that it asks for: the open
// one on the person's desktop that nobody else asks about, where there is just
// one; else one of its own.
func (a *Agent) joinSession(p ipc.Peer, c *company, desktop string) (*live, error) {
	if err := a.takeIn(c); err != nil {
		return nil, err
	}
	if l := a.openFor(p, desktop); l != nil {
		a.askFor(l, c)
		return l, nil
	}
	id := strings.ToLower(c.Device)
	asked := id
	if p.Role() != ipc.RoleAdmin {
		id = fmt.Sprintf("u%d:%s", p.UID, id)
	}
	name, err := session.Name(toolSupport, id)
	if err != nil {
		return nil, fmt.Errorf("name session: %w", err)
	}
	s := session.Session{Name: name, Asked: asked, Tool: toolSupport, Owner: p.UID, Desktop: desktop, Started: time.Now().UTC()}
	return a.beginFor(s, c)
}

// beginFor begins a session about which c asks.
func (a *Agent) beginFor(s session.Session, c *company) (*live, error) {
	s.Guest, s.Verified, s.Identity = c.Device, true, ""
	if s.Address == "" {
		s.Address = s.Supporter
	}
	s.Supporter = session.Clean(c.guest.request.Supporter, session.MaxSupporter)
	l, err := a.begin(s)
	if err != nil {
		a.leaveGuest(c)
	}
	return l, err
}

// takeIn makes a company known for its session, durably, before anything rests on it.
func (a *Agent) takeIn(c *company) error {
	first, err := a.meet(c.Company, met{Name: c.CompanyName, Host: c.guest.host, Key: c.ServerKey, FirstAt: time.Now().UTC()})
	if err != nil {
		return err
	}
	c.guest.first = first
	a.guests[c.Device] = c
	if err := a.keepGuests(); err != nil {
		delete(a.guests, c.Device)
		return err
	}
	a.log.Info("session code redeemed", "company", c.Company, "device", c.Device, "server", c.guest.host, "first", first)
	return nil
}

// openFor is the one open session of the person that nobody asks about; nil:
// there is none, or more than one, and which is meant is not known.
func (a *Agent) openFor(p ipc.Peer, desktop string) *live {
	desktop = watch.Display(desktop)
	var found *live
	for _, l := range a.sessions {
		if l.Guest != "" || l.decided == nil || l.outcome != consent.OutcomeNotRequested || l.unconfirmed || !a.mine(p, l) ||
			desktop != "" && l.Desktop != desktop {
			continue
		}
		if found != nil {
			return nil
		}
		found = l
	}
	return found
}

// askFor has an open session decided for the company whose code was entered.
func (a *Agent) askFor(l *live, c *company) {
	l.Guest, l.Identity = c.Device, ""
	l.vouch(c.guest.request.Supporter)
	l.asks, l.ending = 0, consent.EndingNone
	a.decide(l)
	a.tendGuest(c)
}

// followRemote ends the sessions that a code opened once the remote sessions
// that were there with them are over.
func (a *Agent) followRemote(began *live) {
	for _, o := range a.sessions {
		if o.Tool != toolSupport || o.Guest == "" || began == o || began.Tool == toolSupport {
			continue
		}
		if slices.ContainsFunc(began.desktops, func(id string) bool { return slices.Contains(o.desktops, id) }) {
			o.carried = true
		}
	}
}

func (a *Agent) endUncarried() {
	for _, o := range a.sessions {
		if !o.carried {
			continue
		}
		there := false
		for _, l := range a.sessions {
			there = there || l.Tool != toolSupport && slices.ContainsFunc(l.desktops, func(id string) bool { return slices.Contains(o.desktops, id) })
		}
		if !there {
			a.end(o, "ended")
		}
	}
}

// guestEnded notes that the session of a guest is over.
func (a *Agent) guestEnded(l *live) {
	c := a.guests[l.Guest]
	if c == nil || !c.guest.ended.IsZero() {
		return
	}
	a.leaveGuest(c)
}

// leaveGuest ends a company's session: it can ask nothing more. What waits for
// it is still sent, and its key kept for as long as something can be deleted.
func (a *Agent) leaveGuest(c *company) {
	c.guest.ended = time.Now().UTC()
	if err := a.keepGuests(); err != nil {
		a.log.Error("keep companies of session codes", "err", err)
	}
	a.tendGuest(c)
}

// tendGuests looks at all guests, at the start.
func (a *Agent) tendGuests() {
	for device, c := range a.guests {
		if c.guest.ended.IsZero() && !a.inSession(device) { // the service ended before it could note it
			c.guest.ended = time.Now().UTC()
		}
		a.tendGuest(c)
	}
}

func (a *Agent) inSession(device string) bool {
	for _, l := range a.sessions {
		if l.Guest == device {
			return true
		}
	}
	return false
}

// tendGuest keeps the connection to a guest's server while there is something
// for it, and forgets the guest in the end.
func (a *Agent) tendGuest(c *company) {
	if c == nil || c.guest == nil || a.guests[c.Device] != c {
		return
	}
	if c.guest.look != nil {
		c.guest.look.Stop()
	}
	waits, held, err := a.waitsFor(c)
	if err != nil {
		a.log.Error("read what waits for a company", "err", err)
		waits = true
	}
	over := time.Since(c.guest.ended)
	switch {
	case a.inSession(c.Device) || waits || !c.guest.ended.IsZero() && over < guestLingers:
		if c.link == nil {
			a.startUplink(c)
		}
	case !c.guest.ended.IsZero():
		a.stopUplink(c)
		if !held && over > time.Duration(c.options.RetentionDays)*24*time.Hour+guestKept {
			delete(a.guests, c.Device)
			if err := a.keepGuests(); err != nil {
				a.log.Error("forget a company of a session code", "err", err)
			}
			return
		}
	}
	if c.link != nil || held {
		c.guest.look = a.after(guestLooks, func() { a.tendGuest(c) })
	}
}

// waitsFor tells whether something waits to be sent to a company, or for the
// person's word.
func (a *Agent) waitsFor(c *company) (waits, held bool, err error) {
	f := a.newFeed(c)
	streams, err := f.Streams()
	if err != nil {
		return false, false, err
	}
	for _, s := range streams {
		live := !s.Withdrawn && !s.Erased
		held = held || live && s.Held || !s.Erased && s.DeleteAsked
		waits = waits || live && !s.Held && !s.DeleteAsked && s.Last > s.Acked
	}
	records, err := f.PendingRecords(c.Company, 1)
	return waits || len(records) > 0, held, err
}

func (a *Agent) stopUplink(c *company) {
	if c.stop != nil {
		c.stop()
		c.stop, c.link = nil, nil
		c.state = uplink.State{}
	}
}

// guestList is what status says of the companies of codes whose sessions are
// open, or for which something waits.
func (a *Agent) guestList() []ipc.GuestStatus {
	var out []ipc.GuestStatus
	for device, c := range a.guests {
		waits, held, err := a.waitsFor(c)
		if !a.inSession(device) && !waits && !held && err == nil {
			continue
		}
		g := ipc.GuestStatus{Company: c.CompanyName, Server: c.guest.host, Supporter: c.guest.request.Supporter, Link: c.state.Link, LinkError: c.state.Err,
			Until: c.guest.request.Expires, Open: a.inSession(device)}
		if g.Link == "" {
			g.Link = "none"
		}
		out = append(out, g)
	}
	slices.SortFunc(out, func(x, y ipc.GuestStatus) int { return x.Until.Compare(y.Until) })
	return out
}

var errTooMany = &ipc.Error{Code: ipc.CodeRefused, Message: fmt.Sprintf("more than %d sessions were begun within %d minutes", maxBegins, int(beginsWithin.Minutes())),
	Hint: "wait a little: every one of them may ask the person a question"}
