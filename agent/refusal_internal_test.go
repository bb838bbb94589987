package agent

import (
	"testing"

	"aval/agent/consent"
	"aval/agent/ipc"
)

// A person is told that an answer was remote only where it was: not for a press of
// their own that was disturbed, or that the X server told too late.
func TestRefusal(t *testing.T) {
	for name, c := range map[string]struct {
		heard ipc.Heard
		want  string
	}{
		"a program's click":    {ipc.Heard{From: consent.FromInjected}, ipc.RefusedRemote},
		"no press at all":      {ipc.Heard{From: consent.FromNothing}, ipc.RefusedRemote},
		"not heard in time":    {ipc.Heard{From: consent.FromNothing, Doubt: "late"}, ipc.RefusedDisturbed},
		"the hand, disturbed":  {ipc.Heard{From: consent.FromHardware, Doubt: "covered"}, ipc.RefusedDisturbed},
		"injected and covered": {ipc.Heard{From: consent.FromInjected, Doubt: "covered"}, ipc.RefusedRemote},
		"nothing can be heard": {ipc.Heard{From: consent.FromAbsent, Doubt: "no answer"}, ipc.RefusedDisturbed},
	} {
		by, _ := consent.Weigh(c.heard.From, c.heard.Doubt != "", consent.Surroundings{Proven: true})
		if got := refusal(c.heard, by); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}
