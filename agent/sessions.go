package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
	"aval/agent/session"
	"aval/agent/session/watch"
	"aval/agent/store"
)

// live is a session that has not ended. Only the loop touches it.
type live struct {
	session.Session
	decided  *decided // nil until decided
	question *question
	rec      *recording
	awaiting *awaiting // nil: no stream waits for a further yes
	answer   *answer   // what the next grant rests on; nil: a question of its own
	desktops []string  // the desktops it views, as far as known
	outcome  consent.Outcome
	ending   consent.Ending
	noticed  []string        // desktops that were told of the policy
	asks     int             // how often it was asked about
	waiters  []chan struct{} // closed once the question has ended and capture runs or cannot
	stopWait func()          // ends the wait for the process
	// unconfirmed: after a restart, until its source says that it goes on.
	unconfirmed bool
	// lost: after a restart nothing says any more whether it goes on. Nothing of it is
	// recorded, and its supporter counts as there until its process ends.
	lost    bool
	carried bool // of a session that a code opened: a remote tool's was there with it
}

// begin registers a session and has it decided. A session that is live already
// answers with where it stands: hooks may call twice.
func (a *Agent) begin(s session.Session) (*live, error) {
	s.Desktop = watch.Display(s.Desktop)
	if l := a.find(s.Owner, s.Watcher, s.Name); l != nil {
		return l, nil
	}
	if len(a.sessions) >= maxSessions {
		return nil, &ipc.Error{Code: ipc.CodeRefused, Message: fmt.Sprintf("%d sessions are open already", maxSessions), Hint: "end some with aval session end"}
	}
	l := &live{Session: s}
	if l.confined() && !a.calm(s.Owner) {
		return nil, errTooMany
	}
	l.Name = a.unusedName(s.Name)
	s = l.Session
	a.sessions[s.Name] = l
	a.waitFor(l)
	a.announcedNow(l)
	a.decide(l)
	a.followRemote(l)
	a.tendGuest(a.guests[l.Guest])
	// A supporter is there again: what was asked after they left must wait.
	a.tellLeaves(consent.EventSessionOver, func(lv *leave) bool { return a.supporterOn(lv.desk.uid) })
	return l, nil
}

// An ordinary user's programs may begin this many sessions within this time:
// nobody is to be worn down by questions.
const (
	maxBegins    = 10
	beginsWithin = 10 * time.Minute
)

// calm tells whether a user may begin another session, and counts it.
func (a *Agent) calm(uid uint32) bool {
	now := time.Now()
	recent := slices.DeleteFunc(a.begins[uid], func(t time.Time) bool { return now.Sub(t) > beginsWithin })
	if len(recent) >= maxBegins {
		return false
	}
	a.begins[uid] = append(recent, now)
	return true
}

// maxSessions bounds what a flood of begins can do.
const maxSessions = 256

// unusedName gives a name that no earlier session had: a tool that counts its
// connections from 1 at each start must not write into an old session.
func (a *Agent) unusedName(name string) string {
	base := name
	for i := 2; a.used[name]; i++ {
		name = base + "~" + strconv.Itoa(i)
	}
	a.used[name] = true
	return name
}

// loadNames reads the names that sessions had before.
func (a *Agent) loadNames() error {
	a.used = map[string]bool{}
	streams, err := a.store.Streams()
	if err != nil {
		return fmt.Errorf("read sessions: %w", err)
	}
	for _, s := range streams {
		a.used[s.Session] = true
	}
	if err := a.loadRecords(); err != nil {
		return fmt.Errorf("read records: %w", err)
	}
	return nil
}

// find looks up a live session by TOOL/ID or ID as its owner gave it.
func (a *Agent) find(owner uint32, watcher, id string) *live {
	var found *live
	for _, l := range a.sessions {
		if l.Owner != owner || l.Watcher != watcher {
			continue
		}
		if l.Name == id || l.Tool+"/"+l.Asked == id {
			return l
		}
		if l.Asked == id {
			if found != nil {
				return nil // two tools use the same id: the caller must say which
			}
			found = l
		}
	}
	return found
}

// waitFor ends the session when its process ends. The watcher of tools waits
// itself, and says how it ended.
func (a *Agent) waitFor(l *live) {
	if l.PID == 0 || l.Watcher == watcherTools {
		return
	}
	stop := make(chan struct{})
	var closed bool
	l.stopWait = func() {
		if !closed {
			closed = true
			close(stop)
		}
	}
	exit := watch.WaitExit(a.ctx, l.PID, l.PIDStart)
	name := l.Name
	a.work.Go(func() {
		select {
		case <-exit:
			if a.ctx.Err() != nil {
				return
			}
			a.post(func() {
				if cur, ok := a.sessions[name]; ok && cur == l {
					a.end(l, "ended")
				}
			})
		case <-stop:
		case <-a.ctx.Done():
		}
	})
}

// end ends a session: its question, its recording, everything.
func (a *Agent) end(l *live, reason string) {
	if a.sessions[l.Name] != l {
		return
	}
	if q := l.question; q != nil {
		now := time.Now()
		for _, ask := range q.asks {
			ask.Happened(consent.EventSessionOver, now)
		}
		a.settle(l)
	}
	if l.stopWait != nil {
		l.stopWait()
	}
	if l.rec != nil {
		a.finish(l, reason)
	}
	a.letGo(l, reason)
	delete(a.sessions, l.Name)
	a.forget(l)
	l.release()
	a.trimSoon()
	a.askHeld()
	a.guestEnded(l)
	a.log.Info("session ended", "session", l.Name, "reason", reason)
	a.gateAll()
	a.endUncarried()
}

// release lets callers go who wait for the question's end.
func (l *live) release() {
	for _, w := range l.waiters {
		close(w)
	}
	l.waiters = nil
}

// kept is what the store holds of a live session for a restart of the service.
type kept struct {
	Session  session.Session `json:"session"`
	Decided  *decided        `json:"decided"`
	Outcome  consent.Outcome `json:"outcome"`
	Ending   consent.Ending  `json:"ending,omitempty"`
	Asks     int             `json:"asks,omitempty"`
	Noticed  []string        `json:"noticed,omitempty"`
	Desktops []string        `json:"desktops,omitempty"`
	Grant    json.RawMessage `json:"grant,omitempty"`
	Paused   bool            `json:"paused,omitempty"`
	Since    time.Time       `json:"since,omitzero"`
	Awaits   bool            `json:"awaits,omitempty"` // the grant is over, the stream open
}

// keep writes the session down. Sessions that are not recorded are kept as
// well: a denied one must go on keeping its desktop out of other recordings.
func (a *Agent) keep(l *live) error {
	k := kept{Session: l.Session, Decided: l.decided, Outcome: l.outcome, Ending: l.ending, Asks: l.asks, Noticed: l.noticed, Desktops: l.desktops}
	if r := l.rec; r != nil {
		k.Grant, k.Paused, k.Since = r.grant.Raw(), r.paused, r.since
	}
	if l.awaiting != nil {
		k.Awaits, k.Since = true, l.awaiting.since
	}
	raw, err := json.Marshal(k)
	if err != nil {
		return fmt.Errorf("encode session: %w", err)
	}
	return a.store.PutSession(l.Name, raw)
}

func (a *Agent) forget(l *live) {
	if err := a.store.DeleteSession(l.Name); err != nil {
		a.log.Error("forget session", "session", l.Name, "err", err)
	}
}

// restore takes up the sessions that were live when the service ended last. One
// goes on only when its source confirms it; the others end as lost. An open
// question ends: nobody is at its window any more.
func (a *Agent) restore() {
	all, err := a.store.Sessions()
	if err != nil {
		a.log.Error("read sessions", "err", err)
		a.notes = append(a.notes, "The sessions that were open could not be read; they count as lost.")
		return
	}
	for name, raw := range all {
		var k kept
		if err := json.Unmarshal(raw, &k); err != nil || k.Session.Name != name {
			a.log.Error("session is damaged: it counts as lost", "session", name)
			a.forget(&live{Session: session.Session{Name: name}})
			continue
		}
		l := &live{Session: k.Session, decided: k.Decided, outcome: k.Outcome, ending: k.Ending, asks: k.Asks, noticed: k.Noticed, desktops: k.Desktops}
		a.sessions[name] = l
		if k.Awaits {
			a.hold(l, k)
		}
		switch {
		case k.Outcome == consent.OutcomeAsking:
			// The window of an older process never answers.
			l.outcome, l.ending = consent.OutcomeCouldNotAsk, consent.EndingStopped
			a.writeOutcome(l, nil, "")
		case len(k.Grant) > 0:
			a.resume(l, k)
		}
		if !l.processLives() {
			a.end(l, "lost")
			continue
		}
		a.waitFor(l)
		switch {
		case l.Watcher == watcherLogs:
			// What a log said meanwhile was not read, and its program outlives its sessions.
			a.loseSight(l)
		case l.Watcher == watcherTools:
			l.unconfirmed = true // its process serves others too
		case l.Tool == toolX11VNC:
			a.confirmClient(l)
		}
	}
	a.closeOrphans()
}

// loseSight ends what is recorded of a session that may go on or not.
func (a *Agent) loseSight(l *live) {
	l.lost = true
	if l.rec != nil {
		a.finish(l, "lost")
	}
	a.letGo(l, "lost")
	if err := a.keep(l); err != nil {
		a.log.Error("keep session", "session", l.Name, "err", err)
	}
}

// processLives tells whether the process that the session hangs on is still the
// same one; a session without one is confirmed by nothing.
func (l *live) processLives() bool {
	if l.PID == 0 {
		return false
	}
	start, ok := watch.ProcStart(l.PID)
	return ok && start == l.PIDStart
}

// confirmClient asks x11vnc whether the session's client is still connected: its
// process outlives the client. That takes seconds, so it goes on beside the
// loop; until it is known, nothing is captured, and the client's own end is heard.
func (a *Agent) confirmClient(l *live) {
	l.unconfirmed = true
	pid, id := l.PID, l.Asked
	a.work.Go(func() {
		alive, known := watch.ConfirmX11VNC(a.ctx, pid, id)
		if a.ctx.Err() != nil {
			return
		}
		a.post(func() {
			if a.sessions[l.Name] != l {
				return
			}
			l.unconfirmed = false
			if !known || !alive {
				a.end(l, "lost")
				return
			}
			a.gateAll()
			a.askAgain(l)
		})
	})
}

// closeOrphans ends streams that no live session stands behind: the service
// ended between two of its steps, and finishes forward.
func (a *Agent) closeOrphans() {
	streams, err := a.store.Streams()
	if err != nil {
		a.log.Error("read streams", "err", err)
		return
	}
	if err := a.finishWithdrawals(streams); err != nil {
		a.log.Error("finish withdrawals", "err", err)
		a.notes = appendNote(a.notes, "A withdrawal could not be finished: "+err.Error()+". Nothing of it leaves this computer; it is tried again at the next start.")
	}
	for _, s := range streams {
		if s.Closed || s.Withdrawn || s.Erased || s.DeleteAsked { // askHeld sees to the last
			continue
		}
		if l, ok := a.sessions[s.Session]; ok && (l.rec != nil || (l.awaiting != nil && l.awaiting.stream == s.Stream)) {
			continue
		}
		a.closeStream(s.Stream, s.Last, "lost")
	}
}

// closeStream appends the last mark and closes the stream.
func (a *Agent) closeStream(st store.Stream, last uint64, reason string) {
	ev := event.Event{Session: st.Session, Kind: event.SessionEnded, At: time.Now().UTC(), Fields: map[string]string{
		"reason": reason, "events": strconv.FormatUint(last+1, 10),
	}}
	if _, err := a.store.Append(a.ctx, st, []event.Event{ev}); err != nil && !errors.Is(err, store.ErrErased) {
		a.log.Error("end stream", "session", st.Session, "err", err)
	}
	if err := a.store.CloseStream(st); err != nil {
		a.log.Error("close stream", "session", st.Session, "err", err)
	}
}

// stop is the orderly end of the service: open questions end, recordings pause
// on disk and go on after the restart if their source confirms them.
func (a *Agent) stop() {
	now := time.Now()
	for _, l := range a.sessions {
		if l.question != nil {
			for _, ask := range l.question.asks {
				ask.Happened(consent.EventStopped, now)
			}
			a.settle(l)
		}
		if l.rec != nil {
			a.halt(l)
		}
		l.release()
	}
}
