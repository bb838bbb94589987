// Package far is ServiceNow and Salesforce in this process, for tests: what their
// documentation says that they take, answer and keep, with faults on demand.
//
// The one rule that must not be broken: it is written after their documentation
// and shares no code with what is tested against it.
package far

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Fault is what goes wrong with one request.
type Fault int

// The faults.
const (
	None     Fault = iota
	Limited        // 429 with Retry-After, nothing done
	Broken         // 500, nothing done
	Expired        // 401: the access token is not taken any more
	Unheard        // it is done, but the connection ends before the answer
	HalfDone       // it is done, and 502 is answered
)

// System is another system in this process: what both have in common.
type System struct {
	*httptest.Server
	Mu      sync.Mutex
	token   string
	logins  int
	Calls   []string
	Faults  []Fault // of the next requests
	Records []map[string]string
	Journal []map[string]string // of ServiceNow
	Public  *rsa.PublicKey
	Failed  []string // what they did not understand
	serve   func(f *System, w http.ResponseWriter, r *http.Request)
}

// New starts a system that answers as serve does, until the test ends.
func New(t testing.TB, serve func(*System, http.ResponseWriter, *http.Request)) *System {
	f := &System{serve: serve}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

// ServeHTTP answers one request, or goes wrong with it.
func (f *System) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.Mu.Lock()
	defer f.Mu.Unlock()
	f.Calls = append(f.Calls, r.Method+" "+r.URL.Path)
	if strings.HasSuffix(r.URL.Path, "/token") || strings.HasSuffix(r.URL.Path, "oauth_token.do") {
		f.login(w, r)
		return
	}
	bad := None
	if len(f.Faults) > 0 {
		bad, f.Faults = f.Faults[0], f.Faults[1:]
	}
	switch {
	case bad == Expired:
		f.token = ""
		fallthrough
	case r.Header.Get("Authorization") != "Bearer "+f.token || f.token == "":
		w.WriteHeader(http.StatusUnauthorized)
		return
	case bad == Limited:
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(http.StatusTooManyRequests)
		return
	case bad == Broken:
		w.WriteHeader(http.StatusInternalServerError)
		return
	case bad == Unheard || bad == HalfDone:
		f.serve(f, httptest.NewRecorder(), r)
		if bad == HalfDone {
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

func (f *System) login(w http.ResponseWriter, r *http.Request) {
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
	Answer(w, http.StatusOK, map[string]string{"access_token": f.token, "instance_url": f.URL, "token_type": "Bearer",
		"id": f.URL + "/id/00D000000000001EAA/005000000000001AAA"})
}

// assertion checks a JWT as RFC 7523 and Salesforce's documentation ask for it.
func (f *System) assertion(text string) bool {
	parts := strings.Split(text, ".")
	if len(parts) != 3 || f.Public == nil {
		return false
	}
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err != nil || rsa.VerifyPKCS1v15(f.Public, crypto.SHA256, sum[:], sig) != nil {
		return false
	}
	raw, _ := base64.RawURLEncoding.DecodeString(parts[1])
	var c struct {
		Iss, Sub, Aud string
		Exp, Iat      int64
	}
	return json.Unmarshal(raw, &c) == nil && c.Iss == "client" && c.Sub == "aval@example.com" && c.Aud == "https://login.example.com" && c.Exp-c.Iat <= 300 && c.Exp > c.Iat
}

// Answer writes v as JSON.
func Answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// ServiceNow is the Table API: journal fields append to sys_journal_field.
func ServiceNow(f *System, w http.ResponseWriter, r *http.Request) {
	rest, ok := strings.CutPrefix(r.URL.Path, "/api/now/table/")
	table, id, _ := strings.Cut(rest, "/")
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	body := map[string]string{}
	if r.Body != nil && (r.Method == http.MethodPost || r.Method == http.MethodPatch) {
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			f.Failed = append(f.Failed, "body: "+err.Error())
		}
	}
	note := func(id string) {
		for _, field := range []string{"work_notes", "comments"} {
			if body[field] != "" {
				f.Journal = append(f.Journal, map[string]string{"sys_id": HexID(len(f.Journal) + 5000), "element_id": id, "element": field, "value": body[field]})
			}
			delete(body, field)
		}
	}
	at := slices.IndexFunc(f.Records, func(m map[string]string) bool { return m["sys_id"] == id && m["_table"] == table })
	switch r.Method {
	case http.MethodGet:
		list := f.Records
		if table == "sys_journal_field" {
			list = f.Journal
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
		Answer(w, http.StatusOK, map[string]any{"result": found})
	case http.MethodPost:
		id = HexID(len(f.Records) + 1)
		note(id)
		body["sys_id"], body["_table"] = id, table
		f.Records = append(f.Records, body)
		Answer(w, http.StatusCreated, map[string]any{"result": map[string]string{"sys_id": id}})
	case http.MethodPatch, http.MethodDelete:
		if at < 0 {
			Answer(w, http.StatusNotFound, map[string]any{"error": map[string]string{"message": "No Record found", "detail": "x"}})
			return
		}
		if r.Method == http.MethodDelete {
			f.Records = slices.Delete(f.Records, at, at+1)
			w.WriteHeader(http.StatusNoContent)
			return
		}
		note(id)
		for k, v := range body {
			f.Records[at][k] = v
		}
		Answer(w, http.StatusOK, map[string]any{"result": map[string]string{"sys_id": id}})
	}
}

// HexID is a sys_id.
func HexID(n int) string { return fmt.Sprintf("%032x", n) }

func matches(f *System, m map[string]string, query string) bool {
	for _, cond := range strings.Split(query, "^") {
		if field, v, ok := strings.Cut(cond, "LIKE"); ok {
			if !strings.Contains(m[field], v) {
				return false
			}
			continue
		}
		field, v, ok := strings.Cut(cond, "=")
		if !ok {
			f.Failed = append(f.Failed, "query: "+query)
		}
		if m[field] != v {
			return false
		}
	}
	return true
}

// Salesforce is the REST API: upsert and delete by an External Id.
func Salesforce(f *System, w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/services/data/" {
		Answer(w, http.StatusOK, []map[string]string{{"version": "65.0"}, {"version": "66.0"}})
		return
	}
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/services/data/v66.0/sobjects/"), "/")
	if len(parts) == 1 && r.Method == http.MethodGet {
		Answer(w, http.StatusOK, map[string]string{})
		return
	}
	if len(parts) != 3 {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	field, value := parts[1], parts[2]
	var at []int
	for i, m := range f.Records {
		if m[field] == value {
			at = append(at, i)
		}
	}
	wrong := func(status int, code string) {
		Answer(w, status, []map[string]any{{"errorCode": code, "message": "canary"}})
	}
	switch {
	case len(at) > 1:
		Answer(w, http.StatusMultipleChoices, []string{"/a", "/b"})
	case r.Method == http.MethodDelete && len(at) == 0:
		wrong(http.StatusNotFound, "NOT_FOUND")
	case r.Method == http.MethodDelete:
		f.Records = slices.Delete(f.Records, at[0], at[0]+1)
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodPatch:
		var body map[string]*string
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body[field] != nil {
			f.Failed = append(f.Failed, "the External Id stands in the body")
		}
		m, status := map[string]string{}, http.StatusCreated
		if len(at) == 1 {
			m, status = f.Records[at[0]], http.StatusOK
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
			f.Records = append(f.Records, m)
		}
		Answer(w, status, map[string]any{"id": "a01000000000001AAA", "success": true, "created": status == http.StatusCreated})
	}
}
