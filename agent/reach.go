package agent

import (
	"time"

	"google.golang.org/protobuf/proto"

	"aval/agent/consent"
	"aval/agent/prompt"
	"aval/agent/prompt/launch"
	"aval/agent/prompt/native"
	"aval/agent/session/watch"
	"aval/agent/wire"
)

const (
	// reachSettles is how long changes are gathered before the company is told.
	reachSettles = time.Second
	// reachAgain is when it is looked at without a change that was heard of: a
	// display server, or a program that was installed, announces itself to nobody.
	reachAgain = 5 * time.Minute
)

// reachSoon has the company that manages this computer told whether somebody here
// could be asked. Computers that are in a person's own account, and guests, tell
// nobody.
func (a *Agent) reachSoon() {
	if a.reaching || !a.tellsReach() {
		return
	}
	a.reaching = true
	a.after(reachSettles, func() {
		a.reaching = false
		if !a.tellsReach() {
			return
		}
		if r := a.reach(); !proto.Equal(r, a.reached) {
			a.log.Info("reach", "state", r.GetState())
			a.reached = r
			a.company.link.Reach(r)
		}
		if a.lookAgain != nil {
			a.lookAgain.Stop()
		}
		a.lookAgain = a.after(reachAgain, a.reachSoon)
	})
}

// tellsReach: the computer is the company's, and connected by a link.
func (a *Agent) tellsReach() bool {
	return a.company != nil && a.company.Account == nil && a.company.link != nil
}

// reach is what would become of a question now, by the same look at the desktops
// as a decision takes.
func (a *Agent) reach() *wire.Reach {
	_, window := launch.Find("aval-ui")
	_, dialog := native.Find()
	r := &wire.Reach{Window: window == nil, Dialog: dialog == nil}
	switch _, state := a.viewed(&live{}); state {
	case consent.DesktopAvailable:
		r.State = wire.ReachReady
		switch {
		case !r.Window && !r.Dialog:
			r.State = wire.ReachNoPrompt
		case a.unshown:
			r.State = wire.ReachNotShown
		}
	case consent.DesktopLocked:
		r.State = wire.ReachLocked
	case consent.DesktopNobody:
		r.State = wire.ReachNobody
	default:
		r.State = wire.ReachNoHelper
		r.StartFile, r.StartLine = a.startOfAny()
	}
	return r
}

// startOfAny is how the helper is started in a desktop that lacks it, the first
// one of several; empty: there is none that is known.
func (a *Agent) startOfAny() (file, line string) {
	for _, s := range a.graphical {
		if a.helperOf(s) == nil {
			return startOf(s.Desktop, watch.Programs(s.UID))
		}
	}
	if a.logind == nil {
		for _, x := range watch.DisplayServers() {
			if _, helped := a.byName(x.Name); !helped {
				return startOf("", watch.Programs(x.UID))
			}
		}
	}
	return "", ""
}

// wasShown notes what became of a question: one that could not be shown stands
// until another one was.
func (a *Agent) wasShown(by *prompt.Ask) {
	switch q := by.Question(); {
	case q.Ending == consent.EndingNotShown, q.Ending == consent.EndingUILost:
		a.unshown = true
	case !q.ShownAt.IsZero():
		a.unshown = false
	}
	a.reachSoon()
}
