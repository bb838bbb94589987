package link_test

import (
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/agent/prompt/launch"
	"aval/agent/prompt/native"
	"aval/agent/wire"
	"aval/summarizer/company"
	"aval/summarizer/store"
)

// TestReach: the company sees whether somebody at its computer could be asked:
// with a helper; after a question that never appeared, until one did; and
// without a helper, while it is connected and after a new connection. To see it
// fail, leave wasShown out of agent.answered, or tellReach out of uplink.serve.
func TestReach(t *testing.T) {
	s := startServer(t, nil)
	d, device := enrolled(t, s)
	ready := wire.ReachReady
	_, window := launch.Find("aval-ui")
	if _, dialog := native.Find(); window != nil && dialog != nil {
		ready = wire.ReachNoPrompt
	}
	is := func(want string) *company.Reach {
		t.Helper()
		var r *company.Reach
		d.eventually("reach "+want, func() bool {
			got, err := s.co.Device(t.Context(), device)
			r = got.Reach
			return err == nil && r != nil && r.State == want
		})
		return r
	}
	if r := is(ready); time.Since(r.At) > time.Minute || r.Window != (window == nil) {
		t.Errorf("%+v", r)
	}
	// A question whose window does not come, on any rung.
	d.mu.Lock()
	d.mute = true
	d.mu.Unlock()
	if r := begin(t, d, "1"); r.Verdict != consent.Ask {
		t.Fatalf("%+v", r)
	}
	if ready == wire.ReachReady {
		is(wire.ReachNotShown)
	}
	if n, err := s.co.UnreachableDevices(t.Context()); err != nil || n != 1 {
		t.Errorf("%d unreachable, %v", n, err)
	}
	d.mu.Lock()
	d.mute = false
	d.mu.Unlock()
	begin(t, d, "2")
	is(ready)
	// The helper is gone.
	d.helper.Close()
	is(wire.ReachNoHelper)
	for reach, n := range map[company.Reached]int{company.Unreachable: 1, wire.ReachNoHelper: 1, wire.ReachReady: 0, company.Silent: 0} {
		if list, _, err := s.co.Devices(t.Context(), company.DeviceFilter{Reach: reach}); err != nil || len(list) != n {
			t.Errorf("%s: %d computers, %v", reach, len(list), err)
		}
	}
	d.stop()
	d.start()
	is(ready)
}

// TestReachIsOurs: a computer that is in a person's own account tells its company
// nothing of its desktops, and is not among those that have not said. To see it
// fail, leave the account out of agent.tellsReach and out of ingest.reaches.
func TestReachIsOurs(t *testing.T) {
	s := startServer(t, nil)
	ana := s.user(t, "Ana Souza", true)
	d := accountOf(t, s, ana)
	d.mu.Lock()
	d.mute = true
	d.mu.Unlock()
	begin(t, d, "1") // until its question could not be shown: long enough to have told
	st, err := say[ipc.Status](d, ipc.MethodStatus, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.db.View(t.Context(), func(tx *store.Tx) error {
		got, err := tx.Device(s.co.ID(), st.Device)
		if got.Account != ana || got.Reach != (store.Reach{}) {
			t.Errorf("%+v", got)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	if list, _, err := s.co.Devices(t.Context(), company.DeviceFilter{Reach: company.Silent}); err != nil || len(list) != 0 {
		t.Errorf("%d computers have not said, %v", len(list), err)
	}
}
