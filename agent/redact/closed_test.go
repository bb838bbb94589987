package redact

import (
	"strings"
	"testing"
	"time"

	"aval/agent/event"
)

// TestFailClosed plants rules that panic, that take too long and that never
// settle: each leaves the mark and nothing of the text.
func TestFailClosed(t *testing.T) {
	faults := map[string]rule{
		"panic": {name: "panic", find: func(string) []span { panic("index out of range") }},
		"slow":  {name: "slow", find: func(string) []span { time.Sleep(budget + 10*time.Millisecond); return nil }},
		"unsettled": {name: "unsettled", find: func(s string) []span {
			return []span{{0, len(s), s + "x"}}
		}},
		"bad span": {name: "bad span", find: func(s string) []span { return []span{{0, len(s) + 9, MarkCard}, {1, 2, MarkCard}} }},
	}
	for name, r := range faults {
		t.Run(name, func(t *testing.T) {
			got, err := limited("canary text", 100, theScanner(), []rule{r, builtin[0]})
			if strings.Contains(got, "canary") || err == nil && got != MarkCard {
				t.Errorf("got %q, %v", got, err)
			}
			one := Redactor{more: []rule{r}}
			def, _ := event.Define(event.ChatMessage)
			if f, err := one.Fields(def, map[string]string{"text": "canary text"}); err == nil && f["text"] != MarkCard {
				t.Errorf("the event was kept: %q", f)
			}
		})
	}
}
