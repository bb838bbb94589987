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
		t.Errorf("approved: %d\n%s", status, page)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
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
