//go:build !linux

package watch

import (
	"context"
	"slices"
	"time"
)

// Run watches until ctx ends. ready is called once all that goes on already has
// been told. The one tool that is followed by its program here is MeshCentral's
// agent; what would tell that it was started is for programs with a window or with
// C code, so that it is looked for again, ever more seldom.
func (t *Tools) Run(ctx context.Context, ready func()) error {
	t.look(ctx)
	ready()
	if !slices.Contains(t.names, ToolMeshCentral) {
		<-ctx.Done()
		return nil
	}
	next := meshAgainFirst
	timer := time.NewTimer(next)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case f := <-t.inbox:
			f()
		case <-timer.C:
			t.look(ctx)
			next = min(2*next, meshAgainLast)
			timer.Reset(next)
		}
	}
}

// reader reads nothing: no tool with a log of its own is followed by its program.
func (t *Tools) reader(context.Context, Server) func(string) { return func(string) {} }

// meshSocketOf is the agent's socket, by which it was found.
func meshSocketOf(s Server) string { return s.Socket }

// shell is not known here: nothing tells which of the agent's programs is whose.
func (m *mesh) shell() (pid int, st stat, uid uint32, gids []uint32) { return 0, stat{}, 0, nil }
