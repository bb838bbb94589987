package company

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"

	"aval/agent/record"
	"aval/agent/wire"
)

// maxEnroll is the longest request of a computer before it is connected, in bytes.
const maxEnroll = 16 << 10

// refusal is why a computer's request was refused, for the person at it.
type refusal struct {
	status int
	wire.EnrollError
}

func (r *refusal) Error() string { return r.EnrollError.Error }

func refuse(status int, code, sentence string) error {
	return &refusal{status, wire.EnrollError{Code: code, Error: sentence}}
}

// waiting are the refusals that only say: not yet. A computer gets one every few seconds.
var waiting = map[string]bool{wire.SignInPending: true, wire.SignInSlower: true, wire.OpenWaiting: true, wire.OpenSlower: true}

var errMalformed = refuse(http.StatusBadRequest, "malformed", "The request is too long, was cut off or cannot be read; is the agent of this version?")

var errProof = refuse(http.StatusForbidden, "proof",
	"The request cannot be read, or the computer's key was not proved on this connection: something between computer and server opens the TLS connection.")

// answers is the handler of one step that computers take before they are connected:
// a POST whose answer and refusal are JSON. what names the step in the log; f gets
// the body, which it must take for hostile.
func (h *Host) answers(what string, f func(r *http.Request, raw []byte) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reply, err := func() (any, error) {
			if r.Method != http.MethodPost {
				return nil, refuse(http.StatusMethodNotAllowed, "method", "This is asked by a POST.")
			}
			raw, err := io.ReadAll(io.LimitReader(r.Body, maxEnroll+1))
			if err != nil || len(raw) > maxEnroll {
				return nil, errMalformed
			}
			return f(r, raw)
		}()
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		var no *refusal
		switch {
		case errors.As(err, &no):
			level := slog.LevelInfo
			if waiting[no.Code] {
				level = slog.LevelDebug
			}
			h.log.Log(r.Context(), level, "a computer was refused", "step", what, "code", no.Code)
			w.WriteHeader(no.status)
			reply = no.EnrollError
		case err != nil:
			h.log.Error("answer a computer", "step", what, "err", err)
			w.WriteHeader(http.StatusServiceUnavailable)
			reply = wire.EnrollError{Code: "server", Error: "The server could not do this now; try again in a minute."}
		}
		_ = json.NewEncoder(w).Encode(reply) // the computer asks again for what does not reach it
	})
}

// proven is answers for a step in which a key is proved on the connection: it must
// come over a direct TLS connection, and f gets what TLS exports for label (RFC 8446,
// 7.5), which the two ends of this very connection alone know.
func (h *Host) proven(what, label string, f func(r *http.Request, raw, exported []byte) (any, error)) http.Handler {
	return h.answers(what, func(r *http.Request, raw []byte) (any, error) {
		if r.TLS == nil {
			return nil, refuse(http.StatusForbidden, "no-tls", "This needs a direct TLS connection to this server.")
		}
		exported, err := r.TLS.ExportKeyingMaterial(label, nil, 32)
		if err != nil {
			return nil, refuse(http.StatusForbidden, "no-exporter", "This needs TLS 1.3.")
		}
		return f(r, raw, exported)
	})
}

func proved(key []byte, code string, exported, proof []byte) bool {
	return len(key) == ed25519.PublicKeySize && len(proof) == ed25519.SignatureSize &&
		record.VerifyBytes(key, record.TypeProof, wire.EnrollPayload(exported, key, code), proof)
}
