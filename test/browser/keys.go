package browser

import (
	"encoding/json"
	"fmt"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// stops numbers everything on the page that a keyboard must reach: a group of
// radio buttons is one stop, what is folded away or switched off is none.
const stops = `(() => {
  const seen = new Set(); let n = 0;
  for (const e of document.querySelectorAll('a[href],button,input,select,textarea,summary,[tabindex]')) {
    if (e.disabled || e.type === 'hidden' || e.tabIndex < 0 || !e.checkVisibility({visibilityProperty: true})) continue;
    if (e.type === 'radio') { const k = (e.form ? [...document.forms].indexOf(e.form) : -1) + ':' + e.name; if (seen.has(k)) { continue } seen.add(k); e.dataset.group = k }
    e.dataset.stop = n++;
  }
  return n })()`

// stop tells where the focus is and whether an eye finds it there: on the screen,
// not clipped away, not covered, with an outline.
const stop = `(() => { const e = document.activeElement;
  if (!e || e === document.body) return JSON.stringify({at: -1});
  let at = e.dataset.stop;
  if (at === undefined && e.type === 'radio') { const k = (e.form ? [...document.forms].indexOf(e.form) : -1) + ':' + e.name;
    const first = document.querySelector('[data-group="' + k + '"]'); at = first ? first.dataset.stop : undefined }
  const s = getComputedStyle(e), r = e.getClientRects()[0] || e.getBoundingClientRect();
  const x = (Math.max(r.left, 0) + Math.min(r.right, innerWidth)) / 2, y = (Math.max(r.top, 0) + Math.min(r.bottom, innerHeight)) / 2;
  const hit = document.elementFromPoint(x, y);
  return JSON.stringify({at: at === undefined ? -2 : +at,
    what: e.outerHTML.slice(0, 120) + ' (outline ' + s.outlineStyle + ' ' + s.outlineWidth + ', at ' + Math.round(x) + ' ' + Math.round(y) + ' is ' + (hit ? hit.tagName + ' ' + hit.className : 'nothing') + ')',
    seen: s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2 && r.width > 0 && r.height > 0 &&
      r.right > 0 && r.left < innerWidth && r.bottom > 0 && r.top < innerHeight && !!hit && (e.contains(hit) || [...(e.labels || [])].some(l => l.contains(hit)))}) })()`

// Keys walks the open page with the Tab key alone: every link, button and field
// is reached once, and wherever the focus is, it is on the screen with an
// outline around it.
func (b *Browser) Keys() error {
	want, err := chromedp.Run(b.ctx, chromedp.Evaluate[int](stops))
	if err != nil {
		return fmt.Errorf("count what can be reached: %w", err)
	}
	// A date is four stops: its three parts and the calendar.
	dates, err := chromedp.Run(b.ctx, chromedp.Evaluate[int](`document.querySelectorAll('input[type=date]').length`))
	if err != nil {
		return fmt.Errorf("count dates: %w", err)
	}
	reached := map[int]bool{}
	for range want + 3 + 3*dates {
		if err := chromedp.Do(b.ctx, chromedp.KeyEvent(kb.Tab)); err != nil {
			return fmt.Errorf("press Tab: %w", err)
		}
		raw, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](stop))
		if err != nil {
			return fmt.Errorf("find the focus: %w", err)
		}
		var f struct {
			At   int
			What string
			Seen bool
		}
		if err := json.Unmarshal([]byte(raw), &f); err != nil {
			return err
		}
		switch {
		case f.At == -1:
			continue // out of the page, and in again at its top
		case f.At == -2:
			return fmt.Errorf("the focus is on what cannot be seen: %s", f.What)
		case !f.Seen:
			return fmt.Errorf("the focus is not to be seen on %s", f.What)
		}
		reached[f.At] = true
		if len(reached) == want {
			return nil
		}
	}
	return fmt.Errorf("the Tab key reaches %d of %d links, buttons and fields", len(reached), want)
}
