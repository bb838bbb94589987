package ipc

import (
	"errors"
	"io/fs"
	"os"
)

// defaultSocket: there is no /run (hier(7)).
const defaultSocket = "/var/run/aval/agent.sock"

// makeFolder makes the folder of the socket, which every user must reach although
// the service makes what it makes for itself alone (its umask).
func makeFolder(dir string) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.Chmod(dir, 0o755)
}
