package company_test

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"aval/agent/consent"
	"aval/agent/policy"
	"aval/agent/record"
	"aval/summarizer/company"
	"aval/summarizer/store"
)

// keeper is a company with computers, as tests of its settings deal with it.
type keeper struct {
	*testing.T
	db *store.DB
	co *company.Service
}

func keep(t *testing.T) keeper {
	t.Helper()
	now := t0
	db, co := openCompany(t, t.TempDir(), &now)
	return keeper{t, db, co.As(company.Actor{Kind: company.KindUser, ID: "U1", Name: "Ana", Role: company.Administrator})}
}

func (k keeper) must(err error) {
	k.Helper()
	if err != nil {
		k.Fatal(err)
	}
}

// device adds a computer with this id.
func (k keeper) device(id string) {
	k.Helper()
	k.must(k.db.Tx(k.Context(), func(tx *store.Tx) error {
		return tx.InsertDevice(store.Device{ID: id, Company: k.co.ID(), Name: strings.ToLower(id), Search: strings.ToLower(id), EnrolledAt: t0}, "k", make([]byte, 32))
	}))
}

// given is what a computer is given now; its policy's name is empty where it has none.
func (k keeper) given(id string) (o record.Options, name string) {
	k.Helper()
	env, err := k.co.Options(k.Context(), id)
	k.must(err)
	_, raw, err := record.Peek(env)
	k.must(err)
	k.must(json.Unmarshal(raw, &o))
	if o.Policy != nil {
		name = o.Policy.String()
	}
	return o, name
}

// policy publishes a policy with a time to answer of its own.
func (k keeper) policy(name string, seconds string) {
	k.Helper()
	if _, err := k.co.Policy(k.Context(), name); err != nil {
		_, err := k.co.CreatePolicy(k.Context(), name)
		k.must(err)
	}
	k.must(k.co.SetPolicy(k.Context(), name, []policy.Setting{{Key: policy.QuestionSeconds, Value: json.RawMessage(seconds)}}, nil))
	_, err := k.co.PublishPolicy(k.Context(), name, nil)
	k.must(err)
}

// last is the newest change.
func (k keeper) last() company.Changed {
	k.Helper()
	all, err := k.co.History(k.Context(), 0, 1)
	k.must(err)
	if len(all) == 0 {
		k.Fatal("no change is kept")
	}
	return all[0]
}

// TestPrecedence: the policy of a device counts before the one of its group, and
// that one before the one of all; groups come and go with what they had. To see
// it fail, swap the places in store.PolicyOf, or leave deleted_at out of it.
func TestPrecedence(t *testing.T) {
	k := keep(t)
	ctx := t.Context()
	for i, name := range []string{"Own", "Of the group", "Of all"} {
		k.policy(name, []string{"10", "20", "30"}[i])
	}
	k.device("D1")
	k.device("D2")
	_, err := k.co.CreateGroup(ctx, "Shops")
	k.must(err)
	_, err = k.co.MoveDevices(ctx, []string{"D1"}, "Shops")
	k.must(err)
	own, group, all := company.ToDevice("D1"), company.ToGroup("Shops"), company.ToAll
	for _, row := range []struct {
		do   func() error
		one  string // D1, in the group
		two  string // D2, in none
		from string // where D1's comes from
	}{
		{func() error { return nil }, "", "", ""},
		{func() error { return k.co.AssignPolicy(ctx, "Of all", all) }, "Of all version 1", "Of all version 1", "all"},
		{func() error { return k.co.AssignPolicy(ctx, "Of the group", group) }, "Of the group version 1", "Of all version 1", "group"},
		{func() error { return k.co.AssignPolicy(ctx, "Own", own) }, "Own version 1", "Of all version 1", "device"},
		{func() error { return k.co.AssignPolicy(ctx, "", all) }, "Own version 1", "", "device"},
		{func() error { return k.co.AssignPolicy(ctx, "", own) }, "Of the group version 1", "", "group"},
		{func() error { return k.co.RenameGroup(ctx, "Shops", "Stores") }, "Of the group version 1", "", "group"},
		{func() error { return k.co.DeleteGroup(ctx, "Stores") }, "", "", ""},
		{func() error { return k.co.Undo(ctx, k.last().Number) }, "Of the group version 1", "", "group"},
		{func() error { _, err := k.co.MoveDevices(ctx, []string{"D1", "D2"}, ""); return err }, "", "", ""},
		{func() error { return k.co.Undo(ctx, k.last().Number) }, "Of the group version 1", "", "group"},
		{func() error { _, err := k.co.MoveDevices(ctx, []string{"D1", "D2"}, "Stores"); return err }, "Of the group version 1", "Of the group version 1", "group"},
	} {
		k.must(row.do())
		_, one := k.given("D1")
		_, two := k.given("D2")
		d, err := k.co.Device(ctx, "D1")
		k.must(err)
		if one != row.one || two != row.two || d.Assigned != row.from || d.Waits {
			t.Errorf("after change %d: %q, %q from %q, waits %v; want %q, %q from %q", k.last().Number, one, two, d.Assigned, d.Waits, row.one, row.two, row.from)
		}
		if (d.Policy == nil) != (one == "") || d.Policy != nil && d.Policy.Name+" version 1" != one {
			t.Errorf("the device is shown with %+v, and has %q", d.Policy, one)
		}
	}
	if err := k.co.AssignPolicy(ctx, "Own", "group:Nobody"); !errors.Is(err, company.ErrNoGroup) {
		t.Errorf("a group that there is not: %v", err)
	}
	if _, err := k.co.CreateGroup(ctx, "Stores"); err == nil {
		t.Error("two groups of one name")
	}
}

// TestUndo: each kind of change is kept with who, what was and what is, and is
// taken back by a change of its own; twice is not once more, and what was changed
// since is not overwritten. To see it fail, leave one of the comparisons with
// what the change made out.
func TestUndo(t *testing.T) {
	k := keep(t)
	ctx := t.Context()
	k.device("D1")
	k.policy("Offices", "20")
	k.policy("Shops", "25")
	shops, err := k.co.Policy(ctx, "Shops")
	k.must(err)
	g, err := k.co.CreateGroup(ctx, "Shops")
	k.must(err)
	m, _, err := k.co.CreateModule(ctx, "Help desk", false, 30)
	k.must(err)
	only, off, no := consent.OutgoingModules, consent.IncomingOff, false
	incoming := consent.IncomingAll
	one := func(_ any, err error) error { return err }
	for _, row := range []struct {
		name  string
		do    func() error
		again func() error // another change of the same thing
		kind  company.ChangeKind
		state func() any
	}{
		{"outgoing", func() error { return k.co.SetOptions(ctx, company.Change{Outgoing: &only}) },
			func() error { o := consent.OutgoingOff; return k.co.SetOptions(ctx, company.Change{Outgoing: &o}) },
			company.ChangeOptions, func() any { o, _ := k.given("D1"); return o.Outgoing }},
		{"incoming and enforcement", func() error {
			return k.co.SetOptions(ctx, company.Change{Incoming: &incoming, IncomingEnforced: &no})
		}, func() error { return k.co.SetOptions(ctx, company.Change{Incoming: &off}) },
			company.ChangeOptions, func() any { o, _ := k.given("D1"); return []any{o.Incoming, o.IncomingEnforced} }},
		{"a draft", func() error {
			return k.co.SetPolicy(ctx, "Offices", []policy.Setting{{Key: policy.QuestionSeconds, Value: json.RawMessage("60")}}, nil)
		}, func() error { return k.co.SetPolicy(ctx, "Offices", nil, []policy.Name{policy.QuestionSeconds}) },
			company.ChangeDraft, func() any { p, err := k.co.Policy(ctx, "Offices"); k.must(err); return p.Settings }},
		{"a module's switch", func() error { return one(k.co.SwitchModule(ctx, m.ID, true)) },
			func() error { return one(k.co.SwitchModule(ctx, m.ID, false)) },
			company.ChangeSwitch, func() any { all, err := k.co.Modules(ctx); k.must(err); return all[0].Enabled }},
		{"a policy for all", func() error { return k.co.AssignPolicy(ctx, "Offices", company.ToAll) },
			func() error { return k.co.AssignPolicy(ctx, "Shops", company.ToAll) },
			company.ChangeAssigned, func() any { _, p := k.given("D1"); return p }},
		{"a policy's name", func() error { return k.co.RenamePolicy(ctx, shops.ID, "Stores") },
			func() error { return k.co.RenamePolicy(ctx, shops.ID, "Depots") },
			company.ChangePolicy, func() any { p, err := k.co.Policy(ctx, shops.ID); k.must(err); return p.Name }},
		{"a group's name", func() error { return k.co.RenameGroup(ctx, g.ID, "Stores") },
			func() error { return k.co.RenameGroup(ctx, g.ID, "Depots") },
			company.ChangeGroup, func() any { all, _, err := k.co.Groups(ctx); k.must(err); return all[0].Name }},
		{"a move", func() error { return one(k.co.MoveDevices(ctx, []string{"D1"}, "Shops")) },
			func() error { return one(k.co.MoveDevices(ctx, []string{"D1"}, "")) },
			company.ChangeDeviceGroup, func() any { d, err := k.co.Device(ctx, "D1"); k.must(err); return d.Group }},
		{"a device's name", func() error { return k.co.RenameDevice(ctx, "D1", "Reception") },
			func() error { return k.co.RenameDevice(ctx, "D1", "Counter") },
			company.ChangeDeviceName, func() any { d, err := k.co.Device(ctx, "D1"); k.must(err); return d.Name }},
	} {
		t.Run(row.name, func(t *testing.T) {
			k := k
			k.T = t
			is := func() string { raw, _ := json.Marshal(row.state()); return string(raw) }
			before := is()
			k.must(row.do())
			made, after := k.last(), is()
			if made.Kind != row.kind || made.Actor != "user:U1" || before == after || string(made.Old) == string(made.New) || !made.CanUndo {
				t.Fatalf("kept: %+v; %s, %s", made, before, after)
			}
			k.must(row.do())
			if k.last().Number != made.Number {
				t.Errorf("what changes nothing is kept as a change: %+v", k.last())
			}
			k.must(row.again())
			since := is()
			if err := k.co.Undo(ctx, made.Number); !errors.Is(err, company.ErrChangedSince) || is() != since {
				t.Errorf("changed since: %v; %s, was %s", err, is(), since)
			}
			k.must(k.co.Undo(ctx, k.last().Number))
			k.must(k.co.Undo(ctx, made.Number))
			if got := is(); got != before {
				t.Errorf("taken back: %s, want %s", got, before)
			}
			if k.last().Undoes != made.Number {
				t.Errorf("%+v", k.last())
			}
			if err := k.co.Undo(ctx, made.Number); !errors.Is(err, company.ErrChangedSince) {
				t.Errorf("taken back twice: %v", err)
			}
			k.must(k.co.Undo(ctx, k.last().Number)) // and the undoing itself
			if got := is(); got != after {
				t.Errorf("again as it was made: %s, want %s", got, after)
			}
			k.must(k.co.Undo(ctx, k.last().Number))
		})
	}
	if err := k.co.Undo(ctx, 1<<40); !errors.Is(err, company.ErrNoChange) {
		t.Errorf("no such change: %v", err)
	}
	k.must(one(k.co.RevokeModule(ctx, m.ID)))
	if err := k.co.Undo(ctx, k.last().Number); !errors.Is(err, company.ErrFinal) {
		t.Errorf("a revocation: %v", err)
	}
}

// TestUndoPublished: taking a version back publishes the older settings as a new
// version; where they can allow without a question and the company keeps a
// release key, they are not published without it.
func TestUndoPublished(t *testing.T) {
	k := keep(t)
	ctx := t.Context()
	k.device("D1")
	k.policy("Offices", "20")
	if first := k.last(); first.CanUndo {
		t.Errorf("the first version can be taken back: %+v", first)
	}
	allow := []policy.Setting{{Key: policy.AccessControl, Value: json.RawMessage(`"allowed"`)}}
	k.must(k.co.SetPolicy(ctx, "Offices", allow, nil))
	publish := func() company.Changed {
		t.Helper()
		_, err := k.co.PublishPolicy(ctx, "Offices", nil)
		k.must(err)
		return k.last()
	}
	publish()
	k.must(k.co.AssignPolicy(ctx, "Offices", company.ToAll))
	k.must(k.co.SetPolicy(ctx, "Offices", nil, []policy.Name{policy.AccessControl}))
	stricter := publish()
	pub, _, err := ed25519.GenerateKey(nil)
	k.must(err)
	k.must(k.co.SetReleaseKey(ctx, pub))
	if err := k.co.Undo(ctx, stricter.Number); !errors.Is(err, company.ErrRelease) {
		t.Errorf("what allows came back without the release key: %v", err)
	}
	if _, p := k.given("D1"); p != "Offices version 3" {
		t.Errorf("given: %s", p)
	}
	k.must(k.co.SetReleaseKey(ctx, nil))
	k.must(k.co.Undo(ctx, stricter.Number))
	o, p := k.given("D1")
	if p != "Offices version 4" || len(o.Policy.Settings) != 2 {
		t.Errorf("given: %s %+v", p, o.Policy)
	}
	versions, err := k.co.PolicyVersions(ctx, "Offices", 10)
	k.must(err)
	if len(versions) != 4 || len(company.Compare(versions[0].Settings, versions[2].Settings)) != 0 || len(company.Compare(versions[1].Settings, versions[0].Settings)) != 1 {
		t.Errorf("%+v", versions)
	}
}

// TestActivation: until the terms are accepted nothing is asked, whatever is
// chosen, by no way in which a company asks; and it stands there who accepted
// which text. To see it fail, leave asking out of OptionsIn, request or Announce.
func TestActivation(t *testing.T) {
	k := keep(t)
	ctx := t.Context()
	k.device("D1")
	u, err := k.co.CreateUser(ctx, company.NewUser{Name: "Ana"})
	k.must(err)
	all := consent.IncomingAll
	k.must(k.co.SetOptions(ctx, company.Change{Incoming: &all}))
	m, _, err := k.co.CreateModule(ctx, "Help desk", true, 30)
	k.must(err)
	asks := func() [4]bool {
		o, _ := k.given("D1")
		list, err := k.co.Modules(ctx)
		k.must(err)
		a, err := k.co.Announce(ctx, u.ID, "D1")
		k.must(err)
		var said record.Request
		k.must(k.db.View(ctx, func(tx *store.Tx) error {
			due, err := tx.Announcements(k.co.ID(), "D1", t0)
			for _, d := range due {
				if d.ID == a.ID {
					_, raw, err := record.Peek(d.Envelope)
					k.must(err)
					k.must(json.Unmarshal(raw, &said))
				}
			}
			return err
		}))
		return [4]bool{o.Outgoing != consent.OutgoingOff, o.Incoming != consent.IncomingOff, list[0].Asks, said.Outgoing != consent.OutgoingOff}
	}
	if got := asks(); got != [4]bool{true, true, true, true} {
		t.Errorf("at the first start: %v", got)
	}
	k.must(k.co.Deactivate(ctx))
	if got := asks(); got != [4]bool{} {
		t.Errorf("deactivated: %v", got)
	}
	if c, err := k.co.Choices(ctx); err != nil || c.Outgoing != consent.OutgoingAll || c.Incoming != consent.IncomingAll || c.Activation != nil {
		t.Errorf("what was chosen does not stay: %+v, %v", c, err)
	}
	_, _, sum := company.Terms("pt-BR")
	_, _, other := company.Terms("en")
	for lang, shown := range map[string]string{"pt-BR": other, "xx": sum, "en": ""} {
		if err := k.co.Activate(ctx, lang, shown); !errors.Is(err, company.ErrTerms) {
			t.Errorf("%s, a text that was not shown: %v", lang, err)
		}
	}
	k.must(k.co.Activate(ctx, "pt-BR", sum))
	if got := asks(); got != [4]bool{true, true, true, true} {
		t.Errorf("activated: %v", got)
	}
	c, err := k.co.Choices(ctx)
	if a := c.Activation; err != nil || !a.ByPerson() || !a.Current() || a.By != "user:U1" || a.Name != "Ana" || a.Lang != "pt-BR" || a.SHA256 != sum || !a.At.Equal(t0) {
		t.Errorf("%+v, %v", c.Activation, err)
	}
	if l := k.last(); l.Kind != company.ChangeActivation || l.CanUndo || m.ID == "" {
		t.Errorf("%+v", l)
	}
}

// TestRememberedChoice: an option that is switched off and on again is what it
// was; the first time, outgoing is all and incoming the policy's.
func TestRememberedChoice(t *testing.T) {
	k := keep(t)
	type both struct {
		out consent.OutgoingOption
		in  consent.IncomingOption
	}
	for _, row := range []struct {
		out       consent.OutgoingOption
		in        consent.IncomingOption
		now, next both
	}{
		{"off", "on", both{"off", "policy"}, both{"all", "policy"}},
		{"on", "all", both{"all", "all"}, both{"all", "all"}},
		{"modules", "off", both{"modules", "off"}, both{"modules", "all"}},
		{"off", "on", both{"off", "all"}, both{"modules", "all"}},
		{"on", "policy", both{"modules", "policy"}, both{"modules", "policy"}},
		{"all", "off", both{"all", "off"}, both{"all", "policy"}},
	} {
		k.must(k.co.SetOptions(t.Context(), company.Change{Outgoing: &row.out, Incoming: &row.in}))
		c, err := k.co.Choices(t.Context())
		k.must(err)
		if now, next := (both{c.Outgoing, c.Incoming}), (both{c.OutgoingWhenOn, c.IncomingWhenOn}); now != row.now || next != row.next {
			t.Errorf("%s, %s: %v, when on %v; want %v, %v", row.out, row.in, now, next, row.now, row.next)
		}
	}
	for _, wrong := range []consent.OutgoingOption{"", "policy", "maybe"} {
		if err := k.co.SetOptions(t.Context(), company.Change{Outgoing: &wrong}); err == nil {
			t.Errorf("outgoing is %q", wrong)
		}
	}
}
