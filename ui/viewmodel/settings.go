package viewmodel

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/agent/policy"
	"aval/assets"
)

// maxSource is the longest place of a policy, maxProblem the longest problem
// with one, in characters.
const (
	maxSource  = 120
	maxProblem = 300
)

// SettingsState is what the service says about a user's setting and why.
type SettingsState struct {
	Settings ipc.SettingsResult
	Policy   ipc.PolicyResult
	Status   ipc.Status
}

// Settings is what the settings window says, in one language.
type Settings struct {
	Choices []Choice
	// Force is what is in force and why, in one line.
	Force string
	// Greyed: nothing can be chosen; Force says why.
	Greyed bool
	// Layers is where the value comes from: each layer with its value, then
	// which one counts and why.
	Layers []string
	// Lasting are the answers that hold for further sessions.
	Lasting []Lasting
	// Computer is the state of this computer, a sentence a line.
	Computer []string
}

// Lasting is one answer that holds for further sessions, and its record.
type Lasting struct{ ID, Text string }

// Choice is one value that a person can choose.
type Choice struct {
	Value         consent.AccessControl
	Name, Meaning string
	Chosen        bool // at most one is
}

// The values that a person can choose, in their order; and all that have a name.
var (
	choices  = []consent.AccessControl{consent.AccessAllowed, consent.AccessDenied, consent.AccessAfterConfirmation, consent.AccessUnset}
	accesses = append(slices.Clone(choices), consent.AccessCorrupt)
)

// origins of ipc.SettingsResult.
var origins = []string{"setting", "policy", "enforced-policy", "default", "setting-corrupt", "policy-unreadable"}

// lost is why a value of the policy does not count: agent/policy's words and
// the text that stands for them. A test merges policies and compares.
var lost = map[string]string{
	"an enforced value wins over one that is not": "settings.lost.enforced",
	"the stricter of two enforced values wins":    "settings.lost.stricter",
	"device management wins over the server":      "settings.lost.device",
	"the machine's value wins over the user's":    "settings.lost.machine",
	"of two equal sources the later wins":         "settings.lost.later",
	"another value came first":                    "settings.lost.other",
}

// Access names a value of the setting.
func Access(cat *assets.Catalog, v consent.AccessControl) string {
	return word(cat, "settings.choice.", accesses, v)
}

// Changed says what became of a change to a value; enforced: as it is after that.
func Changed(cat *assets.Catalog, to consent.AccessControl, enforced bool, err error) string {
	var refused *ipc.Error
	switch {
	case err == nil:
		return cat.T("settings.changed", assets.Args{"value": Access(cat, to)})
	case errors.As(err, &refused) && refused.Code == ipc.CodeRefused && enforced:
		return cat.T("settings.refused.policy", nil)
	case errors.As(err, &refused) && refused.Code == ipc.CodeRefused:
		return cat.T("settings.refused.supporter", nil)
	}
	return cat.T("settings.failed", nil)
}

// NewSettings puts the state into words; dates are those of zone.
func NewSettings(s SettingsState, cat *assets.Catalog, zone *time.Location) Settings {
	w := settingsWords{s, cat, zone, accessPolicy(s.Policy)}
	v := Settings{Force: w.force(), Greyed: s.Settings.Enforced, Layers: w.layers()}
	chosen := s.Settings.SessionInsights
	if s.Settings.Enforced {
		chosen = s.Settings.Effective
	}
	for _, c := range choices {
		v.Choices = append(v.Choices, Choice{Value: c, Name: Access(cat, c), Meaning: w.meaning(c), Chosen: c == chosen})
	}
	for _, l := range s.Settings.Lasting {
		v.Lasting = append(v.Lasting, Lasting{l.ID, cat.T("settings.lasting.row", assets.Args{
			"supporter": Clean(l.Supporter, maxName), "company": Clean(l.Company, maxName),
			"at": l.At.In(zone).Format("15:04"), "until": l.Until.In(zone).Format("15:04")})})
	}
	v.Computer = company(s.Status, cat)
	if d := device(s.Status, cat); d != "" {
		v.Computer = append(v.Computer, d)
	}
	return v
}

// accessPolicy finds what the policy says about access control; its zero value:
// nothing.
func accessPolicy(p ipc.PolicyResult) policy.Resolved {
	for _, raw := range p.Keys {
		var r policy.Resolved
		if err := json.Unmarshal(raw, &r); err == nil && r.Value.Name == policy.AccessControl {
			return r
		}
	}
	return policy.Resolved{}
}

type settingsWords struct {
	SettingsState
	cat    *assets.Catalog
	zone   *time.Location
	policy policy.Resolved
}

func (w settingsWords) date(t time.Time) string {
	return t.In(w.zone).Format(w.cat.T("settings.date.layout", nil))
}

func (w settingsWords) force() string {
	args := assets.Args{"value": Access(w.cat, w.Settings.Effective)}
	if w.Settings.Origin == "setting" && !w.Settings.Since.IsZero() {
		args["date"] = w.date(w.Settings.Since)
		return w.cat.T("settings.force.setting.since", args)
	}
	return w.cat.T("settings.force."+w.origin(), args)
}

// origin is the origin if it is one of the closed list: it is part of a key.
func (w settingsWords) origin() string {
	if slices.Contains(origins, w.Settings.Origin) {
		return w.Settings.Origin
	}
	return "unknown"
}

func (w settingsWords) meaning(c consent.AccessControl) string {
	switch {
	case c == consent.AccessDenied && w.Status.Required:
		if name := Clean(w.Status.Company, maxName); name != "" {
			return w.cat.T("settings.means.denied.except", assets.Args{"company": name})
		}
		return w.cat.T("settings.means.denied.except.unnamed", nil)
	case c == consent.AccessUnset && !w.policy.Set && w.Settings.Default == consent.AccessAllowed:
		return w.cat.T("settings.means.unset.policy", assets.Args{"value": Access(w.cat, consent.AccessAllowed)})
	case c == consent.AccessUnset && w.policy.Set:
		return w.cat.T("settings.means.unset.policy", assets.Args{"value": Access(w.cat, consent.AccessControl(w.policy.Value.Text))})
	}
	return w.cat.T("settings.means."+string(c), nil)
}

func (w settingsWords) layers() []string {
	var lines []string
	add := func(key string, args assets.Args) { lines = append(lines, w.cat.T(key, args)) }
	switch {
	case w.Settings.Origin == "policy-unreadable":
		add("settings.layer.unreadable", nil)
	case !w.policy.Set:
		add("settings.layer.none", nil)
	default:
		add(w.layer(w.policy.Value, ""))
		for _, l := range w.policy.Losers {
			why, ok := lost[l.Why]
			if !ok {
				why = "settings.lost.other"
			}
			add(w.layer(l.Value, w.cat.T(why, nil)))
		}
	}
	if p := Clean(w.Policy.Problem, maxProblem); p != "" {
		add("settings.layer.problem", assets.Args{"problem": p})
	}
	if w.Policy.State == consent.PolicyStale && !w.Policy.GoodAt.IsZero() {
		add("settings.layer.stale", assets.Args{"date": w.date(w.Policy.GoodAt)})
	}
	own := assets.Args{"value": Access(w.cat, w.Settings.SessionInsights)}
	switch {
	case w.Settings.SessionInsights == consent.AccessUnset:
		add("settings.layer.own.none", nil)
	case w.Settings.Since.IsZero():
		add("settings.layer.own", own)
	default:
		own["date"] = w.date(w.Settings.Since)
		add("settings.layer.own.since", own)
	}
	add("settings.layer.default", nil)
	add("settings.wins."+w.origin(), nil)
	return lines
}

// layer is the text for one value of the policy; lost says why it does not
// count, empty: it is the one that may.
func (w settingsWords) layer(v policy.Value, lost string) (string, assets.Args) {
	key, args := "settings.layer.recommended", assets.Args{"source": w.source(v.Origin), "value": Access(w.cat, consent.AccessControl(v.Text))}
	if v.Enforced {
		key = "settings.layer.enforced"
	}
	if lost != "" {
		key += ".lost"
		args["why"] = lost
	}
	return key, args
}

func (w settingsWords) source(o policy.Origin) string {
	switch o.Name {
	case policy.FromFile:
		if file := Clean(o.File, maxSource); file != "" {
			return w.cat.T("settings.source.file", assets.Args{"file": file})
		}
		return w.cat.T("settings.source.files", nil)
	case policy.FromRegistry, policy.FromPreferences, policy.FromServer:
		return w.cat.T("settings.source."+o.Name, nil)
	}
	return w.cat.T("settings.source.unknown", nil)
}
