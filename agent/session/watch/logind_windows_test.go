package watch

import (
	"encoding/binary"
	"testing"
)

// TestLockState: only the word that a session is unlocked is one. To see it fail: read
// the flags at 12, where an unaligned structure would have them.
func TestLockState(t *testing.T) {
	raw := func(level, flags uint32) []byte {
		b := make([]byte, 232)
		binary.LittleEndian.PutUint32(b, level)
		binary.LittleEndian.PutUint32(b[16:], flags)
		return b
	}
	for _, c := range []struct {
		raw    []byte
		locked bool
	}{{raw(1, 1), false}, {raw(1, 0), true}, {raw(1, 0xFFFFFFFF), true}, {raw(2, 1), true}, {raw(1, 1)[:19], true}, {nil, true}} {
		if got := lockState(c.raw); got != c.locked {
			t.Errorf("%x: locked %v", c.raw[:min(len(c.raw), 20)], got)
		}
	}
}

// TestListedSession: only the session on this computer's own screen has a seat, so
// that an answer given from afar is never taken for one given here.
func TestListedSession(t *testing.T) {
	for _, c := range []struct {
		w     wtsSession
		glass bool
		seat  string
		state string
	}{
		{wtsSession{user: "ana", active: true}, true, "console", "active"},
		{wtsSession{user: "ana", active: true, remote: true}, true, "", "active"},
		{wtsSession{user: "ana", active: true}, false, "", "active"},
		{wtsSession{user: "ana", locked: true}, true, "console", "online"},
	} {
		s := listedSession(3, c.w, c.glass, 7)
		if s.ID != "3" || s.UID != 7 || s.Seat != c.seat || s.State != c.state || s.Active != c.w.active || s.Locked != c.w.locked || s.Remote != c.w.remote || s.Type != TypeWindows {
			t.Errorf("%+v: %+v", c.w, s)
		}
	}
}
