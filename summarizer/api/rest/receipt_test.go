package rest_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/record"
	"aval/summarizer/store"
)

// TestReceipt: the receipt of a grant and of what followed it is the one that the
// computer would make, byte by byte; of a computer whose key was revoked there is
// none. To see it fail, answer with encoding/json, or leave out what followed.
func TestReceipt(t *testing.T) {
	w := open(t, 6000)
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now().UTC().Add(-time.Hour).Truncate(time.Millisecond)
	k := store.Key{Company: w.co.ID(), Device: "DESK-9", Session: "x11vnc/9"}
	head := func(id string) record.Head {
		return record.Head{V: 1, ID: id, At: at, Company: k.Company, Device: k.Device, Session: k.Session}
	}
	in := consent.Input{Direction: consent.Outgoing, LogSessions: true, Outgoing: consent.OutgoingAll, Incoming: consent.IncomingOff,
		PolicyState: consent.PolicyNone, Reporting: consent.SwitchUnset, Insights: consent.SwitchUnset, AccessControl: consent.AccessUnset,
		Local: consent.AccessAllowed, Desktop: consent.DesktopAvailable}
	g := record.Grant{Head: head("GRANT-9"), Decided: record.Decided{Tool: "x11vnc", Supporter: "Ana <Souza>", CompanyName: "Example Support", Direction: consent.Outgoing,
		Input: in, Decision: consent.Decide(in), Outcome: consent.OutcomeAllowed, Provenance: consent.P2, PolicyOrigin: "none", PolicyVersion: 1, SessionStartedAt: at, AgentVersion: "test"},
		Basis: consent.BasisStandingSetting, Groups: []event.Group{event.Windows}, NotBefore: at, Expires: at.Add(time.Hour), Engine: "rules", RetentionDays: 90}
	sign := func(typ record.Type, body any) []byte {
		raw, err := record.Sign(key, typ, body)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	grant := sign(record.TypeGrant, g)
	later := sign(record.TypeWithdrawal, record.Withdrawal{Head: head("WITHDRAWN-9"), Grant: g.ID, By: "person", Provenance: consent.P2})
	if err := w.db.Tx(t.Context(), func(x *store.Tx) error {
		if err := x.InsertDevice(store.Device{ID: k.Device, Company: k.Company, Name: "desk", AgentVersion: "1", EnrolledAt: at}, record.KeyID(pub), pub); err != nil {
			return err
		}
		if err := x.InsertStream(store.Stream{Key: k, Tool: "x11vnc", Supporter: g.Supporter, Direction: g.Direction, Basis: g.Basis, Provenance: "P2", StartedAt: at, OpenedAt: at}); err != nil {
			return err
		}
		if err := x.InsertGrant(store.Grant{Key: k, ID: g.ID, KeyID: record.KeyID(pub), Envelope: grant, Tool: "x11vnc", Supporter: g.Supporter, Direction: g.Direction,
			Basis: g.Basis, Provenance: "P2", Groups: g.Groups, MadeAt: at, NotBefore: at, Expires: g.Expires, ReceivedAt: at}); err != nil {
			return err
		}
		return x.InsertRecord(store.Record{Key: k, ID: "WITHDRAWN-9", Type: record.TypeWithdrawal, MadeAt: at, ReceivedAt: at, Envelope: later})
	}); err != nil {
		t.Fatal(err)
	}
	want, err := record.NewReceipt(pub, grant, later)
	if err != nil {
		t.Fatal(err)
	}
	path := "/api/v1/sessions/" + k.Ref() + "/receipt"
	for _, query := range []string{"", "?grant=GRANT-9"} {
		r := w.ok(200, "GET", path+query, "", nil)
		linked, err := want.JSON()
		if err != nil || r.Header.Get("Content-Type") != "application/ld+json" || !bytes.Equal(r.body, linked) {
			t.Errorf("%s: %v, %s\n%s", query, err, r.Header.Get("Content-Type"), r.body)
		}
		got, err := record.OpenReceipt(r.body, pub)
		if err != nil || got.Outcome() != consent.OutcomeWithdrawn {
			t.Errorf("it does not verify: %v, %s", err, got.Outcome())
		}
	}
	for lang, word := range map[string]string{"": "Ana <Souza>", "?lang=pt-BR": "retirad", "?lang=ja": "Ana <Souza>"} {
		if r := w.ok(200, "GET", path+"/page"+lang, "", nil); !strings.HasPrefix(r.Header.Get("Content-Type"), "text/plain") || !strings.Contains(string(r.body), word) {
			t.Errorf("%s: %s", lang, r.body)
		}
	}
	if r := w.call("GET", path+"?grant=NONE", w.token, ""); r.StatusCode != 404 {
		t.Errorf("no such grant: %d", r.StatusCode)
	}
	if err := w.db.Tx(t.Context(), func(x *store.Tx) error { return x.RevokeDevice(k.Company, k.Device, time.Now()) }); err != nil {
		t.Fatal(err)
	}
	var said struct{ Error string }
	if r := w.call("GET", path, w.token, ""); r.StatusCode != 409 || json.Unmarshal(r.body, &said) != nil || said.Error != "key_revoked" {
		t.Errorf("revoked: %d %s", r.StatusCode, r.body)
	}
}

// TestReportFeatures: only reports that have the feature are found, and each says
// what it has. To see it fail, leave Summarised out of store.Reports.
func TestReportFeatures(t *testing.T) {
	w := open(t, 6000)
	if err := w.db.Tx(t.Context(), func(x *store.Tx) error {
		if err := x.EndStream(w.key, time.Now(), "ended"); err != nil {
			return err
		}
		bare := store.Key{Company: w.co.ID(), Device: w.desk, Session: "ssh/bare"}
		if err := x.InsertStream(store.Stream{Key: bare, Tool: "ssh", Supporter: "Bia", Direction: consent.Outgoing, Basis: consent.BasisConsent, Provenance: "P2", StartedAt: time.Now(), OpenedAt: time.Now()}); err != nil {
			return err
		}
		return x.EndStream(bare, time.Now(), "ended")
	}); err != nil {
		t.Fatal(err)
	}
	for query, n := range map[string]int{"": 2, "?sessionReportFeatures=AiSummary": 1, "?sessionReportFeatures=aisummary&sessionReportFeatures=AiSummary": 1,
		"?sessionReportFeatures=ChatTranscript": 0, "?sessionReportFeatures=AiSummary&sessionReportFeatures=Other": 0} {
		var page struct {
			Records []struct {
				SessionReportFeatures []string `json:"sessionReportFeatures"`
			}
		}
		w.ok(200, "GET", "/api/v1/reports/connections"+query, "", &page)
		with := 0
		for _, r := range page.Records {
			with += len(r.SessionReportFeatures)
		}
		if len(page.Records) != n || with != min(n, 1) {
			t.Errorf("%q: %+v", query, page.Records)
		}
	}
}
