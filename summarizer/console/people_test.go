package console_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"aval/agent/consent"
	"aval/summarizer/company"
	"aval/summarizer/summary/sample"
)

// From the administrator link to a person who signs in with a password, and on to
// the glass that is broken where the link is used again: all by the pages' own forms.
func TestPeopleByTheirForms(t *testing.T) {
	s := start(t)
	b := s.signedIn("en")
	if _, page := b.get(s.url + "/me"); !strings.Contains(page, "nobody&#39;s account") || strings.Contains(page, `name="old"`) {
		t.Errorf("the link's account:\n%s", page)
	}
	// Nobody is there yet: the list says what to do, the form adds.
	if _, page := b.get(s.url + "/users"); !strings.Contains(page, "Nobody has been added yet") {
		t.Errorf("%s", page)
	}
	if code, page := b.post(s.url+"/users", url.Values{"name": {" "}, "login": {"ana"}, "role": {"editor"}}); code != 422 || !strings.Contains(page, "A name of at most 100") || !strings.Contains(page, `value="ana"`) {
		t.Errorf("%d\n%s", code, page)
	}
	if code, page := b.post(s.url+"/users", url.Values{"name": {"Ana <b>Souza"}, "login": {"Ana@example.com"}, "role": {"administrator"}, "log": {"on"}}); code != 200 || !strings.Contains(page, "Ana &lt;b&gt;Souza") || !strings.Contains(page, "cannot sign in yet") {
		t.Errorf("%d\n%s", code, page)
	}
	list, err := s.co.Users(t.Context(), company.UserFilter{})
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	ana := s.url + "/users/" + list[0].ID
	if code, page := b.post(s.url+"/users", url.Values{"name": {"Another"}, "login": {"ana@example.com"}, "role": {"viewer"}}); code != 422 || !strings.Contains(page, "Somebody signs in as ana@example.com already") {
		t.Errorf("%d\n%s", code, page)
	}
	code, page := b.post(ana+"/invite", url.Values{})
	link := regexp.MustCompile(`https://support\.example\.com:8443(/invitation\?token=aval_invite_[A-Za-z0-9_-]{43})<`).FindStringSubmatch(page)
	if code != 200 || link == nil || !strings.Contains(page, "works once") {
		t.Fatalf("%d\n%s", code, page)
	}
	token := link[1][strings.Index(link[1], "=")+1:]
	own := s.browser("pt-BR")
	if code, page := own.get(s.url + link[1]); code != 200 || !strings.Contains(page, "Escolha uma senha") || !strings.Contains(page, "ana@example.com") {
		t.Errorf("%d\n%s", code, page)
	}
	for _, row := range []struct{ password, again, want string }{{"horse-battery-staple", "horse-battery-stapel", "não são iguais"}, {"short", "short", "pelo menos 12"}} {
		if code, page := own.post(s.url+"/invitation", url.Values{"token": {token}, "password": {row.password}, "again": {row.again}}); code != 422 || !strings.Contains(page, row.want) || strings.Contains(page, row.password) {
			t.Errorf("%d\n%s", code, page)
		}
	}
	if code, page := own.post(s.url+"/invitation", url.Values{"token": {token}, "password": {"horse-battery-staple"}, "again": {"horse-battery-staple"}}); code != 200 || !strings.Contains(page, "Ana &lt;b&gt;Souza") {
		t.Errorf("%d\n%s", code, page)
	}
	if code, page := s.browser("en").get(s.url + link[1]); code != 403 || !strings.Contains(page, "does not work any more") {
		t.Errorf("%d\n%s", code, page)
	}

	// The sign-in page now asks for a password, and says no more than it must.
	other := s.browser("en")
	if _, page := other.get(s.url + "/sign-in"); !strings.Contains(page, `type="password"`) || strings.Contains(page, "Nobody has an account") || strings.Contains(page, "Example Support") {
		t.Errorf("%s", page)
	}
	for i, form := range []url.Values{{"login": {"ana@example.com"}, "password": {"wrong"}}, {"login": {"nobody"}, "password": {"wrong"}}} {
		if code, page := other.post(s.url+"/sign-in", form); code != 403 || !strings.Contains(page, "Name or password is not right") || other.cookie() != "" {
			t.Errorf("%d: %d\n%s", i, code, page)
		}
	}
	if code, page := other.post(s.url+"/sign-in", url.Values{"login": {"ANA@example.com"}, "password": {"horse-battery-staple"}}); code != 200 || !strings.Contains(page, "Summaries") {
		t.Errorf("%d\n%s", code, page)
	}

	// Oneself: two browsers, one of them is signed out.
	_, page = other.get(s.url + "/me")
	if strings.Count(page, `<form method="post" action="/me/browsers">`) != 2 || !strings.Contains(page, "this browser") {
		t.Errorf("%s", page)
	}
	if code, page := other.post(s.url+"/me/browsers", url.Values{"others": {"1"}}); code != 200 || !strings.Contains(page, "1 browser was signed out") {
		t.Errorf("%d\n%s", code, page)
	}
	if res, _ := own.do("GET", "/"); res.Request.URL.Path != "/sign-in" {
		t.Error("the other browser is signed in")
	}
	if code, page := other.post(s.url+"/me/password", url.Values{"old": {"wrong"}, "password": {"correct-horse-paper"}, "again": {"correct-horse-paper"}}); code != 403 || !strings.Contains(page, "present password is not right") {
		t.Errorf("%d\n%s", code, page)
	}
	before := other.cookie()
	if code, page := other.post(s.url+"/me/password", url.Values{"old": {"horse-battery-staple"}, "password": {"correct-horse-paper"}, "again": {"correct-horse-paper"}}); code != 200 || !strings.Contains(page, "password was changed") || other.cookie() == before {
		t.Errorf("%d\n%s", code, page)
	}

	// One's own role and disabling are somebody else's; one's own log_sessions is not in the bulk.
	if code, page := other.post(ana, url.Values{"name": {"Ana"}, "login": {"ana@example.com"}, "role": {"viewer"}}); code != 422 || !strings.Contains(page, "own role is changed by another") {
		t.Errorf("%d\n%s", code, page)
	}
	bia, err := s.co.CreateUser(t.Context(), company.NewUser{Name: "Bia"})
	if err != nil {
		t.Fatal(err)
	}
	if code, page := other.post(s.url+"/users/log", url.Values{"user": {list[0].ID, bia.ID}, "log": {"off"}}); code != 200 || !strings.Contains(page, "1 changed.") || !strings.Contains(page, "your own setting was not changed") {
		t.Errorf("%d\n%s", code, page)
	}
	if code, page := other.post(ana, url.Values{"name": {"Ana"}, "login": {"ana@example.com"}}); code != 200 || !strings.Contains(page, "Saved") {
		t.Errorf("%d\n%s", code, page)
	}
	if u, err := s.co.User(t.Context(), list[0].ID); err != nil || u.LogSessions || u.Name != "Ana" || u.Role != company.Administrator {
		t.Errorf("%+v %v", u, err)
	}
	if code, page := other.get(s.url + "/users?q=BI&log=off"); code != 200 || !strings.Contains(page, ">Bia<") || strings.Contains(page, `aria-label="Ana"`) {
		t.Errorf("%d\n%s", code, page)
	}

	// The link again: with a reason, and shown.
	again := s.browser("en")
	l := s.link()
	if code, page := again.get(l); code != 200 || !strings.Contains(page, "Why do you need") || again.cookie() != "" {
		t.Errorf("%d\n%s", code, page)
	}
	_, secret, _ := strings.Cut(l, "?token=")
	if code, page := again.post(s.url+"/sign-in/link", url.Values{"token": {secret}, "reason": {"short"}}); code != 422 || !strings.Contains(page, "at least ten characters") || again.cookie() != "" {
		t.Errorf("%d\n%s", code, page)
	}
	if code, _ := again.post(s.url+"/sign-in/link", url.Values{"token": {secret}, "reason": {"Ana <b>lost her password"}}); code != 200 || again.cookie() == "" {
		t.Errorf("%d", code)
	}
	_, page = other.get(s.url + "/me")
	seen := regexp.MustCompile(`action="(/glass/[0-9A-Z]{26})"`).FindStringSubmatch(page)
	if seen == nil || !strings.Contains(page, "Ana &lt;b&gt;lost her password") {
		t.Fatalf("%s", page)
	}
	if code, page := other.post(s.url+seen[1], url.Values{"back": {"/me"}}); code != 200 || strings.Contains(page, "/glass/") {
		t.Errorf("%d\n%s", code, page)
	}
}

// A token is shown once, listed without its secret, and ended; the audit log says
// who did it, can be filtered, checked and exported.
func TestTokensAndAuditPages(t *testing.T) {
	s := start(t)
	b := s.person(s.co, mustUser(t, s, "boss"))
	b.CheckRedirect = nil
	if code, page := b.post(s.url+"/tokens", url.Values{"name": {"Nightly"}, "days": {"30"}}); code != 422 || !strings.Contains(page, "at least one permission") || !strings.Contains(page, `value="Nightly"`) {
		t.Errorf("%d\n%s", code, page)
	}
	code, page := b.post(s.url+"/tokens", url.Values{"name": {"Nightly"}, "days": {"30"}, "scope": {"sessions:read", "credits:read"}})
	secret := regexp.MustCompile(`aval_api_[A-Za-z0-9_-]{43}`).FindString(page)
	if code != 200 || secret == "" {
		t.Fatalf("%d\n%s", code, page)
	}
	_, c, err := s.host.TokenOf(t.Context(), secret)
	if err != nil || !c.May(company.CreditsRead) || c.May(company.UsersRead) {
		t.Errorf("%+v %v", c, err)
	}
	if _, page := b.get(s.url + "/tokens"); strings.Contains(page, secret) || !strings.Contains(page, secret[:15]) || !strings.Contains(page, "sessions:read credits:read") {
		t.Errorf("%s", page)
	}
	if code, page := b.post(s.url+"/tokens/"+c.Token.ID+"/revoke", url.Values{}); code != 200 || !strings.Contains(page, "was ended") {
		t.Errorf("%d\n%s", code, page)
	}
	if code, _ := b.post(s.url+"/tokens/"+c.Token.ID+"/revoke", url.Values{}); code != 404 {
		t.Errorf("again: %d", code)
	}
	if code, page := b.get(s.url + "/audit?action=api-token-created"); code != 200 || !strings.Contains(page, "Nightly") || !strings.Contains(page, ">boss<") || strings.Contains(page, "<code>api-token-revoked</code>") || strings.Contains(page, secret) {
		t.Errorf("%d\n%s", code, page)
	}
	if code, page := b.post(s.url+"/audit/verify", url.Values{}); code != 200 || !strings.Contains(page, "rows hold") {
		t.Errorf("%d\n%s", code, page)
	}
	res, body := b.do("GET", "/audit/export?action=api-token-revoked")
	if lines := strings.Split(strings.TrimSpace(body), "\n"); len(lines) != 2 || !strings.Contains(lines[0], `"api-token-revoked"`) || !strings.HasPrefix(lines[1], `{"head":`) || res.Header.Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("%v\n%s", res.Header, body)
	}
	if code, page := b.get(s.url + "/audit?from=2001-01-01&to=2001-01-02"); code != 200 || !strings.Contains(page, "No row fits") {
		t.Errorf("%d\n%s", code, page)
	}
}

// Two companies on one server: who signs in says which one, by its name.
func TestWhichCompany(t *testing.T) {
	s := start(t)
	other, err := s.host.Create(t.Context(), "Segunda Opção", "pt-BR", "", company.Command)
	if err != nil {
		t.Fatal(err)
	}
	u, err := other.CreateUser(t.Context(), company.NewUser{Name: "Ana", Login: "ana", Role: company.Administrator})
	if err != nil {
		t.Fatal(err)
	}
	s.person(other, u)
	b := s.browser("en")
	if _, page := b.get(s.url + "/sign-in"); !strings.Contains(page, `name="company"`) || strings.Contains(page, "Segunda") {
		t.Errorf("%s", page)
	}
	form := url.Values{"login": {"ana"}, "password": {"horse-battery-staple"}, "company": {"nobody's"}}
	if code, page := b.post(s.url+"/sign-in", form); code != 403 || !strings.Contains(page, "not known here") {
		t.Errorf("%d\n%s", code, page)
	}
	form.Set("company", "Example Support")
	if code, _ := b.post(s.url+"/sign-in", form); code != 403 || b.cookie() != "" {
		t.Errorf("in the wrong company: %d", code)
	}
	form.Set("company", "segunda opcao")
	if code, page := b.post(s.url+"/sign-in", form); code != http.StatusOK || !strings.Contains(page, "Segunda Opção") {
		t.Errorf("%d\n%s", code, page)
	}
	if _, page := b.post(s.url+"/sign-out", url.Values{}); !strings.Contains(page, "signed out") {
		t.Errorf("%s", page)
	}
	// The browser remembers which company's people use it.
	if _, page := b.get(s.url + "/sign-in"); !strings.Contains(page, `value="Segunda Opção"`) {
		t.Errorf("%s", page)
	}
}

// The wizard in the browser that opened the first start's link: once, and then
// the next steps.
func TestWizard(t *testing.T) {
	s := start(t)
	other, err := s.host.Create(t.Context(), "My company", "en", "", company.Command)
	if err != nil {
		t.Fatal(err)
	}
	link, err := other.NewAdminLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b := s.browser("pt-BR")
	res, page := b.do("GET", s.url+strings.TrimPrefix(link, "https://support.example.com:8443"))
	if res.Request.URL.Path != "/welcome" || !strings.Contains(page, "Configure sua empresa") || !strings.Contains(page, "Aceito estes termos") {
		t.Fatalf("%s\n%s", res.Request.URL, page)
	}
	field := func(name string) string {
		m := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(page)
		if m == nil {
			t.Fatalf("no %s in\n%s", name, page)
		}
		return m[1]
	}
	form := url.Values{"company": {"Oficina <b>Exemplo"}, "lang": {"pt-BR"}, "zone": {"Mars/Olympus"}, "name": {"Bia Lima"}, "login": {"bia@example.com"},
		"password": {"horse-battery-staple"}, "again": {"horse-battery-staple"}, "terms": {field("terms")}, "terms_lang": {field("terms_lang")}, "accept": {"on"}}
	if code, page := b.post(s.url+"/welcome", form); code != 422 || !strings.Contains(page, "O fuso horário Mars/Olympus não existe") || !strings.Contains(page, "Oficina &lt;b&gt;Exemplo") || strings.Contains(page, "horse-battery") {
		t.Errorf("%d\n%s", code, page)
	}
	form.Set("zone", "America/Sao_Paulo")
	form.Set("again", "something else")
	if code, page := b.post(s.url+"/welcome", form); code != 422 || !strings.Contains(page, "não são iguais") {
		t.Errorf("%d\n%s", code, page)
	}
	form.Set("again", "horse-battery-staple")
	if code, page := b.post(s.url+"/welcome", form); code != 200 || !strings.Contains(page, "Os próximos passos") || !strings.Contains(page, "aval enroll") || !strings.Contains(page, "Bia Lima") {
		t.Errorf("%d\n%s", code, page)
	}
	if code, _ := b.post(s.url+"/welcome", form); code != 403 {
		t.Errorf("a second set-up: %d", code)
	}
	// A viewer sees of sessions what the company says.
	if code, page := b.post(s.url+"/users/sees", url.Values{"sees": {"own"}}); code != 200 || !regexp.MustCompile(`value="own" checked`).MatchString(page) {
		t.Errorf("%d\n%s", code, page)
	}
	if code, _ := b.post(s.url+"/users/sees", url.Values{"sees": {"none"}}); code != 400 {
		t.Errorf("%d", code)
	}
}

// What is out of a viewer's sight is not there, on every page that has sessions.
func TestSightOnPages(t *testing.T) {
	s := start(t)
	k := s.put(sample.Shell())
	u, err := s.co.CreateUser(t.Context(), company.NewUser{Name: "Ana", Login: "ana", Role: company.Viewer})
	if err != nil {
		t.Fatal(err)
	}
	b := s.person(s.co, u)
	for _, row := range []struct {
		sees company.Sees
		code int
	}{{company.SeesAll, 200}, {company.SeesOwn, 404}, {company.SeesGroup, 404}, {company.SeesAll, 200}} {
		out, in := consent.OutgoingAll, consent.IncomingOff // the sample has none of these
		if err := s.co.SetOptions(t.Context(), company.Change{Sees: &row.sees, Outgoing: &out, Incoming: &in}); err != nil {
			t.Fatal(err)
		}
		if code, _ := b.get(s.url + "/s/" + k.Ref()); code != row.code {
			t.Errorf("%s: %d", row.sees, code)
		}
		if code, page := b.get(s.url + "/"); code != 200 || strings.Contains(page, k.Ref()) != (row.code == 200) {
			t.Errorf("%s: the list: %d", row.sees, code)
		}
	}
}
