package store

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"aval/agent/record"
)

// Audit is one row of the audit trail: who did what to which thing. Nothing in
// it is captured text.
//
// The rows of a company are a Merkle log (record.Extend): each is a salted leaf,
// and the root is signed anew with every row. An altered, missing or inserted
// row no longer agrees with the signed root. There is no statement that changes
// or removes a row.
type Audit struct {
	ID      string    `json:"id"`
	Company string    `json:"company"`
	Seq     int64     `json:"seq"` // place in the company's log, from 0
	At      time.Time `json:"at"`
	Actor   string    `json:"actor"`  // server, device:ID, user:ID, token:ID, …
	Action  string    `json:"action"` // a word with a dash: token-created, device-enrolled, …
	Subject string    `json:"subject"`
	Detail  string    `json:"detail"`
	// Before and After are the value that changed, as text or JSON; never a secret.
	Before string `json:"before"`
	After  string `json:"after"`
	// Salt keeps a row from being guessed from its leaf.
	Salt []byte `json:"-"`
}

// leaf is the row's leaf in the log: its JSON, as Audit is written, under the
// salt. The names and the order of the fields are part of the format: a row that
// was written once must give the same bytes for ever.
func (a Audit) leaf() (record.Hash, error) {
	a.At = a.At.UTC()
	raw, err := json.Marshal(a)
	if err != nil {
		return record.Hash{}, err
	}
	if len(a.Salt) != record.SaltSize {
		return record.Hash{}, fmt.Errorf("salt of %d bytes", len(a.Salt))
	}
	return record.Leaf([record.SaltSize]byte(a.Salt), raw), nil
}

// SignHead signs the head of a company's audit log; nil bytes: the company's key
// is not at hand, and the head stays unsigned until the next row.
type SignHead func(company string, size int64, root record.Hash) ([]byte, error)

// SignAudit sets who signs the heads of audit logs.
func (db *DB) SignAudit(f SignHead) { db.sign.Store(&f) }

// AddAudit appends a row; ID, Seq and Salt are made here. The row is written
// right before the commit, so that the log's lock is the last one that a
// transaction takes and is held the shortest.
func (t *Tx) AddAudit(a Audit) error {
	a.ID = NewID(a.At)
	a.Actor, a.Action, a.Subject, a.Detail = text(a.Actor), text(a.Action), text(a.Subject), text(a.Detail)
	a.Before, a.After = text(a.Before), text(a.After)
	t.audit = append(t.audit, a)
	return nil
}

// text is s as every database and every JSON gives it back: a byte that is no
// UTF-8, and NUL, which PostgreSQL does not take, would change the leaf.
func text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// writeAudit appends what AddAudit was given to the companies' logs.
func (t *Tx) writeAudit() error {
	slices.SortStableFunc(t.audit, func(a, b Audit) int { return cmp.Compare(a.Company, b.Company) })
	for rest := t.audit; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].Company == rest[0].Company {
			n++
		}
		if err := t.extendAudit(rest[0].Company, rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

func (t *Tx) extendAudit(company string, rows []Audit) error {
	n, err := t.exec(`INSERT INTO audit_logs (company, size, root, head) VALUES ($1, 0, $2, $2) ON CONFLICT (company) DO NOTHING`, company, []byte{})
	if err != nil {
		return err
	}
	var old []Audit
	if n > 0 {
		// Rows of a version that had no log yet.
		if old, err = t.audits(`company = $1 AND seq < 0 ORDER BY at, id`, company); err != nil {
			return err
		}
	}
	var size int64 // the row is locked from here on
	if err := t.one(`UPDATE audit_logs SET size = size + $2 WHERE company = $1 RETURNING size`, []any{company, int64(len(old) + len(rows))}, &size); err != nil {
		return err
	}
	size -= int64(len(old) + len(rows))
	var root record.Hash
	for i, a := range append(old, rows...) {
		salt := record.NewSalt()
		a.Seq, a.Salt = size, salt[:]
		if i < len(old) {
			_, err = t.exec(`UPDATE audit SET seq = $3, salt = $4 WHERE company = $1 AND id = $2 AND seq < 0`, company, a.ID, a.Seq, a.Salt)
		} else {
			_, err = t.exec(`INSERT INTO audit (id, company, seq, at, actor, action, subject, detail, before_value, after_value, salt)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
				a.ID, company, a.Seq, ns(a.At), a.Actor, a.Action, a.Subject, a.Detail, a.Before, a.After, a.Salt)
		}
		if err != nil {
			return err
		}
		leaf, err := a.leaf()
		if err != nil {
			return err
		}
		x, err := record.Extend(size, leaf, t.auditNodes(company))
		if err != nil {
			return err
		}
		for i, h := range x.Nodes {
			if _, err := t.exec(`INSERT INTO audit_nodes (company, node, hash) VALUES ($1, $2, $3)`, company, x.First+int64(i), h[:]); err != nil {
				return err
			}
		}
		size, root = size+1, x.Root
	}
	head := []byte{}
	if t.sign != nil {
		if head, err = t.sign(company, size, root); err != nil {
			return fmt.Errorf("sign audit log: %w", err)
		}
	}
	if head == nil {
		head = []byte{}
	}
	_, err = t.exec(`UPDATE audit_logs SET root = $2, head = $3 WHERE company = $1`, company, root[:], head)
	return err
}

// auditNodes reads a company's tree.
func (t *Tx) auditNodes(company string) record.HashReader {
	return record.HashReaderFunc(func(indexes []int64) ([]record.Hash, error) {
		out := make([]record.Hash, len(indexes))
		for i, n := range indexes {
			var raw []byte
			if err := t.one(`SELECT hash FROM audit_nodes WHERE company = $1 AND node = $2`, []any{company, n}, &raw); err != nil {
				return nil, fmt.Errorf("node %d: %w", n, err)
			}
			if len(raw) != len(out[i]) {
				return nil, fmt.Errorf("node %d has %d bytes", n, len(raw))
			}
			out[i] = record.Hash(raw)
		}
		return out, nil
	})
}

// AuditHead is a company's log as it stands.
type AuditHead struct {
	Size int64
	Root []byte
	Head []byte // signed, see SignHead; empty: not signed
}

// AuditHead returns a company's head; a company without rows has an empty one.
func (t *Tx) AuditHead(company string) (h AuditHead, err error) {
	err = t.one(`SELECT size, root, head FROM audit_logs WHERE company = $1`, []any{company}, &h.Size, &h.Root, &h.Head)
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return h, err
}

// AuditFilter chooses rows; a zero field chooses all.
type AuditFilter struct {
	From, To time.Time // From is in, To is not
	Actor    string
	Action   string
	Subject  string
	Before   int64 // only rows whose Seq is below; 0: from the newest
	Max      int   // how many at most; 0: all
}

const auditColumns = `SELECT id, company, seq, at, actor, action, subject, detail, before_value, after_value, salt FROM audit WHERE `

func (t *Tx) audits(where string, args ...any) (list []Audit, err error) {
	err = t.each(auditColumns+where, args, func(scan func(...any) error) error {
		a, err := scanAudit(scan)
		list = append(list, a)
		return err
	})
	return list, err
}

func scanAudit(scan func(...any) error) (a Audit, err error) {
	err = scan(&a.ID, &a.Company, &a.Seq, stamp{&a.At}, &a.Actor, &a.Action, &a.Subject, &a.Detail, &a.Before, &a.After, &a.Salt)
	return a, err
}

// Audits lists a company's audit rows, newest first.
func (t *Tx) Audits(company string, f AuditFilter) ([]Audit, error) {
	where, args := f.where(company)
	where += ` ORDER BY seq DESC`
	if f.Max > 0 {
		args = append(args, int64(f.Max))
		where += fmt.Sprintf(" LIMIT $%d", len(args))
	}
	return t.audits(where, args...)
}

// EachAudit gives f a company's rows one by one, oldest first, whatever f.Max says.
func (t *Tx) EachAudit(company string, f AuditFilter, row func(Audit) error) error {
	where, args := f.where(company)
	return t.walkAudit(where, args, row)
}

// auditPage is how many rows are read before they are looked at: while rows are
// being read, PostgreSQL takes no other statement of the transaction.
const auditPage = 1000

// walkAudit gives row what where chooses, oldest first.
func (t *Tx) walkAudit(where string, args []any, row func(Audit) error) error {
	where += fmt.Sprintf(" AND seq >= $%d ORDER BY seq LIMIT %d", len(args)+1, auditPage)
	for next := int64(0); ; {
		list, err := t.audits(where, append(slices.Clone(args), next)...)
		if err != nil {
			return err
		}
		for _, a := range list {
			if err := row(a); err != nil {
				return err
			}
			next = a.Seq + 1
		}
		if len(list) < auditPage {
			return nil
		}
	}
}

func (f AuditFilter) where(company string) (where string, args []any) {
	where, args = `company = $1`, []any{company}
	add := func(condition string, v any) {
		args = append(args, v)
		where += fmt.Sprintf(" AND "+condition, len(args))
	}
	if f.Before > 0 {
		add("seq < $%d", f.Before)
	}
	if !f.From.IsZero() {
		add("at >= $%d", ns(f.From))
	}
	if !f.To.IsZero() {
		add("at < $%d", ns(f.To))
	}
	if f.Actor != "" {
		add("actor = $%d", f.Actor)
	}
	if f.Action != "" {
		add("action = $%d", f.Action)
	}
	if f.Subject != "" {
		add("subject = $%d", f.Subject)
	}
	return where, args
}

// AuditActions lists the actions among a company's latest rows.
func (t *Tx) AuditActions(company string) (list []string, err error) {
	err = t.each(`SELECT DISTINCT action FROM (SELECT action FROM audit WHERE company = $1 ORDER BY seq DESC LIMIT 1000) AS latest
		ORDER BY action`, []any{company}, func(scan func(...any) error) error {
		var a string
		err := scan(&a)
		list = append(list, a)
		return err
	})
	return list, err
}

// WalkAudit gives f a company's whole log, oldest first: each row, and its leaf
// as it is computed anew; a row without a usable salt has a leaf of zeros, which
// is none. Rows that the log has not taken in yet are left out.
func (t *Tx) WalkAudit(company string, f func(a Audit, leaf record.Hash) error) error {
	return t.walkAudit(`company = $1`, []any{company}, func(a Audit) error {
		leaf, err := a.leaf()
		if err != nil {
			leaf = record.Hash{}
		}
		return f(a, leaf)
	})
}

// AuditNode returns a stored leaf of a company's log, or ErrNotFound.
func (t *Tx) AuditNode(company string, seq int64) (record.Hash, error) {
	h, err := t.auditNodes(company).ReadHashes([]int64{record.NodeOfLeaf(seq)})
	if err != nil {
		return record.Hash{}, err
	}
	return h[0], nil
}
