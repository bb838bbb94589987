package record_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/policy"
	"aval/agent/record"
	"aval/assets"
)

// keys of a company: the server's, the release key that is kept elsewhere, and a
// stranger's.
var serverKey, releaseKey, strangerKey = seeded(1), seeded(2), seeded(3)

func seeded(b byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, ed25519.SeedSize))
}

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

var optionsAt = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func setting(key policy.Name, value string, enforce bool) policy.Setting {
	return policy.Setting{Key: key, Value: json.RawMessage(value), Enforce: enforce}
}

// tight is a policy that only tightens, loose one that allows without asking.
func tight() []policy.Setting {
	return []policy.Setting{setting(policy.AccessControl, `"denied"`, true), setting(policy.QuestionSeconds, `60`, false)}
}

func loose() []policy.Setting {
	return []policy.Setting{setting(policy.AccessControl, `"allowed"`, true)}
}

func options(set []policy.Setting) record.Options {
	return record.Options{V: 1, Company: "c1", Device: "d1", Version: 7, At: optionsAt, Expires: optionsAt.Add(record.OptionsLife),
		CompanyName: "Example Support", Outgoing: consent.OutgoingAll, Incoming: consent.IncomingOff, LogSessions: true,
		Engine: "rules", RetentionDays: 90,
		Policy: &record.Assigned{ID: "p1", Name: "Offices", Version: 3, Settings: set}}
}

func release(set []policy.Setting) record.Release {
	return record.Release{V: 1, Company: "c1", Policy: "p1", Name: "Offices", Version: 3, At: optionsAt, Expires: optionsAt.Add(24 * time.Hour),
		Settings: set, Incoming: consent.IncomingOff}
}

func signed(t testing.TB, k ed25519.PrivateKey, typ record.Type, body any) []byte {
	t.Helper()
	env, err := record.Sign(k, typ, body)
	if err != nil {
		t.Fatal(err)
	}
	return env
}

func trust() record.Trust {
	return record.Trust{Company: "c1", Device: "d1", ServerKey: public(serverKey), ReleaseKey: public(releaseKey), Version: 6,
		Policies: map[string]int64{"p1": 3}}
}

func TestOpenOptions(t *testing.T) {
	b, err := record.OpenOptions(signed(t, serverKey, record.TypePolicy, options(tight())), trust())
	if err != nil {
		t.Fatal(err)
	}
	e := policy.Merge([]policy.Layer{{Origin: b.Values[0].Origin, Values: b.Values}})
	r := e.Get(policy.AccessControl)
	if r.Value.Text != "denied" || !r.Value.Enforced || r.Value.Origin.String() != "server:Offices version 3" || e.QuestionTime() != time.Minute {
		t.Errorf("%+v", r)
	}
	if !b.Until.Equal(b.Expires) {
		t.Errorf("until %s", b.Until)
	}
	none := options(nil)
	none.Policy = nil
	if b, err := record.OpenOptions(signed(t, serverKey, record.TypePolicy, none), trust()); err != nil || b.Values != nil {
		t.Errorf("no policy assigned: %v", err)
	}
}

// TestFirstOptions: a device that has taken none yet has no version to hold the
// first against; what cannot be is refused all the same. To see a case fail,
// leave its check out of openOptions.
func TestFirstOptions(t *testing.T) {
	for want, change := range map[string]func(*record.Options){
		"have no version":          func(o *record.Options) { o.Version = 0 },
		"expire before they begin": func(o *record.Options) { o.Expires = o.At },
		"policy has no id":         func(o *record.Options) { o.Policy.Version = 0 },
	} {
		o := options(tight())
		change(&o)
		fresh := trust()
		fresh.Version, fresh.Policies = 0, nil
		if _, err := record.OpenOptions(signed(t, serverKey, record.TypePolicy, o), fresh); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestRelease: what can allow without a question counts under the release key
// alone, and what it says counts as a whole. To see it fail, leave the call of
// vouched out of openOptions, or one of the two loops out of vouched.
func TestRelease(t *testing.T) {
	vouch := func(o record.Options, k ed25519.PrivateKey, change func(*record.Release)) record.Options {
		r := release(slices.Clone(o.Policy.Settings))
		if change != nil {
			change(&r)
		}
		o.Policy.Release = signed(t, k, record.TypeRelease, r)
		return o
	}
	incoming := func(enforced bool) record.Options {
		o := options(tight())
		o.Incoming, o.IncomingEnforced = consent.IncomingAll, enforced
		return o
	}
	// What the release key signed, and what the server sends of it.
	whole := []policy.Setting{setting(policy.Reporting, `"on"`, true), setting(policy.Insights, `"on"`, true),
		setting(policy.AccessControl, `"after-confirmation"`, true), setting(policy.RecordGroups, `["windows"]`, true)}
	of := func(set []policy.Setting) record.Options {
		o := options(set)
		o.Incoming, o.IncomingEnforced = consent.IncomingPolicy, true
		r := release(whole)
		r.Incoming, r.IncomingEnforced = o.Incoming, true
		o.Policy.Release = signed(t, releaseKey, record.TypeRelease, r)
		return o
	}
	softer := slices.Clone(whole)
	softer[2].Enforce = false
	own, nobody := trust(), trust()
	own.ReleaseKey, nobody.ReleaseKey = own.ServerKey, nil
	for name, c := range map[string]struct {
		o    record.Options
		by   record.Trust
		want string
	}{
		"tightens, no release":               {options(tight()), trust(), ""},
		"tightens, nobody may release":       {options(tight()), nobody, ""},
		"released":                           {vouch(options(loose()), releaseKey, nil), trust(), ""},
		"the server's own key is enough":     {options(loose()), own, ""},
		"the server's own key, incoming":     {incoming(true), own, ""},
		"not released":                       {options(loose()), trust(), "needs the company's release key"},
		"nobody may release":                 {vouch(options(loose()), releaseKey, nil), nobody, "needs the company's release key"},
		"released by the server":             {vouch(options(loose()), serverKey, nil), trust(), "unknown key"},
		"released by a stranger":             {vouch(options(loose()), strangerKey, nil), trust(), "unknown key"},
		"another company's release":          {vouch(options(loose()), releaseKey, func(r *record.Release) { r.Company = "c2" }), trust(), "another policy"},
		"another policy's release":           {vouch(options(loose()), releaseKey, func(r *record.Release) { r.Policy = "p2" }), trust(), "another policy"},
		"another version's release":          {vouch(options(loose()), releaseKey, func(r *record.Release) { r.Version = 2 }), trust(), "another policy"},
		"release of other values":            {vouch(options(loose()), releaseKey, func(r *record.Release) { r.Settings = tight() }), trust(), "does not vouch for AccessControl = allowed"},
		"released as a default, sent as law": {vouch(options(loose()), releaseKey, func(r *record.Release) { r.Settings[0].Enforce = false }), trust(), "does not vouch"},
		"the whole of a release":             {of(whole), trust(), ""},
		"more than a release, stricter":      {of(append(slices.Clone(whole), setting(policy.QuestionSeconds, `60`, false))), trust(), ""},
		"the strict half of a release lost":  {of(whole[:2]), trust(), "the release says AccessControl = after-confirmation, and they do not"},
		"one value of a release lost":        {of(whole[:3]), trust(), "the release says RecordGroups = windows"},
		"a law of the release as a default":  {of(softer), trust(), "the release says AccessControl"},
		"release of an invalid value": {vouch(options(loose()), releaseKey, func(r *record.Release) {
			r.Settings = append(r.Settings, setting("Colour", `"red"`, false))
		}), trust(), "is not a key"},
		"incoming, not released":             {incoming(false), trust(), "incoming recording can allow"},
		"incoming, release says off":         {vouch(incoming(false), releaseKey, nil), trust(), "does not vouch for incoming"},
		"incoming, released":                 {vouch(incoming(false), releaseKey, func(r *record.Release) { r.Incoming = consent.IncomingAll }), trust(), ""},
		"incoming enforced, not released so": {vouch(incoming(true), releaseKey, func(r *record.Release) { r.Incoming = consent.IncomingAll }), trust(), "does not vouch for incoming"},
	} {
		b, err := record.OpenOptions(signed(t, serverKey, record.TypePolicy, c.o), c.by)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, not %s", name, err, c.want)
		case c.want == "" && name == "released" && !b.Until.Equal(optionsAt.Add(24*time.Hour)):
			t.Errorf("%s: it outlives its release: %s", name, b.Until)
		}
	}
}

// FuzzOpenOptions: what is taken was signed by the pinned key for this device,
// is not older than what was taken before, is a valid policy, and lets nothing
// happen unasked that nobody vouched for. The fuzzer's bytes are a bundle's body
// (signed rightly) or a whole envelope. To see it fail, leave out the look at
// t.Policies in openOptions and fuzz for a minute.
func FuzzOpenOptions(f *testing.F) {
	for _, set := range [][]policy.Setting{tight(), loose(), nil} {
		raw, err := json.Marshal(options(set))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, false)
		f.Add(signed(f, serverKey, record.TypePolicy, options(set)), true)
	}
	o := options(loose())
	o.Policy.Release = signed(f, releaseKey, record.TypeRelease, release(loose()))
	raw, _ := json.Marshal(o)
	f.Add(raw, false)
	part := append(loose(), setting(policy.RecordGroups, `["windows"]`, true))
	o.Policy.Release = signed(f, releaseKey, record.TypeRelease, release(part))
	raw, _ = json.Marshal(o)
	f.Add(raw, false) // the server left out what the release says besides
	f.Add([]byte(fmt.Sprintf(`{"v":1,"company":"c1","device":"d1","version":%d}`, 1<<62)), false)
	f.Fuzz(func(t *testing.T, raw []byte, whole bool) {
		envelope := raw
		if !whole {
			var err error
			if envelope, err = json.Marshal(record.Envelope{PayloadType: record.TypePolicy, Payload: raw, Signatures: []record.Signature{{
				KeyID: record.KeyID(public(serverKey)), Sig: ed25519.Sign(serverKey, record.PAE(record.TypePolicy, raw))}}}); err != nil {
				t.Fatal(err)
			}
		}
		by := trust()
		b, err := record.OpenOptions(envelope, by)
		if err != nil {
			if b.Version != 0 || b.Values != nil || b.Policy != nil {
				t.Fatal("a refused bundle says something")
			}
			return
		}
		if b.Company != by.Company || b.Device != by.Device || b.Version < by.Version || b.Until.After(b.Expires) {
			t.Fatalf("%+v", b.Options)
		}
		if b.Policy != nil && b.Policy.Version < by.Policies[b.Policy.ID] {
			t.Fatalf("policy %s is rolled back", b.Policy)
		}
		if e := policy.Merge([]policy.Layer{{Values: b.Values}}); len(e.Problems) > 0 {
			t.Fatal(e.Problems)
		}
		if loose := policy.Loosens(b.Values); len(loose) > 0 || b.Incoming != consent.IncomingOff {
			_, values, err := record.OpenRelease(b.Policy.Release, by.ReleaseKey)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range loose {
				if !policy.Vouched(v, values) {
					t.Fatalf("%s = %s was not vouched for", v.Name, v)
				}
			}
			for _, v := range values {
				if !policy.Vouched(v, b.Values) {
					t.Fatalf("%s = %s of the release was left out", v.Name, v)
				}
			}
		}
	})
}

// TestReceiptNamesWhoMayRelease: every receipt says so where the server's own
// key is enough, and names a policy of the server.
func TestReceiptNamesWhoMayRelease(t *testing.T) {
	for _, mayRelease := range []bool{false, true} {
		d := decidedBy(asks())
		d.ServerReleases, d.PolicySHA256, d.PolicyOrigin = mayRelease, "", "server:Offices version 3"
		d.Outcome, d.Ending, d.Asked = consent.OutcomeRefused, consent.EndingAnsweredNo, question(true)
		r, err := record.NewReceipt(fixedPub, fixed(t, record.TypeRefusal, record.Refusal{Head: headOf("01REFUSAL"), Decided: d}))
		if err != nil {
			t.Fatal(err)
		}
		page := strings.Join(strings.Fields(r.Page(assets.For("en"))), " ")
		if got := strings.Contains(page, "Example Company's server may by itself send values that allow recording without a question"); got != mayRelease {
			t.Errorf("may release %v, page says %v:\n%s", mayRelease, got, page)
		}
		if !strings.Contains(page, "Policy: server:Offices version 3, signed by the company's server, options version 3") {
			t.Errorf("the policy is not named:\n%s", page)
		}
	}
}
