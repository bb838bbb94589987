package link_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/agent/policy"
	"aval/summarizer/company"
)

// reach is how long a change may take to a connected agent: it looks every two
// seconds, and the machine may be busy.
const reach = 15 * time.Second

// TestSettingsReachAgents: each kind of change, and its undoing, is with a
// connected agent within seconds, over the one connection that it has; the
// server shows what the agent has and since when. To see it fail, leave changed
// out of company.move, nameGroup or namePolicy, or UpdateCompany out of activation.
func TestSettingsReachAgents(t *testing.T) {
	s, err := listenLook(t.TempDir(), "127.0.0.1:0", company.Options{}, time.Hour, 0) // no ping: nothing but the change itself tells
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	d, device := enrolled(t, s)
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"Offices", "Shops"} {
		_, err := s.co.CreatePolicy(ctx, name)
		must(err)
		_, err = s.co.PublishPolicy(ctx, name, nil)
		must(err)
	}
	_, err = s.co.CreateGroup(ctx, "Stores")
	must(err)
	must(s.co.AssignPolicy(ctx, "Shops", company.ToGroup("Stores")))
	// what the agent says that it has
	has := func() string {
		show, err := say[ipc.PolicyResult](d, ipc.MethodPolicyShow, nil)
		must(err)
		if show.Server == nil {
			return "nothing"
		}
		return fmt.Sprint(show.Server.Outgoing, " ", show.Server.Incoming, " ", show.Server.Policy, " ", show.Server.PolicyVersion)
	}
	last := func() int64 {
		all, err := s.co.History(ctx, 0, 1)
		must(err)
		return all[0].Number
	}
	modules, incoming := consent.OutgoingModules, consent.IncomingPolicy
	_, lang, terms := company.Terms("en")
	for _, step := range []struct {
		name string
		do   func() error
		want string
	}{
		{"at first", func() error { return nil }, "all off  0"},
		{"options", func() error { return s.co.SetOptions(ctx, company.Change{Outgoing: &modules, Incoming: &incoming}) }, "modules policy  0"},
		{"undone", func() error { return s.co.Undo(ctx, last()) }, "all off  0"},
		{"a policy for all", func() error { return s.co.AssignPolicy(ctx, "Offices", company.ToAll) }, "all off Offices 1"},
		{"into a group", func() error { _, err := s.co.MoveDevices(ctx, []string{device}, "Stores"); return err }, "all off Shops 1"},
		{"the group is deleted", func() error { return s.co.DeleteGroup(ctx, "Stores") }, "all off Offices 1"},
		{"undone", func() error { return s.co.Undo(ctx, last()) }, "all off Shops 1"},
		{"published", func() error {
			if err := s.co.SetPolicy(ctx, "Shops", []policy.Setting{{Key: policy.QuestionSeconds, Value: json.RawMessage("60")}}, nil); err != nil {
				return err
			}
			_, err := s.co.PublishPolicy(ctx, "Shops", nil)
			return err
		}, "all off Shops 2"},
		{"undone", func() error { return s.co.Undo(ctx, last()) }, "all off Shops 3"}, // versions only go up
		{"deactivated", func() error { return s.co.Deactivate(ctx) }, "off off Shops 3"},
		{"activated", func() error { return s.co.Activate(ctx, lang, terms) }, "all off Shops 3"},
		{"one of its own", func() error { return s.co.AssignPolicy(ctx, "Offices", company.ToDevice(device)) }, "all off Offices 1"},
		{"renamed", func() error { return s.co.RenamePolicy(ctx, "Offices", "Rooms") }, "all off Rooms 1"},
		{"deleted with its assignments", func() error { return s.co.DeletePolicy(ctx, "Rooms", true) }, "all off Shops 3"},
		{"undone", func() error { return s.co.Undo(ctx, last()) }, "all off Shops 3"},
		{"assigned again", func() error { return s.co.AssignPolicy(ctx, "Rooms", company.ToDevice(device)) }, "all off Rooms 1"},
	} {
		must(step.do())
		begun := time.Now()
		d.eventually(step.name+": "+step.want, func() bool { return has() == step.want })
		if took := time.Since(begun); took > reach {
			t.Errorf("%s: only after %s", step.name, took)
		}
		t.Logf("%s: after %s", step.name, time.Since(begun).Round(time.Millisecond))
	}
	shown, err := s.co.Device(ctx, device)
	if err != nil || shown.Waits || shown.Policy == nil || shown.Policy.Name != "Rooms" || shown.Assigned != "device" || time.Since(shown.Policy.Since) > time.Minute {
		t.Errorf("%+v %+v, %v", shown, shown.Policy, err)
	}
	// Revoked: the connection ends at once, not with the next ping.
	must(s.co.RevokeDevice(ctx, device))
	d.eventually("the revoked one is turned away", func() bool {
		st, err := say[ipc.Status](d, ipc.MethodStatus, nil)
		return err == nil && st.Link == "refused"
	})
}
