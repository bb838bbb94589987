package record

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/strict"
)

// Limits of a receipt.
const (
	// MaxReceipt is the largest receipt that OpenReceipt reads, in bytes.
	MaxReceipt = 512 << 10
	// MaxReceiptRecords is how many records a receipt carries at most: the
	// decision, and an objection, a withdrawal and an erasure after it.
	MaxReceiptRecords = 4
)

// ErrReceipt is what is wrong with a receipt whose records are whole: it says
// something else than they do.
var ErrReceipt = errors.New("receipt does not say what its records say")

// Receipt is what people and auditors get of a decision: signed records, the
// key that verifies them, and the same in the words of ISO/IEC TS 27560. It is
// derived from the records alone and holds nothing that is not in them, so
// anyone can derive it again and compare.
type Receipt struct {
	key     ed25519.PublicKey
	head    Head
	typ     Type
	decided *Decided // nil where the first record is no decision
	grant   *Grant   // set where the first record is a grant
	records []opened
	reads   *Reads
}

// Reads is how often people and programs of the company have read what it has of
// a session, as its server says: a reader's looks within one hour count as one.
type Reads struct {
	Times, People, Programs uint64
	Last                    time.Time // zero: never
}

// WithReads is the receipt with what the company's server says of readers; nil: it
// says nothing. It stands on the page alone: no record holds it and nobody signed
// it, so that it is no part of what can be verified.
func (r Receipt) WithReads(reads *Reads) Receipt {
	r.reads = reads
	return r
}

// opened is one verified record.
type opened struct {
	raw  []byte
	typ  Type
	head Head
	// Of those that come after a grant.
	grant  string
	erase  bool
	by     string
	how    consent.Provenance
	test   bool
	copies []consent.Copy
}

// NewReceipt verifies records with the device's key and derives their receipt.
// The first is the one that the receipt is about. After a grant its objection,
// withdrawal and erasure may follow. Its errors are those of Open.
func NewReceipt(key ed25519.PublicKey, records ...[]byte) (Receipt, error) {
	r := Receipt{key: key}
	if len(key) != ed25519.PublicKeySize {
		return r, fmt.Errorf("%w: the key has %d bytes instead of %d", ErrMalformed, len(key), ed25519.PublicKeySize)
	}
	if len(records) == 0 || len(records) > MaxReceiptRecords {
		return r, fmt.Errorf("%w: %d records", ErrMalformed, len(records))
	}
	for i, raw := range records {
		raw, err := canonical(raw)
		if err != nil {
			return Receipt{}, err
		}
		if i == 0 {
			err = r.first(raw)
		} else {
			err = r.further(raw)
		}
		if err != nil {
			return Receipt{}, err
		}
	}
	return r, nil
}

// canonical accepts an envelope only in the bytes that Sign makes, give or take
// spaces between its tokens. JSON and base64 have many spellings of one value;
// in evidence each but one would be a change that nobody can account for.
func canonical(raw []byte) ([]byte, error) {
	if len(raw) > MaxEnvelope {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrMalformed, MaxEnvelope)
	}
	var env Envelope
	if err := strict.Decode(raw, &env); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if len(env.Signatures) != 1 {
		return nil, fmt.Errorf("%w: %d signatures instead of 1", ErrMalformed, len(env.Signatures))
	}
	want, err := json.Marshal(env)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if !sameJSON(raw, want) {
		return nil, fmt.Errorf("%w: the envelope is not spelt as it was signed", ErrMalformed)
	}
	return want, nil
}

// sameJSON compares but for spaces between tokens. Both must be JSON.
func sameJSON(a, b []byte) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}

// first reads the record that the receipt is about.
func (r *Receipt) first(raw []byte) error {
	typ, _, _, err := Open(raw, OneKey(r.key))
	if err != nil {
		return err
	}
	r.typ = typ
	switch typ {
	case TypeGrant:
		g, _, err := OpenGrant(raw, OneKey(r.key))
		if err != nil {
			return err
		}
		r.grant, r.decided, r.head = &g, &g.Decided, g.Head
	case TypeRefusal, TypeNoAnswer:
		var b Refusal // both bodies have the same fields
		if _, err := OpenAs(raw, OneKey(r.key), typ, &b); err != nil {
			return err
		}
		if err := b.check(typ); err != nil {
			return err
		}
		r.decided, r.head = &b.Decided, b.Head
	default:
		o, err := r.after(raw, typ)
		if err != nil {
			return err
		}
		r.head = o.head
		r.records = append(r.records, o)
		return nil
	}
	r.records = append(r.records, opened{raw: raw, typ: typ, head: r.head})
	return nil
}

// check refuses refusals and unanswered questions that no agent would make.
func (b Refusal) check(typ Type) error {
	allowed := map[Type][]consent.Outcome{
		TypeRefusal:  {consent.OutcomeRefused, consent.OutcomeDenied, consent.OutcomeNotRequested},
		TypeNoAnswer: {consent.OutcomeNoAnswer, consent.OutcomeCouldNotAsk},
	}[typ]
	switch {
	case b.V != 1:
		return fmt.Errorf("%w: version %d", ErrMalformed, b.V)
	case b.ID == "" || b.Session == "":
		return fmt.Errorf("%w: id or session is missing", ErrMalformed)
	case !slices.Contains(allowed, b.Outcome):
		return fmt.Errorf("%w: outcome %q", ErrMalformed, b.Outcome)
	}
	return nil
}

// after reads a record that follows a grant.
func (r *Receipt) after(raw []byte, typ Type) (opened, error) {
	o := opened{raw: raw, typ: typ}
	var err error
	switch typ {
	case TypeWithdrawal:
		var b Withdrawal
		_, err = OpenAs(raw, OneKey(r.key), typ, &b)
		o.head, o.grant, o.erase, o.by, o.how, o.test = b.Head, b.Grant, b.Erase, b.By, b.Provenance, b.Test
	case TypeObjection:
		var b Objection
		_, err = OpenAs(raw, OneKey(r.key), typ, &b)
		o.head, o.grant, o.how, o.test = b.Head, b.Grant, b.Provenance, b.Test
	case TypeErasure:
		var b Erasure
		_, err = OpenAs(raw, OneKey(r.key), typ, &b)
		o.head, o.grant, o.copies = b.Head, b.Grant, b.Copies
	default:
		return o, fmt.Errorf("%w: there is no receipt of %q", ErrWrongType, typ)
	}
	if err != nil {
		return o, err
	}
	if o.head.V != 1 || o.head.ID == "" || o.head.Session == "" || o.grant == "" {
		return o, fmt.Errorf("%w: version, id, session or grant is missing", ErrMalformed)
	}
	return o, nil
}

// further adds a record that follows the grant of this receipt.
func (r *Receipt) further(raw []byte) error {
	typ, _, _, err := Open(raw, OneKey(r.key))
	if err != nil {
		return err
	}
	o, err := r.after(raw, typ)
	if err != nil {
		return err
	}
	if r.grant == nil || o.grant != r.grant.ID || o.head.Company != r.head.Company || o.head.Device != r.head.Device || o.head.Session != r.head.Session {
		return fmt.Errorf("%w: record %s does not follow record %s", ErrMalformed, o.head.ID, r.head.ID)
	}
	for _, p := range r.records {
		if p.typ == typ || p.head.ID == o.head.ID {
			return fmt.Errorf("%w: %s stands there twice", ErrMalformed, typ)
		}
	}
	r.records = append(r.records, o)
	return nil
}

// ID is the id of the record that the receipt is about.
func (r Receipt) ID() string { return r.head.ID }

// Type is the type of that record.
func (r Receipt) Type() Type { return r.typ }

// At is when that record was made, by the device's clock.
func (r Receipt) At() time.Time { return r.head.At }

// Session is TOOL/ID.
func (r Receipt) Session() string { return r.head.Session }

// KeyID names the key that verifies the receipt.
func (r Receipt) KeyID() string { return KeyID(r.key) }

// Outcome is what became of the session by the records in the receipt.
func (r Receipt) Outcome() consent.Outcome {
	out := consent.Outcome("")
	if r.decided != nil {
		out = r.decided.Outcome
	}
	for _, t := range []struct {
		typ Type
		out consent.Outcome
	}{{TypeObjection, consent.OutcomeObjected}, {TypeWithdrawal, consent.OutcomeWithdrawn}, {TypeErasure, consent.OutcomeErased}} {
		if slices.ContainsFunc(r.records, func(o opened) bool { return o.typ == t.typ }) {
			out = t.out
		}
	}
	return out
}

// Basis is the ground of a grant, empty for every other record.
func (r Receipt) Basis() consent.Basis {
	if r.grant == nil {
		return consent.BasisNone
	}
	return r.grant.Basis
}

// Follows tells whether the decision in the record is what consent.Decide says
// of the facts in the record, or a denial of it for a reason that the record
// names; known is false where the record is no decision.
func (r Receipt) Follows() (follows, known bool) {
	if r.decided == nil {
		return false, false
	}
	return r.decided.follows(), true
}

// Narrowed is why the table's verdict became a denial; empty: it did not.
func (r Receipt) Narrowed() Narrowed {
	if r.decided == nil {
		return ""
	}
	return r.decided.Narrowed
}

// SHA256 is the hash, in hex, of the signed envelope that the receipt is about.
func (r Receipt) SHA256() string { return sum(r.records[0].raw) }

func sum(raw []byte) string {
	h := sha256.Sum256(raw)
	return hex.EncodeToString(h[:])
}

// JSON is the receipt as JSON-LD, indented, with a line feed at its end. The
// same records give the same bytes. The JSON-LD itself is not signed.
func (r Receipt) JSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(r.linked()); err != nil {
		return nil, fmt.Errorf("encode receipt: %w", err)
	}
	return b.Bytes(), nil
}

// OpenReceipt checks a receipt without any service: the records that it carries
// are verified, the receipt is derived from them again, and every word must be
// the same. With a key it counts only if it is the one inside; without, the key
// inside is used, which shows that the receipt is whole but not whose it is.
func OpenReceipt(raw []byte, key ed25519.PublicKey) (Receipt, error) {
	if len(raw) > MaxReceipt {
		return Receipt{}, fmt.Errorf("%w: longer than %d bytes", ErrMalformed, MaxReceipt)
	}
	var in struct {
		Proof struct {
			Key     []byte `json:"aval:publicKey"`
			Records []struct {
				Envelope []byte `json:"aval:envelope"`
			} `json:"aval:records"`
		} `json:"aval:proof"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return Receipt{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if len(in.Proof.Records) == 0 {
		return Receipt{}, fmt.Errorf("%w: there is no signed record in it", ErrMalformed)
	}
	if key != nil && !bytes.Equal(key, in.Proof.Key) {
		return Receipt{}, fmt.Errorf("%w: the receipt names another key than the one given", ErrUnknownKey)
	}
	var records [][]byte
	for _, x := range in.Proof.Records {
		records = append(records, x.Envelope)
	}
	r, err := NewReceipt(in.Proof.Key, records...)
	if err != nil {
		return Receipt{}, err
	}
	want, err := r.JSON()
	if err != nil {
		return Receipt{}, err
	}
	if !sameJSON(raw, want) {
		return Receipt{}, ErrReceipt
	}
	return r, nil
}

// refusedGroups are those that the question of a grant offered and that the person
// left out.
func (r Receipt) refusedGroups() []event.Group {
	if r.grant == nil || r.grant.Basis != consent.BasisConsent || r.grant.Asked == nil {
		return nil
	}
	var out []event.Group
	for _, g := range r.grant.Asked.Offered {
		if !slices.Contains(r.grant.Groups, g) {
			out = append(out, g)
		}
	}
	return out
}
