package agent

import (
	"cmp"
	"os"
	"os/user"
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
	id := r.Display
	uid := c.Peer().UID
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
	d := &desktop{id: id, uid: uid, conn: c, reg: r}
	a.desktops[id] = d
	a.refreshLocks()
	a.log.Info("desktop registered", "desktop", id, "uid", uid)
	// A recording that found nobody at a desktop has somebody to be shown to now.
	for _, l := range a.sessions {
		if l.rec != nil && len(l.desktops) == 0 && l.mayView(d.uid, d.id, d.reg.Display) {
			l.desktops = []string{d.id}
		}
	}
	a.showIndicator(d)
	a.gateAll()
	return ipc.DesktopRegisterResult{Desktop: id}, nil
}

// lostDesktop forgets a helper: its questions end, its captures stop now.
func (a *Agent) lostDesktop(d *desktop) {
	if a.desktops[d.id] != d {
		return
	}
	delete(a.desktops, d.id)
	for _, l := range a.sessions {
		if l.rec != nil { // a new helper counts its revisions anew
			delete(l.rec.shownSince, d.id)
		}
	}
	if d.watchdog != nil {
		d.watchdog.Stop()
	}
	now := time.Now()
	for _, l := range a.sessions {
		if q := l.question; q != nil {
			if ask, ok := q.asks[d.id]; ok {
				ask.Happened(consent.EventUILost, now)
			}
			a.settle(l)
		}
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

// watchLogind follows the system's own session list, where there is one.
func (a *Agent) watchLogind() {
	l, err := watch.NewLogind(a.log)
	if err != nil {
		a.log.Info("no logind: desktops are known by their helpers alone", "err", err)
		return
	}
	a.logind = l
	a.refreshLogind()
	a.work.Go(func() {
		if err := l.Watch(a.ctx, func() { a.post(a.refreshLogind) }); err != nil && a.ctx.Err() == nil {
			a.log.Error("follow session list", "err", err)
			a.post(func() { a.logindFailed = true })
		}
	})
}

// refreshLogind reads the session list anew.
func (a *Agent) refreshLogind() {
	all, err := a.logind.Sessions(a.ctx)
	if err != nil {
		a.log.Warn("read session list", "err", err)
		a.graphical = nil
		a.logindFailed = true
		return
	}
	a.logindFailed = false
	a.graphical = slices.DeleteFunc(all, func(s watch.LogindSession) bool { return !graphical(s) })
	a.refreshLocks()
}

// graphical tells whether a logind session is a desktop that a person sits at.
func graphical(s watch.LogindSession) bool {
	return s.Class == "user" && (s.Type == "x11" || s.Type == "wayland" || s.Type == "mir")
}

// refreshLocks brings the desktops up to date with logind; a desktop that was
// locked or left ends its questions.
func (a *Agent) refreshLocks() {
	now := time.Now()
	for _, s := range a.graphical {
		d, ok := a.desktops[s.ID]
		if !ok {
			continue
		}
		was := d.locked
		d.locked = s.Locked || !s.Active
		if !d.locked || was {
			continue
		}
		kind := consent.EventLocked
		if !s.Locked {
			kind = consent.EventSwitched
		}
		for _, l := range a.sessions {
			if l.question == nil {
				continue
			}
			if ask, ok := l.question.asks[d.id]; ok {
				ask.Happened(kind, now)
			}
			a.settle(l)
		}
	}
	a.gateAll()
}

// viewed finds the desktops that a session views and whether somebody there can
// be asked. No targets: the state says why.
func (a *Agent) viewed(l *live) (targets []*desktop, state consent.Desktop) {
	var all []*desktop
	for _, d := range a.desktops {
		if l.mayView(d.uid, d.id, d.reg.Display) {
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(x, y *desktop) int { return cmp.Compare(x.id, y.id) })
	for _, d := range all {
		if !d.locked {
			targets = append(targets, d)
		}
	}
	switch {
	case len(targets) > 0 && a.unreached(l):
		// Somebody's unlocked desktop might be the one viewed, and cannot be asked.
		return nil, consent.DesktopUnreachable
	case len(targets) > 0:
		return targets, consent.DesktopAvailable
	case len(all) > 0:
		return nil, consent.DesktopLocked
	case a.logind == nil || a.logindFailed || a.unreached(l) || l.Desktop != "":
		return nil, consent.DesktopUnreachable
	}
	return nil, consent.DesktopNobody
}

// unreached tells whether logind lists a desktop that the session may view and
// that has no helper.
func (a *Agent) unreached(l *live) bool {
	if l.Desktop != "" {
		if _, known := a.byName(l.Desktop); known {
			return false
		}
	}
	return slices.ContainsFunc(a.graphical, func(s watch.LogindSession) bool {
		_, helped := a.desktops[s.ID]
		return !helped && !s.Locked && s.Active && l.mayView(s.UID, s.ID, s.Display)
	})
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

// confined: the session was begun by an ordinary user.
func (l *live) confined() bool {
	return l.Watcher == "" && l.Owner != 0 && int(l.Owner) != os.Geteuid()
}

func (a *Agent) byName(name string) (*desktop, bool) {
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
				Since: r.since, Paused: r.paused, Enforced: r.grant.Grant().Basis == consent.BasisEnforcedPolicy,
				Items: r.last, Held: r.held(),
			})
		}
	}
	ind.Sessions = append(ind.Sessions, d.ended...)
	d.conn.Push(ipc.PushIndicator, ind)
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

// sign notes a sign of life and winds up the watchdog.
func (a *Agent) sign(d *desktop) {
	d.alive = time.Now()
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
		if r != nil && r.desk && r.grant.Covers(event.WindowFocused, time.Now()) && event.Covered(event.WindowFocused, a.narrowed(l)) {
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
	if u, err := user.LookupId(strconv.Itoa(int(uid))); err == nil {
		return u.Username
	}
	return strconv.Itoa(int(uid))
}
