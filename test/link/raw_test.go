package link_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/protobuf/proto"

	"aval/agent/event"
	"aval/agent/record"
	"aval/agent/wire"
)

// rawConn is a connection on which each frame is sent by hand.
type rawConn struct {
	t        *testing.T
	ws       *websocket.Conn
	nonce    []byte
	exported []byte
}

// dialRaw connects and reads the challenge.
func dialRaw(t *testing.T, addr string) *rawConn {
	t.Helper()
	// The test knows whom it talks to; what is tested here is the server.
	d := websocket.Dialer{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}, HandshakeTimeout: 10 * time.Second}
	ws, _, err := d.Dial("wss://"+addr+wire.AgentPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ws.Close() })
	c := &rawConn{t: t, ws: ws}
	f, err := c.recv()
	if err != nil || len(f.GetChallenge().GetNonce()) != 32 {
		t.Fatalf("challenge: %v, %v", f, err)
	}
	c.nonce = f.GetChallenge().GetNonce()
	cs := ws.NetConn().(*tls.Conn).ConnectionState()
	if c.exported, err = cs.ExportKeyingMaterial(wire.ProofLabel, c.nonce, 32); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *rawConn) send(f *wire.Frame) {
	c.t.Helper()
	raw, err := proto.Marshal(f)
	if err != nil {
		c.t.Fatal(err)
	}
	c.bytes(websocket.BinaryMessage, raw)
}

func (c *rawConn) bytes(typ int, raw []byte) {
	_ = c.ws.SetWriteDeadline(time.Now().Add(10 * time.Second))
	_ = c.ws.WriteMessage(typ, raw) // a server that has hung up is found by recv
}

// recv returns the next frame that is no options.
func (c *rawConn) recv() (*wire.Frame, error) {
	for {
		_ = c.ws.SetReadDeadline(time.Now().Add(20 * time.Second))
		_, raw, err := c.ws.ReadMessage()
		if err != nil {
			return nil, err
		}
		f := &wire.Frame{}
		if err := proto.Unmarshal(raw, f); err != nil {
			c.t.Fatal(err)
		}
		if f.GetOptions() == nil {
			return f, nil
		}
	}
}

// hello is the right one; tests change it.
func (c *rawConn) hello(d *computer) *wire.Hello {
	proof, err := record.SignBytes(d.store.DeviceKey(), record.TypeProof, wire.ProofPayload(c.nonce, c.exported, d.enr.Device, d.enr.Company))
	if err != nil {
		c.t.Fatal(err)
	}
	now := time.Now()
	if d.now != nil {
		now = d.now()
	}
	return &wire.Hello{Version: wire.Version, Company: d.enr.Company, Device: d.enr.Device, Proof: proof,
		KeyId: record.KeyID(d.store.DeviceKey().Public().(ed25519.PublicKey)), ClockUnixNano: now.UnixNano()}
}

// welcome connects as device d.
func welcome(t *testing.T, addr string, d *computer) *rawConn {
	t.Helper()
	c := dialRaw(t, addr)
	c.send(&wire.Frame{Body: &wire.Frame_Hello{Hello: c.hello(d)}})
	f, err := c.recv()
	if err != nil || f.GetWelcome() == nil {
		t.Fatalf("welcome: %v, %v", f, err)
	}
	return c
}

// code sends f and returns what it was refused for: empty where it was taken.
func (c *rawConn) code(f *wire.Frame) string {
	c.t.Helper()
	c.send(f)
	r, err := c.recv()
	switch {
	case err != nil:
		return "closed"
	case r.GetReject() != nil:
		return r.GetReject().GetCode()
	case r.GetRefused() != nil:
		return r.GetRefused().GetCode()
	}
	return ""
}

func openFrame(grant []byte) *wire.Frame {
	return &wire.Frame{Body: &wire.Frame_Open{Open: &wire.Open{Grant: grant}}}
}

// batchOf is a right batch; change it before it is signed.
func batchOf(g record.Grant, first uint64, prev []byte, evs ...event.Event) *wire.Batch {
	b := &wire.Batch{GrantId: g.ID, Session: g.Session, FirstSeq: first, PrevHash: prev}
	for _, e := range evs {
		b.Events = append(b.Events, wire.FromEvent(e))
	}
	return b
}

// signed signs b with the device's key and returns the frame and its hash.
func signed(d *computer, b *wire.Batch) (*wire.Frame, []byte) {
	raw, err := proto.Marshal(b)
	if err != nil {
		d.t.Fatal(err)
	}
	sig, err := record.SignBytes(d.store.DeviceKey(), record.TypeBatch, raw)
	if err != nil {
		d.t.Fatal(err)
	}
	return &wire.Frame{Body: &wire.Frame_Batch{Batch: &wire.SignedBatch{Batch: raw, Signature: sig,
		KeyId: record.KeyID(d.store.DeviceKey().Public().(ed25519.PublicKey))}}}, wire.Hash(raw)
}

func sign(d *computer, typ record.Type, body any) []byte {
	raw, err := record.Sign(d.store.DeviceKey(), typ, body)
	if err != nil {
		d.t.Fatal(err)
	}
	return raw
}

func newKey() ed25519.PrivateKey {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}
