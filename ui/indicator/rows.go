package indicator

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"aval/agent/ipc"
	"aval/assets"
	"aval/ui/viewmodel"
)

// mark is the sign at the left of a row.
type mark int

const (
	markRecording mark = iota
	markPaused
	markDone
)

// The bar's own operations; the others are the actions of ipc.RecordingControl.
const (
	opMenu      = "menu"
	opAskDelete = "ask-delete"
	opBack      = "back"
	opView      = "view"   // for whoever opens windows
	opResume    = "resume" // as the service calls it
)

// button is something to press in a row.
type button struct {
	session string
	op      string
	label   string // empty: the three dots
	danger  bool   // what cannot be taken back
	idle    bool   // drawn, and not to be pressed: something is under way
}

// row is one line of the bar.
type row struct {
	mark    mark
	key     string // of the text
	args    assets.Args
	n       int  // for the plural
	plural  bool // whether n counts
	who     string
	buttons []button
	under   bool // a continuation of the row above, without a mark
}

// text is the row's text with the supporter's name as given, which the layout
// may have shortened.
func (r row) text(cat *assets.Catalog, who string) string {
	if r.key == "" {
		return ""
	}
	args := assets.Args{"supporter": who}
	for k, v := range r.args {
		args[k] = v
	}
	if r.plural {
		return cat.N(r.key, r.n, args)
	}
	return cat.T(r.key, args)
}

// touched is what the person did to one session's row, and what came of it.
type touched struct {
	menu     bool
	askUntil time.Time // the second question before deleting
	busy     bool
	failed   time.Time // until when the message stays
	hand     bool      // what failed was pressed by no hand at this computer, as far as is known
	objected bool
	kept     bool                 // the service shows it no more; its question is open
	last     ipc.IndicatorSession // as last shown
}

// bar is what is shown: the service's state and the person's doings.
type bar struct {
	state   ipc.Indicator
	touched map[string]*touched
}

// show takes a new state. A row that has ended and whose second question is
// open stays until it is answered or takes itself back.
func (b *bar) show(state ipc.Indicator, now time.Time) {
	state.Sessions = slices.Clone(state.Sessions)
	there := map[string]bool{}
	for _, s := range state.Sessions {
		there[s.Session] = true
	}
	for id, t := range b.touched {
		switch {
		case there[id]:
		case t.last.Ended && now.Before(t.askUntil):
			t.kept = true
			state.Sessions = append(state.Sessions, t.last)
		default:
			delete(b.touched, id)
		}
	}
	for _, s := range state.Sessions {
		t := b.of(s.Session)
		if s.Ended && !t.last.Ended {
			*t = touched{} // a menu of the recording is none of the ended one's
		}
		t.last = s
	}
	b.state = state
}

func (b *bar) of(session string) *touched {
	if b.touched == nil {
		b.touched = map[string]*touched{}
	}
	t, ok := b.touched[session]
	if !ok {
		t = &touched{}
		b.touched[session] = t
	}
	return t
}

// tick lets go of the rows that were kept only for their open question.
func (b *bar) tick(now time.Time) {
	b.state.Sessions = slices.DeleteFunc(b.state.Sessions, func(s ipc.IndicatorSession) bool {
		t := b.of(s.Session)
		gone := t.kept && !t.busy && !now.Before(t.askUntil)
		if gone {
			delete(b.touched, s.Session)
		}
		return gone
	})
}

// press does what a button does. An action for the service is returned.
func (b *bar) press(p button, now time.Time) (ipc.RecordingControl, bool) {
	t := b.of(p.session)
	switch p.op {
	case opMenu:
		t.menu = !t.menu
	case opAskDelete:
		t.menu, t.askUntil = false, now.Add(askFor)
	case opBack:
		t.askUntil = time.Time{}
	case opView:
		t.menu = false
		return ipc.RecordingControl{Session: p.session, Action: opView}, true
	default: // the bar stands still until it is known who pressed
		t.busy = true
		return ipc.RecordingControl{Session: p.session, Action: p.op}, true
	}
	return ipc.RecordingControl{}, false
}

// report takes what became of an action.
func (b *bar) report(c ipc.RecordingControl, err error, now time.Time) {
	t, ok := b.touched[c.Session]
	if !ok {
		return
	}
	t.busy, t.askUntil = false, time.Time{}
	if err != nil {
		t.failed, t.hand = now.Add(noteFor), c.Action == opResume && refused(err)
		return
	}
	t.menu, t.failed = false, time.Time{}
	switch {
	case c.Action == "object":
		t.objected = true
	case t.last.Ended && c.Action == "stop-and-delete":
		b.state.Sessions = slices.DeleteFunc(b.state.Sessions, func(s ipc.IndicatorSession) bool { return s.Session == c.Session && !s.DeleteAsked })
	}
}

// refused tells whether the service was there and would not.
func refused(err error) bool {
	var e *ipc.Error
	return errors.As(err, &e) && e.Code == ipc.CodeRefused
}

// settleFor is for how long clicks do not count after these rows came.
func settleFor(rows []row) time.Duration {
	for _, r := range rows {
		if slices.ContainsFunc(r.buttons, func(b button) bool { return b.op == "stop-and-delete" }) {
			return settleHand
		}
	}
	return settle
}

// rows says what there is to draw.
func (b *bar) rows(cat *assets.Catalog, now time.Time) []row {
	var out []row
	for _, s := range b.state.Sessions {
		out = append(out, b.row(s, cat, now)...)
	}
	return out
}

func (b *bar) row(s ipc.IndicatorSession, cat *assets.Catalog, now time.Time) []row {
	t := b.of(s.Session)
	who := viewmodel.Clean(s.Supporter, 64)
	if who == "" {
		who = cat.T("indicator.nobody", nil)
	}
	r := row{who: who, args: assets.Args{"elapsed": elapsed(now.Sub(s.Since))}}
	add := func(op, key string, danger bool) {
		b := button{session: s.Session, op: op, danger: danger, idle: t.busy}
		if key != "" {
			b.label = cat.T(key, nil)
		}
		r.buttons = append(r.buttons, b)
	}
	asking := now.Before(t.askUntil)
	switch {
	case s.Ended:
		r.mark = markDone
		r.key, r.n, r.plural = "indicator.ended", int(min(s.Items, 1<<30)), true
		switch {
		case s.Erased:
			r.key, r.plural = "indicator.ended.erased", false
		case s.DeleteAsked:
			r.key, r.plural = "indicator.ended.asked", false
		case s.Items == 0:
			r.key, r.plural = "indicator.ended.nothing", false
		case asking:
			r.key, r.plural = "indicator.ask.ended", false
			add("stop-and-delete", "indicator.delete", true)
			add(opBack, "indicator.back", false)
		default:
			if s.Waiting {
				r.key = "indicator.ended.waiting"
			}
			add(opView, "indicator.see", false)
			if !s.Enforced {
				add(opAskDelete, "indicator.delete", false)
			}
		}
	case s.Enforced:
		r.key = "indicator.recording"
		if t.objected {
			r.key = "indicator.objected"
		} else {
			add("object", "indicator.object", false)
		}
		add(opMenu, "", false)
	case asking:
		r.key = "indicator.ask.stop"
		r.mark = markRecording
		if s.Paused {
			r.mark = markPaused
		}
		add("stop-and-delete", "indicator.stopdelete", true)
		add(opBack, "indicator.back", false)
	case s.Paused:
		r.mark, r.key = markPaused, "indicator.paused"
		add(opResume, "indicator.resume", false)
		add("stop", "indicator.stop", false)
		add(opMenu, "", false)
	default:
		r.key = "indicator.recording"
		if !s.AllowedAt.IsZero() {
			r.key, r.args["time"] = "indicator.earlier", s.AllowedAt.Local().Format("15:04")
		}
		add("pause", "indicator.pause", false)
		add("stop", "indicator.stop", false)
		add(opMenu, "", false)
	}
	if !s.Ended && s.Held != "" && !s.Paused && !asking { // also where it is enforced
		r.mark, r.key = markPaused, "indicator.held"
		if key := "indicator.held." + s.Held; cat.Forms(key) > 0 {
			r.key = key
		}
	}
	if now.Before(t.failed) {
		r.key, r.plural = "indicator.failed", false
		if t.hand {
			r.key = "indicator.remote"
		}
	}
	out := []row{r}
	if t.menu && !s.Ended && (!asking || s.Enforced) {
		under := row{under: true, buttons: []button{{session: s.Session, op: opView, label: cat.T("indicator.view", nil)}}}
		if !s.Enforced {
			under.buttons = append(under.buttons, button{
				session: s.Session, op: opAskDelete, label: cat.T("indicator.stopdelete", nil), idle: t.busy,
			})
		}
		out = append(out, under)
	}
	return out
}

// elapsed writes a duration as 03:12, from an hour on as 1:03:12.
func elapsed(d time.Duration) string {
	s := int(max(d, 0) / time.Second)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%02d:%02d", s/60, s%60)
}
