package rig

import (
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
)

// Install copies the programs into the rig's own folder and gives those that ask
// people to a group, as an installation does; from then on they are the ones
// that are started. Only root can, and the group must be there already.
func (r *Rig) Install(group string) error {
	g, err := user.LookupGroup(group)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(g.Gid)
	if err != nil {
		return err
	}
	dir := r.Path("bin")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for name, asks := range map[string]bool{"aval": false, "aval-summarizer": false, "aval-desktop": true, "aval-ui": true} {
		path := filepath.Join(dir, name)
		if err := copyProgram(path, r.Program(name)); err != nil {
			return err
		}
		if !asks {
			continue
		}
		if err := os.Chown(path, 0, gid); err != nil {
			return fmt.Errorf("install %s: %w", name, err)
		}
		if err := os.Chmod(path, os.ModeSetgid|0o755); err != nil {
			return fmt.Errorf("install %s: %w", name, err)
		}
	}
	r.Bin, r.Group = dir, group
	return nil
}

func copyProgram(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
