package agent

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/agent/record"
	"aval/agent/uplink"
)

// The documents of an enrolment in the store.
const (
	docEnrolment = "enrolment"
	docOptions   = "options"
)

// company is the company that this device is enrolled with.
type company struct {
	uplink.Enrolment
	Server string `json:"server"`
	Pin    string `json:"pin"`

	options record.Options // the last good ones
	state   uplink.State
	link    *uplink.Link // nil: there could be none
	stop    context.CancelFunc
}

// optionsValid: options that have expired ask for nothing.
func (c *company) optionsValid(now time.Time) bool { return now.Before(c.options.Expires) }

// loadCompany reads the enrolment. A damaged one counts as none, visibly.
func (a *Agent) loadCompany() error {
	raw, err := a.store.Doc(docEnrolment)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read enrolment: %w", err)
	}
	var c company
	if err := json.Unmarshal(raw, &c); err != nil || c.Company == "" || c.Device == "" || len(c.ServerKey) != ed25519.PublicKeySize {
		a.notes = appendNote(a.notes, "The enrolment of this computer is damaged: nobody can ask for a summary until it is enrolled again (aval enroll).")
		return nil
	}
	opts, err := a.store.Doc(docOptions)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read options: %w", err)
	}
	if err == nil {
		o, err := c.verify(opts)
		if err != nil {
			a.notes = appendNote(a.notes, "The company's options on this computer are damaged; they count as off until it sends them again.")
		} else {
			c.options = o
		}
	}
	a.company = &c
	return nil
}

// verify checks signed options: of this company, for this device.
func (c *company) verify(envelope []byte) (record.Options, error) {
	var o record.Options
	if _, err := record.OpenAs(envelope, record.OneKey(c.ServerKey), record.TypePolicy, &o); err != nil {
		return record.Options{}, fmt.Errorf("verify options: %w", err)
	}
	switch {
	case o.V != 1 || o.Company != c.Company || o.Device != c.Device:
		return record.Options{}, errors.New("verify options: they are for another device")
	case o.Version < c.options.Version:
		return record.Options{}, fmt.Errorf("verify options: version %d is older than %d", o.Version, c.options.Version)
	case o.Incoming != consent.IncomingOff:
		// A value that can turn into allow without a question needs the company's
		// release key, which this version does not know yet.
		return record.Options{}, errors.New("verify options: incoming needs the release key")
	}
	return o, nil
}

// takeOptions takes options that the summarizer sent.
func (a *Agent) takeOptions(c *company, envelope []byte) {
	if a.company != c {
		return
	}
	o, err := c.verify(envelope)
	if err == nil {
		err = a.store.PutDoc(docOptions, envelope)
	}
	if err != nil {
		a.log.Error("options refused", "err", err)
		a.notes = appendNote(a.notes, "Options from the summarizer were refused and change nothing: "+err.Error()+".")
		return
	}
	c.options = o
	c.CompanyName = o.CompanyName
}

// startUplink keeps the connection to the company's summarizer.
func (a *Agent) startUplink() {
	c := a.company
	if c == nil {
		return
	}
	link, err := uplink.New(uplink.Config{
		Server: c.Server, Pin: c.Pin, Company: c.Company, Device: c.Device, Build: a.cfg.Build, Key: a.key,
		Source: a.store, Log: a.log,
		OnOptions: func(env []byte) { a.post(func() { a.takeOptions(c, env) }) },
		OnState:   func(s uplink.State) { a.post(func() { c.state = s }) },
		OnSummary: func(string) { a.post(func() { a.summaries++ }) },
	})
	if err != nil {
		a.log.Error("uplink", "err", err)
		a.notes = appendNote(a.notes, "There is no connection to the summarizer: "+err.Error()+".")
		return
	}
	ctx, stop := context.WithCancel(a.ctx)
	c.stop, c.link = stop, link
	a.work.Go(func() {
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
	taken := func() (err error) {
		if derr := a.do(ctx, func() {
			if a.company != nil {
				err = &ipc.Error{Code: ipc.CodeConflict, Message: fmt.Sprintf("this computer is enrolled with %s already", a.company.CompanyName),
					Hint: "aval unenroll first"}
			}
		}); derr != nil {
			return derr
		}
		return err
	}
	if err := taken(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	e, err := uplink.Enroll(ctx, r.Server, r.Pin, r.Token, a.key, a.cfg.Build)
	if err != nil {
		return nil, err
	}
	if err := taken(); err != nil {
		return nil, err
	}
	var out ipc.EnrollResult
	var eerr error
	if err := a.do(ctx, func() { out, eerr = a.enrolled(&company{Enrolment: e, Server: r.Server, Pin: r.Pin}) }); err != nil {
		return nil, err
	}
	return out, eerr
}

func (a *Agent) enrolled(c *company) (ipc.EnrollResult, error) {
	o, err := c.verify(c.Options)
	if err != nil {
		return ipc.EnrollResult{}, err
	}
	options := c.Options
	c.options, c.Options = o, nil
	raw, err := json.Marshal(c)
	if err != nil {
		return ipc.EnrollResult{}, fmt.Errorf("encode enrolment: %w", err)
	}
	if err := a.store.PutDoc(docOptions, options); err != nil {
		return ipc.EnrollResult{}, err
	}
	if err := a.store.PutDoc(docEnrolment, raw); err != nil {
		return ipc.EnrollResult{}, err
	}
	a.company = c
	a.startUplink()
	a.trimSoon()
	a.log.Info("enrolled", "company", c.Company, "device", c.Device)
	return ipc.EnrollResult{Company: c.Company, CompanyName: c.CompanyName, Device: c.Device, Server: c.Server}, nil
}

// unenroll leaves the company. What waits to be sent stays on disk, sealed, and
// is sent if the computer is enrolled there again; recordings end.
func (a *Agent) unenroll() error {
	c := a.company
	if c == nil {
		return &ipc.Error{Code: ipc.CodeConflict, Message: "this computer is not enrolled"}
	}
	for _, l := range a.sessions {
		if l.rec != nil && l.rec.stream.Company == c.Company {
			a.finish(l, "unenrolled")
		}
	}
	if err := a.store.DeleteDoc(docEnrolment); err != nil {
		return err
	}
	if err := a.store.DeleteDoc(docOptions); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if c.stop != nil {
		c.stop()
	}
	a.company = nil
	a.gateAll()
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
