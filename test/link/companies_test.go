package link_test

import (
	"errors"
	"testing"

	"aval/agent/uplink"
	"aval/summarizer/company"
	"aval/summarizer/store"
)

// Two companies on one server: a token, a code and a module each lead to the one
// that made them, by that one's key. A device is only its own company's. Planted:
// with Redeem taking the first company's key for all codes, Beta's was unknown.
func TestCompaniesOfOneServer(t *testing.T) {
	s := startServer(t, nil)
	beta, err := s.host.Create(t.Context(), "Beta Help", "pt-BR", "", company.Command)
	if err != nil {
		t.Fatal(err)
	}
	tok, _, err := beta.CreateEnrolToken(t.Context(), company.NewEnrolToken{})
	if err != nil {
		t.Fatal(err)
	}
	enr, err := uplink.Enroll(t.Context(), tok.Server, tok.Pin, tok.Token, newKey(), "test", "")
	if err != nil || enr.Company != beta.ID() || tok.Company != "Beta Help" || beta.PublicKey().Equal(s.co.PublicKey()) {
		t.Fatalf("enrolled with %+v, %v", enr, err)
	}
	if err := s.db.View(t.Context(), func(tx *store.Tx) error {
		if _, err := tx.Device(s.co.ID(), enr.Device); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the first company finds the second one's device: %v", err)
		}
		_, err := tx.Device(beta.ID(), enr.Device)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for name, co := range map[string]*company.Service{"the first": s.co, "the second": beta} {
		c, err := co.NewCode(t.Context(), company.CodeFor{Supporter: "Ana", LogSessions: true})
		if err != nil {
			t.Fatal(err)
		}
		if r, _, err := redeem(t, c.Code); err != nil || r.Request.Company != co.ID() {
			t.Errorf("a code of %s: %+v, %v", name, r, err)
		}
		if _, _, err := co.CreateModule(t.Context(), "Help desk", true, 30); err != nil {
			t.Errorf("a module of %s: %v", name, err)
		}
	}
}
