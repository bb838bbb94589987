package rest_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestClientsWays: what clients that were written for TeamViewer's API send is
// taken, or refused in words that say what is wrong. To see it fail, take the
// suffix [] out of read, x-omitempty out of PolicySetting, language out of NewUser,
// or the first cases out of said.
func TestClientsWays(t *testing.T) {
	w := open(t, 1000)
	const reports = "/api/v1/reports/connections"
	for _, c := range []struct{ query, want string }{
		{"limit=abc", "The parameter limit is a whole number."},
		{"has_code=maybe", "The parameter has_code is true or false."},
		{"support_session_type=x", "The parameter support_session_type is a whole number."},
		{"from_date=yesterday", "The parameter from_date is a time with its zone, such as 2026-11-22T00:00:00Z."},
		{"to_date=2026-11-22", "The parameter to_date is a time with its zone, such as 2026-11-22T00:00:00Z."},
		{"offset_id=zzz", "The offset is of no page."},
	} {
		if r := w.call("GET", reports+"?"+c.query, w.token, ""); r.StatusCode != 400 || !strings.Contains(string(r.body), c.want) {
			t.Errorf("%s: %d %s", c.query, r.StatusCode, r.body)
		}
	}
	found := func(query string) (n int) {
		t.Helper()
		var page struct{ Records []json.RawMessage }
		if r := w.call("GET", reports+"?"+query, w.token, ""); r.StatusCode != 200 || json.Unmarshal(r.body, &page) != nil {
			t.Errorf("%s: %d %s", query, r.StatusCode, r.body)
		}
		return len(page.Records)
	}
	if found("") == 0 {
		t.Fatal("nothing is there to be filtered")
	}
	for _, name := range []string{"sessionReportFeatures", "sessionReportFeatures[]", "sessionReportFeatures%5B%5D"} {
		if n := found(name + "=Nope"); n != 0 {
			t.Errorf("%s filters nothing: %d reports", name, n)
		}
	}
	made := w.call("POST", "/api/v1/users", w.token, `{"name":"Bia","email":"bia@example.com","language":"pt","permissions":"ShareOwnGroups","log_sessions":false,"show_comment_window":true}`)
	var u struct{ ID string }
	if made.StatusCode != 200 || json.Unmarshal(made.body, &u) != nil {
		t.Fatalf("%d %s", made.StatusCode, made.body)
	}
	for _, c := range []struct {
		body   string
		status int
	}{
		{`{"active":false}`, 204},
		{`{"name":"Beatriz"}`, 409},
		{`{"name":"Beatriz","active":true}`, 204},
	} {
		if r := w.call("PUT", "/api/v1/users/"+u.ID, w.token, c.body); r.StatusCode != c.status {
			t.Errorf("%s: %d %s", c.body, r.StatusCode, r.body)
		}
	}
	p := w.call("POST", "/api/v1/teamviewerpolicies", w.token, `{"name":"Shops","settings":[{"key":"Reporting","value":"on"},{"key":"Insights","value":"on","enforce":true}]}`)
	if strings.Count(string(p.body), `"enforce":`) != 2 {
		t.Errorf("each setting says whether it is enforced: %s", p.body)
	}
}
