package consentview

import (
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"

	"aval/assets"
	avaltheme "aval/ui/theme"
)

// menu is the list of languages, unfolded over the text.
type menu struct {
	over    *fyne.Container
	entries []*link
}

// shortName is a language as it is called where there is little room: PT, DE, ZH.
func shortName(lang string) string {
	base, _, _ := strings.Cut(lang, "-")
	return strings.ToUpper(base)
}

// unfoldLanguages shows the languages that can be chosen, or hides them again.
// Which they are is found out only now: it takes fonts that nobody else needs.
func (v *View) unfoldLanguages() {
	if v.menu != nil {
		v.foldLanguages()
		return
	}
	m := &menu{}
	armed := func() bool { return v.counts() }
	list, width := []fyne.CanvasObject(nil), float32(0)
	for i, cat := range offered(v.o.Question, v.cat) {
		entry := newLink(languageName(cat), armed, func() { v.choose(cat) }, func(e *fyne.KeyEvent) { v.walk(i, e) })
		m.entries, list = append(m.entries, entry), append(list, entry)
		width = max(width, entry.MinSize().Width)
	}
	const pad = 8
	column, lines := newColumn(width)
	for _, entry := range list {
		lines.add(column, 0, entry)
	}
	scroll := container.NewVScroll(container.New(inset{left: pad}, column))
	scroll.SetMinSize(fyne.NewSize(width+3*pad, column.MinSize().Height))
	for _, entry := range m.entries {
		entry.shown = func() {
			y, high := entry.Position().Y, scroll.Size().Height
			if y < scroll.Offset.Y || y+entry.Size().Height > scroll.Offset.Y+high {
				scroll.ScrollToOffset(fyne.NewPos(0, max(0, y+entry.Size().Height-high)))
			}
		}
	}
	sheet := canvas.NewRectangle(avaltheme.Current().Surface)
	sheet.CornerRadius, sheet.StrokeWidth, sheet.StrokeColor = 6, 1, avaltheme.Current().Edge
	m.over = container.NewStack(sheet, container.NewPadded(scroll))
	v.menu = m
	v.root.Objects = append(v.root.Objects[:3:3], m.over)
	v.root.Refresh()
	v.focusEntry(0)
}

func (v *View) foldLanguages() {
	v.menu = nil
	v.root.Objects = v.root.Objects[:3:3]
	v.root.Refresh()
	if c := fyne.CurrentApp().Driver().CanvasForObject(v.language); c != nil {
		c.Focus(v.language)
	}
}

// walk handles a key in the menu: the arrows go through it, Esc leaves it.
func (v *View) walk(i int, e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeyDown:
		v.focusEntry(i + 1)
	case fyne.KeyUp:
		v.focusEntry(i - 1)
	default:
		v.Key(e)
	}
}

func (v *View) focusEntry(i int) {
	if v.menu == nil || i < 0 || i >= len(v.menu.entries) {
		return
	}
	if c := fyne.CurrentApp().Driver().CanvasForObject(v.language); c != nil {
		c.Focus(v.menu.entries[i])
	}
}

// choose shows the question in another language. Where that fails it stays as it is.
func (v *View) choose(cat *assets.Catalog) {
	if avaltheme.Speak(cat) != nil {
		return
	}
	a, err := composition(v.o.Question, cat, v.opened)
	if err != nil {
		_ = avaltheme.Speak(v.cat) // which it did before
		return
	}
	v.cat, v.current = cat, a
	v.compose()
	if c := fyne.CurrentApp().Driver().CanvasForObject(v.deny); c != nil {
		c.Focus(v.language)
	}
}
