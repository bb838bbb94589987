package company_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/policy"
	"aval/agent/record"
	"aval/summarizer/company"
	"aval/summarizer/store"
	"aval/summarizer/store/storetest"
)

// TestPublishedPolicy: a device's bundle holds the version last published of the
// policy that is assigned to it, its own before the one of all; and each version
// of a bundle names the same bytes for ever.
func TestPublishedPolicy(t *testing.T) {
	now := t0
	db, co := openCompany(t, storetest.Dir(t), &now)
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(db.Tx(ctx, func(tx *store.Tx) error {
		pub, _, err := ed25519.GenerateKey(nil)
		if err != nil {
			return err
		}
		return tx.InsertDevice(store.Device{ID: "d1", Company: co.ID(), EnrolledAt: now}, "k1", pub)
	}))
	by := record.Trust{Company: co.ID(), Device: "d1", ServerKey: co.PublicKey(), ReleaseKey: co.PublicKey()}
	// given is what the device takes; it takes nothing older and nothing changed.
	given := func() record.Bundle {
		t.Helper()
		env, err := co.Options(ctx, "d1")
		must(err)
		b, err := record.OpenOptions(env, by)
		must(err)
		by.Version, by.Last = b.Version, env
		return b
	}
	set := func(name string, key policy.Name, value string) {
		t.Helper()
		must(co.SetPolicy(ctx, name, []policy.Setting{{Key: key, Value: json.RawMessage(value), Enforce: true}}, nil))
	}
	if b := given(); b.Policy != nil {
		t.Fatalf("none is assigned: %+v", b.Policy)
	}
	for _, name := range []string{"Offices", "Shops"} {
		_, err := co.CreatePolicy(ctx, name)
		must(err)
		set(name, policy.AccessControl, `"denied"`)
		_, err = co.PublishPolicy(ctx, name, nil)
		must(err)
	}
	must(co.AssignPolicy(ctx, "Offices", company.ToAll))
	if b := given(); b.Policy == nil || b.Policy.String() != "Offices version 1" || len(b.Values) != 1 {
		t.Fatalf("the one of all: %+v", b.Policy)
	}
	must(co.AssignPolicy(ctx, "Shops", company.ToDevice("d1")))
	if b := given(); b.Policy.Name != "Shops" {
		t.Errorf("its own: %+v", b.Policy)
	}
	set("Shops", policy.QuestionSeconds, `60`)
	before := by.Version
	if b := given(); len(b.Values) != 1 || b.Version != before {
		t.Errorf("a draft reached a device: %+v", b.Policy)
	}
	_, err := co.PublishPolicy(ctx, "Shops", nil)
	must(err)
	if b := given(); b.Policy.Version != 2 || len(b.Values) != 2 || b.Version <= before {
		t.Errorf("published: %+v", b.Policy)
	}
	must(co.AssignPolicy(ctx, "", company.ToDevice("d1")))
	must(co.AssignPolicy(ctx, "", company.ToAll))
	if b := given(); b.Policy != nil {
		t.Errorf("taken away: %+v", b.Policy)
	}

	var bad *company.Invalid
	err = co.SetPolicy(ctx, "Shops", []policy.Setting{{Key: "Colour", Value: json.RawMessage(`"red"`)},
		{Key: policy.AccessControl, Value: json.RawMessage(`"maybe"`)}, {Key: policy.Languages, Value: json.RawMessage(`["x!"]`)}}, []policy.Name{policy.Reporting})
	if !errors.As(err, &bad) || len(bad.Problems) != 4 {
		t.Errorf("every mistake at once: %v", err)
	}
	big := make([]string, 0, 200)
	for i := range 200 {
		big = append(big, strings.Repeat("a", 100)+string(rune('a'+i%26))+strings.Repeat("b", i/26))
	}
	raw, _ := json.Marshal(big)
	if err := co.SetPolicy(ctx, "Shops", []policy.Setting{{Key: policy.SSHAccounts, Value: raw}}, nil); !errors.As(err, &bad) {
		t.Errorf("a policy that no record can hold: %v", err)
	}
}

// TestReleaseIsForOneDraft: what the release key has signed is published as it
// was signed, once, and while it counts. To see it fail, leave the comparison of
// the settings out of checkRelease.
func TestReleaseIsForOneDraft(t *testing.T) {
	now := t0
	_, co := openCompany(t, storetest.Dir(t), &now)
	ctx := context.Background()
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	_, stranger, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	allow := []policy.Setting{{Key: policy.AccessControl, Value: json.RawMessage(`"allowed"`)}}
	_, err = co.CreatePolicy(ctx, "Offices")
	err = errors.Join(err, co.SetReleaseKey(ctx, pub), co.SetPolicy(ctx, "Offices", allow, nil))
	if err != nil {
		t.Fatal(err)
	}
	sign := func(k ed25519.PrivateKey) []byte {
		t.Helper()
		d, err := co.Draft(ctx, "Offices")
		if err != nil {
			t.Fatal(err)
		}
		env, err := company.SignRelease(k, d, now, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return env
	}
	good := sign(key)
	for name, c := range map[string]struct {
		release []byte
		at      time.Time
		draft   []policy.Setting
	}{
		"none":            {nil, now, allow},
		"a stranger's":    {sign(stranger), now, allow},
		"expired":         {good, now.Add(2 * time.Hour), allow},
		"of other values": {good, now, []policy.Setting{{Key: policy.AccessControl, Value: json.RawMessage(`"allowed"`), Enforce: true}}},
	} {
		now = c.at
		if err := co.SetPolicy(ctx, "Offices", c.draft, nil); err != nil {
			t.Fatal(err)
		}
		if v, err := co.PublishPolicy(ctx, "Offices", c.release); err == nil {
			t.Errorf("%s: published as version %d", name, v)
		}
		now = t0
	}
	if err := co.SetPolicy(ctx, "Offices", allow, nil); err != nil {
		t.Fatal(err)
	}
	if v, err := co.PublishPolicy(ctx, "Offices", good); err != nil || v != 1 {
		t.Errorf("%d, %v", v, err)
	}
	if _, err := co.PublishPolicy(ctx, "Offices", good); err == nil {
		t.Error("the same release twice")
	}
}

// TestIncomingNeedsItsRelease: where the release key is kept elsewhere, a device
// is asked about incoming sessions only as a release vouches for it; until then
// the rest of its bundle goes on. To see it fail, leave the look at released out
// of OptionsIn: the device then refuses the whole bundle.
func TestIncomingNeedsItsRelease(t *testing.T) {
	now := t0
	db, co := openCompany(t, storetest.Dir(t), &now)
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	pub, key, err := ed25519.GenerateKey(nil)
	must(err)
	must(db.Tx(ctx, func(tx *store.Tx) error {
		return tx.InsertDevice(store.Device{ID: "d1", Company: co.ID(), EnrolledAt: now}, "k1", pub)
	}))
	own := record.Trust{Company: co.ID(), Device: "d1", ServerKey: co.PublicKey(), ReleaseKey: co.PublicKey()}
	given := func(by record.Trust) record.Bundle {
		t.Helper()
		env, err := co.Options(ctx, "d1")
		must(err)
		b, err := record.OpenOptions(env, by)
		must(err)
		return b
	}
	all, only, off, no := consent.IncomingAll, consent.IncomingPolicy, consent.OutgoingOff, false
	must(co.SetOptions(ctx, company.Change{Incoming: &all}))
	if b := given(own); b.Incoming != all || !b.IncomingEnforced || b.Outgoing != consent.OutgoingAll {
		t.Errorf("the server's own key is enough, and people cannot refuse unless the company lets them: %+v", b.Options)
	}
	must(co.SetOptions(ctx, company.Change{IncomingEnforced: &no, Outgoing: &off}))
	if b := given(own); b.Incoming != all || b.IncomingEnforced || b.Outgoing != off {
		t.Errorf("changed: %+v", b.Options)
	}

	kept := own
	kept.ReleaseKey = pub
	must(co.SetReleaseKey(ctx, pub))
	if b := given(kept); b.Incoming != consent.IncomingOff || b.IncomingEnforced || b.Outgoing != off {
		t.Errorf("nothing vouches for it: %+v", b.Options)
	}
	if c, err := co.Choices(ctx); err != nil || c.Incoming != all || !c.WaitingUnassigned || c.Releases != "release-key" {
		t.Errorf("%+v, %v", c, err)
	}
	_, err = co.CreatePolicy(ctx, "Offices")
	must(err)
	must(co.SetOptions(ctx, company.Change{Incoming: &only}))
	draft, err := co.Draft(ctx, "Offices")
	must(err)
	signed, err := company.SignRelease(key, draft, now, company.ReleaseLife)
	must(err)
	_, err = co.PublishPolicy(ctx, "Offices", signed)
	must(err)
	must(co.AssignPolicy(ctx, "Offices", company.ToAll))
	if b := given(kept); b.Incoming != only {
		t.Errorf("released: %+v", b.Options)
	}
	if c, err := co.Choices(ctx); err != nil || len(c.Waiting) != 0 || c.WaitingUnassigned {
		t.Errorf("%+v, %v", c, err)
	}
	must(co.SetOptions(ctx, company.Change{Incoming: &all}))
	if b := given(kept); b.Incoming != consent.IncomingOff {
		t.Errorf("released for something else: %+v", b.Options)
	}
	if c, err := co.Choices(ctx); err != nil || len(c.Waiting) != 1 || c.Waiting[0] != "Offices" {
		t.Errorf("%+v, %v", c, err)
	}
	wrong := consent.IncomingOption("everything")
	if err := co.SetOptions(ctx, company.Change{Incoming: &wrong}); err == nil {
		t.Error("an option that does not exist was taken")
	}
}
