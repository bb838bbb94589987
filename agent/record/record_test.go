package record_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/record"
)

var (
	pub, key, _ = ed25519.GenerateKey(nil)
	now         = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
)

func goodGrant() record.Grant {
	return record.Grant{
		Head: record.Head{V: 1, ID: "01JD", At: now, Company: "co", Device: "dev", Session: "x11vnc/1"},
		Decided: record.Decided{Outcome: consent.OutcomeAllowed, Ending: consent.EndingAnsweredYes, Provenance: consent.P0,
			Decision: consent.Decision{Verdict: consent.Ask, Reason: consent.ReasonMustConfirm},
			Asked:    &record.Asked{AskedAt: now, ShownAt: now, EndedAt: now, Rung: "window", Offered: event.Groups}},
		Basis: consent.BasisConsent, Groups: []event.Group{event.Windows},
		NotBefore: now, Expires: now.Add(time.Hour), Engine: "rules", RetentionDays: 90,
	}
}

func sign(t testing.TB, typ record.Type, body any) []byte {
	t.Helper()
	raw, err := record.Sign(key, typ, body)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestGrantIsACapabilityWithinItsTime(t *testing.T) {
	raw := sign(t, record.TypeGrant, goodGrant())
	for _, c := range []struct {
		at time.Time
		ok bool
	}{{now.Add(-time.Nanosecond), false}, {now, true}, {now.Add(time.Hour - 1), true}, {now.Add(time.Hour), false}} {
		v, err := record.VerifyGrant(raw, record.OneKey(pub), c.at)
		if (err == nil) != c.ok {
			t.Fatalf("at %s: %v", c.at, err)
		}
		if v.Valid(c.at) != c.ok {
			t.Fatalf("at %s: valid %v", c.at, !c.ok)
		}
		if !c.ok {
			continue
		}
		if !v.Covers(event.WindowFocused, c.at) || v.Covers(event.ChatMessage, c.at) || v.Covers("no-such-kind", c.at) ||
			!v.Covers(event.Gap, c.at) || v.Covers(event.WindowFocused, now.Add(2*time.Hour)) {
			t.Fatal("the scope is wrong")
		}
		if !bytes.Equal(v.Raw(), raw) || v.Grant().ID != "01JD" {
			t.Fatal("the grant is another")
		}
	}
	if (record.Verified{}).Valid(now) || (record.Verified{}).Covers(event.Gap, now) {
		t.Fatal("nothing is a grant")
	}
}

// TestGrantsThatNoAgentMakesAreRefused is signed with the right key each time.
func TestGrantsThatNoAgentMakesAreRefused(t *testing.T) {
	for what, change := range map[string]func(*record.Grant){
		"version":                          func(g *record.Grant) { g.V = 2 },
		"no id":                            func(g *record.Grant) { g.ID = "" },
		"no company":                       func(g *record.Grant) { g.Company = "" },
		"no device":                        func(g *record.Grant) { g.Device = "" },
		"no session":                       func(g *record.Grant) { g.Session = "" },
		"ends before it begins":            func(g *record.Grant) { g.Expires = g.NotBefore },
		"longer than 8 hours":              func(g *record.Grant) { g.Expires = g.NotBefore.Add(record.MaxGrantAge + 1) },
		"injected":                         func(g *record.Grant) { g.Provenance = consent.PX },
		"refused":                          func(g *record.Grant) { g.Outcome = consent.OutcomeRefused },
		"asking":                           func(g *record.Grant) { g.Outcome = consent.OutcomeAsking },
		"no basis":                         func(g *record.Grant) { g.Basis = "" },
		"a basis of its own":               func(g *record.Grant) { g.Basis = "trust" },
		"consent without a question":       func(g *record.Grant) { g.Asked = nil },
		"consent after no answer":          func(g *record.Grant) { g.Ending = consent.EndingTimedOut },
		"consent where nothing was to ask": func(g *record.Grant) { g.Decision.Verdict = consent.Allow },
		"policy that was not decided":      func(g *record.Grant) { g.Basis = consent.BasisPolicy },
		"setting against the decision": func(g *record.Grant) {
			g.Basis, g.Decision = consent.BasisStandingSetting, consent.Decision{Verdict: consent.Allow, Basis: consent.BasisPolicy}
		},
		"denied": func(g *record.Grant) {
			g.Basis, g.Decision = consent.BasisPolicy, consent.Decision{Verdict: consent.Deny, Basis: consent.BasisPolicy}
		},
		"no group":      func(g *record.Grant) { g.Groups = nil },
		"unknown group": func(g *record.Grant) { g.Groups = []event.Group{"keys"} },
	} {
		g := goodGrant()
		change(&g)
		if _, err := record.VerifyGrant(sign(t, record.TypeGrant, g), record.OneKey(pub), now); err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
	g := goodGrant()
	g.Basis, g.Asked, g.Ending = consent.BasisPolicy, nil, ""
	g.Decision = consent.Decision{Verdict: consent.Allow, Basis: consent.BasisPolicy, Reason: consent.ReasonAllowedByPolicy, Notice: true}
	if _, err := record.VerifyGrant(sign(t, record.TypeGrant, g), record.OneKey(pub), now); err != nil {
		t.Errorf("a policy's grant: %v", err)
	}
}

func TestEnvelopesThatAreRefused(t *testing.T) {
	raw := sign(t, record.TypeGrant, goodGrant())
	otherPub, otherKey, _ := ed25519.GenerateKey(nil)
	other, err := record.Sign(otherKey, record.TypeGrant, goodGrant())
	if err != nil {
		t.Fatal(err)
	}
	var env record.Envelope
	if err := json.Unmarshal(raw, &env); err != nil {
		t.Fatal(err)
	}
	edit := func(f func(*record.Envelope)) []byte {
		e := env
		e.Signatures = append([]record.Signature(nil), env.Signatures...)
		f(&e)
		out, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for what, c := range map[string]struct {
		raw  []byte
		want error
	}{
		"nothing":                {nil, record.ErrMalformed},
		"not JSON":               {[]byte("grant"), record.ErrMalformed},
		"more behind it":         {append(bytes.Clone(raw), raw...), record.ErrMalformed},
		"a further name":         {bytes.Replace(raw, []byte("{"), []byte(`{"x":1,`), 1), record.ErrMalformed},
		"too long":               {append(bytes.Clone(raw), bytes.Repeat([]byte(" "), record.MaxEnvelope)...), record.ErrMalformed},
		"no signature":           {edit(func(e *record.Envelope) { e.Signatures = nil }), record.ErrMalformed},
		"too many signatures":    {edit(func(e *record.Envelope) { e.Signatures = make([]record.Signature, 9) }), record.ErrMalformed},
		"unknown key":            {other, record.ErrUnknownKey},
		"under another's name":   {edit(func(e *record.Envelope) { e.Signatures[0].KeyID = record.KeyID(otherPub) }), record.ErrUnknownKey},
		"another type":           {edit(func(e *record.Envelope) { e.PayloadType = record.TypeRefusal }), record.ErrSignature},
		"another payload":        {edit(func(e *record.Envelope) { e.Payload = append(bytes.Clone(e.Payload), ' ') }), record.ErrSignature},
		"a signature cut":        {edit(func(e *record.Envelope) { e.Signatures[0].Sig = e.Signatures[0].Sig[:63] }), record.ErrSignature},
		"a refusal as a grant":   {sign(t, record.TypeRefusal, goodGrant()), record.ErrWrongType},
		"a grant of other names": {sign(t, record.TypeGrant, map[string]any{"v": 1, "who": "me"}), record.ErrMalformed},
	} {
		if _, _, err := record.OpenGrant(c.raw, record.OneKey(pub)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for i := range env.Payload {
		bad := edit(func(e *record.Envelope) { e.Payload = bytes.Clone(e.Payload); e.Payload[i] ^= 1 })
		if _, _, err := record.OpenGrant(bad, record.OneKey(pub)); !errors.Is(err, record.ErrSignature) {
			t.Fatalf("byte %d of the payload changed: %v", i, err)
		}
	}
	// A second signature does no harm, a bad one before the good one neither.
	two := edit(func(e *record.Envelope) {
		e.Signatures = []record.Signature{{KeyID: "x", Sig: []byte("y")}, {KeyID: e.Signatures[0].KeyID, Sig: make([]byte, 64)}, e.Signatures[0]}
	})
	if _, _, err := record.OpenGrant(two, record.OneKey(pub)); err != nil {
		t.Fatal(err)
	}
}

// TestPAE compares with the example of the DSSE specification
// (github.com/secure-systems-lab/dsse, protocol.md).
func TestPAE(t *testing.T) {
	got := string(record.PAE("http://example.com/HelloWorld", []byte("hello world")))
	if got != "DSSEv1 29 http://example.com/HelloWorld 11 hello world" {
		t.Fatal(got)
	}
}

func FuzzOpen(f *testing.F) {
	raw := sign(f, record.TypeGrant, goodGrant())
	f.Add(raw)
	f.Add([]byte(`{"payloadType":"x","payload":"","signatures":[{"keyid":"","sig":""}]}`))
	f.Add([]byte(strings.Repeat("[", 1000)))
	var good record.Envelope
	if err := json.Unmarshal(raw, &good); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		typ, payload, keyID, err := record.Open(in, record.OneKey(pub))
		if err != nil {
			return
		}
		// Nobody but the key's holder can make anything that opens.
		if typ != record.TypeGrant || keyID != record.KeyID(pub) || !bytes.Equal(payload, good.Payload) {
			t.Fatalf("%s opened as %s: %s", base64.StdEncoding.EncodeToString(in), typ, payload)
		}
	})
}
