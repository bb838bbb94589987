package console

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"aval/agent/policy"
	"aval/agent/record"
	"aval/assets"
	"aval/summarizer/company"
	"aval/summarizer/summary"
)

// versionsShown is how many published versions a policy's page has.
const versionsShown = 20

// policiesPage lists a company's policies.
type policiesPage struct {
	frame
	told
	MayWrite bool
	Policies []policyRow
}

type policyRow struct {
	ID, Name, State string
	Changed         bool // something is not published yet
	Assigned        []string
	Reach           int
	Have            string // so many devices have it
}

func (c *Console) policies(w http.ResponseWriter, r *http.Request, v visitor) {
	p := policiesPage{frame: c.frameOf(r, v, v.cat.T("console.policies", nil)), told: v.told(r), MayWrite: v.may(company.SettingsWrite)}
	p.Back = "/policies"
	all, err := v.co.Policies(r.Context())
	if err != nil {
		c.broken(w, r, err)
		return
	}
	for _, pol := range all {
		p.Policies = append(p.Policies, c.policyRow(v, pol))
	}
	c.show(w, r, http.StatusOK, "policies", p)
}

func (c *Console) policyRow(v visitor, p company.Policy) policyRow {
	out := policyRow{ID: p.ID, Name: summary.Clean(p.Name, company.MaxTitle), Reach: p.Reach, Have: v.cat.N("console.policies.have", p.Reach, nil), Changed: p.Changed,
		State: v.cat.T("console.policies.never", nil)}
	if p.Version > 0 {
		out.State = v.cat.T("console.policies.published", assets.Args{"n": p.Version, "when": c.when(v.cat, p.PublishedAt)})
	}
	if p.All {
		out.Assigned = append(out.Assigned, v.cat.T("console.policies.all", nil))
	}
	for _, g := range p.Groups {
		out.Assigned = append(out.Assigned, v.cat.T("console.policies.group", assets.Args{"group": g}))
	}
	if n := len(p.Devices); n > 0 {
		out.Assigned = append(out.Assigned, v.cat.N("console.devices.n", n, nil))
	}
	return out
}

func (c *Console) newPolicy(w http.ResponseWriter, r *http.Request, v visitor) {
	if !c.form(w, r) {
		return
	}
	p, err := v.co.CreatePolicy(r.Context(), strings.TrimSpace(r.PostFormValue("name")))
	to := "/policies"
	if err == nil {
		to += "/" + p.ID
	}
	c.settle(w, r, to, "created", err)
}

// policyPage is where one policy is edited, published and assigned.
type policyPage struct {
	frame
	told
	MayWrite bool
	P        policyRow
	Base     string // the values that the form is made from, see company.DraftSum
	// Insights is the setting with the two switches of reporting.
	Insights    insightsField
	Fields      []policyField
	Problems    []string
	Changes     []changeLine // of the draft against the version last published
	Versions    []versionRow
	Loose       []string // values that can allow without a question
	NeedsKey    bool     // and so need the company's release key
	Released    string   // until when the release of the version in force counts
	HasKey      bool
	Published   bool
	Groups      []company.Group // that it can be assigned to
	GroupsWith  []company.Group // that have it
	DevicesWith []namedDevice
	All         bool
	AllOther    string // another policy that all devices have
	Quoted      string
}

type namedDevice struct{ ID, Name string }

// insightsField is "Connection reports and Session Insights (AI)".
type insightsField struct {
	Set, Reporting, Insights, Enforce bool
}

// policyField is one key in the form.
type policyField struct {
	Key, Name       string
	Doc             []part
	Type            policy.Type
	Choices         []fieldChoice
	Value           string // a number, or the lines of a list
	Min, Max        int
	Default         string
	Set, Enforce    bool
	Wrong, Loosens  bool
	Now             string // its value in words; empty: it is not set
	GroupsOfEvents  bool   // the list is one of ticks
	DefaultIsNotSet bool
}

type fieldChoice struct {
	Value, Text string
	Chosen      bool
}

type versionRow struct {
	Title    string
	Released bool
	Lines    []changeLine
}

func (c *Console) policy(w http.ResponseWriter, r *http.Request, v visitor) {
	if pol, ok := c.policyAt(w, r, v); ok {
		c.showPolicy(w, r, v, pol, pol.Settings, nil)
	}
}

// policyAt is the policy whose id stands in the address: its name is no address.
// It has answered where it returns false.
func (c *Console) policyAt(w http.ResponseWriter, r *http.Request, v visitor) (company.Policy, bool) {
	id := r.PathValue("id")
	pol, err := v.co.Policy(r.Context(), id)
	switch {
	case errors.Is(err, company.ErrNoPolicy), err == nil && pol.ID != id:
		c.fail(w, r, http.StatusNotFound, "console.error.not_found")
	case err != nil:
		c.broken(w, r, err)
	default:
		return pol, true
	}
	return company.Policy{}, false
}

// showPolicy shows a policy with these values in the form, and what is wrong with them.
func (c *Console) showPolicy(w http.ResponseWriter, r *http.Request, v visitor, pol company.Policy, values []policy.Setting, wrong []policy.Problem) {
	p, err := c.policyPage(r, v, pol, values, wrong)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	status := http.StatusOK
	if len(wrong) > 0 {
		status = http.StatusUnprocessableEntity
	}
	c.show(w, r, status, "policy", p)
}

func (c *Console) policyPage(r *http.Request, v visitor, pol company.Policy, values []policy.Setting, wrong []policy.Problem) (policyPage, error) {
	p := policyPage{frame: c.frameOf(r, v, summary.Clean(pol.Name, company.MaxTitle)), told: v.told(r), MayWrite: v.may(company.SettingsWrite), P: c.policyRow(v, pol),
		Insights: insightsIn(values), Published: pol.Version > 0, All: pol.All, Quoted: shellWord(pol.Name), Base: company.DraftSum(pol.Settings)}
	p.Back = "/policies/" + pol.ID
	bad := map[string]bool{}
	for _, w := range wrong {
		bad[w.Key] = true
		name := w.Key
		if _, ok := policy.Define(policy.Name(w.Key)); ok {
			name = v.cat.T("console.key."+w.Key, nil)
		}
		p.Problems = append(p.Problems, v.cat.T("console.policies.problem", assets.Args{"key": name, "allowed": v.allowedWords(policy.Name(w.Key))}))
	}
	for _, d := range policy.Definitions() {
		if d.Name == policy.Reporting || d.Name == policy.Insights || d.Test {
			continue
		}
		f := v.field(d, settingIn(values, d.Name))
		f.Wrong = bad[string(d.Name)]
		p.Fields = append(p.Fields, f)
	}
	// Those that are set stand first; the others can be added.
	slices.SortStableFunc(p.Fields, func(a, b policyField) int { return order(b.Set) - order(a.Set) })
	ch, err := v.co.Choices(r.Context())
	if err != nil {
		return p, err
	}
	p.HasKey = ch.Releases == "release-key"
	if set, problems := policy.ParseSettings("", pol.Settings); len(problems) == 0 {
		for _, l := range policy.Loosens(set) {
			p.Loose = append(p.Loose, v.cat.T("console.key."+string(l.Name), nil)+": "+v.settingWords(settingIn(pol.Settings, l.Name)))
		}
	}
	p.NeedsKey = p.HasKey && len(p.Loose) > 0 && pol.Changed
	if !pol.ReleasedUntil.IsZero() {
		p.Released = c.when(v.cat, pol.ReleasedUntil)
	}
	versions, err := v.co.PolicyVersions(r.Context(), pol.ID, versionsShown+1)
	if err != nil {
		return p, err
	}
	var last []policy.Setting
	for i, ver := range versions {
		if i == 0 {
			last = ver.Settings
		}
		var before []policy.Setting
		if i+1 < len(versions) {
			before = versions[i+1].Settings
		}
		if i < versionsShown {
			p.Versions = append(p.Versions, versionRow{v.cat.T("console.policies.published", assets.Args{"n": ver.Version, "when": c.when(v.cat, ver.PublishedAt)}),
				ver.Released, v.settingLines(company.Compare(before, ver.Settings))})
		}
	}
	if pol.Changed {
		p.Changes = v.settingLines(company.Compare(last, pol.Settings))
	}
	return p, c.assignments(r, v, pol, &p)
}

// assignments says what a policy is assigned to, and what it can be.
func (c *Console) assignments(r *http.Request, v visitor, pol company.Policy, p *policyPage) error {
	groups, _, err := v.co.Groups(r.Context())
	if err != nil {
		return err
	}
	for _, g := range groups {
		if g.Policy == pol.Name {
			p.GroupsWith = append(p.GroupsWith, g)
		} else {
			p.Groups = append(p.Groups, g)
		}
	}
	for _, id := range pol.Devices[:min(len(pol.Devices), 100)] {
		d, err := v.co.Device(r.Context(), id)
		if err != nil {
			return err
		}
		p.DevicesWith = append(p.DevicesWith, namedDevice{d.ID, summary.Clean(d.Name, 60)})
	}
	all, err := v.co.Policies(r.Context())
	for _, o := range all {
		if o.All && o.ID != pol.ID {
			p.AllOther = summary.Clean(o.Name, company.MaxTitle)
		}
	}
	return err
}

func order(b bool) int {
	if b {
		return 1
	}
	return 0
}

func settingIn(all []policy.Setting, key policy.Name) *policy.Setting {
	i := slices.IndexFunc(all, func(s policy.Setting) bool { return s.Key == key })
	if i < 0 {
		return nil
	}
	return &all[i]
}

func insightsIn(all []policy.Setting) (f insightsField) {
	is := func(s *policy.Setting) bool { return s != nil && string(s.Value) == `"on"` }
	rep, ins := settingIn(all, policy.Reporting), settingIn(all, policy.Insights)
	f.Set = rep != nil || ins != nil
	f.Reporting, f.Insights = is(rep), is(ins)
	f.Enforce = (rep == nil || rep.Enforce) && (ins == nil || ins.Enforce) && f.Set
	return f
}

// field is a key as the form shows it.
func (v visitor) field(d policy.Definition, s *policy.Setting) policyField {
	f := policyField{Key: string(d.Name), Name: v.cat.T("console.key."+string(d.Name), nil), Doc: parts(v.cat.T("console.key."+string(d.Name)+".doc", nil)), Type: d.Type, Min: d.Min, Max: d.Max,
		Set: s != nil, Now: v.settingWords(s), Loosens: len(d.Allows) > 0, GroupsOfEvents: d.Name == policy.RecordGroups,
		Default: v.valueWords(d.Default), DefaultIsNotSet: d.Default == "" || d.Default == "unset"}
	var raw any
	if s != nil {
		f.Enforce = s.Enforce
		_ = json.Unmarshal(s.Value, &raw) // what cannot be read is shown empty, and as wrong
	}
	switch d.Type {
	case policy.Choice:
		chosen, _ := raw.(string)
		if s == nil {
			chosen = d.Choices[0]
		}
		for _, ch := range d.Choices {
			f.Choices = append(f.Choices, fieldChoice{ch, v.valueWords(ch), ch == chosen})
		}
	case policy.Number:
		f.Value = d.Default
		if s != nil {
			f.Value = strings.Trim(string(s.Value), `"`)
		}
	case policy.List:
		list := listIn(raw)
		f.Value = strings.Join(list, "\n")
		f.DefaultIsNotSet = f.DefaultIsNotSet || f.GroupsOfEvents // all of them, which the ticks say
		if f.GroupsOfEvents {
			for _, g := range strings.Split(d.Default, ", ") {
				f.Choices = append(f.Choices, fieldChoice{g, v.cat.T("console.group."+g, nil), s == nil || slices.Contains(list, g)})
			}
		}
	}
	return f
}

func listIn(v any) (out []string) {
	list, _ := v.([]any)
	for _, e := range list {
		if s, ok := e.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// allowedWords says what a key may be.
func (v visitor) allowedWords(key policy.Name) string {
	d, ok := policy.Define(key)
	if !ok {
		return ""
	}
	switch d.Type {
	case policy.Number:
		return v.cat.T("console.policies.number", assets.Args{"min": d.Min, "max": d.Max})
	case policy.Choice:
		var all []string
		for _, ch := range d.Choices {
			all = append(all, v.valueWords(ch))
		}
		return strings.Join(all, ", ")
	}
	return v.cat.T("console.policies.list."+string(d.Name), nil)
}

// savePolicy saves the whole form as the draft, or shows everything that is wrong.
func (c *Console) savePolicy(w http.ResponseWriter, r *http.Request, v visitor) {
	if !c.form(w, r) {
		return
	}
	pol, ok := c.policyAt(w, r, v)
	if !ok {
		return
	}
	values := formSettings(r, pol.Settings)
	var bad *company.Invalid
	err := v.co.ReplacePolicy(r.Context(), pol.ID, r.PostFormValue("base"), values)
	switch {
	case errors.As(err, &bad):
		c.showPolicy(w, r, v, pol, values, bad.Problems)
		return
	case errors.Is(err, company.ErrChanged):
		c.policyMeanwhile(w, r, v, pol, values)
		return
	}
	c.settle(w, r, "/policies/"+pol.ID, "saved", err)
}

// policyMeanwhile shows what was entered when somebody else has changed the policy
// since its page was opened: saved again, it takes the place of theirs.
func (c *Console) policyMeanwhile(w http.ResponseWriter, r *http.Request, v visitor, pol company.Policy, values []policy.Setting) {
	p, err := c.policyPage(r, v, pol, values, nil)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	p.Wrong = v.cat.T("console.policies.meanwhile", nil)
	c.show(w, r, http.StatusConflict, "policy", p)
}

// formSettings are the values that a form says; those of keys that have no place
// in it stay as they were.
func formSettings(r *http.Request, before []policy.Setting) (out []policy.Setting) {
	on := func(name string) bool { return r.PostFormValue(name) != "" }
	word := func(yes bool) json.RawMessage {
		if yes {
			return json.RawMessage(`"on"`)
		}
		return json.RawMessage(`"off"`)
	}
	for _, d := range policy.Definitions() {
		key := string(d.Name)
		switch {
		case d.Test:
			if s := settingIn(before, d.Name); s != nil {
				out = append(out, *s)
			}
		case d.Name == policy.Reporting || d.Name == policy.Insights:
			if on("set-insights") {
				out = append(out, policy.Setting{Key: d.Name, Value: word(on("on-" + key)), Enforce: on("enforce-insights")})
			}
		case on("set-" + key):
			out = append(out, policy.Setting{Key: d.Name, Value: formValue(r, d), Enforce: on("enforce-" + key)})
		}
	}
	return out
}

// formValue is one key's value as JSON; what does not fit is found by the check
// that follows.
func formValue(r *http.Request, d policy.Definition) json.RawMessage {
	name := "value-" + string(d.Name)
	text := strings.TrimSpace(r.PostFormValue(name))
	var v any = text
	switch d.Type {
	case policy.Number:
		if n, err := strconv.Atoi(text); err == nil {
			v = n
		}
	case policy.List:
		list := []string{}
		for _, all := range r.PostForm[name] {
			for line := range strings.Lines(all) {
				if line = strings.TrimSpace(line); line != "" {
					list = append(list, line)
				}
			}
		}
		v = list
	}
	raw, _ := json.Marshal(v) // texts and numbers always encode
	return raw
}

// publishPolicy makes the draft the next version; a signed release may come with it.
func (c *Console) publishPolicy(w http.ResponseWriter, r *http.Request, v visitor) {
	pol, ok := c.policyAt(w, r, v)
	if !ok {
		return
	}
	to := "/policies/" + pol.ID
	var release []byte
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
		file, _, err := r.FormFile("release")
		switch {
		case errors.Is(err, http.ErrMissingFile):
		case err != nil:
			c.fail(w, r, http.StatusRequestEntityTooLarge, "console.error.form")
			return
		default:
			defer file.Close()
			if release, err = io.ReadAll(io.LimitReader(file, record.MaxEnvelope+1)); err != nil || len(release) > record.MaxEnvelope {
				c.settle(w, r, to, "", errors.Join(company.ErrReleaseFile, err))
				return
			}
			if len(release) == 0 {
				release = nil
			}
		}
	}
	_, err := v.co.PublishPolicy(r.Context(), pol.ID, release)
	c.settle(w, r, to, "published", err)
}

// policyDraft gives what the release key has to sign away as a file.
func (c *Console) policyDraft(w http.ResponseWriter, r *http.Request, v visitor) {
	pol, ok := c.policyAt(w, r, v)
	if !ok {
		return
	}
	d, err := v.co.Draft(r.Context(), pol.ID)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	raw, err := json.Marshal(d)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	download(w, "draft.json", "application/json", append(raw, '\n'))
}

// assignPolicy assigns the policy to what the form names, or takes it away there.
func (c *Console) assignPolicy(w http.ResponseWriter, r *http.Request, v visitor) {
	if !c.form(w, r) {
		return
	}
	pol, ok := c.policyAt(w, r, v)
	if !ok {
		return
	}
	to := "/policies/" + pol.ID
	target := company.Target(r.PostFormValue("to"))
	if target == "device" {
		target = company.ToDevice(strings.TrimSpace(r.PostFormValue("device")))
	}
	name := pol.ID
	if r.PostFormValue("take") != "" {
		name = ""
	}
	if target == "" {
		c.settle(w, r, to, "", errNothing)
		return
	}
	c.settle(w, r, to, "assigned", v.co.AssignPolicy(r.Context(), name, target))
}

func (c *Console) namePolicy(w http.ResponseWriter, r *http.Request, v visitor) {
	if !c.form(w, r) {
		return
	}
	if pol, ok := c.policyAt(w, r, v); ok {
		c.settle(w, r, "/policies/"+pol.ID, "saved", v.co.RenamePolicy(r.Context(), pol.ID, strings.TrimSpace(r.PostFormValue("name"))))
	}
}

// deletePolicy deletes the policy, with its assignments where the box is ticked.
func (c *Console) deletePolicy(w http.ResponseWriter, r *http.Request, v visitor) {
	if !c.form(w, r) {
		return
	}
	pol, ok := c.policyAt(w, r, v)
	if !ok {
		return
	}
	err := v.co.DeletePolicy(r.Context(), pol.ID, r.PostFormValue("unassign") != "")
	to := "/policies"
	if err != nil {
		to += "/" + pol.ID
	}
	c.settle(w, r, to, "deleted", err)
}

// shellWord is a name as a POSIX shell reads it back.
func shellWord(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
