package rest_test

import (
	"testing"

	"aval/summarizer/company"
	"aval/summarizer/store"
)

// TestReads: a program that reads a session leaves its row once an hour, by
// whatever operation. To see it fail, leave ReadSession out of ListEvents.
func TestReads(t *testing.T) {
	w := open(t, 6000)
	at := "/api/v1/sessions/" + w.key.Ref()
	for _, path := range []string{at, at + "/events", at + "/summary", at + "/summary/versions", "/api/v1/reports/connections/" + w.key.Ref() + "/ai-summary", at + "/verification"} {
		u, token := w.person(w.co, "Reader of "+path, company.Administrator, company.Scopes()...)
		for range 2 {
			if r := w.call("GET", path, token, ""); r.StatusCode != 200 {
				t.Fatalf("%s: %d %s", path, r.StatusCode, r.body)
			}
		}
		list, err := w.co.Audits(t.Context(), store.AuditFilter{Action: "session-read", Subject: w.key.Ref(), Actor: "user:" + u.ID, Max: 10})
		if err != nil || len(list) != 1 {
			t.Errorf("%s: %d rows, %v", path, len(list), err)
		}
	}
}
