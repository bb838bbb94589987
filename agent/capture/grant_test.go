package capture

import (
	"crypto/ed25519"
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/record"
)

// GrantFor signs and verifies a grant as the service makes it.
func GrantFor(t *testing.T, id string, validFor time.Duration, groups ...event.Group) record.Verified {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	g := record.Grant{
		Head: record.Head{V: 1, ID: id, At: now, Company: "c", Device: "d", Session: "test/1"},
		Decided: record.Decided{
			Tool: "test", Supporter: "Example Support",
			Decision: consent.Decision{Verdict: consent.Allow, Basis: consent.BasisStandingSetting, Reason: consent.ReasonAllowedBySetting},
			Outcome:  consent.OutcomeAllowed,
		},
		Basis: consent.BasisStandingSetting, Groups: groups,
		NotBefore: now.Add(-time.Second), Expires: now.Add(validFor),
		Engine: "rules", RetentionDays: 90,
	}
	raw, err := record.Sign(key, record.TypeGrant, g)
	if err != nil {
		t.Fatal(err)
	}
	v, err := record.VerifyGrant(raw, record.OneKey(pub), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return v
}
