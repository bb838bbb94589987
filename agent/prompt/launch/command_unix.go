//go:build unix

package launch

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// DropGroup has a program that is not ours start without the group by which the
// service recognises ours.
func DropGroup(cmd *exec.Cmd) {
	if os.Getegid() == os.Getgid() {
		return
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	// After exec the saved group is the effective one, so ours is gone.
	cmd.SysProcAttr.Credential = &syscall.Credential{
		Uid: uint32(os.Getuid()), Gid: uint32(os.Getgid()), NoSetGroups: true,
	}
}

// command is the program in a group of processes of its own, not started yet.
// nonce is its end of the pipe that holds the nonce, to be closed here once it has
// started; nil where there is none.
func command(p Program, env []string) (cmd *exec.Cmd, nonce *os.File, err error) {
	cmd = exec.Command(p.Path, p.Args...)
	cmd.Env = env
	cmd.Dir = "/"
	cmd.WaitDelay = reapWithin
	if p.Output != nil {
		cmd.Stdout, cmd.Stderr = p.Output, p.Output
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if p.Nonce == "" {
		return cmd, nil, nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	// A nonce is far shorter than a pipe: this does not wait.
	_, err = io.WriteString(w, p.Nonce+"\n")
	if err = errors.Join(err, w.Close()); err != nil {
		return nil, nil, errors.Join(err, r.Close())
	}
	cmd.ExtraFiles = []*os.File{r}
	return cmd, r, nil
}
