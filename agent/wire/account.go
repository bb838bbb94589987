package wire

import (
	"errors"
	"strings"

	"aval/agent/strict"
)

// The two steps by which a computer is signed in to a user's account, after RFC
// 8628: each a POST with JSON over TLS 1.3, answered with a SignInReply or an
// AccountReply (200), or an EnrollError.
const (
	SignInPath  = "/account/sign-in"
	AccountPath = "/account/wait"
)

// AccountLabel is the label of the TLS exporter that binds both proofs to their
// connections; its context is empty and its length 32. What is signed is
// EnrollPayload, with the device code, or nothing, in place of the token.
const AccountLabel = "EXPORTER-aval-account-proof"

// The codes of an EnrollError to AccountRequest that RFC 8628, section 3.5, names.
const (
	SignInPending = "authorization_pending"
	SignInSlower  = "slow_down"
	SignInDenied  = "access_denied"
	SignInExpired = "expired_token"
)

// SignInRequest asks for codes.
type SignInRequest struct {
	PublicKey    []byte `json:"public_key"` // Ed25519, made for this account alone
	AgentVersion string `json:"agent_version"`
	Name         string `json:"name,omitempty"` // the computer's: who approves reads it
	Proof        []byte `json:"proof"`
}

// SignInReply has the codes.
type SignInReply struct {
	DeviceCode string `json:"device_code"`
	UserCode   string `json:"user_code"` // XXXX-XXXX
	VerifyURI  string `json:"verification_uri"`
	ExpiresIn  int    `json:"expires_in"` // seconds
	Interval   int    `json:"interval"`   // seconds between two questions
}

// AccountRequest asks whether the user has approved.
type AccountRequest struct {
	DeviceCode string `json:"device_code"`
	PublicKey  []byte `json:"public_key"`
	Proof      []byte `json:"proof"`
}

// AccountReply is what a computer keeps that is signed in.
type AccountReply struct {
	EnrollReply
	User string `json:"user"` // whose account it is
}

// ErrServer: a text is no server's address.
var ErrServer = errors.New("this is no server's address; one looks like https://support.example.com, with #sha256:… behind it where its certificate is its own")

// ParseServer reads https://HOST[:PORT] with, where the server's certificate is
// its own, #sha256:HEX behind it. As for codes, only names in ASCII are taken.
func ParseServer(text string) (server, pin string, err error) {
	text = strings.TrimSpace(text)
	if len(text) > maxCode {
		return "", "", ErrServer
	}
	text, pin, pinned := strings.Cut(text, "#")
	host, https := cutFold(strings.TrimSuffix(text, "/"), "https://")
	host = strings.ToLower(host)
	if pinned && !strict.Pin(pin) || !https || !strict.Host(host) {
		return "", "", ErrServer
	}
	return "https://" + host, strings.ToLower(pin), nil
}
