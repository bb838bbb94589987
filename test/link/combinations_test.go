package link_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/agent/module"
	"aval/agent/policy"
	"aval/summarizer/company"
)

// What becomes of one session on a managed computer, with the person's setting at
// its default and at Denied. Each word is what the agent said, and what the
// server then had of it:
//
//	notice   recorded by policy with a notice; the company has it as incoming
//	enforced the same, and the person cannot refuse
//	ask      the person was asked, and said yes; the company has it as outgoing
//	denied   denied by the person's setting; the company has nothing
//	-        not asked for; the company has nothing
//
// own: a user of the company announced the session. foreign: somebody who says
// that they are of another company. unknown: an address.
const combinations = `
outgoing  incoming  enforced | own              foreign          unknown
off       off       no       | -      -         -      -         -      -
off       off       yes      | -      -         -      -         -      -
off       all       no       | notice denied    notice denied    notice denied
off       all       yes      | enforced enforced enforced enforced enforced enforced
off       policy    no       | notice denied    notice denied    notice denied
off       policy    yes      | enforced enforced enforced enforced enforced enforced
all       off       no       | ask    denied    ask    denied    ask    denied
all       off       yes      | ask    denied    ask    denied    ask    denied
all       all       no       | notice denied    notice denied    notice denied
all       all       yes      | enforced enforced enforced enforced enforced enforced
all       policy    no       | notice denied    notice denied    notice denied
all       policy    yes      | enforced enforced enforced enforced enforced enforced
modules   off       no       | -      -         -      -         -      -
modules   off       yes      | -      -         -      -         -      -
modules   all       no       | notice denied    notice denied    notice denied
modules   all       yes      | enforced enforced enforced enforced enforced enforced
modules   policy    no       | notice denied    notice denied    notice denied
modules   policy    yes      | enforced enforced enforced enforced enforced enforced
`

// What becomes of one session on a computer that the company does not manage, by
// the company's code: entered without a module, in a module whose checkbox is
// off, and in one whose checkbox is on. Incoming does not matter there.
const byModule = `
outgoing  incoming | none  off   on
off       off      | -     -     -
off       all      | -     -     -
off       policy   | -     -     -
all       off      | ask   ask   ask
all       all      | ask   ask   ask
all       policy   | ask   ask   ask
modules   off      | -     -     ask
modules   all      | -     -     ask
modules   policy   | -     -     ask
`

// rows are a table's lines after its heading, as words before and after the bar.
func rows(table string) (out [][2][]string) {
	for _, line := range strings.Split(strings.TrimSpace(table), "\n")[1:] {
		left, right, _ := strings.Cut(line, "|")
		out = append(out, [2][]string{strings.Fields(left), strings.Fields(right)})
	}
	return out
}

// TestCombinations: each combination of both options, with a real agent that is
// enrolled over the real wire. In each row foreign and unknown supporters get the
// same as the company's own wherever incoming decides. To see it fail, have
// agent.forCompany look at the supporter, or let OptionsIn leave out
// incoming_enforced.
func TestCombinations(t *testing.T) {
	s := startServer(t, nil)
	on := json.RawMessage(`"on"`)
	for name, settings := range map[string][]policy.Setting{
		"plain": {},
		"yes":   {{Key: policy.Reporting, Value: on, Enforce: true}, {Key: policy.Insights, Value: on, Enforce: true}},
		"no":    {{Key: policy.Reporting, Value: on}, {Key: policy.Insights, Value: on}},
	} {
		if _, err := s.co.CreatePolicy(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		settings = append(settings, policy.Setting{Key: policy.AcceptUnproven, Value: on}) // a yes is sent at once
		if err := s.co.SetPolicy(t.Context(), name, settings, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := s.co.PublishPolicy(t.Context(), name, nil); err != nil {
			t.Fatal(err)
		}
	}
	d, device := enrolled(t, s)
	ana := s.user(t, "Ana Souza", true)
	expected := map[string]string{} // what the server is to have of a session: direction and basis, or nothing
	n := 0
	become := func(supporter string, local consent.AccessControl) string {
		t.Helper()
		if _, err := say[ipc.SettingsResult](d, ipc.MethodSettingsSet, ipc.SettingsSet{SessionInsights: local}); err != nil {
			t.Fatal(err)
		}
		n++
		b := ipc.SessionBegin{Tool: "t", ID: fmt.Sprint(n), Supporter: "203.0.113.7", Hold: true}
		switch supporter {
		case "own":
			s.announce(t, d, ana, device)
		case "foreign":
			b.Supporter, b.Company = "Bia Lima", "Other Support"
		}
		asked := d.asks()
		r, err := say[ipc.SessionBeginResult](d, ipc.MethodSessionBegin, b)
		if err != nil {
			t.Fatal(err)
		}
		if q := d.questions(); supporter == "own" && d.asks() > asked && (q[len(q)-1].Supporter != "Ana Souza" || !q[len(q)-1].SupporterVerified) {
			t.Errorf("the question about an announced session names %+v", q[len(q)-1])
		}
		list, err := say[ipc.ConsentListResult](d, ipc.MethodConsentList, ipc.ConsentListPage{})
		if err != nil || len(list.Entries) == 0 || list.Entries[0].Session != r.Session {
			t.Fatalf("the record of %s: %+v, %v", r.Session, list, err)
		}
		e := list.Entries[0]
		if _, err := say[ipc.SessionInfo](d, ipc.MethodSessionEnd, ipc.SessionEnd{ID: fmt.Sprint(n)}); err != nil {
			t.Fatal(err)
		}
		expected[r.Session] = ""
		if e.Outcome == consent.OutcomeAllowed {
			expected[r.Session] = fmt.Sprint(e.Direction, " ", e.Basis)
		}
		return became(e.Verdict, e.Direction, e.Basis, e.Reason, d.asks()-asked)
	}
	for _, row := range rows(combinations) {
		outgoing, incoming, enforced := consent.OutgoingOption(row[0][0]), consent.IncomingOption(row[0][1]), row[0][2] == "yes"
		with := "plain" // what is enforced under all, the option alone says
		if incoming == consent.IncomingPolicy {
			with = row[0][2]
		}
		if err := s.co.AssignPolicy(t.Context(), with, company.ToAll); err != nil {
			t.Fatal(err)
		}
		if err := s.co.SetOptions(t.Context(), company.Change{Outgoing: &outgoing, Incoming: &incoming, IncomingEnforced: &enforced}); err != nil {
			t.Fatal(err)
		}
		d.has(outgoing, incoming, enforced)
		var got []string
		for _, supporter := range []string{"own", "foreign", "unknown"} {
			for _, local := range []consent.AccessControl{consent.AccessUnset, consent.AccessDenied} {
				got = append(got, become(supporter, local))
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(row[1]) {
			t.Errorf("outgoing %s, incoming %s, enforced %v:\n got %v\nwant %v", outgoing, incoming, enforced, got, row[1])
		}
	}
	// What the server has, of each session.
	want := 0
	for _, e := range expected {
		if e != "" {
			want++
		}
	}
	d.eventually("all sessions at the server", func() bool { return len(s.streams(t)) >= want })
	for name, st := range s.streams(t) {
		if got := fmt.Sprint(st.Direction, " ", st.Basis); expected[name] != got {
			t.Errorf("the server has %s as %s, the agent as %q", name, got, expected[name])
		}
	}
}

// TestCombinationsByModule is the same for computers that the company does not
// manage. To see it fail, let UseCode leave module_enabled as the code has it.
func TestCombinationsByModule(t *testing.T) {
	s := startServer(t, nil)
	made, path := s.module(t, "Help desk", false)
	m, err := module.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	plain, inModule := startDesk(t), startDesk(t)
	inModule.module = m.Module
	inModule.stop()
	inModule.start()
	become := func(d *desk) string {
		t.Helper()
		asked := d.asks()
		r, err := say[ipc.SessionBeginResult](d, ipc.MethodSessionJoin, ipc.SessionJoin{Code: s.code(t, company.CodeFor{LogSessions: true}).Code, Hold: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := say[ipc.SessionInfo](d, ipc.MethodSessionEnd, ipc.SessionEnd{ID: r.Session}); err != nil {
			t.Fatal(err)
		}
		return became(r.Verdict, consent.Outgoing, "", r.Reason, d.asks()-asked)
	}
	for _, row := range rows(byModule) {
		outgoing, incoming := consent.OutgoingOption(row[0][0]), consent.IncomingOption(row[0][1])
		if err := s.co.SetOptions(t.Context(), company.Change{Outgoing: &outgoing, Incoming: &incoming}); err != nil {
			t.Fatal(err)
		}
		got := []string{become(plain)}
		for _, on := range []bool{false, true} {
			if _, err := s.co.SwitchModule(t.Context(), made.ID, on); err != nil {
				t.Fatal(err)
			}
			got = append(got, become(inModule))
		}
		if fmt.Sprint(got) != fmt.Sprint(row[1]) {
			t.Errorf("outgoing %s, incoming %s:\n got %v\nwant %v", outgoing, incoming, got, row[1])
		}
	}
}

// became is the tables' word for a decision, and how often somebody was asked.
func became(v consent.Verdict, dir consent.Direction, basis consent.Basis, reason consent.Reason, asked int) string {
	switch {
	case v == consent.NotRequested && asked == 0:
		return "-"
	case v == consent.Allow && dir == consent.Incoming && basis == consent.BasisEnforcedPolicy && asked == 0:
		return "enforced"
	case v == consent.Allow && dir == consent.Incoming && basis == consent.BasisPolicy && asked == 0:
		return "notice"
	case v == consent.Ask && dir == consent.Outgoing && asked == 1:
		return "ask"
	case v == consent.Deny && reason == consent.ReasonDeniedBySetting && asked == 0:
		return "denied"
	}
	return fmt.Sprintf("%s/%s/%s/%s/asked %d", v, dir, basis, reason, asked)
}

// asks is how often somebody was asked whether a session may be recorded; the
// question that may follow, after the supporter has left, is another one.
func (d *desk) asks() (n int) {
	for _, q := range d.questions() {
		if q.Leave == nil {
			n++
		}
	}
	return n
}

// has waits until the computer has these options.
func (d *desk) has(outgoing consent.OutgoingOption, incoming consent.IncomingOption, enforced bool) {
	d.t.Helper()
	d.eventually(fmt.Sprintf("outgoing %s, incoming %s, enforced %v", outgoing, incoming, enforced), func() bool {
		st, err := say[ipc.Status](d, ipc.MethodStatus, nil)
		return err == nil && st.Outgoing == outgoing && st.Incoming == incoming && (incoming == consent.IncomingOff || st.Required == enforced)
	})
}
