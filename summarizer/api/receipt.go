package api

import (
	"encoding/json"
	"errors"
	"fmt"

	"aval/agent/record"
	"aval/summarizer/store"
)

// ErrNoReceipt: the session has no such grant, or the key that signed it was
// revoked, so that nothing can be verified here.
var ErrNoReceipt = errors.New("the key of the session's computer was revoked: its records cannot be verified here any more")

// Receipt is the receipt of a session's grant, by its id, or of its newest one,
// with the objection, withdrawal and erasure that followed it. It is verified with
// the computer's key as the server knows it. store.ErrNotFound: there is no such
// grant.
func Receipt(t *store.Tx, st store.Stream, grant string) (record.Receipt, error) {
	var s Session
	if err := readRecords(t, st.Key, &s); err != nil {
		return record.Receipt{}, err
	}
	var of *Record
	for i, g := range s.Grants { // oldest first
		if grant == "" || g.ID == grant {
			of = &s.Grants[i]
		}
	}
	switch {
	case of == nil:
		return record.Receipt{}, store.ErrNotFound
	case len(of.PublicKey) == 0:
		return record.Receipt{}, ErrNoReceipt
	}
	records := [][]byte{of.Envelope}
	seen := map[record.Type]bool{}
	for _, r := range s.Records {
		var follows struct {
			Grant string `json:"grant"`
		}
		_, payload, err := record.Peek(r.Envelope)
		if err != nil || json.Unmarshal(payload, &follows) != nil || follows.Grant != of.ID || seen[r.Type] || r.KeyID != of.KeyID {
			continue
		}
		switch r.Type {
		case record.TypeObjection, record.TypeWithdrawal, record.TypeErasure:
			seen[r.Type] = true
			records = append(records, r.Envelope)
		}
	}
	out, err := record.NewReceipt(of.PublicKey, records...)
	if err != nil {
		return out, fmt.Errorf("make receipt of %s: %w", of.ID, err)
	}
	reads, err := t.CountReads(st.Company, st.Ref)
	if err != nil {
		return out, err
	}
	return out.WithReads(&record.Reads{Times: uint64(reads.Times), People: uint64(reads.People), Programs: uint64(reads.Programs), Last: reads.Last}), nil
}
