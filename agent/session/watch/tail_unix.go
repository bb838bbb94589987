//go:build unix

package watch

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// openShared opens a file for reading. A named pipe in its place does not make
// it wait.
func openShared(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
}

// fileID is the device and the inode (stat(2)).
func fileID(f *os.File) (string, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return "", fmt.Errorf("identify %s: %w", f.Name(), err)
	}
	return fmt.Sprintf("%d-%d", st.Dev, st.Ino), nil
}
