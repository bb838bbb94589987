package watch

import (
	"context"
	"log/slog"
	"net/netip"
	"os/user"
	"slices"
	"strconv"
	"time"
)

// ToolNames are the tools that Tools and Logs can watch.
var ToolNames = []string{ToolMeshCentral, ToolTigerVNC, ToolXrdp, ToolTeamViewer, ToolAnyDesk, ToolRustDesk, ToolChrome, ToolGNOME, ToolSplashtop, ToolScreenConnect, ToolRDP}

// Server is a program of a remote tool that runs here.
type Server struct {
	Tool string
	PID  int
	// Start is its start in clock ticks since boot (ProcStart).
	Start   uint64
	UID     uint32
	Display string // empty: it has more than one
	Log     string // the file that it writes to; empty: none that can be followed
	View    bool   // it takes no keys and no mouse
	// Owner is whose word it is: anybody may start a program of such a name, and
	// have it write and say what they like; 0: the system's.
	Owner  uint32
	Socket string // on which it tells of its sessions; empty: it has none, or not yet
}

// Tools watches the remote tools whose programs can be followed: it finds them,
// also those that are started later, and takes what they write or say.
type Tools struct {
	log   *slog.Logger
	sink  Sink
	names []string

	inbox chan func()
	known map[int]uint64 // the programs that are followed, with their start
	live  map[string]bool
	waits map[int]time.Duration // of those that did not answer, by process
	near  func(pid int)         // what is new in the folder of this program is told
}

// NewTools makes a watcher of the tools with these names.
func NewTools(log *slog.Logger, sink Sink, names []string) *Tools {
	return &Tools{log: log, sink: sink, names: slices.Clone(names), inbox: make(chan func(), 64), known: map[int]uint64{}, live: map[string]bool{},
		waits: map[int]time.Duration{}, near: func(int) {}}
}

// look follows the programs that are new. The log of each is read from its
// start, and only connections that the kernel confirms begin a session.
func (t *Tools) look(ctx context.Context) {
	for pid, start := range t.known {
		if now, ok := ProcStart(pid); !ok || now != start {
			delete(t.known, pid)
			delete(t.waits, pid)
		}
	}
	for _, s := range Servers() {
		if t.known[s.PID] == s.Start || !slices.Contains(t.names, s.Tool) {
			continue
		}
		if s.Tool == ToolMeshCentral {
			t.lookMesh(ctx, s)
			continue
		}
		t.known[s.PID] = s.Start
		if s.Log == "" {
			t.log.Warn("remote tool is not heard: it writes no log file", "tool", s.Tool, "pid", s.PID)
			continue
		}
		if err := t.follow(ctx, s); err != nil {
			t.log.Warn("remote tool is not heard", "tool", s.Tool, "pid", s.PID, "err", err)
			continue
		}
		t.log.Info("remote tool is heard", "tool", s.Tool, "pid", s.PID, "display", s.Display)
	}
}

// lookMesh follows an agent of MeshCentral, once it has its socket: that is only
// after it has spoken with its server.
func (t *Tools) lookMesh(ctx context.Context, s Server) {
	t.near(s.PID)
	if s.Socket = meshSocketOf(s); s.Socket == "" { // what comes from here on is told
		return
	}
	t.known[s.PID] = s.Start
	if err := t.followMesh(ctx, s); err != nil {
		t.log.Warn("remote tool is not heard", "tool", s.Tool, "pid", s.PID, "err", err)
		delete(t.known, s.PID)
		t.again(ctx, s.PID)
		return
	}
	t.log.Info("remote tool is heard", "tool", s.Tool, "pid", s.PID)
}

// follow reads what a program has written, and then what it will write, until
// it ends.
func (t *Tools) follow(ctx context.Context, s Server) error {
	tail, err := OpenTail(s.Log, &Start, t.log)
	if err != nil {
		return err
	}
	line := t.reader(ctx, s)
	if err := tail.drain(func(text string, _ Position) { line(text) }); err != nil {
		tail.Close()
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	exit := WaitExit(ctx, s.PID, s.Start)
	go func() { <-exit; cancel() }()
	go func() {
		defer tail.Close()
		defer cancel()
		if err := tail.Run(ctx, func(text string, _ Position) { t.post(ctx, func() { line(text) }) }); err != nil {
			t.log.Warn("remote tool is no longer heard", "tool", s.Tool, "pid", s.PID, "err", err)
		}
	}()
	return nil
}

func (t *Tools) post(ctx context.Context, f func()) {
	select {
	case t.inbox <- f:
	case <-ctx.Done():
	}
}

// begin tells the sink once of a session, and of its end when its process ends.
func (t *Tools) begin(ctx context.Context, f Found, how func() string) {
	if t.live[f.ID] {
		return
	}
	t.live[f.ID] = true
	t.sink.Begin(f)
	exit := WaitExit(ctx, f.Leader, f.LeaderStart)
	go func() {
		<-exit
		if ctx.Err() == nil {
			t.post(ctx, func() { t.end(f.Tool, f.ID, how()) })
		}
	}()
}

func (t *Tools) end(tool, id, reason string) {
	if t.live[id] {
		delete(t.live, id)
		t.sink.End(tool, id, reason)
	}
}

// address is how an address is shown: without the port.
func address(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.Addr().Unmap().String()
}

// userName is the account's name; empty if it has none.
func userName(uid uint32) string {
	if u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10)); err == nil {
		return u.Username
	}
	return ""
}
