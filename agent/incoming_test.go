package agent_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/agent/record"
)

// askTable is what comes of the company's two options, the policy of the
// computer and the choice of the person at it: written by hand from
// docs/decision.md. Exactly one row fits each combination; * is any. policy:
// none; says: Reporting and Insights are on, recommended; must: they are
// enforced. The last columns are what the record says.
const askTable = `
outgoing incoming enforced policy own        | direction verdict       basis             reason

# The company that manages the computer asks, and insists.
*        all      true     *      *          | incoming  allow         enforced-policy   allowed-by-policy
*        all      false    must   *          | incoming  allow         enforced-policy   allowed-by-policy
*        policy   *        must   *          | incoming  allow         enforced-policy   allowed-by-policy

# It asks and does not insist: the person's own choice counts, and where there is none, it need not ask.
*        all      false    none   unset      | incoming  allow         policy            allowed-by-policy
*        all      false    none   denied     | incoming  deny          -                 denied-by-setting
*        all      false    none   asks       | incoming  ask           -                 must-confirm
*        all      false    says   unset      | incoming  allow         policy            allowed-by-policy
*        all      false    says   denied     | incoming  deny          -                 denied-by-setting
*        all      false    says   asks       | incoming  ask           -                 must-confirm
*        policy   *        says   unset      | incoming  allow         policy            allowed-by-policy
*        policy   *        says   denied     | incoming  deny          -                 denied-by-setting
*        policy   *        says   asks       | incoming  ask           -                 must-confirm

# It does not ask: it is the company whose people connect, or nobody.
off      off      *        *      *          | outgoing  not-requested -                 outgoing-off
modules  off      *        *      *          | outgoing  not-requested -                 module-off
all      off      *        *      unset      | outgoing  ask           -                 must-confirm
all      off      *        *      denied     | outgoing  deny          -                 denied-by-setting
all      off      *        *      asks       | outgoing  ask           -                 must-confirm
off      policy   *        none   *          | outgoing  not-requested -                 outgoing-off
modules  policy   *        none   *          | outgoing  not-requested -                 module-off
all      policy   *        none   unset      | outgoing  ask           -                 must-confirm
all      policy   *        none   denied     | outgoing  deny          -                 denied-by-setting
all      policy   *        none   asks       | outgoing  ask           -                 must-confirm
`

// wanted is the one row of askTable that fits.
func wanted(t *testing.T, with ...string) (direction, verdict, basis, reason string) {
	t.Helper()
	var found [][]string
	for line := range strings.Lines(askTable) {
		if strings.HasPrefix(line, "#") || !strings.Contains(line, "|") || strings.Contains(line, "direction") {
			continue
		}
		f := strings.Fields(strings.Replace(line, "|", "", 1))
		fits := len(f) == 9
		for i, v := range with {
			fits = fits && (f[i] == "*" || f[i] == v)
		}
		if fits {
			found = append(found, f[len(with):])
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d rows fit %v", len(found), with)
	}
	return found[0][0], found[0][1], strings.TrimPrefix(found[0][2], "-"), found[0][3]
}

// about is the newest decision about a session.
func (r *rig) about(c *ipc.Client, session string) ipc.ConsentEntry {
	r.t.Helper()
	all := r.consents(c)
	i := slices.IndexFunc(all, func(e ipc.ConsentEntry) bool { return e.Session == session })
	if i < 0 {
		r.t.Fatalf("no decision about %s", session)
	}
	return all[i]
}

// TestBothOptions goes through every combination of the two options with every
// policy and choice: any session will do, nobody need name a company. To see it
// fail, let Agent.forCompany begin with outgoing.
func TestBothOptions(t *testing.T) {
	t.Parallel()
	onPolicy := map[string]string{"none": "", "says": "recommended/a.json", "must": "managed/a.json"}
	choices := map[string]consent.AccessControl{"unset": consent.AccessUnset, "denied": consent.AccessDenied, "asks": consent.AccessAfterConfirmation}
	for _, outgoing := range []consent.OutgoingOption{consent.OutgoingOff, consent.OutgoingAll, consent.OutgoingModules} {
		for _, incoming := range []consent.IncomingOption{consent.IncomingOff, consent.IncomingAll, consent.IncomingPolicy} {
			for _, enforced := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/%v", outgoing, incoming, enforced), func(t *testing.T) {
					t.Parallel()
					r := newRigOf(t, nil, func(o *record.Options) { o.Outgoing, o.Incoming, o.IncomingEnforced = outgoing, incoming, enforced })
					c := r.dial()
					p := r.sit(":77", nil)
					n := 0
					for pol, file := range onPolicy {
						must(t, os.RemoveAll(filepath.Join(r.dir, "policies")))
						if file != "" {
							r.setPolicy(file, `{"Reporting": "on", "Insights": "on"}`)
						}
						for own, value := range choices {
							_, err := call[ipc.SettingsResult](r, c, ipc.MethodSettingsSet, ipc.SettingsSet{SessionInsights: value})
							must(t, err)
							n++
							id := fmt.Sprint(n)
							b := r.begin(c, ipc.SessionBegin{ID: id})
							direction, verdict, basis, reason := wanted(t, string(outgoing), string(incoming), fmt.Sprint(enforced), pol, own)
							if string(b.Verdict) != verdict || string(b.Reason) != reason {
								t.Errorf("policy %s, own %s: %s %s, want %s %s", pol, own, b.Verdict, b.Reason, verdict, reason)
							}
							e := r.about(c, b.Session)
							if e.Session != b.Session || string(e.Direction) != direction || string(e.Basis) != basis {
								t.Errorf("policy %s, own %s: the record says %+v, want %s %s", pol, own, e, direction, basis)
							}
							if verdict == "allow" {
								r.eventually("told", func() bool { return slices.Contains(p.told(), b.Session) })
							}
							_, err = call[ipc.SessionInfo](r, c, ipc.MethodSessionEnd, ipc.SessionEnd{ID: id})
							must(t, err)
						}
					}
					if direction, verdict, _, _ := wanted(t, string(outgoing), string(incoming), fmt.Sprint(enforced), "none", "denied"); verdict == "allow" {
						must(t, os.RemoveAll(filepath.Join(r.dir, "policies")))
						if s, err := call[ipc.Status](r, c, ipc.MethodStatus, nil); err != nil || !s.Required || s.Incoming != incoming {
							t.Errorf("%s: status does not say that it is required: %+v, %v", direction, s, err)
						}
					}
				})
			}
		}
	}
}

// TestIncomingIsTurnedOff: what the company does not ask for any more ends, as a
// policy that says so does; nothing else is made of it.
func TestIncomingIsTurnedOff(t *testing.T) {
	t.Parallel()
	r := newRigOf(t, map[string]string{"managed/a.json": `{"Reporting": "on", "Insights": "on"}`}, func(o *record.Options) { o.Incoming = consent.IncomingPolicy })
	c := r.dial()
	r.sit(":77", nil)
	if b := r.begin(c, ipc.SessionBegin{ID: "1", Hold: true}); b.Outcome != consent.OutcomeAllowed {
		t.Fatalf("%+v", b)
	}
	r.setPolicy("managed/a.json", `{"Reporting": "on", "Insights": "off"}`)
	r.eventually("the recording ended", func() bool { s, ok := r.session(c, "test/1"); return ok && !s.Recording })
	if e := r.about(c, "test/1"); e.Outcome != consent.OutcomeNotRequested || e.Reason != consent.ReasonNoPolicy || e.Direction != consent.Incoming {
		t.Errorf("%+v", e)
	}
}

// TestDefaultIsLooser: where the company need not ask those who have not chosen,
// going back to Default lets more be recorded, so nobody does it while a
// supporter has the mouse. To see it fail, leave NeedNotAsk out of inForce.
func TestDefaultIsLooser(t *testing.T) {
	t.Parallel()
	r := newRigOf(t, nil, func(o *record.Options) { o.Incoming = consent.IncomingAll })
	c := r.dial()
	r.sit(":77", nil)
	set := func(v consent.AccessControl) (ipc.SettingsResult, error) {
		return call[ipc.SettingsResult](r, c, ipc.MethodSettingsSet, ipc.SettingsSet{SessionInsights: v})
	}
	s, err := set(consent.AccessAfterConfirmation)
	must(t, err)
	if s.Effective != consent.AccessAfterConfirmation || s.Default != consent.AccessAllowed {
		t.Errorf("%+v", s)
	}
	if b := r.begin(c, ipc.SessionBegin{ID: "1", Desktop: ":77"}); b.Verdict != consent.Ask {
		t.Fatalf("%+v", b)
	}
	if _, err := set(consent.AccessUnset); err == nil {
		t.Error("loosened while a supporter is connected")
	}
	_, err = call[ipc.SessionInfo](r, c, ipc.MethodSessionEnd, ipc.SessionEnd{ID: "1"})
	must(t, err)
	if s, err = set(consent.AccessUnset); err != nil || s.Effective != consent.AccessAllowed || s.Origin != "policy" {
		t.Errorf("%+v, %v", s, err)
	}
}
