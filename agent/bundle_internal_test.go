package agent

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/policy"
	"aval/agent/record"
	"aval/agent/store"
	"aval/agent/uplink"
)

// The keys of a company and of a stranger.
var (
	companyKey  = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))
	releaseKey  = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, 32))
	strangerKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{3}, 32))
)

func pub(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

func sign(t *testing.T, k ed25519.PrivateKey, typ record.Type, body any) []byte {
	t.Helper()
	env, err := record.Sign(k, typ, body)
	if err != nil {
		t.Fatal(err)
	}
	return env
}

// bundle is a good bundle: version 5, with a policy that denies and may not be
// overruled.
func bundle() record.Options {
	now := time.Now().UTC()
	return record.Options{V: 1, Company: "c1", Device: "d1", Version: 5, At: now, Expires: now.Add(record.OptionsLife),
		CompanyName: "Example Support", Outgoing: consent.OutgoingAll, Incoming: consent.IncomingOff, LogSessions: true, Engine: "rules", RetentionDays: 90,
		Policy: &record.Assigned{ID: "p1", Name: "Offices", Version: 2, Settings: []policy.Setting{
			{Key: policy.AccessControl, Value: json.RawMessage(`"denied"`), Enforce: true}}}}
}

// enrolled is an agent that has taken bundle() and nothing else, without its loop.
func enrolled(t *testing.T, dir string) (*Agent, *company) {
	t.Helper()
	st, err := store.Open(dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	a := &Agent{log: slog.New(slog.DiscardHandler), store: st, key: st.DeviceKey(), loop: make(chan func(), 100), ctx: t.Context(),
		desktops: map[string]*desktop{}, sessions: map[string]*live{}}
	a.company = &company{Enrolment: uplink.Enrolment{Company: "c1", Device: "d1", ServerKey: pub(companyKey), ReleaseKey: pub(releaseKey)}}
	return a, a.company
}

// decides is what the policy in force comes to for somebody who has not chosen.
func (a *Agent) decides() consent.Decision {
	in := consent.Input{Direction: consent.Outgoing, Outgoing: consent.OutgoingOff, Incoming: consent.IncomingOff, Local: consent.AccessUnset, Desktop: consent.DesktopAvailable}
	a.company.fill(&in, time.Now())
	a.policyNow().Effective.Fill(&in)
	return consent.Decide(in)
}

// mutants are bundles that must change nothing, by what is wrong with them. Each
// would let the person be asked, or record without asking, if it were taken.
func mutants(t *testing.T, first []byte) map[string][]byte {
	all := map[string][]byte{}
	body := func(name string, change func(*record.Options)) {
		b := bundle()
		b.Version, b.Policy.Version = 6, 3
		b.Policy.Settings[0].Value = json.RawMessage(`"after-confirmation"`)
		change(&b)
		all[name] = sign(t, companyKey, record.TypePolicy, b)
	}
	good := bundle()
	good.Version, good.Policy = 6, nil
	envelope := sign(t, companyKey, record.TypePolicy, good)

	// For somebody else, or by somebody else.
	body("another company's", func(o *record.Options) { o.Company = "c2" })
	body("another device's", func(o *record.Options) { o.Device = "d2" })
	body("no company", func(o *record.Options) { o.Company = "" })
	all["signed by a stranger"] = sign(t, strangerKey, record.TypePolicy, good)
	all["signed by this device"] = sign(t, releaseKey, record.TypePolicy, good)
	all["signed as a grant"] = sign(t, companyKey, record.TypeGrant, good)
	all["signed as a release"] = sign(t, companyKey, record.TypeRelease, good)

	// Rolled back, or played again with other content.
	body("an older version", func(o *record.Options) { o.Version = 4 })
	body("version 0", func(o *record.Options) { o.Version = 0 })
	body("a negative version", func(o *record.Options) { o.Version = -1 })
	body("the same version, other content", func(o *record.Options) { o.Version = 5 })
	body("a newer version, an older policy", func(o *record.Options) { o.Policy.Version = 1 })

	// Expired, or with times that cannot be.
	body("expired", func(o *record.Options) { o.At, o.Expires = o.At.Add(-40*24*time.Hour), o.At.Add(-time.Second) })
	body("expires before it begins", func(o *record.Options) { o.Expires = o.At.Add(-time.Second) })
	body("without an expiry", func(o *record.Options) { o.Expires = time.Time{} })

	// Loosened without the release key.
	loose := func(o *record.Options) { o.Policy.Settings[0].Value = json.RawMessage(`"allowed"`) }
	release := func(k ed25519.PrivateKey, change func(*record.Release)) func(*record.Options) {
		return func(o *record.Options) {
			loose(o)
			r := record.Release{V: 1, Company: "c1", Policy: "p1", Name: "Offices", Version: o.Policy.Version, At: o.At, Expires: o.Expires, Settings: o.Policy.Settings}
			change(&r)
			o.Policy.Release = sign(t, k, record.TypeRelease, r)
		}
	}
	body("allows, not released", loose)
	body("incoming, not released", func(o *record.Options) { o.Incoming = consent.IncomingAll })
	body("accepts unproven answers, not released", func(o *record.Options) {
		o.Policy.Settings = append(o.Policy.Settings, policy.Setting{Key: policy.AcceptUnproven, Value: json.RawMessage(`"on"`)})
	})
	body("allows for minutes, not released", func(o *record.Options) {
		o.Policy.Settings = append(o.Policy.Settings, policy.Setting{Key: policy.AllowMinutes, Value: json.RawMessage(`60`)})
	})
	body("released by the server", release(companyKey, func(*record.Release) {}))
	body("released by a stranger", release(strangerKey, func(*record.Release) {}))
	body("another policy's release", release(releaseKey, func(r *record.Release) { r.Policy = "p2" }))
	body("an older release", release(releaseKey, func(r *record.Release) { r.Version = 2 }))
	body("another company's release", release(releaseKey, func(r *record.Release) { r.Company = "c2" }))
	body("an expired release", release(releaseKey, func(r *record.Release) { r.At, r.Expires = r.At.Add(-time.Hour), r.At.Add(-time.Second) }))
	body("a damaged release", func(o *record.Options) {
		release(releaseKey, func(*record.Release) {})(o)
		o.Policy.Release[len(o.Policy.Release)/2] ^= 1
	})

	// Not wholly valid.
	body("an unknown key", func(o *record.Options) { o.Policy.Settings[0].Key = "AccessCtrl" })
	body("a key in another case", func(o *record.Options) { o.Policy.Settings[0].Key = "accesscontrol" })
	body("an unknown value", func(o *record.Options) { o.Policy.Settings[0].Value = json.RawMessage(`"maybe"`) })
	body("a value of another type", func(o *record.Options) { o.Policy.Settings[0].Value = json.RawMessage(`1`) })
	body("a key twice", func(o *record.Options) { o.Policy.Settings = append(o.Policy.Settings, o.Policy.Settings[0]) })
	body("a policy without a version", func(o *record.Options) { o.Policy.Version = 0 })
	body("a policy without an id", func(o *record.Options) { o.Policy.ID = "" })
	body("another format", func(o *record.Options) { o.V = 2 })
	body("an unknown option", func(o *record.Options) { o.Outgoing = "everything" })

	// Damaged on the way.
	flip := func(raw []byte, at int) []byte { raw = bytes.Clone(raw); raw[at] ^= 1; return raw }
	all["empty"] = nil
	all["not JSON"] = []byte("policy")
	all["cut in half"] = envelope[:len(envelope)/2]
	all["with a byte more"] = append(bytes.Clone(envelope), 'x')
	all["twice"] = append(bytes.Clone(envelope), envelope...)
	all["a flipped bit in the body"] = flip(envelope, bytes.Index(envelope, []byte(`"payload":"`))+20)
	all["a flipped bit in the signature"] = flip(envelope, bytes.Index(envelope, []byte(`"sig":"`))+12)
	all["a flipped bit in the key's name"] = flip(envelope, bytes.Index(envelope, []byte(`"keyid":"`))+12)
	all["longer than a record may be"] = append(bytes.Clone(envelope), bytes.Repeat([]byte{' '}, record.MaxEnvelope)...)
	all["unsigned"] = unsigned(t, envelope)
	all["the body of one, the signature of another"] = spliced(t, envelope, first)
	return all
}

func unsigned(t *testing.T, raw []byte) []byte {
	var e record.Envelope
	if err := json.Unmarshal(raw, &e); err != nil {
		t.Fatal(err)
	}
	e.Signatures = nil
	out, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func spliced(t *testing.T, body, signature []byte) []byte {
	var b, s record.Envelope
	if json.Unmarshal(body, &b) != nil || json.Unmarshal(signature, &s) != nil {
		t.Fatal("envelopes cannot be read")
	}
	b.Signatures = s.Signatures
	out, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestMutatedBundlesChangeNothing gives an agent each mutated bundle in turn: the
// decision, the options on disk and what is remembered stay as they were, and the
// refusal is reported. The same bundle without its fault is taken. To see it
// fail, leave any one check out of record.openOptions (but those that only a
// device without options can show: record's TestFirstOptions), or the expiry out
// of takeOptions.
func TestMutatedBundlesChangeNothing(t *testing.T) {
	a, c := enrolled(t, t.TempDir())
	first := sign(t, companyKey, record.TypePolicy, bundle())
	a.takeOptions(c, first)
	want := consent.Decision{Verdict: consent.Deny, Reason: consent.ReasonDeniedByPolicy}
	if got := a.decides(); got != want {
		t.Fatalf("the good bundle: %+v, %s", got, c.refused.why)
	}
	all := mutants(t, first)
	if len(all) < 40 {
		t.Fatalf("only %d mutants", len(all))
	}
	for name, raw := range all {
		c.refused = refused{}
		a.takeOptions(c, raw)
		if got := a.decides(); got != want {
			t.Errorf("%s: %+v", name, got)
		}
		kept, err := a.store.Doc(docOptions)
		if err != nil || !bytes.Equal(kept, first) || !bytes.Equal(c.raw, first) || c.seen.Version != 5 || c.seen.Policies["p1"] != 2 {
			t.Errorf("%s: something was kept: %v, %+v", name, err, c.seen)
		}
		if s := a.policyShow(); s.Server == nil || s.Server.Refused == "" || s.Server.RefusedAt.IsZero() || s.Server.Version != 5 {
			t.Errorf("%s: not reported: %+v", name, s.Server)
		}
	}
	if len(a.notes) == 0 || !strings.Contains(a.notes[0], "were refused and change nothing") {
		t.Errorf("status does not say it: %q", a.notes)
	}
	// Without a fault it is taken; so is the one that is released.
	b := bundle()
	b.Version, b.Policy.Version, b.Policy.Settings[0].Value = 6, 3, json.RawMessage(`"after-confirmation"`)
	a.takeOptions(c, sign(t, companyKey, record.TypePolicy, b))
	if got := a.decides(); got.Verdict != consent.Ask {
		t.Errorf("the unmutated one: %+v, %s", got, c.refused.why)
	}
	b.Version, b.Policy.Version, b.Policy.Settings[0].Value = 7, 4, json.RawMessage(`"allowed"`)
	b.Policy.Release = sign(t, releaseKey, record.TypeRelease, record.Release{V: 1, Company: "c1", Policy: "p1", Version: 4,
		At: b.At, Expires: b.Expires, Settings: b.Policy.Settings})
	a.takeOptions(c, sign(t, companyKey, record.TypePolicy, b))
	if got := a.decides(); got.Verdict != consent.Allow || got.Basis != consent.BasisEnforcedPolicy {
		t.Errorf("the released one: %+v, %s", got, c.refused.why)
	}
}

// TestOptionsOutliveARestart, their loss, and their expiry: what was taken counts
// until it expires, losing it denies, and the older one does not come back.
func TestOptionsOutliveARestart(t *testing.T) {
	dir := t.TempDir()
	a, c := enrolled(t, dir)
	first := sign(t, companyKey, record.TypePolicy, bundle())
	a.takeOptions(c, first)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	again := func() {
		t.Helper()
		must(a.store.Close())
		a, c = enrolled(t, dir)
		must(a.loadOptions(c))
	}
	again()
	if got := a.decides(); got.Reason != consent.ReasonDeniedByPolicy || c.seen.Version != 5 {
		t.Fatalf("after a restart: %+v, %+v", got, c.seen)
	}
	must(a.store.PutDoc(docOptions, []byte("damaged")))
	again()
	if s := a.policyNow(); s.Effective.State != consent.PolicyUnreadable || len(a.notes) == 0 {
		t.Fatalf("damaged: %s, %q", s.Effective.State, a.notes)
	}
	old := bundle()
	old.Version, old.Policy = 4, nil
	a.takeOptions(c, sign(t, companyKey, record.TypePolicy, old))
	if s := a.policyNow(); s.Effective.State != consent.PolicyUnreadable {
		t.Fatal("an older bundle came back after the loss of the newer one")
	}
	a.takeOptions(c, first)
	if got := a.decides(); got.Reason != consent.ReasonDeniedByPolicy {
		t.Fatalf("the server sent it again: %+v, %s", got, c.refused.why)
	}
	// Old but not expired, then expired.
	c.options.At = time.Now().Add(-renewed - time.Hour)
	if s := a.policyNow(); s.Effective.State != consent.PolicyStale || a.decides().Reason != consent.ReasonDeniedByPolicy {
		t.Errorf("not renewed for long: %s", s.Effective.State)
	}
	c.options.Until = time.Now().Add(-time.Second)
	if s := a.policyNow(); s.Effective.State != consent.PolicyUnreadable || s.Err == nil {
		t.Errorf("expired: %s", s.Effective.State)
	}
	if got := a.decides(); got.Verdict == consent.Ask || got.Verdict == consent.Allow {
		t.Errorf("expired: %+v", got)
	}
}

// TestNewestAfterACrash: the service ended after it kept options and before it
// noted how new they are; an older version is refused all the same. To plant the
// bug, leave after(b) out of loadOptions.
func TestNewestAfterACrash(t *testing.T) {
	a, c := enrolled(t, t.TempDir())
	newest := bundle()
	newest.Version = 7
	if err := a.store.PutDoc(docOptions, sign(t, companyKey, record.TypePolicy, newest)); err != nil {
		t.Fatal(err)
	}
	if err := a.loadOptions(c); err != nil || c.options.Version != 7 {
		t.Fatalf("version %d, %v", c.options.Version, err)
	}
	older := bundle()
	older.Version = 6
	a.takeOptions(c, sign(t, companyKey, record.TypePolicy, older))
	if c.options.Version != 7 || !strings.Contains(c.refused.why, "older") {
		t.Errorf("version %d, refused: %q", c.options.Version, c.refused.why)
	}
}

// TestNoPolicyIsForgotten: however many policies a server assigns one after the
// other, an older version of one that it assigned before does not come back; when
// no more can be remembered, further ones are refused, and the person is told what
// to do. To plant the bug, let after empty its memory when it is full.
func TestNoPolicyIsForgotten(t *testing.T) {
	a, c := enrolled(t, t.TempDir())
	a.takeOptions(c, sign(t, companyKey, record.TypePolicy, bundle()))
	o := bundle()
	o.Policy.Version = 1
	for i := 1; i < maxSeen; i++ {
		o.Version, o.Policy.ID = int64(5+i), fmt.Sprintf("x%d", i)
		c.refused = refused{}
		a.takeOptions(c, sign(t, companyKey, record.TypePolicy, o))
		if c.refused.why != "" {
			t.Fatalf("policy %d: %s", i, c.refused.why)
		}
	}
	full := c.options.Version
	for _, id := range []string{"one more", "p1"} { // p1 was at version 2
		o.Version, o.Policy.ID = full+1, id
		c.refused = refused{}
		a.takeOptions(c, sign(t, companyKey, record.TypePolicy, o))
		if c.options.Version != full || c.refused.why == "" {
			t.Errorf("%s was taken", id)
		}
		if id == "one more" && !strings.Contains(c.refused.why, "enrol it again") {
			t.Errorf("%s: %s", id, c.refused.why)
		}
	}
	o.Policy.ID, o.Policy.Version = "p1", 3 // what is known already may go on
	a.takeOptions(c, sign(t, companyKey, record.TypePolicy, o))
	if c.options.Version != full+1 {
		t.Errorf("a newer version of a known policy: %s", c.refused.why)
	}
}

// TestCompanyNameStays: the company's name comes with its options, and is the same
// after a restart. To plant the bug, leave it out of have.
func TestCompanyNameStays(t *testing.T) {
	dir := t.TempDir()
	a, c := enrolled(t, dir)
	c.CompanyName = "As it was at enrolment"
	o := bundle()
	o.CompanyName = "As it is now"
	a.takeOptions(c, sign(t, companyKey, record.TypePolicy, o))
	if c.CompanyName != o.CompanyName {
		t.Fatalf("taken: %s", c.CompanyName)
	}
	if err := a.store.Close(); err != nil {
		t.Fatal(err)
	}
	a, c = enrolled(t, dir)
	c.CompanyName = "As it was at enrolment"
	if err := a.loadOptions(c); err != nil || c.CompanyName != o.CompanyName {
		t.Errorf("after a restart: %s, %v", c.CompanyName, err)
	}
}
