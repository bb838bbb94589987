// Package consentview is the question's window: what it shows, when an answer
// counts, and how it is told to the service.
//
// It does not import the toolkit's application package: whoever runs it brings
// the application. The one rule that must not be broken: nothing here answers
// for the person. Silence, a lost service, a window that cannot be seen and
// every failure end without a yes.
package consentview

import (
	"maps"
	"slices"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"

	"aval/agent/event"
	"aval/agent/ipc"
	"aval/assets"
	"aval/ui/control"
	avaltheme "aval/ui/theme"
	"aval/ui/viewmodel"
)

// Width of the window in units that are one pixel at a scale of 1.
const Width float32 = 480

const (
	margin    float32 = 24
	inner             = Width - 2*margin
	columnGap float32 = 12
	ticksWide float32 = 254
	notsWide          = inner - columnGap - ticksWide
	// The ring of a focused button stands in the margin, so that its face ends where the text does.
	pushGap  float32 = 4
	pushWide         = (inner + 2*pushRing - pushGap) / 2
)

// Answer is what the person answered.
type Answer struct {
	Allow  bool
	Groups []event.Group // ticked, in the order of the question; only with Allow
	// ForMinutes is the question's AllowMinutes where the person chose it; else 0.
	ForMinutes int
	// Locale and TextSHA256 are of the text that was on the screen.
	Locale     string
	TextSHA256 string
	// Later: neither yes nor no; only the question after leaving can be put off.
	Later bool
	// Press is where it was given; nil: by closing the window, or with Esc. The
	// window's id is filled in by who has the window.
	Press *ipc.Press
}

// Options of a View.
type Options struct {
	Question ipc.Question
	Locale   string           // the person's own, BCP 47 or POSIX
	Last     bool             // there is no native dialog to ask in what cannot be drawn here
	Now      func() time.Time // the clock
	// OnView shows what was recorded, for the question after leaving.
	OnView func()
	// OnAnswer is called on the toolkit's goroutine: once, and again only after
	// NotCounted.
	OnAnswer func(Answer)
}

// View is the content of the window. Its methods must be called on the
// toolkit's goroutine; it has no goroutine and no timer of its own.
type View struct {
	o       Options
	opened  time.Time     // the time since the connection is counted from it
	first   viewmodel.Ask // in the language that it opens with
	current viewmodel.Ask
	cat     *assets.Catalog // of current

	arming   viewmodel.Arming
	seen     bool // has been in sight once
	deadline time.Time
	done     bool
	remote   bool // an answer did not count because no hand here gave it

	ready    bool // as drawn
	ticked   map[event.Group]bool
	further  bool // the answer is to hold for further sessions
	unfolded bool

	root   *fyne.Container
	height float32 // of the content; in another language it may be scrolled
	tight  bool    // the title is scrolled with the text
	needs  float32 // height with nothing scrolled, in the current language

	scroll      *container.Scroll
	ticks       []*tick
	last        *tick // lets the answer hold for further sessions; nil: not offered
	deny, allow *push
	hint, left  *block
	time        *bar
	details     *fyne.Container
	more        *link
	language    *link
	menu        *menu // of languages; nil while it is folded
}

// New composes the view of a question. Until Seen and SetDeadline were called,
// no answer counts. Its errors wrap ErrCannotShow: the text cannot be drawn.
func New(o Options) (*View, error) {
	v := &View{o: o, opened: o.Now(), ticked: map[event.Group]bool{}}
	var err error
	if v.cat, err = speak(o.Question, o.Locale, o.Last); err != nil {
		return nil, err
	}
	if v.first, err = composition(o.Question, v.cat, v.opened); err != nil {
		return nil, err
	}
	v.current = v.first
	for _, g := range v.ask().Groups {
		v.ticked[g.Group] = true
	}
	v.root = &fyne.Container{}
	v.compose()
	v.height = v.needs
	return v, nil
}

func (v *View) ask() viewmodel.Ask { return v.current }

// Ask is what the view says now.
func (v *View) Ask() viewmodel.Ask { return v.ask() }

// Content is what the window holds.
func (v *View) Content() fyne.CanvasObject { return v.root }

// Size of the content, the same for as long as the view lives.
func (v *View) Size() fyne.Size { return fyne.NewSize(Width, v.height) }

// Fit makes the content at most as high as room, in units. What does not fit is
// scrolled: all but the title, the buttons and the time, and where even that
// leaves hardly anything, the title too.
func (v *View) Fit(room float32) {
	const least = 150 // of the text, to be read without hunting for it
	chrome := v.root.MinSize().Height - control.MinTarget
	if room < v.height && room-chrome < least && !v.tight {
		v.tight = true
		v.compose()
	}
	v.height = max(v.root.MinSize().Height, min(v.height, room))
}

// compose builds the content in the current language.
func (v *View) compose() {
	a := v.ask()
	armed := func() bool { return v.counts() }

	icon := canvas.NewImageFromResource(fyne.NewStaticResource("aval-64.png", assets.Icon(64)))
	icon.FillMode = canvas.ImageFillContain
	icon.SetMinSize(fyne.NewSize(28, 28))
	language := newLink(shortName(a.Locale), armed, v.unfoldLanguages, v.Key)
	language.arrow, language.name = 1, a.Language
	v.language, v.menu = language, nil
	titleWide := inner - 28 - 12 - language.MinSize().Width + linkSide - 8
	title := newBlock(a.Title, titleWide, inkText).bold().sized(avaltheme.Title)
	headLeft := container.New(row{gap: 12, middle: true}, icon, title)
	head, headColumn := newColumn(inner)
	headColumn.add(head, 8, container.New(ends{width: inner, over: linkSide}, headLeft, language))
	headColumn.add(head, 6, newPlain(inkLine, inner, 1))

	body := v.body(a)
	v.needs = head.MinSize().Height + body.MinSize().Height
	if v.tight {
		whole, wholeColumn := newColumn(inner)
		wholeColumn.add(whole, 0, head)
		wholeColumn.add(whole, 0, body)
		body, head = whole, &fyne.Container{Layout: row{}}
	}
	// Room for the scroll bar is in the margin, so that the text keeps its width.
	v.scroll = container.NewVScroll(container.New(inset{left: margin}, body))
	v.scroll.SetMinSize(fyne.NewSize(Width, control.MinTarget))

	foot, footColumn := newColumn(inner)
	v.hint = newBlock("", inner, inkMuted)
	v.hint.align = fyne.TextAlignCenter
	v.hint.reserve(a.Arming, a.Covered, a.NoGroups, a.Remote)
	v.deny = newPush(a.Deny, pushWide, armed, func() { v.answer(Answer{Press: pressed(v.deny)}) }, v.Key)
	v.allow = newPush(a.Allow, pushWide, armed, v.agree, v.Key)
	v.time = newBar(inner)
	v.left = newBlock("", inner, inkText)
	v.left.align = fyne.TextAlignCenter
	v.left.reserve(a.Countdown(a.AnswerFor), a.Countdown(99*time.Second))
	footColumn.add(foot, 0, newPlain(inkLine, inner, 1))
	footColumn.add(foot, 2, v.hint)
	footColumn.add(foot, 0, container.New(bleed{pushRing}, container.New(ends{width: inner + 2*pushRing}, v.deny, v.allow)))
	if !a.Leave {
		footColumn.add(foot, 5, v.time)
	}
	footColumn.add(foot, 4, v.left)
	footColumn.add(foot, 8, newPlain(inkGround, inner, 0))

	v.root.Layout = frame{}
	v.root.Objects = []fyne.CanvasObject{head, v.scroll, foot}
	v.needs += foot.MinSize().Height
	v.draw(v.o.Now())
	v.root.Refresh()
}

// body is what stands between the title and the buttons.
func (v *View) body(a viewmodel.Ask) *fyne.Container {
	body, col := newColumn(inner)
	text := func(gap float32, s string, ink ink) *block {
		b := newBlock(s, inner, ink)
		if s != "" {
			col.add(body, gap, b)
		}
		return b
	}
	text(6, a.Who, inkText).bold()
	if a.Leave {
		text(2, a.Since, inkMuted)
		for _, p := range a.Purposes {
			text(10, p, inkText)
		}
		view := newLink(a.More, func() bool { return v.counts() && v.o.OnView != nil }, func() { v.o.OnView() }, v.Key)
		v.more, v.details, v.ticks = view, &fyne.Container{}, nil
		col.add(body, 8, container.New(ends{width: inner, over: linkSide}, newBlock(a.Stop, inner-8-view.MinSize().Width, inkMuted), view))
		return body
	}
	vouched := inkWarn
	if a.Verified {
		vouched = inkGood
	}
	col.add(body, 2, container.New(row{}, newShield(a.Verified), newBlock(a.Vouch, inner-signWide, vouched)))
	since := newBlock(a.Since, 0, inkMuted)
	since.width = avaltheme.Measure(a.Since, since.size, since.style).Width
	if rest := inner - since.width - 16; a.Since != "" && avaltheme.Measure(a.Via, avaltheme.Text, fyne.TextStyle{}).Width <= rest {
		col.add(body, 2, container.New(ends{width: inner, top: true}, newBlock(a.Via, rest, inkMuted), since))
	} else {
		text(2, a.Via, inkMuted)
		text(0, a.Since, inkMuted)
	}
	for i, p := range a.Purposes {
		text(gapFirst(i, 8, 4), p, inkText)
	}

	v.ticks = nil
	left, leftColumn := newColumn(ticksWide)
	leftColumn.add(left, 0, newBlock(a.RecordedHead, ticksWide, inkText).bold())
	for _, g := range a.Groups {
		t := newTick(g.Text, ticksWide, func() bool { return v.counts() }, nil, v.Key)
		t.on = v.ticked[g.Group]
		t.act = func() {
			v.ticked[g.Group] = !v.ticked[g.Group]
			t.on = v.ticked[g.Group]
			t.Refresh()
			v.draw(v.o.Now())
		}
		t.shown = func() { v.reveal(t) }
		v.ticks = append(v.ticks, t)
		leftColumn.add(left, 0, t)
	}
	right, rightColumn := newColumn(notsWide)
	rightColumn.add(right, 0, newBlock(a.NotRecordedHead, notsWide, inkText).bold())
	for i, n := range a.NotRecorded {
		line := container.New(row{}, newCross(), newBlock(n, notsWide-signWide, inkText))
		rightColumn.add(right, gapFirst(i, 8, 10), line)
	}
	col.add(body, 8, container.New(ends{width: inner, top: true}, left, right))
	text(6, a.Footnote, inkMuted)

	for i, r := range a.Readers {
		text(gapFirst(i, 8, 1), r, inkText)
	}
	if a.Further != "" {
		t := newTick(a.Further, inner, func() bool { return v.counts() }, nil, v.Key)
		t.on = v.further
		t.act = func() {
			v.further = !v.further
			t.on = v.further
			t.Refresh()
		}
		t.shown = func() { v.reveal(t) }
		v.last = t
		col.add(body, 2, t)
	}
	text(2, a.IfNot, inkText)

	v.more = newLink(a.More, func() bool { return v.counts() }, v.fold, v.Key)
	v.more.arrow = 1
	v.more.shown = func() { v.reveal(v.more) }
	stop := newBlock(a.Stop, inner-8-moreWide(a), inkText)
	col.add(body, 0, container.New(ends{width: inner, over: linkSide}, stop, v.more))
	var detailColumn *column
	v.details, detailColumn = newColumn(inner)
	for i, d := range a.Details {
		detailColumn.add(v.details, gapFirst(i, 0, 8), newBlock(d, inner, inkText))
	}
	detailColumn.add(v.details, 12, newPlain(inkGround, inner, 0))
	col.add(body, 0, v.details)
	v.drawFold()
	return body
}

// moreWide is the width of the link that unfolds the details, with either text.
func moreWide(a viewmodel.Ask) float32 {
	wide := float32(0)
	for _, label := range []string{a.More, a.Less} {
		l := newLink(label, nil, nil, nil)
		l.arrow = 1
		wide = max(wide, l.MinSize().Width)
	}
	return wide
}

func gapFirst(i int, first, others float32) float32 {
	if i == 0 {
		return first
	}
	return others
}

// fold shows or hides the details. The window keeps its size, so that the
// buttons stay where they are; the text is scrolled to the details.
func (v *View) fold() {
	v.unfolded = !v.unfolded
	v.drawFold()
	v.scroll.Content.Refresh()
	v.scroll.Refresh()
	if v.unfolded {
		v.scroll.ScrollToBottom()
	} else {
		v.scroll.ScrollToTop()
	}
}

func (v *View) drawFold() {
	v.more.label, v.more.arrow = v.ask().More, 1
	v.details.Hide()
	if v.unfolded {
		v.more.label, v.more.arrow = v.ask().Less, -1
		v.details.Show()
	}
	v.more.Refresh()
}

// reveal scrolls until o, somewhere in the scrolled part, can be seen whole.
func (v *View) reveal(o fyne.CanvasObject) {
	d := fyne.CurrentApp().Driver()
	y := d.AbsolutePositionForObject(o).Y - d.AbsolutePositionForObject(v.scroll).Y
	switch over := y + o.Size().Height - v.scroll.Size().Height; {
	case y < 0:
		v.scroll.Offset.Y += y
	case over > 0:
		v.scroll.Offset.Y += over
	default:
		return
	}
	v.scroll.Refresh()
}

// Key handles a key that is for no widget: Esc refuses, the arrows scroll.
func (v *View) Key(e *fyne.KeyEvent) {
	step := float32(0)
	switch e.Name {
	case fyne.KeyEscape:
		if v.menu != nil {
			v.foldLanguages()
		} else if v.counts() {
			v.refuse()
		}
	case fyne.KeyUp:
		step = 40
	case fyne.KeyDown:
		step = -40
	case fyne.KeyPageUp:
		step = v.scroll.Size().Height
	case fyne.KeyPageDown:
		step = -v.scroll.Size().Height
	}
	if step != 0 {
		v.scroll.Scrolled(&fyne.ScrollEvent{Scrolled: fyne.NewDelta(0, step)})
	}
}

// Seen: the window came into sight, painted.
func (v *View) Seen() {
	v.seen = true
	v.arming = v.arming.Seen(v.o.Now())
	v.draw(v.o.Now())
}

// Covered: another window came in front, or the window left the screen.
func (v *View) Covered() {
	v.arming = v.arming.Covered()
	v.draw(v.o.Now())
}

// Disturbed: the window was moved or lost the focus.
func (v *View) Disturbed() {
	v.arming = v.arming.Disturbed(v.o.Now())
	v.draw(v.o.Now())
}

// SetDeadline: the service knows that the question is shown, and takes an
// answer until t.
func (v *View) SetDeadline(t time.Time) {
	v.deadline = t
	v.draw(v.o.Now())
}

// Tick draws what changed with time, and tells whether the time for an answer
// is over. Call it a few times a second.
func (v *View) Tick() (over bool) {
	now := v.o.Now()
	v.draw(now)
	return v.over(now)
}

// Close: the window is closed, which is a refusal. It counts always: somebody
// who closes the window must not find that it stays.
func (v *View) Close() { v.answer(Answer{Later: v.ask().Leave}) }

func (v *View) over(now time.Time) bool { return !v.deadline.IsZero() && !now.Before(v.deadline) }

// counts tells whether an answer given now counts.
func (v *View) counts() bool {
	now := v.o.Now()
	return !v.done && !v.deadline.IsZero() && !v.over(now) && v.arming.Ready(now)
}

func (v *View) groups() []event.Group {
	var groups []event.Group
	for _, g := range v.ask().Groups {
		if v.ticked[g.Group] {
			groups = append(groups, g.Group)
		}
	}
	return groups
}

// refuse is what Esc does.
func (v *View) refuse() { v.Close() }

func (v *View) agree() {
	if groups := v.groups(); len(groups) > 0 {
		a := Answer{Allow: true, Groups: groups, Press: pressed(v.allow)}
		if v.further {
			a.ForMinutes = v.o.Question.AllowMinutes
		}
		v.answer(a)
	}
}

// pressed is where a button has just been pressed.
func pressed(p *push) *ipc.Press {
	if p.byKey {
		return &ipc.Press{Key: true}
	}
	d := fyne.CurrentApp().Driver()
	c := d.CanvasForObject(p)
	if c == nil {
		return nil
	}
	at, size, scale := d.AbsolutePositionForObject(p), p.Size(), c.Scale()
	return &ipc.Press{X: int(at.X * scale), Y: int(at.Y * scale), Width: int(size.Width * scale), Height: int(size.Height * scale)}
}

// NotCounted: the answer did not count, and the question is still open. remote:
// because no hand at this computer is known to have given it; otherwise because
// the window had not been in sight for long enough.
func (v *View) NotCounted(remote bool) {
	v.done = false
	v.remote = v.remote || remote
	v.arming = v.arming.Disturbed(v.o.Now())
	v.draw(v.o.Now())
}

func (v *View) answer(a Answer) {
	if v.done {
		return
	}
	v.done = true
	a.Locale, a.TextSHA256 = v.ask().Locale, v.ask().WindowSHA256()
	v.draw(v.o.Now())
	v.o.OnAnswer(a)
}

// draw brings buttons, hint and time up to date.
func (v *View) draw(now time.Time) {
	a := v.ask()
	ready := v.counts()
	nothing := !slices.Contains(slices.Collect(maps.Values(v.ticked)), true)
	if ready && !v.ready {
		// What got the focus while nothing counted keeps it not: a key that is on
		// its way must not find a button.
		if c := fyne.CurrentApp().Driver().CanvasForObject(v.deny); c != nil {
			c.Unfocus()
		}
	}
	if ready != v.ready || v.allow.off != nothing {
		v.ready = ready
		v.allow.setOff(nothing)
		v.deny.Refresh()
	}

	hint, ink := "", inkMuted
	switch {
	case v.done || v.over(now):
	case v.seen && v.arming.Left(now) < 0:
		hint = a.Covered
	case v.remote:
		hint, ink = a.Remote, inkWarn
	case !ready:
		hint = a.Arming
	case nothing:
		hint = a.NoGroups
	}
	v.say(v.hint, hint, ink)

	left := a.AnswerFor
	if !v.deadline.IsZero() {
		left = min(left, max(0, v.deadline.Sub(now)))
	}
	v.say(v.left, a.Countdown(left), inkText)
	if a.AnswerFor > 0 {
		v.time.set(float32(left) / float32(a.AnswerFor))
	}
}

func (v *View) say(b *block, text string, ink ink) {
	if b.text != text {
		b.set(text, ink)
	}
}
