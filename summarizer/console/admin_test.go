package console_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"html"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/policy"
	"aval/agent/record"
	"aval/agent/wire"
	"aval/assets"
	"aval/summarizer/company"
	"aval/summarizer/store"
	"aval/summarizer/summary/sample"
)

// form sends a form and returns the page that answers it in the end.
func (b *browser) form(path string, pairs ...string) string {
	b.s.t.Helper()
	f := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		f.Add(pairs[i], pairs[i+1])
	}
	code, page := b.post(b.s.url+path, f)
	if code != http.StatusOK && code != http.StatusUnprocessableEntity {
		b.s.t.Fatalf("%s: %d\n%s", path, code, page)
	}
	return page
}

func (b *browser) page(path string) string {
	b.s.t.Helper()
	code, page := b.get(b.s.url + path)
	if code != http.StatusOK {
		b.s.t.Fatalf("%s: %d\n%s", path, code, page)
	}
	return page
}

// choices are what the company has chosen now.
func (s *site) choices() company.Choices {
	s.t.Helper()
	ch, err := s.co.Choices(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return ch
}

// activated signs somebody in to a company that has accepted the terms.
func activated(t *testing.T) (*site, *browser) {
	s := start(t)
	b := s.signedIn("en")
	_, in, sum := company.Terms("en")
	if page := b.form("/insights/activate", "accept", "1", "lang", in, "terms", sum); !strings.Contains(page, "Session Insights are activated.") {
		t.Fatalf("activate:\n%s", page)
	}
	return s, b
}

// TestInsightsPage: the two cards are independent, each remembers its choice, and
// what is nonsense changes nothing; the terms are accepted as they were shown,
// and only with the box ticked.
func TestInsightsPage(t *testing.T) {
	s := start(t)
	b := s.signedIn("en")
	_, _, sum := company.Terms("en")
	if page := b.page("/insights"); !strings.Contains(page, "It is not activated yet") || !strings.Contains(page, sum) {
		t.Errorf("before:\n%s", page)
	}
	if page := b.form("/insights/activate", "lang", "en", "terms", sum); !strings.Contains(page, "Tick the box") || s.choices().Activation != nil {
		t.Error("activated without the box")
	}
	if page := b.form("/insights/activate", "accept", "1", "lang", "en", "terms", "another"); !strings.Contains(page, "The terms have changed") || s.choices().Activation != nil {
		t.Error("activated with another text")
	}
	b.form("/insights/activate", "accept", "1", "lang", "en", "terms", sum)
	if a := s.choices().Activation; !a.ByPerson() || a.Lang != "en" || a.By != "link" {
		t.Errorf("%+v", a)
	}
	type state struct {
		out, outOn consent.OutgoingOption
		in, inOn   consent.IncomingOption
		enforced   bool
	}
	is := func() state {
		c := s.choices()
		return state{c.Outgoing, c.OutgoingWhenOn, c.Incoming, c.IncomingWhenOn, c.IncomingEnforced}
	}
	for _, row := range []struct {
		path string
		form []string
		want state
	}{
		{"/insights/outgoing", []string{"on", "1", "choice", "modules"}, state{"modules", "modules", "off", "policy", false}},
		{"/insights/incoming", []string{"choice", "all"}, state{"modules", "modules", "off", "all", true}},
		{"/insights/incoming", []string{"on", "1", "choice", "all", "refuse", "1"}, state{"modules", "modules", "all", "all", false}},
		{"/insights/outgoing", []string{"choice", "all"}, state{"off", "all", "all", "all", false}},
		{"/insights/outgoing", []string{"on", "1", "choice", "policy"}, state{"off", "all", "all", "all", false}},
		{"/insights/incoming", []string{"on", "1"}, state{"off", "all", "all", "all", false}},
		{"/insights/incoming", []string{"on", "1", "choice", "policy"}, state{"off", "all", "policy", "policy", true}},
	} {
		b.form(row.path, row.form...)
		if got := is(); got != row.want {
			t.Errorf("%s %v: %+v, want %+v", row.path, row.form, got, row.want)
		}
	}
	// As the page shows it: outgoing is off with all remembered, incoming is on.
	page := b.page("/insights")
	for _, want := range []string{
		`(?s)action="/insights/outgoing".*?name="on" value="1" aria-labelledby.*?name="choice" value="all" checked`,
		`(?s)action="/insights/incoming".*?name="on" value="1" checked.*?name="choice" value="policy" checked`,
		`href="/users"`, "recommended for finer control", "The remote side&#39;s experience"} {
		if !regexp.MustCompile(want).MatchString(page) {
			t.Errorf("the page does not have %s", want)
		}
	}
	// A release key that is kept elsewhere: what waits for it is shown, with the command.
	pub, _, err := ed25519.GenerateKey(nil)
	if err == nil {
		err = s.co.SetReleaseKey(t.Context(), pub)
	}
	if err == nil {
		_, err = s.co.CreatePolicy(t.Context(), "Ana's")
	}
	if err == nil {
		_, err = s.co.PublishPolicy(t.Context(), "Ana's", nil)
	}
	if err == nil {
		err = s.co.AssignPolicy(t.Context(), "Ana's", company.ToAll)
	}
	if err != nil {
		t.Fatal(err)
	}
	if page := html.UnescapeString(b.page("/insights")); !strings.Contains(page, "Waiting for the release key") || !strings.Contains(page, `policy draft 'Ana'\''s' --data DIR > draft.json`) {
		t.Errorf("what waits for its release:\n%s", page)
	}
	b.form("/insights/incoming", "choice", "policy")
	if page := b.page("/insights"); strings.Contains(page, "Waiting for the release key") {
		t.Error("off waits for nothing")
	}
	b.form("/insights/incoming", "on", "1", "choice", "policy")
	b.form("/insights/deactivate")
	if c := s.choices(); c.Activation != nil || c.Incoming != consent.IncomingPolicy {
		t.Errorf("deactivated: %+v", c)
	}
	if code, page := b.post(s.url+"/insights/outgoing", url.Values{"choice": {strings.Repeat("x", 100<<10)}}); code != http.StatusRequestEntityTooLarge {
		t.Errorf("a form that is too large: %d\n%s", code, page)
	}
}

// TestModulesPage: a module is made, its checkbox counts under modules alone and
// says so, its file can be opened, and it is revoked only with the box ticked.
func TestModulesPage(t *testing.T) {
	s, b := activated(t)
	b.form("/insights/outgoing", "on", "1", "choice", "all")
	page := b.form("/modules", "name", "Help <b>desk", "days", "30")
	if !strings.Contains(page, "Help &lt;b&gt;desk") || !strings.Contains(page, "the module&#39;s checkbox has no effect") || strings.Contains(page, `name="enabled" value="1" checked`) {
		t.Errorf("made:\n%s", page)
	}
	all, err := s.co.Modules(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	at := "/modules/" + all[0].ID
	for _, wrong := range [][]string{{"name", "Help <b>desk", "days", "30"}, {"name", "", "days", "30"}, {"name", "x", "days", "731"}, {"name", "x", "days", "many"}} {
		if page := b.form("/modules", wrong...); !strings.Contains(page, `role="alert"`) {
			t.Errorf("%v is taken", wrong)
		}
	}
	b.form("/insights/outgoing", "on", "1", "choice", "modules")
	if page := b.form(at, "enabled", "1"); !strings.Contains(page, `name="enabled" value="1" checked`) || strings.Contains(page, "has no effect") {
		t.Errorf("enabled:\n%s", page)
	}
	for i := range 2 { // the same bytes each time
		res, file := b.do(http.MethodGet, at+"/file")
		m, err := record.OpenModule([]byte(file))
		if err != nil || m.ID != all[0].ID || m.Name != "Help <b>desk" || !strings.HasPrefix(res.Header.Get("Content-Disposition"), "attachment") {
			t.Errorf("file %d: %+v, %v, %v", i, m, err, res.Header)
		}
	}
	if page := b.form(at + "/revoke"); !strings.Contains(page, "Tick the box") {
		t.Error("revoked without the box")
	}
	if page := b.form(at+"/revoke", "sure", "1"); !strings.Contains(page, "Revoked on") || strings.Contains(page, at+"/file") {
		t.Errorf("revoked:\n%s", page)
	}
	if code, _ := b.get(s.url + at + "/file"); code != http.StatusNotFound {
		t.Errorf("the file of a revoked module: %d", code)
	}
	if page := b.form(at, "enabled", "1"); !strings.Contains(page, "not any more") {
		t.Errorf("a revoked module is switched:\n%s", page)
	}
}

// TestDevicesPage: a computer is found, renamed, put into a group and out of it,
// given the group's policy, and revoked.
func TestDevicesPage(t *testing.T) {
	s, b := activated(t)
	b.form("/devices/groups", "name", "Lojas")
	groups, none, err := s.co.Groups(t.Context())
	if err != nil || len(groups) != 1 || none != 1 {
		t.Fatal(groups, none, err)
	}
	g := groups[0].ID
	if page := b.form("/devices/groups", "name", "Lojas"); !strings.Contains(page, "with this name already") {
		t.Error("two groups of one name")
	}
	if page := b.form("/devices", "to", g); !strings.Contains(page, "Nothing was chosen") {
		t.Error("nobody was moved")
	}
	if page := b.form("/devices", "device", sample.Device, "to", g); !strings.Contains(page, ">Lojas</td>") {
		t.Errorf("moved:\n%s", page)
	}
	b.form("/devices/"+sample.Device+"/name", "name", "Balcão <1>")
	for query, found := range map[string]bool{"?q=BALCAO": true, "?q=balcao-01": true, "?q=nobody": false, "?q=%25": false, "?group=" + g: true, "?group=none": false,
		"?kind=single": false, "?kind=signed-in": false, "?kind=revoked": false, "?policy=x": false, "?q=" + sample.Device: true} {
		if page := b.page("/devices" + query); strings.Contains(page, `href="/devices/`+sample.Device+`"`) != found {
			t.Errorf("%s: found %v, want %v", query, !found, found)
		}
	}
	b.form("/policies", "name", "Shops")
	p, err := s.co.Policy(t.Context(), "Shops")
	if err != nil {
		t.Fatal(err)
	}
	if page := b.form("/groups/"+g+"/policy", "policy", p.ID); !strings.Contains(page, "never published") {
		t.Error("what was never published is assigned")
	}
	b.form("/policies/" + p.ID + "/publish")
	b.form("/groups/"+g+"/policy", "policy", p.ID)
	if _, err := s.co.Options(t.Context(), sample.Device); err != nil {
		t.Fatal(err)
	}
	page := b.page("/devices/" + sample.Device)
	for _, want := range []string{"Balcão &lt;1&gt;", "Shops, version 1", "assigned to its group", "balcao-01<small>not verified"} {
		if !strings.Contains(page, want) {
			t.Errorf("the device's page does not say %q:\n%s", want, page)
		}
	}
	b.form("/devices/"+sample.Device+"/group", "group", "")
	if page := b.page("/devices/" + sample.Device); !strings.Contains(page, "a change waits") {
		t.Errorf("what it does not have yet:\n%s", page)
	}
	b.form("/groups/" + g + "/delete")
	if page := b.page("/history"); !strings.Contains(page, "Group deleted: Lojas") || !strings.Contains(page, "Devices moved") || !strings.Contains(page, "Balcão &lt;1&gt;") {
		t.Errorf("history:\n%s", page)
	}
	b.form("/devices/"+sample.Device+"/revoke", "sure", "1")
	if page := b.page("/devices?kind=revoked"); !strings.Contains(page, "Balcão &lt;1&gt;") {
		t.Error("the revoked one is not listed")
	}
	if code, _ := b.get(s.url + "/devices/nobody"); code != http.StatusNotFound {
		t.Errorf("no such device: %d", code)
	}
	if res, _ := b.do(http.MethodGet, "/devices?after=nonsense"); res.StatusCode != http.StatusOK {
		t.Errorf("a place that is none: %d", res.StatusCode)
	}
}

// TestPolicyPage: everything that is wrong is listed at once and nothing saved;
// the setting of reporting has its switches; what allows needs the release key,
// by draft and signed file; versions are compared, and taken back in the history.
func TestPolicyPage(t *testing.T) {
	s, b := activated(t)
	b.form("/policies", "name", "Shops")
	p, err := s.co.Policy(t.Context(), "Shops")
	if err != nil {
		t.Fatal(err)
	}
	at := "/policies/" + p.ID
	draft := func() string {
		t.Helper()
		p, err := s.co.Policy(t.Context(), "Shops")
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := json.Marshal(p.Settings)
		return string(raw)
	}
	page := b.form(at, "set-QuestionSeconds", "1", "value-QuestionSeconds", "5", "set-SSHKeys", "1", "value-SSHKeys", "nonsense", "set-Languages", "1", "value-Languages", "pt-BR")
	if !strings.Contains(page, "Seconds that the question waits: the value is not allowed") || !strings.Contains(page, "SSH keys used for support: the value is not allowed") ||
		!strings.Contains(page, `value="5"`) || draft() != "[]" {
		t.Errorf("what is wrong:\n%s\n%s", draft(), page)
	}
	b.form(at, "set-insights", "1", "on-Reporting", "1", "enforce-insights", "1", "set-QuestionSeconds", "1", "value-QuestionSeconds", "60",
		"set-SSHAccounts", "1", "value-SSHAccounts", " support\r\n\r\nadmin ", "enforce-SSHAccounts", "1", "value-AllowMinutes", "7",
		"set-RecordGroups", "1", "value-RecordGroups", "windows", "value-RecordGroups", "files")
	want := `[{"key":"Insights","value":"off","enforce":true},{"key":"QuestionSeconds","value":60,"enforce":false},{"key":"RecordGroups","value":["windows","files"],"enforce":false},` +
		`{"key":"Reporting","value":"on","enforce":true},{"key":"SSHAccounts","value":["support","admin"],"enforce":true}]`
	if got := draft(); got != want {
		t.Errorf("the draft is\n%s, want\n%s", got, want)
	}
	if page := b.form(at + "/publish"); !strings.Contains(page, "Version 1") {
		t.Errorf("published:\n%s", page)
	}
	// A release key that is kept elsewhere.
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.co.SetReleaseKey(t.Context(), pub); err != nil {
		t.Fatal(err)
	}
	b.form(at, "set-AccessControl", "1", "value-AccessControl", "allowed")
	if page := b.form(at + "/publish"); !strings.Contains(page, "needs the company&#39;s release key") {
		t.Errorf("published without the key:\n%s", page)
	}
	res, raw := b.do(http.MethodGet, at+"/draft")
	var d record.Release
	if err := json.Unmarshal([]byte(raw), &d); err != nil || d.Version != 2 || res.Header.Get("Content-Disposition") == "" {
		t.Fatalf("draft: %s, %v", raw, err)
	}
	_, stranger, _ := ed25519.GenerateKey(nil)
	for _, row := range []struct {
		key  ed25519.PrivateKey
		want string
	}{{stranger, "no signature of this draft"}, {key, "Published."}} {
		env, err := company.SignRelease(row.key, d, time.Now(), time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if page := b.upload(at+"/publish", env); !strings.Contains(page, row.want) {
			t.Errorf("want %q:\n%s", row.want, page)
		}
	}
	page = b.page(at)
	if !strings.Contains(page, "Version 2") || !strings.Contains(page, "with release key") || !strings.Contains(page, "released until") {
		t.Errorf("released:\n%s", page)
	}
	// Assigned to all, to one by its name, and taken away; each in the history.
	b.form(at+"/assign", "to", "all")
	b.form(at+"/assign", "to", "device", "device", "balcao-01")
	if page := b.form(at+"/assign", "to", "device", "device", "nobody"); !strings.Contains(page, "not any more") {
		t.Error("assigned to nobody")
	}
	if page := b.form(at+"/assign", "to", ""); !strings.Contains(page, "Nothing was chosen") {
		t.Error("assigned to nothing")
	}
	b.form(at+"/assign", "to", "device:"+sample.Device, "take", "1")
	if p, err := s.co.Policy(t.Context(), "Shops"); err != nil || !p.All || len(p.Devices) != 0 {
		t.Errorf("%+v, %v", p, err)
	}
	all, err := s.co.History(t.Context(), 0, 10)
	if err != nil || all[0].Kind != company.ChangeAssigned {
		t.Fatal(all, err)
	}
	if page := b.form("/history/" + num(all[0].Number) + "/undo"); !strings.Contains(page, "Taken back by change") && !strings.Contains(page, "Takes back change") {
		t.Errorf("undone:\n%s", page)
	}
	if p, err := s.co.Policy(t.Context(), "Shops"); err != nil || len(p.Devices) != 1 {
		t.Errorf("%+v, %v", p, err)
	}
	if page := b.form("/history/" + num(all[0].Number) + "/undo"); !strings.Contains(page, "changed again since") {
		t.Errorf("undone twice:\n%s", page)
	}
	if page := b.page("/history?before=" + num(all[0].Number)); strings.Contains(page, "#"+num(all[0].Number)+"<") {
		t.Error("the page of older changes has newer ones")
	}
}

// TestReachPage: whether somebody could be asked is a column, a filter and a line
// of the device's page with what to do; a device's words are text. To see it fail,
// leave Reach out of company.DeviceFilter's query.
func TestReachPage(t *testing.T) {
	s, b := activated(t)
	at := "/devices/" + sample.Device
	if page := b.page(at); !strings.Contains(page, "not said") {
		t.Errorf("before it has said anything:\n%s", page)
	}
	for _, r := range []struct {
		reach store.Reach
		bad   bool
		want  []string
	}{
		{store.Reach{State: wire.ReachReady, Window: true, Dialog: true}, false, []string{"Somebody is at the computer", "Aval’s window, a dialog of the system"}},
		{store.Reach{State: wire.ReachNoHelper, StartFile: "~/.xinitrc", StartLine: "<b>aval-desktop &"}, true,
			[]string{"unreachable: no aval-desktop", "Add this line there to ~/.xinitrc:", "<code>&lt;b&gt;aval-desktop &amp;</code>"}},
		{store.Reach{State: wire.ReachNotShown}, true, []string{"aval doctor"}},
	} {
		r.reach.At = time.Now()
		if err := s.db.Tx(t.Context(), func(x *store.Tx) error { return x.SetReach(s.co.ID(), sample.Device, r.reach) }); err != nil {
			t.Fatal(err)
		}
		page := b.page(at)
		for _, want := range r.want {
			if !strings.Contains(page, want) {
				t.Errorf("%s: the page does not say %q:\n%s", r.reach.State, want, page)
			}
		}
		for query, found := range map[string]bool{"": true, "?reach=unreachable": r.bad, "?reach=" + r.reach.State: true, "?reach=unknown": false, "?reach=nonsense": true, "?reach=locked": false} {
			page := b.page("/devices" + query)
			if strings.Contains(page, `href="`+at+`"`) != found {
				t.Errorf("%s, %s: found %v, want %v", r.reach.State, query, !found, found)
			}
			if query == "" && strings.Contains(page, "At 1 computer nobody can be asked") != r.bad {
				t.Errorf("%s: the list does not say how many:\n%s", r.reach.State, page)
			}
		}
	}
}

// TestPolicyDeleted: a policy is renamed, deleted only with the box that its
// assignments go with it, and brought back in the history. To see it fail, let
// deletePolicy always take the assignments away.
func TestPolicyDeleted(t *testing.T) {
	s, b := activated(t)
	b.form("/policies", "name", "Shops")
	p, err := s.co.Policy(t.Context(), "Shops")
	if err != nil {
		t.Fatal(err)
	}
	at := "/policies/" + p.ID
	if page := b.form(at+"/name", "name", " Lojas <1> "); !strings.Contains(page, "<h1>Lojas &lt;1&gt;</h1>") {
		t.Errorf("renamed:\n%s", page)
	}
	if page := b.form(at+"/name", "name", ""); !strings.Contains(page, "A name has 1 to 60 characters") {
		t.Error("renamed to nothing")
	}
	b.form(at + "/publish")
	if page := b.form(at+"/assign", "to", "all"); !strings.Contains(page, `name="unassign" value="1" required`) {
		t.Errorf("assigned:\n%s", page)
	}
	if page := b.form(at + "/delete"); !strings.Contains(page, "still assigned") || !strings.Contains(page, "<h1>Lojas") {
		t.Errorf("deleted while it is assigned:\n%s", page)
	}
	if page := b.form(at+"/delete", "unassign", "1"); !strings.Contains(page, "History can take it back") || strings.Contains(page, p.ID) {
		t.Errorf("deleted:\n%s", page)
	}
	if code, _ := b.get(s.url + at); code != http.StatusNotFound {
		t.Errorf("the page of a deleted policy: %d", code)
	}
	all, err := s.co.History(t.Context(), 0, 1)
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	if page := b.page("/history"); !strings.Contains(page, "Policy deleted: Lojas &lt;1&gt;") || !strings.Contains(page, "Policy renamed") {
		t.Errorf("history:\n%s", page)
	}
	b.form("/history/" + num(all[0].Number) + "/undo")
	if page := b.page("/policies"); !strings.Contains(page, p.ID) || !strings.Contains(page, "To no device.") {
		t.Errorf("brought back:\n%s", page)
	}
}

func num(n int64) string { return strconv.FormatInt(n, 10) }

// upload sends a signed file as a browser does.
func (b *browser) upload(path string, file []byte) string {
	b.s.t.Helper()
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	w, err := m.CreateFormFile("release", "signed.json")
	if err == nil {
		_, err = w.Write(file)
	}
	if err == nil {
		err = m.Close()
	}
	if err != nil {
		b.s.t.Fatal(err)
	}
	res, page := b.send(http.MethodPost, path, &body, "Content-Type", m.FormDataContentType())
	if res.StatusCode != http.StatusOK {
		b.s.t.Fatalf("%d\n%s", res.StatusCode, page)
	}
	return page
}

// TestKeyTexts: each key of a policy has its name and its explanation in every
// language of the console, and in English the explanation is the table's.
func TestKeyTexts(t *testing.T) {
	for _, d := range policy.Definitions() {
		for _, lang := range assets.LangsOf("console") {
			cat := assets.ForArea("console", lang)
			name, doc := cat.T("console.key."+string(d.Name), nil), cat.T("console.key."+string(d.Name)+".doc", nil)
			if strings.HasPrefix(name, "console.") || strings.HasPrefix(doc, "console.") || lang == "en" && doc != d.Doc {
				t.Errorf("%s in %s: %q, %q", d.Name, lang, name, doc)
			}
		}
	}
}

// TestLogBrokenPage: a computer whose log of records does not continue what it
// showed before is told of in the list, on its page and nowhere else. To see it fail,
// leave LogBrokenAt out of company.viewer.device.
func TestLogBrokenPage(t *testing.T) {
	s, b := activated(t)
	at := "/devices/" + sample.Device
	show := func(since, size int64) {
		t.Helper()
		if err := s.db.Tx(t.Context(), func(tx *store.Tx) error {
			known, err := s.co.TakeDeviceHead(tx, sample.Device, company.DeviceHead{Since: since, Size: size, Root: record.Hash{byte(size)}, Envelope: []byte("{}")})
			if err == nil && !known {
				t.Errorf("%d records after %d were not taken", size, since)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	show(0, 9)
	for _, path := range []string{"/devices", at} {
		if page := b.page(path); strings.Contains(page, "log of records broken") {
			t.Errorf("%s: broken before it is:\n%s", path, page)
		}
	}
	show(9, 4)
	for path, want := range map[string]string{"/devices": "log of records broken on", at: "put back from a copy"} {
		if page := b.page(path); !strings.Contains(page, want) {
			t.Errorf("%s does not say %q:\n%s", path, want, page)
		}
	}
	if list, err := s.co.Audits(t.Context(), store.AuditFilter{Action: "log-broken"}); err != nil || len(list) != 1 || list[0].Subject != sample.Device {
		t.Errorf("%+v, %v", list, err)
	}
}
