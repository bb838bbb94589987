package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"

	"aval/agent/ipc"
)

// The waiting between two attempts to reach the service.
const (
	firstWait   = 500 * time.Millisecond
	longestWait = 30 * time.Second
)

// errOther: the service is of another version than this process.
type errOther struct{ build string }

func (e errOther) Error() string {
	return fmt.Sprintf("the service is of version %s, and this program of version %s", e.build, version)
}

// connect reaches the service and registers, however long it takes. Its error is
// that of ctx, or an errOther that starting anew may help against.
func connect(ctx context.Context, socket string, reg ipc.DesktopRegister, log *slog.Logger) (*ipc.Client, error) {
	wait, said := firstWait, ""
	for {
		c, err := register(ctx, socket, reg)
		if err == nil {
			return c, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var other errOther
		if errors.As(err, &other) && renewable(other.build) {
			return nil, err
		}
		if said != err.Error() { // once for each reason
			said = err.Error()
			log.Info("waiting for the service", "err", err)
		}
		if !waitFor(ctx, socket, wait) {
			wait = min(2*wait, longestWait)
		} else {
			wait = firstWait
		}
	}
}

// answerWithin is how long the service may take to answer.
const answerWithin = 5 * time.Second

func register(ctx context.Context, socket string, reg ipc.DesktopRegister) (*ipc.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	c, err := ipc.Dial(ctx, socket, ipc.Hello{Program: "aval-desktop", Build: version})
	if err != nil {
		return nil, err
	}
	if build := c.HelloResult().Build; build != version {
		c.Close()
		return nil, errOther{build}
	}
	var r ipc.DesktopRegisterResult
	if err := c.Call(ctx, ipc.MethodDesktopRegister, reg, &r); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// waitFor waits until something is made at the socket's place, which it
// reports, or until d has passed. Nothing is looked at in between.
func waitFor(ctx context.Context, socket string, d time.Duration) (made bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	var events chan fsnotify.Event
	if w, err := fsnotify.NewWatcher(); err == nil {
		defer w.Close()
		dir := filepath.Dir(socket)
		// The folder itself may be made together with the socket.
		if w.Add(dir) == nil || w.Add(filepath.Dir(dir)) == nil {
			events = w.Events
		}
	}
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return false
		case e, ok := <-events:
			if !ok {
				events = nil
				continue
			}
			if e.Has(fsnotify.Create) && (e.Name == socket || e.Name == filepath.Dir(socket)) {
				return true
			}
		}
	}
}
