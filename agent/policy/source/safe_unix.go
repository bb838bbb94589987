//go:build linux || darwin

package source

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"aval/agent/policy"
)

// maxFiles bounds the files in one folder.
const maxFiles = 100

// defaultOrigin is the place that is named where nothing could be read.
func defaultOrigin(o Options) string { return policy.FromFile + ":" + o.Dir }

// read returns all policy files in their order: managed before recommended,
// by name within, then what stands for files in managed preferences. No folder
// means no file. Anything doubtful is an error.
func (o Options) read() ([]file, []policy.Problem, error) {
	files, err := o.readDir()
	if err != nil || o.Preferences == "" {
		return files, nil, err
	}
	more, err := o.readPreferences()
	return append(files, more...), nil, err
}

// readPreferences reads managed preferences. No such file is a fact.
func (o Options) readPreferences() ([]file, error) {
	dir := filepath.Dir(o.Preferences)
	if err := o.trusted(dir); err != nil {
		if notExist(err) {
			return nil, nil
		}
		return nil, err
	}
	root, err := o.openAt(unix.AT_FDCWD, dir, dir, true)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	raw, err := o.readFile(root, filepath.Base(o.Preferences))
	if err != nil {
		if notExist(err) {
			return nil, nil
		}
		return nil, err
	}
	return preferenceFiles(o.Preferences, raw)
}

func (o Options) readDir() ([]file, error) {
	if err := o.trusted(o.Dir); err != nil {
		if notExist(err) {
			return nil, nil
		}
		return nil, err
	}
	root, err := o.openAt(unix.AT_FDCWD, o.Dir, o.Dir, true)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	var files []file
	for _, sub := range []string{managed, recommended} {
		some, err := o.readFolder(root, sub)
		if err != nil {
			return nil, err
		}
		files = append(files, some...)
	}
	return files, nil
}

func (o Options) readFolder(root *os.File, sub string) ([]file, error) {
	dir, err := o.openAt(int(root.Fd()), sub, filepath.Join(o.Dir, sub), true)
	if err != nil {
		if notExist(err) {
			return nil, nil
		}
		return nil, err
	}
	defer dir.Close()
	return o.readAll(dir, func(n string, raw []byte) file {
		return file{Name: sub + "/" + n, Raw: raw, From: policy.FromFile, Enforced: sub == managed}
	})
}

// readAll reads the JSON files of an open folder, by name.
func (o Options) readAll(dir *os.File, as func(name string, raw []byte) file) ([]file, error) {
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir.Name(), err)
	}
	names = slices.DeleteFunc(names, func(n string) bool {
		return !strings.HasSuffix(n, ".json") || strings.HasPrefix(n, ".")
	})
	if len(names) > maxFiles {
		return nil, fmt.Errorf("%s holds %d files: at most %d are read", dir.Name(), len(names), maxFiles)
	}
	slices.Sort(names)
	var files []file
	for _, n := range names {
		raw, err := o.readFile(dir, n)
		if err != nil {
			return nil, err
		}
		files = append(files, as(n, raw))
	}
	return files, nil
}

func (o Options) readFile(dir *os.File, name string) ([]byte, error) {
	f, err := o.openAt(int(dir.Fd()), name, filepath.Join(dir.Name(), name), false)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readOpen(f)
}

// readOpen reads a file that was checked.
func readOpen(f *os.File) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(f, policy.MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Name(), err)
	}
	if len(raw) > policy.MaxFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", f.Name(), policy.MaxFile)
	}
	return raw, nil
}

// openAt opens name in the folder at and checks what was opened, not what its
// name meant a moment ago. A symbolic link is refused; O_NONBLOCK keeps a
// named pipe from holding the service.
func (o Options) openAt(at int, name, path string, folder bool) (*os.File, error) {
	fd, err := unix.Openat(at, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ELOOP) {
		return nil, fmt.Errorf("%s is a symbolic link: only real files are read", path)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	st, err := f.Stat()
	switch {
	case err != nil:
	case folder && !st.IsDir():
		err = fmt.Errorf("%s is no folder", path)
	case !folder && !st.Mode().IsRegular():
		err = fmt.Errorf("%s is no regular file", path)
	default:
		err = o.safe(path, st, false)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// safe refuses what somebody else than root could have written. In a folder
// with the sticky bit others cannot replace what is not theirs.
func (o Options) safe(path string, st fs.FileInfo, sticky bool) error {
	uid, err := owner(st)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	switch {
	case uid == 0 || (o.Own && uid == os.Geteuid()):
	case o.Own:
		return fmt.Errorf("%s belongs to user id %d: it must belong to root or to user id %d", path, uid, os.Geteuid())
	default:
		return fmt.Errorf("%s belongs to user id %d: it must belong to root", path, uid)
	}
	if sticky && st.Mode()&fs.ModeSticky != 0 {
		return nil
	}
	if st.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s can be written by others: chmod go-w %s", path, path)
	}
	return nil
}

// trusted walks from the root to path and checks each folder and each link on
// the way, so that nobody else can put another folder in path's place. The
// last part must be no link; that it is safe itself is checked once opened.
func (o Options) trusted(path string) error {
	cur, rest := "/", parts(path)
	for links := 0; ; {
		st, err := os.Lstat(cur)
		if err != nil {
			return err
		}
		if st.Mode()&fs.ModeSymlink == 0 {
			if !st.IsDir() {
				return fmt.Errorf("%s is no folder", cur)
			}
			if len(rest) == 0 {
				return nil
			}
			if err := o.safe(cur, st, true); err != nil {
				return err
			}
			cur, rest = filepath.Join(cur, rest[0]), rest[1:]
			continue
		}
		if links++; links > 32 {
			return fmt.Errorf("%s: too many symbolic links", path)
		}
		if len(rest) == 0 {
			return fmt.Errorf("%s is a symbolic link: the policy folder must be a real one", cur)
		}
		if uid, err := owner(st); err != nil || (uid != 0 && (!o.Own || uid != os.Geteuid())) {
			return fmt.Errorf("%s is a symbolic link that does not belong to root", cur)
		}
		target, err := os.Readlink(cur)
		if err != nil {
			return err
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(cur), target)
		}
		cur, rest = "/", append(parts(target), rest...)
	}
}

func parts(path string) []string {
	return slices.DeleteFunc(strings.Split(filepath.Clean(path), "/"), func(s string) bool { return s == "" })
}

// owner is the user id of what st describes.
func owner(st fs.FileInfo) (int, error) {
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, errors.New("its owner is unknown")
	}
	return int(sys.Uid), nil
}
