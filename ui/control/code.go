package control

import (
	"context"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"

	"aval/agent/ipc"
	"aval/assets"
	"aval/ui/viewmodel"
)

// joinWithin bounds the way of a code to its server and back.
const joinWithin = time.Minute

// Join has the service redeem a session code; any goroutine may call it.
type Join func(ctx context.Context, code string) (ipc.SessionBeginResult, error)

// Code is the place where a person enters a code that the support gave: a field,
// a button, and beneath them what became of it.
type Code struct {
	// Said is called when what stands beneath has changed, and Reveal with what
	// got the keyboard's focus, to bring it into sight; both may be nil.
	Said   func()
	Reveal func(fyne.CanvasObject)

	cat   *assets.Catalog
	join  Join
	root  *fyne.Container
	entry *field
	press *Button
	said  *Paragraph
	busy  bool
	// work runs ask away from the window's goroutine, then show on it.
	work func(ask, show func())
}

// NewCode makes one; code stands in the field already, and nothing is done with
// it before the person presses the button or Enter.
func NewCode(cat *assets.Catalog, join Join, code string) *Code {
	c := &Code{cat: cat, join: join, entry: newField(), said: NewParagraph(""), work: func(ask, show func()) {
		go func() {
			ask()
			fyne.Do(show)
		}()
	}}
	head := NewHead(cat.T("app.code.head", nil))
	what := NewParagraph(cat.T("app.code.what", nil))
	what.Importance = widget.LowImportance
	c.entry.SetPlaceHolder(cat.T("app.code.hint", nil))
	c.entry.SetText(code)
	c.entry.OnSubmitted = func(string) { c.Submit() }
	c.press = NewButton(cat.T("app.code.go", nil), nil, c.Submit)
	c.entry.focused, c.press.Focused = func() { c.reveal(c.entry) }, func() { c.reveal(c.press) }
	c.said.Hide()
	c.root = container.NewVBox(head, container.NewBorder(nil, nil, nil, c.press, c.entry), c.said, what)
	return c
}

func (c *Code) reveal(o fyne.CanvasObject) {
	if c.Reveal != nil {
		c.Reveal(o)
	}
}

// field is the toolkit's, and says when it gets the focus.
type field struct {
	widget.Entry
	focused func()
}

func newField() *field {
	f := &field{}
	f.ExtendBaseWidget(f)
	return f
}

// FocusGained implements fyne.Focusable.
func (f *field) FocusGained() {
	f.Entry.FocusGained()
	if f.focused != nil {
		f.focused()
	}
}

// Content is what a window shows of it.
func (c *Code) Content() fyne.CanvasObject { return c.root }

// First is where the keyboard goes: to the button where a code stands already.
func (c *Code) First() fyne.Focusable {
	if c.entry.Text != "" {
		return c.press
	}
	return c.entry
}

// Submit has the code redeemed, once at a time.
func (c *Code) Submit() {
	code := strings.TrimSpace(c.entry.Text)
	if c.busy || code == "" {
		return
	}
	c.busy = true
	c.press.Disable()
	c.say(c.cat.T("app.code.busy", nil))
	var r ipc.SessionBeginResult
	var err error
	c.work(func() {
		ctx, cancel := context.WithTimeout(context.Background(), joinWithin)
		defer cancel()
		r, err = c.join(ctx, code)
	}, func() {
		c.busy = false
		c.press.Enable()
		text, done := viewmodel.Joined(c.cat, r, err)
		if done { // it is of no more use, and nobody else is to read it
			c.entry.SetText("")
		}
		c.say(text)
	})
}

func (c *Code) say(text string) {
	c.said.SetText(text)
	c.said.Show()
	c.root.Refresh()
	if c.Said != nil {
		c.Said()
	}
}
