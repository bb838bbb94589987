package console_test

import (
	"strings"
	"testing"

	"aval/summarizer/company"
)

// TestTokenIsNamed: what a program has changed stands under its token's name in the
// history and in the audit log, not under an id alone. To see it fail, leave the
// names of tokens out of names, and out of actorNames.
func TestTokenIsNamed(t *testing.T) {
	s := start(t)
	_, key, err := s.co.CreateAPIToken(t.Context(), company.NewAPIToken{Name: "Nightly <b>", Scopes: []company.Permission{company.SettingsWrite}})
	if err != nil {
		t.Fatal(err)
	}
	program := s.co.As(company.Actor{Kind: company.KindToken, ID: key.ID, Role: company.Administrator})
	if _, err := program.CreateGroup(t.Context(), "Shops"); err != nil {
		t.Fatal(err)
	}
	b := s.signedIn("en")
	for _, path := range []string{"/history", "/audit"} {
		if _, body := b.get(path); !strings.Contains(body, "Token: Nightly &lt;b&gt;") {
			t.Errorf("%s does not name the token", path)
		}
	}
}
