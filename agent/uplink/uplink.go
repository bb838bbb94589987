// Package uplink carries one company's events and records from the store to its
// summarizer, and brings back acknowledgements and signed options.
//
// The one rule that must not be broken: nothing of a withdrawn stream leaves.
// The store is asked again just before each frame is written, and Fence stops
// even the frame that is on its way.
package uplink

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"

	"aval/agent/record"
	"aval/agent/store"
	"aval/agent/wire"
)

// Source is what a link needs of the store; *store.Store is one.
type Source interface {
	// Streams lists all streams, of every company.
	Streams() ([]store.StreamInfo, error)
	// Read returns waiting events after a sequence, all under one grant; nothing
	// once the stream is withdrawn or erased.
	Read(st store.Stream, after uint64, maxEvents, maxBytes int) ([]store.Item, error)
	// Ack notes that the summarizer has stored everything up to seq.
	Ack(st store.Stream, seq uint64) error
	// Record returns a record by its id: the grants of a stream's items.
	Record(id string) (store.Entry, error)
	// PendingRecords lists records that the company has not acknowledged, oldest first.
	PendingRecords(company string, max int) ([]store.Entry, error)
	RecordAcked(company, id string) error
	// PutSummary keeps an encoded wire.Summary for the person; an empty one: the
	// company has none any more. store.ErrErased: there is nothing to keep it with.
	PutSummary(st store.Stream, raw []byte) error
	// LogSize is how many records the device's log has.
	LogSize() int64
	// ProveLog returns the log's size and root, and the proof that it continues the
	// log of old records.
	ProveLog(old int64) (size int64, root [32]byte, proof []record.Hash, err error)
	// Changed fires when there may be something new to send.
	Changed() <-chan struct{}
}

// Config is a link's set-up. Server, Company, Device, Key and Source must be set.
type Config struct {
	Server  string // https://host:port
	Pin     string // sha256:HEX of the server key's SPKI; empty: system roots
	Company string
	Device  string
	Build   string        // the agent's version
	Key     crypto.Signer // the device's Ed25519 key
	Source  Source
	// OnOptions is given each options envelope, not verified. OnState is told each
	// change. Both are called from the link's goroutine and must not block long.
	OnOptions func(envelope []byte)
	OnState   func(State)
	// OnSummary is told, like them, when a session's summary came or went.
	OnSummary func(session string)
	// OnRequest is given, like them, each announced session's envelope, not
	// verified. The same one may come again.
	OnRequest func(envelope []byte)
	// OnHint is given, like them, what the server was told of a connection to this
	// computer. It is the server's word and nothing more.
	OnHint func(*wire.Hint)
	// ShowLog: at most so often the server is shown the signed size and root of the
	// device's log, of which it then has a witness; 0: never.
	ShowLog time.Duration
	// AuditSeen is the size of the company's audit log as this computer knows it, and
	// OnAudit is given, like the others, its head, not verified, with the proof that
	// it continues what was seen. nil: the server is not asked for it. AuditSeen is
	// called from the link's goroutine.
	AuditSeen func() int64
	OnAudit   func(*wire.Checkpoint)
	Log       *slog.Logger     // nil: nothing is logged
	Now       func() time.Time // nil: time.Now
	Backoff   Backoff
	// Proxy chooses an HTTP proxy for CONNECT; nil: from the environment.
	Proxy func(*http.Request) (*url.URL, error)
}

// Backoff is how long a link waits before it tries again: First doubling up to
// Max, each between half and whole; Refused after a server said not to retry. After
// a link that was up for a minute it comes back at any time within Spread: a server
// that ended had thousands, and they must not all come to the next one at once.
// Zero values mean 1 s, 5 min, 1 h and 10 s.
type Backoff struct{ First, Max, Refused, Spread time.Duration }

// steady is how long a link has been up that is not one that comes and goes.
const steady = time.Minute

// delay is how long to wait, of a wait that doubles, after a link that was up for
// so long.
func (b Backoff) delay(wait, up time.Duration) time.Duration {
	if up >= steady {
		return rand.N(b.Spread)
	}
	return wait/2 + rand.N(wait/2+1)
}

// The values of State.Link.
const (
	Connecting = "connecting"
	Connected  = "connected"
	Refused    = "refused" // the server turned this device away
)

// State is how the link stands.
type State struct {
	Link string `json:"link"`
	// Err says why it is not connected, or what of the data the server rejects.
	Err   string    `json:"err,omitempty"`
	Since time.Time `json:"since"` // of Link
	// Unknown: it was turned away as a device that the server does not know, or has revoked.
	Unknown bool `json:"unknown,omitempty"`
}

// Link is the connection to one company's summarizer.
type Link struct {
	cfg   Config
	addr  address
	keyID string // of cfg.Key: what leaves is signed by it and by no other

	reached chan struct{} // reach has changed

	// state belongs to Run's goroutine.
	state State
	// blocked streams were rejected for good by this server; they stay in the store.
	blocked map[store.Stream]string

	mu      sync.Mutex // guards what follows
	fenced  map[store.Stream]bool
	reach   *wire.Reach // what the server is to be told; nil: nothing
	current *conn
	sending map[store.Stream]int // payload frames of current that are not acknowledged
}

// New checks the configuration. It opens nothing.
func New(cfg Config) (*Link, error) {
	addr, err := parseServer(cfg.Server, cfg.Pin)
	if err != nil {
		return nil, err
	}
	pub, ok := cfg.Key.Public().(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("open uplink: device key is %T, not Ed25519", cfg.Key.Public())
	}
	if cfg.Company == "" || cfg.Device == "" || cfg.Source == nil {
		return nil, errors.New("open uplink: company, device or source is missing")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Proxy == nil {
		cfg.Proxy = http.ProxyFromEnvironment
	}
	if cfg.OnOptions == nil {
		cfg.OnOptions = func([]byte) {}
	}
	if cfg.OnSummary == nil {
		cfg.OnSummary = func(string) {}
	}
	if cfg.OnRequest == nil {
		cfg.OnRequest = func([]byte) {}
	}
	if cfg.OnHint == nil {
		cfg.OnHint = func(*wire.Hint) {}
	}
	if cfg.OnState == nil {
		cfg.OnState = func(State) {}
	}
	cfg.Backoff.First = orElse(cfg.Backoff.First, time.Second)
	cfg.Backoff.Max = orElse(cfg.Backoff.Max, 5*time.Minute)
	cfg.Backoff.Refused = orElse(cfg.Backoff.Refused, time.Hour)
	cfg.Backoff.Spread = orElse(cfg.Backoff.Spread, 10*time.Second)
	return &Link{cfg: cfg, addr: addr, reached: make(chan struct{}, 1), keyID: record.KeyID(pub), blocked: map[store.Stream]string{}, fenced: map[store.Stream]bool{},
		sending: map[store.Stream]int{}}, nil
}

func orElse(d, other time.Duration) time.Duration {
	if d <= 0 {
		return other
	}
	return d
}

// refusedError is a Refused frame.
type refusedError struct {
	code, sentence string
	retry          bool
}

func (e *refusedError) Error() string { return e.sentence }

// Run keeps the link up until ctx ends, which is no error. It must be called once.
func (l *Link) Run(ctx context.Context) error {
	wait := l.cfg.Backoff.First
	l.set(State{Link: Connecting})
	for {
		began, up := time.Now(), time.Duration(0)
		good, err := l.connect(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if good {
			wait, up = l.cfg.Backoff.First, time.Since(began)
		}
		delay := l.cfg.Backoff.delay(wait, up)
		wait = min(wait*2, l.cfg.Backoff.Max)
		var no *refusedError
		switch {
		case errors.As(err, &no) && !no.retry:
			delay = l.cfg.Backoff.Refused
			l.set(State{Link: Refused, Err: no.sentence, Unknown: no.code == "unknown-device"})
		default:
			l.set(State{Link: Connecting, Err: err.Error()})
		}
		l.cfg.Log.Info("uplink down", "err", err, "again_in", delay)
		t := time.NewTimer(delay)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-t.C:
		}
	}
}

func (l *Link) set(s State) {
	s.Since = l.state.Since
	if s.Link != l.state.Link {
		s.Since = l.cfg.Now().UTC()
	}
	if s == l.state {
		return
	}
	l.state = s
	l.cfg.OnState(s)
}

// Fence keeps any further payload of a stream from leaving, at once: call it
// before the withdrawal is made durable. Where some of it is on its way, the
// connection is reset, so that not even what the kernel still holds is sent; the
// link then comes back by itself. Any goroutine may call it, any number of times.
func (l *Link) Fence(st store.Stream) {
	l.mu.Lock()
	l.fenced[st] = true
	var cut *conn
	if l.sending[st] > 0 {
		cut = l.current
	}
	l.mu.Unlock()
	if cut != nil {
		cut.reset()
	}
}

// Lift takes a Fence back: what was held may leave again. The link begins anew,
// since what it knew of the stream ended with the fence.
func (l *Link) Lift(st store.Stream) {
	l.mu.Lock()
	var anew *conn
	if l.fenced[st] {
		anew = l.current
	}
	delete(l.fenced, st)
	l.mu.Unlock()
	if anew != nil {
		anew.reset()
	}
}

// Reach has the server told whether somebody at this computer could be asked, at
// each connection and now. Any goroutine may call it.
func (l *Link) Reach(r *wire.Reach) {
	l.mu.Lock()
	l.reach = r
	l.mu.Unlock()
	select {
	case l.reached <- struct{}{}:
	default: // it will be looked at anyway
	}
}

// admit registers a payload frame of st about to be written by c; false: it must
// not be.
func (l *Link) admit(c *conn, st store.Stream) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fenced[st] || l.current != c {
		return false
	}
	l.sending[st]++
	return true
}

// settled takes back n admitted frames.
func (l *Link) settled(st store.Stream, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sending[st] -= n; l.sending[st] <= 0 {
		delete(l.sending, st)
	}
}

// use makes c the current connection; nil: none.
func (l *Link) use(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.current = c
	clear(l.sending)
}
