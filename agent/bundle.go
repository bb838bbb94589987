package agent

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"time"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/agent/record"
	"aval/agent/session"
)

// The documents of signed options in the store.
const (
	docOptions = "options"
	docSeen    = "options-seen"
)

// maxSeen bounds the policies whose versions are remembered. None is ever
// forgotten: an older version of it could come back then.
const maxSeen = 1000

// renewed is how long after its signature a bundle has normally been replaced:
// the server signs a new one each week. An older one counts as stale.
const renewed = 8 * 24 * time.Hour

// seen is the newest that was taken from a server. It stands apart from the
// options, so that losing those does not let older ones in.
type seen struct {
	Version  int64            `json:"version"`
	Policies map[string]int64 `json:"policies,omitempty"`
}

// refused is why options were refused last.
type refused struct {
	at  time.Time
	why string
}

// trust is what options of this company are held against.
func (c *company) trust() record.Trust {
	return record.Trust{Company: c.Company, Device: c.Device, ServerKey: c.ServerKey, ReleaseKey: c.ReleaseKey,
		Version: c.seen.Version, Last: c.raw, Policies: c.seen.Policies}
}

// fill sets what the company's options say; options out of force ask for nothing.
func (c *company) fill(in *consent.Input, now time.Time) {
	in.Outgoing, in.Incoming, in.IncomingEnforced, in.LogSessions = consent.OutgoingOff, consent.IncomingOff, false, false
	in.ModuleEnabled = false
	if c.Account == nil { // else it is the session's matter
		in.ManagedByRequester = c.guest == nil
	}
	if o := c.options; now.Before(o.Until) {
		in.Outgoing, in.Incoming, in.IncomingEnforced, in.LogSessions = o.Outgoing, o.Incoming, o.IncomingEnforced, o.LogSessions
		in.ModuleEnabled = c.guest != nil && c.guest.request.ModuleEnabled
	}
}

// loadOptions reads the last good options. Damaged ones count as none, visibly.
func (a *Agent) loadOptions(c *company) error {
	raw, err := a.store.Doc(docSeen)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("read options: %w", err)
	case json.Unmarshal(raw, &c.seen) != nil:
		c.seen = seen{}
		a.notes = appendNote(a.notes, "Which options of the company were taken last is damaged on this computer: an older version could not be told from a new one.")
	}
	envelope, err := a.store.Doc(docOptions)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read options: %w", err)
	}
	b, err := record.OpenOptions(envelope, c.trust())
	if err != nil {
		a.log.Error("kept options", "err", err)
		a.notes = appendNote(a.notes, "The company's options on this computer are damaged: nothing is recorded until it sends them again.")
		return nil
	}
	c.have(b, envelope, c.seen.after(b)) // the service may have ended before it noted them
	a.lapseLater(c)
	return nil
}

// after is what is the newest once b has been taken.
func (s seen) after(b record.Bundle) seen {
	next := seen{Version: max(s.Version, b.Version), Policies: maps.Clone(s.Policies)}
	if p := b.Policy; p != nil && p.Version > next.Policies[p.ID] {
		if next.Policies == nil {
			next.Policies = map[string]int64{}
		}
		next.Policies[p.ID] = p.Version
	}
	return next
}

// takeOptions takes options that the summarizer sent, or refuses them and says
// so; refused ones change nothing.
func (a *Agent) takeOptions(c *company, envelope []byte) {
	if a.company != c {
		return
	}
	b, err := record.OpenOptions(envelope, c.trust())
	if now := time.Now(); err == nil && !now.Before(b.Until) {
		err = fmt.Errorf("verify options: version %d has expired at %s", b.Version, b.Until.UTC().Format(time.RFC3339))
	}
	if err == nil {
		err = a.keepOptions(c, b, envelope)
	}
	if err != nil {
		a.log.Error("options refused", "err", err)
		c.refused = refused{time.Now().UTC(), err.Error()}
		a.notes = appendNote(a.notes, "Options from the summarizer were refused and change nothing: "+err.Error()+".")
		return
	}
	a.log.Info("options taken", "version", b.Version, "until", b.Until)
	a.review()
}

// keepOptions makes verified options the last good ones, durably.
func (a *Agent) keepOptions(c *company, b record.Bundle, envelope []byte) error {
	next := c.seen.after(b)
	if len(next.Policies) > maxSeen {
		return fmt.Errorf("more than %d policies were assigned to this computer: enrol it again", maxSeen)
	}
	if err := a.store.PutDoc(docOptions, envelope); err != nil {
		return err
	}
	raw, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("encode options: %w", err)
	}
	if err := a.store.PutDoc(docSeen, raw); err != nil {
		return err
	}
	c.have(b, envelope, next)
	a.lapseLater(c)
	return nil
}

// have makes verified options those of the company, its name with them.
func (c *company) have(b record.Bundle, envelope []byte, newest seen) {
	c.options, c.raw, c.seen = b, envelope, newest
	c.CompanyName = cmp.Or(b.CompanyName, c.CompanyName)
	if c.Account != nil { // its own choice
		c.CompanyName = session.Clean(c.CompanyName, session.MaxSupporter)
	}
}

// lapseLater has everything looked at again when the options stop being in force.
func (a *Agent) lapseLater(c *company) {
	if c.lapse != nil {
		c.lapse.Stop()
	}
	if d := time.Until(c.options.Until); d > 0 {
		c.lapse = a.after(d, func() {
			if a.company == c {
				a.review()
			}
		})
	}
}

// dropOptions forgets them with the enrolment.
func (a *Agent) dropOptions() error {
	for _, name := range []string{docOptions, docSeen} {
		if err := a.store.DeleteDoc(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// served is what the server sent, for people.
func (c *company) served() *ipc.PolicyServer {
	o := c.options
	var in consent.Input
	c.fill(&in, time.Now())
	s := &ipc.PolicyServer{Version: o.Version, SignedAt: o.At, Until: o.Until, Refused: c.refused.why, RefusedAt: c.refused.at,
		Outgoing: in.Outgoing, Incoming: in.Incoming, IncomingEnforced: in.IncomingEnforced, LogSessions: in.LogSessions}
	if o.Policy != nil {
		s.Policy, s.PolicyVersion = o.Policy.Name, o.Policy.Version
	}
	switch {
	case c.trust().ServerReleases():
		s.Releases = "server"
	case len(c.ReleaseKey) > 0:
		s.Releases = "release-key"
	default:
		s.Releases = "nobody"
	}
	return s
}
