package ipc

import (
	"context"
	"encoding/json"
	"time"
)

// How long Follow waits before it looks for a service that is gone: longer each
// time, up to the second.
const (
	followAgain = 500 * time.Millisecond
	followLater = 5 * time.Second
)

// Follow calls changed whenever something that this user may see has changed,
// until ctx ends: first of all with everything, and again with everything after
// the service was gone; with nothing when it goes. It calls from one goroutine.
// window is as in Watching.
func Follow(ctx context.Context, socket string, h Hello, window uint32, changed func([]What)) {
	wait := followAgain
	for ctx.Err() == nil {
		if c, err := Dial(ctx, socket, h); err == nil {
			if c.Call(ctx, MethodWatch, Watching{Window: window}, nil) == nil {
				wait = followAgain
				changed([]What{WhatStatus, WhatSettings, WhatSessions, WhatRecords})
				follow(ctx, c, changed)
			}
			c.Close()
			if ctx.Err() == nil {
				changed(nil)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, followLater)
	}
}

func follow(ctx context.Context, c *Client, changed func([]What)) {
	for {
		select {
		case <-ctx.Done():
			return
		case p, ok := <-c.Pushes():
			if !ok {
				return
			}
			var v Changed
			if p.Name == PushChanged && json.Unmarshal(p.Data, &v) == nil {
				changed(v.What)
			}
		}
	}
}
