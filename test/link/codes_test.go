package link_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
	"aval/agent/record"
	"aval/agent/uplink"
	"aval/agent/wire"
	"aval/summarizer/company"
	"aval/summarizer/store"
)

func (s *server) code(t testing.TB, f company.CodeFor) company.NewCode {
	t.Helper()
	if f.Supporter == "" {
		f.Supporter = "Ana"
	}
	c, err := s.co.NewCode(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// streams are what the server has stored, by session.
func (s *server) streams(t testing.TB) map[string]store.Stream {
	t.Helper()
	out := map[string]store.Stream{}
	if err := s.db.View(t.Context(), func(tx *store.Tx) error {
		list, err := tx.Streams(s.co.ID(), store.Cursor{}, 100)
		for _, x := range list {
			out[x.Session] = x
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

func redeem(t testing.TB, text string) (uplink.Redeemed, ed25519.PrivateKey, error) {
	t.Helper()
	code, err := wire.ParseCode(text)
	if err != nil {
		t.Fatal(err)
	}
	_, key, _ := ed25519.GenerateKey(nil)
	r, err := uplink.Redeem(t.Context(), code, key, "test", "")
	return r, key, err
}

// A code counts once, for ten minutes, and says why when it does not count.
func TestCodeOnce(t *testing.T) {
	c := &clock{}
	s := startServer(t, c.now)
	made := s.code(t, company.CodeFor{LogSessions: true, Module: "Help desk", ModuleEnabled: true})
	r, _, err := redeem(t, made.Link)
	if err != nil {
		t.Fatal(err)
	}
	q := r.Request
	if q.Supporter != "Ana" || !q.LogSessions || q.Module != "Help desk" || !q.ModuleEnabled || q.CompanyName != "Example Support" ||
		q.ID != made.ID || q.Expires.Sub(q.At) != record.RequestLife || r.Host != "127.0.0.1" || !r.Pinned {
		t.Errorf("request %+v of %s", q, r.Host)
	}
	if _, _, err := redeem(t, made.Code); !errors.Is(err, uplink.ErrSessionCode) || !strings.Contains(err.Error(), "used already") {
		t.Errorf("a second use: %v", err)
	}
	late := s.code(t, company.CodeFor{})
	c.add(company.CodeLife + time.Second)
	if _, _, err := redeem(t, late.Code); !errors.Is(err, uplink.ErrSessionCode) || !strings.Contains(err.Error(), "expired") {
		t.Errorf("after ten minutes: %v", err)
	}
	// Planted: with the condition used_at = 0 taken out of store.UseCode the second
	// use went through, and without expires_at the late one; both are caught here.
}

// Of many tries at the same time, on two servers of one store, five are looked
// at and no more; a right code is then refused too. After ten minutes it goes on.
// Planted: without the comparison with CodeTries all twenty were looked at, and
// with CodeTryBack for wrong codes too seven of them.
func TestCodeTries(t *testing.T) {
	c := &clock{}
	s := startServer(t, c.now)
	right := s.code(t, company.CodeFor{LogSessions: true})
	parsed, err := wire.ParseCode(right.Code)
	if err != nil {
		t.Fatal(err)
	}
	var looked, stopped atomic.Int32
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			wrong := parsed
			for wrong.Secret == parsed.Secret {
				wrong.Secret = wire.NewSecret()
			}
			_, key, _ := ed25519.GenerateKey(nil)
			_, err := uplink.Redeem(context.Background(), wrong, key, "test", "")
			switch {
			case err == nil:
				t.Error("a wrong code was taken")
			case strings.Contains(err.Error(), "not known here"):
				looked.Add(1)
			case strings.Contains(err.Error(), "Too many"):
				stopped.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if looked.Load() != company.CodeTries || stopped.Load() != 20-company.CodeTries {
		t.Errorf("%d were looked at, %d stopped", looked.Load(), stopped.Load())
	}
	if _, _, err := redeem(t, right.Code); err == nil || !strings.Contains(err.Error(), "Too many") {
		t.Errorf("the right code after too many tries: %v", err)
	}
	c.add(company.TryWindow + time.Second)
	if _, _, err := redeem(t, s.code(t, company.CodeFor{}).Code); err != nil {
		t.Errorf("after the window: %v", err)
	}
	// Right codes are no tries: an office behind one address is not locked out.
	for range company.CodeTries + 2 {
		if _, _, err := redeem(t, s.code(t, company.CodeFor{}).Code); err != nil {
			t.Fatal(err)
		}
	}
}

// From a code to the stored session: the person is asked in the name of the
// server, nothing leaves before they have confirmed it after the supporter has
// left, what arrives is signed by the session's key alone, and the computer's
// own key is in nothing that the company gets.
func TestCodeSession(t *testing.T) {
	s := startServer(t, nil)
	d := startDesk(t)
	made := s.code(t, company.CodeFor{Supporter: "Ana Souza", LogSessions: true})
	res, err := say[ipc.SessionBeginResult](d, ipc.MethodSessionJoin, ipc.SessionJoin{Code: made.Code, Hold: true})
	if err != nil {
		t.Fatal(err)
	}
	if res.Outcome != consent.OutcomeAllowed || !strings.HasPrefix(res.Session, "support/") {
		t.Fatalf("%+v", res)
	}
	asked := d.questions()
	if len(asked) != 1 || asked[0].Supporter != "Ana Souza" || !asked[0].SupporterVerified || len(asked[0].Companies) != 1 {
		t.Fatalf("asked %+v", asked)
	}
	if co := asked[0].Companies[0]; co.Host != "127.0.0.1" || co.Verified || !co.First || !co.Pinned || co.Name != "Example Support" {
		t.Errorf("company %+v", co)
	}
	d.eventually("capture runs", func() bool { i, ok := d.session(res.Session); return ok && i.Recording })
	if i, _ := d.session(res.Session); i.Company != "Example Support" || !i.Verified {
		t.Errorf("%+v", i)
	}
	note, err := say[ipc.SessionEventResult](d, ipc.MethodSessionEvent, ipc.SessionEvent{ID: res.Session, Kind: event.Note,
		Fields: map[string]string{"text": "restarted the printer service"}})
	if err != nil || !note.Recorded {
		t.Fatalf("%+v, %v", note, err)
	}
	if got := s.streams(t); len(got) != 0 {
		t.Errorf("before the person has confirmed it the server has %+v", got)
	}
	if _, err := say[ipc.SessionInfo](d, ipc.MethodSessionEnd, ipc.SessionEnd{ID: res.Session}); err != nil {
		t.Fatal(err)
	}
	d.eventually("the session is at the server", func() bool { x, ok := s.streams(t)[res.Session]; return ok && !x.EndedAt.IsZero() })
	x := s.streams(t)[res.Session]
	if x.Supporter != "Ana Souza" || !x.SupporterVerified || x.Direction != consent.Outgoing || x.Acked < 3 {
		t.Errorf("stored %+v", x)
	}
	if leave := d.questions(); len(leave) != 2 || leave[1].Leave == nil || leave[1].Companies[0].Host != "127.0.0.1" {
		t.Errorf("the question after leaving: %+v", leave)
	}
	var grants []store.Grant
	if err := s.db.View(t.Context(), func(tx *store.Tx) (err error) { grants, err = tx.Grants(x.Key); return err }); err != nil {
		t.Fatal(err)
	}
	own := record.KeyID(d.c.HelloResult().DeviceKey)
	if len(grants) != 1 || strings.Contains(string(grants[0].Envelope), own) || grants[0].KeyID == own {
		t.Errorf("the computer's own key has left with the grant")
	}
	// Planted: without record.Only in uplink.announce the own key's signature leaves, and is found here.
	list, err := say[ipc.ConsentListResult](d, ipc.MethodConsentList, ipc.ConsentListPage{})
	if err != nil || len(list.Entries) != 1 || list.Entries[0].Company != "Example Support" || list.Entries[0].Provenance != consent.P0 {
		t.Errorf("%+v, %v", list, err)
	}
	// The second time it is no first contact.
	again, err := say[ipc.SessionBeginResult](d, ipc.MethodSessionJoin, ipc.SessionJoin{Code: s.code(t, company.CodeFor{LogSessions: true}).Code, Hold: true})
	if err != nil || again.Outcome != consent.OutcomeAllowed {
		t.Fatalf("%+v, %v", again, err)
	}
	if asked := d.questions(); len(asked) != 3 || asked[2].Companies[0].First {
		t.Errorf("asked %+v", asked)
	}
	// Nothing in the two grants says that they are about the same person.
	// Planted: with subjectOf in decide the two subjects were the same.
	subject := func(session string) string {
		shown, err := say[ipc.ConsentShow](d, ipc.MethodConsentShow, ipc.ByID{ID: session})
		if err != nil {
			t.Fatal(err)
		}
		var g record.Grant
		decodeRecord(t, shown.Envelope, &g)
		return g.Subject
	}
	if a, b := subject(res.Session), subject(again.Session); a == "" || a == b {
		t.Errorf("subjects %q and %q", a, b)
	}
}
