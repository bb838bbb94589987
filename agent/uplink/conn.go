package uplink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/gorilla/websocket"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	"aval/agent/record"
	"aval/agent/store"
	"aval/agent/wire"
)

const (
	// greetWithin bounds the upgrade and the hello.
	greetWithin = 20 * time.Second
	writeWithin = 30 * time.Second
	// silence ends a connection: the server pings about every minute.
	silence = 150 * time.Second
	// nonceSize of a Challenge.
	nonceSize = 32
)

// conn is one connection. Its fields belong to the goroutine of Run.
type conn struct {
	l    *Link
	ws   *websocket.Conn
	tls  *tls.Conn
	in   chan *wire.Frame
	dead chan error // the reader's end

	maxEvents int
	maxBytes  int
	streams   map[store.Stream]*stream
	grants    map[string]*stream // by the id of a grant that was sent in Open
	records   map[string]bool    // sent, not acknowledged
	rejected  map[string]bool    // records that this server did not take
	reach     *wire.Reach        // what this server was told
	wants     bool               // it takes that
	log       witness
	zstd      *zstd.Encoder // made when a large batch comes, freed when idle
}

// laterError: the server could not take something now.
type laterError struct{ sentence string }

func (e *laterError) Error() string {
	return "the summarizer could not take everything: " + e.sentence
}

// connect opens a connection and serves it until it ends; good tells that the
// server let this device in and had nothing against what it sent, so that the
// next try need not wait long.
func (l *Link) connect(ctx context.Context) (good bool, err error) {
	c := &conn{l: l, in: make(chan *wire.Frame), dead: make(chan error, 1),
		streams: map[store.Stream]*stream{}, grants: map[string]*stream{}, records: map[string]bool{}, rejected: map[string]bool{}}
	if err := c.open(ctx); err != nil {
		return false, err
	}
	defer c.ws.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.ws.Close() })
	defer stop()
	if err := c.greet(); err != nil {
		return false, err
	}
	l.use(c)
	defer l.use(nil)
	quit := make(chan struct{})
	go c.read(quit)
	defer func() { close(quit); _ = c.ws.Close(); <-c.dead }()
	l.set(State{Link: Connected, Err: l.complaint()})
	l.cfg.Log.Info("uplink connected", "server", l.addr.addr)
	err = c.serve(ctx)
	var later *laterError
	var no *refusedError
	return !errors.As(err, &later) && !errors.As(err, &no), err
}

func (c *conn) open(ctx context.Context) error {
	a := c.l.addr
	var dialErr error
	d := websocket.Dialer{
		NetDialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			t, err := a.dial(ctx, c.l.cfg.Proxy)
			if err != nil {
				dialErr = err
				return nil, err
			}
			c.tls = t
			return t, nil
		},
		HandshakeTimeout: greetWithin + dialTimeout, ReadBufferSize: 1024, WriteBufferSize: 4096,
	}
	ws, resp, err := d.DialContext(ctx, "wss://"+a.addr+wire.AgentPath, nil)
	switch {
	case dialErr != nil:
		return dialErr
	case errors.Is(err, websocket.ErrBadHandshake) && resp != nil:
		return fmt.Errorf("%w: %s answered %q instead of opening the channel; is it an Aval summarizer?", ErrUnreachable, a.addr, resp.Status)
	case err != nil:
		return tlsError(err)
	}
	c.ws = ws
	ws.SetReadLimit(wire.MaxFrame)
	return nil
}

// greet answers the challenge with the proof of the device's key.
func (c *conn) greet() error {
	cfg := c.l.cfg
	_ = c.ws.SetReadDeadline(time.Now().Add(greetWithin))
	f, err := c.next()
	if err != nil {
		return err
	}
	nonce := f.GetChallenge().GetNonce()
	if len(nonce) != nonceSize {
		return errors.New("the summarizer sent no challenge; is it of another version?")
	}
	cs := c.tls.ConnectionState()
	exported, err := cs.ExportKeyingMaterial(wire.ProofLabel, nonce, 32)
	if err != nil {
		return fmt.Errorf("prove device: %w", err)
	}
	proof, err := record.SignBytes(cfg.Key, record.TypeProof, wire.ProofPayload(nonce, exported, cfg.Device, cfg.Company))
	if err != nil {
		return fmt.Errorf("prove device: %w", err)
	}
	hello := &wire.Hello{
		Version: wire.Version, Company: cfg.Company, Device: cfg.Device, KeyId: c.l.keyID,
		Proof: proof, AgentVersion: cfg.Build, ClockUnixNano: cfg.Now().UnixNano(),
	}
	if cfg.AuditSeen != nil {
		hello.Audit = &wire.Seen{Size: cfg.AuditSeen()}
	}
	if err = c.write(&wire.Frame{Body: &wire.Frame_Hello{Hello: hello}}); err != nil {
		return err
	}
	if f, err = c.next(); err != nil {
		return err
	}
	if no := f.GetRefused(); no != nil {
		return &refusedError{code: no.GetCode(), sentence: no.GetSentence(), retry: no.GetRetry()}
	}
	w := f.GetWelcome()
	if w == nil {
		return errors.New("the summarizer did not answer the hello; is it of another version?")
	}
	c.wants = w.GetReach()
	c.log = witness{takes: w.GetLog() != nil && cfg.ShowLog > 0, since: w.GetLog().GetSize()}
	c.maxEvents = limit(w.GetMaxBatchEvents(), wire.MaxBatchEvents)
	c.maxBytes = limit(w.GetMaxBatchBytes(), wire.MaxBatchBytes)
	return nil
}

func limit(told uint32, ours int) int {
	if told == 0 || int64(told) > int64(ours) {
		return ours
	}
	return int(told)
}

// next reads one frame.
func (c *conn) next() (*wire.Frame, error) {
	typ, raw, err := c.ws.ReadMessage()
	if err != nil {
		return nil, lost(err)
	}
	if typ != websocket.BinaryMessage {
		return nil, errors.New("the summarizer sent a text message; is it of another version?")
	}
	return decodeFrame(raw)
}

func decodeFrame(raw []byte) (*wire.Frame, error) {
	f := &wire.Frame{}
	if err := proto.Unmarshal(raw, f); err != nil {
		return nil, fmt.Errorf("read frame: %w", err)
	}
	return f, nil
}

// lost words the end of a connection.
func lost(err error) error {
	var ce *websocket.CloseError
	if errors.As(err, &ce) && ce.Text != "" {
		return fmt.Errorf("the summarizer ended the connection: %s", ce.Text)
	}
	return fmt.Errorf("the connection to the summarizer was lost: %w", plain(err))
}

// read passes frames on until the connection ends. It is the only reader.
func (c *conn) read(quit <-chan struct{}) {
	extend := func() { _ = c.ws.SetReadDeadline(time.Now().Add(silence)) }
	extend()
	c.ws.SetPingHandler(func(data string) error {
		extend()
		return c.ws.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(writeWithin))
	})
	for {
		f, err := c.next()
		if err != nil {
			c.dead <- err
			return
		}
		extend()
		select {
		case c.in <- f:
		case <-quit:
			c.dead <- nil
			return
		}
	}
}

func (c *conn) write(f *wire.Frame) error {
	raw, err := proto.Marshal(f)
	if err != nil {
		return fmt.Errorf("write frame: %w", err)
	}
	_ = c.ws.SetWriteDeadline(time.Now().Add(writeWithin))
	if err := c.ws.WriteMessage(websocket.BinaryMessage, raw); err != nil {
		return lost(err)
	}
	return nil
}

// reset ends the connection at once and has the kernel forget what it has not
// sent yet (SO_LINGER 0, tcp(7) and socket(7)).
func (c *conn) reset() {
	raw := c.tls.NetConn()
	if t, ok := raw.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = raw.Close()
}

// serve sends what there is and handles what comes, until the connection ends.
func (c *conn) serve(ctx context.Context) error {
	for {
		if err := c.pump(); err != nil {
			return err
		}
		if err := c.tellReach(); err != nil {
			return err
		}
		if err := c.tellLog(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseGoingAway, ""), time.Now().Add(time.Second))
			return ctx.Err()
		case <-c.l.cfg.Source.Changed():
		case <-c.l.reached:
		case <-c.log.due:
			c.log.due = nil
		case f := <-c.in:
			if err := c.handle(f); err != nil {
				return err
			}
		case err := <-c.dead:
			c.dead <- err // for the one who waits for the reader
			return err
		}
	}
}

// tellReach sends what Reach was given last, where this server takes it.
func (c *conn) tellReach() error {
	c.l.mu.Lock()
	r := c.l.reach
	c.l.mu.Unlock()
	if !c.wants || r == nil || r == c.reach {
		return nil
	}
	c.reach = r
	return c.write(&wire.Frame{Body: &wire.Frame_Reach{Reach: r}})
}

// complaint is what State says of streams that the server rejects for good.
func (l *Link) complaint() string {
	for _, why := range l.blocked {
		return why
	}
	return ""
}
