package store

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// channel is PostgreSQL's LISTEN/NOTIFY channel. What it carries only shortens
	// the wait: every server also looks at the tables.
	channel = "aval"
	// hintEvery is how often hints go out at most; what comes in between goes together.
	hintEvery = 100 * time.Millisecond
	// hintDevices of one notification stay below its limit of 8000 bytes.
	hintDevices = 200
	// hintWithin bounds the sending of one hint.
	hintWithin = 2 * time.Second
)

// hint is what servers on one database tell each other after a commit.
type hint struct {
	From string   `json:"from,omitempty"` // the process; its own hints it has had
	Jobs bool     `json:"jobs,omitempty"`
	News []string `json:"news,omitempty"` // devices with news of summaries
}

// hints sends and receives. One goroutine sends and one listens; a command, which
// ends soon, sends by itself and does not listen.
type hints struct {
	db     *DB
	config *pgx.ConnConfig
	me     string

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex // guards waiting
	waiting hint
	more    chan struct{} // nil in a command
}

func newHints(db *DB, config *pgx.ConnConfig, server bool) *hints {
	h := &hints{db: db, config: config, me: NewID(time.Now())}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	if server {
		h.more = make(chan struct{}, 1)
		h.wg.Go(h.sending)
		h.wg.Go(h.listening)
	}
	return h
}

func (h *hints) close() {
	h.cancel()
	h.wg.Wait()
}

// send passes on what has been committed. It never fails: who misses a hint finds
// the work by looking.
func (h *hints) send(ctx context.Context, n hint) {
	switch {
	case h == nil:
	case h.more == nil:
		h.notify(ctx, n)
	default:
		h.mu.Lock()
		h.waiting.Jobs = h.waiting.Jobs || n.Jobs
		h.waiting.News = append(h.waiting.News, n.News...)
		h.mu.Unlock()
		select {
		case h.more <- struct{}{}:
		default:
		}
	}
}

func (h *hints) sending() {
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-h.more:
		}
		h.mu.Lock()
		n := h.waiting
		h.waiting = hint{}
		h.mu.Unlock()
		h.notify(h.ctx, n)
		select {
		case <-h.ctx.Done():
			return
		case <-time.After(hintEvery):
		}
	}
}

func (h *hints) notify(ctx context.Context, n hint) {
	ctx, cancel := context.WithTimeout(ctx, hintWithin)
	defer cancel()
	slices.Sort(n.News)
	n.News = slices.Compact(n.News)
	for n.Jobs || len(n.News) > 0 {
		part := hint{From: h.me, Jobs: n.Jobs, News: n.News[:min(len(n.News), hintDevices)]}
		n = hint{News: n.News[len(part.News):]}
		raw, err := json.Marshal(part)
		if err != nil {
			return
		}
		if _, err := h.db.write.ExecContext(ctx, `SELECT pg_notify($1, $2)`, channel, string(raw)); err != nil {
			return
		}
	}
}

// listening holds a connection of its own until close, and makes a new one when
// it ends.
func (h *hints) listening() {
	for wait := hintEvery; h.ctx.Err() == nil; wait = min(2*wait, connectWithin) {
		if h.listen() {
			wait = hintEvery
		}
		select {
		case <-h.ctx.Done():
		case <-time.After(wait):
		}
	}
}

// listen receives until the connection ends; false where there was none.
func (h *hints) listen() bool {
	config := h.config.Copy()
	config.RuntimeParams = maps.Clone(config.RuntimeParams)
	config.RuntimeParams["application_name"] = "aval-summarizer hints"
	conn, err := pgx.ConnectConfig(h.ctx, config)
	if err != nil {
		return false
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(h.ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	if _, err := conn.Exec(h.ctx, "LISTEN "+channel); err != nil {
		return false
	}
	for {
		got, err := conn.WaitForNotification(h.ctx)
		if err != nil {
			return true
		}
		var n hint
		// Anybody who may connect may notify: a hint that cannot be read is none, and
		// one that is wrong causes a look in vain.
		if json.Unmarshal([]byte(got.Payload), &n) == nil && n.From != h.me {
			h.db.wake(n.Jobs, n.News)
		}
	}
}
