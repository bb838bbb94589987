package integration_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"aval/summarizer/integration"
	"aval/summarizer/store"
)

// fault is what goes wrong with one request.
type fault int

const (
	none     fault = iota
	limited        // 429 with Retry-After, nothing done
	broken         // 500, nothing done
	expired        // 401: the access token is not taken any more
	unheard        // it is done, but the connection ends before the answer
	halfDone       // it is done, and 502 is answered
)

// far is another system in this process: what both have in common. It keeps what
// their documentation says that they keep, and none of our code.
type far struct {
	*httptest.Server
	mu      sync.Mutex
	token   string
	logins  int
	calls   []string
	faults  []fault // of the next requests
	records []map[string]string
	journal []map[string]string // of ServiceNow
	public  *rsa.PublicKey
	failed  []string // what they did not understand
	serve   func(f *far, w http.ResponseWriter, r *http.Request)
}

func newFar(t testing.TB, serve func(*far, http.ResponseWriter, *http.Request)) *far {
	f := &far{serve: serve}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *far) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, r.Method+" "+r.URL.Path)
	if strings.HasSuffix(r.URL.Path, "/token") || strings.HasSuffix(r.URL.Path, "oauth_token.do") {
		f.login(w, r)
		return
	}
	bad := none
	if len(f.faults) > 0 {
		bad, f.faults = f.faults[0], f.faults[1:]
	}
	switch {
	case bad == expired:
		f.token = ""
		fallthrough
	case r.Header.Get("Authorization") != "Bearer "+f.token || f.token == "":
		w.WriteHeader(http.StatusUnauthorized)
		return
	case bad == limited:
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(http.StatusTooManyRequests)
		return
	case bad == broken:
		w.WriteHeader(http.StatusInternalServerError)
		return
	case bad == unheard || bad == halfDone:
		f.serve(f, httptest.NewRecorder(), r)
		if bad == halfDone {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_ = conn.Close()
		}
		return
	}
	f.serve(f, w, r)
}

func (f *far) login(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	ok := r.Form.Get("client_secret") == "s3cret"
	if r.Form.Get("grant_type") == "urn:ietf:params:oauth:grant-type:jwt-bearer" {
		ok = f.assertion(r.Form.Get("assertion"))
	}
	if !ok {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":"invalid_grant"}`)
		return
	}
	f.logins++
	f.token = fmt.Sprintf("token-%d", f.logins)
	answer(w, http.StatusOK, map[string]string{"access_token": f.token, "instance_url": f.URL, "token_type": "Bearer"})
}

// assertion checks a JWT as RFC 7523 and Salesforce's documentation ask for it.
func (f *far) assertion(text string) bool {
	parts := strings.Split(text, ".")
	if len(parts) != 3 || f.public == nil {
		return false
	}
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err != nil || rsa.VerifyPKCS1v15(f.public, crypto.SHA256, sum[:], sig) != nil {
		return false
	}
	raw, _ := base64.RawURLEncoding.DecodeString(parts[1])
	var c struct {
		Iss, Sub, Aud string
		Exp, Iat      int64
	}
	return json.Unmarshal(raw, &c) == nil && c.Iss == "client" && c.Sub == "aval@example.com" && c.Aud == "https://login.example.com" && c.Exp-c.Iat <= 300 && c.Exp > c.Iat
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// serviceNow is the Table API: journal fields append to sys_journal_field.
func serviceNow(f *far, w http.ResponseWriter, r *http.Request) {
	rest, ok := strings.CutPrefix(r.URL.Path, "/api/now/table/")
	table, id, _ := strings.Cut(rest, "/")
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	body := map[string]string{}
	if r.Body != nil && (r.Method == http.MethodPost || r.Method == http.MethodPatch) {
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			f.failed = append(f.failed, "body: "+err.Error())
		}
	}
	note := func(id string) {
		for _, field := range []string{"work_notes", "comments"} {
			if body[field] != "" {
				f.journal = append(f.journal, map[string]string{"sys_id": hexID(len(f.journal) + 5000), "element_id": id, "element": field, "value": body[field]})
			}
			delete(body, field)
		}
	}
	at := slices.IndexFunc(f.records, func(m map[string]string) bool { return m["sys_id"] == id && m["_table"] == table })
	switch r.Method {
	case http.MethodGet:
		list := f.records
		if table == "sys_journal_field" {
			list = f.journal
		}
		found := []map[string]string{}
		for _, m := range list {
			if table != "sys_journal_field" && m["_table"] != table {
				continue
			}
			if matches(f, m, r.URL.Query().Get("sysparm_query")) {
				found = append(found, map[string]string{"sys_id": m["sys_id"]})
			}
		}
		answer(w, http.StatusOK, map[string]any{"result": found})
	case http.MethodPost:
		id = hexID(len(f.records) + 1)
		note(id)
		body["sys_id"], body["_table"] = id, table
		f.records = append(f.records, body)
		answer(w, http.StatusCreated, map[string]any{"result": map[string]string{"sys_id": id}})
	case http.MethodPatch, http.MethodDelete:
		if at < 0 {
			answer(w, http.StatusNotFound, map[string]any{"error": map[string]string{"message": "No Record found", "detail": "x"}})
			return
		}
		if r.Method == http.MethodDelete {
			f.records = slices.Delete(f.records, at, at+1)
			w.WriteHeader(http.StatusNoContent)
			return
		}
		note(id)
		for k, v := range body {
			f.records[at][k] = v
		}
		answer(w, http.StatusOK, map[string]any{"result": map[string]string{"sys_id": id}})
	}
}

func hexID(n int) string { return fmt.Sprintf("%032x", n) }

func matches(f *far, m map[string]string, query string) bool {
	for _, cond := range strings.Split(query, "^") {
		if field, v, ok := strings.Cut(cond, "LIKE"); ok {
			if !strings.Contains(m[field], v) {
				return false
			}
			continue
		}
		field, v, ok := strings.Cut(cond, "=")
		if !ok {
			f.failed = append(f.failed, "query: "+query)
		}
		if m[field] != v {
			return false
		}
	}
	return true
}

// salesforce is the REST API: upsert and delete by an External Id.
func salesforce(f *far, w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/services/data/" {
		answer(w, http.StatusOK, []map[string]string{{"version": "65.0"}, {"version": "66.0"}})
		return
	}
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/services/data/v66.0/sobjects/"), "/")
	if len(parts) == 1 && r.Method == http.MethodGet {
		answer(w, http.StatusOK, map[string]string{})
		return
	}
	if len(parts) != 3 {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	field, value := parts[1], parts[2]
	var at []int
	for i, m := range f.records {
		if m[field] == value {
			at = append(at, i)
		}
	}
	wrong := func(status int, code string) {
		answer(w, status, []map[string]any{{"errorCode": code, "message": "canary"}})
	}
	switch {
	case len(at) > 1:
		answer(w, http.StatusMultipleChoices, []string{"/a", "/b"})
	case r.Method == http.MethodDelete && len(at) == 0:
		wrong(http.StatusNotFound, "NOT_FOUND")
	case r.Method == http.MethodDelete:
		f.records = slices.Delete(f.records, at[0], at[0]+1)
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodPatch:
		var body map[string]*string
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body[field] != nil {
			f.failed = append(f.failed, "the External Id stands in the body")
		}
		m, status := map[string]string{}, http.StatusCreated
		if len(at) == 1 {
			m, status = f.records[at[0]], http.StatusOK
		}
		for k, v := range body {
			if v == nil {
				delete(m, k)
				continue
			}
			if k == "Name" && len([]rune(*v)) > 80 {
				wrong(http.StatusBadRequest, "STRING_TOO_LONG")
				return
			}
			m[k] = *v
		}
		m[field] = value
		if len(at) == 0 {
			f.records = append(f.records, m)
		}
		answer(w, status, map[string]any{"id": "a01000000000001AAA", "success": true, "created": status == http.StatusCreated})
	}
}

// rsaPEM makes a key as an administrator would, with its public half.
func rsaPEM() (string, *rsa.PublicKey) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), &key.PublicKey
}

var theKey = sync.OnceValues(func() (string, *rsa.PublicKey) { return rsaPEM() })

// far of each kind, with an endpoint that speaks to it.
func (h *house) far(kind, target string) *far {
	h.Helper()
	serve := serviceNow
	c := integration.Config{ClientID: "client", Target: target}
	s := integration.Secrets{Client: "s3cret"}
	if kind == store.Salesforce {
		serve = salesforce
		c.Auth, c.User, c.Audience = integration.JWT, "aval@example.com", "https://login.example.com"
		s = integration.Secrets{}
		s.Key, _ = theKey()
	}
	f := newFar(h, serve)
	_, f.public = theKey()
	c.URL = f.URL
	if target == integration.TargetNote {
		c.Table = "incident"
		f.records = append(f.records, map[string]string{"_table": "incident", "sys_id": hexID(99), "number": "INC0010001"})
	}
	h.create(kind, c, s)
	return f
}

// settle works until nothing is left to do, however often that takes.
func (h *house) settle() {
	h.Helper()
	for range 40 {
		h.work()
		open := slices.ContainsFunc(h.deliveries(), func(d store.Delivery) bool { return d.State == store.JobReady })
		if !open {
			return
		}
		h.clock.add(26 * time.Hour)
	}
	h.Fatalf("it does not come to an end: %+v", h.deliveries())
}

type remoteCase struct{ name, kind, target string }

var remotes = []remoteCase{{"servicenow-record", store.ServiceNow, integration.TargetRecord}, {"servicenow-note", store.ServiceNow, integration.TargetNote},
	{"salesforce-record", store.Salesforce, integration.TargetRecord}}

// A summary comes, is edited and deleted: the other system has one record with the
// last text, then none; at a ticket each revision stands once.
func TestRemoteFollows(t *testing.T) {
	for _, c := range remotes {
		t.Run(c.name, func(t *testing.T) {
			h := open(t)
			f := h.far(c.kind, c.target)
			h.session()
			h.tx(func(t *store.Tx) error {
				return t.PutReportNote(h.key, store.ReportNote{Note: "see INC0010001, please", UpdatedAt: h.clock.now()})
			})
			h.settle()
			f.expect(t, c, 1, "Printer repaired")
			h.summary("Printer replaced", "user:u1")
			h.settle()
			f.expect(t, c, 2, "Printer replaced")
			h.tx(func(t *store.Tx) error { _, err := t.EraseStream(h.key, h.clock.now()); return err })
			h.settle()
			f.gone(t, c, 3)
			for _, d := range h.deliveries() {
				if d.State != store.JobDone {
					t.Errorf("%+v", d)
				}
			}
			if len(f.failed) > 0 {
				t.Error(f.failed)
			}
		})
	}
}

// expect checks what the other system has after revision n.
func (f *far) expect(t rapid.TB, c remoteCase, n int, name string) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	all, _ := json.Marshal([]any{f.records, f.journal})
	if c.kind == store.ServiceNow {
		seen := map[string]int{}
		for _, j := range f.journal {
			i := strings.Index(j["value"], "[aval:")
			seen[j["value"][max(0, i):]]++
			if strings.Contains(j["value"], "[code]") {
				t.Errorf("what ServiceNow shows as HTML: %q", j["value"])
			}
		}
		last := false
		for mark, k := range seen {
			if k != 1 {
				t.Errorf("%q stands %d times", mark, k)
			}
			last = last || strings.Contains(mark, fmt.Sprintf(":r%d]", n))
		}
		if !last || len(seen) > n {
			t.Errorf("notes: %v, revision %d", seen, n)
		}
	}
	if len(f.records) != 1 {
		t.Fatalf("%d records: %s", len(f.records), all)
	}
	if c.target == integration.TargetRecord && f.records[0]["short_description"]+f.records[0]["Name"] != name {
		t.Errorf("record: %v", f.records[0])
	}
}

// gone checks what it has after the deletion, which is revision n.
func (f *far) gone(t rapid.TB, c remoteCase, n int) {
	t.Helper()
	if c.target == integration.TargetNote {
		f.expect(t, c, n, "")
		return
	}
	if len(f.records) != 0 {
		t.Errorf("left behind: %v", f.records)
	}
}

// Whatever goes wrong, and in whatever order: one record, each revision's note
// once, and the last text. Planted and seen: without the look for the mark
// (serviceNow.noted) a note stands twice after unheard or halfDone; without find
// before a record is made there are two records.
func TestRemoteExactlyOnce(t *testing.T) {
	if f := flag.Lookup("rapid.checks"); f != nil && f.Value.String() == f.DefValue {
		if err := f.Value.Set("30"); err != nil { // each of them takes a dozen transactions
			t.Fatal(err)
		}
	}
	for _, c := range remotes {
		t.Run(c.name, func(t *testing.T) {
			h := open(t)
			f := h.far(c.kind, c.target)
			base, n := slices.Clone(f.records), 0
			rapid.Check(t, func(r *rapid.T) {
				n++
				h.key.Session = fmt.Sprintf("x11vnc/%d", n)
				f.records, f.journal = slices.Clone(base), nil
				// As many as one delivery lives through.
				f.faults = rapid.SliceOfN(rapid.Map(rapid.IntRange(0, 5), func(i int) fault { return fault(i) }), 0, 8).Draw(r, "faults")
				h.session()
				h.tx(func(t *store.Tx) error { return t.PutReportNote(h.key, store.ReportNote{Note: "INC0010001"}) })
				revisions := rapid.IntRange(1, 3).Draw(r, "revisions")
				for i := range revisions - 1 {
					if rapid.Bool().Draw(r, "between") {
						h.work()
					}
					h.summary(fmt.Sprintf("Edit %d", i), "user:u1")
				}
				h.settle()
				name := "Printer repaired"
				if revisions > 1 {
					name = fmt.Sprintf("Edit %d", revisions-2)
				}
				f.expect(r, c, revisions, name)
				if rapid.Bool().Draw(r, "delete") {
					f.faults = rapid.SliceOfN(rapid.Map(rapid.IntRange(0, 5), func(i int) fault { return fault(i) }), 0, 4).Draw(r, "late faults")
					h.tx(func(t *store.Tx) error { _, err := t.EraseStream(h.key, h.clock.now()); return err })
					h.settle()
					f.gone(r, c, revisions+1)
				}
				for _, d := range h.deliveries() {
					if d.Key != h.key {
						continue
					}
					if d.State != store.JobDone {
						r.Errorf("%+v", d)
					}
					if strings.Contains(d.LastError, "canary") {
						r.Errorf("captured text in an error: %q", d.LastError)
					}
				}
			})
		})
	}
}

// What nobody but a person can mend has failed at once, says what to do, and goes
// through once it was done.
func TestRemoteRepaired(t *testing.T) {
	t.Run("no ticket", func(t *testing.T) {
		h := open(t)
		f := h.far(store.ServiceNow, integration.TargetNote)
		h.session()
		h.work()
		d := h.deliveries()[0]
		if d.State != store.JobFailed || !strings.Contains(d.LastError, "names no ticket") {
			t.Fatalf("%+v", d)
		}
		h.tx(func(t *store.Tx) error { return t.PutReportNote(h.key, store.ReportNote{Note: "INC0010001"}) })
		if err := h.co.Retry(t.Context(), d.ID); err != nil {
			t.Fatal(err)
		}
		h.work()
		f.expect(t, remotes[1], 1, "")
	})
	t.Run("more than one", func(t *testing.T) {
		h := open(t)
		f := h.far(store.Salesforce, integration.TargetRecord)
		f.records = []map[string]string{{"Aval_Ref__c": h.key.Ref()}, {"Aval_Ref__c": h.key.Ref()}}
		h.session()
		h.work()
		d := h.deliveries()[0]
		if d.State != store.JobFailed || !strings.Contains(d.LastError, "more than one record") {
			t.Fatalf("%+v", d)
		}
		f.records = f.records[:1]
		if err := h.co.Retry(t.Context(), d.ID); err != nil {
			t.Fatal(err)
		}
		h.work()
		f.expect(t, remotes[2], 1, "Printer repaired")
	})
	t.Run("wrong secret", func(t *testing.T) {
		h := open(t)
		f := newFar(t, serviceNow)
		e, _ := h.create(store.ServiceNow, integration.Config{URL: f.URL, ClientID: "client"}, integration.Secrets{Client: "wrong"})
		if err := h.co.Ping(t.Context(), e.ID); err != nil {
			t.Fatal(err)
		}
		h.work()
		if d := h.deliveries()[0]; d.State != store.JobReady || !strings.Contains(d.LastError, "invalid_grant") {
			t.Fatalf("%+v", d)
		}
		if _, err := h.co.Update(t.Context(), e.ID, 0, func(_ *integration.Endpoint, s *integration.Secrets) error { s.Client = "s3cret"; return nil }); err != nil {
			t.Fatal(err)
		}
		h.clock.add(time.Minute)
		h.work()
		if d := h.deliveries()[0]; d.State != store.JobDone {
			t.Fatalf("%+v", d)
		}
	})
}

// The sign-in cannot send the server elsewhere: what it names is guarded too.
func TestInstanceIsGuarded(t *testing.T) {
	h := open(t)
	f := newFar(t, func(*far, http.ResponseWriter, *http.Request) {})
	reached := newHook(t, nil)
	evil, _ := url.Parse(reached.URL)
	login := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]string{"access_token": "x", "instance_url": "http://127.0.0.2:" + evil.Port()})
	}))
	defer login.Close()
	e, _ := h.create(store.Salesforce, integration.Config{URL: login.URL, ClientID: "client", Auth: integration.ClientCredentials}, integration.Secrets{Client: "s3cret"})
	if err := h.co.Ping(t.Context(), e.ID); err != nil {
		t.Fatal(err)
	}
	h.work()
	if d := h.deliveries()[0]; d.State != store.JobFailed || !strings.Contains(d.LastError, "another address") || len(reached.all()) != 0 || len(f.calls) != 0 {
		t.Errorf("%+v", d)
	}
}

// A preview shows what would be sent and sends nothing.
func TestPreview(t *testing.T) {
	h := open(t)
	f := h.far(store.ServiceNow, integration.TargetRecord)
	fields := []integration.Field{{Name: "a", Value: "{{name}} by {{ supporter }} {{marker}}", Max: 60}, {Name: "b", Value: "{{summary}}", HTML: true}}
	if _, err := h.co.Preview(t.Context(), fields, ""); err == nil {
		t.Error("a preview of nothing")
	}
	h.session()
	got, err := h.co.Preview(t.Context(), fields, "")
	if err != nil {
		t.Fatal(err)
	}
	mark := "[aval:" + h.key.Ref() + ":r1]"
	if !strings.HasPrefix(got[0].Value, "Printer") || !strings.HasSuffix(got[0].Value, mark) || len([]rune(got[0].Value)) > 60 {
		t.Errorf("%q", got[0].Value)
	}
	if got[1].Value != "canary: the printer was stuck. (code)&lt;b&gt;x&lt;/b&gt;(/code)" {
		t.Errorf("%q", got[1].Value)
	}
	if len(f.calls) != 0 {
		t.Error(f.calls)
	}
}

// What cannot work is refused when it is entered, with a sentence that says why.
func TestSettingsAreChecked(t *testing.T) {
	h := open(t)
	key, _ := theKey()
	ok := integration.Config{URL: "https://acme.example.com", ClientID: "c", User: "u"}
	with := func(change func(*integration.Config)) integration.Config { c := ok; change(&c); return c }
	for want, c := range map[string]struct {
		kind string
		cfg  integration.Config
		sec  integration.Secrets
	}{
		"client secret":     {store.ServiceNow, ok, integration.Secrets{}},
		"client id":         {store.ServiceNow, with(func(c *integration.Config) { c.ClientID = "" }), integration.Secrets{Client: "x"}},
		"the user":          {store.Salesforce, with(func(c *integration.Config) { c.User = "" }), integration.Secrets{Key: key}},
		"private key":       {store.Salesforce, ok, integration.Secrets{Key: "x"}},
		"there is no {{x}}": {store.ServiceNow, with(func(c *integration.Config) { c.Fields = []integration.Field{{Name: "a", Value: "{{x}}"}} }), integration.Secrets{Client: "x"}},
		"stands twice":      {store.ServiceNow, with(func(c *integration.Config) { c.Fields = []integration.Field{{Name: "Correlation_ID", Value: "x"}} }), integration.Secrets{Client: "x"}},
		"table":             {store.ServiceNow, with(func(c *integration.Config) { c.Table = "a/../b" }), integration.Secrets{Client: "x"}},
		"without a path":    {store.ServiceNow, with(func(c *integration.Config) { c.URL += "/nav" }), integration.Secrets{Client: "x"}},
		"target":            {store.Salesforce, with(func(c *integration.Config) { c.Target = "note" }), integration.Secrets{Key: key}},
		"there is no kind":  {"carrier pigeon", ok, integration.Secrets{}},
		"at least one":      {store.Webhook, ok, integration.Secrets{}},
		"24 to 64 bytes":    {store.Webhook, ok, integration.Secrets{Webhook: "whsec_c2hvcnQ="}},
	} {
		e := integration.Endpoint{Kind: c.kind, Name: "x", Config: c.cfg, Enabled: true}
		if want == "24 to 64 bytes" {
			e.Events = []string{store.Objection}
		}
		if _, _, err := h.co.Create(t.Context(), e, c.sec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
