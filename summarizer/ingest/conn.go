package ingest

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/protobuf/proto"

	"aval/agent/record"
	"aval/agent/wire"
	"aval/summarizer/company"
	"aval/summarizer/store"
)

const (
	greetWithin = 15 * time.Second
	writeWithin = 30 * time.Second
	// storeWithin bounds one transaction.
	storeWithin = 30 * time.Second
	// maxGrants of one connection are remembered; more need a new connection.
	maxGrants = 4096
)

// conn is one device's connection. One goroutine at a time owns it: the one that
// greets, then by turns idle and serve. Pings come from the server's rounds, so that
// an idle connection has one goroutine and no timer.
type conn struct {
	s    *Server
	ws   *websocket.Conn
	sock *socket       // below ws and TLS
	br   *bufio.Reader // of ws
	buf  *bufio.Reader // whose buffer br has; nil while the device is idle
	tls  *tls.ConnectionState

	co      *company.Service
	company string // co's id
	device  string
	skew    time.Duration      // the device's clock minus the server's, at the hello
	code    *store.SessionCode // what certified the key, where it is one session's; nil: a computer
	account bool               // somebody there is signed in to an account: no computer of the company's
	grants  map[string]*grant
	reach   uint64 // a hash of what the device said last on this connection, without its time

	log   int64 // the size of the device's log in the checkpoint that it showed last; or unseen
	shown int64 // that of the company's audit log that the device knows, to be told; or unseen

	frame context.Context // of the frame that is being handled, with its span; nil: none is

	leaving  atomic.Bool
	greeted  atomic.Bool   // device and company stand
	heard    atomic.Int64  // when the device was last heard of, in ns since the server's beginning
	controls atomic.Int32  // pings and pongs of the device since the last ping
	write    sync.Mutex    // data frames: the owner's and the options of the timer
	due      time.Duration // when rounds comes by next, as age; guarded by s.mu once greeted
}

// begin greets the device and serves it until it is idle. What a handshake needs of
// a stack is not kept for the days that follow.
func (c *conn) begin() {
	c.ws.SetReadLimit(wire.MaxFrame)
	c.ws.SetPingHandler(c.ping)
	c.ws.SetPongHandler(c.pong)
	changes := c.s.changes.Load()
	if !c.greet() {
		c.end()
		return
	}
	c.tls = nil // the proof is made; what it was made of need not be kept for days
	c.s.o.Log.Info("device connected", "device", c.device, "clock_skew", c.skew.Round(time.Second))
	c.heard.Store(int64(c.s.age()))
	c.due = c.s.age() + c.s.o.Ping
	c.greeted.Store(true)
	if c.s.changes.Load() != changes { // changed while the device was greeted
		c.tick()
	}
	c.tell()
	c.tellRequests()
	c.tellAudit()
	c.serve() // with its first words may have come others
}

func (c *conn) end() {
	_ = c.ws.Close()
	c.s.gone(c)
}

// take handles what was read.
func (c *conn) take(typ int, raw []byte) error {
	f, err := c.frameOf(typ, raw)
	if err != nil {
		return err
	}
	return c.handle(f)
}

// frameOf decodes a message, or ends the connection of who sends another.
func (c *conn) frameOf(typ int, raw []byte) (*wire.Frame, error) {
	if typ != websocket.BinaryMessage {
		c.refuse(CodeProtocol)
		return nil, errGone
	}
	f, err := decodeFrame(raw)
	if err != nil {
		c.refuse(CodeMalformed)
		return nil, errGone
	}
	return f, nil
}

func decodeFrame(raw []byte) (*wire.Frame, error) {
	f := &wire.Frame{}
	return f, proto.Unmarshal(raw, f)
}

// send writes one frame.
func (c *conn) send(f *wire.Frame) error {
	raw, err := proto.Marshal(f)
	if err != nil {
		return err
	}
	c.write.Lock()
	defer c.write.Unlock()
	_ = c.ws.SetWriteDeadline(time.Now().Add(writeWithin))
	return c.ws.WriteMessage(websocket.BinaryMessage, raw)
}

// refuse ends the connection with a reason.
func (c *conn) refuse(code Code) {
	c.s.o.Log.Info("connection refused", "code", string(code), "device", c.device)
	_ = c.send(refused(code))
	c.bye(websocket.ClosePolicyViolation, string(code))
}

func (c *conn) bye(code int, text string) {
	_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, text), time.Now().Add(time.Second))
}

// goAway has the loop end after what it is doing.
func (c *conn) goAway() {
	c.leaving.Store(true)
	_ = c.ws.SetReadDeadline(time.Unix(1, 0))
}

// greet challenges the device and checks its proof; only then it has a name.
func (c *conn) greet() bool {
	c.until(greetWithin)
	nonce := make([]byte, 32)
	_, _ = rand.Read(nonce) // never fails, see crypto/rand
	if c.send(&wire.Frame{Body: &wire.Frame_Challenge{Challenge: &wire.Challenge{Nonce: nonce, ServerVersion: c.s.o.Build}}}) != nil {
		return false
	}
	typ, raw, err := c.ws.ReadMessage()
	if err != nil {
		return false
	}
	f, err := c.frameOf(typ, raw)
	if err != nil {
		return false
	}
	h := f.GetHello()
	if h == nil {
		c.refuse(CodeProtocol)
		return false
	}
	if h.GetVersion() != wire.Version {
		c.refuse(CodeVersion)
		return false
	}
	exported, err := c.tls.ExportKeyingMaterial(wire.ProofLabel, nonce, 32)
	if err != nil {
		c.refuse(CodeProof)
		return false
	}
	now := c.s.o.Now()
	skew := time.Unix(0, h.GetClockUnixNano()).Sub(now)
	co, err := c.s.co.Of(c.s.ctx, h.GetCompany())
	if err != nil {
		if !errors.Is(err, store.ErrNotFound) {
			c.s.o.Log.Error("greet device", "err", err)
			c.refuse(CodeServer)
			return false
		}
		c.refuse(CodeUnknownDevice)
		return false
	}
	var options []byte
	c.log, c.shown = unseen, unseen
	code, err := c.inTx(func(tx *store.Tx) error {
		keys, err := tx.DeviceKeys(h.GetCompany(), h.GetDevice())
		if err != nil {
			return err
		}
		key := keys[h.GetKeyId()]
		if key == nil {
			return no(CodeUnknownDevice)
		}
		if !record.VerifyBytes(key, record.TypeProof, wire.ProofPayload(nonce, exported, h.GetDevice(), h.GetCompany()), h.GetProof()) {
			return no(CodeProof)
		}
		if err := tx.SeenDevice(h.GetCompany(), h.GetDevice(), printable(h.GetAgentVersion(), 64), now, skew); err != nil {
			return err
		}
		code, err := tx.CodeOf(h.GetCompany(), h.GetDevice())
		switch {
		case err == nil:
			c.code = &code // it has its request, and is given no options
			return nil
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
		d, err := tx.Device(h.GetCompany(), h.GetDevice())
		if err != nil {
			return err
		}
		c.account = d.Account != ""
		l, err := tx.DeviceLog(h.GetCompany(), h.GetDevice())
		if err != nil {
			return err
		}
		c.log = l.Newest().Size
		options, err = co.OptionsIn(tx, h.GetDevice())
		return err
	})
	if err != nil {
		c.s.o.Log.Error("greet device", "err", err)
	}
	if code != "" {
		c.refuse(code)
		return false
	}
	c.co, c.company, c.device, c.skew = co, h.GetCompany(), h.GetDevice(), skew
	welcome := &wire.Welcome{ClockUnixNano: now.UnixNano(), MaxBatchBytes: wire.MaxBatchBytes, MaxBatchEvents: wire.MaxBatchEvents, Reach: c.reaches()}
	if c.reaches() {
		welcome.Log = &wire.Seen{Size: c.log}
	}
	if seen := h.GetAudit(); seen != nil && c.code == nil {
		c.shown = max(0, seen.GetSize())
	}
	return c.send(&wire.Frame{Body: &wire.Frame_Welcome{Welcome: welcome}}) == nil &&
		(c.code != nil || c.send(optionsFrame(options)) == nil)
}

func optionsFrame(env []byte) *wire.Frame {
	return &wire.Frame{Body: &wire.Frame_Options{Options: &wire.Options{Envelope: env}}}
}

// tick pings the device, ends the connection of one that was revoked or is heard of no
// more, and sends options that have changed or grown old.
func (c *conn) tick() {
	if c.leaving.Load() {
		return
	}
	if c.s.age()-time.Duration(c.heard.Load()) > 2*c.s.o.Ping+writeWithin { // two pings are lost
		_ = c.ws.Close()
		return
	}
	c.controls.Store(0)
	if err := c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeWithin)); err != nil {
		_ = c.ws.Close()
		return
	}
	ctx, cancel := context.WithTimeout(c.s.ctx, storeWithin)
	defer cancel()
	revoked, stale := false, false
	err := c.s.db.View(ctx, func(tx *store.Tx) error {
		keys, err := tx.DeviceKeys(c.company, c.device)
		if err != nil {
			return err
		}
		revoked = len(keys) == 0
		if c.code != nil {
			return nil
		}
		stale, err = c.co.OptionsStale(tx, c.device)
		return err
	})
	switch {
	case err != nil && c.s.ctx.Err() == nil:
		c.s.o.Log.Error("watch device", "device", c.device, "err", err)
	case revoked:
		c.refuse(CodeUnknownDevice)
		_ = c.ws.Close()
		return
	case stale:
		env, err := c.co.Options(ctx, c.device)
		if err != nil {
			c.s.o.Log.Error("renew options", "device", c.device, "err", err)
		} else {
			_ = c.send(optionsFrame(env))
		}
	}
	c.tell()
}

// context is the frame's, where one is being handled, else the server's. Only the
// owner may ask for it.
func (c *conn) context() context.Context {
	if c.frame != nil {
		return c.frame
	}
	return c.s.ctx
}

// inTx runs f in a transaction and sorts its error: a refusal's code; or the
// server's own trouble, with the error to be logged.
func (c *conn) inTx(f func(*store.Tx) error) (Code, error) {
	ctx, cancel := context.WithTimeout(c.context(), storeWithin)
	defer cancel()
	err := c.s.db.Tx(ctx, f)
	var r *refusal
	switch {
	case err == nil:
		return "", nil
	case errors.As(err, &r):
		return r.code, nil
	}
	return CodeServer, err
}
