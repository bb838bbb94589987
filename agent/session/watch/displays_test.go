package watch_test

import (
	"testing"

	"aval/agent/session/watch"
)

func TestDisplay(t *testing.T) {
	for in, want := range map[string]string{":10.0": ":10", "unix:10": ":10", ":10": ":10", "localhost:10.0": "localhost:10", "x": "x"} {
		if got := watch.Display(in); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}
