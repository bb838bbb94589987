package agent

import (
	"slices"
	"testing"

	"aval/agent/session/watch"
	"aval/agent/wire"
)

// TestHintOf: a hint comes from the company whose device this is alone, and says
// nothing that is no kind of a session. Fault planted once: hintOf without its look
// at the company.
func TestHintOf(t *testing.T) {
	own, guest := &company{}, &company{}
	login := &wire.Hint{Tool: "rustdesk", Connection: "7", State: wire.Hint_LOGGED_IN, Peer: "100000001", Name: "Ana", Kinds: []string{"files", "root", "view"}}
	a := &Agent{company: own}
	h, ok := a.hintOf(own, login)
	if !ok || h.Tool != watch.ToolRustDesk || h.Connection != "7" || h.Closed || h.Supporter != "Ana (100000001)" || !slices.Equal(h.Kinds, []string{watch.View, watch.Files}) {
		t.Errorf("%+v, %v", h, ok)
	}
	if h, ok := a.hintOf(own, &wire.Hint{State: wire.Hint_CLOSED, Peer: "100000001"}); !ok || !h.Closed || h.Supporter != "100000001" {
		t.Errorf("%+v, %v", h, ok)
	}
	for name, tt := range map[string]struct {
		a *Agent
		c *company
		h *wire.Hint
	}{
		"a guest":       {a, guest, login},
		"no company":    {&Agent{}, nil, login},
		"no state":      {a, own, &wire.Hint{Tool: "rustdesk", Connection: "7"}},
		"another state": {a, own, &wire.Hint{State: 9}},
	} {
		if h, ok := tt.a.hintOf(tt.c, tt.h); ok {
			t.Errorf("%s: %+v", name, h)
		}
	}
}
