package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"aval/agent/event"
	"aval/agent/ipc"
	"aval/agent/session"
	"aval/agent/session/watch"
)

var _ ipc.Handler = (*Agent)(nil)

func newID() string { return ulid.Make().String() }

// Handle implements ipc.Handler: it decodes, and has the loop do the rest.
func (a *Agent) Handle(ctx context.Context, c *ipc.Conn, m ipc.Method, params json.RawMessage) (any, error) {
	switch m {
	case ipc.MethodStatus:
		return loop(ctx, a, params, func(ipc.Empty) (ipc.Status, error) { return a.status(c.Peer()) })
	case ipc.MethodSettingsGet:
		return loop(ctx, a, params, func(ipc.Empty) (ipc.SettingsResult, error) { return a.settings(c.Peer().UID), nil })
	case ipc.MethodSettingsSet:
		return later(ctx, a, params, func(r ipc.SettingsSet, done func(ipc.SettingsResult, error)) { a.changeSettings(c, r, done) })
	case ipc.MethodPolicyShow:
		return loop(ctx, a, params, func(ipc.Empty) (any, error) { return a.policyShow(), nil })
	case ipc.MethodWatch:
		return loop(ctx, a, params, func(r ipc.Watching) (ipc.Empty, error) { return a.watch(c, r) })
	case ipc.MethodWelcome:
		return loop(ctx, a, params, func(ipc.Empty) (ipc.Welcome, error) { return a.welcome(c.Peer().UID) })
	case ipc.MethodSessionBegin:
		return a.handleBegin(ctx, c, params)
	case ipc.MethodSessionJoin:
		return a.handleJoin(ctx, c, params)
	case ipc.MethodSessionOpen:
		return a.handleOpen(ctx, c, params)
	case ipc.MethodSessionEvent:
		return a.handleEvent(ctx, c, params)
	case ipc.MethodSessionEnd:
		return loop(ctx, a, params, func(r ipc.SessionEnd) (ipc.SessionInfo, error) { return a.handleEnd(c, r) })
	case ipc.MethodSessionList:
		return loop(ctx, a, params, func(ipc.Empty) ([]ipc.SessionInfo, error) { return a.listSessions(c.Peer()), nil })
	case ipc.MethodSessionPAM:
		return loop(ctx, a, params, func(r ipc.SessionPAM) (ipc.Empty, error) { return ipc.Empty{}, a.pam(r) })
	case ipc.MethodRecordingControl:
		return a.handleControl(ctx, c, params)
	case ipc.MethodConsentList:
		return loop(ctx, a, params, func(r ipc.ConsentListPage) (ipc.ConsentListResult, error) { return a.listConsent(c.Peer(), r) })
	case ipc.MethodConsentShow:
		return loop(ctx, a, params, func(r ipc.ByID) (ipc.ConsentShow, error) { return a.showConsent(c.Peer(), r.ID) })
	case ipc.MethodConsentSummary:
		return loop(ctx, a, params, func(r ipc.ByID) (ipc.Summary, error) { return a.summary(c.Peer(), r.ID) })
	case ipc.MethodConsentReceipt:
		return loop(ctx, a, params, func(r ipc.ReceiptOf) (ipc.Receipt, error) { return a.receipt(c.Peer(), r) })
	case ipc.MethodConsentWithdraw:
		return later(ctx, a, params, func(r ipc.Withdraw, done func(ipc.WithdrawResult, error)) { a.withdraw(c, r, done) })
	case ipc.MethodSent:
		return loop(ctx, a, params, func(r ipc.Sent) (ipc.SentResult, error) { return a.sent(c.Peer(), r) })
	case ipc.MethodEnroll:
		return a.handleEnroll(ctx, params)
	case ipc.MethodUnenroll:
		return a.handleUnenroll(ctx, params)
	case ipc.MethodSignIn:
		return a.handleSignIn(ctx, c, params)
	case ipc.MethodSignOut:
		return a.handleSignOut(ctx, c.Peer(), params)
	case ipc.MethodDesktopRegister:
		return loop(ctx, a, params, func(r ipc.DesktopRegister) (ipc.DesktopRegisterResult, error) { return a.register(c, r) })
	case ipc.MethodDesktopIndicator:
		return onDesktop(ctx, a, c, params, a.indicatorReport)
	case ipc.MethodDesktopAlive:
		return onDesktop(ctx, a, c, params, func(d *desktop, _ ipc.Empty) { a.sign(d) })
	case ipc.MethodDesktopEvent:
		return onDesktop(ctx, a, c, params, a.desktopEvent)
	case ipc.MethodDesktopPrompt:
		return onDesktop(ctx, a, c, params, a.promptFailed)
	case ipc.MethodNoticeGet:
		return loop(ctx, a, params, func(r ipc.NoticeOf) (ipc.Notice, error) { return a.noticeFor(c, r) })
	case ipc.MethodNoticeShown:
		return loop(ctx, a, params, func(r ipc.NoticeOf) (ipc.Empty, error) { return ipc.Empty{}, a.noticeShown(c, r) })
	case ipc.MethodQuestionClaim:
		return loop(ctx, a, params, func(r ipc.QuestionClaim) (ipc.Question, error) { return a.claim(c, r) })
	case ipc.MethodQuestionShown:
		return loop(ctx, a, params, func(r ipc.QuestionShown) (ipc.QuestionShownResult, error) { return a.shown(c, r) })
	case ipc.MethodQuestionAnswer:
		return a.handleAnswer(ctx, c, params)
	case ipc.MethodDesktopHeard:
		return onDesktop(ctx, a, c, params, a.heard)
	}
	return nil, &ipc.Error{Code: ipc.CodeBadRequest, Message: fmt.Sprintf("there is no method %q", m)}
}

// Closed implements ipc.Handler.
func (a *Agent) Closed(c *ipc.Conn) {
	a.post(func() {
		if d := a.pressedOn(c, nil); a.watchers[c] != nil && d != nil {
			delete(a.watchers, c)
			a.listenOn(d)
		}
		delete(a.watchers, c)
		now := time.Now()
		for _, l := range a.sessions {
			if l.question == nil {
				continue
			}
			for _, ask := range l.question.asks {
				ask.Lost(c, now)
			}
			a.settle(l)
		}
		for _, lv := range a.leaving {
			lv.ask.Lost(c, now)
			a.settleLeave(lv)
		}
		if d := a.desktopOf(c); d != nil {
			a.log.Info("desktop gone", "desktop", d.id)
			a.lostDesktop(d)
		}
	})
}

// loop decodes the parameters and runs f in the loop.
func loop[P, R any](ctx context.Context, a *Agent, params json.RawMessage, f func(P) (R, error)) (any, error) {
	var p P
	if err := ipc.Decode(params, &p); err != nil {
		return nil, err
	}
	var r R
	var ferr error
	if err := a.do(ctx, func() { r, ferr = f(p) }); err != nil {
		return nil, err
	}
	return r, ferr
}

// later is loop for what is answered only when something else was heard of: f
// calls done once. Where the caller does not wait for it, it is done all the same.
func later[P, R any](ctx context.Context, a *Agent, params json.RawMessage, f func(P, func(R, error))) (any, error) {
	var p P
	if err := ipc.Decode(params, &p); err != nil {
		return nil, err
	}
	type result struct {
		r   R
		err error
	}
	got := make(chan result, 1)
	if err := a.do(ctx, func() { f(p, func(r R, err error) { got <- result{r, err} }) }); err != nil {
		return nil, err
	}
	select {
	case x := <-got:
		return x.r, x.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-a.ctx.Done():
		return nil, errStopping
	}
}

// onDesktop runs f in the loop for the desktop whose helper calls.
func onDesktop[P any](ctx context.Context, a *Agent, c *ipc.Conn, params json.RawMessage, f func(*desktop, P)) (any, error) {
	return loop(ctx, a, params, func(p P) (ipc.Empty, error) {
		d := a.desktopOf(c)
		if d == nil {
			return ipc.Empty{}, &ipc.Error{Code: ipc.CodeConflict, Message: "this connection is no desktop", Hint: "call desktop.register first"}
		}
		f(d, p)
		return ipc.Empty{}, nil
	})
}

func (a *Agent) handleBegin(ctx context.Context, c *ipc.Conn, params json.RawMessage) (any, error) {
	var r ipc.SessionBegin
	if err := ipc.Decode(params, &r); err != nil {
		return nil, err
	}
	peer := c.Peer()
	id := r.ID
	if peer.Role() != ipc.RoleAdmin { // a name space of ids for each user
		id = fmt.Sprintf("u%d:%s", peer.UID, r.ID)
	}
	name, err := session.Name(r.Tool, id)
	if err != nil {
		return nil, &ipc.Error{Code: ipc.CodeBadRequest, Message: err.Error()}
	}
	s := session.Session{
		Name: name, Asked: r.ID, Tool: r.Tool, Owner: peer.UID, Started: time.Now().UTC(),
		Supporter: session.Clean(r.Supporter, session.MaxSupporter), Address: session.Clean(r.Address, session.MaxAddress),
		Desktop: session.Clean(r.Desktop, session.MaxAddress), PID: r.PID,
	}
	if s.Supporter == "" {
		return nil, &ipc.Error{Code: ipc.CodeBadRequest, Message: "the supporter's name is missing", Hint: "--supporter NAME"}
	}
	s.Identity = identity(peer, s)
	if s.PID != 0 {
		start, ok := watch.ProcStart(s.PID)
		if !ok {
			return nil, &ipc.Error{Code: ipc.CodeBadRequest, Message: fmt.Sprintf("there is no process %d", s.PID), Hint: "--pid names a process that lives as long as the session"}
		}
		s.PIDStart = start
	}
	if s.Desktop == "" && s.Tool == toolX11VNC && s.PID != 0 {
		s.Desktop = watch.X11VNCDisplay(s.PID)
	}
	var asks *company
	if r.Code != "" {
		if asks, err = a.redeem(ctx, peer, r.Code, s.Desktop); err != nil {
			return nil, err
		}
	}
	return a.beginAndWait(ctx, r.Hold, func() (*live, error) {
		if err := a.mayName(peer, s.Desktop); err != nil {
			return nil, err
		}
		if asks == nil {
			return a.begin(s)
		}
		if err := a.takeIn(asks); err != nil {
			return nil, err
		}
		return a.beginFor(s, asks)
	})
}

// beginAndWait has begin run in the loop, and with hold waits until the question
// has ended.
func (a *Agent) beginAndWait(ctx context.Context, hold bool, begin func() (*live, error)) (any, error) {
	var l *live
	var berr error
	var wait chan struct{}
	err := a.do(ctx, func() {
		if l, berr = begin(); berr == nil && hold && a.open(l) {
			wait = make(chan struct{})
			l.waiters = append(l.waiters, wait)
		}
	})
	if err == nil {
		err = berr
	}
	if err != nil {
		return nil, err
	}
	if wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-a.ctx.Done():
			return nil, errStopping
		}
	}
	var out ipc.SessionBeginResult
	err = a.do(ctx, func() { out = beginResult(l) })
	return out, err
}

// identity is what shows that it is the same supporter again: the name that a
// hook of root's gives. An address is nobody in particular, and whoever runs as
// an ordinary user may give any name.
func identity(p ipc.Peer, s session.Session) string {
	if p.UID != 0 || s.Supporter == s.Address {
		return ""
	}
	if _, err := netip.ParseAddr(s.Supporter); err == nil {
		return ""
	}
	return "root:" + s.Supporter
}

// toolX11VNC is the tool whose hooks name its own process.
const toolX11VNC = "x11vnc"

// open: the question is open, or capture has yet to begin.
func (a *Agent) open(l *live) bool {
	return l.question != nil || (l.rec != nil && !l.rec.on && l.rec.why == whyWaiting)
}

func beginResult(l *live) ipc.SessionBeginResult {
	out := ipc.SessionBeginResult{Session: l.Name, Outcome: l.outcome, Ending: l.ending}
	if d := l.decided; d != nil {
		out.Verdict, out.Reason, out.Desktop, out.Company = d.Decision.Verdict, d.Decision.Reason, d.Desktop, d.CompanyName
	}
	if l.rec != nil {
		out.Groups = l.rec.grant.Grant().Groups
	}
	return out
}

// mayName: root may name any desktop, others only desktops of their own.
func (a *Agent) mayName(p ipc.Peer, name string) error {
	if p.Role() == ipc.RoleAdmin || name == "" {
		return nil
	}
	if d, ok := a.byName(name); ok && d.uid != p.UID {
		return &ipc.Error{Code: ipc.CodeRefused, Message: "this desktop belongs to another user", Hint: "only root may name it"}
	}
	return nil
}

// startWait is how long an event of a tool waits for capture to begin.
const startWait = 2 * time.Second

func (a *Agent) handleEvent(ctx context.Context, c *ipc.Conn, params json.RawMessage) (any, error) {
	var r ipc.SessionEvent
	if err := ipc.Decode(params, &r); err != nil {
		return nil, err
	}
	type result struct {
		r   ipc.SessionEventResult
		err error
	}
	got := make(chan result, 1)
	var wait chan struct{}
	if err := a.do(ctx, func() {
		// Just granted, the indicator is about to appear: wait for it.
		if l := a.find(c.Peer().UID, "", r.ID); l != nil && l.rec != nil && !l.rec.on && l.rec.why == whyWaiting {
			wait = make(chan struct{})
			l.waiters = append(l.waiters, wait)
			return
		}
		a.toolEvent(c, r, func(res ipc.SessionEventResult, err error) { got <- result{res, err} })
	}); err != nil {
		return nil, err
	}
	if wait != nil {
		t := time.NewTimer(startWait)
		defer t.Stop()
		select {
		case <-wait:
		case <-t.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if err := a.do(ctx, func() {
			a.toolEvent(c, r, func(res ipc.SessionEventResult, err error) { got <- result{res, err} })
		}); err != nil {
			return nil, err
		}
	}
	select {
	case g := <-got:
		return g.r, g.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (a *Agent) handleEnd(c *ipc.Conn, r ipc.SessionEnd) (ipc.SessionInfo, error) {
	l := a.find(c.Peer().UID, "", r.ID)
	if l == nil {
		return ipc.SessionInfo{}, a.errNoSession(c.Peer().UID, r.ID)
	}
	info := a.info(l)
	a.end(l, "ended")
	return info, nil
}

// errNoSession says why find found nothing.
func (a *Agent) errNoSession(owner uint32, id string) error {
	var names []string
	for _, l := range a.sessions {
		if l.Owner == owner && l.Watcher == "" && l.Asked == id {
			names = append(names, l.Name)
		}
	}
	if len(names) > 1 {
		slices.Sort(names)
		return &ipc.Error{Code: ipc.CodeConflict, Message: fmt.Sprintf("several open sessions of yours have the id %q", id),
			Hint: "name one whole: " + strings.Join(names, ", ")}
	}
	return &ipc.Error{Code: ipc.CodeNotFound, Message: fmt.Sprintf("there is no open session %q of yours", id),
		Hint: "aval session list shows them; a session ends with its tool"}
}

// desktopEvent takes what the helper saw, for every recording it saw it for.
func (a *Agent) desktopEvent(d *desktop, r ipc.DesktopEvent) {
	if r.Epoch != d.epoch || r.Kind != event.WindowFocused && r.Kind != event.ClipboardUsed {
		return
	}
	fields, err := checkFields(r.Kind, r.Fields)
	if err != nil {
		return
	}
	now := time.Now().UTC()
	at := r.At.UTC()
	if at.After(now) || now.Sub(at) > time.Minute {
		at = now
	}
	for _, name := range d.names {
		if l, ok := a.sessions[name]; ok && l.rec != nil {
			a.take(l, event.Event{Kind: r.Kind, At: at, Fields: fields}, nil)
		}
	}
}

func errFields(format string, args ...any) error {
	return &ipc.Error{Code: ipc.CodeBadRequest, Message: fmt.Sprintf(format, args...), Hint: "docs/events.md lists the kinds and their fields"}
}

// checkFields holds fields from outside against the kind's definition.
func checkFields(k event.Kind, in map[string]string) (map[string]string, error) {
	def, ok := event.Define(k)
	if !ok || k.Mark() {
		return nil, errFields("there is no kind %q that can be reported: %s", k, strings.Join(toolKinds(), ", "))
	}
	for name := range in {
		if !slices.ContainsFunc(def.Fields, func(f event.Field) bool { return f.Name == name }) {
			return nil, errFields("%s has no field %q", k, name)
		}
	}
	for _, f := range def.Fields {
		v := in[f.Name]
		switch {
		case v == "" && f.Required:
			return nil, errFields("%s needs the field %q", k, f.Name)
		case v != "" && len(f.OneOf) > 0 && !slices.Contains(f.OneOf, v):
			return nil, errFields("%s: %s is %s, not %q", k, f.Name, strings.Join(f.OneOf, " or "), v)
		case v != "" && f.Number && !f.Counts(v):
			return nil, errFields("%s: %s is a whole number, not %q", k, f.Name, v)
		}
	}
	return maps.Clone(in), nil
}

// checkToolFields holds fields that a tool reports against the kind's definition. A
// tool may know what was done with it of any kind, such as commands in a terminal of
// its own; but words of the system's, which are not redacted, are not its to say.
func checkToolFields(k event.Kind, in map[string]string) (map[string]string, error) {
	def, _ := event.Define(k)
	for _, f := range def.Fields {
		if in[f.Name] != "" && !k.Mark() && f.Bare() {
			return nil, errFields("%s: %s is told by the system alone", k, f.Name)
		}
	}
	return checkFields(k, in)
}

// toolKinds are the kinds that a tool can report: all of whose required fields it
// may say.
func toolKinds() []string {
	var out []string
	for _, d := range event.Defs {
		if !d.Kind.Mark() && !slices.ContainsFunc(d.Fields, func(f event.Field) bool { return f.Required && f.Bare() }) {
			out = append(out, string(d.Kind))
		}
	}
	return out
}
