package source

import "errors"

// read: on Windows policies come from the registry, never from a folder.
func (o Options) read() ([]file, error) {
	return nil, errors.New("policy folders are not supported on this system yet")
}
