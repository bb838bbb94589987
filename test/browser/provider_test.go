//go:build e2e

package browser_test

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"aval/summarizer/company"
	"aval/summarizer/summary/sample"
	"aval/test/browser"
)

// issuerScript starts the issuer, whose one person is Ana.
const issuerScript = `import { OAuth2Server } from './node_modules/oauth2-mock-server/dist/index.mjs';
const s = new OAuth2Server();
await s.issuer.keys.generate('RS256');
s.service.on('beforeTokenSigning', (t) => Object.assign(t.payload,
  { sub: 's-ana', name: 'Ana Souza', email: 'ana@example.com', email_verified: true, groups: ['support'] }));
await s.start(0, '127.0.0.1');
console.log(s.issuer.url);
`

// TestProvider: a person signs in by an OpenID Connect issuer that is not ours
// (oauth2-mock-server 9.3.0), in a real browser: there, back again, with the role
// of their group. Planted: without the nonce on the way there nobody got in. (This
// issuer does not insist on PKCE; the one of summarizer/company's tests does.)
func TestProvider(t *testing.T) {
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "aval-test", "oauth2-mock-server-9.3.0")
	if _, err := os.Stat(dir); err != nil {
		t.Fatal(errors.Join(err, browser.ErrMissing))
	}
	cmd := exec.CommandContext(t.Context(), "node", "--input-type=module", "-")
	cmd.Dir, cmd.Stdin, cmd.Stderr = dir, strings.NewReader(issuerScript), os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	issuer, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	s, b := start(t), open(t)
	co, err := s.host.Of(t.Context(), sample.Company)
	if err != nil {
		t.Fatal(err)
	}
	if err := co.SetProvider(t.Context(), company.Provider{Name: "Example Login", Issuer: strings.TrimSpace(issuer), ClientID: "aval",
		Roles: map[string]company.Role{"support": company.Supporter}}, "a secret"); err != nil {
		t.Fatal(err)
	}
	judge(t, s, b, page{"sign-in-provider", at("/sign-in")})
	if err := chromedp.Do(b.Context(), chromedp.Navigate(s.url+"/sign-in"), chromedp.Click("a.button"), chromedp.WaitVisible(".menu")); err != nil {
		t.Fatal(err)
	}
	who, err := chromedp.Run(b.Context(), chromedp.Text(".company"))
	if err != nil || !strings.Contains(who, "Ana Souza") {
		t.Errorf("%q %v", who, err)
	}
	rows, err := co.Users(t.Context(), company.UserFilter{Search: "Ana Souza"})
	if err != nil {
		t.Fatal(err)
	}
	linked := 0
	for _, u := range rows {
		if u.Linked && u.Role == company.Supporter {
			linked++
		}
	}
	if linked != 1 {
		t.Errorf("%+v", rows)
	}
}
