package link_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/agent/wire"
	"aval/summarizer/company"
	"aval/summarizer/console"
)

// A computer is approved on the page that its code is for: shown first, with what
// it means; nobody who has not signed in there sees or approves anything.
// Planted: with "approve" taking no user as DecideSignIn does, that row refused.
func TestAccountPage(t *testing.T) {
	s := startServer(t, nil)
	user := s.user(t, "Ana Souza", true)
	web := httptest.NewTLSServer(console.New(s.db, console.Options{Host: s.host}))
	defer web.Close()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser, stranger := *web.Client(), web.Client()
	browser.Jar = jar
	post := func(c *http.Client, form url.Values) (int, string) {
		t.Helper()
		res, err := c.PostForm(web.URL+company.ApprovePath+"?", form)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		page, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(page)
	}
	link, err := os.ReadFile(filepath.Join(s.dir, "first-start", "admin-link"))
	if err != nil {
		t.Fatal(err)
	}
	res, err := browser.Get(strings.Replace(strings.TrimSpace(string(link)), s.co.Server(), web.URL, 1))
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("sign in: %v, %v", res, err)
	}
	res.Body.Close()

	d := startDesk(t)
	_, code, ended := signsIn(t, d, s)
	if status, _ := post(stranger, url.Values{"code": {code}, "do": {"approve"}, "user": {user}}); status != http.StatusForbidden {
		t.Errorf("who has not signed in: %d", status)
	}
	if status, page := post(&browser, url.Values{"code": {wire.NewSecret()}}); status != http.StatusUnprocessableEntity || !strings.Contains(page, "No computer waits") {
		t.Errorf("a wrong code: %d\n%s", status, page)
	}
	host, _ := os.Hostname()
	if status, page := post(&browser, url.Values{"code": {code}}); status != http.StatusOK || !strings.Contains(page, host) || !strings.Contains(page, "does not manage the computer") {
		t.Errorf("shown: %d\n%s", status, page)
	}
	if status, _ := post(&browser, url.Values{"code": {code}, "do": {"approve"}}); status != http.StatusNotFound {
		t.Errorf("approved for nobody: %d", status)
	}
	if status, page := post(&browser, url.Values{"code": {code}, "do": {"approve"}, "user": {user}}); status != http.StatusOK || !strings.Contains(page, "Approved: "+host) {
		t.Fatalf("approved: %d\n%s", status, page)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(patience):
		t.Fatal("signing in does not end")
	}
	// The company asks about no incoming sessions, so nothing is recorded; about
	// outgoing ones it asks only where it has announced them.
	if r := begin(t, d, "1"); r.Verdict != consent.NotRequested {
		t.Errorf("%+v", r)
	}
	if st, err := say[ipc.Status](d, ipc.MethodStatus, nil); err != nil || st.Account != "Ana Souza" {
		t.Errorf("%+v, %v", st, err)
	}
}

// A person who signs in to the console with their password approves for their own
// account and no other, whatever their browser sends. Planted: with the form's user
// before the visitor's own in approve, the administrator's was refused by the company.
func TestAccountPageOwn(t *testing.T) {
	s := startServer(t, nil)
	other := s.user(t, "Ana Souza", true)
	bia, err := s.co.CreateUser(t.Context(), company.NewUser{Name: "Bia Lima", Login: "bia@example.com", Role: company.Viewer})
	if err != nil {
		t.Fatal(err)
	}
	invitation, _, err := s.co.Invite(t.Context(), bia.ID)
	if err != nil {
		t.Fatal(err)
	}
	to, err := url.Parse(invitation)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewTLSServer(console.New(s.db, console.Options{Host: s.host}))
	defer web.Close()
	browser := *web.Client()
	if browser.Jar, err = cookiejar.New(nil); err != nil {
		t.Fatal(err)
	}
	post := func(path string, form url.Values) (int, string) {
		t.Helper()
		res, err := browser.PostForm(web.URL+path, form)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		page, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(page)
	}
	if status, page := post(to.Path, url.Values{"token": {to.Query().Get("token")}, "password": {"horse-battery-staple"}, "again": {"horse-battery-staple"}}); status != http.StatusOK || !strings.Contains(page, "Bia Lima") {
		t.Fatalf("%d\n%s", status, page)
	}
	d := startDesk(t)
	_, code, ended := signsIn(t, d, s)
	if status, page := post(company.ApprovePath, url.Values{"code": {code}}); status != http.StatusOK || strings.Contains(page, "<select") || strings.Contains(page, "Ana Souza") {
		t.Errorf("shown: %d\n%s", status, page)
	}
	if status, page := post(company.ApprovePath, url.Values{"code": {code}, "do": {"approve"}, "user": {other}}); status != http.StatusOK || !strings.Contains(page, "Approved: ") {
		t.Fatalf("approved: %d\n%s", status, page)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(patience):
		t.Fatal("signing in does not end")
	}
	if st, err := say[ipc.Status](d, ipc.MethodStatus, nil); err != nil || st.Account != "Bia Lima" {
		t.Errorf("%+v, %v", st, err)
	}
}
