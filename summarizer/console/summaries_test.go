package console_test

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"aval/summarizer/store"
	"aval/summarizer/summary/sample"
)

// post sends a form as the page itself does.
func (b *browser) submit(path string, form url.Values) (*http.Response, string) {
	b.s.t.Helper()
	return b.send("POST", path, strings.NewReader(form.Encode()), "Sec-Fetch-Site", "same-origin", "Content-Type", "application/x-www-form-urlencoded")
}

// field is the value of a hidden field of a page.
func field(t *testing.T, body, name string) string {
	t.Helper()
	m := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(body)
	if m == nil {
		t.Fatalf("no field %s", name)
	}
	return m[1]
}

// TestFilters: the list is narrowed by words and fields, keeps that in its links,
// and says when nothing fits.
func TestFilters(t *testing.T) {
	s := start(t)
	printer := s.put(sample.Printer("pt-BR"))
	shell := s.put(sample.Shell())
	s.summarise(nil)
	b := s.signedIn("en")
	for _, c := range []struct {
		query   string
		printer bool
		shell   bool
	}{
		{"", true, true}, {"q=IMPRESSÔRA", true, false}, {"q=nginx", false, true}, {"q=nowhere", false, false},
		{"supporter=ana", true, false}, {"tool=ssh", false, true}, {"basis=consent", true, false}, {"basis=nothing", false, false},
		{"outcome=resolved", true, false}, {"label=printing", true, false}, {"state=summarised", true, true}, {"state=failed", false, false}, {"state=wrong", true, true},
		{"from=" + time.Now().AddDate(0, 0, 1).Format(time.DateOnly), false, false}, {"from=yesterday", true, true},
		{"to=" + time.Now().AddDate(0, 0, -2).Format(time.DateOnly), false, false}, {"device=balcao", true, true}, {"q=" + strings.Repeat("%C3%A3", 300), false, false},
	} {
		code, body := b.get("/?" + c.query)
		if code != http.StatusOK || strings.Contains(body, "/s/"+printer.Ref()) != c.printer || strings.Contains(body, "/s/"+shell.Ref()) != c.shell {
			t.Errorf("%s: %d, printer %v, shell %v", c.query, code, strings.Contains(body, "/s/"+printer.Ref()), strings.Contains(body, "/s/"+shell.Ref()))
		}
		if none := strings.Contains(body, "Nothing fits"); none == (c.printer || c.shell) {
			t.Errorf("%s: says that nothing fits: %v", c.query, none)
		}
	}
	_, body := b.get("/s/" + printer.Ref() + "?q=impressora")
	if strings.Contains(body, "/s/"+shell.Ref()) || !strings.Contains(body, `href="/s/`+printer.Ref()+`?q=impressora"`) || !strings.Contains(body, `aria-current="page"`) {
		t.Error("the list beside a session is another one")
	}
	// The list asks whether it has changed: nothing comes while it has not.
	live := regexp.MustCompile(`hx-get="([^"]+)"`).FindStringSubmatch(body)
	if live == nil {
		t.Fatal("the list does not ask")
	}
	ask := strings.ReplaceAll(live[1], "&amp;", "&")
	if res, _ := b.do("GET", ask); res.StatusCode != http.StatusNoContent {
		t.Errorf("nothing has changed, and: %d", res.StatusCode)
	}
	if err := s.db.Tx(t.Context(), func(x *store.Tx) error { _, err := x.EraseStream(printer, time.Now()); return err }); err != nil {
		t.Fatal(err)
	}
	if res, body := b.do("GET", ask); res.StatusCode != http.StatusOK || !strings.HasPrefix(body, `<div id="rows"`) || strings.Contains(body, printer.Ref()[:20]+`"`) && strings.Contains(body, "card") {
		t.Errorf("it has changed, and: %d %s", res.StatusCode, body)
	}
}

// TestEditing: what is edited is shown with who and when, the original stays and
// comes back, an edit of an old version is refused with the text kept, and
// deleting says what goes and takes it.
func TestEditing(t *testing.T) {
	s := start(t)
	k := s.put(sample.Printer("en"))
	s.summarise(nil)
	b := s.signedIn("en")
	page := "/s/" + k.Ref()
	_, form := b.get(page + "/edit")
	text := func(name string) string {
		m := regexp.MustCompile(`(?s)<textarea id="` + name + `"[^>]*>(.*?)</textarea>`).FindStringSubmatch(form)
		if m == nil {
			t.Fatalf("no text %s", name)
		}
		return strings.NewReplacer("&#34;", `"`, "&#39;", "'", "&amp;", "&", "&lt;", "<").Replace(m[1])
	}
	edited := url.Values{"version": {field(t, form, "version")}, "name": {"The <b>counter</b> printer"}, "sentences": {text("sentences") + "\r\nThe customer was happy."},
		"steps": {text("steps") + "Telephone: called back\n$ dial 1"}, "labels": {"Printing, Counter"}, "resolved": {"resolved"}, "outcome": {"It prints."}}
	res, body := b.submit(page+"/edit", edited)
	for _, want := range []string{"The &lt;b&gt;counter&lt;/b&gt; printer", "The customer was happy.", "It prints.", "<li>Counter</li>", "<code>dial 1</code>", "Edited by", "?version=1", "lpstat"} {
		if res.StatusCode != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%d, without %q", res.StatusCode, want)
		}
	}
	if res, body := b.submit(page+"/edit", edited); res.StatusCode != http.StatusConflict || !strings.Contains(body, "Somebody else has changed") || !strings.Contains(body, "The customer was happy.") {
		t.Errorf("an edit of the old version: %d", res.StatusCode)
	}
	edited.Set("version", "2")
	edited.Set("name", " ")
	if res, body := b.submit(page+"/edit", edited); res.StatusCode != http.StatusConflict || !strings.Contains(body, "it needs a title") {
		t.Errorf("without a title: %d", res.StatusCode)
	}
	if res, _ := b.submit(page+"/edit", url.Values{"version": {"x"}}); res.StatusCode != http.StatusBadRequest {
		t.Errorf("a wrong form: %d", res.StatusCode)
	}
	if res, _ := b.submit(page+"/edit", url.Values{"sentences": {strings.Repeat("x", 2<<20)}}); res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a form of 2 MB: %d", res.StatusCode)
	}
	_, old := b.get(page + "?version=1")
	if !strings.Contains(old, "This is version 1") || strings.Contains(old, "The customer was happy.") {
		t.Error("the original is not shown")
	}
	if res, body := b.submit(page+"/restore", url.Values{"version": {"1"}, "base": {field(t, old, "base")}}); res.StatusCode != http.StatusOK || strings.Contains(body, "The customer was happy.") || !strings.Contains(body, "?version=2") {
		t.Errorf("restore: %d", res.StatusCode)
	}
	if res, _ := b.submit(page+"/restore", url.Values{"version": {"1"}, "base": {"1"}}); res.StatusCode != http.StatusConflict {
		t.Errorf("restore from what is no longer in force: %d", res.StatusCode)
	}
	if res, body := b.submit(page+"/regenerate", nil); res.StatusCode != http.StatusOK || !strings.Contains(body, "being written anew") {
		t.Errorf("regenerate: %d", res.StatusCode)
	}
	s.summarise(nil)
	if _, body := b.get(page); !strings.Contains(body, "?version=3") || !strings.Contains(body, "Written by rules") {
		t.Error("it was not written anew")
	}
	_, ask := b.get(page + "/delete")
	if !strings.Contains(ask, "21 items") || !strings.Contains(ask, "4 versions of the summary") || !strings.Contains(ask, "This stays") {
		t.Errorf("it does not say what goes: %s", ask)
	}
	res, body = b.submit(page+"/delete", nil)
	if res.StatusCode != http.StatusOK || !strings.Contains(body, "was deleted on") || strings.Contains(body, "lpstat") || strings.Contains(body, page+"/edit") {
		t.Errorf("delete: %d", res.StatusCode)
	}
	for _, p := range []string{"/edit", "/delete", "/export/json"} {
		if code, _ := b.get(page + p); code != http.StatusGone {
			t.Errorf("%s of a deleted session: %d", p, code)
		}
	}
	for _, p := range []string{"/edit", "/restore", "/regenerate"} {
		if res, _ := b.submit(page+p, url.Values{"version": {"1"}, "base": {"1"}, "name": {"x"}}); res.StatusCode != http.StatusGone {
			t.Errorf("%s of a deleted session: %d", p, res.StatusCode)
		}
	}
}

// TestExports: each format has the summary, as text in every one.
func TestExports(t *testing.T) {
	s := start(t)
	k := s.put(sample.Hostile())
	plain := s.put(sample.Printer("pt-BR"))
	s.summarise(nil)
	b := s.signedIn("pt-BR")
	get := func(k store.Key, form string) (http.Header, string) {
		t.Helper()
		res, body := b.do("GET", "/s/"+k.Ref()+"/export/"+form)
		if res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d", form, res.StatusCode)
		}
		return res.Header, body
	}
	h, body := get(plain, "json")
	var doc struct {
		Session string
		Version int64
		Summary struct {
			Name  string
			Steps []struct{ Application string }
		}
		Events []struct{ Seq uint64 }
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil || doc.Session != "x11vnc/4711" || doc.Version != 1 || len(doc.Events) != 21 || len(doc.Summary.Steps) == 0 ||
		!strings.HasPrefix(h.Get("Content-Disposition"), "attachment") {
		t.Errorf("json: %+v %v", doc, err)
	}
	if _, body := get(k, "md"); strings.ContainsAny(regexp.MustCompile(`\\.`).ReplaceAllString(body, ""), "<[`_") || !strings.Contains(body, `\<script\>`) {
		t.Errorf("markdown: %s", body)
	}
	if h, body := get(k, "txt"); !strings.HasPrefix(h.Get("Content-Type"), "text/plain") || h.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(body, "<script>") {
		t.Errorf("text: %s", body)
	}
	if _, body := get(k, "csv"); !strings.Contains(body, "Ana") {
		t.Errorf("csv: %s", body)
	}
	if h, body := get(k, "pdf"); h.Get("Content-Type") != "application/pdf" || !strings.HasPrefix(body, "%PDF-") {
		t.Error("no pdf")
	}
	if code, _ := b.get("/s/" + k.Ref() + "/export/exe"); code != http.StatusNotFound {
		t.Errorf("a format that there is not: %d", code)
	}
	res, body := b.do("GET", "/export.csv?tool=x11vnc&basis=consent")
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(body, "\ufeff"))).ReadAll()
	if err != nil || len(rows) != 3 || len(rows[1]) != 13 || res.Header.Get("Content-Disposition") == "" {
		t.Errorf("list: %q %v", rows, err)
	}
}
