package agent_test

import (
	"slices"
	"testing"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
)

// TestPolicyNarrowsWhatIsRecorded: a group that the policy leaves out is not
// offered, and with none left there is no question. To see it fail, leave the
// look at MayRecord out of Agent.decide.
func TestPolicyNarrowsWhatIsRecorded(t *testing.T) {
	t.Parallel()
	for groups, want := range map[string][]event.Group{
		`["chat", "windows"]`: {event.Windows, event.Chat},
		`[]`:                  nil,
	} {
		r := newRig(t, map[string]string{"managed/a.json": `{"RecordGroups": ` + groups + `}`})
		p := r.sit(":77", says(true))
		b := r.begin(r.dial(), ipc.SessionBegin{ID: "1", Hold: true})
		if want == nil {
			if b.Verdict != consent.Deny || b.Reason != consent.ReasonDeniedByPolicy || len(p.asked) > 0 {
				t.Errorf("no group: %+v", b)
			}
			continue
		}
		if b.Outcome != consent.OutcomeAllowed || len(p.asked) != 1 || !slices.Equal(p.asked[0].Offered, want) {
			t.Errorf("%s: %+v, offered %+v", groups, b, p.asked)
		}
	}
}
