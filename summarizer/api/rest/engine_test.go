package rest_test

import (
	"strings"
	"testing"
)

// TestEngine: who writes a company's summaries is chosen by API as in the console,
// with the same refusals, and the key goes in and never comes out. To see it fail,
// leave CheckURL out of SetEngine, or answer with the key.
func TestEngine(t *testing.T) {
	w := open(t, 1000)
	const path = "/api/v1/company/summary-engine"
	const own = `{"choice":"own","url":"https://llm.example.com/v1","model":"m1"`
	for _, c := range []struct {
		name, body, want string
		status           int
	}{
		{"own", own + `,"key":"k-secret"}`, `"engine":"m1@llm.example.com"`, 200},
		{"the key stays", own + `}`, `"has_key":true`, 200},
		{"another host without its key", strings.Replace(own, "llm.", "other.", 1) + `}`, "nter the key again", 400},
		{"inside of the network", strings.Replace(own, "llm.example.com", "169.254.169.254", 1) + `}`, "This address is not allowed", 400},
		{"without TLS", strings.Replace(own, "https", "http", 1) + `}`, "https://", 400},
		{"no model", `{"choice":"own","url":"https://llm.example.com/v1"}`, "model's name", 400},
		{"a model with rules", strings.Replace(own, "own", "rules", 1) + `}`, "go with the choice own", 400},
		{"an unknown choice", `{"choice":"gold"}`, "choice", 400},
		{"an unknown name", `{"choice":"rules","colour":1}`, "colour", 400},
		{"rules", `{"choice":"rules"}`, `"has_key":false`, 200},
		{"default", `{"choice":"default"}`, `"choice":"default"`, 200},
	} {
		r := w.call("PUT", path, w.token, c.body)
		if r.StatusCode != c.status || !strings.Contains(string(r.body), c.want) {
			t.Errorf("%s: %d %s", c.name, r.StatusCode, r.body)
		}
		if g := w.call("GET", path, w.token, ""); strings.Contains(string(r.body)+string(g.body), "k-secret") {
			t.Errorf("%s: the key is told: %s", c.name, g.body)
		}
	}
}

// TestLicense: the licence is set by API, and what cannot be one is a 400 with its
// reason. To see it fail, take ErrTier or ErrInput out of fail.
func TestLicense(t *testing.T) {
	w := open(t, 1000)
	for _, c := range []struct {
		body, want string
		status     int
	}{
		{`{"type":"premium","starts":"2024-02-29","zone":"America/Sao_Paulo"}`, `"zone":"America/Sao_Paulo"`, 200},
		{`{"type":"gold","starts":"2024-02-29"}`, "nknown licence tier", 400},
		{`{"type":"premium","starts":"2024-02-30"}`, "2024-02-30", 400},
		{`{"type":"premium","starts":"2024-02-29","renews":"2024-02-29"}`, "", 400},
		{`{"type":"premium","starts":"2024-02-29","zone":"Mars/Base"}`, "nknown time zone", 400},
		{`{"type":"premium"}`, "starts", 400},
		{`{"type":"gold","starts":"2024-02-29","zone":"Asia/Tokyo"}`, "nknown licence tier", 400}, // nor the zone
	} {
		r := w.call("PUT", "/api/v1/company/license", w.token, c.body)
		if r.StatusCode != c.status || !strings.Contains(string(r.body), c.want) {
			t.Errorf("%s: %d %s", c.body, r.StatusCode, r.body)
		}
	}
	if g := w.call("GET", "/api/v1/company/license", w.token, ""); !strings.Contains(string(g.body), `"type":"premium"`) || !strings.Contains(string(g.body), "Sao_Paulo") {
		t.Errorf("after all of them: %s", g.body)
	}
}
