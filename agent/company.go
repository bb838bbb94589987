package agent

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"aval/agent/ipc"
	"aval/agent/record"
	"aval/agent/uplink"
	"aval/agent/wire"
)

// docEnrolment is the enrolment's document in the store.
const docEnrolment = "enrolment"

// company is one that may ask: the one that this device is enrolled with, or in
// whose account somebody is signed in, or a guest, for one session.
type company struct {
	uplink.Enrolment
	Server  string   `json:"server"`
	Pin     string   `json:"pin"`
	Account *account `json:"account,omitempty"` // a person is signed in to it; nil: enrolled, or a guest

	guest   *guest        // nil: the computer is enrolled with it
	options record.Bundle // the last good ones; zero: there are none
	raw     []byte        // their envelope
	seen    seen
	refused refused // the last options that were refused
	state   uplink.State
	link    *uplink.Link // nil: there could be none
	stop    context.CancelFunc
	lapse   *time.Timer // when the options lapse
}

// loadCompany reads the enrolment. A damaged one counts as none, visibly.
func (a *Agent) loadCompany() error {
	name := docEnrolment
	raw, err := a.store.Doc(name)
	if errors.Is(err, fs.ErrNotExist) {
		name = docAccount
		raw, err = a.store.Doc(name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	var c company
	if err := json.Unmarshal(raw, &c); err != nil || c.Company == "" || c.Device == "" || len(c.ServerKey) != ed25519.PublicKeySize ||
		len(c.ReleaseKey) != 0 && len(c.ReleaseKey) != ed25519.PublicKeySize || (c.Account != nil) != (name == docAccount) ||
		c.Account != nil && len(c.Account.Key) != ed25519.SeedSize {
		if name == docAccount {
			a.notes = appendNote(a.notes, "What was kept of an account is damaged: nobody is signed in on this computer until they sign in again (aval sign-in).")
			return nil
		}
		a.notes = appendNote(a.notes, "The enrolment of this computer is damaged: nobody can ask for a summary until it is enrolled again (aval enroll).")
		return nil
	}
	if err := a.loadOptions(&c); err != nil {
		return err
	}
	a.company = &c
	return nil
}

// startUplink keeps the connection to a company's summarizer.
func (a *Agent) startUplink(c *company) {
	key, source := a.key, a.newFeed(c)
	if own := c.own(); own != nil {
		key = own
	}
	cfg := uplink.Config{
		Server: c.Server, Pin: c.Pin, Company: c.Company, Device: c.Device, Build: a.cfg.Build, Key: key,
		Source: source, Log: a.log,
		OnOptions: func(env []byte) { a.post(func() { a.takeOptions(c, env) }) },
		OnState: func(s uplink.State) {
			a.post(func() {
				c.state = s
				a.turnedAway(c, s)
			})
		},
		OnRequest: func(env []byte) { a.post(func() { a.takeRequest(c, env) }) },
		OnSummary: func(string) { a.post(func() { a.summaries++ }) },
		OnHint: func(h *wire.Hint) {
			a.post(func() {
				if hint, ok := a.hintOf(c, h); ok {
					a.logs.Hint(hint)
				}
			})
		},
	}
	if c.guest == nil && c.Account == nil { // else the company has no business with the log of all companies
		cfg.ShowLog = showLog
		cfg.AuditSeen = func() int64 { _, h, _ := a.readAudit(c); return h.Size }
		cfg.OnAudit = func(f *wire.Checkpoint) { a.post(func() { a.takeAudit(c, f) }) }
	}
	link, err := uplink.New(cfg)
	if err != nil {
		a.log.Error("uplink", "err", err)
		a.notes = appendNote(a.notes, "There is no connection to the summarizer: "+err.Error()+".")
		return
	}
	ctx, stop := context.WithCancel(a.ctx)
	c.stop, c.link = stop, link
	a.reached = nil
	a.reachSoon()
	a.feeds.add(source)
	a.work.Go(func() {
		defer a.feeds.drop(source)
		if err := link.Run(ctx); err != nil && ctx.Err() == nil {
			a.log.Error("uplink ended", "err", err)
		}
	})
}

// handleEnroll makes this a managed device. Only the network part is outside
// the loop; a second enrolment is refused before and after it.
func (a *Agent) handleEnroll(ctx context.Context, params json.RawMessage) (any, error) {
	var r ipc.Enroll
	if err := ipc.Decode(params, &r); err != nil {
		return nil, err
	}
	return a.enroll(ctx, r)
}

// enroll makes this a managed device; not in the loop.
func (a *Agent) enroll(ctx context.Context, r ipc.Enroll) (ipc.EnrollResult, error) {
	none := ipc.EnrollResult{}
	taken := func() (err error) {
		if derr := a.do(ctx, func() {
			switch {
			case a.company != nil && a.company.Account != nil:
				err = &ipc.Error{Code: ipc.CodeConflict, Message: fmt.Sprintf("somebody at this computer is signed in to an account of %s", a.company.CompanyName),
					Hint: "aval sign-out first"}
			case a.company != nil:
				err = &ipc.Error{Code: ipc.CodeConflict, Message: fmt.Sprintf("this computer is enrolled with %s already", a.company.CompanyName),
					Hint: "aval unenroll first"}
			}
		}); derr != nil {
			return derr
		}
		return err
	}
	if err := taken(); err != nil {
		return none, err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	e, err := uplink.Enroll(ctx, r.Server, r.Pin, r.Token, a.key, a.cfg.Build, a.try)
	if err != nil {
		return none, err
	}
	if err := taken(); err != nil {
		return none, err
	}
	var out ipc.EnrollResult
	var eerr error
	if err := a.do(ctx, func() { out, eerr = a.enrolled(&company{Enrolment: e, Server: r.Server, Pin: r.Pin}) }); err != nil {
		return none, err
	}
	return out, eerr
}

func (a *Agent) enrolled(c *company) (ipc.EnrollResult, error) {
	envelope := c.Options
	c.Options = nil
	b, err := record.OpenOptions(envelope, c.trust())
	if err != nil {
		return ipc.EnrollResult{}, err
	}
	raw, err := json.Marshal(c)
	if err != nil {
		return ipc.EnrollResult{}, fmt.Errorf("encode enrolment: %w", err)
	}
	if err := a.keepOptions(c, b, envelope); err != nil {
		return ipc.EnrollResult{}, err
	}
	if err := a.store.PutDoc(docEnrolment, raw); err != nil {
		return ipc.EnrollResult{}, err
	}
	a.company = c
	a.review()
	a.startUplink(c)
	a.trimSoon()
	a.log.Info("enrolled", "company", c.Company, "device", c.Device, "server_releases", c.trust().ServerReleases())
	return ipc.EnrollResult{Company: c.Company, CompanyName: c.CompanyName, Device: c.Device, Server: c.Server}, nil
}

// leave ends all that rests on the company, whose document is doc.
func (a *Agent) leave(doc string) error {
	c := a.company
	for _, l := range a.sessions {
		if l.rec != nil && a.asker(l) == c {
			a.finish(l, "unenrolled")
		}
	}
	if err := a.store.DeleteDoc(doc); err != nil {
		return err
	}
	if err := errors.Join(a.dropOptions(), a.store.DeleteDoc(docAudit)); err != nil {
		return err
	}
	a.stopUplink(c)
	if c.lapse != nil {
		c.lapse.Stop()
	}
	a.company = nil
	a.review()
	return nil
}

// appendNote keeps the last notes, each once.
func appendNote(notes []string, s string) []string {
	for _, n := range notes {
		if n == s {
			return notes
		}
	}
	if len(notes) >= 20 {
		notes = notes[1:]
	}
	return append(notes, s)
}
