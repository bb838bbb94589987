package scale

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/protobuf/proto"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/record"
	"aval/agent/wire"
)

// back-off of an agent whose server is away, as agent/uplink has it but shorter at
// its end: half to whole of a wait that doubles; after a link that was up, anywhere
// in the agent's Spread.
const (
	firstWait = 200 * time.Millisecond
	lastWait  = 8 * time.Second
)

// Agent is one simulated computer: it speaks the protocol with a key of its own,
// keeps what it has not been acknowledged, and connects again and again.
type Agent struct {
	Company, Device string
	Key             ed25519.PrivateKey
	Address         string // HOST:PORT
	// Every is how long it waits between two batches; 0: it says nothing.
	Every time.Duration
	// Batch is how many events a batch has.
	Batch int
	// Spread is over how long the agents of a server that ended come back; 0: firstWait.
	Spread time.Duration
	// Supporter is who connects; empty: Ana.
	Supporter string

	text string // after each title
	// exported is the connection's keying material where it has no TLS of its own;
	// nil: it has.
	exported  func(nonce []byte) ([]byte, error)
	session   string
	grant     record.Grant
	connected atomic.Bool
	connects  atomic.Int64
	made      atomic.Uint64 // events so far
	acked     atomic.Uint64
	ending    atomic.Bool   // the session is to be ended
	end       atomic.Uint64 // the number of its last event; 0: not made yet
	refused   atomic.Pointer[string]
}

// begin makes the session and the grant that covers what the agent sends.
func (a *Agent) begin() {
	now := time.Now().UTC()
	a.session = "x11vnc/" + a.Device
	supporter := a.Supporter
	if supporter == "" {
		supporter = "Ana"
	}
	a.grant = record.Grant{
		Head: record.Head{V: 1, ID: "G-" + a.Device, At: now, Company: a.Company, Device: a.Device, Session: a.session},
		Decided: record.Decided{Tool: "x11vnc", Supporter: supporter, CompanyName: "Example Support", Direction: consent.Outgoing,
			Decision: consent.Decision{Verdict: consent.Allow, Basis: consent.BasisStandingSetting, Reason: consent.ReasonAllowedBySetting},
			Outcome:  consent.OutcomeAllowed, Provenance: consent.P2, PolicyOrigin: "none", PolicyVersion: 1, SessionStartedAt: now, AgentVersion: "test"},
		Basis: consent.BasisStandingSetting, Groups: []event.Group{event.Windows, event.Chat},
		NotBefore: now.Add(-time.Minute), Expires: now.Add(2 * time.Hour), Engine: "rules", RetentionDays: 90,
	}
}

// Run connects until ctx ends.
func (a *Agent) Run(ctx context.Context) {
	a.begin()
	for wait := firstWait; ctx.Err() == nil; wait = min(2*wait, lastWait) {
		delay := wait/2 + rand.N(wait/2)
		if a.connect(ctx) {
			wait = firstWait
			delay = rand.N(max(a.Spread, firstWait))
		}
		a.connected.Store(false)
		select {
		case <-ctx.Done():
		case <-time.After(delay):
		}
	}
}

// connect is one connection, until it ends; true where it was greeted.
func (a *Agent) connect(ctx context.Context) (greeted bool) {
	d := websocket.Dialer{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13,
		// The certificate is the server's own; whether it is the right one is not
		// what is looked at here.
		InsecureSkipVerify: true}, HandshakeTimeout: 20 * time.Second, ReadBufferSize: 512, WriteBufferSize: 512}
	ws, _, err := d.DialContext(ctx, "wss://"+a.Address+wire.AgentPath, nil)
	if err != nil {
		return false
	}
	defer ws.Close()
	stop := context.AfterFunc(ctx, func() { _ = ws.Close() })
	defer stop()
	c := &channel{ws: ws}
	if err := a.hello(c); err != nil {
		a.say(err)
		return false
	}
	a.connects.Add(1)
	a.connected.Store(true)
	if a.Every == 0 {
		for { // what the server says is read and needs no answer
			if _, err := c.recv(); err != nil {
				return true
			}
		}
	}
	a.say(a.deliver(ctx, c))
	return true
}

// say keeps what the server refused; a connection that ended is nothing to keep.
func (a *Agent) say(err error) {
	var r refusal
	if errors.As(err, &r) {
		s := string(r)
		a.refused.Store(&s)
	}
}

type refusal string

func (r refusal) Error() string { return "refused: " + string(r) }

// channel is a connection; pings are answered by reading.
type channel struct{ ws *websocket.Conn }

func (c *channel) send(f *wire.Frame) error {
	raw, err := proto.Marshal(f)
	if err != nil {
		return err
	}
	_ = c.ws.SetWriteDeadline(time.Now().Add(20 * time.Second))
	return c.ws.WriteMessage(websocket.BinaryMessage, raw)
}

// recv returns the next frame.
func (c *channel) recv() (*wire.Frame, error) {
	_, raw, err := c.ws.ReadMessage()
	if err != nil {
		return nil, err
	}
	f := &wire.Frame{}
	return f, proto.Unmarshal(raw, f)
}

// answer returns the next frame that answers something.
func (c *channel) answer() (*wire.Frame, error) {
	for {
		_ = c.ws.SetReadDeadline(time.Now().Add(time.Minute))
		f, err := c.recv()
		switch {
		case err != nil:
			return nil, err
		case f.GetRefused() != nil:
			return nil, refusal(f.GetRefused().GetCode())
		case f.GetReject() != nil:
			return nil, refusal(f.GetReject().GetCode())
		case f.GetChallenge() != nil, f.GetWelcome() != nil, f.GetOpened() != nil, f.GetAck() != nil:
			return f, nil
		}
	}
}

func (a *Agent) keyID() string { return record.KeyID(a.Key.Public().(ed25519.PublicKey)) }

func (a *Agent) hello(c *channel) error {
	f, err := c.answer()
	if err != nil {
		return err
	}
	nonce := f.GetChallenge().GetNonce()
	export := a.exported
	if export == nil {
		cs := c.ws.NetConn().(*tls.Conn).ConnectionState()
		export = func(nonce []byte) ([]byte, error) { return cs.ExportKeyingMaterial(wire.ProofLabel, nonce, 32) }
	}
	exported, err := export(nonce)
	if err != nil {
		return err
	}
	proof, err := record.SignBytes(a.Key, record.TypeProof, wire.ProofPayload(nonce, exported, a.Device, a.Company))
	if err != nil {
		return err
	}
	err = c.send(&wire.Frame{Body: &wire.Frame_Hello{Hello: &wire.Hello{Version: wire.Version, Company: a.Company, Device: a.Device, Proof: proof,
		KeyId: a.keyID(), ClockUnixNano: time.Now().UnixNano(), AgentVersion: "test"}}})
	if err != nil {
		return err
	}
	if f, err = c.answer(); err == nil && f.GetWelcome() == nil {
		err = errors.New("no welcome")
	}
	if err == nil {
		_ = c.ws.SetReadDeadline(time.Time{})
	}
	return err
}

// deliver opens the agent's stream and sends batches from where it stands.
func (a *Agent) deliver(ctx context.Context, c *channel) error {
	raw, err := record.Sign(a.Key, record.TypeGrant, a.grant)
	if err != nil {
		return err
	}
	if err := c.send(&wire.Frame{Body: &wire.Frame_Open{Open: &wire.Open{Grant: raw}}}); err != nil {
		return err
	}
	f, err := c.answer()
	if err != nil {
		return err
	}
	acked, hash := f.GetOpened().GetAcked(), f.GetOpened().GetAckedHash()
	if acked < a.acked.Load() || acked > a.made.Load() {
		return refusal(fmt.Sprintf("the server says %d, acknowledged were %d of %d", acked, a.acked.Load(), a.made.Load()))
	}
	for {
		a.acked.Store(acked)
		if a.acked.Load() == a.made.Load() && !a.more(ctx) {
			return nil
		}
		b := &wire.Batch{GrantId: a.grant.ID, Session: a.session, FirstSeq: acked + 1, PrevHash: hash}
		for n := acked + 1; n <= a.made.Load() && len(b.Events) < 500; n++ {
			b.Events = append(b.Events, wire.FromEvent(a.event(n)))
		}
		raw, err := proto.Marshal(b)
		if err != nil {
			return err
		}
		sig, err := record.SignBytes(a.Key, record.TypeBatch, raw)
		if err != nil {
			return err
		}
		if err := c.send(&wire.Frame{Body: &wire.Frame_Batch{Batch: &wire.SignedBatch{Batch: raw, Signature: sig, KeyId: a.keyID()}}}); err != nil {
			return err
		}
		f, err := c.answer()
		if err != nil {
			return err
		}
		if acked = f.GetAck().GetSeq(); acked < b.GetFirstSeq() {
			return refusal(fmt.Sprintf("%d acknowledged after %d", acked, b.GetFirstSeq()-1))
		}
		hash = wire.Hash(raw)
	}
}

// more makes the next events; false where the session has ended or ctx has.
func (a *Agent) more(ctx context.Context) bool {
	for !a.ending.Load() {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(a.Every/2 + rand.N(a.Every)):
			a.made.Add(uint64(a.Batch))
			return true
		}
	}
	if a.end.Load() > 0 {
		<-ctx.Done()
		return false
	}
	a.end.Store(a.made.Load() + 1)
	a.made.Add(1)
	return true
}

// event is the event of a number: the same each time that it is asked for.
func (a *Agent) event(n uint64) event.Event {
	e := event.Event{Session: a.session, Seq: n, Kind: event.WindowFocused, At: a.grant.At.Add(time.Duration(n) * time.Millisecond),
		Fields: map[string]string{"title": Title(a.Device, n) + a.text}}
	if n == a.end.Load() {
		e.Kind, e.Fields = event.SessionEnded, map[string]string{"reason": "ended"}
	}
	return e
}

// Title tells which event of which agent it is.
func Title(device string, n uint64) string { return fmt.Sprintf("%s %06d", device, n) }

// Done tells whether the session has ended and all of it is acknowledged.
func (a *Agent) Done() bool { return a.end.Load() > 0 && a.acked.Load() == a.end.Load() }

// newKey is the key of a simulated computer, the same for the same name.
func newKey(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}
