package record_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/record"
	"aval/assets"
)

var update = flag.Bool("update", false, "write the golden receipts anew")

// A key that is always the same: Ed25519 signs without chance (RFC 8032), so
// golden receipts hold for every run.
var (
	fixedKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	fixedPub = fixedKey.Public().(ed25519.PublicKey)
)

func fixed(t testing.TB, typ record.Type, body any) []byte {
	t.Helper()
	raw, err := record.Sign(fixedKey, typ, body)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func decidedBy(in consent.Input) record.Decided {
	return record.Decided{Tool: "x11vnc", Supporter: "Example Support", CompanyName: "Example Company", Direction: in.Direction, Input: in,
		Decision: consent.Decide(in), PolicyOrigin: "file:/etc/aval/policies/managed/a.json", PolicySHA256: strings.Repeat("ab", 32), PolicyVersion: 3,
		Subject: "5e1f", Desktop: ":10", SessionStartedAt: now, AgentVersion: "0.1.0"}
}

func asks() consent.Input {
	return consent.Input{Direction: consent.Outgoing, LogSessions: true, Outgoing: consent.OutgoingAll, Incoming: consent.IncomingOff,
		PolicyState: consent.PolicyFresh, Reporting: consent.SwitchUnset, Insights: consent.SwitchUnset,
		AccessControl: consent.AccessUnset, Local: consent.AccessUnset, Desktop: consent.DesktopAvailable}
}

func question(shown bool) *record.Asked {
	a := &record.Asked{AskedAt: now, EndedAt: now.Add(9 * time.Second), Offered: event.Groups}
	if shown {
		a.ShownAt, a.Rung, a.Locale, a.TextHash = now.Add(time.Second), "window", "pt-BR", strings.Repeat("cd", 32)
	}
	return a
}

func headOf(id string) record.Head {
	return record.Head{V: 1, ID: id, At: now.Add(10 * time.Second), Company: "01CO", Device: "01DEV", Session: "x11vnc/1"}
}

func grantOf(in consent.Input, basis consent.Basis) record.Grant {
	g := record.Grant{Head: headOf("01GRANT"), Decided: decidedBy(in), Basis: basis, Groups: event.Groups, NotBefore: now, Expires: now.Add(time.Hour),
		Engine: "rules", RetentionDays: 90, Notice: basis != consent.BasisConsent && basis != consent.BasisStandingSetting}
	g.Outcome = consent.OutcomeAllowed
	if basis == consent.BasisConsent {
		g.Ending, g.Provenance, g.Asked, g.Groups = consent.EndingAnsweredYes, consent.P0, question(true), event.Groups[:2]
	}
	return g
}

// examples are the records of every receipt there is.
func examples(t testing.TB) map[string][][]byte {
	with := func(f func(*consent.Input)) consent.Input { in := asks(); f(&in); return in }
	enforced := with(func(in *consent.Input) {
		in.AccessControl, in.AccessControlEnforced = consent.AccessAllowed, true
	})
	recommended := with(func(in *consent.Input) { in.AccessControl = consent.AccessAllowed })
	standing := with(func(in *consent.Input) { in.Local = consent.AccessAllowed })
	refusal := func(in consent.Input, out consent.Outcome, end consent.Ending, shown bool) []byte {
		d := decidedBy(in)
		d.Outcome, d.Ending = out, end
		if end != "" {
			d.Asked = question(shown)
		}
		if out == consent.OutcomeRefused {
			d.Provenance = consent.P0
		}
		if out == consent.OutcomeNoAnswer || out == consent.OutcomeCouldNotAsk {
			return fixed(t, record.TypeNoAnswer, record.NoAnswer{Head: headOf("01NOANSWER"), Decided: d})
		}
		return fixed(t, record.TypeRefusal, record.Refusal{Head: headOf("01REFUSAL"), Decided: d})
	}
	later := func(id string) record.Head { h := headOf(id); h.At = h.At.Add(time.Minute); return h }
	withdrawal := fixed(t, record.TypeWithdrawal, record.Withdrawal{Head: later("01WITHDRAWAL"), Grant: "01GRANT", LastSeq: 4, Erase: true, By: "person", Provenance: consent.P0})
	erasure := fixed(t, record.TypeErasure, record.Erasure{Head: later("01ERASURE"), Grant: "01GRANT", Copies: []consent.Copy{
		{Where: consent.CopyHere, Fate: consent.FateErased}, {Where: consent.CopyCompany, Company: "Example Company", Fate: consent.FateAsked}}})
	byHand := fixed(t, record.TypeWithdrawal, record.Withdrawal{Head: later("01WITHDRAWAL"), Grant: "01GRANT", LastSeq: 4, By: "person", Provenance: consent.P2, Test: true})
	byProgram := fixed(t, record.TypeObjection, record.Objection{Head: later("01OBJECTION"), Grant: "01GRANT", Provenance: consent.PX})
	objection := fixed(t, record.TypeObjection, record.Objection{Head: later("01OBJECTION"), Grant: "01GRANT", Provenance: consent.P0})
	sure := grantOf(asks(), consent.BasisConsent)
	sure.Provenance, sure.SupporterVerified = consent.P2, true
	lasting, further := sure, sure
	lasting.ForMinutes, lasting.SupporterID, lasting.Subject = 60, "ssh-key:SHA256:example", "subject"
	lasting.Asked = question(true)
	lasting.Asked.OfferedMinutes = 120
	further.ID, further.Answer, further.Ending, further.Asked = "01FURTHER", "01GRANT", consent.EndingEarlier, nil
	further.SupporterID, further.Subject = lasting.SupporterID, lasting.Subject
	one := func(raw ...[]byte) [][]byte { return raw }
	grant := func(in consent.Input, b consent.Basis) []byte { return fixed(t, record.TypeGrant, grantOf(in, b)) }
	return map[string][][]byte{
		"consent":          one(grant(asks(), consent.BasisConsent)),
		"consent-hardware": one(fixed(t, record.TypeGrant, sure)),
		"consent-lasting":  one(fixed(t, record.TypeGrant, lasting)),
		"consent-earlier":  one(fixed(t, record.TypeGrant, further)),
		"standing-setting": one(grant(standing, consent.BasisStandingSetting)),
		"policy":           one(grant(recommended, consent.BasisPolicy)),
		"enforced-policy":  one(grant(enforced, consent.BasisEnforcedPolicy)),
		"objected":         one(grant(enforced, consent.BasisEnforcedPolicy), objection),
		"withdrawn":        one(grant(asks(), consent.BasisConsent), withdrawal, erasure),
		"refused":          one(refusal(asks(), consent.OutcomeRefused, consent.EndingAnsweredNo, true)),
		"denied":           one(refusal(with(func(in *consent.Input) { in.Local = consent.AccessDenied }), consent.OutcomeDenied, "", false)),
		"not-requested":    one(refusal(with(func(in *consent.Input) { in.Outgoing = consent.OutgoingOff }), consent.OutcomeNotRequested, "", false)),
		"no-answer":        one(refusal(asks(), consent.OutcomeNoAnswer, consent.EndingTimedOut, true)),
		"could-not-ask":    one(refusal(asks(), consent.OutcomeCouldNotAsk, consent.EndingNotShown, false)),
		"withdrawn-hand":   one(grant(asks(), consent.BasisConsent), byHand),
		"objected-program": one(grant(enforced, consent.BasisEnforcedPolicy), byProgram),
		"withdrawal":       one(withdrawal),
		"objection":        one(objection),
		"erasure":          one(erasure),
	}
}

// TestReceipts compares every kind of receipt with what is expected, in JSON-LD
// and as a page in three languages, and checks each.
func TestReceipts(t *testing.T) {
	for name, records := range examples(t) {
		r, err := record.NewReceipt(fixedPub, records...)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		raw, err := r.JSON()
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name+".json", raw)
		for _, lang := range assets.Langs() {
			page := r.Page(assets.For(lang))
			if lang == "en" || lang == "pt-BR" || lang == "ja" { // one without spaces
				golden(t, name+"."+lang+".txt", []byte(page))
			}
			if strings.Contains(page, "[receipt.") || strings.Contains(page, "{") {
				t.Errorf("%s in %s lacks a text:\n%s", name, lang, page)
			}
		}
		for _, key := range []ed25519.PublicKey{nil, fixedPub} {
			got, err := record.OpenReceipt(raw, key)
			if err != nil || got.ID() != r.ID() || got.Outcome() != r.Outcome() || got.SHA256() != r.SHA256() || got.KeyID() != record.KeyID(fixedPub) {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if _, err := record.OpenReceipt(raw, pub); !errors.Is(err, record.ErrUnknownKey) {
			t.Errorf("%s: valid under a key that did not sign it: %v", name, err)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, raw); err != nil {
			t.Fatal(err)
		}
		if _, err := record.OpenReceipt(compact.Bytes(), nil); err != nil {
			t.Errorf("%s: not valid on one line: %v", name, err)
		}
		if _, err := record.OpenReceipt(bytes.ReplaceAll(raw, []byte("\n"), []byte("\r\n")), nil); err != nil {
			t.Errorf("%s: not valid with other line ends: %v", name, err)
		}
		about := map[record.Type]bool{record.TypeGrant: true, record.TypeRefusal: true, record.TypeNoAnswer: true}[r.Type()]
		if follows, known := r.Follows(); known != about || follows != about {
			t.Errorf("%s: follows %v, known %v", name, follows, known)
		}
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "receipts", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bytes.ReplaceAll(want, []byte("\r\n"), []byte("\n")), got) {
		t.Errorf("%s is not as expected (go test -update writes it anew; then read the difference):\n%s", name, got)
	}
}

// TestAPolicyIsNeverCalledConsent: where nobody's will was sought, no word of
// the vocabulary for consent stands in the receipt.
func TestAPolicyIsNeverCalledConsent(t *testing.T) {
	all := examples(t)
	for _, name := range []string{"policy", "enforced-policy", "objected", "objected-program", "not-requested"} {
		r, err := record.NewReceipt(fixedPub, all[name]...)
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := r.JSON()
		for _, word := range []string{"dpv:Consent", "dpv:hasConsentStatus", "ExplicitlyExpressedConsent", "dpv-27560:record"} {
			if bytes.Contains(raw, []byte(word)) {
				t.Errorf("%s says %s", name, word)
			}
		}
	}
	for _, name := range []string{"no-answer", "could-not-ask", "refused", "denied"} {
		r, _ := record.NewReceipt(fixedPub, all[name]...)
		raw, _ := r.JSON()
		silent := name == "no-answer" || name == "could-not-ask"
		if bytes.Contains(raw, []byte("dpv:ConsentGiven")) || silent == bytes.Contains(raw, []byte("dpv:ConsentRefused")) {
			t.Errorf("%s is told wrong: %s", name, raw)
		}
	}
	p0, _ := record.NewReceipt(fixedPub, all["consent"]...)
	raw, _ := p0.JSON()
	if !bytes.Contains(raw, []byte(`"aval:answeredBy": "unknown"`)) || bytes.Contains(raw, []byte("Explicitly")) || !strings.Contains(p0.Page(assets.For("en")), "Who answered: unknown.") {
		t.Errorf("P0 is called more than unknown: %s", raw)
	}
}

// TestEveryChangedByteIsRefused changes each byte of a receipt and of an
// envelope, which is tried in several ways. Spaces between tokens are no change, so both are
// without any. To see it fail, let sameJSON
// say true always.
func TestEveryChangedByteIsRefused(t *testing.T) {
	records := examples(t)["consent"]
	r, err := record.NewReceipt(fixedPub, records...)
	if err != nil {
		t.Fatal(err)
	}
	pretty, _ := r.JSON()
	var b bytes.Buffer
	if err := json.Compact(&b, pretty); err != nil {
		t.Fatal(err)
	}
	whole := b.Bytes()
	for i := range whole {
		bad := bytes.Clone(whole)
		bad[i] ^= []byte{1, 0x20, 0x80}[i%3]
		if _, err := record.OpenReceipt(bad, nil); err == nil {
			t.Fatalf("byte %d changed is accepted: %q", i, bad[max(0, i-20):min(len(bad), i+20)])
		}
	}
	for i := range records[0] {
		for _, x := range []byte{1, 2, 4, 8, 16, 0x20, 0x80} {
			bad := bytes.Clone(records[0])
			bad[i] ^= x
			if _, err := record.NewReceipt(fixedPub, bad); err == nil {
				t.Fatalf("byte %d of the envelope changed by %#x is accepted", i, x)
			}
		}
		if _, err := record.NewReceipt(fixedPub, records[0][:i]); err == nil {
			t.Fatalf("an envelope cut at %d is accepted", i)
		}
	}
}

// TestEveryChangedFieldIsRefused walks through a receipt as JSON: each value
// changed, each name removed, each list shortened, and a name added everywhere.
func TestEveryChangedFieldIsRefused(t *testing.T) {
	for name, records := range examples(t) {
		r, err := record.NewReceipt(fixedPub, records...)
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := r.JSON()
		var tree any
		if err := json.Unmarshal(raw, &tree); err != nil {
			t.Fatal(err)
		}
		n := 0
		refused := func(where string) {
			n++
			bad, err := json.Marshal(tree)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := record.OpenReceipt(bad, nil); err == nil {
				t.Errorf("%s: %s is accepted", name, where)
			}
		}
		change(tree, "", refused)
		if n < 50 {
			t.Errorf("%s: only %d changes were tried", name, n)
		}
	}
}

func change(v any, where string, refused func(string)) {
	switch x := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(x)) {
			old := x[k]
			delete(x, k)
			refused(where + "/" + k + " removed")
			x[k] = other(old)
			refused(where + "/" + k + " changed")
			x[k] = nil
			refused(where + "/" + k + " null")
			x[k] = old
			change(old, where+"/"+k, refused)
		}
		x["aval:more"] = true
		refused(where + " with a further name")
		delete(x, "aval:more")
	case []any:
		for i, old := range x {
			x[i] = other(old)
			refused(fmt.Sprintf("%s/%d changed", where, i))
			x[i] = old
			change(old, fmt.Sprintf("%s/%d", where, i), refused)
		}
	}
}

func other(v any) any {
	switch x := v.(type) {
	case string:
		return x + "x"
	case bool:
		return !x
	case float64:
		return x + 1
	case []any:
		return append(slices.Clone(x), "x")
	}
	return "x"
}

func TestReceiptsThatAreRefused(t *testing.T) {
	all := examples(t)
	grant, withdrawal := all["consent"][0], all["withdrawn"][1]
	elsewhere := headOf("01OTHER")
	elsewhere.Session = "x11vnc/2"
	other := fixed(t, record.TypeWithdrawal, record.Withdrawal{Head: elsewhere, Grant: "01GRANT", By: "person"})
	ofAnother := fixed(t, record.TypeWithdrawal, record.Withdrawal{Head: headOf("01OTHER"), Grant: "01ELSE", By: "person"})
	again := fixed(t, record.TypeWithdrawal, record.Withdrawal{Head: headOf("01AGAIN"), Grant: "01GRANT", By: "person"})
	bad := grantOf(asks(), consent.BasisConsent)
	bad.Provenance = consent.PX
	lie := record.Refusal{Head: headOf("01R"), Decided: decidedBy(asks())}
	lie.Outcome = consent.OutcomeAllowed
	for what, records := range map[string][][]byte{
		"nothing":                        nil,
		"too many":                       {grant, grant, grant, grant, grant},
		"a withdrawal twice":             {grant, withdrawal, again},
		"the same record twice":          {grant, grant},
		"of another session":             {grant, other},
		"of another grant":               {grant, ofAnother},
		"after a refusal":                {all["refused"][0], withdrawal},
		"after a withdrawal":             {withdrawal, all["erasure"][0]},
		"a grant that cannot be":         {fixed(t, record.TypeGrant, bad)},
		"a refusal that allows":          {fixed(t, record.TypeRefusal, lie)},
		"a policy":                       {fixed(t, record.TypePolicy, record.Options{V: 1})},
		"by another key":                 {sign(t, record.TypeGrant, grantOf(asks(), consent.BasisConsent))},
		"a withdrawal of nothing":        {fixed(t, record.TypeWithdrawal, record.Withdrawal{Head: headOf("01W")})},
		"another spelling of the names":  {bytes.Replace(grant, []byte(`"payload"`), []byte(`"Payload"`), 1)},
		"another spelling of the base64": {bytes.Replace(grant, []byte(`"payload":"`), []byte(`"payload":"\n`), 1)},
	} {
		if _, err := record.NewReceipt(fixedPub, records...); err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
	if _, err := record.NewReceipt(fixedPub[:31], grant); err == nil {
		t.Error("a short key is accepted")
	}
	if _, err := record.OpenReceipt(bytes.Repeat([]byte(" "), record.MaxReceipt+1), nil); !errors.Is(err, record.ErrMalformed) {
		t.Errorf("too long: %v", err)
	}
}

// TestPageReads: what the company's server says of readers stands on the page of a
// grant, and nowhere in what can be verified. To see it fail, have linked take it in.
func TestPageReads(t *testing.T) {
	r, err := record.NewReceipt(fixedPub, fixed(t, record.TypeGrant, grantOf(asks(), consent.BasisConsent)))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := r.JSON()
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 20, 9, 30, 0, 0, time.UTC)
	for _, x := range []struct {
		reads *record.Reads
		want  string
	}{
		{nil, ""},
		{&record.Reads{}, "nobody has read this session's summary or events."},
		{&record.Reads{Times: 1, People: 1, Last: at}, "were read once, by 1 person, on 2026-11-20 09:30:00 UTC."},
		{&record.Reads{Times: 7, People: 2, Programs: 1, Last: at}, "were read 7 times by 2 people, 1 program, last on 2026-11-20 09:30:00 UTC."},
		{&record.Reads{Times: math.MaxUint64, Programs: 3, Last: at}, "by 3 programs, last on"},
	} {
		r := r.WithReads(x.reads)
		page := strings.Join(strings.Fields(r.Page(assets.For("en"))), " ")
		if x.want == "" && strings.Contains(page, "The company's server says") || !strings.Contains(page, x.want) {
			t.Errorf("%+v: %s", x.reads, page)
		}
		if raw, err := r.JSON(); err != nil || !bytes.Equal(raw, plain) {
			t.Errorf("%+v: the JSON-LD differs, %v", x.reads, err)
		}
	}
}

// TestPageShowsOutsideTextHarmlessly: a supporter's name cannot steer a terminal.
func TestPageShowsOutsideTextHarmlessly(t *testing.T) {
	g := grantOf(asks(), consent.BasisConsent)
	g.Supporter = "A\x1b[2J\u202eB\nWho answered: you {list}" + strings.Repeat("x", 1000)
	r, err := record.NewReceipt(fixedPub, fixed(t, record.TypeGrant, g))
	if err != nil {
		t.Fatal(err)
	}
	page := r.Page(assets.For("en"))
	if strings.ContainsAny(page, "\x1b\u202e") || strings.Contains(page, "\nWho answered: you") || strings.Count(page, "x") > 300 {
		t.Errorf("the name is shown as it is: %q", page)
	}
}

func FuzzOpenReceipt(f *testing.F) {
	whole := map[string]bool{}
	for _, records := range examples(f) {
		r, err := record.NewReceipt(fixedPub, records...)
		if err != nil {
			f.Fatal(err)
		}
		raw, _ := r.JSON()
		f.Add(raw)
		whole[r.SHA256()] = true
	}
	f.Add([]byte(`{"aval:proof":{"aval:publicKey":"","aval:records":[{"aval:envelope":""}]}}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := record.OpenReceipt(in, fixedPub)
		if err != nil {
			return
		}
		again, err := r.JSON()
		if err != nil || !whole[r.SHA256()] {
			t.Fatalf("a receipt that nobody signed is valid: %s %v", in, err)
		}
		if _, err := record.OpenReceipt(again, fixedPub); err != nil {
			t.Fatal(err)
		}
		_ = r.Page(assets.For("pt-BR"))
	})
}

// TestReceiptOfSeveral: a record about several people names each of them, and
// concerns each and nobody else. Let linked take only the first, and it fails.
func TestReceiptOfSeveral(t *testing.T) {
	g := grantOf(asks(), consent.BasisConsent)
	g.Subjects = []string{g.Subject, "0dd"}
	r, err := record.NewReceipt(fixedPub, fixed(t, record.TypeGrant, g))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := r.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var out struct {
		Subjects []struct {
			ID string `json:"dpv:hasIdentifier"`
		} `json:"dpv:hasDataSubject"`
	}
	if err := json.Unmarshal(raw, &out); err != nil || len(out.Subjects) != 2 || out.Subjects[0].ID != g.Subject || out.Subjects[1].ID != "0dd" {
		t.Errorf("%+v, %v", out, err)
	}
	if _, err := record.OpenReceipt(raw, fixedPub); err != nil {
		t.Error(err)
	}
	for who, want := range map[string]bool{g.Subject: true, "0dd": true, "5e": false, "": false} {
		if g.Concerns(who) != want {
			t.Errorf("concerns %q: %v", who, !want)
		}
	}
}

// TestNarrowed: a denial in place of the table's verdict follows where the record
// names why, and nothing but a denial does.
func TestNarrowed(t *testing.T) {
	deny := consent.Decision{Verdict: consent.Deny, Reason: consent.ReasonDeniedBySetting}
	allowed := asks()
	allowed.Local = consent.AccessAllowed
	off := asks()
	off.Outgoing = consent.OutgoingOff
	for _, tt := range []struct {
		in       consent.Input
		decision consent.Decision
		narrowed record.Narrowed
		want     bool
	}{
		{asks(), deny, record.NarrowedToNothing, true},
		{allowed, deny, record.NarrowedToNothing, true},
		{asks(), deny, record.NarrowedMeanwhile, true},
		{allowed, deny, record.NarrowedMeanwhile, false},
		{off, deny, record.NarrowedToNothing, false},
		{asks(), deny, "", false},
		{asks(), deny, "because", false},
		{asks(), consent.Decide(asks()), record.NarrowedToNothing, false},
		{asks(), consent.Decide(allowed), record.NarrowedToNothing, false},
		{asks(), consent.Decision{Verdict: consent.Deny, Reason: consent.ReasonDeniedBySetting, Notice: true}, record.NarrowedToNothing, false},
	} {
		d := decidedBy(tt.in)
		d.Decision, d.Narrowed, d.Outcome = tt.decision, tt.narrowed, consent.OutcomeDenied
		r, err := record.NewReceipt(fixedPub, fixed(t, record.TypeRefusal, record.Refusal{Head: headOf("01REFUSAL"), Decided: d}))
		if err != nil {
			t.Fatal(err)
		}
		if got, known := r.Follows(); got != tt.want || !known {
			t.Errorf("%+v by %q of %+v: %v", tt.decision, tt.narrowed, tt.in, got)
		}
	}
}
