package font

import (
	"io"
	"os"
)

// mapped is the file in memory.
func mapped(file *os.File, size int64) ([]byte, error) {
	return io.ReadAll(io.NewSectionReader(file, 0, size))
}
