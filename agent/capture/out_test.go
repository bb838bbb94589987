package capture

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"aval/agent/event"
	"aval/agent/record"
)

// out collects what a source emits.
type out struct {
	mu   sync.Mutex
	list []string
}

func (o *out) emit(kind event.Kind, _ time.Time, f map[string]string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(f)) {
		parts = append(parts, k+"="+f[k])
	}
	o.list = append(o.list, string(kind)+" "+strings.Join(parts, " "))
}

func (o *out) all() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Join(o.list, "\n")
}

func (o *out) wait(t *testing.T, want ...string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		missing := slices.DeleteFunc(slices.Clone(want), func(w string) bool { return strings.Contains(o.all()+"\n", w+"\n") })
		if len(missing) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("no %q in\n%s", missing, o.all())
		}
	}
}

// follows runs a source until the test ends, with a gate for groups.
func follows(t *testing.T, run func(context.Context, *gate, *work) error, w *work, groups ...event.Group) *out {
	t.Helper()
	o := &out{}
	var kinds []event.Kind
	for _, d := range event.Defs {
		kinds = append(kinds, d.Kind)
	}
	g, err := newGate(o.emit, []record.Verified{GrantFor(t, "g", time.Hour, groups...)}, kinds, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- run(ctx, g, w) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return o
}
