package launch

import (
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// DropGroup: programs are told by their group on Linux only.
func DropGroup(*exec.Cmd) {}

// suffix of programs.
const suffix = ".exe"

// folders are none but that of the program that asks: an installation has all of
// its programs in one.
var folders []string

// passed are the names that a program in a desktop session needs.
var passed = map[string]bool{
	"SYSTEMROOT": true, "SYSTEMDRIVE": true, "WINDIR": true, "TEMP": true, "TMP": true, "COMSPEC": true, "PROCESSOR_ARCHITECTURE": true, "NUMBER_OF_PROCESSORS": true,
	"USERNAME": true, "USERDOMAIN": true, "USERPROFILE": true, "HOMEDRIVE": true, "HOMEPATH": true, "APPDATA": true, "LOCALAPPDATA": true,
	"PROGRAMDATA": true, "ALLUSERSPROFILE": true, "PUBLIC": true, "PROGRAMFILES": true, "SESSIONNAME": true,
	"LANG": true, "LANGUAGE": true, "FYNE_SCALE": true,
}

func passes(name string) bool { return passed[strings.ToUpper(name)] }

// systemPath is where programs are looked for that a program of ours starts by name.
func systemPath() string {
	dir, err := windows.GetSystemDirectory()
	if err != nil {
		return ""
	}
	return dir
}

// executable tells whether a file is a program: who may change it is settled by
// its folder.
func executable(fi fs.FileInfo) bool {
	return strings.HasSuffix(strings.ToLower(fi.Name()), suffix)
}

// Clean takes the working folder out of the places where libraries are looked for:
// whoever chose it must not choose what runs here. It must come first.
func Clean() { _ = windows.SetDllDirectory("") }

// guarded is who may touch a process that asks people: the system and the
// administrators. Its own user, who owns it, may see that it is there and end it,
// and no more (OW: without it an owner may change these very rights), so that
// another program of the same user cannot write into it.
const guarded = "D:P(A;;GA;;;SY)(A;;GA;;;BA)(A;;0x00101001;;;OW)"

// start runs the program in a job that ends it with all that it started, also when
// this process ends.
func start(p Program, env []string) (*Process, error) {
	cmd := exec.Command(p.Path, p.Args...)
	cmd.Env = env
	cmd.Dir = systemPath()
	cmd.WaitDelay = reapWithin
	if p.Output != nil {
		cmd.Stdout, cmd.Stderr = p.Output, p.Output
	}
	if p.Nonce != "" { // there are no numbered descriptors to inherit: it is the input
		cmd.Stdin = strings.NewReader(p.Nonce + "\n")
	}
	sd, err := windows.SecurityDescriptorFromString(guarded)
	if err != nil {
		return nil, err
	}
	defer runtime.KeepAlive(sd)
	sa := &syscall.SecurityAttributes{SecurityDescriptor: uintptr(unsafe.Pointer(sd))}
	sa.Length = uint32(unsafe.Sizeof(*sa))
	cmd.SysProcAttr = &syscall.SysProcAttr{HideWindow: false, CreationFlags: windows.CREATE_NO_WINDOW, ProcessAttributes: sa, ThreadAttributes: sa}
	job, err := newJob()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		windows.CloseHandle(job)
		return nil, err
	}
	kill := func() { _ = windows.TerminateJobObject(job, killed); _ = cmd.Process.Kill() }
	// Between its start and this it may have started nothing: it is still loading.
	if err := cmd.Process.WithHandle(func(h uintptr) {
		if jerr := windows.AssignProcessToJobObject(job, windows.Handle(h)); jerr != nil {
			err = jerr
		}
	}); err != nil {
		kill()
		_ = cmd.Wait()
		windows.CloseHandle(job)
		return nil, err
	}
	proc := &Process{pid: cmd.Process.Pid, kill: kill, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		proc.mu.Lock()
		_ = windows.TerminateJobObject(job, killed) // what it left behind
		windows.CloseHandle(job)
		proc.exit = Exit{Code: cmd.ProcessState.ExitCode(), Killed: proc.killed}
		close(proc.done)
		proc.mu.Unlock()
	}()
	return proc, nil
}

// killed is the exit status of what is ended here.
const killed = 0xFFFFFFFF

// newJob is a group of processes that ends when its last handle is closed.
func newJob() (windows.Handle, error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return 0, os.NewSyscallError("CreateJobObject", err)
	}
	info := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{BasicLimitInformation: windows.JOBOBJECT_BASIC_LIMIT_INFORMATION{LimitFlags: windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE}}
	if _, err := windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation, uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info))); err != nil {
		windows.CloseHandle(job)
		return 0, os.NewSyscallError("SetInformationJobObject", err)
	}
	return job, nil
}
