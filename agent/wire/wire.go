// Package wire is how events and records travel between agent and summarizer:
// wire.proto, its generated code, and the few conversions both ends need.
//
// The one rule that must not be broken: what is signed is bytes, and both ends
// hash and verify exactly those bytes; nothing is encoded again to be checked.
package wire

//go:generate protoc --go_out=. --go_opt=paths=source_relative wire.proto

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"time"

	"aval/agent/event"
)

// Version of the protocol, sent in Hello.
const Version = 1

// Limits of one frame, enforced by both ends.
const (
	MaxFrame       = 4 << 20 // bytes of one WebSocket message
	MaxBatchBytes  = 2 << 20 // bytes of Batch, uncompressed
	MaxBatchEvents = 1000
	MaxSummary     = 40 << 10 // bytes of an encoded Summary: it fits a frame of the local API
)

// ProofLabel is the label of the TLS exporter (RFC 8446 section 7.5) that binds
// a device's proof to its connection.
const ProofLabel = "EXPORTER-aval-device-proof"

// ProofPayload is what a device signs in Hello.
func ProofPayload(nonce, exported []byte, device, company string) []byte {
	return slices.Concat(nonce, exported, []byte(device), []byte{0}, []byte(company))
}

// Hash is the chain hash of an encoded, uncompressed Batch.
func Hash(batch []byte) []byte {
	sum := sha256.Sum256(batch)
	return sum[:]
}

// FromEvent converts an event for the wire; fields are sorted by name.
func FromEvent(e event.Event) *Event {
	w := &Event{Kind: string(e.Kind), AtUnixNano: e.At.UnixNano()}
	for _, name := range slices.Sorted(maps.Keys(e.Fields)) {
		w.Fields = append(w.Fields, &Field{Name: name, Value: e.Fields[name]})
	}
	return w
}

// ToEvent converts an event from the wire. It refuses fields out of order or
// twice; whether kind and fields are known is for the caller to check.
func ToEvent(w *Event, session string, seq uint64) (event.Event, error) {
	e := event.Event{Session: session, Seq: seq, Kind: event.Kind(w.GetKind()), At: time.Unix(0, w.GetAtUnixNano()).UTC()}
	last := ""
	for i, f := range w.GetFields() {
		if i > 0 && f.GetName() <= last {
			return event.Event{}, fmt.Errorf("event %d: field %q is out of order", seq, f.GetName())
		}
		last = f.GetName()
		if e.Fields == nil {
			e.Fields = make(map[string]string, len(w.GetFields()))
		}
		e.Fields[f.GetName()] = f.GetValue()
	}
	return e, nil
}
