package console_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"aval/summarizer/company"
	"aval/summarizer/summary/sample"
)

// TestSignedOutInAForm: who is signed out while they fill in a form loses nothing
// of it but secrets: the page that says so sends the same once they are signed in
// again. To see it fail, leave Fields out, or neverBack.
func TestSignedOutInAForm(t *testing.T) {
	s := start(t)
	k := s.put(sample.Printer("en"))
	s.summarise(nil)
	b := s.signedIn("en")
	_, page := b.get("/s/" + k.Ref() + "/edit")
	form := url.Values{"version": {field(t, page, "version")}, "name": {`Typed for "ten" <minutes>`}, "sentences": {"One.\nTwo."}}
	out := s.browser("en")
	res, body := out.submit("/s/"+k.Ref()+"/edit", form)
	if res.StatusCode != http.StatusForbidden || !strings.Contains(body, "What you entered is kept") || strings.Contains(body, "<minutes>") {
		t.Fatalf("%d %s", res.StatusCode, body)
	}
	again := url.Values{}
	for _, m := range regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`).FindAllStringSubmatch(body, -1) {
		again.Add(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	if again.Encode() != form.Encode() {
		t.Errorf("kept: %v, sent: %v", again, form)
	}
	to := regexp.MustCompile(`<form method="post" action="(/s/[^"]*)">`).FindStringSubmatch(body)
	if to == nil {
		t.Fatalf("no form: %s", body)
	}
	if res, _ := b.submit(to[1], again); res.StatusCode != http.StatusOK {
		t.Errorf("sent again: %d", res.StatusCode)
	}
	if _, page := b.get("/s/" + k.Ref()); !strings.Contains(page, "Typed for") {
		t.Error("what was sent again is not saved")
	}
	for _, secret := range []url.Values{{"choice": {"own"}, "key": {"k-secret"}}, {"old": {"o-secret"}, "password": {"p-secret"}}} {
		if res, body := out.submit("/ai/engine", secret); res.StatusCode != http.StatusForbidden || strings.Contains(body, "-secret") {
			t.Errorf("%v: %d %s", secret, res.StatusCode, body)
		}
	}
}

// TestDeletedWhileEdited: an edit of what somebody else has deleted says so, and
// not that the page never was. To see it fail, leave erased out of gone.
func TestDeletedWhileEdited(t *testing.T) {
	s := start(t)
	k := s.put(sample.Printer("en"))
	s.summarise(nil)
	b := s.signedIn("en")
	_, page := b.get("/s/" + k.Ref() + "/edit")
	form := url.Values{"version": {field(t, page, "version")}, "name": {"Late"}, "sentences": {"One."}}
	if res, _ := b.submit("/s/"+k.Ref()+"/delete", url.Values{}); res.StatusCode != http.StatusOK {
		t.Fatal(res.StatusCode)
	}
	for what, ask := range map[string]func() (*http.Response, string){
		"saving":  func() (*http.Response, string) { return b.submit("/s/"+k.Ref()+"/edit", form) },
		"opening": func() (*http.Response, string) { return b.do("GET", "/s/"+k.Ref()+"/edit") },
		"asking":  func() (*http.Response, string) { return b.do("GET", "/s/"+k.Ref()+"/delete") },
	} {
		if res, body := ask(); res.StatusCode != http.StatusGone || !strings.Contains(body, "deleted meanwhile") {
			t.Errorf("%s: %d", what, res.StatusCode)
		}
	}
	if res, _ := b.do("GET", "/s/0000000000000000dead/edit"); res.StatusCode != http.StatusNotFound {
		t.Errorf("what never was: %d", res.StatusCode)
	}
}

// TestWantedPage: who comes by an address and is not signed in sees that page once
// they are, and never another server's. To see it fail, leave remember out of
// signedIn, or inside out of onward.
func TestWantedPage(t *testing.T) {
	s := start(t)
	k := s.put(sample.Printer("en"))
	co := s.co.As(company.Command)
	u, err := co.CreateUser(t.Context(), company.NewUser{Name: "Ana", Login: "ana@example.com", Role: company.Administrator})
	if err != nil {
		t.Fatal(err)
	}
	const password = "horse-battery-staple"
	invite, _, err := co.Invite(t.Context(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(invite)
	if err != nil {
		t.Fatal(err)
	}
	if res, _ := s.browser("en").submit(company.InvitePath, url.Values{"token": {at.Query().Get("token")}, "password": {password}, "again": {password}}); res.StatusCode != http.StatusOK {
		t.Fatal(res.StatusCode)
	}
	signIn := url.Values{"login": {"ana@example.com"}, "password": {password}}
	b := s.browser("en")
	if res, _ := b.do("GET", "/s/"+k.Ref()+"?q=a,b%20c"); res.Request.URL.Path != "/sign-in" {
		t.Fatalf("signed in already: %s", res.Request.URL)
	}
	if res, _ := b.do("GET", "/rows", "HX-Request", "true"); res.Request.URL.Path != "/sign-in" {
		t.Fatal(res.Request.URL)
	}
	if res, _ := b.submit("/sign-in", signIn); res.StatusCode != http.StatusOK || res.Request.URL.RequestURI() != "/s/"+k.Ref()+"?q=a,b%20c" {
		t.Errorf("after signing in: %d %s", res.StatusCode, res.Request.URL)
	}
	if res, _ := b.submit("/sign-in", signIn); res.Request.URL.RequestURI() != "/" {
		t.Errorf("the second time: %s", res.Request.URL)
	}
	for _, to := range []string{"//evil.example.com/", `/\evil.example.com`, "https://evil.example.com/", "/\t/evil.example.com", "javascript:alert(1)", ""} {
		res, _ := s.browser("en").send("POST", "/sign-in", strings.NewReader(signIn.Encode()), "Sec-Fetch-Site", "same-origin", "Content-Type", "application/x-www-form-urlencoded",
			"Cookie", "__Host-aval-next="+url.QueryEscape(to))
		if res.Request.URL.Host != strings.TrimPrefix(s.url, "https://") || res.Request.URL.Path != "/" && res.Request.URL.Path != "/sign-in" {
			t.Errorf("%q leads to %s", to, res.Request.URL)
		}
	}
}
