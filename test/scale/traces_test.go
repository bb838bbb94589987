package scale

import (
	"bytes"
	"context"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"aval/summarizer/company"
	"aval/summarizer/integration"
	"aval/summarizer/store"
)

// receiver is a collector: it keeps what is sent to it.
type receiver struct {
	mu    sync.Mutex
	raw   []byte
	spans []*otlp.Span
	wrong string
}

func (c *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	var req collector.ExportTraceServiceRequest
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(raw, &req) != nil {
		c.wrong = r.Method + " " + r.URL.Path
		http.Error(w, "not understood", http.StatusBadRequest)
		return
	}
	c.raw = append(c.raw, raw...)
	for _, rs := range req.ResourceSpans {
		for _, ss := range rs.ScopeSpans {
			c.spans = append(c.spans, ss.Spans...)
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// TestTraces: of a whole session (an agent that delivers, pages that are looked
// at, the API, a summary, a webhook) a real collector gets a span for each
// request, batch, job and transaction, and none of it holds what anybody sent: all
// text and names here are marked, and so are addresses. The log names the traces.
// Planted: with the request's path as the route, or the session's name in the span
// of its job, that is found.
func TestTraces(t *testing.T) {
	const mark = "canary" // in everything that people or agents bring
	got := &receiver{}
	sink := httptest.NewServer(got)
	t.Cleanup(sink.Close)
	var hooked atomic.Bool
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hooked.Store(true)
		http.Error(w, mark+" is what the other side says", http.StatusTeapot)
	}))
	t.Cleanup(hook.Close)

	dir := t.TempDir()
	bin := filepath.Join(dir, "aval-summarizer")
	if err := build(bin); err != nil {
		t.Fatal(err)
	}
	n := &Node{Name: "traced", Dir: filepath.Join(dir, "data")}
	if err := os.MkdirAll(n.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	var err error
	if n.Address, err = freePort(); err != nil {
		t.Fatal(err)
	}
	c := &Cluster{Dir: dir, Nodes: []*Node{n}, Address: n.Address}
	t.Cleanup(c.Close)
	if err := n.run(exec.Command(bin, "serve", "--data", n.Dir, "--listen", n.Address, "--traces", sink.URL, "--allow-host", "127.0.0.1")); err != nil {
		t.Fatal(err)
	}
	if err := c.wait("the server", func() bool { return c.ready(n.Address) }); err != nil {
		t.Fatal(err)
	}
	db, err := c.Store(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	a := enrol(t, db, n.Address, 1)[0]
	host, err := company.Load(t.Context(), db, company.Options{})
	if err != nil {
		t.Fatal(err)
	}
	home, err := host.Home(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	home = home.As(company.Command)
	secret, _, err := home.CreateAPIToken(t.Context(), company.NewAPIToken{Name: mark, Scopes: []company.Permission{company.SummariesRead, company.SessionsRead}})
	if err != nil {
		t.Fatal(err)
	}
	if err := home.RenameDevice(t.Context(), a.Device, mark+" desk"); err != nil {
		t.Fatal(err)
	}
	hub, err := integration.New(db, integration.Options{Allow: []string{"127.0.0.1"}, Server: "https://" + n.Address, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := hub.Of(home.ID(), "command").Create(t.Context(), integration.Endpoint{Kind: store.Webhook, Name: mark, Events: store.Types, Enabled: true,
		Config: integration.Config{URL: hook.URL + "/" + mark}}, integration.Secrets{}); err != nil {
		t.Fatal(err)
	}

	a.Supporter, a.Every, a.text = mark+" Ana", 200*time.Millisecond, mark+" https://example.com/?password="+mark
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	t.Cleanup(func() { cancel(); wg.Wait() })
	wg.Go(func() { a.Run(ctx) })
	if err := c.wait("a few batches", func() bool { return a.acked.Load() >= 20 }); err != nil {
		t.Fatal(err)
	}
	a.ending.Store(true)
	all := []*Agent{a}
	if err := c.wait("the summary", func() bool { return a.Done() && summaries(t, db, all) == 1 }); err != nil {
		t.Fatal(err)
	}
	if err := c.wait("the webhook", hooked.Load); err != nil {
		t.Fatal(err)
	}
	c.client = &http.Client{Timeout: time.Minute, Transport: http.DefaultTransport.(*http.Transport).Clone()}
	c.client.Transport.(*http.Transport).TLSClientConfig = insecure.Clone()
	c.client.Jar, _ = cookiejar.New(nil) // never fails
	link, err := os.ReadFile(filepath.Join(n.Dir, "first-start", "admin-link"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := get(t.Context(), c.client, strings.TrimSpace(string(link))); err != nil {
		t.Fatal(err)
	}
	ref := store.Key{Company: a.Company, Device: a.Device, Session: a.session}.Ref()
	ask := func(method, path string, want int) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, "https://"+n.Address+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("User-Agent", mark)
		req.Header.Set("Traceparent", "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01")
		if strings.HasPrefix(path, "/api") {
			req.Header.Set("Authorization", "Bearer "+secret)
		}
		res, err := c.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != want || want == http.StatusOK && !bytes.Contains(body, []byte(mark)) {
			t.Errorf("%s %s: %s", method, path, res.Status)
		}
	}
	ask("GET", "/?q="+mark, http.StatusOK)
	ask("GET", "/s/"+ref, http.StatusOK)
	ask("GET", "/api/v1/reports/connections?username="+mark+"+Ana", http.StatusOK)
	ask("GET", "/"+mark+"/"+mark, http.StatusNotFound)
	ask("CANARY", "/", http.StatusNotFound)
	cancel()
	wg.Wait()
	n.Stop(syscall.SIGTERM) // the last of them are sent now

	got.mu.Lock()
	defer got.mu.Unlock()
	if got.wrong != "" {
		t.Errorf("the collector does not understand %s", got.wrong)
	}
	names, traces, byID := map[string]int{}, map[string]bool{}, map[string]*otlp.Span{}
	for _, s := range got.spans {
		names[s.Name]++
		traces[hex.EncodeToString(s.TraceId)] = true
		byID[string(s.SpanId)] = s
	}
	t.Logf("%d spans: %v", len(got.spans), names)
	for _, want := range []string{"GET /{$}", "GET /s/{ref}", "GET /api/v1/reports/connections", "GET /", "_OTHER", "GET /agent",
		"ingest open", "ingest batch", "job summary", "job delivery", "transaction"} {
		if !slices.ContainsFunc(got.spans, func(s *otlp.Span) bool { return s.Name == want || want == "_OTHER" && strings.HasPrefix(s.Name, want) }) {
			t.Errorf("no span %q", want)
		}
	}
	for _, s := range got.spans {
		if s.Name == "transaction" && byID[string(s.ParentSpanId)] == nil {
			t.Error("a transaction of nothing")
		}
	}
	for _, secret := range []string{mark, "Ana", a.Device, "127.0.0.1", "password", "0123456789abcdef", "\x01\x23\x45\x67\x89\xab\xcd\xef", secret, home.ID()} {
		if i := bytes.Index(bytes.ToLower(got.raw), bytes.ToLower([]byte(secret))); i >= 0 {
			t.Errorf("%q is sent: …%q…", secret, got.raw[max(0, i-60):min(len(got.raw), i+60)])
		}
	}
	log, err := os.ReadFile(filepath.Join(n.Dir, "traced.log"))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`summary written.* trace_id=([0-9a-f]{32}) span_id=`).FindSubmatch(log)
	if found == nil || !traces[string(found[1])] {
		t.Errorf("the log does not name the summary's trace: %s", log)
	}
}
