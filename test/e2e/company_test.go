//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"aval/test/browser"
	"aval/test/rig"
)

// admin is one person at a real Chromium.
type admin struct {
	*browser.Browser
	t   *testing.T
	url string
}

func (w *world) admin() *admin {
	w.t.Helper()
	b, stop, err := browser.Open(w.t.Context(), w.t.TempDir())
	if errors.Is(err, browser.ErrMissing) {
		w.t.Fatal(err)
	}
	w.must(err)
	w.t.Cleanup(stop)
	return &admin{b, w.t, w.summarizer.URL}
}

// on opens a page and returns its text.
func (a *admin) on(path string) string {
	a.t.Helper()
	if strings.HasPrefix(path, "/") {
		path = a.url + path
	}
	if err := a.Go(path); err != nil {
		a.t.Fatal(err)
	}
	return a.text()
}

func (a *admin) eval(js string) string {
	a.t.Helper()
	out, err := chromedp.Run(a.Context(), chromedp.Evaluate[string](js))
	if err != nil {
		a.t.Fatalf("%s: %v", js, err)
	}
	return out
}

func (a *admin) text() string { return a.eval(`document.body.innerText`) }
func (a *admin) path() string { return a.eval(`location.pathname`) }

// fill has a form of the page filled in and sent, as its own button does: a text
// for a field, a choice or a list, true or false for what is ticked. It returns
// the text of the page that follows.
func (a *admin) fill(action string, fields map[string]any) string {
	a.t.Helper()
	raw, err := json.Marshal(fields)
	if err != nil {
		a.t.Fatal(err)
	}
	said := a.eval(fmt.Sprintf(`(() => {
		const form = document.querySelector('form[method=post][action=%q]');
		if (!form) return 'no form for ' + %q + ' at ' + location.pathname;
		for (const [name, v] of Object.entries(%s || {})) {
			const all = [...form.querySelectorAll('[name="' + name + '"]')];
			if (!all.length) return 'no field ' + name;
			const one = all[0];
			if (typeof v === 'boolean') one.checked = v;
			else if (one.type === 'radio' || one.type === 'checkbox') {
				const it = all.find(e => e.value === v);
				if (!it) return 'no choice ' + v;
				it.checked = true;
			} else if (one.tagName === 'SELECT') {
				const it = [...one.options].find(o => o.value === v || o.text.includes(v));
				if (!it) return 'nothing in ' + name + ' is ' + v;
				one.value = it.value;
			} else one.value = v;
		}
		window.before = true;
		for (const d of document.querySelectorAll('details')) d.open = true;
		form.requestSubmit(form.querySelector('button[type=submit]'));
		return '';
	})()`, action, action, raw))
	if said != "" {
		a.t.Fatal(said)
	}
	var last error
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		there, err := chromedp.Run(a.Context(), chromedp.Evaluate[bool](`window.before === undefined && document.readyState === 'complete'`))
		if last = err; there {
			return a.text()
		}
	}
	a.t.Fatalf("%s: no page followed (%v)\n%s", action, last, a.text())
	return ""
}

// link is the address of the first link of the page that fits.
func (a *admin) link(pattern string) string {
	a.t.Helper()
	var all []string
	if err := json.Unmarshal([]byte(a.eval(`JSON.stringify([...document.links].map(l => l.pathname))`)), &all); err != nil {
		a.t.Fatal(err)
	}
	re := regexp.MustCompile(pattern)
	for _, l := range all {
		if re.MatchString(l) {
			return l
		}
	}
	a.t.Fatalf("no link %s at %s: %v", pattern, a.path(), all)
	return ""
}

// picture keeps the page beside the logs.
func (a *admin) picture(name string) {
	a.t.Helper()
	png, err := chromedp.Run(a.Context(), chromedp.FullScreenshot(100))
	dir := filepath.Join("../../out/e2e", a.t.Name())
	if err = errors.Join(err, os.MkdirAll(dir, 0o755)); err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644)
	}
	if err != nil {
		a.t.Error(err)
	}
}

func (a *admin) says(page string, words ...string) {
	a.t.Helper()
	for _, word := range words {
		if !strings.Contains(page, word) {
			a.t.Errorf("%s: %q is not said:\n%s", a.path(), word, page)
		}
	}
}

// TestCompany: from an empty data folder, in a real browser: the first set-up, both
// options, a module, a group, a policy that enforces, a licence; a computer is
// enrolled, gets the policy by its group, and a real session is recorded under it;
// its summary is read, edited and deleted, one credit is counted, and an auditor
// who was invited finds all of it in a log that holds. Planted: with MoveDevices that
// moves nothing the computer never had the policy.
func TestCompany(t *testing.T) {
	w := newStrangers(t, "", nil)
	d := w.desktop("desk", rig.WithGL)
	a := w.admin()

	link, err := w.summarizer.FirstStart("admin-link")
	w.must(err)
	a.on(link)
	if a.path() != "/welcome" {
		t.Errorf("the first link leads to %s", a.path())
	}
	a.fill("/welcome", map[string]any{"company": "Example Support", "zone": "America/Sao_Paulo", "name": "Bia Lima", "login": "bia@example.com",
		"password": "horse-battery-staple", "again": "horse-battery-staple", "accept": true})
	a.picture("1-ready")
	a.on("/insights")
	a.fill("/insights/outgoing", map[string]any{"on": true, "choice": "modules"})
	a.fill("/insights/incoming", map[string]any{"on": true, "choice": "policy"})
	a.picture("2-insights")
	a.on("/modules")
	a.says(a.fill("/modules", map[string]any{"name": "Help desk", "enabled": true}), "Help desk")
	a.on("/devices/groups")
	a.fill("/devices/groups", map[string]any{"name": "Tills"})
	a.on("/policies")
	a.fill("/policies", map[string]any{"name": "Announced"})
	a.on("/policies")
	policy := a.link(`^/policies/[^/]+$`)
	a.on(policy)
	a.fill(policy, map[string]any{"set-insights": true, "on-Reporting": true, "on-Insights": true, "enforce-insights": true})
	a.on(policy)
	a.fill(policy+"/publish", nil)
	a.on(policy)
	a.fill(policy+"/assign", map[string]any{"to": "Tills"})
	a.picture("3-policy")
	a.on("/ai")
	now := time.Now()
	a.says(a.fill("/ai/licence", map[string]any{"tier": "business", "starts": now.AddDate(0, -1, 0).Format(time.DateOnly), "renews": now.AddDate(0, 11, 0).Format(time.DateOnly)}), "5")
	a.on("/tokens")
	a.says(a.fill("/tokens", map[string]any{"name": "Reports", "scope": "summaries:read"}), "aval_api_")

	w.must(w.agent.Enroll(w.summarizer))
	a.on("/devices")
	device := a.link(`^/devices/[0-9A-Z]{20,}$`)
	a.on(device)
	a.fill(device+"/group", map[string]any{"group": "Tills"})
	w.must(w.Wait("the policy on the computer", 30*time.Second, func() (bool, error) {
		res, err := w.agent.CLI("policy", "show")
		return strings.Contains(res.Stdout, "Announced"), errors.Join(err, errors.New(res.Stdout))
	}))
	s := w.connect(d)
	w.must(s.WaitConnected(20 * time.Second))
	row := w.decided(20 * time.Second)
	if row.Verdict != "allow" || row.Basis != "enforced-policy" {
		t.Fatalf("%+v", row)
	}
	w.recording(row.Session, true, 15*time.Second)
	w.show(d, "CANARY-OF-A-COMPANY")
	w.must(s.Leave())
	w.arrived(row.Session)

	a.on("/")
	session := a.link(`^/s/[^/]+$`)
	a.says(a.on(session), "CANARY-OF-A-COMPANY", "x11vnc")
	a.picture("4-summary")
	a.on(session + "/edit")
	a.fill(session+"/edit", map[string]any{"name": "Till three prints again"})
	a.says(a.on(session), "Till three prints again", "Bia Lima")
	a.says(a.on("/ai"), "x11vnc")
	a.picture("5-credits")
	var credits struct{ Left int64 }
	w.must(w.summarizer.JSON(&credits, "credits", "show"))
	if credits.Left != 49 { // of the month's 50; the other licence's begin with the next month
		t.Errorf("%d credits are left of 50", credits.Left)
	}
	a.on(session + "/delete")
	a.fill(session+"/delete", nil)
	if page := a.on(session); strings.Contains(page, "CANARY-OF-A-COMPANY") || strings.Contains(page, "Till three prints") {
		t.Errorf("it is still there:\n%s", page)
	}

	a.on("/users")
	a.fill("/users", map[string]any{"name": "Rui Lima", "login": "rui@example.com", "role": "auditor"})
	a.on("/users")
	var users []string
	w.must(json.Unmarshal([]byte(a.eval(`JSON.stringify([...document.links].filter(l => l.text.includes('Rui')).map(l => l.pathname))`)), &users))
	if len(users) == 0 {
		t.Fatal("the auditor is not in the list")
	}
	a.on(users[0])
	invited := regexp.MustCompile(regexp.QuoteMeta(w.summarizer.URL) + `\S+`).FindString(a.fill(users[0]+"/invite", nil))
	auditor := w.admin()
	auditor.on(invited)
	auditor.fill("/invitation", map[string]any{"password": "staple-battery-horse", "again": "staple-battery-horse"})
	auditor.says(auditor.on("/audit"), "Bia Lima")
	auditor.picture("6-audit")
	auditor.says(auditor.fill("/audit/verify", nil), "rows hold")
	auditor.picture("7-verified")
	auditor.on(policy)
	if n := auditor.eval(`document.querySelectorAll('form[method=post][action^="/policies"] button').length + ""`); n != "0" {
		t.Errorf("an auditor is offered %s ways to change a policy", n)
	}
}
