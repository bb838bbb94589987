//go:build linux || darwin

package service

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Group is the group that the installed programs which ask people run with.
const Group = "_aval"

// setGroup makes the group and gives the programs in dir to it.
func setGroup(dir string) error {
	gid, err := groupID()
	if err != nil {
		if err := makeGroup(); err != nil {
			return err
		}
		if gid, err = groupID(); err != nil {
			return err
		}
	}
	if err := rootsAlone(dir); err != nil {
		return err
	}
	for _, name := range Asking {
		if err := own(filepath.Join(dir, name), gid, unix.S_ISGID|0o755); err != nil {
			return err
		}
	}
	return nil
}

// unsetGroup takes back what setGroup did.
func unsetGroup(dir string) error {
	var errs []error
	for _, name := range Asking {
		errs = append(errs, own(filepath.Join(dir, name), 0, 0o755))
	}
	if _, err := groupID(); err == nil {
		errs = append(errs, removeGroup())
	}
	return errors.Join(errs...)
}

// own gives one program to root and a group. A program that is not there is
// nothing to do; a link, or a file that has another name too, is refused.
func own(path string, gid int, mode uint32) error {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("set up %s: %w", path, err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return fmt.Errorf("set up %s: %w", path, err)
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); !ok || !fi.Mode().IsRegular() || st.Nlink != 1 {
		return fmt.Errorf("set up %s: it is not a program of its own: copy it there", path)
	}
	// First the owner: the kernel takes the mode's high bits away with it.
	if err := f.Chown(0, gid); err != nil {
		return fmt.Errorf("set up %s: %w", path, err)
	}
	if err := unix.Fchmod(int(f.Fd()), mode); err != nil {
		return fmt.Errorf("set up %s: %w", path, err)
	}
	return nil
}

// rootsAlone refuses a folder in which others than root could put a program.
func rootsAlone(dir string) error {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	for ; ; dir = filepath.Dir(dir) {
		fi, err := os.Stat(dir)
		if err != nil {
			return err
		}
		st, ok := fi.Sys().(*syscall.Stat_t)
		// Others may make files in a sticky folder, but not take ours away.
		if !ok || st.Uid != 0 || fi.Mode().Perm()&0o022 != 0 && fi.Mode()&os.ModeSticky == 0 {
			return fmt.Errorf("folder %s can be changed by others than root: copy the programs to /usr/bin", dir)
		}
		if dir == "/" {
			return nil
		}
	}
}

func groupID() (int, error) {
	g, err := user.LookupGroup(Group)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(g.Gid)
}

// tool runs a program of the system's, by its fixed place.
func tool(name string, args ...string) error {
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/bin", "/bin"} {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err != nil {
			continue
		}
		if out, err := exec.Command(path, args...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", name, err, out)
		}
		return nil
	}
	return fmt.Errorf("%s is not installed: make the system group %s by other means", name, Group)
}
