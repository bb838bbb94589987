package launch

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// StartIn starts a program in a desktop session, as the user who has signed in
// there, with the rights that the user's own programs have, and with nothing
// inherited. It can be called by the service of the system alone. The program ends
// with this process.
func StartIn(session uint32, p Program) (*Process, error) {
	if !filepath.IsAbs(p.Path) {
		return nil, fmt.Errorf("start %q: the path is not absolute", p.Path)
	}
	fail := func(err error) (*Process, error) {
		return nil, fmt.Errorf("start %s in session %d: %w", filepath.Base(p.Path), session, err)
	}
	token, err := tokenOf(session)
	if err != nil {
		return fail(err)
	}
	defer token.Close()
	theirs, err := token.Environ(false)
	if err != nil {
		return fail(err)
	}
	block, err := environmentBlock(environment(theirs, p.Env))
	if err != nil {
		return fail(err)
	}
	line, err1 := windows.UTF16PtrFromString(windows.ComposeCommandLine(append([]string{p.Path}, p.Args...)))
	exe, err2 := windows.UTF16PtrFromString(p.Path)
	dir, err3 := windows.UTF16PtrFromString(systemPath())
	desktop, err4 := windows.UTF16PtrFromString(`WinSta0\Default`)
	sd, err5 := windows.SecurityDescriptorFromString(guarded)
	for _, err := range []error{err1, err2, err3, err4, err5} {
		if err != nil {
			return fail(err)
		}
	}
	sa := &windows.SecurityAttributes{SecurityDescriptor: sd}
	sa.Length = uint32(unsafe.Sizeof(*sa))
	job, err := newJob()
	if err != nil {
		return fail(err)
	}
	start := windows.StartupInfo{Desktop: desktop}
	start.Cb = uint32(unsafe.Sizeof(start))
	var info windows.ProcessInformation
	// Suspended, so that it is in its job, and known, before it does anything.
	const flags = windows.CREATE_SUSPENDED | windows.CREATE_UNICODE_ENVIRONMENT | windows.CREATE_NO_WINDOW
	if err := windows.CreateProcessAsUser(token, exe, line, sa, sa, false, flags, &block[0], dir, &start, &info); err != nil {
		windows.CloseHandle(job)
		return fail(err)
	}
	defer windows.CloseHandle(info.Thread)
	err = windows.AssignProcessToJobObject(job, info.Process)
	if err == nil {
		_, err = windows.ResumeThread(info.Thread)
	}
	if err != nil {
		_ = windows.TerminateProcess(info.Process, killed)
		windows.CloseHandle(info.Process)
		windows.CloseHandle(job)
		return fail(err)
	}
	proc := &Process{pid: int(info.ProcessId), done: make(chan struct{})}
	proc.kill = func() { _ = windows.TerminateJobObject(job, killed) }
	go func() {
		_, _ = windows.WaitForSingleObject(info.Process, windows.INFINITE)
		proc.mu.Lock()
		defer proc.mu.Unlock()
		var code uint32
		_ = windows.GetExitCodeProcess(info.Process, &code)
		proc.kill() // what it left behind
		windows.CloseHandle(job)
		windows.CloseHandle(info.Process) // from here on its id may be another's
		proc.exit = Exit{Code: int(int32(code)), Killed: proc.killed}
		close(proc.done)
	}()
	return proc, nil
}

// limited is a user's token with the rights that it has without being asked for
// more: of the two tokens of an administrator the filtered one (Microsoft Learn,
// TokenLinkedToken).
func limited(t windows.Token) (windows.Token, error) {
	const full = 2 // TokenElevationTypeFull
	var kind, n uint32
	if err := windows.GetTokenInformation(t, windows.TokenElevationType, (*byte)(unsafe.Pointer(&kind)), uint32(unsafe.Sizeof(kind)), &n); err != nil {
		t.Close()
		return 0, os.NewSyscallError("GetTokenInformation", err)
	}
	if kind != full {
		return t, nil
	}
	linked, err := t.GetLinkedToken()
	t.Close()
	if err != nil {
		return 0, os.NewSyscallError("GetTokenInformation", err)
	}
	defer linked.Close()
	var primary windows.Token
	if err := windows.DuplicateTokenEx(linked, windows.MAXIMUM_ALLOWED, nil, windows.SecurityIdentification, windows.TokenPrimary, &primary); err != nil {
		return 0, os.NewSyscallError("DuplicateTokenEx", err)
	}
	return primary, nil
}

// environmentBlock is an environment as a process gets it: NAME=value, each with a
// zero at its end, and one more.
func environmentBlock(env []string) ([]uint16, error) {
	var block []uint16
	for _, kv := range env {
		u, err := windows.UTF16FromString(kv)
		if err != nil {
			return nil, fmt.Errorf("environment: %w", err)
		}
		block = append(block, u...)
	}
	return append(block, 0), nil
}

// StartedBy tells whether a process was started by another one that is still
// running: by the number of its parent, which an ended process may have had
// before, and by when the two began.
func StartedBy(pid int, by *Process) bool {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(pid))
	if err != nil {
		return false
	}
	defer windows.CloseHandle(h)
	var basic windows.PROCESS_BASIC_INFORMATION
	if windows.NtQueryInformationProcess(h, windows.ProcessBasicInformation, unsafe.Pointer(&basic), uint32(unsafe.Sizeof(basic)), nil) != nil ||
		int(basic.InheritedFromUniqueProcessId) != by.pid {
		return false
	}
	parent, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(by.pid))
	if err != nil {
		return false
	}
	defer windows.CloseHandle(parent)
	first, err1 := beganAt(parent)
	second, err2 := beganAt(h)
	runtime.KeepAlive(by)
	select {
	case <-by.done: // the number may be another's
		return false
	default:
		return err1 == nil && err2 == nil && !second.Before(first)
	}
}

func beganAt(h windows.Handle) (time.Time, error) {
	var began, ended, kernel, user windows.Filetime
	if err := windows.GetProcessTimes(h, &began, &ended, &kernel, &user); err != nil {
		return time.Time{}, err
	}
	return time.Unix(0, began.Nanoseconds()), nil
}
