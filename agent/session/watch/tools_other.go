//go:build !linux

package watch

import "context"

// Servers lists none: the tools that Tools watches are not heard on this system.
func Servers() []Server { return nil }

// Run finds nothing on this system and returns when ctx ends.
func (t *Tools) Run(ctx context.Context, ready func()) error {
	t.look(ctx)
	ready()
	<-ctx.Done()
	return nil
}

func (t *Tools) reader(context.Context, Server) func(string) { return func(string) {} }

func (t *Tools) followMesh(context.Context, Server) error { return nil }

func (t *Tools) again(context.Context, int) {}

func meshSocketOf(int) string { return "" }
