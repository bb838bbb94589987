//go:build e2e

package browser_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"aval/summarizer/company"
	"aval/summarizer/summary/sample"
)

// TestPeoplePages: what changes once people sign in themselves: by an invitation,
// typed in a real browser, to one's own account, and what an administrator
// is shown when the glass was broken.
func TestPeoplePages(t *testing.T) {
	s, b := start(t), open(t)
	co, err := s.host.Of(t.Context(), sample.Company)
	if err != nil {
		t.Fatal(err)
	}
	u, err := co.CreateUser(t.Context(), company.NewUser{Name: "Bia Lima", Login: "bia@example.com", Role: company.Administrator})
	if err != nil {
		t.Fatal(err)
	}
	link, _, err := co.Invite(t.Context(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	_, token, _ := strings.Cut(link, "?token=")
	judge(t, s, b, page{"invitation", at(company.InvitePath + "?token=" + token)})
	if err := chromedp.Do(b.Context(), chromedp.SendKeys("#password", "horse-battery-staple"), chromedp.SendKeys("#again", "horse-battery-staple"),
		chromedp.Submit("#password"), chromedp.WaitVisible(".menu")); err != nil {
		t.Fatal(err)
	}
	judge(t, s, b, page{"me", at("/me")})
	judge(t, s, b, page{"user-self", at("/users/" + u.ID)})
	other := open(t)
	judge(t, s, other, page{"sign-in-password", at("/sign-in")})
	judge(t, s, other, page{"glass", at(strings.TrimPrefix(s.link(t), s.url))})
	if err := chromedp.Do(other.Context(), chromedp.SendKeys("#reason", "Bia está de férias e a política precisa mudar"),
		chromedp.Submit("#reason"), chromedp.WaitVisible(".menu")); err != nil {
		t.Fatal(err)
	}
	judge(t, s, b, page{"users-alarm", at("/users")})
}
