package console_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"aval/agent/wire"
	"aval/summarizer/company"
)

// A session is announced by a user whom the company knows, to a computer that it
// knows; anything else is said beside the field.
func TestAnnouncePage(t *testing.T) {
	s := start(t)
	co := s.co
	b := s.signedIn("en")
	if _, page := b.get(s.url + "/codes"); !strings.Contains(page, "user create NAME") || strings.Contains(page, `id="device"`) {
		t.Errorf("without a user:\n%s", page)
	}
	u, err := co.CreateUser(t.Context(), company.NewUser{Name: "Ana <b>"})
	if err != nil {
		t.Fatal(err)
	}
	if _, page := b.get(s.url + "/codes"); !strings.Contains(page, `<option value="`+u.ID+`">Ana &lt;b&gt;</option>`) {
		t.Errorf("%s", page)
	}
	if code, page := b.post(s.url+"/codes/announce", url.Values{"user": {u.ID}, "device": {"nothing"}}); code != 422 || !strings.Contains(page, "No computer connected") || !strings.Contains(page, `value="nothing"`) {
		t.Errorf("%d\n%s", code, page)
	}
	if code, _ := s.browser("en").post(s.url+"/codes/announce", url.Values{"user": {u.ID}, "device": {"nothing"}}); code != http.StatusForbidden {
		t.Errorf("who has not signed in: %d", code)
	}
}

// The company vouches for the name that a person at a computer reads, so a supporter
// makes codes and announces sessions in their own name alone; who may change users,
// in any. Their own switch counts, too. Planted: with SpeaksFor always true a
// code in another name was made.
func TestOwnName(t *testing.T) {
	s := start(t)
	command := s.co.As(company.Command)
	ana, err := command.CreateUser(t.Context(), company.NewUser{Name: "Ana Souza", Login: "ana", Role: company.Supporter})
	if err != nil {
		t.Fatal(err)
	}
	bea, err := command.CreateUser(t.Context(), company.NewUser{Name: "Bea Lima", Login: "bea", Role: company.Administrator})
	if err != nil {
		t.Fatal(err)
	}
	b := s.person(s.co, ana)
	if _, page := b.get(s.url + "/codes"); !strings.Contains(page, `value="Ana Souza" required maxlength="100" autocomplete="name" readonly`) || strings.Contains(page, bea.ID) {
		t.Errorf("%s", page)
	}
	if code, page := b.post(s.url+"/codes", url.Values{"supporter": {"Bea Lima"}}); code != http.StatusOK || !strings.Contains(page, "Code for Ana Souza") {
		t.Errorf("%d\n%s", code, page)
	}
	as := s.co.As(company.Actor{Kind: company.KindUser, ID: ana.ID, Name: ana.Name, Role: ana.Role})
	if _, err := as.NewCode(t.Context(), company.CodeFor{Supporter: "Bea Lima", LogSessions: true}); !errors.Is(err, company.ErrOwnName) {
		t.Errorf("a code in another name: %v", err)
	}
	if _, err := as.Announce(t.Context(), bea.ID, "D1"); !errors.Is(err, company.ErrNoUser) {
		t.Errorf("announced in another name: %v", err)
	}
	for _, name := range []string{"Ana Souza", "Bea Lima", "Somebody else"} {
		if code, page := s.person(s.co, bea).post(s.url+"/codes", url.Values{"supporter": {name}}); code != http.StatusOK || !strings.Contains(page, "Code for "+name) {
			t.Errorf("%s: %d", name, code)
		}
	}
}

func (b *browser) post(u string, form url.Values) (int, string) {
	b.s.t.Helper()
	res, page := b.send(http.MethodPost, u, strings.NewReader(form.Encode()), "Content-Type", "application/x-www-form-urlencoded")
	return res.StatusCode, page
}

// An administrator makes a code and sees it once, with its link; a form without
// a name says so beside the field; who has not signed in makes none.
func TestCodesPage(t *testing.T) {
	s := start(t)
	b := s.signedIn("en")
	if code, page := b.get(s.url + "/"); code != 200 || !strings.Contains(page, `href="/codes"`) {
		t.Errorf("the list does not lead to the codes: %d", code)
	}
	if code, page := b.get(s.url + "/codes"); code != 200 || !strings.Contains(page, "Who will connect") || strings.Contains(page, `class="made"`) {
		t.Errorf("%d\n%s", code, page)
	}
	code, page := b.post(s.url+"/codes", url.Values{"supporter": {"Ana <b>"}})
	if code != 200 || !strings.Contains(page, "Code for Ana &lt;b&gt;") || !strings.Contains(page, "send it whole") {
		t.Fatalf("%d\n%s", code, page)
	}
	var found []wire.Code
	made, _, _ := strings.Cut(page, "</section>")
	for _, part := range strings.Split(made, "<pre class=\"command\"><code>")[1:] {
		text, _, _ := strings.Cut(part, "</code>")
		c, err := wire.ParseCode(strings.ReplaceAll(text, "&#43;", "+"))
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		found = append(found, c)
	}
	if len(found) != 2 || found[0] != found[1] || found[0].Server != "https://support.example.com:8443" || found[0].Pin == "" {
		t.Errorf("%+v", found)
	}
	if code, page := b.post(s.url+"/codes", url.Values{"supporter": {" "}, "module": {"Help desk"}}); code != 422 ||
		!strings.Contains(page, "Say who will connect") || !strings.Contains(page, `value="Help desk"`) || strings.Contains(page, `class="made"`) {
		t.Errorf("without a name: %d\n%s", code, page)
	}
	if code, _ := s.browser("en").post(s.url+"/codes", url.Values{"supporter": {"Mallory"}}); code != http.StatusForbidden {
		t.Errorf("who has not signed in: %d", code)
	}
	// Planted: with POST /codes not wrapped in signedIn it was 200.
}

// The page behind a code's link says what it is, to anybody, in their language,
// and does not look the code up.
func TestJoinPage(t *testing.T) {
	s := start(t)
	code, page := s.browser("pt-BR").get(s.url + "/join/7k3mq9td")
	for _, want := range []string{"Um código de sessão do suporte", "7K3M-Q9TD@support.example.com:8443#sha256:", "não permitiu nada"} {
		if code != 200 || !strings.Contains(page, want) {
			t.Errorf("%q is missing (%d)\n%s", want, code, page)
		}
	}
	if code, _ := s.browser("en").get(s.url + "/join/nothing"); code != http.StatusNotFound {
		t.Errorf("what is no code: %d", code)
	}
}
