package scale

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	"aval/agent/record"
	"aval/agent/wire"
	"aval/summarizer/company"
	"aval/summarizer/ingest"
	"aval/summarizer/store"
	"aval/summarizer/store/storetest"
)

const (
	batchEvents = 500
	window      = 4 // batches on the way, as agent/uplink has it
	rounds      = 5
	perRound    = 12 // batches
)

// BenchmarkIngest is the whole way of a batch on the server (TLS, WebSocket, zstd,
// protobuf, signature, grant, sequence, chain, one transaction, acknowledgement),
// the sender's work in the same process included, beside a bare insert of the same
// rows: same driver, same durability, same number of rows to a transaction, one
// connection, one prepared statement, in turn. The store puts a hundred rows into
// one statement, so the bare insert is measured with one and with a hundred. The
// ratio of each round is what counts; goal: 0.5 of the one row a statement.
func BenchmarkIngest(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) {
		dir := b.TempDir()
		raw, err := sql.Open("sqlite", "file:"+filepath.Join(b.TempDir(), "bare.db")+
			"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&_pragma=secure_delete(1)&_txlock=immediate")
		if err != nil {
			b.Fatal(err)
		}
		compare(b, dir, "", raw)
	})
	b.Run("postgres", func(b *testing.B) {
		p, err := storetest.StartPostgres() // with fsync
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(p.Stop)
		for _, name := range []string{"aval", "bare"} {
			if err := p.Create(name, "template0"); err != nil {
				b.Fatal(err)
			}
		}
		raw, err := sql.Open("pgx", p.Address("bare"))
		if err != nil {
			b.Fatal(err)
		}
		compare(b, b.TempDir(), p.Address("aval"), raw)
	})
}

func compare(b *testing.B, dir, address string, raw *sql.DB) {
	defer raw.Close()
	raw.SetMaxOpenConns(1)
	if _, err := raw.Exec(`CREATE TABLE events (company TEXT NOT NULL, device TEXT NOT NULL, session TEXT NOT NULL, seq BIGINT NOT NULL,
		grant_id TEXT NOT NULL, kind TEXT NOT NULL, at BIGINT NOT NULL, fields TEXT NOT NULL, PRIMARY KEY (company, device, session, seq))`); err != nil {
		b.Fatal(err)
	}
	a, c := serve(b, dir, address)
	for b.Loop() {
		var ours, bares, together, toBare, toTogether []float64
		for range rounds {
			us := rate(b, func() error { return a.push(c, perRound) })
			bare := rate(b, func() error { return insert(raw, a, perRound, 1) })
			all := rate(b, func() error { return insert(raw, a, perRound, 100) })
			ours, bares, together = append(ours, us), append(bares, bare), append(together, all)
			toBare, toTogether = append(toBare, us/bare), append(toTogether, us/all)
		}
		b.ReportMetric(middle(ours), "ingest-events/s")
		b.ReportMetric(middle(bares), "bare-events/s")
		b.ReportMetric(middle(together), "bare-100-events/s")
		b.ReportMetric(middle(toBare), "ratio")
		b.ReportMetric(middle(toTogether), "ratio-100")
	}
	b.ReportMetric(0, "ns/op")
}

func rate(b *testing.B, f func() error) float64 {
	start := time.Now()
	if err := f(); err != nil {
		b.Fatal(err)
	}
	return float64(perRound*batchEvents) / time.Since(start).Seconds()
}

func middle(all []float64) float64 {
	s := slices.Sorted(slices.Values(all))
	return s[len(s)/2]
}

// sender pushes batches as fast as the window allows.
type sender struct {
	*Agent
	enc  *zstd.Encoder
	next uint64 // the first number of the next batch
	hash []byte
	bare uint64 // the same for the bare table
}

// serve starts a server in this process and one agent on it, its stream open.
func serve(b *testing.B, dir, address string) (*sender, *channel) {
	ctx := context.Background()
	db, err := store.Open(ctx, dir, store.Database(address))
	if err != nil {
		b.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	host, err := company.Open(ctx, db, company.Options{Server: "https://" + l.Addr().String()})
	if err != nil {
		b.Fatal(err)
	}
	home, err := host.Home(ctx)
	if err != nil {
		b.Fatal(err)
	}
	in := ingest.New(db, host, ingest.Options{})
	srv := &http.Server{Handler: in, TLSConfig: host.TLS(), ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = srv.ServeTLS(ingest.Listen(l), "", "") }()
	b.Cleanup(func() { _, _, _ = srv.Close(), in.Close(), db.Close() })
	a := &Agent{Company: home.ID(), Device: "d00000", Key: newKey("d00000"), Address: l.Addr().String()}
	pub := a.Key.Public().(ed25519.PublicKey)
	if err := db.Tx(ctx, func(tx *store.Tx) error {
		return tx.InsertDevice(store.Device{ID: a.Device, Company: a.Company, Name: a.Device, AgentVersion: "test", EnrolledAt: time.Now()}, record.KeyID(pub), pub)
	}); err != nil {
		b.Fatal(err)
	}
	a.begin()
	ws, _, err := (&websocket.Dialer{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}}).Dial("wss://"+a.Address+wire.AgentPath, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = ws.Close() })
	c := &channel{ws: ws}
	if err := a.hello(c); err != nil {
		b.Fatal(err)
	}
	raw, err := record.Sign(a.Key, record.TypeGrant, a.grant)
	if err != nil {
		b.Fatal(err)
	}
	if err := c.send(&wire.Frame{Body: &wire.Frame_Open{Open: &wire.Open{Grant: raw}}}); err != nil {
		b.Fatal(err)
	}
	if f, err := c.answer(); err != nil || f.GetOpened() == nil {
		b.Fatal(f, err)
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		b.Fatal(err)
	}
	return &sender{Agent: a, enc: enc, next: 1, bare: 1}, c
}

// push sends n batches and waits for all their acknowledgements.
func (s *sender) push(c *channel, n int) error {
	for sent, acked := 0, 0; acked < n; {
		if sent < n && sent-acked < window {
			m := &wire.Batch{GrantId: s.grant.ID, Session: s.session, FirstSeq: s.next, PrevHash: s.hash}
			for range batchEvents {
				m.Events = append(m.Events, wire.FromEvent(s.event(s.next)))
				s.next++
			}
			raw, err := proto.Marshal(m)
			if err != nil {
				return err
			}
			sig, err := record.SignBytes(s.Key, record.TypeBatch, raw)
			if err != nil {
				return err
			}
			s.hash = wire.Hash(raw)
			if err := c.send(&wire.Frame{Body: &wire.Frame_Batch{Batch: &wire.SignedBatch{Batch: s.enc.EncodeAll(raw, nil),
				Compression: wire.Compression_ZSTD, Signature: sig, KeyId: s.keyID()}}}); err != nil {
				return err
			}
			sent++
			continue
		}
		f, err := c.answer()
		if err != nil {
			return err
		}
		if f.GetAck() == nil {
			return fmt.Errorf("no acknowledgement: %v", f)
		}
		acked++
	}
	return nil
}

// insert is the bare variant: the same rows, nothing else, so many to a statement.
func insert(raw *sql.DB, s *sender, n, rows int) error {
	var values []string
	for i := range rows {
		p := make([]string, 8)
		for j := range p {
			p[j] = fmt.Sprintf("$%d", 8*i+j+1)
		}
		values = append(values, "("+strings.Join(p, ", ")+")")
	}
	query := `INSERT INTO events VALUES ` + strings.Join(values, ", ")
	for range n {
		tx, err := raw.Begin()
		if err != nil {
			return err
		}
		stmt, err := tx.Prepare(query)
		if err != nil {
			return err
		}
		for range batchEvents / rows {
			var args []any
			for range rows {
				e := s.event(s.bare)
				fields, err := json.Marshal(e.Fields)
				if err != nil {
					return err
				}
				args = append(args, s.Company, s.Device, s.session, int64(s.bare), s.grant.ID, string(e.Kind), e.At.UnixNano(), string(fields))
				s.bare++
			}
			if _, err := stmt.Exec(args...); err != nil {
				return err
			}
		}
		if err := tx.Commit(); err != nil {
			return err
		}
	}
	return nil
}
