package uplink

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"aval/agent/record"
	"aval/agent/wire"
)

// maxReply is the longest answer to an enrolment, in bytes.
const maxReply = 256 << 10

// Enrolment is what a device keeps of its enrolment.
type Enrolment struct {
	Company     string            `json:"company"` // id
	CompanyName string            `json:"company_name"`
	Device      string            `json:"device"`     // id
	ServerKey   ed25519.PublicKey `json:"server_key"` // signs the options
	// ReleaseKey vouches for values that can allow without a question; it may be
	// the server's own. Without one the server may only tighten.
	ReleaseKey ed25519.PublicKey `json:"release_key,omitempty"`
	// Options is the first signed options envelope, not yet verified.
	Options []byte `json:"options,omitempty"`
}

// ErrToken wraps the server's sentence when it refuses a token.
var ErrToken = errors.New("the summarizer refused to enrol this computer")

// Refusal is why a server refused, in a word and a sentence of its own.
type Refusal struct{ Code, Sentence string }

func (r *Refusal) Error() string { return r.Sentence }

// Enroll makes this device, by its key, one of the company that gave the token. try
// is the same where it is tried again, as wire.EnrollRequest has it.
// Its errors wrap ErrUnreachable, ErrProxy, ErrCertificate or ErrToken and are
// sentences for the person who enrols.
func Enroll(ctx context.Context, server, pin, token string, key crypto.Signer, build, try string) (Enrolment, error) {
	return enroll(ctx, server, pin, token, key, build, try, http.ProxyFromEnvironment)
}

func enroll(ctx context.Context, server, pin, token string, key crypto.Signer, build, try string, proxy func(*http.Request) (*url.URL, error)) (Enrolment, error) {
	none := Enrolment{}
	a, err := parseServer(server, pin)
	if err != nil {
		return none, err
	}
	pub, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return none, fmt.Errorf("enrol: device key is %T, not Ed25519", key.Public())
	}
	host, _ := os.Hostname() // empty is fine: it is a label
	raw, err := a.post(ctx, proxy, wire.EnrollPath, wire.EnrollLabel, ErrToken, func(exported []byte) (any, error) {
		proof, err := record.SignBytes(key, record.TypeProof, wire.EnrollPayload(exported, pub, token))
		return wire.EnrollRequest{Token: token, DevicePublicKey: pub, AgentVersion: build, Hostname: host, Try: try, Proof: proof}, err
	})
	if err != nil {
		return none, err
	}
	return decodeReply(raw)
}

// post sends one request whose proof is bound to its connection, made by body
// from what the TLS exporter gives, and returns the answer's bytes. A refusal
// wraps refused, with the server's sentence.
func (a address) post(ctx context.Context, proxy func(*http.Request) (*url.URL, error), path, label string, refused error, body func(exported []byte) (any, error)) ([]byte, error) {
	c, err := a.dial(ctx, proxy)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	_ = c.SetDeadline(time.Now().Add(dialTimeout))
	cs := c.ConnectionState()
	exported, err := cs.ExportKeyingMaterial(label, nil, 32)
	if err != nil {
		return nil, fmt.Errorf("prove key: %w", err)
	}
	v, err := body(exported)
	if err != nil {
		return nil, fmt.Errorf("prove key: %w", err)
	}
	sent, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+a.addr+path, bytes.NewReader(sent))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Close = true
	if err := req.Write(c); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, plain(err))
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), req)
	if err != nil {
		return nil, tlsError(err) // TLS 1.3 reports some refusals with the first read
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, plain(err))
	}
	if resp.StatusCode != http.StatusOK {
		var no wire.EnrollError
		if json.Unmarshal(raw, &no) != nil || no.Error == "" {
			return nil, fmt.Errorf("%w: %s answered %q; is it an Aval summarizer?", refused, a.addr, resp.Status)
		}
		return nil, fmt.Errorf("%w: %w", refused, &Refusal{no.Code, no.Error})
	}
	return raw, nil
}

// decodeReply reads the answer to an enrolment.
func decodeReply(raw []byte) (Enrolment, error) {
	var r wire.EnrollReply
	if err := json.Unmarshal(raw, &r); err != nil || r.Company == "" || r.Device == "" || len(r.ServerKey) != ed25519.PublicKeySize ||
		len(r.ReleaseKey) != 0 && len(r.ReleaseKey) != ed25519.PublicKeySize {
		return Enrolment{}, fmt.Errorf("%w: its answer cannot be read; is it an Aval summarizer of this version?", ErrToken)
	}
	return Enrolment{Company: r.Company, CompanyName: r.CompanyName, Device: r.Device, ServerKey: r.ServerKey, ReleaseKey: r.ReleaseKey, Options: r.Options}, nil
}
