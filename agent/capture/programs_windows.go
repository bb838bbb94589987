package capture

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// programsThere are the kinds that the programs give on this system.
var programsThere = programKinds

// programWatch is one capture of programs: those of a desktop session, by its
// number, which the kernel keeps for every process. All of it belongs to run's
// goroutine.
//
// The list of processes is read again and again: what announces programs is a
// trace that only one reader on the computer may hold (the kernel's), or a
// notification that only a driver may ask for.
type programWatch struct {
	scanner
	session uint32
	buf     []uint64 // of the system's answer; aligned as it must be
	// open are the processes of the session, whose exit status is asked for once
	// they have ended.
	open map[int]windows.Handle
}

func newProgramWatch(scope Scope, started func(program), ended func(ending), missed func(int)) (*programWatch, error) {
	n, err := sessionNumber(scope.Display)
	if err != nil {
		return nil, fmt.Errorf("programs: %w: %w", ErrUnavailable, err)
	}
	w := &programWatch{scanner: newScanner(newTree("", started, ended), missed), session: n, open: map[int]windows.Handle{}}
	w.list, w.look, w.code = w.processes, w.read, w.status
	w.mine = func(listed) bool { return true } // others are not in its list
	w.moved = func(listed, string) bool { return false }
	if w.processes() == nil {
		return nil, errors.New("programs: the list of processes cannot be read")
	}
	w.begin()
	return w, nil
}

// sessionNumber reads the name of a desktop session, "session-2".
func sessionNumber(display string) (uint32, error) {
	n, ok := strings.CutPrefix(display, "session-")
	id, err := strconv.ParseUint(n, 10, 32)
	if !ok || err != nil {
		return 0, fmt.Errorf("%q is no desktop session", display)
	}
	return uint32(id), nil
}

func (w *programWatch) tell(to *work) {
	w.tree.looked = to.looked
	w.tree.gone = to.gone
}

func (w *programWatch) run(ctx context.Context) error {
	defer func() {
		for _, h := range w.open {
			windows.CloseHandle(h)
		}
	}()
	return w.scanned(ctx)
}

// processes lists what runs in the session, the oldest first
// (NtQuerySystemInformation, SystemProcessInformation). Nil: it cannot be read.
func (w *programWatch) processes() []listed {
	if w.buf == nil {
		w.buf = make([]uint64, 64<<10)
	}
	for {
		var need uint32
		err := windows.NtQuerySystemInformation(windows.SystemProcessInformation, unsafe.Pointer(&w.buf[0]), uint32(len(w.buf)*8), &need)
		if err == nil {
			break
		}
		if err != windows.STATUS_INFO_LENGTH_MISMATCH || len(w.buf) > 16<<20 {
			return nil
		}
		w.buf = make([]uint64, max(2*len(w.buf), int(need)/8+4096))
	}
	out := []listed{}
	for at, end := uintptr(0), uintptr(len(w.buf)*8); at+unsafe.Sizeof(windows.SYSTEM_PROCESS_INFORMATION{}) <= end; {
		p := (*windows.SYSTEM_PROCESS_INFORMATION)(unsafe.Pointer(uintptr(unsafe.Pointer(&w.buf[0])) + at))
		// One without threads has ended; it is only kept by somebody's handle.
		if p.SessionID == w.session && p.UniqueProcessID > 4 && p.NumberOfThreads > 0 {
			out = append(out, listed{pid: int(p.UniqueProcessID), ppid: int(p.InheritedFromUniqueProcessID), start: uint64(p.CreateTime), name: programName(p.ImageName.String())})
		}
		if p.NextEntryOffset == 0 {
			break
		}
		at += uintptr(p.NextEntryOffset)
	}
	oldestFirst(out)
	return out
}

// programName is a program's name without what only Windows adds to it.
// Empty: it has none yet, or none any more.
func programName(file string) string {
	if file == "" {
		return ""
	}
	return strings.TrimSuffix(strings.ToLower(base(file)), ".exe")
}

// read reads what a process runs.
func (w *programWatch) read(l listed) (seen, bool) {
	s := seen{name: l.name, file: l.name, start: l.start, tty: true}
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION|windows.PROCESS_VM_READ, false, uint32(l.pid))
	if err != nil { // a protected one says less
		h, err = windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(l.pid))
	}
	if errors.Is(err, windows.ERROR_INVALID_PARAMETER) {
		return seen{}, false // gone
	}
	if err != nil {
		return s, s.name != ""
	}
	var made, ended, kernel, user windows.Filetime
	if windows.GetProcessTimes(h, &made, &ended, &kernel, &user) == nil && uint64(made.HighDateTime)<<32|uint64(made.LowDateTime) != l.start {
		windows.CloseHandle(h)
		return seen{}, false // its number is another one's by now
	}
	if old, there := w.open[l.pid]; there {
		windows.CloseHandle(old)
	}
	w.open[l.pid] = h
	buf := make([]uint16, windows.MAX_LONG_PATH)
	n := uint32(len(buf))
	if windows.QueryFullProcessImageName(h, 0, &buf[0], &n) == nil {
		s.file = windows.UTF16ToString(buf[:n])
		s.name = programName(s.file)
	}
	line, dir := processParameters(h)
	if line == "" {
		line = processLine(h)
	}
	if line != "" {
		if s.args, err = windows.DecomposeCommandLine(line); err != nil {
			s.args = strings.Fields(line)
		}
	}
	s.cwd = dir
	return s, s.name != ""
}

// status is how a process has ended.
func (w *programWatch) status(pid int) int {
	h, there := w.open[pid]
	if !there {
		return -1
	}
	delete(w.open, pid)
	defer windows.CloseHandle(h)
	var code uint32
	const running = 259 // STILL_ACTIVE
	if windows.GetExitCodeProcess(h, &code) != nil || code == running {
		return -1
	}
	return int(code)
}

// processLine is a process's command line where its memory may not be read
// (ProcessCommandLineInformation); empty where that cannot be had either.
func processLine(h windows.Handle) string {
	buf := make([]uint64, 1024)
	var need uint32
	err := windows.NtQueryInformationProcess(h, windows.ProcessCommandLineInformation, unsafe.Pointer(&buf[0]), uint32(len(buf)*8), &need)
	if err == windows.STATUS_INFO_LENGTH_MISMATCH && need < 128<<10 { // no command line is longer
		buf = make([]uint64, need/8+1)
		err = windows.NtQueryInformationProcess(h, windows.ProcessCommandLineInformation, unsafe.Pointer(&buf[0]), uint32(len(buf)*8), &need)
	}
	if err != nil {
		return ""
	}
	return (*windows.NTUnicodeString)(unsafe.Pointer(&buf[0])).String()
}

// processParameters are the command line of a process and the folder that it works
// in, out of its own memory (PEB, RTL_USER_PROCESS_PARAMETERS; winternl.h has what
// is documented of them). Empty where they cannot be read, as of a protected one or
// one for another processor.
func processParameters(h windows.Handle) (line, dir string) {
	read := func(from uintptr, to unsafe.Pointer, n uintptr) bool {
		var got uintptr
		return from != 0 && windows.ReadProcessMemory(h, from, (*byte)(to), n, &got) == nil && got == n
	}
	var basic windows.PROCESS_BASIC_INFORMATION
	var need uint32
	if windows.NtQueryInformationProcess(h, windows.ProcessBasicInformation, unsafe.Pointer(&basic), uint32(unsafe.Sizeof(basic)), &need) != nil {
		return "", ""
	}
	var peb windows.PEB
	if !read(uintptr(unsafe.Pointer(basic.PebBaseAddress)), unsafe.Pointer(&peb), unsafe.Offsetof(peb.ProcessParameters)+unsafe.Sizeof(peb.ProcessParameters)) {
		return "", ""
	}
	var params windows.RTL_USER_PROCESS_PARAMETERS
	if !read(uintptr(unsafe.Pointer(peb.ProcessParameters)), unsafe.Pointer(&params), unsafe.Offsetof(params.Environment)) {
		return "", ""
	}
	text := func(u windows.NTUnicodeString) string {
		buf := make([]uint16, u.Length/2)
		if len(buf) == 0 || !read(uintptr(unsafe.Pointer(u.Buffer)), unsafe.Pointer(&buf[0]), uintptr(len(buf)*2)) {
			return ""
		}
		return windows.UTF16ToString(buf)
	}
	return text(params.CommandLine), text(params.CurrentDirectory.DosPath)
}

// every calls look at once and then in intervals, until ctx ends or it fails.
func every(ctx context.Context, d time.Duration, look func() error) error {
	t := time.NewTicker(d)
	defer t.Stop()
	for {
		if err := look(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}
