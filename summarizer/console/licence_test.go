package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestLicenceKept: what was entered of a licence is still in the form when one part
// of it cannot be taken, and none of it counts. To see it fail, leave Entered out.
func TestLicenceKept(t *testing.T) {
	s := start(t)
	b := s.signedIn("en")
	res, body := b.submit("/ai/licence", url.Values{"tier": {"premium"}, "starts": {"2026-03-31"}, "renews": {"2027-01-15"}, "zone": {"Mars/Base"}})
	if res.StatusCode != http.StatusConflict || !strings.Contains(body, "<details open>") {
		t.Fatalf("%d", res.StatusCode)
	}
	for _, want := range []string{`value="2026-03-31"`, `value="2027-01-15"`, `value="Mars/Base"`, `value="premium" selected`} {
		if !strings.Contains(body, want) {
			t.Errorf("the form has no %s", want)
		}
	}
	if acc, err := s.co.Credits(t.Context()); err != nil || acc.Tier == "premium" || acc.Zone == "Mars/Base" || acc.Starts != "" {
		t.Errorf("%+v %v", acc, err)
	}
}
