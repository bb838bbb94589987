package record

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"time"

	"aval/agent/consent"
)

// RequestLife is how long a request stands at most: a session is recorded no
// longer without a new decision either.
const RequestLife = MaxGrantAge

// Request is the body of TypeRequest: a company asks, for one session that one
// of its people starts, whether it may be recorded. It is signed with the
// company's key and holds for the one device that it names.
type Request struct {
	V       int       `json:"v"`
	ID      string    `json:"id"` // of the code or announcement that it comes from
	Company string    `json:"company"`
	Device  string    `json:"device"`
	At      time.Time `json:"at"`
	Expires time.Time `json:"expires"`

	CompanyName string `json:"company_name"`
	// Supporter is the company's word for who connects, and LogSessions whether
	// that person's sessions are to be summarised at all.
	Supporter   string                 `json:"supporter"`
	LogSessions bool                   `json:"log_sessions"`
	Outgoing    consent.OutgoingOption `json:"outgoing"`
	// Module is the module that the session goes through; empty: none.
	Module        string `json:"module,omitempty"`
	ModuleEnabled bool   `json:"module_enabled,omitempty"`
	Engine        string `json:"engine"`
	RetentionDays int    `json:"retention_days"`
	Readers       string `json:"readers,omitempty"`
}

// OpenRequest verifies a request: signature, for whom it is, and that its values
// are known ones. Whether it stands now is for the caller: see Expires.
func OpenRequest(envelope []byte, key ed25519.PublicKey, company, device string) (Request, error) {
	var r Request
	if _, err := OpenAs(envelope, OneKey(key), TypeRequest, &r); err != nil {
		return Request{}, fmt.Errorf("verify request: %w", err)
	}
	bad := ""
	switch {
	case r.V != 1:
		bad = fmt.Sprintf("its format %d is not known", r.V)
	case r.Company != company || r.Device != device || company == "" || device == "":
		bad = "it is for another device"
	case r.ID == "" || r.Supporter == "":
		bad = "it does not say who connects"
	case !r.Expires.After(r.At) || r.Expires.Sub(r.At) > RequestLife:
		bad = "it does not say how long it stands"
	case !slices.Contains([]consent.OutgoingOption{consent.OutgoingOff, consent.OutgoingAll, consent.OutgoingModules}, r.Outgoing):
		bad = fmt.Sprintf("outgoing cannot be %q", r.Outgoing)
	case r.Module == "" && r.ModuleEnabled:
		bad = "it switches a module on and names none"
	}
	if bad != "" {
		return Request{}, fmt.Errorf("verify request: %w", errors.New(bad))
	}
	return r, nil
}
