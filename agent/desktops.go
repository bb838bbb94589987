package agent

import (
	"cmp"
	"os"
	"slices"
	"strconv"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
	"aval/agent/prompt"
	"aval/agent/record"
	"aval/agent/session/watch"
)

// aliveWithin is how long capture goes on after the last sign of life of the
// desktop's helper; a dead one is noticed at once, by its connection.
const aliveWithin = 1900 * time.Millisecond

// desktop is one desktop session with its helper.
type desktop struct {
	id     string // logind session id, or the display
	uid    uint32
	conn   *ipc.Conn
	reg    ipc.DesktopRegister
	locked bool
	// noticing are the sessions whose notice the helper was told to show.
	noticing map[string]bool
	listed   bool // logind lists, or listed, its session

	// The indicator: what was sent, what is known to be visible.
	revision uint64
	visible  uint64 // last revision reported as visible
	hidden   bool   // the helper said that it cannot be seen
	alive    time.Time
	watchdog *time.Timer
	ended    []ipc.IndicatorSession // shown for a moment after their end

	// The window watcher.
	epoch uint64
	names []string // sessions whose grants it was started with

	// The hearing of presses: what was asked for last, and the questions about
	// single presses that wait for their answer.
	listening ipc.Listening
	hearing   map[string]chan<- ipc.Heard
}

var _ prompt.Desk = (*desktop)(nil)

// Open implements prompt.Desk.
func (d *desktop) Open(question string, rung prompt.Rung, nonce string) {
	d.conn.Push(ipc.PushPromptOpen, ipc.PromptOpen{Question: question, Rung: string(rung), Nonce: nonce})
}

// Close implements prompt.Desk.
func (d *desktop) Close(question string, outcome consent.Outcome) {
	d.conn.Push(ipc.PushPromptClose, ipc.PromptClose{Question: question, Outcome: outcome})
}

func (d *desktop) state() consent.Desktop {
	if d.locked {
		return consent.DesktopLocked
	}
	return consent.DesktopAvailable
}

// register makes the connection the helper of its desktop. A second helper for
// the same desktop takes the place of a first one of the same user only.
func (a *Agent) register(c *ipc.Conn, r ipc.DesktopRegister) (ipc.DesktopRegisterResult, error) {
	if err := a.barred(c); err != nil {
		return ipc.DesktopRegisterResult{}, err
	}
	r.Display = watch.Display(r.Display)
	if s := c.Peer().Session; s != "" { // the system says which one it is
		r.LogindID, r.Display = s, "session-"+s
	}
	id := r.Display
	uid := c.Peer().UID
	a.refreshGraphical()
	for _, s := range a.graphical { // what logind knows beats what the helper says
		if s.UID == uid && (s.ID == r.LogindID || (s.Display != "" && s.Display == r.Display)) {
			id = s.ID
		}
	}
	if id == "" {
		return ipc.DesktopRegisterResult{}, &ipc.Error{Code: ipc.CodeBadRequest, Message: "a desktop needs a display or a session id"}
	}
	if old, ok := a.desktops[id]; ok {
		if old.uid != uid {
			return ipc.DesktopRegisterResult{}, &ipc.Error{Code: ipc.CodeRefused, Message: "this desktop belongs to another user"}
		}
		if old.conn != c {
			a.lostDesktop(old)
			old.conn.Close()
		}
	}
	r.Offers = slices.DeleteFunc(slices.Clone(r.Offers), func(g event.Group) bool { return !slices.Contains(event.Groups, g) })
	d := &desktop{id: id, uid: uid, conn: c, reg: r, hearing: map[string]chan<- ipc.Heard{}, noticing: map[string]bool{}}
	a.desktops[id] = d
	a.rememberX11(d)
	a.followDesktops()
	a.log.Info("desktop registered", "desktop", id, "uid", uid)
	for _, l := range a.sessions {
		a.somebodyCame(l)
	}
	a.showIndicator(d)
	a.gateAll()
	if !d.locked {
		a.cameBack(d)
		a.notifyAll()
	}
	a.askHeld()
	a.reachSoon()
	return ipc.DesktopRegisterResult{Desktop: id}, nil
}

// kind is the type of the desktop's session, x11 or wayland: by logind, else by
// its helper.
func (a *Agent) kind(d *desktop) string {
	for _, s := range a.graphical {
		if a.helperOf(s) == d && (s.Type == "x11" || s.Type == "wayland") {
			return s.Type
		}
	}
	return d.reg.Type
}

// rememberX11 keeps what a desktop of X11 can deliver. It is only told by, never
// decided by: failing to keep it is logged.
func (a *Agent) rememberX11(d *desktop) {
	p := a.store.Prefs(d.uid)
	if a.kind(d) != "x11" || len(d.reg.Offers) == 0 || slices.Equal(p.X11, d.reg.Offers) {
		return
	}
	p.X11 = d.reg.Offers
	if err := a.store.SetPrefs(d.uid, p); err != nil {
		a.log.Warn("keep what the desktop delivers", "err", err)
	}
}

// gone are the groups that a desktop of Wayland cannot deliver although its user's
// desktop could while it was one of X11.
func (a *Agent) gone(d *desktop) []event.Group {
	if a.kind(d) != "wayland" {
		return nil
	}
	return slices.DeleteFunc(a.store.Prefs(d.uid).X11, func(g event.Group) bool { return slices.Contains(d.reg.Offers, g) })
}

// goneFor are those of a user who has no desktop of X11 beside it.
func (a *Agent) goneFor(uid uint32) []event.Group {
	var out []event.Group
	for _, d := range a.desktops {
		switch {
		case d.uid != uid:
		case a.kind(d) == "x11":
			return nil
		default:
			out = a.gone(d)
		}
	}
	return out
}

// lostDesktop forgets a helper: its questions end, its captures stop now.
func (a *Agent) lostDesktop(d *desktop) {
	if a.desktops[d.id] != d {
		return
	}
	delete(a.desktops, d.id)
	a.reachSoon()
	for _, l := range a.sessions {
		if l.rec != nil { // a new helper counts its revisions anew
			delete(l.rec.shownSince, d.id)
		}
	}
	if d.watchdog != nil {
		d.watchdog.Stop()
	}
	for id := range d.hearing {
		a.heard(d, ipc.Heard{ID: id, From: consent.FromAbsent, Doubt: "the desktop is gone"})
	}
	a.gateAll() // first: what follows may wait for the session list
	kind := consent.EventUILost
	if a.signedOut(d) {
		kind = consent.EventLoggedOff
	}
	var windows []*ipc.Conn
	for _, l := range a.sessions {
		if l.question != nil && l.question.asks[d.id] != nil {
			if c, ok := l.question.asks[d.id].Holder().(*ipc.Conn); ok {
				windows = append(windows, c)
			}
		}
	}
	a.tellQuestions(d, kind)
	// A window may outlive the helper that started it: the kernel forgets the signal
	// at a parent's death for programs that run with a group of their own (prctl(2)).
	for _, c := range windows {
		c.Close()
	}
	a.gateAll()
}

func (a *Agent) desktopOf(c *ipc.Conn) *desktop {
	for _, d := range a.desktops {
		if d.conn == c {
			return d
		}
	}
	return nil
}

// mayView tells whether a desktop can be the one that the session views: that of
// the account logged into, the one that was named, or any; but one that an
// ordinary user began is about desktops of their own only.
func (l *live) mayView(uid uint32, names ...string) bool {
	switch {
	case l.Login != nil:
		return uid == l.Login.UID
	case l.confined() && uid != l.Owner:
		return false
	}
	return l.Desktop == "" || slices.Contains(names, l.Desktop)
}

// confined: the session was begun by an ordinary user, or is told of by a file
// of one. A watcher's sessions have no owner otherwise.
func (l *live) confined() bool {
	return l.Owner != 0 && int(l.Owner) != os.Geteuid()
}

func (a *Agent) byName(name string) (*desktop, bool) {
	name = watch.Display(name)
	for _, d := range a.desktops {
		if d.id == name || d.reg.Display == name {
			return d, true
		}
	}
	return nil, false
}

// showIndicator sends the desktop the whole state of its indicator.
func (a *Agent) showIndicator(d *desktop) {
	d.revision++
	ind := ipc.Indicator{Revision: d.revision, Language: a.store.Prefs(d.uid).Language}
	for _, l := range a.onDesktop(d) {
		if r := l.rec; r != nil {
			ind.Sessions = append(ind.Sessions, ipc.IndicatorSession{
				Session: l.Name, Supporter: l.Supporter, Company: r.grant.Grant().CompanyName,
				Since: r.since, AllowedAt: a.allowedAt(r.grant.Grant()), Paused: r.paused, Enforced: r.grant.Grant().Basis == consent.BasisEnforcedPolicy,
				Items: r.last, Held: r.held(),
			})
		}
	}
	// What is over makes room for a question, which the bar must not cover.
	if !a.asks(d) {
		ind.Sessions = append(ind.Sessions, d.ended...)
	}
	d.conn.Push(ipc.PushIndicator, ind)
}

// asks tells whether a question stands on d.
func (a *Agent) asks(d *desktop) bool {
	for _, l := range a.sessions {
		if l.question != nil {
			if ask, ok := l.question.asks[d.id]; ok && !ask.Over() {
				return true
			}
		}
	}
	return false
}

// indicatorReport takes what the helper says of its indicator.
func (a *Agent) indicatorReport(d *desktop, r ipc.DesktopIndicator) {
	if r.Visible && r.Revision > d.visible && r.Revision <= d.revision {
		d.visible = r.Revision
	}
	if d.hidden == r.Visible {
		d.hidden = !r.Visible
		a.log.Info("indicator", "desktop", d.id, "visible", r.Visible, "why", r.Why)
	}
	a.sign(d)
	a.gateAll()
}

// sign notes a sign of life and winds up the watchdog. After a silence that has
// stopped the recordings, they may go on.
func (a *Agent) sign(d *desktop) {
	silent := time.Since(d.alive) >= aliveWithin
	d.alive = time.Now()
	if silent {
		defer a.gateAll()
	}
	if d.watchdog == nil {
		d.watchdog = a.after(aliveWithin, func() { a.gateAll() })
		return
	}
	d.watchdog.Reset(aliveWithin)
}

// indicates tells whether a recording's indicator is known to be visible on d.
func (d *desktop) indicates(r *recording) bool {
	return !d.hidden && !d.locked && d.visible >= r.shownSince[d.id] && r.shownSince[d.id] > 0 &&
		time.Since(d.alive) < aliveWithin
}

// onDesktop lists the live sessions that view d, by name.
func (a *Agent) onDesktop(d *desktop) []*live {
	var out []*live
	for _, l := range a.sessions {
		if slices.Contains(l.desktops, d.id) {
			out = append(out, l)
		}
	}
	slices.SortFunc(out, func(x, y *live) int { return cmp.Compare(x.Name, y.Name) })
	return out
}

// watchWindows starts, changes or stops the desktop's window watcher so that it
// holds exactly the grants that may capture now.
func (a *Agent) watchWindows(d *desktop) {
	var names []string
	var grants []record.Verified
	for _, l := range a.onDesktop(d) {
		r := l.rec
		if r != nil && r.desk && r.grant.Covers(event.WindowFocused, time.Now()) && event.Covered(event.WindowFocused, a.recordable(l)) {
			names = append(names, l.Name)
			grants = append(grants, r.grant)
		}
	}
	if slices.Equal(names, d.names) {
		return
	}
	a.epoch++
	d.epoch, d.names = a.epoch, names
	c := ipc.Capture{Epoch: d.epoch}
	for _, g := range grants {
		c.Grants = append(c.Grants, g.Raw())
	}
	d.conn.Push(ipc.PushCapture, c)
}

func userName(uid uint32) string {
	if u, err := ipc.LookupUser(uid); err == nil {
		return u.Username
	}
	return strconv.Itoa(int(uid))
}
