package winput

import (
	"image"
	"slices"
	"sync"
	"time"
)

// Flags of the records that the low-level hooks get (Microsoft Learn, winuser.h:
// MSLLHOOKSTRUCT, KBDLLHOOKSTRUCT). The two kinds number them differently.
const (
	mouseInjected = 0x01 // LLMHF_INJECTED: from any process
	mouseLower    = 0x02 // LLMHF_LOWER_IL_INJECTED: from one of lower integrity
	keyInjected   = 0x10 // LLKHF_INJECTED
	keyLower      = 0x02 // LLKHF_LOWER_IL_INJECTED
)

// Messages that the hooks name (Microsoft Learn: LowLevelMouseProc,
// LowLevelKeyboardProc, "Mouse Input Notifications", "Keyboard Input Notifications").
const (
	wmKeyDown     = 0x0100
	wmKeyUp       = 0x0101
	wmSysKeyDown  = 0x0104
	wmSysKeyUp    = 0x0105
	wmMouseMove   = 0x0200
	wmLeftDown    = 0x0201
	wmRightDown   = 0x0204
	wmMiddleDown  = 0x0207
	vkTab         = 0x09 // "Virtual-Key Codes", Microsoft Learn
	vkReturn      = 0x0D
	vkShift       = 0x10
	vkSpace       = 0x20
	vkLeftShift   = 0xA0
	vkRightShift  = 0xA1
	keepPresses   = 64
	keepKeysHeld  = 32
	nothingPlaced = -1 << 31
)

// mouse is one record of the mouse hook.
type mouse struct {
	message uint32
	at      image.Point // pixels of the screen, not scaled
	flags   uint32
}

// key is one record of the keyboard hook.
type key struct {
	message, code, flags uint32
}

// press is one press of a button, or of a key that presses a button of a window.
type press struct {
	at       time.Time // when the hook was called
	key      bool
	injected bool
	// pointer is where it was pressed, before where a hand had moved the pointer
	// last; a place outside every screen when a program moved it since.
	pointer, before image.Point
	led             time.Time // for a key: when Tab was last pressed by hand; zero: something came in between
}

// presses are those that were heard and not given out yet. Its methods may be
// called from any goroutine and return at once: a hook may not take long.
type presses struct {
	mu   sync.Mutex
	list []press // oldest first
	hand image.Point
	led  time.Time
	held []uint32 // keys that are down by hand
	deaf bool
}

var nowhere = image.Pt(nothingPlaced, nothingPlaced)

func newPresses() *presses { return &presses{hand: nowhere} }

// mouse takes in one record of the mouse hook.
func (p *presses) mouse(r mouse, now time.Time) {
	injected := r.flags&(mouseInjected|mouseLower) != 0
	p.mu.Lock()
	defer p.mu.Unlock()
	switch r.message {
	case wmMouseMove:
		p.hand = r.at
		if injected {
			p.hand = nowhere
		}
	case wmLeftDown, wmRightDown, wmMiddleDown:
		if injected {
			p.led = time.Time{}
		}
		p.remember(press{at: now, injected: injected, pointer: r.at, before: p.hand})
	}
}

// key takes in one record of the keyboard hook. Which key it was is forgotten
// at once, but for those that press or lead, and those that are held.
func (p *presses) key(r key, now time.Time) {
	injected := r.flags&(keyInjected|keyLower) != 0
	p.mu.Lock()
	defer p.mu.Unlock()
	held := slices.Index(p.held, r.code)
	switch r.message {
	case wmKeyUp, wmSysKeyUp:
		if !injected && held >= 0 { // a program cannot let go of a key that a hand holds
			p.held = slices.Delete(p.held, held, held+1)
		}
		return
	case wmKeyDown, wmSysKeyDown:
	default:
		return
	}
	if injected {
		p.led = time.Time{}
	} else if held >= 0 {
		return // the key repeats by itself
	} else if len(p.held) < keepKeysHeld {
		p.held = append(p.held, r.code)
	} else {
		p.led = time.Time{} // nobody holds so many
		return
	}
	switch {
	case r.message == wmSysKeyDown: // with Alt: the system's, not the window's
		p.led = time.Time{}
	case r.code == vkReturn || r.code == vkSpace:
		p.remember(press{at: now, key: true, injected: injected, led: p.led})
	case r.code == vkShift || r.code == vkLeftShift || r.code == vkRightShift:
	case r.code == vkTab && !injected:
		p.led = now
	default:
		p.led = time.Time{}
	}
}

func (p *presses) remember(n press) {
	if len(p.list) == keepPresses {
		p.list = slices.Delete(p.list, 0, 1)
	}
	p.list = append(p.list, n)
}

// end forgets everything: nothing is evidence any more.
func (p *presses) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list, p.held, p.deaf = nil, nil, true
}

func (p *presses) ended() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.deaf
}

// take gives out the newest press of its kind, for a button the newest inside
// at, and forgets it with all older ones of the kind. It may be too old: the
// caller looks. Nothing has to be waited for: the system calls the hook before
// the window gets the message.
func (p *presses) take(at image.Rectangle, key bool) (press, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, n := range slices.Backward(p.list) {
		if n.key != key || !key && !n.pointer.In(at) {
			continue
		}
		kept := p.list[:0:0]
		for j, old := range p.list {
			if j > i || old.key != key {
				kept = append(kept, old)
			}
		}
		p.list = kept
		return n, true
	}
	return press{}, false
}
