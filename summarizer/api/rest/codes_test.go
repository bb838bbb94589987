package rest_test

import (
	"encoding/json"
	"strings"
	"testing"

	"aval/agent/wire"
	"aval/summarizer/company"
)

// A user's token makes codes and announcements in that user's name and nobody
// else's, until the user is disabled. Planted and seen: without disabled_at in
// store.LiveAPIToken the last row gets its code.
func TestCodes(t *testing.T) {
	w := open(t, 6000)
	if _, _, err := w.co.CreateModule(t.Context(), "Help desk", false, 30); err != nil {
		t.Fatal(err)
	}
	u, token := w.person(w.co, "Ana Souza", company.Supporter, company.CodesWrite)
	own, _, err := w.co.CreateAPIToken(t.Context(), company.NewAPIToken{Name: "own", Scopes: []company.Permission{company.CodesWrite}})
	if err != nil {
		t.Fatal(err)
	}
	const codes, announce = "/api/v1/session-codes", "/api/v1/announcements"
	var code struct{ ID, Code, Supporter, Device string }
	r := w.call("POST", codes, token, `{"module":"Help desk"}`)
	if err := json.Unmarshal(r.body, &code); err != nil || r.StatusCode != 201 || code.Supporter != "Ana Souza" {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	if _, err := wire.ParseCode(code.Code); err != nil {
		t.Error(err)
	}
	r = w.call("POST", announce, token, `{"device":"`+strings.ToLower(w.desk)+`"}`)
	if err := json.Unmarshal(r.body, &code); err != nil || r.StatusCode != 201 || code.Supporter != "Ana Souza" || code.Device != w.desk {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	if r := w.call("GET", announce+"/"+code.ID, token, ""); r.StatusCode != 200 || !strings.Contains(string(r.body), `"delivered":false`) {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	for _, row := range []struct {
		name, path, token, body string
		want                    int
	}{
		{"an administrator's link", codes, "aval_admin_x", `{}`, 401},
		{"the company's own token", codes, own, `{}`, 403},
		{"no such module", codes, token, `{"module":"Mine"}`, 404},
		{"a switch of one's own", codes, token, `{"module":"Help desk","module_insights":true}`, 400},
		{"another name", codes, token, `{"supporter":"Mallory"}`, 400},
		{"no device", announce, token, `{}`, 400},
		{"an unknown device", announce, token, `{"device":"02"}`, 404},
	} {
		if r := w.call("POST", row.path, row.token, row.body); r.StatusCode != row.want {
			t.Errorf("%s: %d %s", row.name, r.StatusCode, r.body)
		}
	}
	if err := w.co.DisableUser(t.Context(), u.ID); err != nil {
		t.Fatal(err)
	}
	if r := w.call("POST", codes, token, `{}`); r.StatusCode != 401 {
		t.Errorf("a disabled user: %d", r.StatusCode)
	}
}
