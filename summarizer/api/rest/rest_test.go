package rest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"aval/agent/wire"
	"aval/summarizer/api/rest"
	"aval/summarizer/company"
	"aval/summarizer/integration"
	"aval/summarizer/store"
	"aval/summarizer/store/storetest"
	"aval/summarizer/summary/runner"
	"aval/summarizer/summary/sample"
)

// world is a server's API with one company, a session with its summary, and a
// token that may do everything.
type world struct {
	testing.TB
	db    *store.DB
	host  *company.Host
	co    *company.Service
	api   *rest.Server
	hub   *integration.Hub
	log   *bytes.Buffer
	token string // of an administrator, with every scope
	user  company.User
	key   store.Key
	desk  string // a managed device
	mu    sync.Mutex
	at    time.Time
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

func (w *world) add(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(d)
}

func open(t testing.TB, perMinute int) *world {
	t.Helper()
	w := &world{TB: t, at: time.Now(), log: &bytes.Buffer{}}
	var err error
	if w.db, err = store.Open(t.Context(), storetest.Dir(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.db.Close() })
	if w.host, err = company.Open(t.Context(), w.db, company.Options{Server: "https://support.example.com", Now: w.now}); err != nil {
		t.Fatal(err)
	}
	if w.co, err = w.host.Home(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w.hub, err = integration.New(w.db, integration.Options{Now: w.now, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	if w.api, err = rest.New(w.db, rest.Options{Host: w.host, Hub: w.hub, Now: w.now, Rate: perMinute, Log: slog.New(slog.NewTextHandler(w.log, nil))}); err != nil {
		t.Fatal(err)
	}
	w.user, w.token = w.person(w.co, "Ada", company.Administrator, company.Scopes()...)
	if err := w.db.Tx(t.Context(), func(t *store.Tx) error { return sample.FillTx(t, w.co.ID(), "en") }); err != nil {
		t.Fatal(err)
	}
	w.desk = "DESK-1"
	if err := w.db.Tx(t.Context(), func(t *store.Tx) error {
		return t.InsertDevice(store.Device{ID: w.desk, Company: w.co.ID(), Name: "desk", AgentVersion: "1", EnrolledAt: w.at}, "k-desk", make([]byte, 32))
	}); err != nil {
		t.Fatal(err)
	}
	if w.key, err = sample.Store(t.Context(), w.db, w.co.ID(), sample.Printer("en"), sample.Start); err != nil {
		t.Fatal(err)
	}
	if worked, err := runner.New(w.db, runner.Options{Log: slog.New(slog.DiscardHandler), Now: w.now}).Step(t.Context()); err != nil || !worked {
		t.Fatal(worked, err)
	}
	return w
}

// person adds somebody with a token.
func (w *world) person(co *company.Service, name string, role company.Role, scopes ...company.Permission) (company.User, string) {
	w.Helper()
	u, err := co.CreateUser(w.Context(), company.NewUser{Name: name, Login: strings.ToLower(strings.ReplaceAll(name, " ", ".")) + "@example.com", Role: role})
	if err != nil {
		w.Fatal(err)
	}
	secret, _, err := co.CreateAPIToken(w.Context(), company.NewAPIToken{Name: name + "'s", User: u.ID, Scopes: scopes})
	if err != nil {
		w.Fatal(err)
	}
	return u, secret
}

// reply is an answer with its body.
type reply struct {
	*http.Response
	body []byte
}

// call makes a request; headers are pairs.
func (w *world) call(method, path, token, body string, headers ...string) reply {
	w.Helper()
	r := httptest.NewRequestWithContext(w.Context(), method, "https://support.example.com"+path, strings.NewReader(body))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	w.api.ServeHTTP(rec, r)
	res := rec.Result()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		w.Fatal(err)
	}
	return reply{res, raw}
}

// ok makes a request that must be answered with status, and reads the answer.
func (w *world) ok(status int, method, path, body string, into any, headers ...string) reply {
	w.Helper()
	r := w.call(method, path, w.token, body, headers...)
	if r.StatusCode != status {
		w.Fatalf("%s %s: %d %s", method, path, r.StatusCode, r.body)
	}
	if into != nil {
		if err := json.Unmarshal(r.body, into); err != nil {
			w.Fatalf("%s %s: %v: %s", method, path, err, r.body)
		}
	}
	return r
}

type object = map[string]any

// A client that was written for TeamViewer's API reads the reports here: the
// fields, the loop over pages, the note, the summary.
func TestReports(t *testing.T) {
	w := open(t, 6000)
	for i := range 7 {
		s := sample.New(fmt.Sprintf("ssh/%d", i), "ssh", "Bia").S
		k, err := sample.Store(t.Context(), w.db, w.co.ID(), s, sample.Start.Add(time.Duration(i+1)*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.db.Tx(t.Context(), func(t *store.Tx) error {
			return t.EndStream(k, sample.Start.Add(time.Duration(i+1)*time.Hour+time.Minute), "ended")
		}); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	offset, pages, last := "", 0, ""
	for {
		var page struct {
			Records    []object
			NextOffset string `json:"next_offset"`
			Left       int    `json:"records_remaining"`
		}
		name := []string{"offset_id", "offset"}[pages%2] // both are taken
		w.ok(200, "GET", "/api/v1/reports/connections?limit=3&"+name+"="+offset, "", &page)
		pages++
		for _, r := range page.Records {
			end := r["end_date"].(string)
			if seen[r["id"].(string)] || last != "" && end > last {
				t.Errorf("twice or out of order: %v", r)
			}
			seen[r["id"].(string)], last = true, end
			if r["deviceid"].(string)[0] != 'd' || r["support_session_type"] != float64(1) || r["username"] == "" || r["start_date"] == "" {
				t.Errorf("record %v", r)
			}
		}
		if page.Left != 8-len(seen) {
			t.Errorf("%d records, %d remain", len(seen), page.Left)
		}
		if page.NextOffset == "" {
			break
		}
		offset = page.NextOffset
	}
	if len(seen) != 8 || pages != 3 {
		t.Errorf("%d sessions on %d pages", len(seen), pages)
	}
	count := func(query string) int {
		var page struct{ Records []object }
		w.ok(200, "GET", "/api/v1/reports/connections?"+query, "", &page)
		return len(page.Records)
	}
	from := url.QueryEscape(sample.Start.Add(3 * time.Hour).UTC().Format("2006-01-02T15:04:05Z"))
	for query, want := range map[string]int{"username=bia": 7, "username=nobody": 0, "from_date=" + from: 5, "to_date=" + from: 3, "has_code=true": 0, "has_code=false": 8,
		"support_session_type=1": 8, "support_session_type=2": 0, "userid=u" + w.user.ID: 0, "groupid=gnone": 0, "deviceid=dnone": 0} {
		if got := count(query); got != want {
			t.Errorf("%s: %d, not %d", query, got, want)
		}
	}

	id := guid(w.key)
	var rec object
	w.ok(200, "GET", "/api/v1/reports/connections/"+id, "", &rec)
	w.ok(204, "PUT", "/api/v1/reports/connections/"+id, `{"billing_state":"Bill","notes":"INC0010001"}`, nil)
	w.ok(200, "GET", "/api/v1/reports/connections/"+id, "", &rec)
	if rec["notes"] != "INC0010001" || rec["billing_state"] != "Bill" {
		t.Errorf("%v", rec)
	}
	var sum struct {
		Name, Summary                      string
		IssueTypeLabels, ApplicationLabels []string
		Steps                              []struct {
			Application, Action string
			Commands            []string
		}
		Sentences []object
	}
	w.ok(200, "GET", "/api/v1/reports/connections/"+id+"/ai-summary", "", &sum)
	if sum.Name == "" || sum.Summary == "" || len(sum.Steps) == 0 || sum.Steps[0].Application == "" || len(sum.Sentences) == 0 {
		t.Errorf("%+v", sum)
	}
	if r := w.call("GET", "/api/v1/reports/devices/"+id, w.token, ""); r.StatusCode != 404 {
		t.Errorf("an outgoing session among the incoming ones: %d", r.StatusCode)
	}
}

func guid(k store.Key) string {
	r := k.Ref()
	return r[:8] + "-" + r[8:12] + "-" + r[12:16] + "-" + r[16:] + "-000000000000"
}

// Who may not is told why in TeamViewer's shape, and nothing else.
func TestRefused(t *testing.T) {
	w := open(t, 6000)
	_, viewer := w.person(w.co, "Vera", company.Viewer, company.SessionsRead)
	for _, c := range []struct {
		name, method, path, token, body, typ string
		status                               int
		word, header                         string
	}{
		{"no token", "GET", "/api/v1/account", "", "", "", 401, "invalid_token", `Bearer realm="aval"`},
		{"unknown token", "GET", "/api/v1/account", "aval_api_x", "", "", 401, "invalid_token", `Bearer realm="aval", error="invalid_token"`},
		{"no scope", "GET", "/api/v1/users", viewer, "", "", 403, "insufficient_scope", `Bearer realm="aval", error="insufficient_scope", scope="users:read"`},
		{"no path", "GET", "/api/v1/nothing", w.token, "", "", 404, "not_found", ""},
		{"above the base", "GET", "/api/v1/../../etc", w.token, "", "", 404, "not_found", ""},
		{"no method", "PATCH", "/api/v1/users", w.token, "", "", 405, "method_not_allowed", ""},
		{"no such session", "GET", "/api/v1/sessions/x", w.token, "", "", 404, "not_found", ""},
		{"unknown field", "POST", "/api/v1/users", w.token, `{"name":"x","admin":true}`, "", 400, "invalid_request", ""},
		{"twice", "POST", "/api/v1/users", w.token, `{"name":"x","name":"y"}`, "", 400, "invalid_request", ""},
		{"behind the end", "POST", "/api/v1/users", w.token, `{"name":"x"} {}`, "", 400, "invalid_request", ""},
		{"no JSON", "POST", "/api/v1/users", w.token, `name=x`, "application/x-www-form-urlencoded", 415, "unsupported_media_type", ""},
		{"too long", "POST", "/api/v1/users", w.token, `{"name":"` + strings.Repeat("x", 300<<10) + `"}`, "", 413, "too_large", ""},
		{"no body", "POST", "/api/v1/users", w.token, "", "", 400, "invalid_request", ""},
		{"a body to a GET", "GET", "/api/v1/users", w.token, "{}", "", 400, "invalid_request", ""},
		{"limit", "GET", "/api/v1/users?limit=0", w.token, "", "", 400, "invalid_request", ""},
		{"no time", "GET", "/api/v1/reports/connections?from_date=yesterday", w.token, "", "", 400, "invalid_request", ""},
		{"inside", "POST", "/api/v1/webhooks", w.token, `{"name":"x","url":"https://169.254.169.254/","events":["objection"]}`, "", 400, "invalid_request", ""},
		{"a role above one's own", "POST", "/api/v1/users", w.token, `{"name":"x","role":"king"}`, "", 400, "invalid_request", ""},
	} {
		headers := []string{}
		if c.typ != "" {
			headers = []string{"Content-Type", c.typ}
		}
		r := w.call(c.method, c.path, c.token, c.body, headers...)
		var e struct {
			Error, Description string
			Code               int
			RequestID          string
		}
		var raw object
		_ = json.Unmarshal(r.body, &raw)
		e.Error, _ = raw["error"].(string)
		e.Description, _ = raw["error_description"].(string)
		e.RequestID, _ = raw["request_id"].(string)
		if r.StatusCode != c.status || e.Error != c.word || e.Description == "" || raw["error_code"] != float64(c.status) || e.RequestID == "" || e.RequestID != r.Header.Get("X-Request-Id") {
			t.Errorf("%s: %d %s", c.name, r.StatusCode, r.body)
		}
		if c.header != "" && r.Header.Get("WWW-Authenticate") != c.header {
			t.Errorf("%s: WWW-Authenticate %q", c.name, r.Header.Get("WWW-Authenticate"))
		}
		if c.status == 405 && r.Header.Get("Allow") != "GET, POST" {
			t.Errorf("Allow: %q", r.Header.Get("Allow"))
		}
	}
}

// Calls are counted for each token, and the headers say how many are left.
func TestLimits(t *testing.T) {
	w := open(t, 8)
	for i := range 2 {
		r := w.ok(200, "GET", "/api/v1/account", "", nil)
		if r.Header.Get("RateLimit-Limit") != "2" || r.Header.Get("RateLimit-Remaining") != fmt.Sprint(1-i) {
			t.Errorf("%v", r.Header)
		}
	}
	r := w.call("GET", "/api/v1/account", w.token, "")
	if r.StatusCode != 429 || r.Header.Get("Retry-After") != "8" {
		t.Fatalf("%d %v", r.StatusCode, r.Header)
	}
	_, another := w.person(w.co, "Bob", company.Viewer, company.SessionsRead)
	if r := w.call("GET", "/api/v1/account", another, ""); r.StatusCode != 200 {
		t.Errorf("another token: %d", r.StatusCode)
	}
	w.add(8 * time.Second)
	w.ok(200, "GET", "/api/v1/account", "", nil)
	// Guessing is slowed down before the token is looked at a third time.
	statuses := ""
	for range 3 {
		statuses += fmt.Sprint(w.call("GET", "/api/v1/account", "aval_api_guess", "").StatusCode, " ")
	}
	if statuses != "401 429 429 " {
		t.Errorf("guesses: %s", statuses)
	}
}

// A request with an Idempotency-Key is done once; its answer, secret and all, is
// given again, and does not lie open in the store.
func TestIdempotency(t *testing.T) {
	w := open(t, 6000)
	body := `{"name":"Hook","url":"https://hooks.example.com/","events":["objection"]}`
	first := w.ok(201, "POST", "/api/v1/webhooks", body, nil, "Idempotency-Key", "k1")
	again := w.ok(201, "POST", "/api/v1/webhooks", body, nil, "Idempotency-Key", "k1")
	if !bytes.Equal(first.body, again.body) || again.Header.Get("Idempotency-Replayed") != "true" || first.Header.Get("Idempotency-Replayed") != "" {
		t.Errorf("%s\n%s", first.body, again.body)
	}
	if r := w.call("POST", "/api/v1/webhooks", w.token, strings.Replace(body, "Hook", "Other", 1), "Idempotency-Key", "k1"); r.StatusCode != 422 {
		t.Errorf("another request under the key: %d %s", r.StatusCode, r.body)
	}
	_, other := w.person(w.co, "Eve", company.Administrator, company.IntegrationsWrite)
	if r := w.call("POST", "/api/v1/webhooks", other, body, "Idempotency-Key", "k1"); r.Header.Get("Idempotency-Replayed") != "" || r.StatusCode != 201 {
		t.Errorf("somebody else's key: %d %s", r.StatusCode, r.body)
	}
	var list struct{ Webhooks []object }
	w.ok(200, "GET", "/api/v1/webhooks", "", &list)
	if len(list.Webhooks) != 2 {
		t.Errorf("%d webhooks", len(list.Webhooks))
	}
	for _, h := range list.Webhooks {
		if h["secret"] != nil {
			t.Error("a secret is shown again")
		}
	}
	// Many at once: one is made.
	var all sync.WaitGroup
	statuses := make([]int, 20)
	for i := range statuses {
		all.Go(func() {
			statuses[i] = w.call("POST", "/api/v1/webhooks", w.token, body, "Idempotency-Key", "k2").StatusCode
		})
	}
	all.Wait()
	w.ok(200, "GET", "/api/v1/webhooks", "", &list)
	if len(list.Webhooks) != 3 {
		t.Errorf("%d webhooks after %v", len(list.Webhooks), statuses)
	}
	w.add(25 * time.Hour)
	if r := w.call("POST", "/api/v1/webhooks", w.token, body, "Idempotency-Key", "k1"); r.Header.Get("Idempotency-Replayed") != "" {
		t.Error("a key is known for longer than a day")
	}
}

// Two who change the same thing: the second one is told.
func TestIfMatch(t *testing.T) {
	w := open(t, 6000)
	var h struct{ ID string }
	w.ok(201, "POST", "/api/v1/webhooks", `{"name":"Hook","url":"https://hooks.example.com/","events":["objection"]}`, &h)
	tag := w.ok(200, "GET", "/api/v1/webhooks/"+h.ID, "", nil).Header.Get("ETag")
	change := `{"name":"Hook 2","url":"https://hooks.example.com/","events":["objection"],"enabled":false}`
	next := w.ok(200, "PUT", "/api/v1/webhooks/"+h.ID, change, nil, "If-Match", tag).Header.Get("ETag")
	if next == tag || tag == "" {
		t.Errorf("%q %q", tag, next)
	}
	for _, stale := range []string{tag, `"v99"`, "x", `W/"v2"`} {
		if r := w.call("PUT", "/api/v1/webhooks/"+h.ID, w.token, change, "If-Match", stale); r.StatusCode != 412 {
			t.Errorf("%s: %d", stale, r.StatusCode)
		}
	}
	w.ok(200, "PUT", "/api/v1/webhooks/"+h.ID, change, nil, "If-Match", "*")
}

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

// The rest of what the document describes does what it says.
func TestOperations(t *testing.T) {
	w := open(t, 6000)
	var pong struct {
		Valid bool `json:"token_valid"`
	}
	w.ok(200, "GET", "/api/v1/ping", "", &pong)
	if r := w.call("GET", "/api/v1/ping", "", ""); !pong.Valid || r.StatusCode != 200 || !strings.Contains(string(r.body), "false") {
		t.Errorf("%v %s", pong, r.body)
	}
	var u object
	w.ok(200, "POST", "/api/v1/users", `{"name":"Caio","email":"caio@example.com","role":"viewer","log_sessions":false}`, &u)
	id := u["id"].(string)
	if u["log_sessions"] != false || u["active"] != true || id[0] != 'u' {
		t.Errorf("%v", u)
	}
	var users struct{ Users []object }
	w.ok(200, "GET", "/api/v1/users?log_sessions=false", "", &users)
	if len(users.Users) != 1 || users.Users[0]["id"] != id {
		t.Errorf("not logged: %v", users)
	}
	w.ok(204, "PUT", "/api/v1/users/"+id, `{"log_sessions":true,"name":"Caio B."}`, nil)
	w.ok(204, "DELETE", "/api/v1/users/"+id, "", nil)
	w.ok(200, "GET", "/api/v1/users/"+id, "", &u)
	if u["log_sessions"] != true || u["active"] != false || u["name"] != "Caio B." {
		t.Errorf("%v", u)
	}

	var p struct {
		ID       string `json:"policy_id"`
		Settings []object
	}
	w.ok(200, "POST", "/api/v1/teamviewerpolicies", `{"name":"All","settings":[{"key":"Insights","value":"on","enforce":true},{"key":"Reporting","value":"on"}]}`, &p)
	if len(p.Settings) != 2 {
		t.Errorf("%+v", p)
	}
	if r := w.call("POST", "/api/v1/teamviewerpolicies", w.token, `{"name":"Bad","settings":[{"key":"Nothing","value":1}]}`); r.StatusCode != 400 {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	var v struct{ Version int }
	w.ok(200, "POST", "/api/v1/teamviewerpolicies/"+p.ID+"/publish", "", &v)
	w.ok(204, "PUT", "/api/v1/managed/devices/d"+w.desk+"/policy", `{"policy_id":"`+p.ID+`"}`, nil)
	if err := w.db.Tx(t.Context(), func(x *store.Tx) error {
		return x.SetReach(w.co.ID(), w.desk, store.Reach{State: wire.ReachNoHelper, At: time.Now(), StartFile: "~/.xinitrc", StartLine: "aval-desktop &"})
	}); err != nil {
		t.Fatal(err)
	}
	var d struct{ Reach object }
	w.ok(200, "GET", "/api/v1/managed/devices/d"+w.desk, "", &d)
	if d.Reach["state"] != "no-helper" || d.Reach["start_line"] != "aval-desktop &" {
		t.Errorf("%v", d.Reach)
	}
	for reach, n := range map[string]int{"unreachable": 1, "no-helper": 1, "ready": 0, "": 1} {
		var page struct{ Resources []object }
		if w.ok(200, "GET", "/api/v1/managed/devices?search="+w.desk+map[bool]string{true: "", false: "&reach=" + reach}[reach == ""], "", &page); len(page.Resources) != n {
			t.Errorf("reach %q: %d devices", reach, len(page.Resources))
		}
	}
	var refused struct {
		Error string `json:"error"`
		Text  string `json:"error_description"`
	}
	w.ok(204, "PUT", "/api/v1/teamviewerpolicies/"+p.ID, `{"name":"Everybody"}`, nil)
	if r := w.call("DELETE", "/api/v1/teamviewerpolicies/"+p.ID, w.token, ""); r.StatusCode != 409 || json.Unmarshal(r.body, &refused) != nil ||
		refused.Error != "assigned" || !strings.Contains(refused.Text, `"Everybody" is assigned to the device`) {
		t.Errorf("a policy that is assigned: %d %s", r.StatusCode, r.body)
	}
	w.ok(204, "PUT", "/api/v1/managed/devices/d"+w.desk+"/policy/remove", "", nil)
	w.ok(204, "PUT", "/api/v1/managed/devices/d"+w.desk+"/policy", `{"policy_id":"`+p.ID+`"}`, nil)
	w.ok(204, "DELETE", "/api/v1/teamviewerpolicies/"+p.ID+"?unassign=true", "", nil)
	for _, method := range []string{"GET", "DELETE"} {
		if r := w.call(method, "/api/v1/teamviewerpolicies/"+p.ID, w.token, ""); r.StatusCode != 404 {
			t.Errorf("%s of a deleted policy: %d %s", method, r.StatusCode, r.body)
		}
	}
	var m object
	w.ok(200, "POST", "/api/v1/modules", `{"name":"Kiosk","enabled":true,"days":7}`, &m)
	if m["file"] == nil || m["enabled"] != true {
		t.Errorf("%v", m)
	}
	w.ok(200, "PUT", "/api/v1/modules/"+m["id"].(string), `{"enabled":false}`, &m)
	w.ok(204, "DELETE", "/api/v1/modules/"+m["id"].(string), "", nil)

	sid := guid(w.key)
	var events struct {
		Events []object
		Next   int
	}
	w.ok(200, "GET", "/api/v1/sessions/"+sid+"/events?limit=2", "", &events)
	if len(events.Events) != 2 || events.Next != 2 {
		t.Errorf("%+v", events)
	}
	var ver struct{ OK bool }
	w.ok(200, "GET", "/api/v1/sessions/"+sid+"/verification", "", &ver)
	if !ver.OK {
		t.Error("the records do not hold")
	}
	var s object
	w.ok(200, "GET", "/api/v1/sessions/"+sid, "", &s)
	if s["id"] != w.key.Session || s["summary"] == nil {
		t.Errorf("%v", s["id"])
	}
	// An edit is the next version, by whom, and only of the one that was read.
	tag := w.ok(200, "GET", "/api/v1/sessions/"+sid+"/summary", "", nil).Header.Get("ETag")
	var edited object
	next := w.ok(200, "PUT", "/api/v1/sessions/"+sid+"/summary", `{"Name":"Edited","Sentences":["It prints <b>again</b>."]}`, &edited, "If-Match", tag).Header.Get("ETag")
	if edited["Name"] != "Edited" || !strings.Contains(edited["Summary"].(string), "It prints") || next == tag {
		t.Errorf("%v %s", edited, next)
	}
	if r := w.call("PUT", "/api/v1/sessions/"+sid+"/summary", w.token, `{"Name":"Late"}`, "If-Match", tag); r.StatusCode != 412 {
		t.Errorf("an edit of an older version: %d", r.StatusCode)
	}
	var versions struct{ Versions []object }
	w.ok(200, "GET", "/api/v1/sessions/"+sid+"/summary/versions", "", &versions)
	if len(versions.Versions) != 2 || versions.Versions[0]["author"] != "Ada" || versions.Versions[1]["author"] != "" {
		t.Errorf("%v", versions)
	}
	w.ok(202, "POST", "/api/v1/sessions/"+sid+"/summary/regenerate", "", nil)
	var c struct {
		Left int
		Lots []object
	}
	w.ok(200, "GET", "/api/v1/credits", "", &c)
	if len(c.Lots) == 0 {
		t.Errorf("%+v", c)
	}
	var audit struct{ AuditEvents []object }
	w.ok(200, "POST", "/api/v1/EventLogging", `{"EventNames":["user-created"]}`, &audit)
	if len(audit.AuditEvents) != 2 || audit.AuditEvents[0]["Author"] != "user:"+w.user.ID {
		t.Errorf("%v", audit.AuditEvents)
	}

	var h struct{ ID string }
	w.ok(201, "POST", "/api/v1/integrations", `{"kind":"servicenow","name":"Desk","config":{"url":"https://acme.example.com","client_id":"aval"},"client_secret":"s3cret"}`, &h)
	r := w.ok(200, "GET", "/api/v1/integrations/"+h.ID, "", nil)
	if strings.Contains(string(r.body), "s3cret") || !strings.Contains(string(r.body), `"has":["client_secret"]`) {
		t.Errorf("%s", r.body)
	}
	var pv struct{ Fields []object }
	w.ok(200, "GET", "/api/v1/integrations/"+h.ID+"/preview?session="+sid, "", &pv)
	if len(pv.Fields) == 0 {
		t.Errorf("%+v", pv)
	}
	w.ok(202, "POST", "/api/v1/integrations/"+h.ID+"/ping", "", nil)
	var dl struct{ Deliveries []object }
	w.ok(200, "GET", "/api/v1/deliveries?state=ready", "", &dl)
	if len(dl.Deliveries) != 1 {
		t.Fatalf("%+v", dl)
	}
	w.ok(204, "POST", "/api/v1/deliveries/"+dl.Deliveries[0]["id"].(string)+"/skip", "", nil)
	w.ok(202, "POST", "/api/v1/deliveries/"+dl.Deliveries[0]["id"].(string)+"/retry", "", nil)
	w.ok(204, "DELETE", "/api/v1/integrations/"+h.ID, "", nil)
	w.ok(204, "DELETE", "/api/v1/reports/connections/"+sid, "", nil)
	if r := w.call("GET", "/api/v1/reports/connections/"+sid+"/ai-summary", w.token, ""); r.StatusCode != 404 {
		t.Errorf("a deleted summary: %d", r.StatusCode)
	}
	w.ok(200, "GET", "/api/v1/sessions/"+sid+"/verification", "", &ver)
	if !ver.OK {
		t.Error("the records of a deleted session do not hold")
	}
}

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

// The document is served, and its page.
func TestDocument(t *testing.T) {
	w := open(t, 6000)
	for path, typ := range map[string]string{"/api/docs": "text/html", "/api/docs/style.css": "text/css", "/api/v1/openapi.yaml": "application/yaml", "/api/v1/openapi.json": "application/json"} {
		r := w.call("GET", path, "", "")
		if r.StatusCode != 200 || !strings.HasPrefix(r.Header.Get("Content-Type"), typ) || len(r.body) < 500 {
			t.Errorf("%s: %d %s", path, r.StatusCode, r.Header.Get("Content-Type"))
		}
	}
	r := w.call("GET", "/api/docs", "", "")
	for _, rt := range w.api.Routes() {
		if !bytes.Contains(r.body, []byte(rt.Path+"</code>")) {
			t.Errorf("the page lacks %s", rt.Path)
		}
	}
	if r := w.call("POST", "/api/docs", "", ""); r.StatusCode != 405 {
		t.Errorf("%d", r.StatusCode)
	}
}
