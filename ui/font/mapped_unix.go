//go:build unix

package font

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// mapped is the file in memory. What is written there is not written to the file.
func mapped(file *os.File, size int64) ([]byte, error) {
	if size <= 0 || size != int64(int(size)) {
		return nil, errors.New("odd size")
	}
	return unix.Mmap(int(file.Fd()), 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE)
}
