package store

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"aval/agent/record"
)

const rowSum = 16 // bytes of SHA-256 behind every row that is not sealed

// sumRow binds a row to its place: bbolt does not notice flipped bits.
func sumRow(bucket string, key, payload []byte) []byte {
	h := sha256.New()
	h.Write([]byte(bucket))
	h.Write([]byte{0})
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(key))))
	h.Write(key)
	h.Write(payload)
	return h.Sum(nil)[:rowSum]
}

// closeRow puts the sum behind a row's payload.
func closeRow(bucket string, key, payload []byte) []byte {
	return append(payload[:len(payload):len(payload)], sumRow(bucket, key, payload)...)
}

// openRow checks a row and returns its payload, which is only valid within the
// transaction.
func openRow(bucket string, key, row []byte) ([]byte, error) {
	n := len(row) - rowSum
	if n < 0 || subtle.ConstantTimeCompare(row[n:], sumRow(bucket, key, row[:n])) != 1 {
		return nil, fmt.Errorf("%w: a row of %s", ErrDamaged, bucket)
	}
	return row[:n], nil
}

// closeJSON and openJSON are for rows that hold JSON.
func closeJSON(bucket string, key []byte, v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode row of %s: %w", bucket, err)
	}
	return closeRow(bucket, key, raw), nil
}

func openJSON(bucket string, key, row []byte, into any) error {
	raw, err := openRow(bucket, key, row)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%w: a row of %s", ErrDamaged, bucket)
	}
	return nil
}

func numKey(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func keyNum(k []byte) (uint64, bool) {
	if len(k) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(k), true
}

const entryVersion = 1

// encodeEntry is the stored form of a record: version(1), salt(16), at(8, unix
// ns), then id, type, company, session and envelope, each after its length (4).
func encodeEntry(e Entry, salt [record.SaltSize]byte) []byte {
	b := make([]byte, 0, 64+len(e.ID)+len(e.Type)+len(e.Company)+len(e.Session)+len(e.Envelope))
	b = append(b, entryVersion)
	b = append(b, salt[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(e.At.UnixNano()))
	for _, s := range []string{e.ID, string(e.Type), e.Company, e.Session, string(e.Envelope)} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	return b
}

// decodeEntry reads exactly what encodeEntry writes.
func decodeEntry(index int64, b []byte) (e Entry, salt [record.SaltSize]byte, err error) {
	bad := fmt.Errorf("%w: record %d", ErrDamaged, index)
	if len(b) < 1+len(salt)+8 || b[0] != entryVersion {
		return Entry{}, salt, bad
	}
	copy(salt[:], b[1:])
	b = b[1+len(salt):]
	e = Entry{Index: index, At: time.Unix(0, int64(binary.BigEndian.Uint64(b))).UTC()}
	b = b[8:]
	var typ, env string
	for _, into := range []*string{&e.ID, &typ, &e.Company, &e.Session, &env} {
		if len(b) < 4 {
			return Entry{}, salt, bad
		}
		n := uint64(binary.BigEndian.Uint32(b))
		if b = b[4:]; n > uint64(len(b)) {
			return Entry{}, salt, bad
		}
		*into, b = string(b[:n]), b[n:]
	}
	if len(b) != 0 {
		return Entry{}, salt, bad
	}
	e.Type, e.Envelope = record.Type(typ), []byte(env)
	return e, salt, nil
}
