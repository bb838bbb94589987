package company

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"aval/agent/record"
	"aval/summarizer/store"
)

// signHead signs the log's head; the store calls it with every row.
func (s *Service) signHead(size int64, root record.Hash) ([]byte, error) {
	return record.SignAuditHead(s.signer(), s.id, s.now(), size, root)
}

// Audits lists the company's audit rows, newest first.
func (s *Service) Audits(ctx context.Context, f store.AuditFilter) (list []store.Audit, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) (err error) { list, err = tx.Audits(s.id, f); return err })
	if err != nil {
		return nil, fmt.Errorf("list audit log: %w", err)
	}
	return list, nil
}

// AuditActions lists the actions among the latest rows.
func (s *Service) AuditActions(ctx context.Context) (list []string, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) (err error) { list, err = tx.AuditActions(s.id); return err })
	return list, err
}

// AuditReport is what VerifyAudit found.
type AuditReport struct {
	OK   bool   `json:"ok"`
	Rows int64  `json:"rows"`
	Root string `json:"root"` // as computed from the rows, hex
	// SignedAt is when the head was signed; zero: it is not signed.
	SignedAt time.Time `json:"signed_at,omitzero"`
	// Problems are sentences; the first names the first row that does not hold.
	Problems []string `json:"problems"`
}

// maxProblems bounds what a report lists: after the first the rest follows from it.
const maxProblems = 10

// VerifyAudit computes the company's whole log anew from its rows, and compares
// it with the stored tree, with the signed head, and with heads that somebody
// kept. An altered, missing, inserted or moved row is a problem.
func (s *Service) VerifyAudit(ctx context.Context, kept ...[]byte) (r AuditReport, err error) {
	r.Problems = []string{}
	keys := record.OneKey(s.PublicKey())
	problem := func(format string, args ...any) {
		if len(r.Problems) < maxProblems {
			r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
		}
	}
	roots := map[int64]record.Hash{}
	for i, raw := range kept {
		h, root, err := record.OpenAuditHead(raw, keys)
		switch {
		case err != nil:
			problem("kept head %d is not signed by this company's key", i+1)
			continue
		case h.Company != s.id:
			problem("kept head %d is of another company", i+1)
			continue
		}
		roots[h.Size] = root
	}
	var tree tree
	err = s.db.View(ctx, func(tx *store.Tx) error {
		head, err := tx.AuditHead(s.id)
		if err != nil {
			return err
		}
		next := int64(0)
		check := func() {
			if want, ok := roots[tree.n]; ok {
				delete(roots, tree.n)
				if want != tree.root() {
					problem("the first %d rows are not those whose head was kept", tree.n)
				}
			}
		}
		check()
		err = tx.WalkAudit(s.id, func(a store.Audit, leaf record.Hash) error {
			if a.Seq != next {
				problem("row %d is missing", next)
				next = a.Seq
			}
			next++
			stored, err := tx.AuditNode(s.id, a.Seq)
			switch {
			case errors.Is(err, store.ErrNotFound):
				problem("row %d (%s, %s) is not in the log", a.Seq, a.At.UTC().Format(time.RFC3339), a.Action)
			case err != nil:
				return err
			case stored != leaf:
				problem("row %d (%s, %s) was altered", a.Seq, a.At.UTC().Format(time.RFC3339), a.Action)
			}
			tree.add(leaf)
			check()
			return nil
		})
		if err != nil {
			return err
		}
		root := tree.root()
		r.Rows, r.Root = tree.n, hex.EncodeToString(root[:])
		for size := range roots {
			problem("the log has %d rows; a kept head has %d", tree.n, size)
		}
		if head.Size == 0 && tree.n == 0 {
			return nil
		}
		if head.Size > tree.n {
			problem("the log had %d rows and has %d: the last ones are missing", head.Size, tree.n)
		}
		if len(head.Head) == 0 {
			problem("the log's head is not signed")
			return nil
		}
		h, signed, err := record.OpenAuditHead(head.Head, keys)
		switch {
		case err != nil:
			problem("the log's head is not signed by this company's key")
		case h.Company != s.id || h.Size != tree.n || signed != root:
			r.SignedAt = h.At
			problem("the signed head (%d rows, %s) does not agree with the rows", h.Size, h.At.Format(time.RFC3339))
		default:
			r.SignedAt = h.At
		}
		return nil
	})
	if err != nil {
		return AuditReport{}, fmt.Errorf("verify audit log: %w", err)
	}
	r.OK = len(r.Problems) == 0
	return r, nil
}

// ExportAudit writes rows as JSON lines, oldest first of those chosen, and last
// the signed head as {"head": …}, which verifies the log later.
func (s *Service) ExportAudit(ctx context.Context, w io.Writer, f store.AuditFilter) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	err := s.db.View(ctx, func(tx *store.Tx) error {
		err := tx.EachAudit(s.id, f, func(a store.Audit) error { a.At = a.At.UTC(); return enc.Encode(a) })
		if err != nil {
			return err
		}
		head, err := tx.AuditHead(s.id)
		if err != nil || len(head.Head) == 0 {
			return err
		}
		return enc.Encode(map[string]json.RawMessage{"head": head.Head})
	})
	if err != nil {
		return fmt.Errorf("export audit log: %w", err)
	}
	return nil
}

// tree computes the root of a Merkle tree (RFC 6962, section 2.1) as its leaves
// come: whole subtrees of falling size, of which only the roots are kept.
type tree struct {
	n     int64
	roots []record.Hash
}

func (t *tree) add(leaf record.Hash) {
	t.roots = append(t.roots, leaf)
	for n := t.n; n&1 == 1; n >>= 1 {
		last := len(t.roots) - 1
		t.roots[last-1] = pair(t.roots[last-1], t.roots[last])
		t.roots = t.roots[:last]
	}
	t.n++
}

func (t *tree) root() record.Hash {
	if t.n == 0 {
		return sha256.Sum256(nil)
	}
	h := t.roots[len(t.roots)-1]
	for i := len(t.roots) - 2; i >= 0; i-- {
		h = pair(t.roots[i], h)
	}
	return h
}

func pair(left, right record.Hash) record.Hash {
	return sha256.Sum256(append(append([]byte{1}, left[:]...), right[:]...))
}
