package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"aval/agent/policy"
	"aval/assets"
	"aval/summarizer/company"
	"aval/summarizer/summary"
)

// changesShown is how many changes one page of the history has.
const changesShown = 30

// historyPage lists what was changed in a company's settings.
type historyPage struct {
	frame
	told
	MayWrite bool
	Changes  []changeRow
	Older    string
	Newer    bool
}

type changeRow struct {
	Number          int64
	When, WhenISO   string
	Who, What, Name string
	Lines           []changeLine
	Note            string // taken back by, takes back
	CanUndo         bool
}

// changeLine is one thing that was and is; an empty side: there was or is none.
type changeLine struct{ Key, Old, New string }

func (c *Console) history(w http.ResponseWriter, r *http.Request, v visitor) {
	before, _ := strconv.ParseInt(r.URL.Query().Get("before"), 10, 64) // what is wrong starts anew
	p := historyPage{frame: c.frameOf(r, v, v.cat.T("console.history", nil)), told: v.told(r), MayWrite: v.may(company.SettingsWrite), Newer: before > 0}
	p.Back = "/history"
	all, err := v.co.History(r.Context(), before, changesShown+1)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	if len(all) > changesShown {
		all = all[:changesShown]
		p.Older = fmt.Sprintf("/history?before=%d", all[changesShown-1].Number)
	}
	names, err := c.names(r, v)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	for _, ch := range all {
		p.Changes = append(p.Changes, c.changeRow(v, ch, names))
	}
	c.show(w, r, http.StatusOK, "history", p)
}

// tokensNamed is how many API tokens are called by their names.
const tokensNamed = 1000

// tokenNames are the names of the company's API tokens by their ids, as actors.
func (c *Console) tokenNames(r *http.Request, v visitor) (map[string]string, error) {
	names := map[string]string{}
	list, err := v.co.APITokens(r.Context(), time.Time{}, tokensNamed)
	for _, k := range list {
		names[k.ID] = v.cat.T("console.actor.token", nil) + ": " + summary.Clean(k.Name, 60)
	}
	return names, err
}

// names are the names of a company's people, groups and API tokens by their ids.
func (c *Console) names(r *http.Request, v visitor) (map[string]string, error) {
	names, err := c.tokenNames(r, v)
	if err != nil {
		return nil, err
	}
	users, err := v.co.Users(r.Context(), company.UserFilter{})
	if err != nil {
		return nil, err
	}
	for _, u := range users {
		names[u.ID] = summary.Clean(u.Name, 60)
	}
	groups, err := v.co.GroupNames(r.Context())
	for _, g := range groups {
		names[g.ID] = g.Name
	}
	return names, err
}

// actorWords says who an actor of the audit is.
func (v visitor) actorWords(actor string, names map[string]string) string {
	kind, id, _ := strings.Cut(actor, ":")
	if names[id] != "" {
		return names[id]
	}
	switch company.ActorKind(kind) {
	case company.KindServer, company.KindCommand, company.KindLink:
		return v.cat.T("console.actor."+kind, nil)
	}
	return actor
}

func (c *Console) changeRow(v visitor, ch company.Changed, names map[string]string) changeRow {
	out := changeRow{Number: ch.Number, When: c.when(v.cat, ch.At), WhenISO: ch.At.UTC().Format("2006-01-02T15:04:05Z"), Who: v.actorWords(ch.Actor, names),
		What: v.cat.T("console.change."+changeWord(ch), nil), Name: v.subject(ch), CanUndo: ch.CanUndo && ch.Undone == 0,
		Lines: c.changeLines(v, ch, names)}
	switch {
	case ch.Undone > 0:
		out.Note = v.cat.T("console.history.undone", assets.Args{"n": ch.Undone})
	case ch.Undoes > 0:
		out.Note = v.cat.T("console.history.undoes", assets.Args{"n": ch.Undoes})
	case !ch.CanUndo:
		out.Note = v.cat.T("console.history.final", nil)
	}
	return out
}

// changeWord is the kind of a change; of some, with what became of it.
func changeWord(ch company.Changed) string {
	kind, none := string(ch.Kind), "null"
	switch {
	case (ch.Kind == company.ChangeGroup || ch.Kind == company.ChangePolicy) && string(ch.Old) == none:
		kind += ".created"
	case (ch.Kind == company.ChangeGroup || ch.Kind == company.ChangePolicy) && string(ch.New) == none:
		kind += ".deleted"
	case ch.Kind == company.ChangeGroup, ch.Kind == company.ChangePolicy:
		kind += ".renamed"
	case ch.Kind == company.ChangeModule && string(ch.Old) == none:
		kind += ".created"
	case ch.Kind == company.ChangeModule:
		kind += ".revoked"
	}
	return kind
}

// subject is what was changed.
func (v visitor) subject(ch company.Changed) string {
	name := summary.Clean(ch.Name, 60)
	if ch.Kind != company.ChangeAssigned {
		return name
	}
	switch {
	case ch.Subject == string(company.ToAll):
		return v.cat.T("console.policies.all", nil)
	case strings.HasPrefix(ch.Subject, "group:"):
		return v.cat.T("console.policies.group", assets.Args{"group": name})
	}
	return name
}

// changeLines says what a change's JSON says.
func (c *Console) changeLines(v visitor, ch company.Changed, names map[string]string) []changeLine {
	switch ch.Kind {
	case company.ChangeDraft, company.ChangePublished:
		return v.settingLines(company.Compare(settingsOf(ch.Old), settingsOf(ch.New)))
	case company.ChangeDeviceGroup:
		var to map[string]string
		_ = json.Unmarshal(ch.New, &to) // what cannot be read has no devices
		n := v.cat.N("console.devices.n", len(to), nil)
		return []changeLine{{n, "", groupName(v, to, names)}}
	case company.ChangeActivation:
		return []changeLine{{"", v.activeWord(ch.Old), v.activeWord(ch.New)}}
	}
	old, now := members(ch.Old), members(ch.New)
	keys := []string{}
	for k := range old {
		keys = append(keys, k)
	}
	for k := range now {
		if _, ok := old[k]; !ok {
			keys = append(keys, k)
		}
	}
	sort.Strings(keys)
	var out []changeLine
	for _, k := range keys {
		if k == "policy" || k == "engine_choice" { // its name, or what it comes to, stands beside it
			continue
		}
		label := ""
		if slices.Contains(optionKeys, k) {
			label = v.cat.T("console.option."+k, nil)
		}
		line := changeLine{label, c.valueOrDay(v, k, old[k]), c.valueOrDay(v, k, now[k])}
		if k == "engine" {
			was, _ := old[k].(string)
			is, _ := now[k].(string)
			line.Old, line.New = engineWords(v.cat, was), engineWords(v.cat, is)
		}
		if line.Key == "" && (line.Old == "" || line.New == "") && (line.Old+line.New == ch.Name) {
			continue // its name stands above
		}
		out = append(out, line)
	}
	return out
}

// valueOrDay is a value for people; that of an end is a day.
func (c *Console) valueOrDay(v visitor, key string, val any) string {
	if s, ok := val.(string); ok && (strings.HasSuffix(key, "_at") || strings.HasSuffix(key, "_set")) {
		if at, err := time.Parse(time.RFC3339, s); err == nil {
			return c.day(v.cat, at)
		}
	}
	return v.valueWords(val)
}

// optionKeys are the members of changes that have a text of their own.
var optionKeys = []string{"outgoing", "outgoing_choice", "incoming", "incoming_choice", "incoming_enforced", "rustdesk", "rustdesk_forward", "engine", "engine_address", "engine_header", "engine_key", "engine_key_set", "enabled", "expires_at", "revoked_at"}

func groupName(v visitor, to, names map[string]string) string {
	for _, id := range to {
		if id == "" {
			return v.cat.T("console.groups.none", nil)
		}
		if names[id] != "" {
			return names[id]
		}
		return id
	}
	return ""
}

func (v visitor) activeWord(raw json.RawMessage) string {
	if string(raw) == "null" {
		return v.cat.T("console.word.off", nil)
	}
	return v.cat.T("console.word.on", nil)
}

// members are the members of an object; any other value has the empty name.
func members(raw json.RawMessage) map[string]any {
	var v any
	if json.Unmarshal(raw, &v) != nil || v == nil {
		return nil
	}
	if m, ok := v.(map[string]any); ok {
		return m
	}
	return map[string]any{"": v}
}

// settingsOf are the settings of a draft or of a published version.
func settingsOf(raw json.RawMessage) (out []policy.Setting) {
	if json.Unmarshal(raw, &out) == nil {
		return out
	}
	var p struct {
		Settings []policy.Setting `json:"settings"`
	}
	_ = json.Unmarshal(raw, &p)
	return p.Settings
}

// settingLines says what is not the same in two lists of settings.
func (v visitor) settingLines(all []company.Difference) (out []changeLine) {
	for _, d := range all {
		out = append(out, changeLine{v.cat.T("console.key."+string(d.Key), nil), v.settingWords(d.Old), v.settingWords(d.New)})
	}
	return out
}

// settingWords is a setting's value, and whether it is enforced.
func (v visitor) settingWords(s *policy.Setting) string {
	if s == nil {
		return ""
	}
	var val any
	_ = json.Unmarshal(s.Value, &val) // it was valid when it was saved
	text := v.valueWords(val)
	if list, ok := val.([]any); ok && s.Key == policy.RecordGroups {
		var all []string
		for _, e := range list {
			if g, _ := e.(string); slices.Contains(groupWords, g) {
				all = append(all, v.cat.T("console.groups.of."+g, nil))
			}
		}
		text = strings.Join(all, ", ")
	}
	if text == "" {
		text = v.cat.T("console.word.empty", nil)
	}
	if s.Enforce {
		return v.cat.T("console.policies.enforced", assets.Args{"value": text})
	}
	return text
}

// groupWords are the groups of events, which have a short text.
var groupWords = []string{"windows", "commands", "files", "system", "chat"}

// valueWords is a JSON value for people.
func (v visitor) valueWords(val any) string {
	switch x := val.(type) {
	case nil:
		return ""
	case bool:
		if x {
			return v.cat.T("console.word.on", nil)
		}
		return v.cat.T("console.word.off", nil)
	case string:
		if slices.Contains(wordedValues, x) {
			return v.cat.T("console.value."+x, nil)
		}
		return summary.Clean(x, 200)
	case []any:
		var all []string
		for _, e := range x {
			all = append(all, summary.Clean(fmt.Sprint(e), 80))
		}
		return strings.Join(all, ", ")
	}
	return summary.Clean(fmt.Sprint(val), 200)
}

// wordedValues are the values that have a text.
var wordedValues = []string{"off", "on", "all", "modules", "policy", "denied", "after-confirmation", "allowed"}

func (c *Console) undo(w http.ResponseWriter, r *http.Request, v visitor) {
	n, err := strconv.ParseInt(r.PathValue("number"), 10, 64)
	if err != nil {
		c.fail(w, r, http.StatusNotFound, "console.error.not_found")
		return
	}
	c.settle(w, r, "/history", "undone", v.co.Undo(r.Context(), n))
}
