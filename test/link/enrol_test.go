package link_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"aval/agent/event"
	"aval/agent/ipc"
	astore "aval/agent/store"
	"aval/agent/uplink"
	"aval/agent/wire"
	"aval/summarizer/company"
	"aval/summarizer/store"
)

func (s *server) many(t *testing.T, n company.NewEnrolToken) (wire.TokenFile, company.EnrolToken) {
	t.Helper()
	f, k, err := s.co.CreateEnrolToken(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return f, k
}

func (s *server) devices(t *testing.T) (list []company.Device) {
	t.Helper()
	for _, revoked := range []bool{false, true} {
		page, _, err := s.co.Devices(t.Context(), company.DeviceFilter{Revoked: revoked, Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, page...)
	}
	return list
}

// refusedBy is the word for why a server refused.
func refusedBy(err error) string {
	var no *uplink.Refusal
	if !errors.As(err, &no) {
		return fmt.Sprint(err)
	}
	return no.Code
}

// One token for many: as many computers as it says are enrolled, however many come
// at the same time, each with its own key, each in the token's group, each in the
// audit; used up, expired and revoked are told apart. Planted: without "used < uses"
// in UseEnrolToken 30 were enrolled; without revoked_at the revoked one enrolled;
// without EnrolledBy none was in the group.
func TestTokenForMany(t *testing.T) {
	c := &clock{}
	s := startServer(t, c.now)
	g, err := s.co.CreateGroup(t.Context(), "Shops")
	if err != nil {
		t.Fatal(err)
	}
	f, k := s.many(t, company.NewEnrolToken{Name: "Roll-out", Uses: 12, Group: "Shops"})
	if k.ExpiresAt.Sub(k.CreatedAt) != company.ManyLife || k.GroupID != g.ID {
		t.Errorf("%+v", k)
	}
	enrol := func(f wire.TokenFile) error {
		_, err := uplink.Enroll(context.Background(), f.Server, f.Pin, f.Token, newKey(), "test", "")
		return err
	}
	var mu sync.Mutex
	came := map[string]int{}
	var work sync.WaitGroup
	for range 30 {
		work.Go(func() {
			err := enrol(f)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				came["enrolled"]++
			} else {
				came[refusedBy(err)]++
			}
		})
	}
	work.Wait()
	list := s.devices(t)
	if came["enrolled"] != 12 || came["token-used"] != 18 || len(list) != 12 || slices.ContainsFunc(list, func(d company.Device) bool { return d.Group != "Shops" }) {
		t.Errorf("%v, %+v", came, list)
	}
	var audited int
	if err := s.db.View(t.Context(), func(tx *store.Tx) error {
		rows, err := tx.Audits(s.co.ID(), store.AuditFilter{Action: "device-enrolled", Max: 100})
		for _, r := range rows {
			if r.Detail == k.ID {
				audited++
			}
		}
		return err
	}); err != nil || audited != 12 {
		t.Errorf("%d uses in the audit, %v", audited, err)
	}
	if all, err := s.co.EnrolTokens(t.Context(), time.Time{}, 10); err != nil || len(all) == 0 || all[0].ID != k.ID || all[0].Used != 12 || all[0].Ended(c.now()) != "used" || all[0].Group != "Shops" {
		t.Errorf("%+v, %v", all, err)
	}

	f, k = s.many(t, company.NewEnrolToken{Uses: 12})
	if err := enrol(f); err != nil {
		t.Fatal(err)
	}
	if err := s.co.RevokeEnrolToken(t.Context(), k.ID); err != nil {
		t.Fatal(err)
	}
	if why := refusedBy(enrol(f)); why != "token-revoked" {
		t.Errorf("revoked: %s", why)
	}
	if err := s.co.RevokeEnrolToken(t.Context(), k.ID); !errors.Is(err, company.ErrEnrolToken) {
		t.Errorf("revoked twice: %v", err)
	}
	f, _ = s.many(t, company.NewEnrolToken{Uses: 2, Life: time.Hour})
	c.add(time.Hour + time.Second)
	if why := refusedBy(enrol(f)); why != "token-expired" {
		t.Errorf("expired: %s", why)
	}
	other, err := s.host.Create(t.Context(), "Other Support", "", "", company.Command)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.RevokeEnrolToken(t.Context(), k.ID); !errors.Is(err, company.ErrEnrolToken) {
		t.Errorf("another company's: %v", err)
	}
	for _, bad := range []company.NewEnrolToken{{Uses: -1}, {Uses: company.MostUses + 1}, {Life: company.TokenLife + 1}, {Uses: 2, Life: company.ManyLongest + 1}, {Group: "none of that name"}} {
		if _, _, err := s.co.CreateEnrolToken(t.Context(), bad); err == nil {
			t.Errorf("made: %+v", bad)
		}
	}
}

// One token file on computers that were made of one image: no two of them share a
// key. Where the system's identity is another, the agent makes a new key by itself;
// where a copy has even that, the server turns it away, whether it comes later or at
// the same moment. A computer whose answer was lost has it again, and uses the token
// up once. Planted: with the case of LastSeenAt left out of enrolled the copy was
// enrolled with the other's key; with Try not compared two copies were one device.
func TestCopiesWithOneToken(t *testing.T) {
	s := startServer(t, nil)
	f, k := s.many(t, company.NewEnrolToken{Uses: 100})

	image := unmanaged(t, true)
	image.is = astore.Machine{System: "image", Board: "image"}
	image.begin()
	image.stop()
	copies := []*desk{}
	for _, is := range []astore.Machine{{System: "a", Board: "a"}, {System: "image", Board: "b"}, {System: "image", Board: "image"}, {System: "image", Board: "image"}} {
		d := unmanaged(t, false)
		if err := os.CopyFS(filepath.Join(d.dir, "state"), os.DirFS(filepath.Join(image.dir, "state"))); err != nil {
			t.Fatal(err)
		}
		for _, dir := range []string{"", "docs", "keys"} { // CopyFS opens folders to all
			if err := os.Chmod(filepath.Join(d.dir, "state", dir), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		d.is = is
		d.lay("a.json", f)
		d.begin()
		copies = append(copies, d)
		if len(copies) < 4 {
			d.until("connected", func(s ipc.Status) bool { return s.Link == "connected" })
		}
	}
	copies[3].until("it is told that it is a copy", func(s ipc.Status) bool { return notes(s, "is a copy of it") })
	ids, keys := map[string]bool{}, map[string]bool{}
	for _, d := range s.devices(t) {
		ids[d.ID] = true
		if err := s.db.View(t.Context(), func(tx *store.Tx) error {
			list, err := tx.DeviceKeys(s.co.ID(), d.ID)
			for id := range list {
				keys[id] = true
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	if len(ids) != 3 || len(keys) != 3 {
		t.Errorf("%d devices with %d keys", len(ids), len(keys))
	}

	// Without anybody having connected: the same try gets the same answer, another one
	// takes its place, and the token counts.
	key := newKey()
	enrol := func(try string) string {
		e, err := uplink.Enroll(t.Context(), f.Server, f.Pin, f.Token, key, "test", try)
		if err != nil {
			t.Fatal(err)
		}
		return e.Device
	}
	first, again, second := enrol("one"), enrol("one"), enrol("two")
	live := func(id string) bool {
		d, err := s.co.Device(t.Context(), id)
		return err == nil && d.RevokedAt.IsZero()
	}
	if first != again || first == second || live(first) || !live(second) {
		t.Errorf("%s (%v), %s, %s (%v)", first, live(first), again, second, live(second))
	}
	all, err := s.co.EnrolTokens(t.Context(), time.Time{}, 1)
	if err != nil || all[0].ID != k.ID || all[0].Used != 5 {
		t.Errorf("%+v, %v", all, err)
	}
}

// A computer that leaves tells the server, which ends its key at once and says so;
// it loses nothing by that: while something is recorded or waits it stays, unless it
// is told to lose it. Without the server it leaves all the same, and tells later.
// Planted: without mayLeave the events were gone; without tellAllLeft the server did
// not know after the restart; without KeyOf in Leave a stranger's key made it leave.
func TestLeaving(t *testing.T) {
	dir := t.TempDir()
	s, err := listen(dir, "127.0.0.1:0", nil, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	addr := s.addr
	t.Cleanup(func() { s.close() })
	d := startDesk(t)
	join := func() string {
		t.Helper()
		f, _ := s.many(t, company.NewEnrolToken{})
		r, err := say[ipc.EnrollResult](d, ipc.MethodEnroll, ipc.Enroll{Server: f.Server, Token: f.Token, Pin: f.Pin})
		if err != nil {
			t.Fatal(err)
		}
		return r.Device
	}
	left := func(id string) bool {
		got, err := s.co.Device(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return !got.LeftAt.IsZero() && !got.RevokedAt.IsZero()
	}
	record := func(id string) string {
		t.Helper()
		r := begin(t, d, id)
		if e, err := say[ipc.SessionEventResult](d, ipc.MethodSessionEvent, ipc.SessionEvent{ID: r.Session, Kind: event.Note, Fields: map[string]string{"text": "printer restarted"}}); err != nil || !e.Recorded {
			t.Fatalf("%+v, %v", e, err)
		}
		return r.Session
	}
	leave := func(discard bool) (ipc.UnenrollResult, error) {
		return say[ipc.UnenrollResult](d, ipc.MethodUnenroll, ipc.Unenroll{Discard: discard})
	}

	one := join()
	d.eventually("connected", func() bool {
		st, err := say[ipc.Status](d, ipc.MethodStatus, nil)
		return err == nil && st.Link == "connected"
	})
	if err := uplink.Leave(t.Context(), s.co.Server(), s.co.Pin(), one, newKey()); refusedBy(err) != "device-unknown" || left(one) {
		t.Errorf("with another key: %v", err)
	}
	name := record("1")
	if _, err := leave(false); why(err) != ipc.WhyUnsent {
		t.Errorf("while it records: %v", err)
	}
	if _, err := say[ipc.SessionInfo](d, ipc.MethodSessionEnd, ipc.SessionEnd{ID: name}); err != nil {
		t.Fatal(err)
	}
	// What the person has still to send or to delete waits as well: nobody knows whose
	// hand the yes was. Sent, it leaves with nothing lost.
	d.eventually("the event at the server", func() bool { return s.streams(t)[name].Acked > 0 })
	var r ipc.UnenrollResult
	d.eventually("it may leave", func() bool { r, err = leave(false); return why(err) != ipc.WhyUnsent })
	if err != nil || !r.Told || r.Lost != 0 || r.Company != "Example Support" || !left(one) {
		t.Errorf("%+v, %v, left %v", r, err, left(one))
	}
	if err := s.db.View(t.Context(), func(tx *store.Tx) error {
		keys, err := tx.DeviceKeys(s.co.ID(), one)
		rows, aerr := tx.Audits(s.co.ID(), store.AuditFilter{Action: "device-left", Max: 10})
		if len(keys) != 0 || len(rows) != 1 || rows[0].Actor != "device:"+one {
			t.Errorf("%v, %+v", keys, rows)
		}
		return errors.Join(err, aerr)
	}); err != nil {
		t.Fatal(err)
	}

	two := join()
	if two == one {
		t.Error("it is the device that it was")
	}
	d.eventually("connected", func() bool {
		st, err := say[ipc.Status](d, ipc.MethodStatus, nil)
		return err == nil && st.Link == "connected"
	})
	s.close()
	name = record("2")
	if _, err := say[ipc.SessionInfo](d, ipc.MethodSessionEnd, ipc.SessionEnd{ID: name}); err != nil {
		t.Fatal(err)
	}
	if _, err := leave(false); why(err) != ipc.WhyUnsent || !strings.Contains(err.Error(), "would be lost") {
		t.Errorf("with events that wait: %v", err)
	}
	if st, err := say[ipc.Status](d, ipc.MethodStatus, nil); err != nil || st.Company == "" || st.Waiting == 0 {
		t.Fatalf("%+v, %v", st, err)
	}
	if r, err := leave(true); err != nil || r.Told || r.Lost == 0 {
		t.Errorf("without the server: %+v, %v", r, err)
	}
	if st, err := say[ipc.Status](d, ipc.MethodStatus, nil); err != nil || st.Company != "" || st.Waiting != 0 {
		t.Errorf("%+v, %v", st, err)
	}
	d.stop()
	if s, err = listen(dir, addr, nil, time.Second); err != nil {
		t.Fatal(err)
	}
	if left(two) {
		t.Error("the server knows already")
	}
	d.start()
	d.eventually("the server is told", func() bool { return left(two) })
}
