package agent

import (
	"crypto/ed25519"
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"aval/agent/capture"
	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
	"aval/agent/record"
	"aval/agent/store"
)

// recording is what a grant starts. Only the loop touches it; its writer is a
// goroutine of its own, so that the loop does not wait for the disk with each event:
// only for records, and when the recording ends.
type recording struct {
	grant  record.Verified
	stream store.Stream
	since  time.Time
	paused bool

	on     bool   // events are taken now
	why    string // why not, while off
	desk   bool   // what shows the desktop is taken too: no other session forbids it
	gapDue bool   // an off that was not there from the start is told by a gap
	// deskGap: a gap tells that another session forbids what shows the desktop.
	deskGap bool
	// shownSince is, for each desktop, the first revision of its indicator that
	// shows this recording; 0: not yet.
	shownSince map[string]uint64
	running    *capture.Running
	writer     *writer
	last       uint64        // last sequence that is durable
	dropped    atomic.Uint64 // captured events that found the mailbox full
	expiry     *time.Timer
}

// Why nothing is recorded although there is a grant.
const (
	whyPaused       = "paused"
	whyOtherSession = "other-session"
	whyIndicator    = "indicator-lost"
	whyLocked       = "desktop-locked"
	whyWaiting      = "waiting-for-indicator"
	whyFull         = "disk-full"
	whyExpired      = "expired"
	whyUnconfirmed  = "unconfirmed"
	whyNarrowed     = "narrowed" // of a gap: the person left groups out from here on
)

// grant signs the grant, makes it durable, and only then lets capture start.
func (a *Agent) grant(l *live, basis consent.Basis, groups []event.Group, asked *record.Asked, by consent.Provenance, test bool) {
	now := time.Now().UTC()
	g := record.Grant{
		Head: a.head(l), Decided: a.body(l, asked, by), Basis: basis, Groups: groups,
		NotBefore: now, Expires: now.Add(record.MaxGrantAge), Engine: l.decided.Engine,
		RetentionDays: l.decided.RetentionDays, Notice: l.decided.Decision.Notice, Test: test,
	}
	g.At = now
	a.rest(l, &g)
	raw, err := a.write(g.Head, record.TypeGrant, g)
	if err == nil {
		err = a.startRecording(l, raw, now)
	}
	if err != nil {
		a.log.Error("start recording", "session", l.Name, "err", err)
		a.notes = appendNote(a.notes, "A recording could not be started: "+err.Error())
		l.rec, l.outcome = nil, consent.OutcomeDenied
		a.letGo(l, whyExpired)
		a.settled(l)
		return
	}
	a.lastingOf(g)
	if err := a.keep(l); err != nil {
		a.log.Error("keep session", "session", l.Name, "err", err)
	}
}

// ownKey is the key that signs this computer's grants.
func (a *Agent) ownKey() record.Keys { return record.OneKey(a.key.Public().(ed25519.PublicKey)) }

// startRecording verifies the signed grant again, as everybody else will, and
// opens its stream.
func (a *Agent) startRecording(l *live, raw []byte, since time.Time) error {
	v, err := record.VerifyGrant(raw, a.ownKey(), time.Now())
	if err != nil {
		return err
	}
	st := store.Stream{Company: v.Grant().Company, Session: l.Name}
	open := a.store.OpenStream
	if a.unproven(v.Grant()) {
		open = a.store.OpenHeld
	}
	if err := open(st, v.Grant().ID, raw); err != nil {
		return err
	}
	r := &recording{grant: v, stream: st, since: since}
	if h := l.awaiting; h != nil && h.stream == st {
		r.since, r.last, r.gapDue = h.since, h.last, true
		l.awaiting = nil
		a.attach(l, r)
	} else {
		a.attach(l, r).writer.put(written{ev: a.mark(event.SessionStarted, map[string]string{"tool": l.Tool})})
	}
	a.showOn(l)
	a.gateAll()
	a.notify(l)
	// A caller that waits is let go when capture runs, or after a moment.
	a.after(2*time.Second, func() { a.settled(l) })
	return nil
}

// attach gives a session its recording, with a writer, and its end in time.
func (a *Agent) attach(l *live, r *recording) *recording {
	r.why, r.shownSince = whyWaiting, map[string]uint64{}
	r.writer = a.newWriter(l, r)
	r.expiry = a.after(time.Until(r.grant.Grant().Expires), func() {
		a.expired(l, r)
	})
	l.rec = r
	return r
}

// resume takes a recording up again after a restart of the service.
func (a *Agent) resume(l *live, k kept) {
	if err := a.startResumed(l, k); err != nil {
		a.log.Error("resume recording", "session", l.Name, "err", err)
		l.rec = nil
	}
}

func (a *Agent) startResumed(l *live, k kept) error {
	v, err := record.VerifyGrant(k.Grant, a.ownKey(), time.Now())
	if err != nil {
		return err
	}
	st := store.Stream{Company: v.Grant().Company, Session: l.Name}
	streams, err := a.store.Streams()
	if err != nil {
		return err
	}
	i := slices.IndexFunc(streams, func(s store.StreamInfo) bool { return s.Stream == st })
	if i >= 0 && (streams[i].Withdrawn || streams[i].DeleteAsked) {
		l.outcome = consent.OutcomeWithdrawn
	}
	if i < 0 || streams[i].Closed || streams[i].Withdrawn || streams[i].DeleteAsked || streams[i].Erased {
		return errors.New("its stream is closed")
	}
	r := a.attach(l, &recording{grant: v, stream: st, since: k.Since, paused: k.Paused, gapDue: true, last: streams[i].Last})
	if r.last == 0 { // it ended between the grant and the first mark
		r.writer.put(written{ev: a.mark(event.SessionStarted, map[string]string{"tool": l.Tool})})
	}
	r.writer.put(written{ev: a.mark(event.Gap, map[string]string{"reason": "agent-restarted"})})
	return nil
}

func (a *Agent) mark(k event.Kind, fields map[string]string) event.Event {
	return event.Event{Kind: k, At: time.Now().UTC(), Fields: fields}
}

// showOn tells the desktops of a session that its indicator has changed.
func (a *Agent) showOn(l *live) {
	for _, id := range l.desktops {
		if d, ok := a.desktops[id]; ok {
			a.showIndicator(d)
			if l.rec != nil && l.rec.shownSince[id] == 0 {
				l.rec.shownSince[id] = d.revision
			}
		}
	}
}

// gateAll looks at every recording: may it take events now?
func (a *Agent) gateAll() {
	for _, l := range a.sessions {
		if l.rec != nil {
			a.gate(l)
		}
	}
	for _, d := range a.desktops {
		a.watchWindows(d)
		a.listenOn(d)
	}
}

// gate switches one recording on or off, and tells a gap where there was a change.
func (a *Agent) gate(l *live) {
	a.gateEvents(l)
	r := l.rec
	desk := r.on && !a.blocked(l)
	if desk == r.desk {
		return
	}
	r.desk = desk
	if desk {
		if r.deskGap {
			r.deskGap = false
			r.writer.put(written{ev: a.mark(event.Gap, map[string]string{"reason": "resumed"})})
		}
		a.startCapture(l)
		return
	}
	a.stopCapture(r)
	if r.on {
		r.deskGap = true
		r.writer.put(written{ev: a.mark(event.Gap, map[string]string{"reason": whyOtherSession})})
	}
}

func (a *Agent) gateEvents(l *live) {
	r := l.rec
	why := a.closedBy(l)
	on := why == ""
	if on == r.on && why == r.why {
		return
	}
	was := r.why
	wasOn := r.on
	r.on, r.why = on, why
	switch {
	case on:
		if r.gapDue {
			r.writer.put(written{ev: a.mark(event.Gap, map[string]string{"reason": "resumed"})})
			r.gapDue = false
		}
		a.settled(l)
	case wasOn || (!r.gapDue && was != why && why != whyWaiting):
		r.writer.put(written{ev: a.mark(event.Gap, map[string]string{"reason": why})})
		r.gapDue = true
	}
	a.log.Info("capture", "session", l.Name, "on", on, "why", why)
	if held(was) != held(why) {
		a.showOn(l) // the bar must not say that it records
	}
}

// held is what the bar says of an off that the person did not choose; empty for
// the others: a pause has its own words, and without a bar nobody reads any.
func held(why string) string {
	if why == whyFull || why == whyUnconfirmed {
		return why
	}
	return ""
}

func (r *recording) held() string { return held(r.why) }

// closedBy says what keeps a recording from taking events now; empty: nothing.
func (a *Agent) closedBy(l *live) string {
	r := l.rec
	switch {
	case !r.grant.Valid(time.Now()):
		return whyExpired
	case l.unconfirmed:
		return whyUnconfirmed
	case r.paused:
		return whyPaused
	case r.writer.full:
		return whyFull
	}
	if a.unknown(l) {
		return whyIndicator // somebody has come whom nothing shows it to
	}
	for _, id := range l.desktops {
		d, ok := a.desktops[id]
		switch {
		case !ok:
			return whyIndicator
		case d.locked:
			return whyLocked
		}
		if r.shownSince[id] == 0 || (d.visible < r.shownSince[id] && !d.hidden) {
			if r.shownSince[id] == 0 {
				a.showIndicator(d)
				r.shownSince[id] = d.revision
			}
			return whyWaiting
		}
		if !d.indicates(r) {
			return whyIndicator
		}
	}
	return ""
}

// blocked tells whether another session on one of l's desktops was denied or has
// not been answered: nothing that shows that desktop may be captured.
func (a *Agent) blocked(l *live) bool {
	for _, o := range a.sessions {
		if o == l || !unsettled(o) {
			continue
		}
		for _, id := range o.desktops {
			if slices.Contains(l.desktops, id) {
				return true
			}
		}
	}
	return false
}

// unsettled: the session was denied, or its question is open or was not answered.
// One that had been allowed and was lost sight of forbids nothing.
func unsettled(l *live) bool {
	return l.decided != nil && l.rec == nil && l.outcome != consent.OutcomeNotRequested &&
		!(l.lost && l.outcome == consent.OutcomeAllowed)
}

// startCapture starts what is captured for a recording outside its windows.
func (a *Agent) startCapture(l *live) {
	r := l.rec
	scope, ok := a.scope(l)
	if !ok || r.running != nil {
		return
	}
	run, err := capture.Start(a.ctx, scope, func(k event.Kind, at time.Time, fields map[string]string) {
		ev := event.Event{Kind: k, At: at, Fields: fields}
		if !a.tryPost(func() {
			if l.rec == r {
				a.take(l, ev, nil)
			}
		}) {
			r.dropped.Add(1)
		}
	}, r.grant)
	if err != nil {
		if !errors.Is(err, capture.ErrNoGrant) {
			a.log.Warn("start capture", "session", l.Name, "err", err)
		}
		return
	}
	r.running = run
}

// scope says whose doing belongs to the session.
func (a *Agent) scope(l *live) (capture.Scope, bool) {
	if l.Login != nil {
		return capture.Scope{Leader: l.Login.Leader, UID: l.Login.UID, Own: a.cfg.StateDir}, true
	}
	if len(l.desktops) != 1 {
		return capture.Scope{}, false
	}
	d, ok := a.desktops[l.desktops[0]]
	if !ok {
		return capture.Scope{}, false
	}
	return capture.Scope{UID: d.uid, Display: d.reg.Display, Own: a.cfg.StateDir}, true
}

// take admits one event to a recording: the last gate before the disk. done may
// be nil; otherwise it is called once, when the event is durable or refused.
func (a *Agent) take(l *live, ev event.Event, done func(seq uint64, refused string)) {
	refuse := func(why string) {
		if done != nil {
			done(0, why)
		}
	}
	r := l.rec
	switch {
	case r == nil:
		refuse("no-grant")
	case !r.on:
		refuse(r.why)
	case !r.grant.Covers(ev.Kind, ev.At) || !event.Covered(ev.Kind, a.recordable(l)):
		refuse("not-covered")
	case a.showsDesktop(l, ev.Kind) && !r.desk:
		refuse(whyOtherSession)
	default:
		if n := r.dropped.Swap(0); n > 0 {
			r.writer.put(written{ev: a.mark(event.Gap, map[string]string{"reason": "dropped", "count": strconv.FormatUint(n, 10)})})
		}
		ev.Fields = a.granted(l, ev)
		if !r.writer.put(written{ev: ev, done: done}) && done == nil {
			r.dropped.Add(1)
		}
	}
}

// granted leaves out the fields that need a group which is not recorded.
func (a *Agent) granted(l *live, ev event.Event) map[string]string {
	def, _ := event.Define(ev.Kind)
	out := maps.Clone(ev.Fields)
	for _, f := range def.Fields {
		if f.Needs != "" && !slices.Contains(a.recordable(l), f.Needs) {
			delete(out, f.Name)
		}
	}
	return out
}

func (a *Agent) showsDesktop(l *live, k event.Kind) bool {
	def, ok := event.Define(k)
	return ok && !k.Mark() && def.Group.ShowsDesktop() && len(l.desktops) > 0
}

// halt stops the capture of a recording without ending its stream.
func (a *Agent) halt(l *live) {
	r := l.rec
	r.on, r.why = false, "stopping"
	r.expiry.Stop()
	a.stopCapture(r)
	r.writer.close()
}

func (a *Agent) stopCapture(r *recording) {
	if r.running != nil {
		r.running.Stop()
		r.running = nil
	}
}

// finish ends a recording: capture stops now, what was taken is written, the
// last mark follows, and the desktop says for a moment that it is over.
func (a *Agent) finish(l *live, reason string) {
	r := l.rec
	a.halt(l)
	l.rec = nil
	last := r.writer.wait()
	a.closeStream(r.stream, last, reason)
	a.showEnded(l, r, last+1, false)
}

// showEnded tells the desktops that the recording is over, for ten seconds, and
// as long as something of it is still here, that it is; or that the person is
// going to be asked whether it is deleted.
func (a *Agent) showEnded(l *live, r *recording, items uint64, deleteAsked bool) {
	row := ipc.IndicatorSession{Session: l.Name, Supporter: l.Supporter, Company: r.grant.Grant().CompanyName,
		Since: r.since, Ended: true, Erased: l.outcome == consent.OutcomeErased, DeleteAsked: deleteAsked, Items: items,
		Enforced: r.grant.Grant().Basis == consent.BasisEnforcedPolicy, Waiting: !deleteAsked && a.waits(r.stream)}
	until := time.Now().Add(10 * time.Second)
	for _, id := range l.desktops {
		d, ok := a.desktops[id]
		if !ok {
			continue
		}
		d.ended = append(d.ended, row)
		a.showIndicator(d)
		a.after(time.Until(until), func() {
			d.ended = slices.DeleteFunc(d.ended, func(s ipc.IndicatorSession) bool { return s.Session == row.Session })
			if a.desktops[id] == d {
				a.showIndicator(d)
			}
		})
	}
	if row.Waiting {
		a.after(time.Second, func() { a.sentMeanwhile(r.stream, until) })
	}
}

// sentMeanwhile looks every second whether what was recorded has arrived, while
// the desktops show that it is over.
func (a *Agent) sentMeanwhile(st store.Stream, until time.Time) {
	if time.Now().After(until) {
		return
	}
	if a.waits(st) {
		a.after(time.Second, func() { a.sentMeanwhile(st, until) })
		return
	}
	for _, d := range a.desktops {
		if i := slices.IndexFunc(d.ended, func(s ipc.IndicatorSession) bool { return s.Session == st.Session && s.Waiting }); i >= 0 {
			d.ended[i].Waiting = false
			a.showIndicator(d)
		}
	}
}

// waits tells whether something of a stream has not arrived at its company, or
// may not have.
func (a *Agent) waits(st store.Stream) bool {
	streams, err := a.store.Streams()
	i := slices.IndexFunc(streams, func(s store.StreamInfo) bool { return s.Stream == st })
	return err != nil || i >= 0 && !streams[i].Erased && streams[i].Acked < streams[i].Last
}
