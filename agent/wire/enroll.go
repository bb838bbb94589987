package wire

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// EnrollPath is where a device enrols: one POST with an EnrollRequest as JSON
// over TLS 1.3, answered with an EnrollReply (200) or an EnrollError.
const EnrollPath = "/enroll"

// AgentPath is where the WebSocket of an enrolled device connects.
const AgentPath = "/agent"

// RustDeskPath is where the RustDesk clients of devices report their connections,
// followed by the device, a secret, and RustDesk's own path.
const RustDeskPath = "/rustdesk/"

// EnrollLabel is the label of the TLS exporter that binds an enrolment's proof
// to its connection; its context is empty and its length 32.
const EnrollLabel = "EXPORTER-aval-enroll-proof"

// TokenFile is the enrolment token as an administrator hands it on, in JSON.
type TokenFile struct {
	Server  string `json:"server"`        // https://host:port
	Pin     string `json:"pin,omitempty"` // sha256:HEX of the server key's SPKI; empty: public roots
	Token   string `json:"token"`
	Company string `json:"company"` // the company's name, for people
}

// EnrollRequest asks to enrol the device that holds a key. []byte is base64.
type EnrollRequest struct {
	Token           string `json:"token"`
	DevicePublicKey []byte `json:"device_public_key"` // Ed25519
	AgentVersion    string `json:"agent_version"`
	Hostname        string `json:"hostname,omitempty"`
	// Try is random and the same for each try of one running agent: an answer that
	// was lost is given again, and not to a copy of the computer. At most 64 bytes.
	Try string `json:"try,omitempty"`
	// Proof is the device key's signature (type TypeProof) over EnrollPayload.
	Proof []byte `json:"proof"`
}

// EnrollReply is what an enrolled device keeps.
type EnrollReply struct {
	Company     string `json:"company"` // id
	CompanyName string `json:"company_name"`
	Device      string `json:"device"`     // id
	ServerKey   []byte `json:"server_key"` // Ed25519: signs the options
	// ReleaseKey vouches for values that can turn into an allow without a
	// question: Ed25519; the server's own key in a small set-up.
	ReleaseKey []byte `json:"release_key,omitempty"`
	Options    []byte `json:"options"` // signed envelope, TypePolicy
}

// EnrollError is a refused enrolment.
type EnrollError struct {
	Code  string `json:"code"`
	Error string `json:"error"` // one sentence
}

// EnrollPayload is what a device signs to prove its key while enrolling.
func EnrollPayload(exported []byte, key ed25519.PublicKey, token string) []byte {
	return slices.Concat(exported, key, []byte(token))
}

// maxToken is the longest token that is taken, in bytes.
const maxToken = 512

// errToken is what a person is told of a file that is no token file.
var errToken = errors.New("it is no enrolment token: ask for a new one (aval-summarizer token create)")

// ParseTokenFile reads a token file, or a bare token.
func ParseTokenFile(raw []byte) (TokenFile, error) {
	var t TokenFile
	text := strings.TrimSpace(string(raw))
	if !strings.HasPrefix(text, "{") {
		t.Token = text
	} else if err := json.Unmarshal([]byte(text), &t); err != nil {
		return TokenFile{}, errToken
	}
	odd := func(r rune) bool { return r <= ' ' || r > '~' }
	if t.Token == "" || len(t.Token) > maxToken || strings.ContainsFunc(t.Token, odd) || strings.ContainsFunc(t.Server+t.Pin, odd) {
		return TokenFile{}, errToken
	}
	return t, nil
}

// LeavePath is where a device says that it is the company's no more: one POST with a
// LeaveRequest as JSON over TLS 1.3, answered with an empty object (200), again and
// again, or an EnrollError.
const LeavePath = "/leave"

// LeaveLabel is the label of the TLS exporter that binds the proof to its
// connection; its context is empty and its length 32. What is signed is
// EnrollPayload, with the device's id in place of the token.
const LeaveLabel = "EXPORTER-aval-leave-proof"

// LeaveRequest says that the holder of the key of an enrolled computer leaves, or of
// that of an account signs out. Servers that know only the first answer the second with
// "device-unknown".
type LeaveRequest struct {
	Device    string `json:"device"` // id
	PublicKey []byte `json:"public_key"`
	Proof     []byte `json:"proof"`
}
