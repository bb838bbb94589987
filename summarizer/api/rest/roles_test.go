package rest_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"aval/summarizer/company"
	"aval/summarizer/integration"
	"aval/summarizer/store"
)

// Every operation × every role × both companies: a token without the document's
// permission is refused, and one of another company finds nothing of this one's.
// Planted and seen: without the look at rt.Needs in admit every row of a viewer fails.
func TestRoleRouteTenant(t *testing.T) {
	w := open(t, 1_000_000)
	other, err := w.host.Create(t.Context(), "Other", "en", "", company.Command)
	if err != nil {
		t.Fatal(err)
	}
	hook, _, err := w.hub.Of(w.co.ID(), "user:x").Create(t.Context(), integration.Endpoint{Kind: store.Webhook, Name: "h", Enabled: true,
		Config: integration.Config{URL: "https://hooks.example.com"}, Events: []string{store.Objection}}, integration.Secrets{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.hub.Of(w.co.ID(), "user:x").Ping(t.Context(), hook.ID); err != nil {
		t.Fatal(err)
	}
	list, err := w.hub.Of(w.co.ID(), "user:x").Deliveries(t.Context(), "", "", "", 1)
	if err != nil {
		t.Fatal(err)
	}
	policy, err := w.co.CreatePolicy(t.Context(), "P")
	if err != nil {
		t.Fatal(err)
	}
	module, _, err := w.co.CreateModule(t.Context(), "M", true, 5)
	if err != nil {
		t.Fatal(err)
	}
	group, err := w.co.CreateGroup(t.Context(), "G")
	if err != nil {
		t.Fatal(err)
	}
	_, token, err := w.co.CreateEnrolToken(t.Context(), company.NewEnrolToken{Name: "hooks.example.com", Uses: 3})
	if err != nil {
		t.Fatal(err)
	}
	opened := store.Opening{ID: store.NewID(w.at), Company: w.co.ID(), Module: module.ID, Number: "123456", PublicKey: make([]byte, 32), CreatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)}
	if err := w.db.Tx(t.Context(), func(tx *store.Tx) error { return tx.InsertOpening(opened) }); err != nil {
		t.Fatal(err)
	}
	// ids are what a path's {id} is in the first company.
	ids := map[string]string{"reports": guid(w.key), "sessions": guid(w.key), "users": "u" + w.user.ID, "devices": w.desk, "groups": group.ID, "teamviewerpolicies": policy.ID,
		"modules": module.ID, "announcements": "x", "orders": "x", "webhooks": hook.ID, "integrations": hook.ID, "deliveries": list[0].ID, "session-openings": opened.ID, "enrolment-tokens": token.ID}
	bodies := map[string]string{"updateConnection": "{}", "createUser": "{}", "updateUser": "{}", "assignPolicy": `{"policy_id":"` + policy.ID + `"}`, "createPolicy": "{}", "updatePolicy": "{}",
		"createModule": "{}", "switchModule": `{"enabled":true}`, "createCode": "{}", "announce": "{}", "orderCredits": "{}", "createWebhook": "{}", "createIntegration": "{}",
		"updateWebhook": `{"name":"stolen","url":"https://evil.example.com","events":["objection"]}`, "updateIntegration": `{"kind":"servicenow","name":"x","config":{"url":"https://a.example.com"}}`,
		"createEnrolmentToken": "{}", "listAuditEvents": "{}", "setLicense": "{}", "setEngine": "{}", "editSummary": `{"Name":"stolen"}`}
	strangers := map[company.Role]string{}
	own := map[company.Role]string{}
	for _, role := range company.Roles() {
		var scopes []company.Permission
		for _, p := range company.Scopes() {
			if role.May(p) {
				scopes = append(scopes, p)
			}
		}
		_, own[role] = w.person(w.co, "O"+string(role), role, scopes...)
		_, strangers[role] = w.person(other, "S"+string(role), role, scopes...)
	}
	rows := 0
	for _, rt := range w.api.Routes() {
		path, foreign := rt.Path, false
		if strings.Contains(path, "{id}") {
			parts := strings.Split(path, "/")
			for i, p := range parts {
				if p == "{id}" {
					kind := parts[i-1]
					if strings.HasPrefix(path, "/api/v1/reports") {
						kind = "reports"
					}
					id, ok := ids[kind]
					if !ok {
						t.Fatalf("%s: this route is not listed in the test", path)
					}
					path, foreign = strings.Replace(path, "{id}", id, 1), true
				}
			}
		}
		for _, role := range company.Roles() {
			rows++
			may := rt.Needs == "" || rt.Needs == company.Own || role.May(rt.Needs)
			if !may {
				if r := w.call(rt.Method, path, own[role], bodies[rt.Operation]); r.StatusCode != 403 {
					t.Errorf("%s as %s: %d %s", rt.Operation, role, r.StatusCode, r.body)
				}
			}
			if foreign {
				r := w.call(rt.Method, path, strangers[role], bodies[rt.Operation])
				leaks := r.StatusCode < 400 && rt.Operation != "getAnnouncement"
				if leaks || bytes.Contains(r.body, []byte("hooks.example.com")) {
					t.Errorf("%s as %s of another company: %d %s", rt.Operation, role, r.StatusCode, r.body)
				}
			} else if may && rt.Method == "GET" {
				r := w.call(rt.Method, path, strangers[role], "")
				for _, secret := range []string{w.key.Ref()[:8], w.user.ID, hook.ID, policy.ID, module.ID, group.ID, opened.ID, token.ID, w.co.ID()} {
					if bytes.Contains(r.body, []byte(secret)) {
						t.Errorf("%s as %s of another company shows %s: %s", rt.Operation, role, secret, r.body)
					}
				}
			}
		}
		if r := w.call(rt.Method, path, "", bodies[rt.Operation]); rt.Needs != "" && r.StatusCode != 401 {
			t.Errorf("%s without a token: %d", rt.Operation, r.StatusCode)
		}
	}
	if hook, err = w.hub.Of(w.co.ID(), "x").Endpoint(t.Context(), hook.ID); err != nil || hook.Name != "h" {
		t.Errorf("%+v %v", hook, err)
	}
	t.Logf("%d operations, %d rows of role and tenant", len(w.api.Routes()), rows)
}

// Where the company lets people see only their own sessions, a token shows no
// more: not in a list, not by an id, not in an export. Planted and seen: without
// WithSight in admit, and without seen in store.Reports, rows below fail.
func TestSight(t *testing.T) {
	w := open(t, 6000)
	bia, token := w.person(w.co, "Bia", company.Supporter, company.SessionsRead, company.SummariesRead)
	mine := store.Key{Company: w.co.ID(), Device: w.desk, Session: "ssh/mine"}
	if err := w.db.Tx(t.Context(), func(t *store.Tx) error {
		if err := t.InsertStream(store.Stream{Key: mine, Tool: "ssh", Supporter: "Bia", Owner: bia.ID, Direction: "outgoing", StartedAt: w.at, OpenedAt: w.at}); err != nil {
			return err
		}
		return t.EndStream(mine, w.at.Add(time.Minute), "ended")
	}); err != nil {
		t.Fatal(err)
	}
	count := func(token string) (reports, sessions int) {
		var a struct{ Records []object }
		var b struct{ Sessions []object }
		_ = json.Unmarshal(w.call("GET", "/api/v1/reports/connections", token, "").body, &a)
		_ = json.Unmarshal(w.call("GET", "/api/v1/sessions", token, "").body, &b)
		return len(a.Records), len(b.Sessions)
	}
	if r, s := count(token); r != 2 || s != 2 {
		t.Errorf("by default all: %d, %d", r, s)
	}
	own := company.SeesOwn
	if err := w.co.SetOptions(t.Context(), company.Change{Sees: &own}); err != nil {
		t.Fatal(err)
	}
	if r, s := count(token); r != 1 || s != 1 {
		t.Errorf("one's own: %d, %d", r, s)
	}
	if r, s := count(w.token); r != 2 || s != 2 {
		t.Errorf("an administrator: %d, %d", r, s)
	}
	for _, path := range []string{"/reports/connections/", "/sessions/"} {
		for _, more := range []string{"", "/events", "/verification", "/summary", "/ai-summary", "/summary/versions"} {
			if r := w.call("GET", "/api/v1"+path+guid(w.key)+more, token, ""); r.StatusCode != 404 {
				t.Errorf("%s%s of somebody else: %d %s", path, more, r.StatusCode, r.body)
			}
		}
	}
	if r := w.call("GET", "/api/v1/reports/connections/"+guid(mine), token, ""); r.StatusCode != 200 || !strings.Contains(string(r.body), `"userid":"u`+bia.ID) {
		t.Errorf("one's own: %d %s", r.StatusCode, r.body)
	}
	var found struct{ Records []object }
	w.ok(200, "GET", "/api/v1/reports/connections?userid=u"+bia.ID, "", &found)
	if len(found.Records) != 1 {
		t.Errorf("by the user: %v", found)
	}
}
