package rest

import (
	"context"

	"aval/agent/policy"
	v1 "aval/summarizer/api/v1"
	"aval/summarizer/company"
)

func (o *operations) ListDevices(ctx context.Context, r v1.ListDevicesRequestObject) (v1.ListDevicesResponseObject, error) {
	list, next, err := from(ctx).co.Devices(ctx, company.DeviceFilter{Group: bare(val(r.Params.GroupId), "g"), Search: val(r.Params.Search), After: val(r.Params.PaginationToken), Reach: company.Reached(val(r.Params.Reach)), Limit: 1000})
	out := v1.ListDevices200JSONResponse{Resources: []v1.Device{}, NextPaginationToken: next}
	for _, d := range list {
		out.Resources = append(out.Resources, device(d))
	}
	return out, err
}

func device(d company.Device) v1.Device {
	out := v1.Device{Id: d.ID, Name: d.Name, Hostname: d.Hostname, GroupId: d.GroupID, Group: d.Group, Pending: d.Waits, LastSeen: d.LastSeenAt,
		EnrolledAt: d.EnrolledAt, AgentVersion: d.Version, RevokedAt: d.RevokedAt, LogBrokenAt: d.LogBrokenAt}
	if r := d.Reach; r != nil {
		out.Reach = v1.Reach{State: v1.ReachState(r.State), At: r.At, Window: r.Window, Dialog: r.Dialog, StartFile: r.StartFile, StartLine: r.StartLine}
	}
	if d.Policy != nil {
		out.TeamviewerPolicyId, out.PolicyVersion = d.Policy.ID, d.Policy.Version
	}
	return out
}

func (o *operations) GetDevice(ctx context.Context, r v1.GetDeviceRequestObject) (v1.GetDeviceResponseObject, error) {
	d, err := from(ctx).co.Device(ctx, bare(r.Id, "d"))
	return v1.GetDevice200JSONResponse(device(d)), err
}

// named finds a policy by its id.
func named(ctx context.Context, id string) (company.Policy, error) {
	list, err := from(ctx).co.Policies(ctx)
	if err != nil {
		return company.Policy{}, err
	}
	for _, p := range list {
		if p.ID == id {
			return p, nil
		}
	}
	return company.Policy{}, missing
}

func (o *operations) AssignPolicy(ctx context.Context, r v1.AssignPolicyRequestObject) (v1.AssignPolicyResponseObject, error) {
	p, err := named(ctx, r.Body.PolicyId)
	if err != nil {
		return nil, err
	}
	return v1.AssignPolicy204Response{}, from(ctx).co.AssignPolicy(ctx, p.ID, company.ToDevice(bare(r.Id, "d")))
}

func (o *operations) RemovePolicy(ctx context.Context, r v1.RemovePolicyRequestObject) (v1.RemovePolicyResponseObject, error) {
	return v1.RemovePolicy204Response{}, from(ctx).co.AssignPolicy(ctx, "", company.ToDevice(bare(r.Id, "d")))
}

func group(g company.Group) v1.Group {
	return v1.Group{Id: g.ID, Name: g.Name, Devices: g.Devices, Policy: g.Policy, CreatedAt: g.CreatedAt}
}

func (o *operations) ListGroups(ctx context.Context, _ v1.ListGroupsRequestObject) (v1.ListGroupsResponseObject, error) {
	list, _, err := from(ctx).co.Groups(ctx)
	out := v1.ListGroups200JSONResponse{Resources: []v1.Group{}}
	for _, g := range list {
		out.Resources = append(out.Resources, group(g))
	}
	return out, err
}

func (o *operations) GetGroup(ctx context.Context, r v1.GetGroupRequestObject) (v1.GetGroupResponseObject, error) {
	g, err := from(ctx).co.Group(ctx, bare(r.Id, "g"))
	return v1.GetGroup200JSONResponse(group(g)), err
}

func shownPolicy(p company.Policy) (out v1.Policy, err error) {
	out = v1.Policy{PolicyId: p.ID, Name: p.Name, Version: p.Version, Changed: p.Changed, Settings: []v1.PolicySetting{}}
	return out, recast(p.Settings, &out.Settings)
}

func (o *operations) ListPolicies(ctx context.Context, _ v1.ListPoliciesRequestObject) (v1.ListPoliciesResponseObject, error) {
	list, err := from(ctx).co.Policies(ctx)
	out := v1.ListPolicies200JSONResponse{Policies: []v1.Policy{}}
	for _, p := range list {
		v, err := shownPolicy(p)
		if err != nil {
			return nil, err
		}
		out.Policies = append(out.Policies, v)
	}
	return out, err
}

func (o *operations) GetPolicy(ctx context.Context, r v1.GetPolicyRequestObject) (v1.GetPolicyResponseObject, error) {
	p, err := named(ctx, r.Id)
	if err != nil {
		return nil, err
	}
	v, err := shownPolicy(p)
	return v1.GetPolicy200JSONResponse(v), err
}

// settings reads settings as a policy has them.
func settings(in []v1.PolicySetting) (out []policy.Setting, err error) {
	if len(in) == 0 {
		return nil, nil
	}
	if err := recast(in, &out); err != nil {
		return nil, problem{400, "invalid_request", "A setting is {key, value, enforce}."}
	}
	return out, nil
}

func (o *operations) CreatePolicy(ctx context.Context, r v1.CreatePolicyRequestObject) (v1.CreatePolicyResponseObject, error) {
	set, err := settings(r.Body.Settings)
	if err != nil {
		return nil, err
	}
	// What would not be valid leaves no empty policy behind.
	if _, problems := policy.ParseSettings(r.Body.Name, set); len(problems) > 0 {
		return nil, &company.Invalid{Problems: problems}
	}
	co := from(ctx).co
	p, err := co.CreatePolicy(ctx, r.Body.Name)
	if err != nil {
		return nil, err
	}
	if len(set) > 0 {
		if err := co.SetPolicy(ctx, p.ID, set, nil); err != nil {
			return nil, err
		}
		if p, err = named(ctx, p.ID); err != nil {
			return nil, err
		}
	}
	v, err := shownPolicy(p)
	return v1.CreatePolicy200JSONResponse(v), err
}

func (o *operations) UpdatePolicy(ctx context.Context, r v1.UpdatePolicyRequestObject) (v1.UpdatePolicyResponseObject, error) {
	p, err := named(ctx, r.Id)
	if err != nil {
		return nil, err
	}
	set, err := settings(r.Body.Settings)
	if err != nil {
		return nil, err
	}
	var unset []policy.Name
	for _, k := range r.Body.Remove {
		unset = append(unset, policy.Name(k))
	}
	co := from(ctx).co
	if r.Body.Name != "" {
		if err := co.RenamePolicy(ctx, p.ID, r.Body.Name); err != nil {
			return nil, err
		}
	}
	if len(set)+len(unset) == 0 {
		return v1.UpdatePolicy204Response{}, nil
	}
	return v1.UpdatePolicy204Response{}, co.SetPolicy(ctx, p.ID, set, unset)
}

func (o *operations) DeletePolicy(ctx context.Context, r v1.DeletePolicyRequestObject) (v1.DeletePolicyResponseObject, error) {
	p, err := named(ctx, r.Id)
	if err != nil {
		return nil, err
	}
	return v1.DeletePolicy204Response{}, from(ctx).co.DeletePolicy(ctx, p.ID, val(r.Params.Unassign))
}

func (o *operations) PublishPolicy(ctx context.Context, r v1.PublishPolicyRequestObject) (v1.PublishPolicyResponseObject, error) {
	p, err := named(ctx, r.Id)
	if err != nil {
		return nil, err
	}
	version, err := from(ctx).co.PublishPolicy(ctx, p.ID, nil)
	return v1.PublishPolicy200JSONResponse{Version: version}, err
}

func module(m company.Module) v1.Module {
	return v1.Module{Id: m.ID, Name: m.Name, Enabled: m.Enabled, Asks: m.Asks, CreatedAt: m.CreatedAt, ExpiresAt: m.ExpiresAt, RevokedAt: m.RevokedAt}
}

func (o *operations) ListModules(ctx context.Context, _ v1.ListModulesRequestObject) (v1.ListModulesResponseObject, error) {
	list, err := from(ctx).co.Modules(ctx)
	out := v1.ListModules200JSONResponse{Modules: []v1.Module{}}
	for _, m := range list {
		out.Modules = append(out.Modules, module(m))
	}
	return out, err
}

func (o *operations) CreateModule(ctx context.Context, r v1.CreateModuleRequestObject) (v1.CreateModuleResponseObject, error) {
	days := r.Body.Days
	if days == 0 {
		days = company.ModuleDays
	}
	m, file, err := from(ctx).co.CreateModule(ctx, r.Body.Name, r.Body.Enabled, days)
	out := module(m)
	out.File = string(file)
	return v1.CreateModule200JSONResponse(out), err
}

func (o *operations) SwitchModule(ctx context.Context, r v1.SwitchModuleRequestObject) (v1.SwitchModuleResponseObject, error) {
	m, err := from(ctx).co.SwitchModule(ctx, r.Id, r.Body.Enabled)
	return v1.SwitchModule200JSONResponse(module(m)), err
}

func (o *operations) RevokeModule(ctx context.Context, r v1.RevokeModuleRequestObject) (v1.RevokeModuleResponseObject, error) {
	_, err := from(ctx).co.RevokeModule(ctx, r.Id)
	return v1.RevokeModule204Response{}, err
}
