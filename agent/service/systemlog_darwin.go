package service

import (
	"io"
	"log/slog"
	"os"

	"golang.org/x/sys/unix"
)

// SystemLog returns the logger of the service, which writes to w. Where that is the file
// into which launchd has the service write, it is kept small: launchd never looks at it
// again, and newsyslog(8) would move it away under the service, which would go on writing
// into what was moved.
func SystemLog(w io.Writer) slog.Handler {
	if f, ok := w.(*os.File); ok && isFile(f, MacLog) {
		w = newLogFile(f, MacLog, func(to *os.File) error { return unix.Dup2(int(to.Fd()), int(f.Fd())) })
	}
	return slog.NewTextHandler(w, nil)
}
