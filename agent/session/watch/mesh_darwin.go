package watch

import (
	"errors"
	"net"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// meshSockets are where MeshCentral's installer puts the agent on macOS, with its
// socket in the folder that it works in (agents/meshinstall-bsd and the agent's own
// modules/agent-installer.js): the plain one, and those with a name of their own.
var meshSockets = []string{"/usr/local/mesh_services/meshagent/" + meshSocket, "/usr/local/mesh_services/*/" + meshSocket, "/usr/local/mesh_services/*/*/" + meshSocket}

// Servers lists the agents of MeshCentral that run and speak.
func Servers() []Server {
	var out []Server
	for _, pattern := range meshSockets {
		found, _ := filepath.Glob(pattern) // fixed patterns, which are well formed
		for _, path := range found {
			s, ok := meshServer(path)
			if ok && !containsServer(out, s) {
				out = append(out, s)
			}
		}
	}
	return out
}

func containsServer(all []Server, s Server) bool {
	for _, x := range all {
		if x.PID == s.PID {
			return true
		}
	}
	return false
}

func meshServer(path string) (Server, bool) {
	c, pid, err := meshDial(Server{Socket: path})
	if err != nil {
		return Server{}, false
	}
	defer c.Close()
	p, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	start, ok := ProcStart(pid)
	if err != nil || !ok {
		return Server{}, false
	}
	uid := p.Eproc.Ucred.Uid
	return Server{Tool: ToolMeshCentral, PID: pid, Start: start, UID: uid, Owner: uid, Socket: path}, true
}

// meshDial connects with an agent and says which process listens, by the kernel
// (unix(4), LOCAL_PEERPID).
func meshDial(s Server) (meshConn, int, error) {
	c, err := net.DialTimeout("unix", s.Socket, meshAnswer)
	if err != nil {
		return nil, 0, err
	}
	raw, err := c.(*net.UnixConn).SyscallConn()
	pid := 0
	if err == nil {
		var perr error
		err = raw.Control(func(fd uintptr) { pid, perr = unix.GetsockoptInt(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERPID) })
		err = errors.Join(err, perr)
	}
	if err != nil {
		c.Close()
		return nil, 0, err
	}
	return c, pid, nil
}

// viewer is not known: macOS has one desktop on its screen, and no name for it.
func (m *mesh) viewer() (pid int, start uint64, display string) { return 0, 0, "" }
