package main

import (
	"context"
	"log/slog"
	"sync"

	"aval/agent/ipc"
)

// link sends to the service in order, without ever making the owner wait.
type link struct {
	client *ipc.Client
	queue  chan call
	once   sync.Once
	ended  chan struct{}
}

type call struct {
	method ipc.Method
	params any
}

// queued is how many messages may wait. A service that falls so far behind
// hangs: the connection is ended, and capture with it.
const queued = 512

func newLink(ctx context.Context, c *ipc.Client, log *slog.Logger) *link {
	l := &link{client: c, queue: make(chan call, queued), ended: make(chan struct{})}
	go func() {
		for {
			select {
			case <-l.ended:
				return
			case <-ctx.Done():
				return
			case m := <-l.queue:
				ctx, cancel := context.WithTimeout(ctx, answerWithin)
				err := c.Call(ctx, m.method, m.params, nil)
				cancel()
				if err != nil {
					log.Warn("send to the service", "method", string(m.method), "err", err)
					if ctx.Err() != nil { // it hangs: without an answer nothing goes on
						l.close()
					}
				}
			}
		}
	}()
	return l
}

// send queues one message.
func (l *link) send(m ipc.Method, params any) {
	select {
	case l.queue <- call{m, params}:
	case <-l.ended:
	default:
		l.close()
	}
}

// close ends the connection; what still waits is dropped. The owner learns of
// it by the end of the pushes.
func (l *link) close() {
	l.once.Do(func() { close(l.ended) })
	l.client.Close()
}
