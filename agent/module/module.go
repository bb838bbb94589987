// Package module opens the modules that companies hand out, and holds them against
// the server that they name.
//
// The one rule that must not be broken: a module is somebody's claim until its
// server, whose name TLS has verified, stands by it; and it never stands for
// anybody's consent.
package module

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"aval/agent/ipc"
	"aval/agent/record"
	"aval/agent/session"
	"aval/agent/uplink"
)

// Beside is the name of a module that a copy of aval under another name looks for
// in its own folder.
const Beside = "company.avalmodule"

// checkWithin bounds the server's word.
const checkWithin = 30 * time.Second

// Module is an opened module by which its server stands.
type Module struct {
	Module record.Module
	// Host is the server's name as TLS has verified it: by an authority that this
	// computer trusts, or, where Pinned, by the pin in the module alone.
	Host   string
	Pinned bool
	// CompanyName and Name are as the server says them: given, not verified.
	CompanyName, Name string
	// Asks: the company asks about sessions by this module, as things are now.
	Asks bool
}

// Open reads a module's file and asks its server. A module that was changed, has
// expired, was revoked, or is of somebody else than it says, is refused
// (*ipc.Error, CodeRefused); what cannot be read is another error.
func Open(ctx context.Context, path string) (Module, error) {
	m, err := read(path, time.Now())
	if err != nil {
		return Module{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, checkWithin)
	defer cancel()
	s, err := uplink.Module(ctx, m)
	var no *uplink.Refusal
	switch {
	case errors.As(err, &no) && no.Code != "server":
		return Module{}, refused(ipc.WhyModule, session.Clean(no.Sentence, 400), "")
	case errors.Is(err, uplink.ErrForeign):
		return Module{}, refused(ipc.WhyImpostor, err.Error(), "do not use it; ask the support by another way")
	case err != nil:
		return Module{}, fmt.Errorf("ask the module's server: %w", err)
	}
	return Module{Module: m, Host: s.Host, Pinned: s.Pinned, CompanyName: session.Clean(s.CompanyName, session.MaxSupporter),
		Name: session.Clean(s.Name, session.MaxSupporter), Asks: s.Asks}, nil
}

// read opens a module's file as it is, without asking anybody.
func read(path string, now time.Time) (record.Module, error) {
	f, err := os.Open(path)
	if err != nil {
		return record.Module{}, unreadable{fmt.Errorf("read module: %w", err)}
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, record.MaxEnvelope+1))
	if err != nil {
		return record.Module{}, unreadable{fmt.Errorf("read module: %w", err)}
	}
	m, err := record.OpenModule(raw)
	switch {
	case errors.Is(err, record.ErrModuleChanged):
		return m, refused(ipc.WhyChanged, err.Error(), "do not use it; ask the support for their own")
	case err != nil:
		return m, unreadable{err}
	case now.Before(m.At.Add(-24 * time.Hour)):
		return m, refusedOn(m.At, ipc.WhyClock, "the module is from "+m.At.Local().Format(time.DateOnly)+", which is yet to come", "is this computer's clock right?")
	case !now.Before(m.Expires):
		return m, refusedOn(m.Expires, ipc.WhyExpired, "the module has expired on "+m.Expires.Local().Format(time.DateOnly), "ask the support for the new one")
	}
	return m, nil
}

// unreadable: a file is no module.
type unreadable struct{ error }

func (u unreadable) Unwrap() error { return u.error }

// Refusal is why a module is not started: an *ipc.Error, with the day that it is
// about, zero where there is none.
type Refusal struct {
	Err *ipc.Error
	Day time.Time
}

func (r *Refusal) Error() string { return r.Err.Error() }

// Unwrap is the error as commands know it.
func (r *Refusal) Unwrap() error { return r.Err }

func refused(why, what, hint string) error { return refusedOn(time.Time{}, why, what, hint) }

func refusedOn(day time.Time, why, what, hint string) error {
	return &Refusal{&ipc.Error{Code: ipc.CodeRefused, Message: what, Hint: hint, Why: why}, day}
}

// Reason is the word for why a module was not started, as viewmodel.NewRefusal knows
// it, and the day that it is about. ok: the person has to be told; not where they
// have ended it themselves.
func Reason(err error) (why string, day time.Time, ok bool) {
	var no *Refusal
	var known *ipc.Error
	switch {
	case err == nil || errors.Is(err, context.Canceled):
		return "", day, false
	case errors.As(err, &no):
		return no.Err.Why, no.Day, no.Err.Why != ipc.WhyClosed
	case errors.As(err, &known):
		return known.Why, day, true
	case errors.Is(err, uplink.ErrUnreachable), errors.Is(err, uplink.ErrProxy), errors.Is(err, uplink.ErrCertificate), errors.Is(err, uplink.ErrModule):
		return ipc.WhyServer, day, true
	case errors.As(err, new(unreadable)):
		return ipc.WhyBad, day, true
	}
	return "", day, true
}
