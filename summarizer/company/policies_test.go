package company_test

import (
	"errors"
	"strings"
	"testing"

	"aval/summarizer/company"
)

// TestDeletePolicy: what is assigned is deleted only with its assignments, each
// of which is in the history; the devices have what comes next, in a bundle of
// their own; its name is free, and taking the deletion back brings it with the
// version that it had, assigned to nothing. To see it fail, leave targets out of
// namePolicy, or deleted_name out of store.PolicyOf.
func TestDeletePolicy(t *testing.T) {
	k := keep(t)
	ctx := t.Context()
	k.policy("Offices", "20")
	k.policy("Shops", "25")
	k.device("D1")
	k.device("D2")
	_, err := k.co.CreateGroup(ctx, "Depots")
	k.must(err)
	_, err = k.co.MoveDevices(ctx, []string{"D1", "D2"}, "Depots")
	k.must(err)
	k.must(k.co.AssignPolicy(ctx, "Offices", company.ToAll))
	k.must(k.co.AssignPolicy(ctx, "Shops", company.ToGroup("Depots")))
	k.must(k.co.AssignPolicy(ctx, "Shops", company.ToDevice("D2")))
	has := func(one, two string) {
		t.Helper()
		_, first := k.given("D1")
		_, second := k.given("D2")
		if first != one || second != two {
			t.Errorf("the devices have %q and %q, want %q and %q", first, second, one, two)
		}
	}
	has("Shops version 1", "Shops version 1")
	shops, err := k.co.Policy(ctx, "Shops")
	k.must(err)

	at := k.last().Number
	err = k.co.DeletePolicy(ctx, "Shops", false)
	if !errors.Is(err, company.ErrAssigned) || !strings.Contains(err.Error(), `the group "Depots", the device "d2"`) || k.last().Number != at {
		t.Errorf("assigned, and deleted: %v", err)
	}
	// A group that is deleted has it still, and is restored after it is gone.
	k.must(k.co.DeleteGroup(ctx, "Depots"))
	gone := k.last().Number
	k.must(k.co.DeletePolicy(ctx, "Shops", true))
	deleted := k.last()
	if deleted.Kind != company.ChangePolicy || string(deleted.New) != "null" || deleted.Number != gone+2 {
		t.Errorf("kept: %+v", deleted)
	}
	has("Offices version 1", "Offices version 1")
	k.must(k.co.Undo(ctx, gone))
	has("Offices version 1", "Offices version 1")
	if g, err := k.co.Group(ctx, "Depots"); err != nil || g.Policy != "" {
		t.Errorf("the group has %+v, %v", g, err)
	}
	for what, err := range map[string]error{
		"by its name":     k.co.AssignPolicy(ctx, "Shops", company.ToAll),
		"by its id":       k.co.AssignPolicy(ctx, shops.ID, company.ToAll),
		"renamed":         k.co.RenamePolicy(ctx, shops.ID, "Stores"),
		"deleted twice":   k.co.DeletePolicy(ctx, shops.ID, true),
		"set":             k.co.SetPolicy(ctx, shops.ID, nil, nil),
		"its assignment":  k.co.Undo(ctx, gone+1),
		"its publication": k.co.Undo(ctx, 4),
	} {
		if err == nil {
			t.Errorf("a deleted policy: %s", what)
		}
	}
	has("Offices version 1", "Offices version 1")

	// Its name is free, and then it cannot come back under it.
	k.policy("Shops", "30")
	other := k.last().Number
	if err := k.co.Undo(ctx, deleted.Number); !errors.Is(err, company.ErrTaken) {
		t.Errorf("brought back beside one of its name: %v", err)
	}
	k.must(k.co.RenamePolicy(ctx, "Shops", "Stores"))
	k.must(k.co.Undo(ctx, deleted.Number))
	back, err := k.co.Policy(ctx, "Shops")
	if err != nil || back.ID != shops.ID || back.Version != 1 || back.All || len(back.Devices) > 0 {
		t.Errorf("brought back as %+v, %v; other %d", back, err, other)
	}
	if all, err := k.co.Policies(ctx); err != nil || len(all) != 3 {
		t.Errorf("%d policies, %v", len(all), err)
	}
	// The group that had it when it was deleted has it again.
	has("Shops version 1", "Shops version 1")
	k.must(k.co.RenamePolicy(ctx, "Shops", "Kiosks"))
	has("Kiosks version 1", "Kiosks version 1")
	for _, bad := range []string{"", " x", "Stores", strings.Repeat("x", company.MaxTitle+1)} {
		if err := k.co.RenamePolicy(ctx, "Kiosks", bad); err == nil {
			t.Errorf("renamed to %q", bad)
		}
	}
	if err := k.co.RenamePolicy(ctx, "Nobody", "x"); !errors.Is(err, company.ErrNoPolicy) {
		t.Errorf("no such policy: %v", err)
	}
}
