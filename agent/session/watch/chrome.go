package watch

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// ToolChrome is the name of sessions of Chrome Remote Desktop.
const ToolChrome = "chrome-remote-desktop"

var chromeFacts = facts{hears: []string{"begin", "end", "account"}, missing: "files that are sent"}

// chromeIdent is the name under which its host writes to the system's log.
const chromeIdent = "chromoting"

// chrome reads what the host of Chrome Remote Desktop writes to the system's log:
// on Linux and macOS by syslog(3), on Windows as events. Sources:
// remoting/host/host_event_logger_posix.cc, host_event_logger_win.cc and
// win/host_messages.mc.jinja2 in chromium/chromium.
//
// "Client connected" is written once a client has been authenticated. Clients are
// told apart by their signalling id, which begins with the account.
type chrome struct {
	sink Sink
	open []*chromeClient // oldest first
}

type chromeClient struct {
	owner  uint32 // whose host it is
	client string
	id     string
}

var chromeLine = regexp.MustCompile(`^(Client connected|Client disconnected|Host started for user): ([^\s\x00-\x1f\x7f]{1,256})$`)

// message takes one message of the host of owner; pid is its process, 0: not known.
func (c *chrome) message(owner uint32, pid int, text string, at time.Time, derived bool) {
	m := chromeLine.FindStringSubmatch(text)
	if m == nil {
		return
	}
	switch m[1] {
	case "Client connected":
		c.connected(owner, pid, m[2], at, derived)
	case "Client disconnected":
		c.over(func(o *chromeClient) bool { return o.owner == owner && o.client == m[2] })
	default: // started anew: the host before it has ended without a word
		c.over(func(o *chromeClient) bool { return o.owner == owner })
	}
}

func (c *chrome) connected(owner uint32, pid int, client string, at time.Time, derived bool) {
	n := &chromeClient{owner, client, strconv.FormatInt(at.UnixNano(), 10)}
	for _, o := range c.open {
		if o.owner == owner && (o.client == client || o.id == n.id) {
			return
		}
	}
	if len(c.open) >= maxOpen {
		oldest := c.open[0]
		c.over(func(o *chromeClient) bool { return o == oldest })
	}
	c.open = append(c.open, n)
	who, _, _ := strings.Cut(client, "/")
	owned{c.sink, owner}.Begin(Found{Tool: ToolChrome, ID: n.id, Supporter: who, Leader: pid, StartedAt: at, TimeDerived: derived})
}

func (c *chrome) over(which func(*chromeClient) bool) {
	var stay []*chromeClient
	for _, o := range c.open {
		if !which(o) {
			stay = append(stay, o)
			continue
		}
		owned{c.sink, o.owner}.End(ToolChrome, o.id, Left)
	}
	c.open = stay
}

// chromeSyslog reads a syslog file, for systems without a journal. Any program may
// write such a line under any name, and it does not say whose: it counts only
// while the hosts that run are those of one user, and concerns that user's desktops.
type chromeSyslog struct {
	c chrome
	// hosts are the users whose host runs now.
	hosts func() []uint32
}

func newChromeSyslog(s Sink) logReader { return &chromeSyslog{chrome{sink: s}, chromeHosts} }

var (
	// RFC 3164, section 4.1, as daemons write it into files: local time without a
	// year. asl.conf(5) has the same on macOS.
	syslogOld = regexp.MustCompile(`^([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) \S{1,255} ` + chromeIdent + `(?:\[\d{1,10}\])?: (.*)$`)
	// With the time of RFC 3339, as rsyslog writes it by now.
	syslogNew = regexp.MustCompile(`^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) \S{1,255} ` + chromeIdent + `(?:\[\d{1,10}\])?: (.*)$`)
)

func (c *chromeSyslog) line(_, text string, now time.Time) {
	at, derived, msg, ok := syslogLine(text, now)
	if !ok || !chromeLine.MatchString(msg) {
		return
	}
	if hosts := c.hosts(); len(hosts) == 1 {
		c.c.message(hosts[0], 0, msg, at, derived)
	} else { // of several, none can be said to go on
		c.c.over(func(*chromeClient) bool { return true })
	}
}

// syslogLine reads the two forms of a line; derived: the year and the zone are
// this computer's.
func syslogLine(text string, now time.Time) (at time.Time, derived bool, msg string, ok bool) {
	if m := syslogNew.FindStringSubmatch(text); m != nil {
		at, err := time.Parse(time.RFC3339Nano, m[1])
		return earlier(at, now), false, m[2], err == nil
	}
	m := syslogOld.FindStringSubmatch(text)
	if m == nil {
		return time.Time{}, false, "", false
	}
	at, err := time.ParseInLocation("2006 Jan _2 15:04:05", strconv.Itoa(now.Year())+" "+m[1], now.Location())
	if err != nil {
		return time.Time{}, false, "", false
	}
	if at.Sub(now) > 24*time.Hour { // a December that is read of in January
		at = at.AddDate(-1, 0, 0)
	}
	return earlier(at, now), true, m[2], true
}
