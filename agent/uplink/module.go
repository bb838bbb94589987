package uplink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"aval/agent/record"
	"aval/agent/wire"
)

// Errors of Module.
var (
	// ErrModule wraps the server's sentence when it does not stand by a module.
	ErrModule = errors.New("the module's server does not stand by it")
	// ErrForeign: the server named in a module is not of the company that signed it.
	ErrForeign = errors.New("the module was signed by somebody else than the company whose server it names")
)

// StandingModule is a module by which its server stands.
type StandingModule struct {
	wire.ModuleReply
	Host   string // of the server, as TLS has verified it
	Pinned bool   // by the pin in the module alone
}

// Module asks the server that a module names whether it stands by it, and whether
// the key that signed the module is the company's. Its errors wrap ErrUnreachable,
// ErrProxy, ErrCertificate, ErrModule or ErrForeign.
func Module(ctx context.Context, m record.Module) (StandingModule, error) {
	none := StandingModule{}
	a, err := parseServer(m.Server, m.Pin)
	if err != nil {
		return none, err
	}
	raw, err := a.post(ctx, http.ProxyFromEnvironment, wire.ModulePath, wire.RedeemLabel, ErrModule, func([]byte) (any, error) { return wire.ModuleQuery{ID: m.ID}, nil })
	if err != nil {
		return none, err
	}
	s := StandingModule{Host: a.host, Pinned: a.pin != nil}
	if err := json.Unmarshal(raw, &s.ModuleReply); err != nil {
		return none, fmt.Errorf("%w: its answer cannot be read; is it an Aval summarizer of this version?", ErrModule)
	}
	if s.Company != m.Company || !slices.Equal(s.ServerKey, m.Key) {
		return none, ErrForeign
	}
	return s, nil
}
