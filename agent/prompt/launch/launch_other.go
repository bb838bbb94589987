//go:build !linux

package launch

import "errors"

func start(Program, []string) (*Process, error) {
	return nil, errors.New("starting programs in a user's session is not supported on this system yet")
}
