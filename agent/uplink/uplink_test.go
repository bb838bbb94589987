package uplink

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"aval/agent/event"
	"aval/agent/record"
	"aval/agent/store"
	"aval/agent/wire"
)

// memory is a source with its own rules, for what needs no disk.
type memory struct {
	info    store.StreamInfo
	items   []store.Item
	acked   uint64
	changed chan struct{}
	log     int64 // its size
}

func (m *memory) Streams() ([]store.StreamInfo, error) { return []store.StreamInfo{m.info}, nil }
func (m *memory) Read(_ store.Stream, after uint64, _, _ int) ([]store.Item, error) {
	if m.info.Withdrawn || after >= uint64(len(m.items)) {
		return nil, nil
	}
	return m.items[after:], nil
}
func (m *memory) Ack(_ store.Stream, seq uint64) error              { m.acked = max(m.acked, seq); return nil }
func (m *memory) Record(string) (store.Entry, error)                { return store.Entry{}, store.ErrNotFound }
func (m *memory) PendingRecords(string, int) ([]store.Entry, error) { return nil, nil }
func (m *memory) RecordAcked(string, string) error                  { return nil }
func (m *memory) PutSummary(store.Stream, []byte) error             { return nil }
func (m *memory) LogSize() int64                                    { return m.log }
func (m *memory) ProveLog(int64) (int64, [32]byte, []record.Hash, error) {
	return m.log, [32]byte{}, nil, nil
}
func (m *memory) Changed() <-chan struct{}      { return m.changed }
func noNetwork(*http.Request) (*url.URL, error) { return nil, errors.New("no network") }
func key(t testing.TB) ed25519.PrivateKey {
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// The tries are between half and whole of 1, 2, 4 … 300 s apart, for ever.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Time
		l, err := New(Config{Server: "https://aval.example.com", Company: "c", Device: "d", Key: key(t), Source: &memory{},
			Proxy: func(*http.Request) (*url.URL, error) {
				at = append(at, time.Now())
				return nil, errors.New("no network")
			}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
		defer cancel()
		if err := l.Run(ctx); err != nil {
			t.Fatal(err)
		}
		want := time.Second
		different := false
		for i := 1; i < len(at); i++ {
			d := at[i].Sub(at[i-1])
			if d < want/2 || d > want {
				t.Errorf("try %d after %s, want %s to %s", i, d, want/2, want)
			}
			different = different || (d != want && d != want/2)
			want = min(want*2, 5*time.Minute)
		}
		if len(at) < 25 || len(at) > 60 || !different {
			t.Errorf("%d tries in two hours, jitter %v", len(at), different)
		}
	})
}

// Computers whose server ended after they were long connected come back over ten
// seconds, evenly; those whose link comes and goes as they would have. Planted: with
// steady at an hour all came within the first second.
func TestSpread(t *testing.T) {
	l, err := New(Config{Server: "https://aval.example.com", Company: "c", Device: "d", Key: key(t), Source: &memory{}})
	if err != nil {
		t.Fatal(err)
	}
	b, seconds := l.cfg.Backoff, map[int]int{}
	for range 1000 {
		seconds[int(b.delay(b.First, 90*time.Minute)/time.Second)]++
		if d := b.delay(b.First, 59*time.Second); d < b.First/2 || d > b.First {
			t.Fatalf("a short link is tried again after %s", d)
		}
	}
	for s := range 10 {
		if n := seconds[s]; n < 50 || n > 200 {
			t.Errorf("%d of 1000 come in second %d: %v", n, s, seconds)
		}
	}
	if len(seconds) != 10 {
		t.Errorf("%v", seconds)
	}
}

func TestParseServer(t *testing.T) {
	pin := "sha256:" + strings.Repeat("0a", 32)
	for server, addr := range map[string]string{
		"https://aval.example.com": "aval.example.com:443", "https://127.0.0.1:8443": "127.0.0.1:8443", "https://[::1]:8443/": "[::1]:8443",
		"http://aval.example.com": "", "aval.example.com": "", "https://": "", "https://a/x": "", "https://u:p@a": "", "https://a?x": "", "": "",
	} {
		a, err := parseServer(server, pin)
		if (addr == "") != (err != nil) || a.addr != addr {
			t.Errorf("%q: %q, %v", server, a.addr, err)
		}
	}
	for _, bad := range []string{"sha256:", "sha256:0a", strings.Repeat("0a", 32), "sha1:" + strings.Repeat("0a", 32), pin + "00", "sha256:" + strings.Repeat("zz", 32)} {
		if _, err := parseServer("https://a", bad); err == nil {
			t.Errorf("pin %q was taken", bad)
		}
	}
}

// FuzzFrame gives a connection any frame that a server could send, in the middle
// of a delivery. It must not panic, and never acknowledge what was not sent.
func FuzzFrame(f *testing.F) {
	for _, fr := range []*wire.Frame{
		{Body: &wire.Frame_Opened{Opened: &wire.Opened{GrantId: "g1", Acked: 2, AckedHash: []byte("h")}}},
		{Body: &wire.Frame_Opened{Opened: &wire.Opened{GrantId: "g1", Acked: 1 << 60}}},
		{Body: &wire.Frame_Ack{Ack: &wire.Ack{GrantId: "g1", Seq: 2}}},
		{Body: &wire.Frame_Ack{Ack: &wire.Ack{GrantId: "g1", Seq: 9}}},
		{Body: &wire.Frame_Reject{Reject: &wire.Reject{GrantId: "g1", Code: "chain", Retry: true}}},
		{Body: &wire.Frame_Reject{Reject: &wire.Reject{GrantId: "g1", Code: "withdrawn", Sentence: "x"}}},
		{Body: &wire.Frame_RecordAck{RecordAck: &wire.RecordAck{Id: "r1"}}},
		{Body: &wire.Frame_Refused{Refused: &wire.Refused{Code: "proof"}}},
		{Body: &wire.Frame_Options{Options: &wire.Options{Envelope: []byte("{}")}}},
		{},
	} {
		raw, err := proto.Marshal(fr)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, false)
		f.Add(raw, true)
	}
	k := key(f)
	st := store.Stream{Company: "c", Session: "x/1"}
	f.Fuzz(func(t *testing.T, raw []byte, announced bool) {
		fr, err := decodeFrame(raw)
		if err != nil {
			return
		}
		src := &memory{info: store.StreamInfo{Stream: st, GrantID: "g1", Last: 3}, changed: make(chan struct{})}
		for i := range 3 {
			src.items = append(src.items, store.Item{GrantID: "g1", Event: event.Event{Session: "x/1", Seq: uint64(i + 1), Kind: event.Gap}})
		}
		l, err := New(Config{Server: "https://aval.example.com", Company: "c", Device: "d", Key: k, Source: src, Proxy: noNetwork})
		if err != nil {
			t.Fatal(err)
		}
		s := &stream{name: st, known: true, opened: "g1", sent: 3, flight: []batch{{"g1", 1, 2}, {"g1", 3, 3}}}
		if announced {
			s = &stream{name: st, open: "g1"}
		}
		c := &conn{l: l, streams: map[store.Stream]*stream{st: s}, grants: map[string]*stream{"g1": s}, records: map[string]bool{"r1": true}, rejected: map[string]bool{}}
		_ = c.handle(fr)
		if src.acked > 3 || (!announced && src.acked != 0 && src.acked != 2 && src.acked != 3) {
			t.Errorf("acknowledged %d", src.acked)
		}
	})
}

// FuzzReply reads any answer to an enrolment.
func FuzzReply(f *testing.F) {
	f.Add([]byte(`{"company":"c","company_name":"Example Support","device":"d","server_key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","options":"e30="}`))
	f.Add([]byte(`{}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, err := decodeReply(raw)
		if err == nil && (e.Company == "" || e.Device == "" || len(e.ServerKey) != ed25519.PublicKeySize) {
			t.Errorf("%+v", e)
		}
	})
}

// FuzzOpening reads any answer to a module that is opened. Planted: without
// wire.Number a text of 300 characters was to be read out.
func FuzzOpening(f *testing.F) {
	f.Add([]byte(`{"id":"01M","number":"482913","expires_in":600,"interval":2}`))
	f.Add([]byte(`{"id":"01M","number":"` + strings.Repeat("call me ", 40) + `","expires_in":600,"interval":2}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := decodeOpening(raw)
		if err == nil && (r.ID == "" || len(r.Number) != 6 || strings.Trim(r.Number, "0123456789") != "" || r.Interval < 1 || r.ExpiresIn > 3600) {
			t.Errorf("%+v", r)
		}
	})
}
