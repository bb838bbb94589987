package company_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"aval/summarizer/company"
	"aval/summarizer/store"
	"aval/summarizer/store/storetest"
)

// A token does what it was given, within what its user's role allows now, until
// it ends, is revoked, or its user is disabled. Planted: without the role's
// filter in TokenOf the demoted row kept codes:write.
func TestAPIToken(t *testing.T) {
	now := time.Date(2026, 8, 3, 9, 0, 0, 0, time.UTC)
	db, err := store.Open(t.Context(), storetest.Dir(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	h, err := company.Open(t.Context(), db, company.Options{Server: "https://support.example.com", Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	co, err := h.Home(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ana, err := co.CreateUser(t.Context(), company.NewUser{Name: "Ana", Role: company.Editor})
	if err != nil {
		t.Fatal(err)
	}
	secret, made, err := co.CreateAPIToken(t.Context(), company.NewAPIToken{Name: "Nightly", Scopes: []company.Permission{company.SessionsRead, company.CreditsRead}})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(secret, "aval_api_") || !strings.HasPrefix(secret, made.Prefix) || len(made.Prefix) != 15 || !made.ExpiresAt.Equal(now.Add(company.APITokenLife)) {
		t.Errorf("%+v", made)
	}
	anas, _, err := co.CreateAPIToken(t.Context(), company.NewAPIToken{Name: "Ana's", User: ana.ID, Scopes: []company.Permission{company.CodesWrite, company.SessionsRead}})
	if err != nil {
		t.Fatal(err)
	}
	as, c, err := h.TokenOf(t.Context(), secret)
	if err != nil || as.ID() != co.ID() || c.Actor.String() != "token:"+made.ID || !c.May(company.CreditsRead) || c.May(company.UsersRead) || c.May(company.Own) {
		t.Errorf("%+v %v", c, err)
	}
	if _, c, err := h.TokenOf(t.Context(), anas); err != nil || c.Actor.String() != "user:"+ana.ID || !c.May(company.CodesWrite) {
		t.Errorf("%+v %v", c, err)
	}
	if list, err := co.APITokens(t.Context(), time.Time{}, 10); err != nil || len(list) != 2 || list[1].UsedAt.IsZero() {
		t.Errorf("%+v %v", list, err)
	}

	// Nobody gives what they do not have.
	for name, n := range map[string]struct {
		by company.Actor
		n  company.NewAPIToken
	}{
		"no scope":         {company.Command, company.NewAPIToken{Name: "x"}},
		"no such scope":    {company.Command, company.NewAPIToken{Name: "x", Scopes: []company.Permission{"everything"}}},
		"own":              {company.Command, company.NewAPIToken{Name: "x", Scopes: []company.Permission{company.Own}}},
		"no name":          {company.Command, company.NewAPIToken{Scopes: []company.Permission{company.SessionsRead}}},
		"for ever":         {company.Command, company.NewAPIToken{Name: "x", Scopes: []company.Permission{company.SessionsRead}, Life: 400 * 24 * time.Hour}},
		"of nobody":        {company.Command, company.NewAPIToken{Name: "x", User: "nobody", Scopes: []company.Permission{company.SessionsRead}}},
		"above the user":   {company.Command, company.NewAPIToken{Name: "x", User: ana.ID, Scopes: []company.Permission{company.UsersWrite}}},
		"above the maker":  {company.Actor{Kind: company.KindUser, ID: ana.ID, Role: company.Editor}, company.NewAPIToken{Name: "x", Scopes: []company.Permission{company.UsersWrite}}},
		"by nobody at all": {company.Actor{Kind: company.KindUser, ID: "x"}, company.NewAPIToken{Name: "x", Scopes: []company.Permission{company.SessionsRead}}},
	} {
		if _, _, err := co.As(n.by).CreateAPIToken(t.Context(), n.n); err == nil {
			t.Errorf("%s: made", name)
		}
	}

	// A role counts at once.
	viewer := company.Viewer
	if _, err := co.ChangeUser(t.Context(), ana.ID, company.UserChange{Role: &viewer}); err != nil {
		t.Fatal(err)
	}
	if _, c, err := h.TokenOf(t.Context(), anas); err != nil || c.May(company.CodesWrite) || !c.May(company.SessionsRead) {
		t.Errorf("demoted: %+v %v", c, err)
	}
	if err := co.DisableUser(t.Context(), ana.ID); err != nil {
		t.Fatal(err)
	}
	gone := func(name, secret string) {
		t.Helper()
		if _, _, err := h.TokenOf(t.Context(), secret); !errors.Is(err, company.ErrNoToken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	gone("disabled", anas)
	gone("unknown", "aval_api_x")
	gone("empty", "")
	second, made2, err := co.CreateAPIToken(t.Context(), company.NewAPIToken{Name: "Second", Scopes: []company.Permission{company.SessionsRead}, Life: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	gone("expired", second)
	other, err := h.Create(t.Context(), "Other", "en", "", company.Command)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.RevokeAPIToken(t.Context(), made.ID); !errors.Is(err, company.ErrNoToken) {
		t.Errorf("another company revoked it: %v", err)
	}
	if _, _, err := h.TokenOf(t.Context(), secret); err != nil {
		t.Error(err)
	}
	if err := co.RevokeAPIToken(t.Context(), made.ID); err != nil {
		t.Fatal(err)
	}
	gone("revoked", secret)
	if err := co.RevokeAPIToken(t.Context(), made.ID); !errors.Is(err, company.ErrNoToken) {
		t.Errorf("twice: %v", err)
	}
	// No secret stands in the audit log.
	rows, err := co.Audits(t.Context(), store.AuditFilter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if text := r.Detail + r.Before + r.After; strings.Contains(text, secret[15:]) || strings.Contains(text, anas[15:]) || strings.Contains(text, second[15:]) {
			t.Errorf("a secret in %+v", r)
		}
	}
	if rows[0].Action != "api-token-revoked" || rows[0].Subject != made.ID || rows[0].Before == "" || made2.ID == made.ID {
		t.Errorf("%+v", rows[0])
	}
}
