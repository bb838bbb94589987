// Package ingest is where agents deliver: a WebSocket for each device, on which
// grants, batches of events and signed records arrive and are verified, stored
// and only then acknowledged.
//
// The one rule that must not be broken: what the rules of accept.go do not
// accept is not stored and not logged, not in part; what is acknowledged has
// been committed.
package ingest

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"github.com/klauspost/compress/zstd"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"aval/agent/wire"
	"aval/summarizer/company"
	"aval/summarizer/store"
)

// Options of a server; zero values are the defaults.
type Options struct {
	Now   func() time.Time // nil: time.Now
	Log   *slog.Logger     // nil: nothing is logged
	Build string           // the server's version
	// Tracer begins a span for each frame of a device; nil: there are none.
	Tracer trace.Tracer
	// Ping is how often an idle connection is tried, and its device's right to it
	// checked; 0: 55 s, below the idle limits of common gateways.
	Ping time.Duration
	// Look is how often the server looks whether options or policies have changed,
	// by one small query for all devices; 0: 2 s.
	Look time.Duration
}

// Server accepts the connections of devices. It is an http.Handler for
// wire.AgentPath and needs TLS 1.3 in front of nothing: a proxy that opens TLS
// breaks the proof of the device.
type Server struct {
	db  *store.DB
	co  *company.Host
	o   Options
	up  websocket.Upgrader
	dec *zstd.Decoder

	began time.Time
	ctx   context.Context
	stop  context.CancelFunc

	changes atomic.Int64 // how often settings were seen to have changed
	first   sync.Once    // the first device starts the looking
	looking sync.WaitGroup

	taken, refused, events atomic.Int64 // see Counts

	mu     sync.Mutex // guards what follows
	conns  map[*conn]struct{}
	closed bool
	work   sync.WaitGroup // one for each connection; added to under mu
}

// New makes a server for the companies of co.
func New(db *store.DB, co *company.Host, o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Tracer == nil {
		o.Tracer = noop.NewTracerProvider().Tracer("")
	}
	if o.Ping <= 0 {
		o.Ping = 55 * time.Second
	}
	// DecodeAll is safe for concurrent use and refuses what would grow over the limit.
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderMaxMemory(wire.MaxBatchBytes))
	if err != nil {
		panic(err) // only for options that do not exist
	}
	s := &Server{db: db, co: co, o: o, dec: dec, began: time.Now(), conns: map[*conn]struct{}{}}
	s.ctx, s.stop = context.WithCancel(context.Background())
	if o.Look <= 0 {
		s.o.Look = 2 * time.Second
	}
	if db != nil { // without one, frames are only decoded
		go s.spread()
	}
	// No buffer for writing while idle, and that for reading is takeover's: thousands
	// of devices are connected and say nothing.
	s.up = websocket.Upgrader{HandshakeTimeout: 10 * time.Second, WriteBufferSize: 4096,
		WriteBufferPool: &sync.Pool{}, CheckOrigin: noBrowser}
	return s
}

// noBrowser: agents send no Origin, browsers always do.
func noBrowser(r *http.Request) bool { return r.Header.Get("Origin") == "" }

// ServeHTTP takes one device's connection and returns at once: the handler's own
// buffers are freed. The server must listen by Listen.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.TLS == nil {
		http.Error(w, "the channel of agents needs a direct TLS connection", http.StatusForbidden)
		return
	}
	c := &conn{s: s, tls: r.TLS}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		http.Error(w, "the server is stopping", http.StatusServiceUnavailable)
		return
	}
	s.work.Add(1)
	s.mu.Unlock()
	s.first.Do(func() { s.looking.Go(s.look); s.looking.Go(s.rounds) })
	ws, err := s.up.Upgrade(takeover{w, c}, r, nil)
	if err != nil { // Upgrade has answered
		s.work.Done()
		return
	}
	c.ws = ws
	s.mu.Lock()
	s.conns[c] = struct{}{}
	closed := s.closed
	s.mu.Unlock()
	if closed {
		_ = ws.Close()
	}
	go c.begin()
}

func (s *Server) gone(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	s.work.Done()
}

// look has every connected device looked at as soon as options or policies have
// changed, and told of the sessions that are announced to it: by this server, another on the same store, or a command.
func (s *Server) look() {
	tick := time.NewTicker(s.o.Look)
	defer tick.Stop()
	var seen map[string]int64 // the versions of the companies' settings
	for {
		var versions map[string]int64
		var announced []string
		err := s.db.View(s.ctx, func(tx *store.Tx) (err error) {
			if versions, err = tx.SettingsVersions(); err == nil {
				announced, err = tx.AnnouncedDevices(s.o.Now())
			}
			return err
		})
		for _, device := range announced {
			for _, c := range s.connsOf(device) {
				c.tellRequests()
			}
		}
		switch {
		case s.ctx.Err() != nil:
			return
		case err != nil:
			s.o.Log.Error("look for changed options", "err", err)
		case !maps.Equal(seen, versions):
			s.changes.Add(1) // first: who is being greeted compares it
			s.mu.Lock()
			for c := range s.conns { // not all in one instant
				if c.greeted.Load() && seen[c.company] != versions[c.company] {
					time.AfterFunc(rand.N(time.Duration(len(s.conns))*time.Millisecond), c.tick)
				}
			}
			s.mu.Unlock()
			seen = versions
		}
		select {
		case <-tick.C:
		case <-s.ctx.Done():
			return
		}
	}
}

// rounds comes by each connection when its time has come. One goroutine for all: a
// timer for each would be kept for days.
func (s *Server) rounds() {
	tick := time.NewTicker(max(s.o.Ping/64, 10*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-s.ctx.Done():
			return
		}
		s.mu.Lock()
		for c := range s.conns {
			if c.greeted.Load() && c.due <= s.age() {
				c.due = s.age() + s.o.Ping
				go c.tick()
			}
		}
		s.mu.Unlock()
	}
}

// connsOf are the connections of a device that have greeted it.
func (s *Server) connsOf(device string) (out []*conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if c.greeted.Load() && c.device == device {
			out = append(out, c)
		}
	}
	return out
}

// Counts are the batches that were taken and refused since the start, and the
// events in those that were taken.
func (s *Server) Counts() (taken, refused, events int64) {
	return s.taken.Load(), s.refused.Load(), s.events.Load()
}

// Connected is the number of connections, for the state of the server.
func (s *Server) Connected() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Close ends all connections: each batch that is being stored is stored and
// acknowledged, nothing new is read. It is idempotent.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	for c := range s.conns {
		c.goAway()
	}
	s.mu.Unlock()
	s.work.Wait()
	s.stop()
	s.looking.Wait()
	s.dec.Close()
	return nil
}

// age is the time since New, by a clock that nobody sets.
func (s *Server) age() time.Duration { return time.Since(s.began) }

var errGone = errors.New("the connection has ended")
