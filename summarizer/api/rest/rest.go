// Package rest serves the public API: the operations of summarizer/api's OpenAPI
// document, for programs that bring a token.
//
// The one rule that must not be broken: the document is the one table. A path that
// it does not have is not served, an operation asks for the permission that stands
// there, and a request that it does not describe is refused before anything is done.
package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"aval/summarizer/api"
	v1 "aval/summarizer/api/v1"
	"aval/summarizer/company"
	"aval/summarizer/credit"
	"aval/summarizer/integration"
	"aval/summarizer/store"
	"aval/summarizer/summary"
)

// Base is where the API begins.
const Base = "/api/v1"

// maxBody is the longest request, in bytes.
const maxBody = 256 << 10

// Options of New.
type Options struct {
	Host *company.Host
	Hub  *integration.Hub
	Now  func() time.Time // nil: time.Now
	Log  *slog.Logger     // nil: slog.Default
	// Rate is how many calls one token may make in a minute; 0: 600.
	Rate int
}

// Route is one operation of the document.
type Route struct {
	Method, Path string // /api/v1/…, with {id} for what differs
	Operation    string
	// Needs is the permission that its caller must have; empty: nobody is asked.
	Needs company.Permission
}

// Server is the API's http.Handler, for Base, DocsPath and all below them.
type Server struct {
	db     *store.DB
	o      Options
	mux    *http.ServeMux
	routes map[string]route // by the pattern of mux
	limits *limits
	docs   []byte
}

type route struct {
	Route
	in *routers.Route
}

// New makes the API of db.
func New(db *store.DB, o Options) (*Server, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Rate == 0 {
		o.Rate = 600
	}
	doc, err := api.Document()
	if err != nil {
		return nil, err
	}
	s := &Server{db: db, o: o, mux: http.NewServeMux(), routes: map[string]route{}, limits: newLimits(o.Rate, o.Now)}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			r := route{Route{method, Base + path, op.OperationID, ""}, &routers.Route{Spec: doc, Path: path, PathItem: item, Method: method, Operation: op}}
			if p, ok := op.Extensions["x-permission"].(string); ok {
				r.Needs = company.Permission(p)
			}
			// What the document leaves out is nobody's to use.
			if r.Needs == "" && (op.Security == nil || len(*op.Security) > 0) || r.Needs != "" && !slices.Contains(company.Permissions(), r.Needs) {
				return nil, fmt.Errorf("read OpenAPI document: %s %s has no permission", method, path)
			}
			s.routes[method+" "+r.Path] = r
		}
	}
	if s.docs, err = page(doc); err != nil {
		return nil, err
	}
	strict := v1.NewStrictHandlerWithOptions(&operations{s}, nil, v1.StrictHTTPServerOptions{RequestErrorHandlerFunc: s.unread, ResponseErrorHandlerFunc: s.fail})
	v1.HandlerWithOptions(strict, v1.StdHTTPServerOptions{BaseURL: Base, BaseRouter: s.mux, ErrorHandlerFunc: s.unread})
	return s, nil
}

// Routes is the table, for who checks it.
func (s *Server) Routes() []Route {
	var out []Route
	for _, r := range s.routes {
		out = append(out, r.Route)
	}
	slices.SortFunc(out, func(a, b Route) int { return strings.Compare(a.Path+a.Method, b.Path+b.Method) })
	return out
}

// caller is who makes a request.
type caller struct {
	company.Caller
	co *company.Service
	id string // of the request
}

type callerKey struct{}

// from is the caller of a request that was let through.
func from(ctx context.Context) caller { c, _ := ctx.Value(callerKey{}).(caller); return c }

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, asked := store.NewID(s.o.Now()), r
	h := w.Header()
	h.Set("X-Request-Id", id)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	r = r.WithContext(context.WithValue(r.Context(), callerKey{}, caller{id: id}))
	defer func() {
		if p := recover(); p != nil && p != http.ErrAbortHandler {
			// The value may hold captured text: its type and place are enough.
			s.o.Log.ErrorContext(r.Context(), "API request broke down", "request", id, "kind", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			s.refuse(w, r, problem{http.StatusInternalServerError, "internal_error", "Something went wrong here; the request id finds it in the server's log."})
		}
	}()
	if s.document(w, r) {
		return
	}
	_, pattern := s.mux.Handler(r)
	asked.Pattern = pattern // for who counts and traces requests
	rt, ok := s.routes[pattern]
	if !ok {
		s.unknown(w, r)
		return
	}
	if err := s.admit(w, &r, rt); err != nil {
		s.fail(w, r, err)
		return
	}
	if r.Method == http.MethodPost && r.Header.Get("Idempotency-Key") != "" {
		s.once(w, r)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// admit lets a request through that the document describes, from a caller who may.
func (s *Server) admit(w http.ResponseWriter, r **http.Request, rt route) error {
	c, err := s.caller(*r)
	if err == nil {
		// Sessions that the caller may not see are not there, whatever an operation asks for.
		*r = (*r).WithContext(store.WithSight(context.WithValue((*r).Context(), callerKey{}, c), c.Sight))
	}
	switch {
	case rt.Needs == "": // whether a token was brought and counts, the operation says itself
		if !s.limits.take(w.Header(), address(*r), 1) {
			return tooMany
		}
	case err != nil:
		// Guessing costs more than asking.
		if !s.limits.take(w.Header(), address(*r), 20) {
			return tooMany
		}
		return err
	case !s.limits.take(w.Header(), "token:"+c.Token.ID, 1):
		return tooMany
	case rt.Needs != company.Own && !c.May(rt.Needs):
		w.Header().Set("WWW-Authenticate", `Bearer realm="aval", error="insufficient_scope", scope="`+string(rt.Needs)+`"`)
		return problem{http.StatusForbidden, "insufficient_scope", "This needs the scope " + string(rt.Needs) + ", which the token or its user's role does not have."}
	}
	return s.read(w, *r, rt)
}

// caller finds who brings the token.
func (s *Server) caller(r *http.Request) (caller, error) {
	c := from(r.Context())
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if token = strings.TrimSpace(token); token == "" || !strings.EqualFold(scheme, "Bearer") {
		return c, noToken
	}
	co, who, err := s.o.Host.TokenOf(r.Context(), token)
	if errors.Is(err, company.ErrNoToken) {
		return c, badToken
	}
	if err != nil {
		return c, err
	}
	return caller{who, co, c.id}, nil
}

// read takes the body in and holds the request against the document.
func (s *Server) read(w http.ResponseWriter, r *http.Request, rt route) error {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		return problem{http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf("A request has at most %d bytes.", maxBody)}
	case err != nil:
		return problem{http.StatusBadRequest, "invalid_request", "The request was cut off."}
	case len(raw) > 0 && rt.in.Operation.RequestBody == nil:
		return problem{http.StatusBadRequest, "invalid_request", "This request has no body."}
	}
	if len(raw) > 0 {
		if t, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(t), "application/json") {
			return problem{http.StatusUnsupportedMediaType, "unsupported_media_type", "The body is JSON: Content-Type: application/json."}
		}
		if err := distinct(raw); err != nil {
			return problem{http.StatusBadRequest, "invalid_request", "The body is no JSON: " + err.Error() + "."}
		}
	}
	r.Body = io.NopCloser(bytes.NewReader(raw))
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return problem{http.StatusBadRequest, "invalid_request", "The query cannot be read."}
	}
	// Arrays in the way of .NET and PHP; unknown, the name would be passed over and
	// nothing filtered.
	for name, values := range query {
		if bare, ok := strings.CutSuffix(name, "[]"); ok && rt.in.Operation.Parameters.GetByInAndName("query", bare) != nil {
			delete(query, name)
			query[bare] = append(query[bare], values...)
			u := *r.URL
			u.RawQuery = query.Encode()
			r.URL = &u
		}
	}
	texts := []string{r.URL.Path, r.Header.Get("Idempotency-Key"), r.Header.Get("If-Match")}
	for name, values := range query {
		texts = append(append(texts, name), values...)
	}
	if slices.ContainsFunc(texts, unclean) {
		return problem{http.StatusBadRequest, "invalid_request", "The request holds what is no text."}
	}
	params := map[string]string{}
	for _, p := range append(slices.Clone(rt.in.PathItem.Parameters), rt.in.Operation.Parameters...) {
		if p.Value.In == "path" {
			params[p.Value.Name] = r.PathValue(p.Value.Name)
		}
	}
	for name := range params { // ServeMux sets them only when it serves
		params[name] = segment(rt.in.Path, r.URL.Path, name)
	}
	err = openapi3filter.ValidateRequest(r.Context(), &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: rt.in,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, SkipSettingDefaults: true}})
	r.Body = io.NopCloser(bytes.NewReader(raw))
	if err != nil {
		return problem{http.StatusBadRequest, "invalid_request", said(err)}
	}
	return nil
}

// segment is what stands in path where the template has {name}.
func segment(template, path, name string) string {
	parts := strings.Split(strings.TrimPrefix(path, Base), "/")
	for i, t := range strings.Split(template, "/") {
		if t == "{"+name+"}" && i < len(parts) {
			return parts[i]
		}
	}
	return ""
}

// said is what is wrong with a request, in a sentence without its values.
func said(err error) string {
	var re *openapi3filter.RequestError
	var se *openapi3.SchemaError
	where := "The request"
	if errors.As(err, &re) {
		switch {
		case re.Parameter != nil:
			where = "The parameter " + re.Parameter.Name
		case re.RequestBody != nil:
			where = "The body"
		}
	}
	var pe *openapi3filter.ParseError
	if errors.As(err, &pe) && re != nil && re.Parameter != nil && re.Parameter.Schema != nil {
		for typ, needs := range map[string]string{"integer": "a whole number", "boolean": "true or false"} {
			if re.Parameter.Schema.Value.Type.Is(typ) {
				return where + " is " + needs + "."
			}
		}
	}
	if errors.As(err, &se) {
		if se.Schema != nil && se.Schema.Format == "date-time" || strings.Contains(se.Reason, "not valid date-time") {
			return where + " is a time with its zone, such as 2026-11-22T00:00:00Z."
		}
		if p := se.JSONPointer(); len(p) > 0 {
			where += " at " + strings.Join(p, ".")
		}
		if se.Reason != "" {
			return where + ": " + oneLine(se.Reason) + "."
		}
	}
	if re != nil && re.Reason != "" {
		return where + ": " + oneLine(re.Reason) + "."
	}
	return where + " is not as the document describes it."
}

// validator is what the validator writes before the reason.
var validator = regexp.MustCompile(`jsonschema validation failed with '[^']*'\s*(- )?(at '': )?`)

// oneLine bounds a reason; it may name what the caller sent.
func oneLine(s string) string {
	s = validator.ReplaceAllString(s, "")
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "")), " ")
	if r := []rune(s); len(r) > 200 {
		s = string(r[:200]) + "…"
	}
	return strings.TrimSuffix(s, ".")
}

// unclean tells what a database does not take as a text: PostgreSQL has no zero
// bytes and nothing that is no UTF-8.
func unclean(s string) bool { return strings.ContainsRune(s, 0) || !utf8.ValidString(s) }

// distinct refuses what is no single JSON value, and objects that name a thing
// twice: readers disagree about what those mean.
func distinct(raw []byte) error {
	if !json.Valid(raw) || !utf8.Valid(raw) {
		return errors.New("it cannot be read")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	type level struct {
		names map[string]bool // nil: an array
		value bool            // a value comes next
	}
	var open []level
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return errors.New("it cannot be read")
		}
		top := len(open) - 1
		switch v := t.(type) {
		case json.Delim:
			switch v {
			case '{':
				open = append(open, level{names: map[string]bool{}})
				continue
			case '[':
				open = append(open, level{})
				continue
			}
			open = open[:top]
			top--
		case string:
			if unclean(v) {
				return errors.New("it holds what is no text")
			}
			if top >= 0 && open[top].names != nil && !open[top].value {
				if open[top].names[v] {
					return errors.New("it names something twice")
				}
				open[top].names[v], open[top].value = true, true
				continue
			}
		}
		if top >= 0 {
			open[top].value = false
		}
	}
}

func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	return "address:" + host
}

// unknown answers a path, or a method of a path, that the document does not have.
func (s *Server) unknown(w http.ResponseWriter, r *http.Request) {
	var allow []string
	for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
		probe := r.Clone(r.Context())
		probe.Method = m
		if _, pattern := s.mux.Handler(probe); s.routes[pattern].Method == m {
			allow = append(allow, m)
		}
	}
	if len(allow) > 0 {
		w.Header().Set("Allow", strings.Join(allow, ", "))
		s.fail(w, r, problem{http.StatusMethodNotAllowed, "method_not_allowed", "This path takes " + strings.Join(allow, ", ") + "."})
		return
	}
	s.fail(w, r, problem{http.StatusNotFound, "not_found", "There is no such path; " + DocsPath + " lists them."})
}

// problem is an error as callers are told it.
type problem struct {
	status   int
	word     string
	sentence string
}

func (p problem) Error() string { return p.word + ": " + p.sentence }

var (
	noToken  = problem{http.StatusUnauthorized, "invalid_token", "A token is needed: Authorization: Bearer TOKEN."}
	badToken = problem{http.StatusUnauthorized, "invalid_token", "This token is not known or has ended, or its user is disabled."}
	tooMany  = problem{http.StatusTooManyRequests, "too_many_requests", "Too many calls; Retry-After says when to come back."}
	missing  = problem{http.StatusNotFound, "not_found", "There is none with this id."}
	changed  = problem{http.StatusPreconditionFailed, "precondition_failed", "It was changed meanwhile: get it again, and its ETag."}
)

// unread answers a request whose parts cannot be read.
func (s *Server) unread(w http.ResponseWriter, r *http.Request, err error) {
	s.fail(w, r, problem{http.StatusBadRequest, "invalid_request", oneLine(err.Error()) + "."})
}

// fail answers an error. What is no problem of the caller's is logged and not told.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	var p problem
	var said *company.Said
	var invalid *company.Invalid
	var wrong *company.Wrong
	switch {
	case errors.As(err, &p):
	case errors.Is(err, api.ErrNoReceipt):
		p = problem{http.StatusConflict, "key_revoked", sentence(err.Error())}
	case errors.Is(err, company.ErrAssigned):
		p = problem{http.StatusConflict, "assigned", "It is still assigned: take it away there first, or say unassign=true."}
		if errors.As(err, &wrong) {
			p.sentence = sentence(wrong.Error())
		}
	case errors.As(err, &said):
		p = problem{http.StatusBadRequest, "invalid_request", sentence(said.Error())}
	case errors.As(err, &wrong):
		p = problem{http.StatusBadRequest, "invalid_request", sentence(wrong.Error())}
	case errors.Is(err, company.ErrRelease):
		p = problem{http.StatusConflict, "release_needed", "Publishing needs the company's release key: aval-summarizer policy draft, sign and publish."}
	case errors.Is(err, credit.ErrPack), errors.Is(err, credit.ErrTerm), errors.Is(err, credit.ErrTier), errors.Is(err, credit.ErrZone), errors.Is(err, credit.ErrInput),
		errors.Is(err, company.ErrEngine):
		p = problem{http.StatusBadRequest, "invalid_request", sentence(err.Error())}
	case errors.As(err, &invalid):
		p = problem{http.StatusBadRequest, "invalid_request", sentence(invalid.Error())}
	case errors.Is(err, integration.ErrWrong), errors.Is(err, integration.ErrNoSummary), errors.Is(err, company.ErrCodeFor), errors.Is(err, company.ErrOwnName), errors.Is(err, company.ErrCursor):
		p = problem{http.StatusBadRequest, "invalid_request", sentence(err.Error())}
	case errors.Is(err, integration.ErrConflict), errors.Is(err, company.ErrChanged):
		p = changed
	case errors.Is(err, company.ErrNotEnded):
		p = problem{http.StatusConflict, "not_ended", "The session has not ended yet: its summary is written then."}
	case errors.Is(err, summary.ErrEdit):
		p = problem{http.StatusBadRequest, "invalid_request", sentence(err.Error())}
	case errors.Is(err, store.ErrNotFound), errors.Is(err, company.ErrNoUser), errors.Is(err, company.ErrNoDevice), errors.Is(err, company.ErrNoModule),
		errors.Is(err, company.ErrNoGroup), errors.Is(err, company.ErrNoSummary), errors.Is(err, company.ErrNoOrder),
		errors.Is(err, company.ErrNoOpening), errors.Is(err, company.ErrEnrolToken):
		p = missing
	case errors.Is(err, store.ErrBusy), errors.Is(err, context.DeadlineExceeded):
		w.Header().Set("Retry-After", "5")
		p = problem{http.StatusServiceUnavailable, "unavailable", "The server is busy; try again in a moment."}
	case r.Context().Err() != nil:
		return // nobody listens any more
	default:
		s.o.Log.ErrorContext(r.Context(), "API request failed", "request", from(r.Context()).id, "path", r.Pattern, "err", err)
		p = problem{http.StatusInternalServerError, "internal_error", "Something went wrong here; the request id finds it in the server's log."}
	}
	s.refuse(w, r, p)
}

func sentence(s string) string {
	s = oneLine(s)
	if s == "" {
		return "The request cannot be done."
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

func (s *Server) refuse(w http.ResponseWriter, r *http.Request, p problem) {
	h := w.Header()
	if p.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="aval"`)
		if p == badToken {
			h.Set("WWW-Authenticate", `Bearer realm="aval", error="invalid_token"`)
		}
	}
	body, err := json.Marshal(v1.Error{Error: p.word, ErrorDescription: p.sentence, ErrorCode: p.status, RequestId: from(r.Context()).id})
	if err != nil { // strings and a number always encode
		panic(err)
	}
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)+1))
	w.WriteHeader(p.status)
	_, _ = w.Write(append(body, '\n')) // the caller has gone: nobody to tell
}
