package watch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// meshNodes is where the agents that are installed keep the number of their node, a
// key for each (MeshCentralAssistant, MeshAgent.cs).
const meshNodes = `SOFTWARE\Open Source`

// maxMeshAgents bounds the agents of one computer: each may be another company's.
const maxMeshAgents = 16

// meshPipes are the pipes of the agents that are installed.
func meshPipes() []string {
	var out []string
	for _, view := range []uint32{registry.WOW64_64KEY, registry.WOW64_32KEY} {
		k, err := registry.OpenKey(registry.LOCAL_MACHINE, meshNodes, registry.ENUMERATE_SUB_KEYS|view)
		if err != nil {
			continue
		}
		names, _ := k.ReadSubKeyNames(maxMeshAgents)
		for _, name := range names {
			a, err := registry.OpenKey(k, name, registry.QUERY_VALUE|view)
			if err != nil {
				continue
			}
			node, _, err := a.GetStringValue("NodeId")
			a.Close()
			if pipe, ok := meshPipe(node); err == nil && ok {
				out = append(out, pipe)
			}
		}
		k.Close()
	}
	return out
}

// Servers lists the agents of MeshCentral that run and speak.
func Servers() []Server {
	var out []Server
	for _, pipe := range meshPipes() {
		c, pid, err := meshDial(Server{Socket: pipe})
		if err != nil {
			continue
		}
		c.Close()
		if start, ok := ProcStart(pid); ok {
			out = append(out, Server{Tool: ToolMeshCentral, PID: pid, Start: start, Socket: pipe})
		}
	}
	return out
}

var errMeshPipe = errors.New("its pipe is not the system's")

// meshDial connects with an agent and says which process listens. Anybody may make a
// pipe of any name before the agent does: only one of the system's account is spoken
// with, or of the account that this service runs as; and whoever it is learns nothing
// of who asks, and cannot act as them.
func meshDial(s Server) (meshConn, int, error) {
	name, err := windows.UTF16PtrFromString(s.Socket)
	if err != nil {
		return nil, 0, err
	}
	h, err := windows.CreateFile(name, windows.GENERIC_READ|windows.GENERIC_WRITE, 0, nil, windows.OPEN_EXISTING,
		windows.FILE_FLAG_OVERLAPPED|windows.SECURITY_SQOS_PRESENT|windows.SECURITY_ANONYMOUS, 0)
	if err != nil {
		return nil, 0, err
	}
	var pid uint32
	if err = windows.GetNamedPipeServerProcessId(h, &pid); err == nil {
		err = ofTheSystem(pid)
	}
	if err != nil {
		windows.CloseHandle(h)
		return nil, 0, err
	}
	return os.NewFile(uintptr(h), s.Socket), int(pid), nil
}

// ofTheSystem tells whether a process runs as the system's account, or as this one's.
func ofTheSystem(pid uint32) error {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, pid)
	if err != nil {
		return fmt.Errorf("%w: %w", errMeshPipe, err)
	}
	defer windows.CloseHandle(h)
	var t windows.Token
	if err := windows.OpenProcessToken(h, windows.TOKEN_QUERY, &t); err != nil {
		return fmt.Errorf("%w: %w", errMeshPipe, err)
	}
	defer t.Close()
	theirs, err1 := t.GetTokenUser()
	mine, err2 := windows.GetCurrentProcessToken().GetTokenUser()
	system, err3 := windows.CreateWellKnownSid(windows.WinLocalSystemSid)
	if err := errors.Join(err1, err2, err3); err != nil {
		return fmt.Errorf("%w: %w", errMeshPipe, err)
	}
	if !theirs.User.Sid.Equals(system) && !theirs.User.Sid.Equals(mine.User.Sid) {
		return errMeshPipe
	}
	return nil
}

// viewer is the process in which the agent shows a desktop, and which: a child with
// its program in another session than the system's own.
func (m *mesh) viewer() (pid int, start uint64, display string) {
	snap, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPPROCESS, 0)
	if err != nil {
		return 0, 0, ""
	}
	defer windows.CloseHandle(snap)
	program := ""
	var children []windows.ProcessEntry32
	e := windows.ProcessEntry32{Size: uint32(unsafe.Sizeof(windows.ProcessEntry32{}))}
	for err := windows.Process32First(snap, &e); err == nil; err = windows.Process32Next(snap, &e) {
		if int(e.ProcessID) == m.s.PID {
			program = windows.UTF16ToString(e.ExeFile[:])
		} else if int(e.ParentProcessID) == m.s.PID {
			children = append(children, e)
		}
	}
	for _, c := range children {
		var session uint32
		if !strings.EqualFold(filepath.Base(windows.UTF16ToString(c.ExeFile[:])), filepath.Base(program)) ||
			windows.ProcessIdToSessionId(c.ProcessID, &session) != nil || session == 0 {
			continue
		}
		if at, ok := ProcStart(int(c.ProcessID)); ok && at > start { // the newest
			pid, start, display = int(c.ProcessID), at, strconv.FormatUint(uint64(session), 10)
		}
	}
	return pid, start, display
}
