package console_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"aval/summarizer/store"
	"aval/summarizer/summary/sample"
)

// TestAI: the account by its forms: a licence, an order that a second click does
// not repeat, its end, a warning; what is wrong says so and changes nothing.
func TestAI(t *testing.T) {
	s := start(t)
	b := s.signedIn("en")
	code, page := b.get(s.url + "/ai")
	if code != http.StatusOK || !strings.Contains(page, "AI credits: 50") || !strings.Contains(page, "not entered yet") || strings.Contains(page, `action="/ai/orders"`) {
		t.Fatalf("%d %s", code, page)
	}
	step := func(path string, form url.Values, status int, want ...string) string {
		t.Helper()
		res, page := b.submit(path, form)
		if res.StatusCode != status {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
		for _, w := range want {
			if !strings.Contains(page, w) {
				t.Errorf("%s: without %q\n%s", path, w, page)
			}
		}
		return page
	}
	step("/ai/orders", url.Values{"pack": {"ai-100"}, "token": {"t"}}, http.StatusConflict, "Say first when the licence starts")
	step("/ai/licence", url.Values{"tier": {"business"}, "starts": {"2026-01-01"}, "zone": {"Mars"}}, http.StatusConflict, "time zone is not known")
	step("/ai/licence", url.Values{"tier": {"business"}, "starts": {"2026-01-01"}, "renews": {"2025-01-01"}, "zone": {"UTC"}}, http.StatusConflict, "does not make a licence")
	page = step("/ai/licence", url.Values{"tier": {"business"}, "starts": {"2026-01-01"}, "zone": {"America/Sao_Paulo"}}, http.StatusOK, "The licence is changed", "America/Sao_Paulo", `action="/ai/orders"`)
	m := regexp.MustCompile(`name="token" value="([^"]+-ai-100)"`).FindStringSubmatch(page)
	if m == nil {
		t.Fatal("no token")
	}
	for range 2 { // two clicks
		step("/ai/orders", url.Values{"pack": {"ai-100"}, "token": {m[1]}}, http.StatusOK, "AI credits: 150", "Ordered.", "days)", `<th scope="row">ai-100</th><td>100</td><td>100</td>`)
	}
	step("/ai/orders", url.Values{"pack": {"gold"}, "token": {"x"}}, http.StatusConflict, "no such pack")
	_, page = b.get(s.url + "/ai")
	order := regexp.MustCompile(`/ai/orders/([0-9A-Z]+)/cancel`).FindAllStringSubmatch(page, -1)
	if len(order) != 1 {
		t.Fatalf("%d orders", len(order))
	}
	step("/ai/orders/"+order[0][1]+"/cancel", nil, http.StatusOK, "Cancelled on")
	step("/ai/orders/"+order[0][1]+"/cancel", nil, http.StatusConflict, "cancelled before")
	step("/ai/warning", url.Values{"warn": {"many"}}, http.StatusConflict, "A number from 0 on")
	step("/ai/warning", url.Values{"warn": {"500"}}, http.StatusOK, "Only 150 credits are left")
	if _, page := b.get(s.url + "/"); !strings.Contains(page, `<summary class="warn">AI credits: 150</summary>`) {
		t.Error("the balance is not on the other pages")
	}

	// Uses are listed in pages, and the chart's table counts them.
	var keys []store.Key
	for i := range 55 {
		in := sample.Shell()
		in.ID, in.Grant = "ssh/"+strings.Repeat("x", i+1), "g"+strings.Repeat("x", i+1)
		keys = append(keys, s.put(in))
	}
	s.summarise(nil)
	seen := map[string]bool{}
	for path := "/ai"; path != ""; {
		_, page := b.get(s.url + path)
		for _, m := range regexp.MustCompile(`<a href="/s/([0-9a-f]+)">`).FindAllStringSubmatch(page, -1) {
			if seen[m[1]] {
				t.Fatal("a use is listed twice")
			}
			seen[m[1]] = true
		}
		path = ""
		if m := regexp.MustCompile(`href="(/ai\?before=[^"#]+)#uses"`).FindStringSubmatch(page); m != nil {
			path = m[1]
		}
	}
	if len(seen) != len(keys) {
		t.Errorf("%d uses of %d", len(seen), len(keys))
	}
	if _, page := b.get(s.url + "/ai?before=1.x.zz"); !strings.Contains(page, "AI credits: 95") || !strings.Contains(page, "55 credits were used") || !strings.Contains(page, "<td>95</td>") {
		t.Error("the balance does not go down")
	}
	_, page = b.get(s.url + "/overview")
	if !strings.Contains(page, "55 sessions in the last 30 days") || !strings.Contains(page, "100 %") || !strings.Contains(page, "<td>55</td>") {
		t.Errorf("overview: %s", page)
	}
}
