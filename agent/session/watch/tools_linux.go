package watch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// toolPrograms are where the programs of the tools lie.
var toolPrograms = []string{
	"/usr/bin/Xtigervnc", "/usr/bin/Xvnc", "/usr/bin/X0tigervnc", "/usr/bin/x0vncserver",
	"/usr/local/bin/Xvnc", "/usr/local/bin/x0vncserver",
	"/usr/sbin/xrdp", "/usr/local/sbin/xrdp",
	meshProgram,
}

// meshProgram is where MeshCentral's own script installs its agent
// (agents/meshinstall-linux.sh). One that runs elsewhere is followed from the
// start of the service.
const meshProgram = "/usr/local/mesh_services/meshagent/meshagent"

// A program is looked for a moment after its file was opened, and once more
// when it has surely begun.
var lookAfter = []time.Duration{150 * time.Millisecond, 2 * time.Second}

// Run watches until ctx ends. ready is called once all that goes on already has
// been told. It calls no End for what still goes on when it ends.
func (t *Tools) Run(ctx context.Context, ready func()) error {
	programs, err := watchPrograms(ctx)
	if err != nil {
		return err
	}
	started := programs.started
	t.near = programs.near
	t.look(ctx)
	ready()
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	defer timer.Stop()
	left := 0
	for {
		select {
		case <-ctx.Done():
			return nil
		case f := <-t.inbox:
			f()
		case <-started:
			left = len(lookAfter)
			timer.Reset(lookAfter[0])
		case <-timer.C:
			t.look(ctx)
			if left--; left > 0 {
				timer.Reset(lookAfter[len(lookAfter)-left])
			}
		}
	}
}

// programs tells when one of the programs may have been started or installed,
// or when an agent has opened its socket. The kernel tells of it when a file is
// opened, as exec does, or appears in a folder (inotify(7)), so that nothing is
// asked while nothing happens.
type programs struct {
	started chan struct{}
	fd      int
	mu      sync.Mutex
	folders map[int]bool // guarded by mu
}

func watchPrograms(ctx context.Context) (*programs, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("watch the programs of remote tools: %w", err)
	}
	f := os.NewFile(uintptr(fd), "inotify") // non-blocking: its Read waits in the poller
	p := &programs{started: make(chan struct{}, 1), fd: fd, folders: map[int]bool{}}
	p.arrange()
	context.AfterFunc(ctx, func() { p.mu.Lock(); defer p.mu.Unlock(); p.fd = -1; f.Close() })
	go p.run(f)
	return p, nil
}

// arrange watches the programs that are there, and the folders in which the
// others would appear: where those are missing too, the nearest above.
func (p *programs) arrange() {
	for _, path := range toolPrograms {
		p.file(path)
		for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
			if p.folder(dir) || dir == "/" {
				break
			}
		}
	}
}

func (p *programs) file(path string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = unix.InotifyAddWatch(p.fd, path, unix.IN_OPEN) // most are not installed
}

func (p *programs) folder(path string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	wd, err := unix.InotifyAddWatch(p.fd, path, unix.IN_CREATE|unix.IN_MOVED_TO|unix.IN_ONLYDIR)
	if err == nil {
		p.folders[wd] = true
	}
	return err == nil
}

// near has the socket of a process be told of, when it opens one or the next
// process in its place does.
func (p *programs) near(pid int) { p.folder("/proc/" + strconv.Itoa(pid) + "/cwd") }

// told tells whether something of that name is of interest, in a folder or as a file.
func (p *programs) told(wd int, name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.folders[wd] || name == meshSocket || slices.ContainsFunc(toolPrograms, func(path string) bool { return slices.Contains(strings.Split(path, "/"), name) })
}

func (p *programs) run(f *os.File) {
	buf := make([]byte, 16<<10)
	for {
		n, err := f.Read(buf)
		if err != nil {
			return // closed
		}
		tell := false
		for b := buf[:n]; len(b) >= unix.SizeofInotifyEvent; {
			e := (*unix.InotifyEvent)(unsafe.Pointer(&b[0]))
			end := unix.SizeofInotifyEvent + int(e.Len)
			if end > len(b) {
				break
			}
			if e.Mask&unix.IN_IGNORED == 0 {
				tell = p.told(int(e.Wd), strings.TrimRight(string(b[unix.SizeofInotifyEvent:end]), "\x00")) || tell
			} else {
				p.mu.Lock()
				delete(p.folders, int(e.Wd)) // the folder is gone
				p.mu.Unlock()
			}
			b = b[end:]
		}
		if tell {
			p.arrange()
			select {
			case p.started <- struct{}{}:
			default: // one is waiting already
			}
		}
	}
}

func toolProgram(name string) bool {
	for _, p := range toolPrograms {
		if filepath.Base(p) == name {
			return true
		}
	}
	return false
}

// Servers lists the MeshCentral, TigerVNC and xrdp programs that the caller may look at:
// root sees all, others their own. An Xvnc that xrdp has started is xrdp's.
func Servers() []Server {
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var out []Server
	for _, d := range dirs {
		pid, err := strconv.Atoi(d.Name())
		if err != nil {
			continue
		}
		if s, ok := server(pid); ok {
			out = append(out, s)
		}
	}
	return out
}

// server looks at one process.
func server(pid int) (Server, bool) {
	comm, err := readProc(pid, "comm")
	if err != nil || !toolProgram(strings.TrimSpace(string(comm))) {
		return Server{}, false
	}
	cmdline, err1 := readProc(pid, "cmdline")
	status, err2 := readProc(pid, "status")
	st, err3 := readStat(pid)
	uid, _, ok := parseOwner(status)
	if err := errors.Join(err1, err2, err3); err != nil || !ok {
		return Server{}, false
	}
	parent, _ := readProc(st.ppid, "comm") // gone: nobody's
	args := nulStrings(cmdline)
	s := Server{PID: pid, Start: st.start, UID: uid, Owner: uid}
	name := strings.TrimSpace(string(comm))
	if name == "meshagent" {
		return meshAgent(pid, strings.TrimSpace(string(parent)), s)
	}
	if name == "xrdp" {
		if strings.TrimSpace(string(parent)) == "xrdp" {
			return Server{}, false // a connection's process
		}
		s.Tool, s.Log = ToolXrdp, XrdpLog
		if userName(uid) == "xrdp" { // the account that Debian's xrdp.service runs it with
			s.Owner = 0
		}
		ini := "/etc/xrdp/xrdp.ini"
		if c := option(args, "config"); c != "" {
			ini = c
		} else if c := option(args, "c"); c != "" {
			ini = c
		}
		if b, err := os.ReadFile(ini); err == nil {
			s.Log = xrdpLogOf(string(b))
		}
		return s, true
	}
	if strings.HasPrefix(string(parent), "xrdp-ses") { // xrdp-sesman, xrdp-sesexec
		return Server{}, false
	}
	environ, _ := readProc(pid, "environ") // another user's is closed to all but root
	if s.Display, ok = vncServer(args, nulStrings(environ)); !ok {
		return Server{}, false
	}
	if s.Display == "" { // Xvnc has chosen it by itself (-displayfd)
		all := DisplayServers()
		i := slices.IndexFunc(all, func(d DisplayServer) bool { return d.PID == pid })
		if i < 0 {
			return Server{}, false // not yet
		}
		s.Display = all[i].Name
	}
	s.Tool, s.View = ToolTigerVNC, viewOnly(args)
	// What it writes goes to standard error.
	if to, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/fd/2"); err == nil && strings.HasPrefix(to, "/") {
		if fi, err := os.Stat(to); err == nil && fi.Mode().IsRegular() {
			s.Log = to
		}
	}
	return s, true
}

// reader makes what takes the lines of a program. It is called by Run's goroutine.
func (t *Tools) reader(ctx context.Context, s Server) func(string) {
	if s.Tool == ToolXrdp {
		return func(text string) {
			if c, ok := parseXrdpPeer(text); ok {
				t.xrdp(ctx, s, c)
			}
		}
	}
	id := func(c *vncClient) string {
		return fmt.Sprintf("%d-%d-%s-%d", s.PID, s.Start, c.addr.Addr(), c.addr.Port())
	}
	v := &vncLog{
		begin: func(c *vncClient) {
			if yes, known := connectedTo(s.PID, c.addr); known && !yes {
				return // over already, or not this program's words
			}
			kinds := []string{View, Control}
			if s.View {
				kinds = kinds[:1]
			}
			t.begin(ctx, Found{Tool: ToolTigerVNC, ID: id(c), Supporter: address(c.addr), Address: address(c.addr), UID: s.UID, User: userName(s.UID),
				Leader: s.PID, LeaderStart: s.Start, Display: s.Display, Kinds: kinds, StartedAt: time.Now().UTC(), Owner: s.Owner}, func() string { return Exited })
		},
		end: func(c *vncClient) { t.end(ToolTigerVNC, id(c), Left) },
	}
	return v.line
}

// xrdp takes a connection that has reached a desktop. Old lines name processes
// that are gone, or numbers that others have by now.
func (t *Tools) xrdp(ctx context.Context, daemon Server, c xrdpConn) {
	st, err := readStat(c.pid)
	comm, err1 := readProc(c.pid, "comm")
	if errors.Join(err, err1) != nil || strings.TrimSpace(string(comm)) != "xrdp" || (st.ppid != daemon.PID && c.pid != daemon.PID) {
		return
	}
	if c.addr.IsValid() {
		if yes, known := connectedTo(c.pid, c.addr); known && !yes {
			return
		}
	}
	status, err := readProc(c.xpid, "status")
	xstart, ok := ProcStart(c.xpid)
	uid, _, ok1 := parseOwner(status)
	cmdline, err1 := readProc(c.xpid, "cmdline")
	if errors.Join(err, err1) != nil || !ok || !ok1 || uid != c.uid {
		return
	}
	f := Found{Tool: ToolXrdp, ID: fmt.Sprintf("%d-%d", c.pid, st.start), UID: uid, User: userName(uid), Address: address(c.addr), Supporter: address(c.addr),
		Leader: c.pid, LeaderStart: st.start, Kinds: []string{View, Control}, StartedAt: time.Now().UTC(), Owner: daemon.Owner}
	for _, a := range nulStrings(cmdline) {
		if isDisplay(a) {
			f.Display = a
			break
		}
	}
	if f.Display == "" {
		return
	}
	if f.Supporter == "" {
		f.Supporter = ToolXrdp
	}
	t.begin(ctx, f, func() string {
		// A process that is ending has no command line any more.
		if b, err := readProc(c.xpid, "cmdline"); err == nil && len(b) > 0 {
			if now, ok := ProcStart(c.xpid); ok && now == xstart {
				return Left
			}
		}
		return Closed
	})
}
