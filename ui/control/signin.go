package control

import (
	"context"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/widget"

	"aval/agent/ipc"
	"aval/assets"
	"aval/ui/theme"
	"aval/ui/viewmodel"
)

// signOutWithin bounds signing out; signing in waits for a person.
const signOutWithin = 10 * time.Second

// Accounts has the service sign the person in and out; any goroutine may call it.
type Accounts interface {
	// SignIn calls code once, from any goroutine, with what the person enters at the
	// server, and returns when they have approved. The end of ctx gives up.
	SignIn(ctx context.Context, server string, code func(ipc.SignInCode)) (ipc.SignInResult, error)
	SignOut(ctx context.Context) error
}

// SignIn is the place where a person signs in to their account of a company: a
// field for the server, then the code that they enter there, large, while it is
// waited for them; or, where they are signed in, the way out.
type SignIn struct {
	// Said is called when what it shows has changed, Done when somebody was signed in
	// or out, and Reveal with what got the keyboard's focus; all may be nil.
	Said   func()
	Done   func()
	Reveal func(fyne.CanvasObject)

	cat      *assets.Catalog
	zone     *time.Location
	accounts Accounts
	giveUp   context.CancelFunc // nil: nothing is waited for

	in   bool // somebody is signed in
	here bool // what was said is about the change that Set will see

	root, form, wait  *fyne.Container
	way               *fyne.Container
	entry             *field
	press, leave, end *Button
	enter, until      *Paragraph
	code              *canvas.Text
	said              *Paragraph
	// work runs ask away from the window's goroutine, then show on it; do runs on it.
	work func(ask, show func())
	do   func(func())
}

// NewSignIn makes one; server stands in the field already. Set fills it.
func NewSignIn(cat *assets.Catalog, zone *time.Location, accounts Accounts, server string) *SignIn {
	s := &SignIn{cat: cat, zone: zone, accounts: accounts, entry: newField(), said: NewParagraph(""), enter: NewParagraph(""), until: NewParagraph(""),
		work: func(ask, show func()) {
			go func() {
				ask()
				fyne.Do(show)
			}()
		}, do: fyne.Do}
	head := NewParagraph(cat.T("settings.account.head", nil))
	head.TextStyle.Bold = true
	what := NewParagraph(cat.T("settings.account.what", nil))
	what.Importance = widget.LowImportance
	s.entry.SetPlaceHolder(cat.T("settings.account.hint", nil))
	s.entry.SetText(server)
	s.entry.OnSubmitted = func(string) { s.Submit() }
	s.press = NewButton(cat.T("settings.account.go", nil), nil, s.Submit)
	s.form = container.NewVBox(head, container.NewBorder(nil, nil, nil, s.press, s.entry), what)

	s.code = canvas.NewText("", theme.Current().Text)
	s.code.TextSize, s.code.TextStyle, s.code.Alignment = 34, fyne.TextStyle{Bold: true}, fyne.TextAlignCenter
	s.until.Importance = widget.LowImportance
	s.end = NewButton(cat.T("settings.account.cancel", nil), nil, s.Cancel)
	s.wait = container.NewVBox(s.enter, container.NewPadded(s.code), container.NewBorder(nil, nil, nil, container.NewCenter(s.end), s.until))

	s.leave = NewButton(cat.T("settings.account.out", nil), nil, s.out)
	for _, b := range []*Button{s.press, s.end, s.leave} {
		b.Focused = func() { s.reveal(b) }
	}
	s.entry.focused = func() { s.reveal(s.entry) }
	s.said.Hide()
	s.wait.Hide()
	s.way = container.New(layout.NewCustomPaddedLayout(0, 8, 8, 8), container.NewHBox(s.leave))
	s.way.Hide()
	s.root = container.NewVBox(s.form, s.wait, s.said)
	s.root.Hide()
	return s
}

// Content is what a window shows of it, and Way the way out, which stands where the
// window says who is signed in.
func (s *SignIn) Content() fyne.CanvasObject { return s.root }

// Way is the way out.
func (s *SignIn) Way() fyne.CanvasObject { return s.way }

// Set shows what can be done: sign out of the account, sign in where no company
// is known, or nothing.
func (s *SignIn) Set(account, company string) {
	in, none := account != "", company == ""
	if in != s.in && !s.here { // what was said before is over
		s.said.SetText("")
		s.said.Hide()
	}
	s.in, s.here = in, s.here && in == s.in
	show(s.way, in)
	show(s.form, none && s.giveUp == nil)
	show(s.root, in || none || s.said.Visible())
	s.root.Refresh()
}

func show(o fyne.CanvasObject, yes bool) {
	if yes {
		o.Show()
	} else {
		o.Hide()
	}
}

// Submit asks the server for a code, and waits. Once at a time.
func (s *SignIn) Submit() {
	server := strings.TrimSpace(s.entry.Text)
	if s.giveUp != nil || server == "" {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.giveUp = cancel
	s.form.Hide()
	s.enter.SetText(s.cat.T("settings.account.busy", nil))
	s.code.Text = ""
	s.until.SetText("")
	s.wait.Show()
	s.say("")
	s.focus(s.end)
	var r ipc.SignInResult
	var err error
	s.work(func() {
		r, err = s.accounts.SignIn(ctx, server, func(c ipc.SignInCode) { s.do(func() { s.show(ctx, c) }) })
	}, func() {
		given := ctx.Err() != nil
		cancel()
		s.giveUp = nil
		s.wait.Hide()
		if err != nil {
			s.form.Show()
			s.focus(s.press)
		}
		s.here = err == nil
		s.say(viewmodel.SignedIn(s.cat, r, err, given))
		if err == nil && s.Done != nil {
			s.Done()
		}
	})
}

// show shows the code, unless it has been given up.
func (s *SignIn) show(ctx context.Context, c ipc.SignInCode) {
	if ctx.Err() != nil {
		return
	}
	s.enter.SetText(s.cat.T("settings.account.enter", assets.Args{"url": viewmodel.Clean(c.URL, 200)}))
	s.code.Text = viewmodel.Clean(c.Code, 20)
	s.until.SetText(s.cat.T("settings.account.waiting", assets.Args{"time": c.Expires.In(s.zone).Format("15:04")}))
	s.changed()
}

// Cancel gives up what is waited for.
func (s *SignIn) Cancel() {
	if s.giveUp != nil {
		s.giveUp()
	}
}

// out signs the person out.
func (s *SignIn) out() {
	s.leave.Disable()
	var err error
	s.work(func() {
		ctx, cancel := context.WithTimeout(context.Background(), signOutWithin)
		defer cancel()
		err = s.accounts.SignOut(ctx)
	}, func() {
		s.leave.Enable()
		text := s.cat.T("settings.account.left", nil)
		if err != nil {
			text = s.cat.T("settings.account.failed", nil)
		}
		s.here = err == nil
		s.say(text)
		if err == nil && s.Done != nil {
			s.Done()
		}
	})
}

func (s *SignIn) say(text string) {
	s.said.SetText(text)
	show(s.said, text != "")
	s.changed()
}

func (s *SignIn) changed() {
	s.root.Refresh()
	if s.Said != nil {
		s.Said()
	}
}

func (s *SignIn) reveal(o fyne.CanvasObject) {
	if s.Reveal != nil {
		s.Reveal(o)
	}
}

// focus brings the keyboard to where it goes on, if it was here.
func (s *SignIn) focus(to fyne.Focusable) {
	c := fyne.CurrentApp().Driver().CanvasForObject(s.root)
	if c == nil {
		return
	}
	switch c.Focused() {
	case fyne.Focusable(s.entry), fyne.Focusable(s.press), fyne.Focusable(s.end), nil:
		c.Focus(to)
	}
}
