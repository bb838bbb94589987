package refusalview

import (
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"aval/agent/ipc"
	"aval/assets"
	"aval/ui/theme"
	"aval/ui/viewmodel"
)

// The window closes by its button, by Esc and by Enter, and fits a small screen in
// every language.
func TestRefusalWindow(t *testing.T) {
	test.NewTempApp(t).Settings().SetTheme(theme.Aval{})
	for _, lang := range assets.Langs() {
		closed := 0
		v := New(viewmodel.NewRefusal(assets.For(lang), ipc.WhyChanged, time.Time{}), func() { closed++ })
		w := test.NewTempWindow(t, v.Content())
		w.Resize(v.Size())
		test.Tap(v.close)
		v.Key(&fyne.KeyEvent{Name: fyne.KeyEscape})
		v.Key(&fyne.KeyEvent{Name: fyne.KeyReturn})
		v.Key(&fyne.KeyEvent{Name: fyne.KeySpace})
		if closed != 3 {
			t.Errorf("%s: closed %d times", lang, closed)
		}
		if s := v.Size(); s.Width > 1000 || s.Height > 560 {
			t.Errorf("%s: %v", lang, s)
		}
	}
}
