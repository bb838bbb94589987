package console_test

import (
	"net/url"
	"strings"
	"testing"

	"aval/summarizer/company"
	"aval/summarizer/integration"
	"aval/summarizer/store"
)

// An administrator adds a webhook and sees its secret once, changes it, tries it
// out, repairs a delivery; what was wrong is said beside the form with what was
// entered. To see it fail: with the secret in integrationPage of every visit the
// second look finds it.
func TestIntegrations(t *testing.T) {
	s := start(t)
	b := s.signedIn("en")
	post := func(path string, form url.Values) string {
		t.Helper()
		_, body := b.post(path, form)
		return body
	}
	get := func(path string) string {
		t.Helper()
		_, body := b.get(path)
		return body
	}
	has := func(body string, wants ...string) {
		t.Helper()
		for _, want := range wants {
			if !strings.Contains(body, want) {
				t.Errorf("%q is not there:\n%s", want, body)
			}
		}
	}
	has(get("/integrations"), "Nobody is told anything yet", "/integrations/new?kind=salesforce", "/api/docs")
	has(post("/integrations", url.Values{"kind": {"webhook"}, "name": {"Bot"}, "url": {"https://10.0.0.1/x"}, "event": {"objection"}, "enabled": {"1"}}),
		"is not allowed. It must begin with https://", `value="https://10.0.0.1/x"`, `value="objection" checked`)
	has(post("/integrations", url.Values{"kind": {"webhook"}, "name": {"Bot"}, "url": {"https://hooks.example.com/x"}}), "Choose at least one event")
	made := post("/integrations", url.Values{"kind": {"webhook"}, "name": {"Bot <b>"}, "url": {"https://hooks.example.com/x"}, "event": {"objection", "decision"}, "enabled": {"1"}})
	has(made, "whsec_", "Bot &lt;b&gt;")
	list, err := s.hub.Of(s.co.ID(), "x").Endpoints(t.Context())
	if err != nil || len(list) != 1 || len(list[0].Events) != 2 {
		t.Fatal(list, err)
	}
	at := "/integrations/" + list[0].ID
	page := get(at)
	has(page, "Try it out", `name="version" value="1"`, "Remove")
	if strings.Contains(page, "whsec_") {
		t.Error("the secret is shown again")
	}
	change := url.Values{"kind": {"webhook"}, "version": {"1"}, "name": {"Robot"}, "url": {"https://hooks.example.com/y"}, "event": {"objection"}, "enabled": {"1"}}
	post(at, change)
	has(get("/integrations"), "Robot", "https://hooks.example.com/y")
	has(post(at, change), "Somebody else has changed it meanwhile") // from an older page
	post(at+"/ping", nil)
	has(get("/deliveries"), "Try-out", "Robot", "waiting", "/skip")
	told, err := s.hub.Of(s.co.ID(), "x").Deliveries(t.Context(), "", "", "", 10)
	if err != nil || len(told) != 1 {
		t.Fatal(told, err)
	}
	post("/deliveries/"+told[0].ID+"/skip", nil)
	has(get("/deliveries?state=failed"), "skipped")
	post("/deliveries/"+told[0].ID+"/retry", nil)
	if d, err := s.hub.Of(s.co.ID(), "x").Delivery(t.Context(), told[0].ID); err != nil || d.State != store.JobReady || d.Skipped {
		t.Errorf("%+v %v", d, err)
	}
	has(post(at+"/rotate", nil), "whsec_", "The former secret signs too until")
	post(at+"/delete", nil)
	has(get("/integrations?deleted=1"), "It was removed", "Nobody is told anything yet")

	form := url.Values{"kind": {"servicenow"}, "name": {"Desk"}, "url": {"https://acme.example.com"}, "auth": {"client_credentials"}, "client_id": {"aval"}, "client_secret": {"s3cret"},
		"target": {"note"}, "note_field": {"work_notes"}, "table": {"incident"}, "key_field": {"correlation_id"}, "enabled": {"1"},
		"field_name": {"work_notes", "", "other"}, "field_value": {"{{summary}}\r\n{{marker}}", "left out", "{{name}}"}, "field_max": {"", "", "40"}, "field_html": {"2"}}
	has(post("/integrations", form), "") // it redirects
	if list, err = s.hub.Of(s.co.ID(), "x").Endpoints(t.Context()); err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	want := []integration.Field{{Name: "work_notes", Value: "{{summary}}\n{{marker}}"}, {Name: "other", Value: "{{name}}", Max: 40, HTML: true}}
	if got := list[0].Config.Fields; len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%+v", got)
	}
	page = get("/integrations/" + list[0].ID)
	has(page, "Kept now: client secret", "There is no summary yet", "work_notes", `value="note" checked`)
	if strings.Contains(page, "s3cret") {
		t.Error("a secret is shown")
	}
	form.Set("field_value", "{{summery}}")
	form["field_value"] = []string{"{{summery}}", "", ""}
	has(post("/integrations/"+list[0].ID, form), "there is summery in double braces", "{{summery}}")
}

// TestUnloggedNamed: the pages of integrations and of API tokens name the people
// whose sessions neither gets, because their logging is off. To see it fail, leave
// the template out of one of them.
func TestUnloggedNamed(t *testing.T) {
	s := start(t)
	b := s.signedIn("en")
	for _, path := range []string{"/integrations", "/tokens"} {
		if _, page := b.get(s.url + path); strings.Contains(page, "Whose sessions are left out") {
			t.Errorf("%s: with nobody", path)
		}
	}
	for name, off := range map[string]bool{"Ana <1>": true, "Rui": false} {
		if _, err := s.co.As(company.Command).CreateUser(t.Context(), company.NewUser{Name: name, Unlogged: off}); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"/integrations", "/tokens"} {
		if _, page := b.get(s.url + path); !strings.Contains(page, "<li>Ana &lt;1&gt;</li>") || strings.Contains(page, "<li>Rui</li>") {
			t.Errorf("%s:\n%s", path, page)
		}
	}
}
