package link_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aval/agent/ipc"
	"aval/summarizer/company"
	"aval/summarizer/store"
	"aval/summarizer/store/storetest"
)

// certify writes a certificate of the test's authority, with its key, and makes
// the files look as new as at.
func certify(t *testing.T, dir string, at time.Time) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: makeCert(authority.cert, k.Public(), nil)}, key: {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// With a certificate of an authority a code is eight signs and the server's name:
// no fingerprint, and nothing in the question that warns of one. The certificate
// may be renewed while the server runs; files that do not fit leave the last one.
// Planted: with the files read once only, the renewed certificate never came.
func TestCodeAuthority(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	cert, key := certify(t, dir, now.Add(-time.Hour))
	s, err := listenWith(storetest.Dir(t), "127.0.0.1:0", company.Options{CertFile: cert, KeyFile: key}, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	made := s.code(t, company.CodeFor{LogSessions: true})
	if strings.Contains(made.Code, "#") || made.Pinned || !strings.HasSuffix(made.Code, "@"+s.addr) {
		t.Errorf("%+v", made)
	}
	d := startDesk(t)
	if _, err := say[ipc.SessionBeginResult](d, ipc.MethodSessionJoin, ipc.SessionJoin{Code: made.Code, Hold: true}); err != nil {
		t.Fatal(err)
	}
	if q := d.questions(); len(q) != 1 || q[0].Companies[0].Pinned || q[0].Companies[0].Host != "127.0.0.1" {
		t.Errorf("%+v", q)
	}
	served := func() string {
		c, err := tls.Dial("tcp", s.addr, &tls.Config{MinVersion: tls.VersionTLS13}) // by the system's roots
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	first := served()
	certify(t, dir, now)
	second := served()
	if second == first {
		t.Error("the renewed certificate is not served")
	}
	if err := os.WriteFile(key, []byte("half of a key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := served(); got != second {
		t.Error("files that do not fit changed what is served")
	}
	// A command beside the server makes the same codes.
	db, err := store.OpenBeside(t.Context(), s.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	co, err := loadHome(t, db, company.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if c, err := co.NewCode(t.Context(), company.CodeFor{Supporter: "Ana"}); err != nil || c.Pinned {
		t.Errorf("%+v, %v", c, err)
	}
}

// A code's session survives a restart of the service as far as something waits:
// what was recorded and confirmed arrives though the service was stopped between.
// Planted: with loadGuests reading nothing, it never arrived.
func TestCodeRestart(t *testing.T) {
	s := startServer(t, nil)
	d := startDesk(t)
	r, err := say[ipc.SessionBeginResult](d, ipc.MethodSessionJoin, ipc.SessionJoin{Code: s.code(t, company.CodeFor{LogSessions: true}).Code, Hold: true})
	if err != nil {
		t.Fatal(err)
	}
	d.eventually("capture runs", func() bool { i, ok := d.session(r.Session); return ok && i.Recording })
	d.stop()
	d.start() // nothing confirms a session that a code opened: it is over, and the person is asked
	d.eventually("what was recorded arrives", func() bool { x, ok := s.streams(t)[r.Session]; return ok && !x.EndedAt.IsZero() })
	if x := s.streams(t)[r.Session]; x.EndReason != "lost" {
		t.Errorf("%+v", x)
	}
}
