package indicator

import (
	"errors"
	"image"
	"time"
)

var errNotThere = errors.New("unmapped")

// look asks the server whether the bar can really be seen, and mends what it can.
func (b *board) look(now time.Time, beat bool) {
	if !b.there() {
		return
	}
	b.lastLook = now
	err := b.check(now)
	s := State{Revision: b.state.Revision, Visible: err == nil, Window: b.s.id()}
	if err != nil {
		s.Why = err.Error()
	}
	b.say(s, beat)
}

// say passes a state on. The latest word replaces one that was not read yet.
func (b *board) say(s State, beat bool) {
	if s == b.said && !beat {
		return
	}
	b.said = s
	select {
	case <-b.visible:
	default:
	}
	b.visible <- s // room was just made, and only run sends
}

// check returns nil when at least half of the bar is on the screen, mapped and
// not covered, or was so less than coveredFor ago and is being brought back.
func (b *board) check(now time.Time) error {
	real, shown, err := b.s.state()
	if err != nil { // destroyed by somebody else
		b.s.hide()
		b.redraw(now)
		return errNotThere
	}
	if !shown {
		b.s.again()
		return errNotThere
	}
	monitors, _ := b.s.monitors()
	if b.drag == nil && (real.Min != b.at || real.Size() != b.f.size) { // moved by somebody else
		b.resize()
		b.move(inside(monitorAt(monitors, real), b.f.size, real.Min))
		b.paint()
		if shownPart(monitors, real) < 0.5 {
			return errors.New("off-screen")
		}
	}
	b.comeBack(monitors, now)

	above, err := b.s.above()
	if err != nil {
		return err
	}
	b.covered = coveredPart(b.rect(), above)
	if b.covered == 0 {
		b.coveredSince = time.Time{}
		return nil
	}
	if b.coveredSince.IsZero() {
		b.coveredSince = now
	}
	// Something else may want to be on top as well: a few times in quick
	// succession, then only now and then, so that the two do not fight.
	since := now.Sub(b.coveredSince)
	if since <= coveredFor || now.Sub(b.lastRaise) >= 10*time.Second {
		b.lastRaise = now
		b.s.raise()
	}
	if b.covered >= 0.5 && since > coveredFor {
		return errors.New("covered")
	}
	return nil
}

// comeBack brings a bar that was pushed over an edge back after a while.
func (b *board) comeBack(monitors []image.Rectangle, now time.Time) {
	part, was := shownPart(monitors, b.rect()), b.rect()
	switch {
	case b.drag != nil || part >= 0.999:
		b.overSince = time.Time{}
	case part < 0.5: // a monitor went away
		m := b.s.inUse(monitors)
		b.move(b.clear(m, image.Pt(m.Min.X+(m.Dx()-b.f.size.X)/2, m.Min.Y), was))
	case b.overSince.IsZero():
		b.overSince = now
	case now.Sub(b.overSince) >= backAfter:
		b.move(b.clear(monitorAt(monitors, b.rect()), b.at, was))
	}
}
