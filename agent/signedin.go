package agent

import (
	"cmp"
	"context"
	"slices"
	"time"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/agent/session/watch"
)

// maxAsks is how often one session may be asked about: a question that the
// person had no chance to answer is put again, but not without end.
const maxAsks = 3

// watchLogind follows the system's own session list, where there is one.
func (a *Agent) watchLogind() {
	l, err := watch.NewLogind(a.log, a.sessionChanges())
	if err != nil {
		a.log.Info("no session list: desktops are known by their helpers alone", "err", err)
		return
	}
	a.logind = l
	a.refreshLogind()
	a.work.Go(func() {
		// Asked beside the loop: a login manager that does not answer must not keep a
		// recording from stopping with its bar.
		changed := func() {
			all, err := l.Sessions(a.ctx)
			a.post(func() { a.takeListed(all, err) })
		}
		if err := l.Watch(a.ctx, changed); err != nil && a.ctx.Err() == nil {
			a.log.Error("follow session list", "err", err)
			a.post(func() { a.logindFailed = true })
		}
	})
}

// refreshLogind reads the session list anew.
func (a *Agent) refreshLogind() { a.takeListed(a.logind.Sessions(a.ctx)) }

// takeListed goes by the session list as it was read; one that could not be is none.
func (a *Agent) takeListed(all []watch.LogindSession, err error) {
	if err != nil {
		a.log.Warn("read session list", "err", err)
		a.listed, a.graphical = nil, nil
		a.logindFailed = true
		return
	}
	a.logindFailed = false
	a.listed = all
	a.refreshGraphical()
	a.tendHelpers()
	a.followDesktops()
}

// refreshGraphical finds the desktops among the listed sessions. logind knows
// those of a display manager; a session that began on a terminal or over the
// network (startx, a compositor, xrdp) is one when a display server runs in it,
// which logind does not announce: it is looked for whenever it matters.
func (a *Agent) refreshGraphical() {
	a.graphical = nil
	var servers []watch.DisplayServer
	looked := false
	for _, s := range a.listed {
		switch {
		case s.Class != "user" || s.State == "closing":
			continue
		case s.Type == "x11" || s.Type == "wayland" || s.Type == "mir" || s.Type == watch.TypeWindows:
		case s.Service == "sshd": // whatever runs there, nobody sits in front of it
			continue
		default:
			if !looked {
				servers, looked = watch.DisplayServers(), true
			}
			i := slices.IndexFunc(servers, func(d watch.DisplayServer) bool { return d.LogindID == s.ID })
			if i < 0 {
				continue
			}
			s.Type, s.Display = servers[i].Type, servers[i].Name
		}
		a.graphical = append(a.graphical, s)
	}
}

// helperOf is the desktop of a listed session that has its helper; nil: none.
// The helper may have registered before logind knew of the session.
func (a *Agent) helperOf(s watch.LogindSession) *desktop {
	if d, ok := a.desktops[s.ID]; ok {
		return d
	}
	for _, d := range a.desktops {
		if d.uid == s.UID && (d.reg.LogindID == s.ID || (s.Display != "" && d.reg.Display == s.Display)) {
			return d
		}
	}
	return nil
}

// followDesktops brings the desktops up to date with logind. One that was
// locked, left or signed out ends its questions; one that somebody has come
// back to is asked what it could not be asked before.
func (a *Agent) followDesktops() {
	there := map[*desktop]bool{}
	var back []*desktop
	came := false
	for _, s := range a.graphical {
		d := a.helperOf(s)
		if d == nil {
			continue
		}
		d.listed, there[d] = true, true
		came = a.signIn(s.ID, d.uid) || came
		was := d.locked
		d.locked = s.Locked || !s.Active
		switch {
		case d.locked && !was && s.Locked:
			a.tellQuestions(d, consent.EventLocked)
		case d.locked && !was:
			a.tellQuestions(d, consent.EventSwitched)
		case was && !d.locked:
			back = append(back, d)
		}
	}
	for _, d := range a.desktops {
		if d.listed && !there[d] {
			a.log.Info("signed out", "desktop", d.id)
			a.lostDesktop(d)
			d.conn.Close()
		}
	}
	a.gateAll()
	for _, d := range back {
		a.cameBack(d)
	}
	if len(back) > 0 || came {
		a.askHeld()
	}
	a.notifyAll()
	a.reachSoon()
}

// tellQuestions tells the questions on a desktop what befell it.
func (a *Agent) tellQuestions(d *desktop, kind consent.QuestionEventKind) {
	a.tellLeaves(kind, func(lv *leave) bool { return lv.desk == d })
	now := time.Now()
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

// signedOut tells whether the person of a desktop has signed out, by the list
// as it is now: the helper often goes before logind has announced it.
func (a *Agent) signedOut(d *desktop) bool {
	if a.logind == nil || !d.listed {
		return false
	}
	ctx, cancel := context.WithTimeout(a.ctx, time.Second)
	defer cancel()
	all, err := a.logind.Sessions(ctx)
	if err != nil {
		return false
	}
	return !slices.ContainsFunc(all, func(s watch.LogindSession) bool { return s.ID == d.id && s.State != "closing" })
}

// cameBack has the sessions decided anew that found nobody at d, or whose
// question was taken away with it, now that somebody is there.
func (a *Agent) cameBack(d *desktop) {
	var again []*live
	for _, l := range a.sessions {
		if l.missed() && l.mayView(d.uid, d.id, d.reg.Display) {
			again = append(again, l)
		}
	}
	slices.SortFunc(again, func(x, y *live) int { return cmp.Compare(x.Name, y.Name) })
	for _, l := range again {
		a.askAgain(l)
	}
}

// somebodyCame decides a recording anew that had found nobody at any desktop,
// once somebody is at one: by what they have set, with a grant that is theirs,
// to take back too. Until then nothing more is captured.
func (a *Agent) somebodyCame(l *live) {
	if l.rec != nil && !l.unconfirmed && a.unknown(l) {
		a.log.Info("somebody came", "session", l.Name)
		a.expired(l, l.rec)
	}
}

// unknown: somebody whom the recording of l does not know is at a desktop that
// it may view.
func (a *Agent) unknown(l *live) bool {
	return len(l.desktops) == 0 && (a.unreached(l) || len(a.mayView(l)) > 0)
}

// askAgain decides anew about a session whose person had no chance, if
// everybody who would have to be asked can be asked now.
func (a *Agent) askAgain(l *live) {
	a.somebodyCame(l)
	if _, state := a.viewed(l); state != consent.DesktopAvailable || !l.missed() {
		return
	}
	a.log.Info("asked again", "session", l.Name, "before", l.outcome, "ending", l.ending)
	l.ending = consent.EndingNone
	a.decide(l)
}

// missed tells whether the session was denied only because nobody could be
// asked or told. A refusal, silence and a broken window are answers that stand.
func (l *live) missed() bool {
	if l.decided == nil || l.rec != nil || l.question != nil || l.unconfirmed || l.lost || l.asks >= maxAsks {
		return false
	}
	switch l.outcome {
	case consent.OutcomeDenied:
		switch l.decided.Decision.Reason {
		case consent.ReasonDesktopLocked, consent.ReasonNobodyThere, consent.ReasonDesktopUnreachable:
			return true
		}
	case consent.OutcomeCouldNotAsk:
		switch l.ending {
		case consent.EndingLocked, consent.EndingSwitched, consent.EndingLoggedOff, consent.EndingStopped:
			return true
		}
	}
	return false
}

// viewed finds the desktops that a session views and whether somebody there can
// be asked. No targets: the state says why.
func (a *Agent) viewed(l *live) (targets []*desktop, state consent.Desktop) {
	a.refreshGraphical()
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
	case a.logind == nil || a.logindFailed || l.Desktop != "":
		return nil, consent.DesktopUnreachable
	case a.unhelped(l, func(watch.LogindSession) bool { return true }): // locked, or not: somebody has signed in there
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
	return a.unhelped(l, func(s watch.LogindSession) bool { return !s.Locked && s.Active })
}

// unhelped tells whether logind lists such a desktop that the session may view
// and that has no helper.
func (a *Agent) unhelped(l *live, such func(watch.LogindSession) bool) bool {
	return slices.ContainsFunc(a.graphical, func(s watch.LogindSession) bool {
		return a.helperOf(s) == nil && such(s) && l.mayView(s.UID, s.ID, s.Display)
	})
}

// desktopList is what status says of the desktops; without a session list of
// the system, its display servers stand in, of the peer's own unless they may see all.
func (a *Agent) desktopList(p ipc.Peer) []ipc.DesktopStatus {
	out := []ipc.DesktopStatus{}
	for _, d := range a.desktops {
		out = append(out, ipc.DesktopStatus{Desktop: d.id, User: userName(d.uid), State: d.state(), Helper: true, Display: d.reg.Display, Type: a.kind(d), Gone: a.gone(d)})
	}
	a.refreshGraphical()
	for _, s := range a.graphical {
		if a.helperOf(s) != nil {
			continue
		}
		st := ipc.DesktopStatus{Desktop: s.ID, User: userName(s.UID), State: consent.DesktopUnreachable, Display: s.Display, Type: s.Type, Seat: s.Seat}
		st.StartFile, st.StartLine = startOf(s.Desktop, watch.Programs(s.UID))
		out = append(out, st)
	}
	if a.logind == nil {
		for _, x := range watch.DisplayServers() {
			_, helped := a.byName(x.Name)
			if helped || (p.Role() != ipc.RoleAdmin && x.UID != p.UID) {
				continue
			}
			st := ipc.DesktopStatus{Desktop: x.Name, User: userName(x.UID), State: consent.DesktopUnreachable, Display: x.Name, Type: x.Type}
			st.StartFile, st.StartLine = startOf("", watch.Programs(x.UID))
			out = append(out, st)
		}
	}
	slices.SortFunc(out, func(x, y ipc.DesktopStatus) int { return cmp.Compare(x.Desktop, y.Desktop) })
	return out
}

// starters are the sessions that do not read the autostart entries of
// freedesktop.org: the program that runs them, and the line that starts the
// helper, in the file that their own manuals name.
var starters = []struct{ program, file, line string }{
	{"i3", "~/.config/i3/config", "exec --no-startup-id aval-desktop"},
	{"sway", "~/.config/sway/config", "exec aval-desktop"},
	{"Hyprland", "~/.config/hypr/hyprland.conf", "exec-once = aval-desktop"},
	{"bspwm", "~/.config/bspwm/bspwmrc", "aval-desktop &"},
	{"awesome", "~/.config/awesome/rc.lua", `awful.spawn("aval-desktop")`},
	{"openbox", "~/.config/openbox/autostart", "aval-desktop &"},
	{"fluxbox", "~/.fluxbox/startup", "aval-desktop &"},
	{"icewm", "~/.icewm/startup", "aval-desktop &"},
	{"herbstluftwm", "~/.config/herbstluftwm/autostart", "aval-desktop &"},
}

// autostarted are the sessions that read the autostart entries.
var autostarted = []string{"gnome-session-b", "gnome-shell", "plasmashell", "xfce4-session", "mate-session", "cinnamon-sessio", "lxqt-session", "lxsession", "budgie-desktop"}

// startOf is where a session without its helper is to start it, and how: by what
// the session says it runs, else by what its user runs. A command has no file.
func startOf(desktop string, programs map[string]bool) (file, line string) {
	for _, s := range starters {
		if s.program == desktop {
			return s.file, s.line
		}
	}
	if desktop == "" {
		for _, s := range starters {
			if programs[s.program] {
				return s.file, s.line
			}
		}
	}
	if desktop != "" || slices.ContainsFunc(autostarted, func(p string) bool { return programs[p] }) {
		return "", "systemctl --user enable --now aval-desktop.service"
	}
	return "~/.xinitrc", "aval-desktop &"
}
