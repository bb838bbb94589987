// Package outbox keeps the events of one company's stream of a session on
// disk, sealed and in order, from the moment they are recorded until they leave
// and, acknowledged, as history until they are erased.
//
// The one rule that must not be broken: what is read is exactly what was
// written, at its place in the order, or it is ErrDamaged. The database beneath
// does not notice flipped bits; sealing and the hash chain here do.
package outbox

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"aval/agent/event"
	"aval/agent/wire"
)

// ErrDamaged: stored events do not open, or one is missing.
var ErrDamaged = errors.New("stored events are damaged")

// Limits of one stored value. About ten events that fit on a page of the
// database make trimming cheap without rewriting large leaves.
const (
	MaxChunkEvents = 10
	MaxChunkBytes  = 3200 // of encoded events; one larger event stands alone
)

// KeySize is the length of a session's key in bytes (AES-256).
const KeySize = 32

const (
	chunkVersion = 1
	hashSize     = sha256.Size
	// minSealed is nonce and tag of AES-GCM (NIST SP 800-38D).
	minSealed = 12 + 16
	maxGrant  = 128
)

// Name says whose events these are; it is bound to every stored value.
type Name struct{ Company, Session string }

// Key seals the events of one session.
type Key struct{ aead cipher.AEAD }

// NewKey makes a Key out of KeySize random bytes.
func NewKey(raw []byte) (*Key, error) {
	if len(raw) != KeySize {
		return nil, fmt.Errorf("make key: %d bytes instead of %d", len(raw), KeySize)
	}
	b, err := aes.NewCipher(raw)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	// Random nonces: after a crash the same sequence may be sealed again with
	// other content. 2^32 values is their limit; a session makes far fewer.
	aead, err := cipher.NewGCMWithRandomNonce(b)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	return &Key{aead}, nil
}

// chunk is one stored value, taken apart but not yet opened. Layout:
// version(1) count(1) at(8, unix s) prev(32) grantLen(1) grant, then sealed:
// nonce(12) ciphertext tag(16). Everything before sealed is bound to it.
type chunk struct {
	first  uint64
	count  int
	at     int64
	prev   [hashSize]byte
	grant  string
	head   []byte
	sealed []byte
}

func (c chunk) last() uint64 { return c.first + uint64(c.count) - 1 }

// parse takes a stored value apart. It refuses any that seal cannot have made.
func parse(first uint64, v []byte) (chunk, error) {
	const fixed = 1 + 1 + 8 + hashSize + 1
	if first == 0 || len(v) < fixed || v[0] != chunkVersion {
		return chunk{}, fmt.Errorf("%w: event %d has no valid head", ErrDamaged, first)
	}
	c := chunk{first: first, count: int(v[1]), at: int64(binary.BigEndian.Uint64(v[2:]))}
	copy(c.prev[:], v[10:])
	n := fixed + int(v[fixed-1])
	if c.count == 0 || c.count > MaxChunkEvents || first > first+uint64(c.count) || n-fixed > maxGrant || len(v) < n+minSealed {
		return chunk{}, fmt.Errorf("%w: event %d has no valid head", ErrDamaged, first)
	}
	c.grant, c.head, c.sealed = string(v[fixed:n]), v[:n], v[n:]
	return c, nil
}

// bound is the associated data: what the value is about, and its plain head.
func bound(name Name, first uint64, head []byte) []byte {
	b := make([]byte, 0, 64+len(name.Company)+len(name.Session)+len(head))
	b = append(b, "aval outbox 1\x00"...)
	for _, s := range []string{name.Company, name.Session} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	b = binary.BigEndian.AppendUint64(b, first)
	return append(b, head...)
}

// seal makes a stored value of encoded events.
func (k *Key) seal(name Name, first uint64, at int64, prev [hashSize]byte, grant string, encoded []*wire.Event) ([]byte, error) {
	if len(grant) > maxGrant {
		return nil, fmt.Errorf("seal events: the grant's id has %d bytes", len(grant))
	}
	plain, err := proto.Marshal(&wire.Batch{Events: encoded})
	if err != nil {
		return nil, fmt.Errorf("seal events: %w", err)
	}
	v := make([]byte, 0, 64+len(grant)+minSealed+len(plain))
	v = append(v, chunkVersion, byte(len(encoded)))
	v = binary.BigEndian.AppendUint64(v, uint64(at))
	v = append(v, prev[:]...)
	v = append(v, byte(len(grant)))
	v = append(v, grant...)
	return k.aead.Seal(v, nil, plain, bound(name, first, v)), nil
}

// SealBeside seals something that belongs to a session but is no event; what
// names it. OpenBeside gives it back, or ErrDamaged.
func (k *Key) SealBeside(name Name, what string, plain []byte) []byte {
	return k.aead.Seal(nil, nil, plain, beside(name, what))
}

// OpenBeside opens what SealBeside sealed under the same names.
func (k *Key) OpenBeside(name Name, what string, sealed []byte) ([]byte, error) {
	plain, err := k.aead.Open(nil, nil, sealed, beside(name, what))
	if err != nil {
		return nil, fmt.Errorf("%w: the %s of a session does not open", ErrDamaged, what)
	}
	return plain, nil
}

func beside(name Name, what string) []byte {
	b := []byte("aval beside 1\x00")
	for _, s := range []string{name.Company, name.Session, what} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	return b
}

// open returns the events of c.
func (k *Key) open(name Name, c chunk) ([]event.Event, int, error) {
	plain, err := k.aead.Open(nil, nil, c.sealed, bound(name, c.first, c.head))
	if err != nil {
		return nil, 0, fmt.Errorf("%w: event %d does not open", ErrDamaged, c.first)
	}
	var b wire.Batch
	if err := proto.Unmarshal(plain, &b); err != nil || len(b.GetEvents()) != c.count {
		return nil, 0, fmt.Errorf("%w: event %d does not decode", ErrDamaged, c.first)
	}
	evs := make([]event.Event, c.count)
	for i, w := range b.GetEvents() {
		if evs[i], err = wire.ToEvent(w, name.Session, c.first+uint64(i)); err != nil {
			return nil, 0, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	}
	return evs, len(plain), nil
}

// encode converts events; text that is not UTF-8 is mended, since protobuf
// would refuse the whole value.
func encode(evs []event.Event) []*wire.Event {
	out := make([]*wire.Event, len(evs))
	for i, e := range evs {
		w := wire.FromEvent(e)
		for _, f := range w.Fields {
			f.Name, f.Value = strings.ToValidUTF8(f.Name, "\uFFFD"), strings.ToValidUTF8(f.Value, "\uFFFD")
		}
		out[i] = w
	}
	return out
}

// split cuts encoded events into values.
func split(encoded []*wire.Event) [][]*wire.Event {
	var out [][]*wire.Event
	start, size := 0, 0
	for i, w := range encoded {
		n := proto.Size(w)
		if i > start && (i-start == MaxChunkEvents || size+n > MaxChunkBytes) {
			out, start, size = append(out, encoded[start:i]), i, 0
		}
		size += n
	}
	if start < len(encoded) {
		out = append(out, encoded[start:])
	}
	return out
}

func seqKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

// keySeq reads a key; 0 is never a sequence.
func keySeq(k []byte) uint64 {
	if len(k) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(k)
}

func same(a, b []byte) bool { return bytes.Equal(a, b) }
