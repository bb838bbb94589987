// Package watch hears of sessions from the remote tools and the system: logind,
// OpenSSH with its PAM hook, x11vnc, TigerVNC, xrdp, MeshCentral's agent, the
// logs of TeamViewer, AnyDesk and RustDesk, the journal for Chrome's and GNOME's
// Remote Desktop, and on Windows the event log and the service's session changes.
//
// The one rule that must not be broken: a session begins at the first sign that
// proves a login, and ends at the first sign that it is over; where a source
// cannot say whether it still goes on, it does not go on.
//
// Names, addresses and titles that come from a tool are hearsay and are never
// parsed as anything else. Nothing here polls: it waits for the system's signals.
package watch

import (
	"time"

	"aval/agent/event"
)

// Found is a session that a watcher has seen begin.
type Found struct {
	Tool string // "ssh"
	// ID is unique for this computer: LEADERPID-STARTTICKS.
	ID string
	// Supporter is what is known of who connects: for ssh the address.
	Supporter string
	Address   string
	// User is the account logged into, UID its id, GIDs its groups as the kernel
	// has them; GIDs may be empty.
	User string
	UID  uint32
	GIDs []uint32
	// Leader is the process that holds the session open, LeaderStart its start
	// in clock ticks since boot (ProcStart).
	Leader      int
	LeaderStart uint64
	// TTY is the terminal, "pts/3".
	TTY string
	// KeyFingerprint is "SHA256:…" as ssh-keygen -l shows it; empty where no key
	// was used or the PAM hook is not installed.
	KeyFingerprint string
	LogindID       string // empty: not from logind
	// Display is the X display that is shown, ":0"; on Windows the number of the
	// desktop session, "2"; empty: a terminal, or unknown.
	Display string
	// Kinds are what the supporter may do, out of View, Control, Terminal and
	// Files, as far as the tool says it.
	Kinds     []string
	StartedAt time.Time
	// TimeDerived: the log leaves out the year or the zone, which were taken from
	// this computer's clock.
	TimeDerived bool
	// Owner is whose files told of the session; 0: the system's. What an ordinary
	// user can write concerns that user's desktops alone.
	Owner uint32
}

// Kinds of a session.
const (
	View     = "view"
	Control  = "control"
	Terminal = "terminal"
	Files    = "files"
)

// Sink is told of sessions, by one goroutine at a time. Begin is called at most
// once for an ID, End at most once after it. A login that goes on from before
// the watcher started is told like a new one, with its own StartedAt.
type Sink interface {
	Begin(Found)
	// Kinds says what the supporter of a session that has begun may do now.
	Kinds(tool, id string, kinds []string)
	// Event says what the tool has told of a session that has begun, as kind and
	// fields of agent/event. What belongs to no one session for certain is not told.
	Event(tool, id string, kind event.Kind, fields map[string]string)
	// End says that a session is over: closed, removed, exited or left.
	End(tool, id, reason string)
}

// Reasons of End.
const (
	Closed  = "closed"  // PAM closed the session
	Removed = "removed" // logind removed the session
	Exited  = "exited"  // the session's process ended
	Left    = "left"    // the supporter left, by the tool's word; they may come back
	Unheard = "unheard" // the tool no longer says whether it goes on
)
