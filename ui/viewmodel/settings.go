package viewmodel

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
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
	// Access is what stands beside "access control": default, custom or policy.
	Access string
	// InForce names the value in force.
	InForce string
	// Groups are the kinds of event with who decided on each, Recorded the same
	// in a few words, GroupsNote what does not follow them; empty: nothing.
	Groups     []GroupChoice
	Recorded   string
	GroupsNote string
	// Company names the companies that this computer knows, Companies says what
	// each may do.
	Company   string
	Companies []string
}

// GroupChoice is one group that can be left out.
type GroupChoice struct {
	Group     event.Group
	Name, Why string
	On        bool
	Greyed    bool
}

// LanguageChoice is one language; its Value is "default" for the desktop's own.
type LanguageChoice struct {
	Value, Name, Meaning string
	Chosen               bool
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
	if err != nil {
		return Unchanged(cat, enforced, err)
	}
	return cat.T("settings.changed", assets.Args{"value": Access(cat, to)})
}

// Unchanged says why a change did not happen.
func Unchanged(cat *assets.Catalog, enforced bool, err error) string {
	var refused *ipc.Error
	switch {
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
	v.InForce = Access(cat, s.Settings.Effective)
	switch {
	case s.Settings.Enforced:
		v.Access = cat.T("settings.access.policy", nil)
	case s.Settings.SessionInsights == consent.AccessUnset && narrow(s.Settings.Groups) == 0:
		v.Access = cat.T("settings.access.default", nil)
	default:
		v.Access = cat.T("settings.access.custom", nil)
	}
	w.groups(&v)
	v.Company, v.Companies = cat.T("settings.companies.none", nil), []string{cat.T("settings.companies.none.what", nil)}
	if name := Clean(s.Status.Company, maxName); name != "" {
		v.Company = name
		v.Companies = company(s.Status, cat)
		if s.Status.Account == "" {
			v.Companies[0] = cat.T("settings.companies.managed", assets.Args{"company": name})
		} else { // the name is its own choice
			v.Company = strings.TrimPrefix(Clean(s.Status.Server, maxReaders), "https://")
		}
	}
	v.Companies = append(v.Companies, guests(s.Status, cat)...)
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

// narrow counts the groups that a person left out.
func narrow(groups []ipc.GroupSetting) (n int) {
	for _, g := range groups {
		if !g.Own {
			n++
		}
	}
	return n
}

func (w settingsWords) groups(v *Settings) {
	on, all := 0, 0
	for _, g := range w.Settings.Groups {
		key, known := groupKeys[g.Group]
		if !known {
			continue
		}
		c := GroupChoice{Group: g.Group, Name: w.cat.T(key, nil), On: g.Record, Greyed: g.Barred, Why: w.cat.T("settings.record.on", nil)}
		switch {
		case g.Barred:
			c.Why = w.cat.T("settings.record.barred", nil)
		case !g.Own:
			c.Why = w.cat.T("settings.record.off", nil)
		case narrow(w.Settings.Groups) == 0:
			c.Why = w.cat.T("settings.record.default", nil)
		}
		if all++; g.Record {
			on++
		}
		v.Groups = append(v.Groups, c)
	}
	switch on {
	case all:
		v.Recorded = w.cat.T("settings.record.all", nil)
	case 0:
		v.Recorded = w.cat.T("settings.record.none", nil)
	default:
		v.Recorded = w.cat.T("settings.record.some", assets.Args{"n": on, "all": all})
	}
	if narrow(w.Settings.Groups) > 0 && w.Settings.Origin == "enforced-policy" {
		v.GroupsNote = w.cat.T("settings.record.enforced", nil)
	}
	var gone []string
	for _, g := range w.Settings.Gone {
		if key, known := groupKeys[g]; known {
			gone = append(gone, w.cat.T(key, nil))
		}
	}
	if len(gone) > 0 {
		said := w.cat.T("settings.record.wayland", assets.Args{"groups": strings.Join(gone, "; ")})
		v.GroupsNote = strings.TrimSpace(v.GroupsNote + "\n" + said)
	}
}

// NewLanguages lists the languages that can be chosen, each by its own name.
// desktop are the locales of the desktop, best first.
func NewLanguages(chosen string, cat *assets.Catalog, desktop ...string) []LanguageChoice {
	const name = "consent.language.name"
	list := []LanguageChoice{{Value: "default", Name: cat.T("settings.language.desktop", nil), Chosen: chosen == "",
		Meaning: cat.T("settings.language.desktop.now", assets.Args{"language": assets.For(desktop...).T(name, nil)})}}
	for _, lang := range assets.Langs() {
		list = append(list, LanguageChoice{Value: lang, Name: assets.For(lang).T(name, nil), Chosen: chosen == lang})
	}
	return list
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
	return date(w.cat, t.In(w.zone))
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
