package link_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"aval/agent/ipc"
	"aval/agent/record"
	"aval/agent/wire"
	"aval/summarizer/company"
	"aval/summarizer/store"
	"aval/summarizer/store/storetest"
)

// logOf is what a server has seen of a device's log.
func logOf(t testing.TB, s *server, device string) (l store.DeviceLog) {
	t.Helper()
	if err := s.db.View(t.Context(), func(tx *store.Tx) (err error) { l, err = tx.DeviceLog(s.co.ID(), device); return err }); err != nil {
		t.Fatal(err)
	}
	return l
}

// broken are the rows of the audit log that tell of it.
func broken(t testing.TB, s *server, device string) []store.Audit {
	t.Helper()
	list, err := s.co.Audits(t.Context(), store.AuditFilter{Action: "log-broken", Subject: device})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// seenAudit is the size of the company's audit log that the desk keeps.
func seenAudit(d *desk) int64 {
	raw, err := os.ReadFile(filepath.Join(d.dir, "state", "docs", "audit"))
	if err != nil {
		return 0
	}
	_, raw, _ = bytes.Cut(raw, []byte("\n"))
	var doc struct {
		Kept []byte `json:"kept"`
	}
	var h record.AuditHead
	if json.Unmarshal(raw, &doc) == nil {
		if _, payload, err := record.Peek(doc.Kept); err == nil {
			_ = json.Unmarshal(payload, &h)
		}
	}
	return h.Size
}

// again connects the desk anew.
func (d *desk) again() {
	d.stop()
	d.start()
}

func auditBreak(d *desk) *ipc.AuditBreak {
	st, err := say[ipc.Status](d, ipc.MethodStatus, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	return st.AuditBreak
}

// TestCheckpoints: computer and server each keep how far the other's log has come,
// and neither finds anything wrong while both go on. A computer that is put back
// from a copy is seen, told once for what it shows, and goes on connecting.
// Planted: TakeDeviceHead without CheckConsistency takes the copy for the log itself;
// without Other kept beside, what is shown next is told of again each time.
func TestCheckpoints(t *testing.T) {
	s := startServer(t, nil)
	d, device := enrolled(t, s)
	state, copied := filepath.Join(d.dir, "state"), filepath.Join(d.dir, "copy")
	// settled connects anew until all of the log was shown, and returns its size.
	settled := func() int64 {
		t.Helper()
		for last := int64(-1); ; {
			began := time.Now()
			d.again()
			d.eventually("the checkpoint of a new connection", func() bool { return logOf(t, s, device).Newest().At.After(began) })
			n := logOf(t, s, device).Newest().Size
			if n == last {
				return n
			}
			last = n
		}
	}
	begin(t, d, "1")
	first := settled()
	d.eventually("the audit log's head", func() bool { return seenAudit(d) > 0 })
	firstAudit := seenAudit(d)
	d.stop()
	if err := os.CopyFS(copied, os.DirFS(state)); err != nil {
		t.Fatal(err)
	}
	d.start()
	s.user(t, "Ana Souza", true)
	begin(t, d, "2")
	if n := settled(); first == 0 || n <= first {
		t.Fatalf("%d records after %d", n, first)
	}
	d.eventually("the audit log's next head", func() bool { return seenAudit(d) > firstAudit })
	kept := logOf(t, s, device).Kept
	if list := broken(t, s, device); len(list) != 0 || auditBreak(d) != nil {
		t.Fatalf("%+v, %+v", list, auditBreak(d))
	}
	if c, _, err := record.OpenCheckpoint(kept.Envelope, keysOf(t, s, device)); err != nil || c.Device != device || c.Size != kept.Size {
		t.Errorf("what is kept: %+v, %v", c, err)
	}

	d.stop()
	if err := errors.Join(os.RemoveAll(state), os.Rename(copied, state)); err != nil {
		t.Fatal(err)
	}
	d.start()
	d.eventually("the break", func() bool { return logOf(t, s, device).Broken == 1 })
	begin(t, d, "3") // the copy goes on
	if n := settled(); n <= first {
		t.Errorf("%d records of the copy after %d", n, first)
	}
	got, err := s.co.Device(t.Context(), device)
	if err != nil || got.LogBreak == nil || got.LogBreak.Times != 1 || got.LogBreak.Kept.Size != kept.Size || got.LogBrokenAt.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
	if list, _, err := s.co.Devices(t.Context(), company.DeviceFilter{}); err != nil || len(list) != 1 || list[0].LogBrokenAt.IsZero() {
		t.Errorf("%+v, %v", list, err)
	}
	if list := broken(t, s, device); len(list) != 1 {
		t.Errorf("%+v", list)
	}
}

func keysOf(t testing.TB, s *server, device string) record.Keys {
	t.Helper()
	var keys record.Keys
	err := s.db.View(t.Context(), func(tx *store.Tx) error {
		m, err := tx.DeviceKeys(s.co.ID(), device)
		for _, k := range m {
			keys = record.OneKey(k)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// TestRestoredServerIsSeen: a server that was put back from a backup shows a
// computer an audit log that does not continue what it has seen: with fewer rows,
// or with as many others after it. The computer tells, keeps both, and goes on.
// Planted: agent.takeAudit without CheckConsistency; and with a comparison of sizes
// in its place, where the second half is not seen.
func TestRestoredServerIsSeen(t *testing.T) {
	for name, rows := range map[string]int{"fewer": 0, "more": 20} {
		t.Run(name, func(t *testing.T) {
			dir, to := storetest.Dir(t), filepath.Join(t.TempDir(), "new")
			s, err := listen(dir, "127.0.0.1:0", nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.close)
			d, device := enrolled(t, s)
			d.eventually("the audit log's head", func() bool { return seenAudit(d) > 0 })
			before, file := seenAudit(d), backup(t, dir)
			for range 8 {
				s.user(t, "Ana Souza", true)
			}
			d.again()
			d.eventually("the audit log's next head", func() bool { return seenAudit(d) >= before+8 })
			seen := seenAudit(d)
			d.stop()
			s.close()
			putBack(t, to, file)
			db, err := store.OpenBeside(t.Context(), to)
			if err != nil {
				t.Fatal(err)
			}
			co, err := loadHome(t, db, company.Options{})
			for i := 0; i < rows && err == nil; i++ {
				_, err = co.CreateUser(t.Context(), company.NewUser{Name: "Rui Lima"})
			}
			if err := errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
			s, err = listen(to, s.addr, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.close)
			d.start()
			d.eventually("the break", func() bool { return auditBreak(d) != nil })
			b := auditBreak(d)
			if b.Seen != seen || (b.Shown > seen) != (rows > 0) || b.At.IsZero() || b.SeenAt.IsZero() {
				t.Errorf("%+v, seen %d", b, seen)
			}
			begin(t, d, "1") // nothing is refused for it
			d.again()
			d.eventually("the computer's own log", func() bool { return logOf(t, s, device).Kept.Size > 0 })
			if after := auditBreak(d); after == nil || after.Seen != seen || !after.At.Equal(b.At) {
				t.Errorf("%+v after %+v", after, b)
			}
		})
	}
}

// TestCheckpointWhileConnected: a log that grows is shown again on the same
// connection; a computer of before shows nothing, is shown nothing, and delivers.
func TestCheckpointWhileConnected(t *testing.T) {
	s := startServer(t, nil)
	d := enrol(t, s.dir, nil)
	cfg := d.config("")
	_, stop := d.connect(cfg)
	st, _ := d.grant("x/1")
	d.append(st, d.titles("x/1", 0, 3)...)
	until(t, "the events", func() bool { return d.acked(st) })
	if l := logOf(t, s, d.enr.Device); l.Kept.Root != nil {
		t.Errorf("shown by a computer of before: %+v", l)
	}
	stop()
	cfg.ShowLog = 20 * time.Millisecond
	d.connect(cfg)
	for _, session := range []string{"x/2", "x/3", "x/4"} {
		d.grant(session)
		until(t, "its checkpoint", func() bool { return logOf(t, s, d.enr.Device).Kept.Size == d.store.LogSize() })
	}
	if l := logOf(t, s, d.enr.Device); l.Broken != 0 || len(l.Other.Root) != 0 {
		t.Errorf("%+v", l)
	}
}

// TestCheckpointNotKept: what no agent would send is not kept, is no break, and
// ends nothing. Planted: headOf without the company, without the device; UnpackProof
// without its bound.
func TestCheckpointNotKept(t *testing.T) {
	s := startServer(t, nil)
	d := enrol(t, s.dir, nil)
	root := record.Leaf([record.SaltSize]byte{}, nil)
	good := func(co, dev string, size int64) []byte {
		return sign(d, record.TypeCheckpoint, record.NewCheckpoint(co, dev, time.Now(), size, root))
	}
	foreign, err := record.Sign(newKey(), record.TypeCheckpoint, record.NewCheckpoint(d.enr.Company, d.enr.Device, time.Now(), 1, root))
	if err != nil {
		t.Fatal(err)
	}
	long := make([][]byte, record.MaxProof+1)
	for i := range long {
		long[i] = root[:]
	}
	g := d.body("x/1")
	grant := sign(d, record.TypeGrant, g)
	for name, f := range map[string]*wire.Checkpoint{
		"other company": {Envelope: good("other", d.enr.Device, 1)}, "other device": {Envelope: good(d.enr.Company, "other", 1)},
		"another's key": {Envelope: foreign}, "no envelope": {}, "long proof": {Envelope: good(d.enr.Company, d.enr.Device, 1), Proof: long},
		"short hash": {Envelope: good(d.enr.Company, d.enr.Device, 1), Proof: [][]byte{{1}}}, "too large": {Envelope: good(d.enr.Company, d.enr.Device, record.MaxLog+1)},
		"another beginning": {Envelope: good(d.enr.Company, d.enr.Device, 1), Since: 7},
	} {
		c := welcome(t, s.addr, d)
		c.send(&wire.Frame{Body: &wire.Frame_Checkpoint{Checkpoint: f}})
		c.send(openFrame(grant))
		for { // the connection goes on; options come first
			f, err := c.recv()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if f.GetCheckpoint() != nil {
				t.Errorf("%s: an audit head for who did not ask for it", name)
			}
			if f.GetOpened() != nil {
				break
			}
		}
		if l := logOf(t, s, d.enr.Device); l.Kept.Root != nil || l.Broken != 0 {
			t.Errorf("%s: %+v", name, l)
		}
	}
}

// TestRewrittenLog: a log that is not shorter, with other records under the same
// numbers, is seen by its proof alone; what is put back over and over fills nothing.
// Planted: sizes compared in place of CheckConsistency; maxBroken left out.
func TestRewrittenLog(t *testing.T) {
	s := startServer(t, nil)
	d := enrol(t, s.dir, nil)
	shown := 0
	show := func(since, size int64) {
		t.Helper()
		shown++
		root := record.Leaf([record.SaltSize]byte{byte(shown)}, nil)
		proof := [][]byte{root[:], root[:], root[:]}
		if since == 0 || since == size {
			proof = nil
		}
		c := welcome(t, s.addr, d)
		c.send(&wire.Frame{Body: &wire.Frame_Checkpoint{Checkpoint: &wire.Checkpoint{Since: since, Proof: proof,
			Envelope: sign(d, record.TypeCheckpoint, record.NewCheckpoint(d.enr.Company, d.enr.Device, time.Now(), size, root))}}})
		until(t, "what was shown", func() bool {
			r := logOf(t, s, d.enr.Device).Newest().Root
			return len(r) == len(root) && record.Hash(r) == root
		})
	}
	show(0, 5)
	if l := logOf(t, s, d.enr.Device); l.Broken != 0 || l.Kept.Size != 5 {
		t.Fatalf("%+v", l)
	}
	show(5, 9)
	show(9, 9)
	if l := logOf(t, s, d.enr.Device); l.Broken != 2 || l.Kept.Size != 5 || l.Other.Size != 9 {
		t.Errorf("%+v", l)
	}
	for range 25 {
		show(9, 9)
	}
	if l, rows := logOf(t, s, d.enr.Device), broken(t, s, d.enr.Device); l.Broken != 27 || len(rows) != 20 {
		t.Errorf("%d times, %d rows", l.Broken, len(rows))
	}
}
