package agent_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
	"aval/agent/record"
	"aval/assets"
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
			if got := r.follows(p.c); got != record.NarrowedToNothing {
				t.Errorf("narrowed: %q", got)
			}
			continue
		}
		if b.Outcome != consent.OutcomeAllowed || len(p.asked) != 1 || !slices.Equal(p.asked[0].Offered, want) {
			t.Errorf("%s: %+v, offered %+v", groups, b, p.asked)
		}
	}
}

// follows checks that each record says nothing but what follows from its own
// facts, and returns why the newest was narrowed.
func (r *rig) follows(c *ipc.Client) record.Narrowed {
	r.t.Helper()
	var newest record.Narrowed
	for i, e := range r.consents(c) {
		show, err := call[ipc.ConsentShow](r, c, ipc.MethodConsentShow, ipc.ByID{ID: e.ID})
		must(r.t, err)
		receipt, err := record.NewReceipt(c.HelloResult().DeviceKey, show.Envelope)
		must(r.t, err)
		if follows, known := receipt.Follows(); !follows || !known {
			r.t.Errorf("%s %s %s, narrowed %q: the decision does not follow from the facts", e.ID, e.Verdict, e.Reason, receipt.Narrowed())
		}
		if i == 0 {
			newest = receipt.Narrowed()
		}
	}
	return newest
}

// TestRecordsFollow: what runs without a question ends where a policy asks for
// one now, and the record of it follows from the facts in it. Let review leave
// Narrowed out, or again the desktop that it decided with, and it fails.
func TestRecordsFollow(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	c := r.dial()
	r.sit(":77", says(true))
	_, err := call[ipc.SettingsResult](r, c, ipc.MethodSettingsSet, ipc.SettingsSet{SessionInsights: consent.AccessAllowed})
	must(t, err)
	if b := r.begin(c, ipc.SessionBegin{ID: "1", Desktop: ":77"}); b.Verdict != consent.Allow {
		t.Fatalf("%+v", b)
	}
	r.setPolicy("managed/b.json", `{"AccessControl": "after-confirmation"}`)
	r.eventually("the recording ended", func() bool { s, _ := r.session(c, "test/1"); return s.Outcome == consent.OutcomeDenied })
	if got := r.follows(c); got != record.NarrowedMeanwhile {
		t.Errorf("narrowed: %q", got)
	}
}

func (r *rig) setPolicy(name, text string) {
	r.t.Helper()
	p := filepath.Join(r.dir, "policies", name)
	must(r.t, os.MkdirAll(filepath.Dir(p), 0o755))
	must(r.t, os.WriteFile(p, []byte(text), 0o644))
}

// TestStricterPolicyEndsWhatRuns: a policy that changes while sessions run is
// noticed without a restart. One that denies ends a recording and an open
// question, one that leaves a group out ends the recording of that group, and
// one that cannot be read changes nothing while the last good one counts. To see
// it fail, leave the call of watchPolicy out of Run.
func TestStricterPolicyEndsWhatRuns(t *testing.T) {
	t.Parallel()
	r := newRig(t, map[string]string{"managed/a.json": `{"QuestionSeconds": 300}`})
	c := r.dial()
	r.sit(":77", says(true))
	if b := r.begin(c, ipc.SessionBegin{ID: "1", Desktop: ":77", Hold: true}); b.Outcome != consent.OutcomeAllowed {
		t.Fatalf("begin: %+v", b)
	}
	if res := r.note(c, "1", "before"); !res.Recorded {
		t.Fatalf("before: %+v", res)
	}

	r.setPolicy("managed/b.json", `{"AccessControl": "dnied"}`) // a slip: unreadable
	state := func() ipc.PolicyResult {
		p, err := call[ipc.PolicyResult](r, c, ipc.MethodPolicyShow, nil)
		must(t, err)
		return p
	}
	r.eventually("the problem is reported", func() bool { return state().Problem != "" })
	if p := state(); p.State != consent.PolicyStale {
		t.Errorf("state %s", p.State)
	}
	if res := r.note(c, "1", "the last good policy counts"); !res.Recorded {
		t.Errorf("stale: %+v", res)
	}

	r.setPolicy("managed/b.json", `{"RecordGroups": ["windows"]}`)
	r.eventually("notes are not recorded any more", func() bool {
		res := r.note(c, "1", "left out")
		return !res.Recorded && res.Reason == "not-covered"
	})
	if s, ok := r.session(c, "test/1"); !ok || !s.Recording {
		t.Errorf("the rest goes on: %+v", s)
	}

	r.setPolicy("managed/b.json", `{"AccessControl": "denied"}`)
	r.eventually("the recording ended", func() bool {
		s, ok := r.session(c, "test/1")
		return ok && !s.Recording && s.Outcome == consent.OutcomeDenied && s.Reason == consent.ReasonDeniedByPolicy
	})
	if res := r.note(c, "1", "after"); res.Recorded {
		t.Error("recorded under a policy that denies")
	}
	sent := r.sent(c)
	if last := sent[len(sent)-1]; last.Kind != event.SessionEnded || last.Fields["reason"] != "policy" {
		t.Errorf("last mark: %+v", last)
	}

	// A looser policy brings nothing back.
	must(t, os.Remove(filepath.Join(r.dir, "policies", "managed/b.json")))
	r.eventually("the policy is looser", func() bool { return state().State == consent.PolicyFresh })
	if s, _ := r.session(c, "test/1"); s.Recording {
		t.Error("a looser policy took a recording up again")
	}
	_, err := call[ipc.SessionInfo](r, c, ipc.MethodSessionEnd, ipc.SessionEnd{ID: "1"})
	must(t, err)
}

// TestStricterPolicyEndsAQuestion: nobody can say yes any more to what the
// policy denies meanwhile.
func TestStricterPolicyEndsAQuestion(t *testing.T) {
	t.Parallel()
	r := newRig(t, map[string]string{"managed/a.json": `{"QuestionSeconds": 300}`})
	c := r.dial()
	r.sit(":77", nil)
	if b := r.begin(c, ipc.SessionBegin{ID: "1", Desktop: ":77"}); b.Verdict != consent.Ask {
		t.Fatalf("begin: %+v", b)
	}
	r.setPolicy("managed/b.json", `{"AccessControl": "denied"}`)
	r.eventually("the question ended", func() bool {
		s, ok := r.session(c, "test/1")
		return ok && s.Outcome == consent.OutcomeDenied
	})
	list := r.consents(c)
	if len(list) != 1 || list[0].Outcome != consent.OutcomeDenied || list[0].Reason != consent.ReasonDeniedByPolicy {
		t.Fatalf("consents: %+v", list)
	}
	// The record says that somebody was asked, and that nobody answered with a yes.
	show, err := call[ipc.ConsentShow](r, c, ipc.MethodConsentShow, ipc.ByID{ID: list[0].ID})
	must(t, err)
	var body record.Refusal
	_, payload, err := record.Peek(show.Envelope)
	must(t, err)
	must(t, json.Unmarshal(payload, &body))
	if body.Asked == nil || body.Asked.AskedAt.IsZero() || body.Ending != "" || body.Input.AccessControl != consent.AccessDenied {
		t.Errorf("record: %+v", body.Decided)
	}
	receipt, err := record.NewReceipt(c.HelloResult().DeviceKey, show.Envelope)
	if err != nil || receipt.Page(assets.For("en")) == "" {
		t.Errorf("receipt: %v", err)
	}
}
