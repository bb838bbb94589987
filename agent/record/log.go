package record

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// SaltSize is the length of a record's salt in bytes.
const SaltSize = 16

// Hash is a node of the log's Merkle tree: SHA-256, as RFC 6962 section 2.1
// and golang.org/x/mod/sumdb/tlog define it.
type Hash = tlog.Hash

// HashReader reads stored nodes of a log by their number (tlog.StoredHashIndex).
// It is the seam to whatever keeps the log: the agent's database or the server's.
type HashReader = tlog.HashReader

// HashReaderFunc is a HashReader out of a function.
type HashReaderFunc = tlog.HashReaderFunc

// NewSalt makes the salt of one record.
func NewSalt() [SaltSize]byte {
	var salt [SaltSize]byte
	_, _ = rand.Read(salt[:]) // never fails: it ends the program instead
	return salt
}

// Leaf is a record's leaf: SHA-256(salt ‖ record) under the leaf prefix of the
// tree. Without the salt nobody can guess a record from its leaf, so erasing
// salt and record leaves nothing that speaks of a person.
func Leaf(salt [SaltSize]byte, raw []byte) Hash {
	h := sha256.New()
	h.Write(salt[:])
	h.Write(raw)
	return tlog.RecordHash(h.Sum(nil))
}

// NodeOfLeaf is the number of the stored node that is record i's leaf.
func NodeOfLeaf(i int64) int64 { return tlog.StoredHashIndex(0, i) }

// Extension is what a log of n records must store to hold one record more.
type Extension struct {
	// First is the number of the first node in Nodes; the others follow.
	First int64
	Nodes []Hash
	// Root is the root of the log of n+1 records.
	Root Hash
}

// Extend computes the nodes that appending leaf to a log of n records adds. r
// must hold the nodes of the log so far; nothing is written.
func Extend(n int64, leaf Hash, r HashReader) (Extension, error) {
	nodes, err := tlog.StoredHashesForRecordHash(n, leaf, r)
	if err != nil {
		return Extension{}, fmt.Errorf("extend log of %d records: %w", n, err)
	}
	x := Extension{First: tlog.StoredHashIndex(0, n), Nodes: nodes}
	x.Root, err = Root(n+1, HashReaderFunc(func(indexes []int64) ([]Hash, error) {
		return readWith(x, indexes, r)
	}))
	return x, err
}

// readWith reads nodes out of the extension where it holds them.
func readWith(x Extension, indexes []int64, r HashReader) ([]Hash, error) {
	out := make([]Hash, len(indexes))
	var old []int64
	var at []int
	for i, index := range indexes {
		if k := index - x.First; k >= 0 && k < int64(len(x.Nodes)) {
			out[i] = x.Nodes[k]
			continue
		}
		old, at = append(old, index), append(at, i)
	}
	if len(old) == 0 {
		return out, nil
	}
	got, err := r.ReadHashes(old)
	if err != nil {
		return nil, err
	}
	if len(got) != len(old) {
		return nil, fmt.Errorf("%d nodes instead of %d", len(got), len(old))
	}
	for i, h := range got {
		out[at[i]] = h
	}
	return out, nil
}

// Root is the root of the log of n records. The root of an empty log is the
// hash of nothing, as RFC 6962 section 2.1 says.
func Root(n int64, r HashReader) (Hash, error) {
	if n == 0 {
		return sha256.Sum256(nil), nil
	}
	h, err := tlog.TreeHash(n, r)
	if err != nil {
		return Hash{}, fmt.Errorf("root of %d records: %w", n, err)
	}
	return h, nil
}

// ProveInclusion proves that record i is in the log of n records.
func ProveInclusion(n, i int64, r HashReader) ([]Hash, error) {
	if i < 0 || i >= n {
		return nil, fmt.Errorf("prove inclusion: record %d is not in a log of %d", i, n)
	}
	p, err := tlog.ProveRecord(n, i, r)
	if err != nil {
		return nil, fmt.Errorf("prove inclusion: %w", err)
	}
	return p, nil
}

// CheckInclusion checks what ProveInclusion made, against a root that is trusted.
func CheckInclusion(proof []Hash, n int64, root Hash, i int64, leaf Hash) error {
	if i < 0 || i >= n {
		return fmt.Errorf("check inclusion: record %d is not in a log of %d", i, n)
	}
	if err := tlog.CheckRecord(proof, n, root, i, leaf); err != nil {
		return fmt.Errorf("check inclusion: %w", err)
	}
	return nil
}

// ProveConsistency proves that the log of n records begins with the log of old.
func ProveConsistency(n, old int64, r HashReader) ([]Hash, error) {
	if old < 0 || old > n {
		return nil, fmt.Errorf("prove consistency: %d records are not the beginning of %d", old, n)
	}
	if old == 0 || old == n {
		return nil, nil
	}
	p, err := tlog.ProveTree(n, old, r)
	if err != nil {
		return nil, fmt.Errorf("prove consistency: %w", err)
	}
	return p, nil
}

// CheckConsistency checks what ProveConsistency made, against two roots that
// are trusted. Everything is consistent with an empty log.
func CheckConsistency(proof []Hash, n int64, root Hash, old int64, oldRoot Hash) error {
	empty := Hash(sha256.Sum256(nil))
	switch {
	case old < 0 || old > n:
		return fmt.Errorf("check consistency: %d records are not the beginning of %d", old, n)
	case old == 0 || old == n:
		if len(proof) != 0 || (old == n && root != oldRoot) || (old == 0 && oldRoot != empty) {
			return fmt.Errorf("check consistency: the roots of %d and %d records do not agree", old, n)
		}
		return nil
	}
	if err := tlog.CheckTree(proof, n, root, old, oldRoot); err != nil {
		return fmt.Errorf("check consistency: %w", err)
	}
	return nil
}

// Checkpoint is the body of TypeCheckpoint: the log of a device at one moment.
// Who holds one can prove later that the log was rewritten.
type Checkpoint struct {
	V       int       `json:"v"`
	Company string    `json:"company"`
	Device  string    `json:"device"`
	At      time.Time `json:"at"`
	Size    int64     `json:"size"` // records
	Root    string    `json:"root"` // hex
}

// NewCheckpoint makes a checkpoint's body.
func NewCheckpoint(company, device string, at time.Time, size int64, root Hash) Checkpoint {
	return Checkpoint{V: 1, Company: company, Device: device, At: at.UTC(), Size: size, Root: hex.EncodeToString(root[:])}
}

// OpenCheckpoint verifies a signed checkpoint and returns its body and root.
func OpenCheckpoint(raw []byte, keys Keys) (Checkpoint, Hash, error) {
	var c Checkpoint
	if _, err := OpenAs(raw, keys, TypeCheckpoint, &c); err != nil {
		return Checkpoint{}, Hash{}, err
	}
	var root Hash
	b, err := hex.DecodeString(c.Root)
	if copy(root[:], b) != len(root) || len(b) != len(root) || err != nil || c.V != 1 || c.Size < 0 || c.Size > MaxLog || c.Device == "" {
		return Checkpoint{}, Hash{}, fmt.Errorf("%w: checkpoint", ErrMalformed)
	}
	return c, root, nil
}
