//go:build e2e

package browser_test

import (
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// evidence tells, of the first sentence that links to an event, whether that event
// is lit, whether it is the page's target, and whether it looks like the others.
const evidence = `(() => {
  const a = document.querySelector('.sentences [data-rests] .evidence a, .key [data-rests] .evidence a');
  const li = document.getElementById(a.hash.slice(1));
  const other = [...document.querySelectorAll('.timeline li')].find(x => x !== li && !x.classList.contains('mark'));
  return [li.classList.contains('lit'), li.matches(':target'), getComputedStyle(li).backgroundColor === getComputedStyle(other).backgroundColor].join(' ');
})()`

// TestEvidence: the events that a sentence rests on are lit while it has the
// focus, and without a script the one whose number is followed is marked. To see
// it fail, leave the listeners out of console.js, or li:target out of console.css.
func TestEvidence(t *testing.T) {
	s, b := start(t), open(t)
	if err := b.Go(s.link(t)); err != nil {
		t.Fatal(err)
	}
	is := func(what, want string) {
		t.Helper()
		if got, err := chromedp.Run(b.Context(), chromedp.Evaluate[string](evidence)); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", what, got, err, want)
		}
	}
	const first = `.sentences [data-rests] .evidence a, .key [data-rests] .evidence a`
	if _, err := chromedp.Call(b.Context(), emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}); err != nil {
		t.Fatal(err)
	}
	if err := b.Go(s.url + "/s/" + s.printer); err != nil {
		t.Fatal(err)
	}
	is("at first", "false false true")
	if err := chromedp.Do(b.Context(), chromedp.Focus(first)); err != nil {
		t.Fatal(err)
	}
	is("focused", "true false false")
	if err := chromedp.Do(b.Context(), chromedp.Blur(first)); err != nil {
		t.Fatal(err)
	}
	is("left", "false false true")
	if _, err := chromedp.Call(b.Context(), emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	if err := b.Go(s.url + "/s/" + s.printer); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(b.Context(), chromedp.Click(first)); err != nil {
		t.Fatal(err)
	}
	is("without a script, followed", "false true false")
}
