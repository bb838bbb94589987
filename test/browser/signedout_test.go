//go:build e2e

package browser_test

import (
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"aval/test/browser"
)

// TestSignedOut: somebody types into a form, their session ends, and what they
// typed is sent once they have signed in again.
func TestSignedOut(t *testing.T) {
	s, b := start(t), open(t)
	views := browser.Views()
	for _, v := range []browser.View{views[0], views[len(views)-1]} {
		if err := b.Set(v); err != nil {
			t.Fatal(err)
		}
		if err := b.Go(s.link(t)); err != nil {
			t.Fatal(err)
		}
		if err := b.Go(s.url + "/lang?to=" + v.Lang + "&back=/s/" + s.printer + "/edit"); err != nil {
			t.Fatal(err)
		}
		title := "Typed as " + v.Name()
		if err := chromedp.Do(b.Context(), chromedp.SetValue("#name", title)); err != nil {
			t.Fatal(err)
		}
		if _, err := chromedp.Call(b.Context(), network.ClearBrowserCookies, cdp.Empty{}); err != nil {
			t.Fatal(err)
		}
		if err := chromedp.Do(b.Context(), chromedp.Submit("#name"), chromedp.WaitVisible("main.message form")); err != nil {
			t.Fatal(err)
		}
		r, err := b.Look()
		if err != nil {
			t.Fatal(err)
		}
		keep(t, "signed-out", v, r)
		if err := r.Err(); err != nil {
			t.Errorf("%s: %v", v.Name(), err)
		}
		// Signed in again, as by the other tab.
		if got, err := chromedp.Run(b.Context(), chromedp.Evaluate[bool](`fetch(`+"`"+s.link(t)+"`"+`).then(r => r.ok)`, chromedp.EvalAwaitPromise)); err != nil || !got {
			t.Fatal(got, err)
		}
		if err := chromedp.Do(b.Context(), chromedp.Submit("main.message form"), chromedp.WaitVisible(".menu")); err != nil {
			t.Fatal(err)
		}
		if got, err := chromedp.Run(b.Context(), chromedp.Evaluate[bool](`document.body.textContent.includes(`+"`"+title+"`"+`)`)); err != nil || !got {
			t.Errorf("%s: what was typed is not there: %v", v.Name(), err)
		}
	}
}
