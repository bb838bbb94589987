package llm

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"aval/summarizer/summary"
)

// Options of NewPool.
type Options struct {
	// Guarded speaks to models that companies name: it refuses what lies inside of
	// the server's own network.
	Guarded *http.Client
	Now     func() time.Time // nil: time.Now
}

// Pool keeps one engine for each configuration, so that what is known of a server
// is remembered, and counts what all of them do.
type Pool struct {
	o     Options
	count Counts

	mu   sync.Mutex // guards made
	made map[made]*Engine
}

type made struct {
	Config
	own bool
}

// NewPool makes a pool without engines.
func NewPool(o Options) *Pool {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Pool{o: o, made: map[made]*Engine{}}
}

// mostMade is how many engines are kept; companies that change theirs make more.
const mostMade = 256

// Engine is that of a configuration that Check has taken. own: whoever runs the
// server has chosen it, so that it may be inside of the server's own network.
func (p *Pool) Engine(c Config, own bool) (*Engine, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	k := made{c, own}
	if e := p.made[k]; e != nil {
		return e, nil
	}
	if len(p.made) >= mostMade {
		clear(p.made)
	}
	e := &Engine{c: c, client: p.o.Guarded, count: &p.count, now: p.o.Now}
	if own {
		e.client = direct(c)
	}
	if e.client == nil {
		return nil, errors.New("this server speaks to no models but its own")
	}
	p.made[k] = e
	return e, nil
}

var (
	errNotHere = errors.New("the model is said to run on this server, and its name leads to another")
	errPlain   = errors.New("without TLS a model is only spoken to inside of the own network: use https://")
)

// direct speaks to a model that whoever runs the server has chosen. Nothing of it
// is left to the environment: no proxy, no redirect, and what people are told of
// where the model runs is so.
func direct(c Config) *http.Client {
	plain := c.URL[:5] == "http:"
	d := &net.Dialer{Timeout: 10 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("%w: %s", errNotHere, address)
		}
		a := ap.Addr().Unmap()
		switch {
		case c.Here() && !a.IsLoopback():
			return errNotHere
		case plain && !a.IsLoopback() && !a.IsPrivate():
			return errPlain
		}
		return nil
	}}
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DialContext: d.DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second, MaxIdleConnsPerHost: 4,
			IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 32 << 10, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}},
	}
}

// Trial is what came of asking a model about a session that never was.
type Trial struct {
	Engine  string
	Summary summary.Summary
	Form    string // json_schema, json_object or text
	Taken   time.Duration
}

// Try has the model write about a session that was made up, so that nothing that
// was recorded is sent.
func (e *Engine) Try(ctx context.Context, lang string) (Trial, error) {
	began := e.now()
	in := summary.Specimen(language(lang))
	in.Engine = e.Name()
	s, err := e.Write(ctx, in, lang)
	if err != nil {
		return Trial{Engine: e.Name(), Taken: e.now().Sub(began)}, err
	}
	e.mu.Lock()
	f := e.form
	e.mu.Unlock()
	return Trial{Engine: e.Name(), Summary: s, Form: f.String(), Taken: e.now().Sub(began)}, nil
}

// Counts counts what the engines of a pool do.
type Counts struct {
	summaries, kept, dropped, in, out atomic.Int64

	mu     sync.Mutex // guards what follows
	calls  map[string]int64
	fails  map[summary.Why]int64
	took   time.Duration
	tookOf int64
}

func (c *Counts) written() { c.summaries.Add(1) }

func (c *Counts) claims(kept, dropped int) {
	c.kept.Add(int64(kept))
	c.dropped.Add(int64(dropped))
}

func (c *Counts) tokens(in, out int64) {
	c.in.Add(in)
	c.out.Add(out)
}

func (c *Counts) called(status int, took time.Duration) {
	result := "none"
	if status > 0 {
		result = fmt.Sprintf("%dxx", status/100)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls == nil {
		c.calls = map[string]int64{}
	}
	c.calls[result]++
	c.took += took
	c.tookOf++
}

func (c *Counts) failed(f *summary.Failure) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fails == nil {
		c.fails = map[summary.Why]int64{}
	}
	c.fails[f.Why]++
	return f
}

// WriteMetrics writes the counts in Prometheus' text format.
func (p *Pool) WriteMetrics(w io.Writer) {
	c := &p.count
	c.mu.Lock()
	defer c.mu.Unlock()
	family := func(name, typ, help string) { fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, typ) }
	family("aval_model_calls_total", "counter", "Calls of language models, by what was answered (none: nothing).")
	for _, k := range slices.Sorted(maps.Keys(c.calls)) {
		fmt.Fprintf(w, "aval_model_calls_total{answer=%q} %d\n", k, c.calls[k])
	}
	family("aval_model_call_seconds", "summary", "How long calls of language models took.")
	fmt.Fprintf(w, "aval_model_call_seconds_sum %g\naval_model_call_seconds_count %d\n", c.took.Seconds(), c.tookOf)
	family("aval_model_tokens_total", "counter", "Tokens, as the models' servers count them.")
	fmt.Fprintf(w, "aval_model_tokens_total{way=\"in\"} %d\naval_model_tokens_total{way=\"out\"} %d\n", c.in.Load(), c.out.Load())
	family("aval_model_summaries_total", "counter", "Summaries that models wrote.")
	fmt.Fprintf(w, "aval_model_summaries_total %d\n", c.summaries.Load())
	family("aval_model_failures_total", "counter", "Summaries that models did not write, by why.")
	for _, k := range slices.Sorted(maps.Keys(c.fails)) {
		fmt.Fprintf(w, "aval_model_failures_total{why=%q} %d\n", string(k), c.fails[k])
	}
	family("aval_model_claims_total", "counter", "Statements of models: kept, or dropped for no event bears them out.")
	fmt.Fprintf(w, "aval_model_claims_total{result=\"kept\"} %d\naval_model_claims_total{result=\"dropped\"} %d\n", c.kept.Load(), c.dropped.Load())
}
