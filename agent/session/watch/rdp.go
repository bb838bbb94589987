package watch

import (
	"encoding/binary"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// wtsSession is what the system says of a desktop session
// (WTSEnumerateSessionsW, WTSQuerySessionInformationW).
type wtsSession struct {
	active bool // WTSActive: somebody is connected and logged in
	//lint:ignore U1000 only Windows' own files read it
	locked  bool   // or not known to be unlocked
	remote  bool   // WTSIsRemoteSession
	user    string // empty: nobody has logged in
	domain  string
	client  string // the name of the client's computer, as it says itself
	address string // likewise
}

// rdp makes sessions of the signs of Windows' Remote Desktop: the system's list of
// desktop sessions, looked at when the service is told of a change, and the events
// of the LocalSessionManager. Both tell of the same connections; a desktop session
// has one at a time, and one session of ours. Events come late, so that each sign
// counts by its own time.
type rdp struct {
	sink Sink
	open map[uint32]rdpSession
	gone map[uint32]time.Time // when the last connection ended
}

type rdpSession struct {
	id string
	at time.Time
}

func newRDP(s Sink) *rdp {
	return &rdp{sink: s, open: map[uint32]rdpSession{}, gone: map[uint32]time.Time{}}
}

// event takes an event: 21 log-on, 25 connected again, 23 log-off, 24
// disconnected, 40 disconnected for a reason. Address is LOCAL at the console.
func (r *rdp) event(e *winEvent) {
	name := "SessionID"
	if e.System.EventID == 40 {
		name = "Session"
	}
	n, err := strconv.ParseUint(e.field(name), 10, 32)
	if err != nil {
		return
	}
	switch session := uint32(n); e.System.EventID {
	case 21, 25:
		user, address := e.field("User"), e.field("Address")
		if user == "" || address == "" {
			return
		}
		if strings.EqualFold(address, "LOCAL") { // somebody sits down at it
			r.left(session, e.at)
			return
		}
		r.came(session, user, address, address, e.at)
	case 23, 24, 40:
		r.left(session, e.at)
	}
}

// state takes the system's list as it is now. A connection without a log-on is
// somebody before the log-on screen. Shadowing is not in the list.
func (r *rdp) state(all map[uint32]wtsSession, now time.Time) {
	for _, n := range slices.Sorted(maps.Keys(r.open)) {
		if s, there := all[n]; !there || !s.active || !s.remote {
			r.left(n, now)
		}
	}
	for _, n := range slices.Sorted(maps.Keys(all)) {
		s := all[n]
		if !s.active || !s.remote || s.user == "" {
			continue
		}
		user, who := s.user, s.client
		if s.domain != "" {
			user = s.domain + `\` + user
		}
		if who == "" {
			who = s.address
		}
		r.came(n, user, who, s.address, now)
	}
}

func (r *rdp) came(session uint32, user, who, address string, at time.Time) {
	if _, there := r.open[session]; there || !at.After(r.gone[session]) {
		return
	}
	if len(r.open) >= maxOpen {
		r.left(slices.Min(slices.Collect(maps.Keys(r.open))), at)
	}
	s := rdpSession{fmt.Sprintf("%d-%d", session, at.UnixNano()), at}
	r.open[session] = s
	r.sink.Begin(Found{Tool: ToolRDP, ID: s.id, Supporter: who, Address: address, User: user, Display: strconv.FormatUint(uint64(session), 10),
		Kinds: []string{View, Control}, StartedAt: at})
}

func (r *rdp) left(session uint32, at time.Time) {
	s, there := r.open[session]
	if there && at.Before(s.at) {
		return // of the connection before
	}
	if len(r.gone) >= maxOpen {
		clear(r.gone)
	}
	if r.gone[session].Before(at) {
		r.gone[session] = at
	}
	if there {
		delete(r.open, session)
		r.sink.End(ToolRDP, s.id, Left)
	}
}

// wtsAddress reads a WTS_CLIENT_ADDRESS of the family IPv4: the family in four
// bytes, two more, then the address (its page in Microsoft's documentation, which
// says too that the client itself reports it). Of other families it is empty.
func wtsAddress(b []byte) string {
	const inet = 2 // AF_INET
	if len(b) < 10 || binary.LittleEndian.Uint32(b) != inet {
		return ""
	}
	return netip.AddrFrom4([4]byte(b[6:10])).String()
}
