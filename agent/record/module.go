package record

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"aval/agent/strict"
	"aval/agent/wire"
)

// ModuleLife is how long a module stands at most.
const ModuleLife = 731 * 24 * time.Hour

// maxModuleName is the longest name in a module, in bytes.
const maxModuleName = 200

// ErrModuleChanged: a module's bytes are not those that its company signed.
var ErrModuleChanged = errors.New("the module was changed after its company signed it")

// Module is the body of TypeModule: a company's own way to have Aval run for one
// session on a computer where it is not installed. It holds no secret and allows
// nothing: a session needs a code, and the person is asked.
type Module struct {
	V           int       `json:"v"`
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	Company     string    `json:"company"` // id
	CompanyName string    `json:"company_name"`
	Server      string    `json:"server"`        // https://HOST or https://HOST:PORT
	Pin         string    `json:"pin,omitempty"` // sha256:HEX of the server key's SPKI; empty: system roots
	Key         []byte    `json:"key"`           // Ed25519, of the company: signs this and every request
	At          time.Time `json:"at"`
	Expires     time.Time `json:"expires"`
}

// OpenModule reads a module: that one key has signed all of it, and that its values
// are possible ones. The key comes out of the module itself, so that whose it is
// only its server can say, whom TLS verifies (see uplink.Module); and whether it
// stands now is for the caller. Errors are ErrModuleChanged, or say that it cannot
// be read at all.
func OpenModule(envelope []byte) (Module, error) {
	typ, payload, err := Peek(envelope)
	if len(envelope) > MaxEnvelope {
		err = fmt.Errorf("%w: longer than %d bytes", ErrMalformed, MaxEnvelope)
	}
	if err != nil {
		return Module{}, fmt.Errorf("read module: %w", err)
	}
	if typ != TypeModule {
		return Module{}, fmt.Errorf("read module: %w", ErrWrongType)
	}
	var m Module
	if err := strict.Decode(payload, &m); err != nil || len(m.Key) != ed25519.PublicKeySize {
		return Module{}, ErrModuleChanged
	}
	if _, _, _, err := Open(envelope, OneKey(m.Key)); err != nil {
		return Module{}, ErrModuleChanged
	}
	bad := ""
	switch {
	case m.V != 1:
		bad = fmt.Sprintf("its format %d is not known; a newer Aval may know it", m.V)
	case m.ID == "" || m.Company == "" || m.Name == "" || m.CompanyName == "" || max(len(m.ID), len(m.Company), len(m.Name), len(m.CompanyName)) > maxModuleName:
		bad = "it does not say whose it is"
	case wire.CheckServer(m.Server, m.Pin) != nil:
		bad = "its server's address is none"
	case !m.Expires.After(m.At) || m.Expires.Sub(m.At) > ModuleLife:
		bad = "it does not say how long it stands"
	}
	if bad != "" {
		return Module{}, fmt.Errorf("read module: %s", bad)
	}
	return m, nil
}
