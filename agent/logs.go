package agent

import (
	"slices"

	"aval/agent/session/watch"
)

// watcherLogs is the name of the watcher of the tools whose logs are all that
// tells of their sessions. The desktop is in none of them, so every unlocked one
// is asked; the log of an ordinary user speaks of that user's desktops alone.
const watcherLogs = "logs"

// watchLogs follows the logs of those tools that the service is to hear by itself.
func (a *Agent) watchLogs() {
	files := slices.DeleteFunc(watch.LogFiles(), func(f watch.LogFile) bool { return !slices.Contains(a.cfg.Tools, f.Tool) })
	w := watch.NewLogs(a.log, watchSink{a, watcherLogs}, files, watch.Feeds(a.cfg.Tools, a.cfg.SessionChanges))
	a.work.Go(func() {
		if err := w.Run(a.ctx); err != nil && a.ctx.Err() == nil {
			a.log.Error("follow logs of remote tools", "err", err)
		}
	})
}
