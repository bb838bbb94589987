package api

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"aval/summarizer/ingest"
	"aval/summarizer/store"
)

// scrapeWithin bounds the questions that one scrape asks of the database.
const scrapeWithin = 5 * time.Second

// Metrics is what Prometheus reads of one server, in its text format
// (prometheus.io/docs/instrumenting/exposition_formats). No label holds a name, an
// address or anything else that somebody sent: the values are words of this
// program. It is written here, for the usual library needs cgo on macOS.
type Metrics struct {
	db      *store.DB
	in      *ingest.Server
	version string

	transactions, requests *histogram
	more                   []func(io.Writer)
}

// NewMetrics counts what happens in a store and an ingest server.
func NewMetrics(db *store.DB, in *ingest.Server, version string) *Metrics {
	m := &Metrics{db: db, in: in, version: version,
		transactions: newHistogram(.001, .005, .02, .1, .5, 2, 10), requests: newHistogram(.005, .02, .05, .1, .3, 1, 5)}
	db.Observe(func(kind, result string, took time.Duration) {
		m.transactions.add(fmt.Sprintf(`kind="%s",result="%s"`, kind, result), took)
	})
	return m
}

// Also has write add its own families to each scrape. Called before the first one.
func (m *Metrics) Also(write func(io.Writer)) { m.more = append(m.more, write) }

// methods that are told apart.
var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// Count counts the requests that next answers; a connection of an agent counts
// until it is taken over.
func (m *Metrics) Count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start, seen := time.Now(), &status{ResponseWriter: w, code: http.StatusOK}
		next.ServeHTTP(seen, r)
		method := "other" // whatever else somebody sends
		if slices.Contains(methods, r.Method) {
			method = strings.ToLower(r.Method)
		}
		m.requests.add(fmt.Sprintf(`method="%s",code="%d"`, method, seen.code), time.Since(start))
	})
}

// status remembers how a request was answered, and lets who takes the connection
// over, or sends what it has, reach what is below.
type status struct {
	http.ResponseWriter
	code int
}

func (s *status) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}

func (s *status) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (s *status) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(s.ResponseWriter).Hijack()
}

func (s *status) Flush() { _ = http.NewResponseController(s.ResponseWriter).Flush() }

// ServeHTTP answers a scrape.
func (m *Metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var b bytes.Buffer
	family := func(name, typ, help string) { fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, typ) }
	one := func(name, typ, help string, v float64) {
		family(name, typ, help)
		fmt.Fprintf(&b, "%s %s\n", name, value(v))
	}
	family("aval_build_info", "gauge", "1, with the version.")
	fmt.Fprintf(&b, "aval_build_info{version=%s} 1\n", strconv.Quote(m.version))
	one("aval_agents_connected", "gauge", "Agents connected to this server.", float64(m.in.Connected()))
	taken, refused, events := m.in.Counts()
	family("aval_ingest_batches_total", "counter", "Batches of events, by result.")
	fmt.Fprintf(&b, "aval_ingest_batches_total{result=\"taken\"} %d\naval_ingest_batches_total{result=\"refused\"} %d\n", taken, refused)
	one("aval_ingest_events_total", "counter", "Events in batches that were taken.", float64(events))
	pools := m.db.Pools()
	family("aval_store_connections", "gauge", "Connections to the database in use, by pool.")
	for _, p := range slices.Sorted(maps.Keys(pools)) {
		fmt.Fprintf(&b, "aval_store_connections{pool=%q} %d\n", p, pools[p].InUse)
	}
	family("aval_store_waits_total", "counter", "Transactions that had to wait for a connection, by pool.")
	for _, p := range slices.Sorted(maps.Keys(pools)) {
		fmt.Fprintf(&b, "aval_store_waits_total{pool=%q} %d\n", p, pools[p].WaitCount)
	}
	m.jobs(r.Context(), one, family, &b)
	for _, write := range m.more {
		write(&b)
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	one("go_goroutines", "gauge", "Goroutines.", float64(runtime.NumGoroutine()))
	one("go_memstats_sys_bytes", "gauge", "Memory that the runtime has of the system.", float64(mem.Sys))
	one("go_memstats_heap_alloc_bytes", "gauge", "Memory in use on the heap.", float64(mem.HeapAlloc))
	family("aval_store_transaction_seconds", "histogram", "Transactions, by kind (write, read) and result (ok, error, again: it met another and is run anew).")
	m.transactions.write(&b, "aval_store_transaction_seconds")
	family("aval_http_request_seconds", "histogram", "Requests of browsers, programs and agents, by method and status.")
	m.requests.write(&b, "aval_http_request_seconds")
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write(b.Bytes()) // who has hung up needs no answer
}

// jobs asks the database how many jobs there are.
func (m *Metrics) jobs(ctx context.Context, one func(name, typ, help string, v float64), family func(name, typ, help string), b io.Writer) {
	ctx, cancel := context.WithTimeout(ctx, scrapeWithin)
	defer cancel()
	var list []store.JobCount
	err := m.db.View(ctx, func(tx *store.Tx) (err error) { list, err = tx.JobCounts(); return err })
	up := 1.0
	if err != nil {
		up = 0
	}
	one("aval_database_up", "gauge", "1 where the database answered this scrape.", up)
	family("aval_jobs", "gauge", "Jobs that are not done, of all servers, by kind and state.")
	for _, j := range list {
		fmt.Fprintf(b, "aval_jobs{kind=%q,state=%q} %d\n", string(j.Kind), string(j.State), j.N)
	}
	family("aval_jobs_late_seconds", "gauge", "How long the oldest job has been due.")
	for _, j := range list {
		if j.State == store.JobReady || j.State == store.JobLeased {
			fmt.Fprintf(b, "aval_jobs_late_seconds{kind=%q,state=%q} %s\n", string(j.Kind), string(j.State), value(max(0, time.Since(j.Oldest).Seconds())))
		}
	}
}

func value(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// histogram counts times by labels.
type histogram struct {
	bounds []float64 // seconds

	mu   sync.Mutex // guards rows
	rows map[string]*row
}

type row struct {
	below []uint64 // not cumulative; the last one is above all bounds
	sum   float64
}

func newHistogram(bounds ...float64) *histogram {
	return &histogram{bounds: bounds, rows: map[string]*row{}}
}

func (h *histogram) add(labels string, took time.Duration) {
	s := took.Seconds()
	i, _ := slices.BinarySearch(h.bounds, s)
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.rows[labels]
	if r == nil {
		r = &row{below: make([]uint64, len(h.bounds)+1)}
		h.rows[labels] = r
	}
	r.below[i]++
	r.sum += s
}

func (h *histogram) write(w io.Writer, name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, labels := range slices.Sorted(maps.Keys(h.rows)) {
		r, n := h.rows[labels], uint64(0)
		for i, c := range r.below {
			bound := "+Inf"
			if i < len(h.bounds) {
				bound = value(h.bounds[i])
			}
			n += c
			fmt.Fprintf(w, "%s_bucket{%s,le=\"%s\"} %d\n", name, labels, bound, n)
		}
		fmt.Fprintf(w, "%s_sum{%s} %s\n%s_count{%s} %d\n", name, labels, value(r.sum), name, labels, n)
	}
}
