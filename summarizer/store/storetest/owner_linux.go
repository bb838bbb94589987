package storetest

import (
	"errors"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// PostgreSQL's words for its signals, https://www.postgresql.org/docs/current/server-shutdown.html.
var (
	fast      os.Signal = syscall.SIGINT
	immediate os.Signal = syscall.SIGQUIT
)

// owner is who the server runs as: PostgreSQL refuses to be root.
func owner() (uid, gid uint32, err error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		id, err1 := strconv.ParseUint(u.Uid, 10, 32)
		group, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return uint32(id), uint32(group), nil
		}
	}
	return 0, 0, errors.New("find a user who is not root: there is no postgres and no nobody")
}

func own(dir string) error {
	if os.Getuid() != 0 {
		return nil
	}
	uid, gid, err := owner()
	if err != nil {
		return err
	}
	return os.Chown(dir, int(uid), int(gid))
}

// asOwner has a program of the server run as its owner, and end with this process.
func (p *Postgres) asOwner(cmd *exec.Cmd) *exec.Cmd {
	cmd.Dir = p.Dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if os.Getuid() == 0 {
		if uid, gid, err := owner(); err == nil {
			cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uid, Gid: gid}
		}
	}
	return cmd
}
