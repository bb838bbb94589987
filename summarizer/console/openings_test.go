package console_test

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"aval/summarizer/company"
	"aval/summarizer/store"
)

// opens stores a module that waits for a supporter.
func (s *site) opens(number string, asked time.Time) string {
	s.t.Helper()
	m, _, err := s.co.CreateModule(s.t.Context(), "Help <b> "+number, true, 30)
	if err != nil {
		s.t.Fatal(err)
	}
	o := store.Opening{ID: store.NewID(asked), Company: s.co.ID(), Module: m.ID, Number: number, PublicKey: make([]byte, 32), CreatedAt: asked, ExpiresAt: asked.Add(company.OpenLife)}
	if err := s.db.Tx(s.t.Context(), func(tx *store.Tx) error { return tx.InsertOpening(o) }); err != nil {
		s.t.Fatal(err)
	}
	return o.ID
}

var standOf = regexp.MustCompile(`hx-get="(/codes/waiting\?stand=[^"]+)"`)

// Who has opened a module without a code is seen while they wait, with their number;
// a supporter takes them in their own name, an administrator's link in somebody's;
// the page asks by itself and is answered with nothing while nothing has changed.
// Planted: with the actor's id not put in takeOpening's user the supporter took it as
// the other; with openSeen a day, the one that had gone was still there.
func TestWaitingPage(t *testing.T) {
	s := start(t)
	ana, err := s.co.CreateUser(t.Context(), company.NewUser{Name: "Ana <i>", Role: company.Supporter, Login: "ana"})
	if err != nil {
		t.Fatal(err)
	}
	bia, err := s.co.CreateUser(t.Context(), company.NewUser{Name: "Bia", Role: company.Supporter, Login: "bia"})
	if err != nil {
		t.Fatal(err)
	}
	link, b := s.signedIn("en"), s.person(s.co, ana)
	_, page := b.get(s.url + "/codes")
	if !strings.Contains(page, "Nobody is waiting now") {
		t.Errorf("%s", page)
	}
	stand := standOf.FindStringSubmatch(page)
	if stand == nil {
		t.Fatalf("it does not look again:\n%s", page)
	}
	if code, _ := b.get(s.url + strings.ReplaceAll(stand[1], "&amp;", "&")); code != http.StatusNoContent {
		t.Errorf("nothing has changed: %d", code)
	}
	first, second := s.opens("482913", time.Now()), s.opens("111222", time.Now())
	s.opens("333444", time.Now().Add(-time.Minute)) // its computer does not ask any more
	if code, page := b.get(s.url + stand[1]); code != 200 || !strings.Contains(page, "482 913") || !strings.Contains(page, "Help &lt;b&gt;") || strings.Contains(page, "<select") ||
		strings.Contains(page, "333 444") || strings.Contains(page, "<h1>") {
		t.Errorf("%d\n%s", code, page)
	}
	if _, page := link.get(s.url + "/codes"); !strings.Contains(page, `<option value="`+ana.ID+`">Ana &lt;i&gt;</option>`) {
		t.Errorf("an administrator's link cannot choose:\n%s", page)
	}
	if code, page := b.post(s.url+"/codes/waiting/"+first, url.Values{"user": {bia.ID}}); code != 200 || !strings.Contains(page, "The session is Ana &lt;i&gt;’s") || strings.Contains(page, "482 913") {
		t.Errorf("%d\n%s", code, page)
	}
	if code, page := link.post(s.url+"/codes/waiting/"+first, url.Values{"user": {bia.ID}}); code != 422 || !strings.Contains(page, "Nobody waits with this number") {
		t.Errorf("taken twice: %d\n%s", code, page)
	}
	if code, page := link.post(s.url+"/codes/waiting/"+second, url.Values{"user": {"nobody"}}); code != 422 || !strings.Contains(page, "Choose who") {
		t.Errorf("in nobody's name: %d\n%s", code, page)
	}
	if code, page := b.post(s.url+"/codes/waiting/"+second, url.Values{"refuse": {"1"}}); code != 200 || !strings.Contains(page, "The person is told") {
		t.Errorf("%d\n%s", code, page)
	}
	if code, _ := s.browser("en").post(s.url+"/codes/waiting/"+second, url.Values{"user": {bia.ID}}); code != http.StatusForbidden {
		t.Errorf("who has not signed in: %d", code)
	}
}

// A token for many computers is made into a group, shown or downloaded once, listed
// without its secret, and revoked. A computer that left by itself says so. Planted:
// without LeftAt in deviceRow it was said to have been revoked.
func TestEnrolmentPage(t *testing.T) {
	s := start(t)
	b := s.signedIn("en")
	g, err := s.co.CreateGroup(t.Context(), "Shops")
	if err != nil {
		t.Fatal(err)
	}
	if code, page := b.get(s.url + "/devices"); code != 200 || !strings.Contains(page, `href="/devices/tokens"`) {
		t.Errorf("the devices do not lead there: %d", code)
	}
	form := url.Values{"name": {"Roll <b>out"}, "uses": {"20000"}, "days": {"90"}, "group": {g.ID}}
	code, page := b.post(s.url+"/devices/tokens", form)
	if code != 200 || !strings.Contains(page, "aval_enrol_") || !strings.Contains(page, "Good for 20000 computers") {
		t.Fatalf("%d\n%s", code, page)
	}
	form.Set("keep", "1")
	res, file := b.send(http.MethodPost, s.url+"/devices/tokens", strings.NewReader(form.Encode()), "Content-Type", "application/x-www-form-urlencoded")
	if res.StatusCode != 200 || !strings.Contains(res.Header.Get("Content-Disposition"), "token.json") || !strings.Contains(file, `"token": "aval_enrol_`) {
		t.Errorf("%d %v\n%s", res.StatusCode, res.Header, file)
	}
	all, err := s.co.EnrolTokens(t.Context(), time.Time{}, 10)
	if err != nil || len(all) < 2 || all[0].Uses != 20000 || all[0].Group != "Shops" || all[0].ExpiresAt.Sub(all[0].CreatedAt) != 90*24*time.Hour {
		t.Fatalf("%+v, %v", all, err)
	}
	if code, page := b.get(s.url + "/devices/tokens"); code != 200 || strings.Contains(page, "aval_enrol_") || !strings.Contains(page, "Roll &lt;b&gt;out") || !strings.Contains(page, "0 of 20000") {
		t.Errorf("%d\n%s", code, page)
	}
	if code, page := b.post(s.url+"/devices/tokens/"+all[0].ID+"/revoke", nil); code != 200 || !strings.Contains(page, "The token is revoked") || !strings.Contains(page, "<small>revoked</small>") {
		t.Errorf("%d\n%s", code, page)
	}
	if code, _ := b.post(s.url+"/devices/tokens/"+all[0].ID+"/revoke", nil); code != 404 {
		t.Errorf("revoked twice: %d", code)
	}
	for _, uses := range []string{"", "0", "x", "1000001"} {
		form := url.Values{"uses": {uses}, "days": {"30"}}
		if code, page := b.post(s.url+"/devices/tokens", form); code != 422 || !strings.Contains(page, "1 to 1000000 computers") {
			t.Errorf("%q: %d\n%s", uses, code, page)
		}
	}
	if code, _ := b.post(s.url+"/devices/tokens", url.Values{"uses": {"5"}, "group": {"none"}}); code != 422 {
		t.Errorf("a group that is none: %d", code)
	}
	if code, page := b.post(s.url+"/devices/tokens", url.Values{"uses": {"1"}, "days": {"365"}}); code != 200 || !strings.Contains(page, "Good for 1 computer,") {
		t.Errorf("%d\n%s", code, page)
	}
	at := time.Now()
	user, err := s.co.CreateUser(t.Context(), company.NewUser{Name: "Bea Lima"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.db.Tx(t.Context(), func(tx *store.Tx) error {
		if err := tx.InsertDevice(store.Device{ID: "gone", Company: s.co.ID(), Name: "gone-01", EnrolledAt: at}, "k", make([]byte, 32)); err != nil {
			return err
		}
		if err := tx.InsertDevice(store.Device{ID: "out", Company: s.co.ID(), Name: "out-01", EnrolledAt: at, Account: user.ID}, "k2", make([]byte, 32)); err != nil {
			return err
		}
		return errors.Join(tx.LeaveDevice(s.co.ID(), "gone", at), tx.LeaveDevice(s.co.ID(), "out", at))
	}); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{"/devices?kind=revoked": "Left the company by itself on", "/devices/gone": "Left the company by itself on", "/devices/out": "Signed out on"} {
		if code, page := b.get(s.url + path); code != 200 || !strings.Contains(page, says) || strings.Contains(page, "Revoked on") {
			t.Errorf("%s: %d\n%s", path, code, page)
		}
	}
}
