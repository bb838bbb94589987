package viewmodel

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
	"aval/agent/policy"
	"aval/assets"
)

func accessLayer(value, source string, scope policy.Scope, enforced bool) policy.Layer {
	return policy.Layer{Origin: policy.Origin{Name: source, Scope: scope},
		Values: []policy.Value{{Name: policy.AccessControl, Text: value, Enforced: enforced}}}
}

func policyResult(t *testing.T, layers ...policy.Layer) ipc.PolicyResult {
	t.Helper()
	e := policy.Merge(layers)
	if len(e.Problems) > 0 {
		t.Fatal(e.Problems)
	}
	r := ipc.PolicyResult{State: e.State}
	for _, v := range e.All() {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		r.Keys = append(r.Keys, raw)
	}
	return r
}

var march = time.Date(2026, 3, 3, 23, 30, 0, 0, time.UTC)

func TestSettings(t *testing.T) {
	set := func(own, effective consent.AccessControl, origin string) ipc.SettingsResult {
		return ipc.SettingsResult{SessionInsights: own, Effective: effective, Origin: origin,
			Enforced: origin == "enforced-policy" || origin == "policy-unreadable", Since: march}
	}
	const (
		unset, allowed, denied, confirm, corrupt = consent.AccessUnset, consent.AccessAllowed, consent.AccessDenied, consent.AccessAfterConfirmation, consent.AccessCorrupt
	)
	for name, c := range map[string]struct {
		settings ipc.SettingsResult
		layers   []policy.Layer
		chosen   consent.AccessControl
		greyed   bool
		force    string
		layer    string // one of the layers
		wins     string // the last of them
	}{
		"choice": {set(denied, denied, "setting"), nil, denied, false,
			"In force: Denied. Your choice since 3 March 2026.", "Your choice: Denied, since 3 March 2026.", "Your choice counts"},
		"default": {set(unset, confirm, "default"), nil, unset, false,
			"In force: After confirmation. The default: nobody has chosen.", "Policy: none sets this.", "The default counts"},
		"recommended": {set(unset, denied, "policy"), []policy.Layer{accessLayer("denied", policy.FromServer, policy.Machine, false)}, unset, false,
			"In force: Denied. Recommended by your company's policy; you can change it.", "Policy (the company's server): Denied, recommended.", "The policy's recommendation counts"},
		"enforced": {set(denied, allowed, "enforced-policy"), []policy.Layer{accessLayer("allowed", policy.FromFile, policy.Machine, true)}, allowed, true,
			"In force: Allowed. Set by your company's policy; cannot be changed here.", "Policy (files on this computer): Allowed, enforced.", "an enforced value comes before your choice"},
		"corrupt": {set(corrupt, denied, "setting-corrupt"), nil, corrupt, false,
			"In force: Denied. Your setting is damaged; choose again.", "Your choice: damaged, since 3 March 2026.", "in doubt about your choice"},
		"unreadable": {set(allowed, denied, "policy-unreadable"), nil, denied, true,
			"In force: Denied. The company's policy cannot be read; until it can, nothing is recorded and nothing can be changed here.", "Policy: cannot be read.", "in doubt about the policy"},
		"unknown origin": {set(allowed, allowed, "force.setting"), nil, allowed, false,
			"In force: Allowed. This version does not know why.", "Your choice: Allowed, since 3 March 2026.", "does not know why"},
	} {
		t.Run(name, func(t *testing.T) {
			v := NewSettings(SettingsState{Settings: c.settings, Policy: policyResult(t, c.layers...)}, assets.For("en"), time.UTC)
			var marked []consent.AccessControl
			for _, x := range v.Choices {
				if x.Chosen {
					marked = append(marked, x.Value)
				}
			}
			if c.chosen == corrupt && len(marked) != 0 || c.chosen != corrupt && (len(marked) != 1 || marked[0] != c.chosen) {
				t.Errorf("marked: %v", marked)
			}
			if v.Greyed != c.greyed || v.Force != c.force {
				t.Errorf("greyed %v, %q", v.Greyed, v.Force)
			}
			if all := strings.Join(v.Layers, "\n"); !strings.Contains(all+"\n", c.layer+"\n") || !strings.Contains(v.Layers[len(v.Layers)-1], c.wins) {
				t.Errorf("layers:\n%s", all)
			}
		})
	}
}

// TestSettingsTexts: no state leaves a text that is not in the catalogue.
func TestSettingsTexts(t *testing.T) {
	for _, lang := range assets.Langs() {
		cat := assets.For(lang)
		for _, origin := range append([]string{"x"}, origins...) {
			for _, own := range append([]consent.AccessControl{"x"}, accesses...) {
				for _, enforced := range []bool{false, true} {
					v := NewSettings(SettingsState{Settings: ipc.SettingsResult{SessionInsights: own, Effective: own, Origin: origin, Enforced: enforced}}, cat, time.UTC)
					all := strings.Join(append(v.Layers, v.Force), "\n")
					for _, c := range v.Choices {
						all += c.Name + c.Meaning
					}
					if strings.ContainsAny(all, "[]{}") {
						t.Fatalf("%s, %s, %s: %s", lang, origin, own, all)
					}
				}
			}
		}
	}
}

// TestLost: every way in which a value of the policy loses has its own words.
func TestLost(t *testing.T) {
	cat := assets.For("en")
	for want, layers := range map[string][]policy.Layer{
		"settings.lost.enforced": {accessLayer("denied", policy.FromFile, policy.Machine, true), accessLayer("allowed", policy.FromServer, policy.Machine, false)},
		"settings.lost.stricter": {accessLayer("denied", policy.FromFile, policy.Machine, true), accessLayer("allowed", policy.FromServer, policy.Machine, true)},
		"settings.lost.device":   {accessLayer("allowed", policy.FromFile, policy.Machine, false), accessLayer("denied", policy.FromServer, policy.Machine, false)},
		"settings.lost.machine":  {accessLayer("allowed", policy.FromRegistry, policy.Machine, false), accessLayer("denied", policy.FromRegistry, policy.User, false)},
		"settings.lost.later":    {accessLayer("allowed", policy.FromFile, policy.Machine, false), accessLayer("denied", policy.FromFile, policy.Machine, false)},
	} {
		p := policyResult(t, layers...)
		r := accessPolicy(p)
		if len(r.Losers) != 1 || lost[r.Losers[0].Why] != want {
			t.Fatalf("%s: %+v", want, r.Losers)
		}
		v := NewSettings(SettingsState{Policy: p}, cat, time.UTC)
		if !strings.HasSuffix(v.Layers[1], "Does not count: "+cat.T(want, nil)+".") {
			t.Errorf("%s: %q", want, v.Layers[1])
		}
	}
}

func TestSettingsFromOutside(t *testing.T) {
	const evil = "a\u202eb\nc"
	p := policyResult(t, policy.Layer{Origin: policy.Origin{Name: policy.FromFile, File: evil},
		Values: []policy.Value{{Name: policy.AccessControl, Text: "allowed", Enforced: true}}})
	p.Problem, p.State, p.GoodAt = evil, consent.PolicyStale, march
	zone := time.FixedZone("east", 3*3600)
	v := NewSettings(SettingsState{Policy: p, Status: ipc.Status{Required: true, Company: evil, Server: evil, Device: evil},
		Settings: ipc.SettingsResult{SessionInsights: consent.AccessUnset, Effective: consent.AccessAllowed, Origin: "enforced-policy", Enforced: true}}, assets.For("en"), zone)
	all := strings.Join(append(append(v.Layers, v.Computer...), v.Choices[1].Meaning), "|")
	if strings.ContainsAny(all, "\u202e\n") {
		t.Errorf("%q", all)
	}
	for _, want := range []string{"file ab c", "on 4 March 2026", "Problem found: ab c.", "that ab c requires", "Aval ID: ab c"} {
		if !strings.Contains(all, strings.TrimSuffix(want, ".")) {
			t.Errorf("%q is missing in %q", want, all)
		}
	}
}

// TestRequired: that a company's policy requires recordings stands beside Denied
// only where it does, and Default means what it comes to. To see it fail, look at
// Settings.Enforced instead of Status.Required.
func TestRequired(t *testing.T) {
	cat := assets.For("en")
	meaning := func(required bool, unset consent.AccessControl) (denied, def string) {
		v := NewSettings(SettingsState{Status: ipc.Status{Company: "Example Support", Required: required},
			Settings: ipc.SettingsResult{SessionInsights: consent.AccessDenied, Effective: consent.AccessDenied, Origin: "setting", Default: unset}}, cat, time.UTC)
		for _, c := range v.Choices {
			switch c.Value {
			case consent.AccessDenied:
				denied = c.Meaning
			case consent.AccessUnset:
				def = c.Meaning
			}
		}
		return denied, def
	}
	if d, u := meaning(false, consent.AccessAfterConfirmation); strings.Contains(d, "except") || !strings.Contains(u, "After confirmation") {
		t.Errorf("%q, %q", d, u)
	}
	if d, u := meaning(true, consent.AccessAllowed); !strings.Contains(d, "except those that Example Support requires by policy") || !strings.HasSuffix(u, "this means: Allowed.") {
		t.Errorf("%q, %q", d, u)
	}
}

// TestSettingsTellOfWayland: what a change to Wayland took is said beside what else
// is said of the groups, in every language. Planted: the sentence in the place of
// the note, and the policy's goes.
func TestSettingsTellOfWayland(t *testing.T) {
	for _, lang := range assets.Langs() {
		cat := assets.For(lang)
		in := SettingsState{Settings: ipc.SettingsResult{Origin: "enforced-policy", Groups: []ipc.GroupSetting{{Group: event.Windows}}, Gone: []event.Group{event.Windows, event.Commands}}}
		note := NewSettings(in, cat, time.UTC).GroupsNote
		for _, want := range []string{cat.T("settings.record.enforced", nil), "Wayland", cat.List(cat.T(groupKeys[event.Windows], nil), cat.T(groupKeys[event.Commands], nil))} {
			if !strings.Contains(note, want) {
				t.Errorf("%s: no %q in %q", lang, want, note)
			}
		}
		in.Settings.Gone = nil
		if note := NewSettings(in, cat, time.UTC).GroupsNote; strings.Contains(note, "Wayland") {
			t.Errorf("%s: %q", lang, note)
		}
	}
}

// TestChangedTo: Denied counts at once and says so, in every language; the other
// values speak of the sessions to come. Let ChangedTo leave .now away, and it fails.
func TestChangedTo(t *testing.T) {
	for _, lang := range assets.Langs() {
		cat := assets.For(lang)
		for _, key := range []string{"settings.changed", "settings.undone"} {
			tail := func(v consent.AccessControl) string {
				_, after, ok := strings.Cut(ChangedTo(cat, key, v), Access(cat, v))
				if !ok || after == "" {
					t.Errorf("%s %s: %q does not name the value", lang, key, ChangedTo(cat, key, v))
				}
				return after
			}
			if later := tail(consent.AccessAllowed); later != tail(consent.AccessAfterConfirmation) || later == tail(consent.AccessDenied) {
				t.Errorf("%s %s: %q", lang, key, later)
			}
		}
	}
}
