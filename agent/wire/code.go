package wire

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// RedeemPath is where a session code is redeemed: one POST with a RedeemRequest
// as JSON over TLS 1.3, answered with a RedeemReply (200) or an EnrollError.
const RedeemPath = "/redeem"

// JoinPath begins the address of a code's link; the code follows.
const JoinPath = "/join/"

// RedeemLabel is the label of the TLS exporter that binds the proof of the
// session's key to its connection; its context is empty and its length 32. What
// is signed is EnrollPayload, with the code in place of the token.
const RedeemLabel = "EXPORTER-aval-redeem-proof"

// RedeemRequest redeems a session code for the key of one session.
type RedeemRequest struct {
	Code         string `json:"code"`       // XXXX-XXXX
	PublicKey    []byte `json:"public_key"` // Ed25519, made for this session alone
	AgentVersion string `json:"agent_version"`
	// Proof is the key's signature (type TypeProof).
	Proof []byte `json:"proof"`
	// Module is the id of the module that the code was entered in; empty: none.
	Module string `json:"module,omitempty"`
}

// RedeemReply certifies the key for one session of one company.
type RedeemReply struct {
	Company   string `json:"company"`    // id
	Device    string `json:"device"`     // id of the key's holder: this session's alone
	ServerKey []byte `json:"server_key"` // Ed25519: signs the request
	Request   []byte `json:"request"`    // signed envelope, TypeRequest
}

// codeLetters are the 32 signs of a code: digits and capital letters without I,
// L, O and U, after Crockford's base 32 (crockford.com/base32.html).
const codeLetters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// codeLen signs of 5 bits are 40 bits.
const codeLen = 8

// maxCode is the longest text that ParseCode looks at, in bytes.
const maxCode = 512

// ErrCode: a text is no session code.
var ErrCode = errors.New("this is no session code; one looks like 7K3M-Q9TD@support.example.com, or is a link that begins with https://")

// Code is a session code with the server that gave it.
type Code struct {
	Secret string // XXXX-XXXX
	Server string // https://HOST or https://HOST:PORT
	Pin    string // sha256:HEX of the server key's SPKI; empty: system roots
}

// NewSecret makes a code of 40 random bits.
func NewSecret() string {
	var b [codeLen]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	for i := range b {
		b[i] = codeLetters[b[i]&31]
	}
	return string(b[:codeLen/2]) + "-" + string(b[codeLen/2:])
}

// ParseSecret reads the eight signs as a person may type them: in either case,
// with or without the dash, O for 0 and I or L for 1.
func ParseSecret(s string) (string, error) {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '-' || r == ' ':
			continue
		case r >= 'a' && r <= 'z':
			r -= 'a' - 'A'
		}
		switch r {
		case 'O':
			r = '0'
		case 'I', 'L':
			r = '1'
		}
		if r > 'Z' || !strings.ContainsRune(codeLetters, r) || b.Len() == codeLen {
			return "", ErrCode
		}
		b.WriteRune(r)
	}
	if b.Len() != codeLen {
		return "", ErrCode
	}
	return b.String()[:codeLen/2] + "-" + b.String()[codeLen/2:], nil
}

// ParseCode reads XXXX-XXXX@HOST[:PORT] or https://HOST[:PORT]/join/XXXX-XXXX,
// each with #sha256:HEX behind it where the server's certificate is its own.
// Only names in ASCII are taken: another alphabet could make one look like another.
func ParseCode(text string) (Code, error) {
	text = strings.TrimSpace(text)
	if text == "" || len(text) > maxCode {
		return Code{}, ErrCode
	}
	text, pin, pinned := strings.Cut(text, "#")
	if pinned && !isPin(pin) {
		return Code{}, ErrCode
	}
	var secret, host string
	if rest, link := cutFold(text, "https://"); link {
		var ok bool
		if host, secret, ok = strings.Cut(rest, JoinPath); !ok {
			return Code{}, ErrCode
		}
	} else {
		var ok bool
		if secret, host, ok = strings.Cut(text, "@"); !ok {
			return Code{}, ErrCode
		}
	}
	secret, err := ParseSecret(secret)
	if err != nil {
		return Code{}, err
	}
	host = strings.ToLower(strings.TrimSpace(host))
	if !isHost(host) {
		return Code{}, ErrCode
	}
	return Code{Secret: secret, Server: "https://" + host, Pin: strings.ToLower(pin)}, nil
}

func cutFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return "", false
	}
	return s[len(prefix):], true
}

func isPin(s string) bool {
	digits, ok := cutFold(s, "sha256:")
	raw, err := hex.DecodeString(digits)
	return ok && err == nil && len(raw) == 32
}

// isHost: HOST or HOST:PORT with a name in ASCII or an address.
func isHost(s string) bool {
	u, err := url.Parse("https://" + s)
	if err != nil || u.Host != s || u.Hostname() == "" || u.User != nil {
		return false
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
			return false
		}
	} else if strings.HasSuffix(s, ":") {
		return false
	}
	if strings.HasPrefix(s, "[") {
		return net.ParseIP(u.Hostname()) != nil
	}
	for _, r := range u.Hostname() {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '.' && r != '-' {
			return false
		}
	}
	return true
}

// CheckServer refuses what is no https://HOST[:PORT] in the one form that ParseCode
// makes, or no pin; an empty pin is none.
func CheckServer(server, pin string) error {
	host, ok := strings.CutPrefix(server, "https://")
	if !ok || len(server) > maxCode || !isHost(host) || pin != "" && (!isPin(pin) || pin != strings.ToLower(pin)) {
		return errors.New("this is no server's address")
	}
	return nil
}

func (c Code) tail() string {
	if c.Pin == "" {
		return ""
	}
	return "#" + c.Pin
}

// Host is the server's HOST or HOST:PORT.
func (c Code) Host() string { return strings.TrimPrefix(c.Server, "https://") }

// String is the code to be said or typed.
func (c Code) String() string { return c.Secret + "@" + c.Host() + c.tail() }

// Link is the code as a link. The pin stands behind the #, so that a browser
// does not send it.
func (c Code) Link() string { return c.Server + JoinPath + c.Secret + c.tail() }
