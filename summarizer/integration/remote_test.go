package integration_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
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
	"aval/summarizer/integration/far"
	"aval/summarizer/store"
)

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
func (h *house) far(kind, target string) *far.System {
	h.Helper()
	serve := far.ServiceNow
	c := integration.Config{ClientID: "client", Target: target}
	s := integration.Secrets{Client: "s3cret"}
	if kind == store.Salesforce {
		serve = far.Salesforce
		c.Auth, c.User, c.Audience = integration.JWT, "aval@example.com", "https://login.example.com"
		s = integration.Secrets{}
		s.Key, _ = theKey()
	}
	f := far.New(h, serve)
	_, f.Public = theKey()
	c.URL = f.URL
	if target == integration.TargetNote {
		c.Table = "incident"
		f.Records = append(f.Records, map[string]string{"_table": "incident", "sys_id": far.HexID(99), "number": "INC0010001"})
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
			expect(f, t, c, 1, "Printer repaired")
			h.summary("Printer replaced", "user:u1")
			h.settle()
			expect(f, t, c, 2, "Printer replaced")
			h.tx(func(t *store.Tx) error { _, err := t.EraseStream(h.key, h.clock.now()); return err })
			h.settle()
			gone(f, t, c, 3)
			for _, d := range h.deliveries() {
				if d.State != store.JobDone {
					t.Errorf("%+v", d)
				}
			}
			if len(f.Failed) > 0 {
				t.Error(f.Failed)
			}
		})
	}
}

// expect checks what the other system has after revision n.
func expect(f *far.System, t rapid.TB, c remoteCase, n int, name string) {
	t.Helper()
	f.Mu.Lock()
	defer f.Mu.Unlock()
	all, _ := json.Marshal([]any{f.Records, f.Journal})
	if c.kind == store.ServiceNow {
		seen := map[string]int{}
		for _, j := range f.Journal {
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
	if len(f.Records) != 1 {
		t.Fatalf("%d records: %s", len(f.Records), all)
	}
	if c.target == integration.TargetRecord && f.Records[0]["short_description"]+f.Records[0]["Name"] != name {
		t.Errorf("record: %v", f.Records[0])
	}
}

// gone checks what it has after the deletion, which is revision n.
func gone(f *far.System, t rapid.TB, c remoteCase, n int) {
	t.Helper()
	if c.target == integration.TargetNote {
		expect(f, t, c, n, "")
		return
	}
	if len(f.Records) != 0 {
		t.Errorf("left behind: %v", f.Records)
	}
}

// Whatever goes wrong, and in whatever order: one record, each revision's note
// once, and the last text. Planted and seen: without the look for the mark
// (serviceNow.noted) a note stands twice after Unheard or HalfDone; without find
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
			base, n := slices.Clone(f.Records), 0
			rapid.Check(t, func(r *rapid.T) {
				n++
				h.key.Session = fmt.Sprintf("x11vnc/%d", n)
				f.Records, f.Journal = slices.Clone(base), nil
				// As many as one delivery lives through.
				f.Faults = rapid.SliceOfN(rapid.Map(rapid.IntRange(0, 5), func(i int) far.Fault { return far.Fault(i) }), 0, 8).Draw(r, "faults")
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
				expect(f, r, c, revisions, name)
				if rapid.Bool().Draw(r, "delete") {
					f.Faults = rapid.SliceOfN(rapid.Map(rapid.IntRange(0, 5), func(i int) far.Fault { return far.Fault(i) }), 0, 4).Draw(r, "late faults")
					h.tx(func(t *store.Tx) error { _, err := t.EraseStream(h.key, h.clock.now()); return err })
					h.settle()
					gone(f, r, c, revisions+1)
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
		expect(f, t, remotes[1], 1, "")
	})
	t.Run("more than one", func(t *testing.T) {
		h := open(t)
		f := h.far(store.Salesforce, integration.TargetRecord)
		f.Records = []map[string]string{{"Aval_Ref__c": h.key.Ref()}, {"Aval_Ref__c": h.key.Ref()}}
		h.session()
		h.work()
		d := h.deliveries()[0]
		if d.State != store.JobFailed || !strings.Contains(d.LastError, "more than one record") {
			t.Fatalf("%+v", d)
		}
		f.Records = f.Records[:1]
		if err := h.co.Retry(t.Context(), d.ID); err != nil {
			t.Fatal(err)
		}
		h.work()
		expect(f, t, remotes[2], 1, "Printer repaired")
	})
	t.Run("wrong secret", func(t *testing.T) {
		h := open(t)
		f := far.New(t, far.ServiceNow)
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
	f := far.New(t, func(*far.System, http.ResponseWriter, *http.Request) {})
	reached := newHook(t, nil)
	evil, _ := url.Parse(reached.URL)
	login := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		far.Answer(w, http.StatusOK, map[string]string{"access_token": "x", "instance_url": "http://127.0.0.2:" + evil.Port()})
	}))
	defer login.Close()
	e, _ := h.create(store.Salesforce, integration.Config{URL: login.URL, ClientID: "client", Auth: integration.ClientCredentials}, integration.Secrets{Client: "s3cret"})
	if err := h.co.Ping(t.Context(), e.ID); err != nil {
		t.Fatal(err)
	}
	h.work()
	if d := h.deliveries()[0]; d.State != store.JobFailed || !strings.Contains(d.LastError, "another address") || len(reached.all()) != 0 || len(f.Calls) != 0 {
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
	if len(f.Calls) != 0 {
		t.Error(f.Calls)
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
