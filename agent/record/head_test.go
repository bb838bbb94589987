package record_test

import (
	"crypto/ed25519"
	"slices"
	"testing"
	"time"

	"aval/agent/record"
)

// FuzzAuditHead reads any head of an audit log and any proof: what is taken is signed
// by the company and bounded. To see it fail, leave MaxLog out of OpenAuditHead, or
// MaxProof out of UnpackProof.
func FuzzAuditHead(f *testing.F) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	keys := record.OneKey(key.Public().(ed25519.PublicKey))
	for _, size := range []int64{0, 5, record.MaxLog + 1, -1} {
		raw, err := record.SignAuditHead(key, "c", time.Unix(0, 0), size, record.Hash{})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, make([]byte, 32), int64(2), 2)
		f.Add(raw, make([]byte, 31), int64(2), 2)
		f.Add(raw, make([]byte, 32), size-1, record.MaxProof+1)
	}
	f.Fuzz(func(t *testing.T, raw, hash []byte, since int64, n int) {
		h, root, err := record.OpenAuditHead(raw, keys)
		if err != nil {
			return
		}
		if h.Company == "" || h.Size < 0 || h.Size > record.MaxLog {
			t.Fatalf("%+v", h)
		}
		proof, err := record.UnpackProof(slices.Repeat([][]byte{hash}, max(0, min(n, 2*record.MaxProof))))
		if err != nil {
			return
		}
		if len(proof) > record.MaxProof {
			t.Fatalf("%d hashes", len(proof))
		}
		_ = record.CheckConsistency(proof, h.Size, root, since, root) // whatever it is, it ends
	})
}
