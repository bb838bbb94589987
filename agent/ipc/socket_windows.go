package ipc

import (
	"context"
	"errors"
	"net"
)

const defaultSocket = `\\.\pipe\ProtectedPrefix\Administrators\aval`

var errPipes = errors.New("named pipes are not supported on this system yet")

func dial(context.Context, string) (net.Conn, error) { return nil, errPipes }

func listen(string) (net.Listener, error) { return nil, errPipes }
