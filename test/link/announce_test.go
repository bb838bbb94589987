package link_test

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/agent/record"
	"aval/summarizer/company"
	"aval/summarizer/store"
)

// enrolled is a desk that is managed by a server's company.
func enrolled(t *testing.T, s *server) (*desk, string) {
	t.Helper()
	d := startDesk(t)
	tok := token(t, s.dir)
	r, err := say[ipc.EnrollResult](d, ipc.MethodEnroll, ipc.Enroll{Server: tok.Server, Token: tok.Token, Pin: tok.Pin})
	if err != nil {
		t.Fatal(err)
	}
	return d, r.Device
}

func (s *server) user(t testing.TB, name string, log bool) string {
	t.Helper()
	u, err := s.co.CreateUser(t.Context(), company.NewUser{Name: name, Unlogged: !log})
	if err != nil {
		t.Fatal(err)
	}
	return u.ID
}

// announce waits until the computer has it.
func (s *server) announce(t testing.TB, d *desk, user, device string) {
	t.Helper()
	a, err := s.co.Announce(t.Context(), user, device)
	if err != nil {
		t.Fatal(err)
	}
	d.eventually("the announcement", func() bool { ok, _ := s.co.Delivered(t.Context(), a.ID); return ok })
}

func begin(t testing.TB, d *desk, id string) ipc.SessionBeginResult {
	t.Helper()
	r, err := say[ipc.SessionBeginResult](d, ipc.MethodSessionBegin, ipc.SessionBegin{Tool: "t", ID: id, Supporter: "203.0.113.7", Hold: true})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// An announced session has the name that the company vouches for, and only the
// next one; who is not to be logged is not asked about; with two announcements it
// is not known whose session it is, and neither name is given to it.
func TestAnnounce(t *testing.T) {
	s := startServer(t, nil)
	d, device := enrolled(t, s)
	ana, rui := s.user(t, "Ana Souza", true), s.user(t, "Rui Lima", false)
	last := func() ipc.Question { q := d.questions(); return q[len(q)-1] }

	s.announce(t, d, ana, device)
	if r := begin(t, d, "1"); r.Outcome != consent.OutcomeAllowed {
		t.Fatalf("%+v", r)
	}
	if q := last(); q.Supporter != "Ana Souza" || !q.SupporterVerified || q.Address != "203.0.113.7" || !q.Companies[0].Verified || q.Companies[0].Host != "" {
		t.Errorf("announced: %+v", q)
	}
	begin(t, d, "2")
	if q := last(); q.Supporter != "203.0.113.7" || q.SupporterVerified {
		t.Errorf("the one after it: %+v", q)
	}
	s.announce(t, d, rui, device)
	// Planted: without asAnnounced in decide this session was asked about.
	if r := begin(t, d, "3"); r.Verdict != consent.NotRequested || r.Reason != consent.ReasonReportingOffForUser {
		t.Errorf("who is not logged: %+v", r)
	}
	s.announce(t, d, ana, device)
	s.announce(t, d, rui, device)
	// Planted: with the first of two taken, Ana's name stood here.
	begin(t, d, "4")
	if q := last(); q.SupporterVerified {
		t.Errorf("two were announced: %+v", q)
	}
	var rec record.Decided
	list, err := say[ipc.ConsentListResult](d, ipc.MethodConsentList, ipc.ConsentListPage{})
	if err != nil || len(list.Entries) != 4 {
		t.Fatalf("%+v, %v", list, err)
	}
	shown, err := say[ipc.ConsentShow](d, ipc.MethodConsentShow, ipc.ByID{ID: list.Entries[3].ID})
	if err != nil {
		t.Fatal(err)
	}
	decodeRecord(t, shown.Envelope, &rec)
	if rec.Request == "" || !rec.SupporterVerified || rec.CompanyHost != "" {
		t.Errorf("the record says %+v", rec)
	}
}

// What is not the company's, not this computer's, or over, changes nothing. Each
// is put into the store of a server that signs or sends as it should not.
// Planted: with OpenRequest not comparing the device, the first row's name came.
func TestAnnounceForged(t *testing.T) {
	clk := &clock{}
	s := startServer(t, clk.now)
	d, device := enrolled(t, s)
	ana := s.user(t, "Ana Souza", true)
	good := func() record.Request {
		now := time.Now().UTC()
		return record.Request{V: 1, ID: store.NewID(now), Company: s.co.ID(), Device: device, At: now, Expires: now.Add(time.Minute),
			CompanyName: "Example Support", Supporter: "Mallory", LogSessions: true, Outgoing: consent.OutgoingAll, Engine: "rules", RetentionDays: 90}
	}
	for name, change := range map[string]func(*record.Request){
		"of another computer": func(r *record.Request) { r.Device = "other" },
		"of another company":  func(r *record.Request) { r.Company = "other" },
		"over": func(r *record.Request) {
			r.At, r.Expires = r.At.Add(-time.Hour), r.At.Add(-time.Minute)
		},
		"signed by another": func(r *record.Request) { r.V = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			r := good()
			change(&r)
			env, err := record.Sign(newKey(), record.TypeRequest, r)
			if name != "signed by another" {
				env, err = s.sign(record.TypeRequest, r)
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := s.db.Tx(t.Context(), func(tx *store.Tx) error {
				return tx.InsertAnnouncement(store.Announcement{ID: r.ID, Company: s.co.ID(), Device: device, User: ana, Envelope: env, CreatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Minute)})
			}); err != nil {
				t.Fatal(err)
			}
			d.eventually("the announcement", func() bool { ok, _ := s.co.Delivered(t.Context(), r.ID); return ok })
			begin(t, d, r.ID)
			if q := d.questions(); q[len(q)-1].SupporterVerified {
				t.Errorf("%+v", q[len(q)-1])
			}
		})
	}
}

// sign signs with the key that the server keeps in its folder.
func (s *server) sign(typ record.Type, body any) ([]byte, error) {
	key, err := company.ReadReleaseKey(filepath.Join(s.dir, "keys", s.co.ID()+".pem"))
	if err != nil {
		return nil, err
	}
	return record.Sign(key, typ, body)
}

func decodeRecord(t testing.TB, envelope []byte, body any) {
	t.Helper()
	_, payload, err := record.Peek(envelope)
	if err == nil {
		err = json.Unmarshal(payload, body)
	}
	if err != nil {
		t.Fatal(err)
	}
}
