package rest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"aval/summarizer/api"
	"aval/summarizer/api/rest"
	"aval/summarizer/company"
)

// maker makes requests out of the document: valid ones, such at the limits, and
// such that break one rule, or the form of the request itself.
type maker struct {
	*rand.Rand
	known []string // ids that exist
}

func pick[T any](m *maker, list ...T) T { return list[m.IntN(len(list))] }

// nasty are texts that break things.
var nasty = []string{"", " ", "\x00", "null", "🧨", "\u202eabc", "'; DROP TABLE users; --", "%", "%s%n", "../../etc/passwd", "<script>", "{{.}}", "\xff\xfe", "a\r\nX: y", strings.Repeat("x", 3000), "0", "-1", "١٢٣", "İ"}

// value makes one of a schema; bad: one that breaks it, where it can.
func (m *maker) value(ref *openapi3.SchemaRef, bad bool, depth int) any {
	s := ref.Value
	if bad && m.IntN(3) == 0 || depth > 6 {
		return pick[any](m, nil, true, -1, 1e308, "", []any{}, map[string]any{}, []any{nil}, map[string]any{"": nil})
	}
	switch {
	case len(s.Enum) > 0 && !bad:
		return s.Enum[m.IntN(len(s.Enum))]
	case s.Type == nil:
		return pick[any](m, "on", true, 3, "off", nil)
	case s.Type.Is("object"):
		return m.object(s, bad, depth)
	case s.Type.Is("array"):
		n := m.IntN(4)
		if s.MaxItems != nil && bad {
			n = int(*s.MaxItems) + 1
		} else if s.MinItems > 0 {
			n = max(n, int(s.MinItems))
		}
		if s.MaxItems != nil && !bad {
			n = min(n, int(*s.MaxItems))
		}
		list := []any{}
		for range n {
			list = append(list, m.value(s.Items, bad && m.IntN(2) == 0, depth+1))
		}
		return list
	case s.Type.Is("boolean"):
		return m.IntN(2) == 0
	case s.Type.Is("integer"), s.Type.Is("number"):
		low, high := float64(0), float64(math.MaxInt32)
		if s.Min != nil {
			low = *s.Min
		}
		if s.Max != nil {
			high = *s.Max
		}
		if bad {
			return pick[any](m, low-1, high+1, 0.5, "1", -math.MaxInt64, 1e30)
		}
		return pick[any](m, low, high, math.Floor(low+m.Float64()*(high-low)))
	}
	return m.text(s, bad)
}

func (m *maker) text(s *openapi3.Schema, bad bool) string {
	if s.Format == "date-time" {
		if bad {
			return pick(m, "yesterday", "2026-13-45T00:00:00Z", "2026-01-01", "", "0000-00-00T00:00:00Z")
		}
		return pick(m, "2026-08-03T09:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1969-12-31T23:59:59+14:00", "2026-02-28T23:59:60Z")
	}
	most := 50
	if s.MaxLength != nil {
		most = int(*s.MaxLength)
	}
	if bad {
		return pick(m, strings.Repeat("y", most+1), nasty[m.IntN(len(nasty))])
	}
	switch m.IntN(5) {
	case 0:
		return strings.Repeat("é", most)
	case 1:
		return m.known[m.IntN(len(m.known))]
	case 2:
		return nasty[m.IntN(len(nasty))]
	case 3:
		return pick(m, "https://hooks.example.com/x", "https://login.example.com", "a", "Ana", "Insights")
	}
	return strings.Repeat("z", max(1, int(s.MinLength)))
}

func (m *maker) object(s *openapi3.Schema, bad bool, depth int) any {
	out := map[string]any{}
	broken := ""
	if bad && len(s.Properties) > 0 {
		names := make([]string, 0, len(s.Properties))
		for n := range s.Properties {
			names = append(names, n)
		}
		slices.Sort(names)
		broken = names[m.IntN(len(names))]
	}
	for name, p := range s.Properties {
		switch required := slices.Contains(s.Required, name); {
		case name == broken && required && m.IntN(2) == 0: // left out
		case name == broken:
			out[name] = m.value(p, true, depth+1)
		case required || m.IntN(2) == 0:
			out[name] = m.value(p, false, depth+1)
		}
	}
	if bad && m.IntN(4) == 0 {
		out["nobody_knows_this"] = 1
	}
	return out
}

// request makes one for an operation.
func (m *maker) request(rt rest.Route, item *openapi3.PathItem, op *openapi3.Operation, bad bool) (method, path string, header http.Header, body []byte) {
	method, path, header = rt.Method, rt.Path, http.Header{}
	query := url.Values{}
	params := append(slices.Clone(item.Parameters), op.Parameters...)
	broken := -1
	if bad && len(params) > 0 && (op.RequestBody == nil || m.IntN(2) == 0) {
		broken = m.IntN(len(params))
	}
	for i, p := range params {
		v := fmt.Sprint(m.value(p.Value.Schema, i == broken, 0))
		if f, ok := m.value(p.Value.Schema, i == broken, 0).(float64); ok {
			v = strconv.FormatFloat(f, 'f', -1, 64)
		}
		switch p.Value.In {
		case "path":
			if m.IntN(3) > 0 {
				v = m.known[m.IntN(len(m.known))]
			}
			if v == "" || v == "." || v == ".." {
				v = "x"
			}
			path = strings.Replace(path, "{"+p.Value.Name+"}", url.PathEscape(v), 1)
		case "query":
			if i == broken || m.IntN(3) == 0 {
				query.Add(p.Value.Name, v)
				if bad && m.IntN(8) == 0 {
					query.Add(p.Value.Name, v)
				}
			}
		case "header":
			if m.IntN(3) == 0 && !strings.ContainsAny(v, "\r\n\x00") {
				header.Set(p.Value.Name, v)
			}
		}
	}
	if op.RequestBody != nil {
		v := m.value(op.RequestBody.Value.Content["application/json"].Schema, bad && broken < 0, 0)
		body, _ = json.Marshal(v)
		header.Set("Content-Type", "application/json")
	}
	if bad && m.IntN(6) == 0 {
		body = pick(m, []byte("{"), []byte("\xff"), []byte(`{"a":`+strings.Repeat("[", 9000)), []byte("null"), []byte(`"x"`), []byte("[]"), []byte("1e999"), append(slices.Clone(body), 'x'))
	}
	if bad && m.IntN(10) == 0 {
		header.Set("Content-Type", pick(m, "", "text/plain", "application/json; charset=utf-16", "multipart/form-data; boundary=x"))
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	if bad && m.IntN(12) == 0 {
		path += pick(m, "?limit=%zz", "?x=%00", "?"+strings.Repeat("a=b&", 500), "?after=%f0%28")
	}
	return method, path, header, body
}

// Whatever is asked, the API does not break: no 5xx, and every answer is one that
// the document describes. Half of the requests are valid, also at the limits, the
// other half break a rule of the document or of HTTP. AVAL_API_REQUESTS sets how
// many are made of each operation. Planted and seen: a panic in GetGroup where the
// id is longer than 30, and a record without its id in ListConnections.
func TestGenerated(t *testing.T) {
	w := open(t, 10_000_000)
	doc, err := api.Document()
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Errorf("the document is not valid: %v", err)
	}
	each := 20
	if n, err := strconv.Atoi(os.Getenv("AVAL_API_REQUESTS")); err == nil {
		each = n
	}
	seed := uint64(time.Now().UnixNano())
	if n, err := strconv.ParseUint(os.Getenv("AVAL_SEED"), 10, 64); err == nil {
		seed = n
	}
	t.Logf("AVAL_SEED=%d", seed)
	m := &maker{rand.New(rand.NewPCG(seed, 1)), []string{guid(w.key), w.key.Ref(), w.user.ID, "u" + w.user.ID, w.desk, "d" + w.desk, w.co.ID()}}
	total, statuses := 0, map[int]int{}
	for range each {
		for _, rt := range w.api.Routes() {
			item := doc.Paths.Value(strings.TrimPrefix(rt.Path, rest.Base))
			op := item.GetOperation(rt.Method)
			bad := m.IntN(2) == 0
			method, path, header, body := m.request(rt, item, op, bad)
			u, err := url.Parse("https://support.example.com" + path)
			if err != nil {
				u = &url.URL{Scheme: "https", Host: "support.example.com", Path: rt.Path, RawQuery: strings.SplitN(path+"?", "?", 2)[1]}
			}
			r := (&http.Request{Method: method, URL: u, Host: u.Host, Header: header, Body: io.NopCloser(strings.NewReader(string(body))), ContentLength: int64(len(body)),
				Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, RemoteAddr: "192.0.2.1:1"}).WithContext(t.Context())
			r.Header.Set("Authorization", "Bearer "+w.token)
			rec := httptest.NewRecorder()
			w.api.ServeHTTP(rec, r)
			total++
			statuses[rec.Code]++
			if rec.Code >= 500 {
				t.Fatalf("%s %s\n%v\n%s\n→ %d %s\n%s", method, path, header, body, rec.Code, rec.Body, w.log)
			}
			if err := answers(t, doc, rt, item, op, r, rec); err != nil {
				t.Fatalf("%s %s\n%s\n→ %d %s\n%v", method, path, body, rec.Code, rec.Body, err)
			}
			if rec.Code < 300 {
				var made struct {
					ID     string `json:"id"`
					Policy string `json:"policy_id"`
				}
				if json.Unmarshal(rec.Body.Bytes(), &made) == nil && made.ID+made.Policy != "" && len(m.known) < 200 {
					m.known = append(m.known, made.ID+made.Policy)
				}
			}
			// Somebody must still be able to ask.
			if rec.Code == 204 && (rt.Operation == "disableUser" || rt.Operation == "updateUser") {
				if r := w.call("GET", "/api/v1/account", w.token, ""); r.StatusCode == 401 {
					_, w.token = w.person(w.co, fmt.Sprint("Ada", total), company.Administrator, company.Scopes()...)
				}
			}
		}
	}
	t.Logf("%d requests to %d operations: %v", total, len(w.api.Routes()), statuses)
	if statuses[200]+statuses[201]+statuses[202]+statuses[204] < total/10 {
		t.Error("hardly any request was done: the generator makes no valid ones")
	}
}

// answers holds an answer against the document.
func answers(t *testing.T, doc *openapi3.T, rt rest.Route, item *openapi3.PathItem, op *openapi3.Operation, r *http.Request, rec *httptest.ResponseRecorder) error {
	in := &openapi3filter.RequestValidationInput{Request: r, Route: &routers.Route{Spec: doc, Path: strings.TrimPrefix(rt.Path, rest.Base), PathItem: item, Method: rt.Method, Operation: op}}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: rec.Code, Header: rec.Header(), Options: &openapi3filter.Options{IncludeResponseStatus: true}}
	out.SetBodyBytes(rec.Body.Bytes())
	if rec.Body.Len() == 0 && rec.Code < 300 {
		return nil
	}
	return openapi3filter.ValidateResponse(t.Context(), out)
}
