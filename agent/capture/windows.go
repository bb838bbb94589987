package capture

import (
	"crypto/rand"
	"crypto/sha256"
	"slices"
	"time"

	"aval/agent/event"
)

// Windows says which desktop's windows to watch, and which are Aval's own.
type Windows struct {
	// Display is the X display, ":10".
	Display string
	// Type is the session's type as XDG_SESSION_TYPE has it: x11 or wayland.
	Type string
	// Own tells whether a process was started by Aval to show something; its
	// windows are not recorded. Nil: none but Aval's own programs.
	Own func(pid int) bool
}

// Times of the watch. A title is read once it has settled, and at most once a
// second for a window, because many programs draw a spinner or a percentage there.
const (
	settle      = 150 * time.Millisecond
	settleAtMay = time.Second // the longest that a change waits for another one
	titleEvery  = time.Second
	copiedEvery = time.Second // how often at most it is told that something was copied
)

// windowKinds are the kinds that the watch of windows gives.
var windowKinds = []event.Kind{event.WindowFocused, event.ClipboardUsed}

// before remembers which titles were there when recording began, as salted
// hashes only: this memory cannot be read back into titles.
type before struct {
	salt   [32]byte
	titles map[uint32][][sha256.Size]byte
	// whole is false when not every window could be looked at. Then a window
	// that is not known counts as old with the titles that it shows first.
	whole bool
}

func newBefore() *before {
	b := &before{titles: map[uint32][][sha256.Size]byte{}, whole: true}
	rand.Read(b.salt[:]) // never fails: crypto/rand ends the program first
	return b
}

func (b *before) hash(title string) [sha256.Size]byte {
	h := sha256.New()
	h.Write(b.salt[:])
	h.Write([]byte(title))
	return [sha256.Size]byte(h.Sum(nil))
}

// note takes a window's titles as those from before.
func (b *before) note(window uint32, titles []string) {
	for _, t := range titles {
		b.titles[window] = append(b.titles[window], b.hash(t))
	}
}

// shown returns what an event may say of the first of a window's titles.
func (b *before) shown(window uint32, titles []string) string {
	if _, known := b.titles[window]; !known && !b.whole {
		b.titles[window] = nil
		b.note(window, titles)
	}
	if len(titles) == 0 {
		return ""
	}
	if slices.Contains(b.titles[window], b.hash(titles[0])) {
		return event.TitleBefore
	}
	return titles[0]
}

// forget leaves nothing that a title could be compared with.
func (b *before) forget() {
	clear(b.salt[:])
	clear(b.titles)
	b.whole = false
}

// pace decides when a change is looked at.
type pace struct {
	since time.Time // when the change that waits was first noticed; zero: none waits
	at    time.Time // when it was last noticed
	due   time.Time
	// last is when each window's title was last looked at because it changed.
	last map[uint32]time.Time
}

// noticed takes a change of the front window, or of its title.
func (p *pace) noticed(now time.Time, window uint32, titleOnly bool) {
	if p.since.IsZero() {
		p.since = now
	}
	p.at = now
	p.due = now.Add(settle)
	if latest := p.since.Add(settleAtMay); p.due.After(latest) {
		p.due = latest
	}
	if earliest := p.last[window].Add(titleEvery); titleOnly && p.due.Before(earliest) {
		p.due = earliest
	}
}

// arm sets the timer to when something is to be looked at; it rests where nothing waits.
func (p *pace) arm(t *time.Timer) {
	if p.due.IsZero() {
		t.Stop()
	} else {
		t.Reset(time.Until(p.due))
	}
}

// look ends the waiting: the caller reads window now. It returns the time of the change.
func (p *pace) look(now time.Time, window uint32) time.Time {
	at := p.at
	if len(p.last) > 256 { // enough for what one second can hold
		clear(p.last)
	}
	p.last[window] = now
	p.since, p.at, p.due = time.Time{}, time.Time{}, time.Time{}
	return at
}
