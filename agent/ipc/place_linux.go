package ipc

import "os"

const defaultSocket = "/run/aval/agent.sock"

// makeFolder makes the folder of the socket; that of the installed service is there
// before it starts.
func makeFolder(dir string) error { return os.MkdirAll(dir, 0o755) }
