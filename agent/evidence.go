package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"os/user"
	"slices"
	"strconv"
	"time"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/agent/prompt"
	"aval/agent/session/watch"
)

// heardWithin is how long the desktop may take to say where a press came from.
// Without its word the answer is one of which nothing is known.
const heardWithin = 3 * time.Second

// ours tells whether a peer is one of the installed programs, which nobody but
// root can change, trace or preload: they alone run with the group, or were
// started by the service.
func (a *Agent) ours(p ipc.Peer) bool {
	return a.group >= 0 && int(p.GID) == a.group || a.helpers.started(p.PID)
}

// guarded tells whether the installed programs can be told from others.
func (a *Agent) guarded() bool { return a.cfg.Group != "" || a.cfg.StartHelpers }

// barred refuses peers that would play an installed program. Where the service
// was given no group nothing is barred, and nothing proven.
func (a *Agent) barred(c *ipc.Conn) error {
	if b := c.Hello().Build; b != "" && b != a.cfg.Build {
		return &ipc.Error{Code: ipc.CodeRefused, Message: fmt.Sprintf("this program is of version %s and the service of version %s, so the person is not asked by it", b, a.cfg.Build),
			Hint: "it starts anew by itself after an upgrade; else sign out and in again"}
	}
	if !a.guarded() || a.ours(c.Peer()) {
		return nil
	}
	return &ipc.Error{Code: ipc.CodeRefused, Message: "this program is not the installed one, so the person is not asked by it",
		Hint: "aval install sets up the programs that ask"}
}

// surroundings says what the word of a desktop is worth for an answer that
// came over c, and was heard on an X server.
func (a *Agent) surroundings(d *desktop, c *ipc.Conn, server int) consent.Surroundings {
	s := consent.Surroundings{Tests: len(a.policy.Effective.TestAnswerDevices()) > 0}
	if !a.ours(c.Peer()) || !a.ours(d.conn.Peer()) {
		return s
	}
	s.Proven = a.seated(d, server)
	return s
}

// seated tells whether a desktop is at this computer's own screen, and was heard
// on the X server there: the process at the other end of the connections over
// which the presses came. What a connection of another moment had at its end says
// nothing, for the user may own the socket and put another in its place.
func (a *Agent) seated(d *desktop, server int) bool {
	return slices.ContainsFunc(a.graphical, func(g watch.LogindSession) bool {
		return g.ID == d.id && g.UID == d.uid && !g.Remote && g.Seat != "" && g.Display != "" && g.Display == d.reg.Display &&
			(g.Type == watch.TypeWindows || g.Type == "x11" && realServer(server, d.uid))
	})
}

// listenOn has the desktop hear presses while a supporter may be there, or a
// window is open in which something can be stopped or deleted.
func (a *Agent) listenOn(d *desktop) {
	windows := a.windowsOn(d)
	want := ipc.Listening{On: len(a.onDesktop(d)) > 0 || len(windows) > 0}
	for _, lv := range a.leaving {
		want.On = want.On || lv.desk == d
	}
	if want.On {
		want.Devices = a.policy.Effective.TestAnswerDevices()
	}
	if want.On == d.listening.On && slices.Equal(want.Devices, d.listening.Devices) {
		return
	}
	d.listening = want
	d.conn.Push(ipc.PushListen, want)
	if want.On { // it begins anew, and knows of no window
		for _, w := range windows {
			d.follow(w)
		}
	}
}

// hear asks a desktop where a press of a peer's window came from, and returns
// the channel of its one answer. In the loop.
func (a *Agent) hear(d *desktop, c *ipc.Conn, p *ipc.Press) <-chan ipc.Heard {
	got := make(chan ipc.Heard, 1)
	if d == nil || p == nil {
		got <- ipc.Heard{From: consent.FromAbsent}
		return got
	}
	id := newID()
	d.hearing[id] = got
	d.conn.Push(ipc.PushHear, ipc.Hear{ID: id, PID: c.Peer().PID, Press: *p})
	a.after(heardWithin, func() { a.heard(d, ipc.Heard{ID: id, From: consent.FromAbsent, Doubt: "no answer"}) })
	return got
}

// heard takes a desktop's word; a second one for the same press is none.
func (a *Agent) heard(d *desktop, h ipc.Heard) {
	if got, ok := d.hearing[h.ID]; ok {
		delete(d.hearing, h.ID)
		got <- h
	}
}

// handleAnswer has the desktop say where the answer came from before the answer
// is taken.
func (a *Agent) handleAnswer(ctx context.Context, c *ipc.Conn, params json.RawMessage) (any, error) {
	var r ipc.QuestionAnswer
	if err := ipc.Decode(params, &r); err != nil {
		return nil, err
	}
	var got <-chan ipc.Heard
	if err := a.do(ctx, func() {
		_, ask, d := a.findAsk(r.Question)
		if lv := a.leaveOf(r.Question); lv != nil {
			ask, d = lv.ask, lv.desk
		}
		if ask == nil || ask.Rung() != prompt.Window {
			d = nil // a native dialog does not show who clicked
		}
		got = a.hear(d, c, r.Press)
	}); err != nil {
		return nil, err
	}
	h, err := a.await(ctx, got)
	if err != nil {
		return nil, err
	}
	var out ipc.QuestionAnswerResult
	var aerr error
	if err := a.do(ctx, func() { out, aerr = a.answer(c, r, h) }); err != nil {
		return nil, err
	}
	return out, aerr
}

// await waits for a desktop's word, which always comes: see hear.
func (a *Agent) await(ctx context.Context, got <-chan ipc.Heard) (ipc.Heard, error) {
	select {
	case h := <-got:
		return h, nil
	case <-ctx.Done():
		return ipc.Heard{}, ctx.Err()
	case <-a.ctx.Done():
		return ipc.Heard{}, errStopping
	}
}

// hand is whose hand pressed, as far as is known.
type hand struct {
	consent.Provenance
	test bool // a device that a policy names for tests
}

// weigh says whose hand a press was that came over c, by what the desktop d
// heard of it, and whether a yes counts by it; d nil: none is known.
func (a *Agent) weigh(d *desktop, c *ipc.Conn, h ipc.Heard) (by hand, counts bool) {
	s := consent.Surroundings{Tests: len(a.policy.Effective.TestAnswerDevices()) > 0}
	if d != nil {
		s = a.surroundings(d, c, h.Server)
	}
	by.Provenance, counts = consent.Weigh(h.From, h.Doubt != "", s)
	by.test = by.Proven() && h.From == consent.FromTest
	return by, counts
}

// pressedOn is the desktop on which a peer's windows are: the one whose helper
// the peer is, or else the only one of its user's. among, where there are any,
// bounds the choice. A barred program's presses are not asked about: each press
// counts once, and it would take them from the others.
func (a *Agent) pressedOn(c *ipc.Conn, among []string) *desktop {
	if a.barred(c) != nil {
		return nil
	}
	var of []*desktop
	for _, d := range a.desktops {
		p := d.conn.Peer()
		if p.UID != c.Peer().UID || len(among) > 0 && !slices.Contains(among, d.id) {
			continue
		}
		if p.PID == c.Peer().PID { // the bar is its helper's own
			return d
		}
		of = append(of, d)
	}
	if len(of) == 1 {
		return of[0]
	}
	return nil
}

// viewedIn are the desktops that an open session views, as far as known.
func (a *Agent) viewedIn(session string) []string {
	if l, ok := a.sessions[session]; ok {
		return l.desktops
	}
	return nil
}

// whenHeard has f do the rest in the loop once a desktop's word is there: now,
// where there was nothing to ask it. If the service stops before, f is not called.
func (a *Agent) whenHeard(got <-chan ipc.Heard, f func(ipc.Heard)) {
	select {
	case h := <-got:
		f(h)
		return
	default:
	}
	a.work.Go(func() {
		select {
		case h := <-got:
			a.post(func() { f(h) })
		case <-a.ctx.Done():
		}
	})
}

// handleControl does at once what lets less be recorded. Resume lets more be
// recorded while the supporter holds the mouse: it needs the evidence that a yes
// needs, and a program that is not barred; where there are installed programs, it
// needs the bar.
func (a *Agent) handleControl(ctx context.Context, c *ipc.Conn, params json.RawMessage) (any, error) {
	return later(ctx, a, params, func(r ipc.RecordingControl, done func(ipc.WithdrawResult, error)) {
		l, ok := a.sessions[r.Session]
		if r.Action != actionResume || !ok || !a.mine(c.Peer(), l) {
			a.control(c, r, done) // which says why not
			return
		}
		if err := a.barred(c); err != nil {
			done(ipc.WithdrawResult{}, err)
			return
		}
		d := a.pressedOn(c, l.desktops)
		if d != nil && (d.conn.Peer().PID != c.Peer().PID || !slices.Contains(l.desktops, d.id)) {
			d = nil // only the bar resumes
		}
		a.whenHeard(a.hear(d, c, r.Press), func(h ipc.Heard) {
			if _, counts := a.weigh(d, c, h); !counts || d == nil && a.guarded() {
				a.log.Warn("a resume that does not count", "session", r.Session, "from", string(h.From), "device", h.Device, "doubt", h.Doubt)
				done(ipc.WithdrawResult{}, errRemoteHand)
				return
			}
			a.control(c, r, done)
		})
	})
}

// actionResume is the one action of the bar that lets more be recorded.
const actionResume = "resume"

var errRemoteHand = &ipc.Error{Code: ipc.CodeRefused, Message: "this came through the remote connection, as far as is known, and does not count",
	Hint: "use the bar, with this computer's own mouse"}

// weakest is the provenance of an answer that several desktops gave together.
func weakest(x, y consent.Provenance) consent.Provenance {
	order := []consent.Provenance{consent.PX, consent.P0, consent.P1, consent.P2, consent.P3}
	if slices.Index(order, x) < slices.Index(order, y) {
		return x
	}
	return y
}

// groupID looks up a group by its name; -1: there is none.
func groupID(name string) int {
	if name == "" {
		return -1
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return -1
	}
	id, err := strconv.Atoi(g.Gid)
	if err != nil || id == 0 {
		return -1
	}
	return id
}
