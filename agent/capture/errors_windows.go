package capture

import (
	"context"
	"strings"
	"sync"

	"aval/agent/event"
	"aval/agent/session/watch"
)

// errorQueries are the two logs that every Windows has, critical events and errors
// (winmeta.xml, win:Critical 1 and win:Error 2), and what says that a restart was
// asked for (source User32, 1074).
var errorQueries = []watch.EventQuery{
	{Channel: "System", Query: "*[System[Level=1 or Level=2 or (Provider[@Name='User32' or @Name='USER32'] and EventID=1074)]]", Text: true},
	{Channel: "Application", Query: "*[System[Level=1 or Level=2]]", Text: true},
}

// restartAsked is the event of a restart or a shutdown that a program or a person
// has asked for.
const restartAsked = 1074

// runErrors tells of the errors in the event log, and that the computer is told to
// restart. What Aval itself writes is left out.
func runErrors(ctx context.Context, g *gate, _ *work) error {
	var mu sync.Mutex
	l := newErrorLog(g)
	var followers []func(context.Context) error
	for _, q := range errorQueries {
		followers = append(followers, func(ctx context.Context) error {
			return watch.FollowEvents(ctx, q, func(raw string) {
				e, err := watch.DecodeEvent(raw)
				if err != nil {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				if e.Number == restartAsked && strings.EqualFold(e.Source, "User32") {
					g.pass(event.Restart, e.At, map[string]string{"stage": "requested"})
					return
				}
				l.add(e.At, e.Source, e.Text)
			})
		})
	}
	return together(ctx, followers...)
}
