// Package browser opens the console's pages in a real Chromium and judges them
// from outside: what axe finds, whether a narrow screen must be pushed sideways,
// and whether the keyboard gets everywhere and is seen there.
//
// The one rule that must not be broken: nothing is left out of a judgement. A
// rule of axe that is switched off, an element that is skipped or a page that
// did not load is a failure, never a pass.
package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// axeVersion is the package that test/deps.sh fetches.
const axeVersion = "axe-core-4.14.1"

// ErrMissing: Chromium or axe is not on this computer; test/deps.sh e2e fetches them.
var ErrMissing = errors.New("run test/deps.sh e2e first")

// View is how a page is looked at.
type View struct {
	Lang  string // en or pt-BR
	Dark  bool
	Width int64 // of the window, in CSS pixels
}

// Name is the view's part of a picture's file name.
func (v View) Name() string {
	shade := "light"
	if v.Dark {
		shade = "dark"
	}
	return fmt.Sprintf("%s-%s-%d", v.Lang, shade, v.Width)
}

// Views are all of them: both languages, both shades, a phone and a desk.
func Views() (list []View) {
	for _, lang := range []string{"en", "pt-BR"} {
		for _, dark := range []bool{false, true} {
			for _, width := range []int64{390, 1280} {
				list = append(list, View{lang, dark, width})
			}
		}
	}
	return list
}

// Browser is one Chromium with a profile of its own. It is used by one
// goroutine at a time.
type Browser struct {
	ctx context.Context
	axe string
}

// Open starts a Chromium whose profile is in dir. It ends with ctx, or with the
// function that is returned. It trusts the certificate of no authority: the
// console's is its own.
func Open(ctx context.Context, dir string) (*Browser, context.CancelFunc, error) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		return nil, nil, fmt.Errorf("find chromium: %w (%w)", err, ErrMissing)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, nil, err
	}
	axe, err := os.ReadFile(filepath.Join(cache, "aval-test", axeVersion, "axe.min.js"))
	if err != nil {
		return nil, nil, fmt.Errorf("find axe: %w (%w)", err, ErrMissing)
	}
	// Its own home: Chromium writes fonts and crash reports beside its profile.
	alloc, stopAlloc := chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(filepath.Join(dir, "profile")), chromedp.IgnoreCertErrors,
		chromedp.Env("HOME="+dir, "XDG_CACHE_HOME="+filepath.Join(dir, "cache"), "XDG_CONFIG_HOME="+filepath.Join(dir, "config")),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("lang", "en-US"), chromedp.WindowSize(1280, 900), chromedp.WSURLReadTimeout(2*time.Minute))...)
	tab, stopTab := chromedp.NewContext(alloc)
	stop := func() { stopTab(); stopAlloc() }
	if err := chromedp.Do(tab); err != nil {
		stop()
		return nil, nil, fmt.Errorf("start chromium: %w", err)
	}
	return &Browser{tab, string(axe)}, stop, nil
}

// Context is what chromedp's own actions work with.
func (b *Browser) Context() context.Context { return b.ctx }

// Report is what was found on one page in one view.
type Report struct {
	Violations []string // of axe, one line each; also what it could not decide about contrast
	Overflow   int      // CSS pixels by which the page is wider than the window
	Picture    []byte   // of the whole page, PNG
}

// Err is all that is wrong, or nil.
func (r Report) Err() error {
	var errs []error
	for _, v := range r.Violations {
		errs = append(errs, errors.New(v))
	}
	if r.Overflow > 0 {
		errs = append(errs, fmt.Errorf("the page is %d px wider than the window", r.Overflow))
	}
	return errors.Join(errs...)
}

// Set makes the browser show pages as v wants them.
func (b *Browser) Set(v View) error {
	scheme := "light"
	if v.Dark {
		scheme = "dark"
	}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}}); err != nil {
		return fmt.Errorf("set shade: %w", err)
	}
	if err := chromedp.Do(b.ctx, chromedp.EmulateViewport(v.Width, 900)); err != nil {
		return fmt.Errorf("set width: %w", err)
	}
	return nil
}

// Go opens an address and waits until the page is there. A page that is not
// answered with 200 is an error.
func (b *Browser) Go(address string) error {
	resp, err := chromedp.RunResponse(b.ctx, chromedp.Navigate(address))
	if err != nil {
		return fmt.Errorf("open %s: %w", address, err)
	}
	if resp.Status != 200 {
		return fmt.Errorf("open %s: answered with %d", address, int(resp.Status))
	}
	return nil
}

// Look judges the page that is open.
func (b *Browser) Look() (r Report, err error) {
	if r.Overflow, err = chromedp.Run(b.ctx, chromedp.Evaluate[int](
		`Math.max(document.documentElement.scrollWidth, document.body.scrollWidth) - document.documentElement.clientWidth`)); err != nil {
		return r, fmt.Errorf("measure page: %w", err)
	}
	if _, err = chromedp.Run(b.ctx, chromedp.Evaluate[bool](b.axe+"\n;true")); err != nil {
		return r, fmt.Errorf("load axe: %w", err)
	}
	raw, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](axeRun, chromedp.EvalAwaitPromise))
	if err != nil {
		return r, fmt.Errorf("run axe: %w", err)
	}
	var found struct {
		Passes   int
		Problems []struct {
			ID, Help string
			Where    []string
		}
	}
	if err := json.Unmarshal([]byte(raw), &found); err != nil {
		return r, fmt.Errorf("read axe's answer: %w", err)
	}
	if found.Passes == 0 {
		return r, errors.New("run axe: it has looked at nothing")
	}
	for _, p := range found.Problems {
		r.Violations = append(r.Violations, fmt.Sprintf("axe %s: %s: %s", p.ID, p.Help, strings.Join(p.Where, " | ")))
	}
	r.Picture, err = chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	return r, err
}

// axeRun lists the violations of every rule that axe has, and contrast that it
// could not measure: that is ours to make measurable.
const axeRun = `axe.run(document, {resultTypes: ["violations", "incomplete"]}).then(r => JSON.stringify({
  passes: r.passes.length,
  problems: r.violations.concat(r.incomplete.filter(i => i.id === "color-contrast")).map(v => ({
    id: v.id, help: v.help, where: v.nodes.slice(0, 5).map(n => n.target.join(" ") + " " + n.html.slice(0, 160))}))}))`
