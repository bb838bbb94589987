//go:build e2e

package browser_test

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"aval/agent/consent"
	"aval/agent/policy"
	"aval/agent/wire"
	"aval/summarizer/company"
	"aval/summarizer/store"
	"aval/summarizer/summary/sample"
)

// settle makes what the administrator's pages show: a group with a policy that
// was published twice and changed since, a module, and the changes of all that.
func (s *site) settle(ctx context.Context) error {
	co, err := s.host.Of(ctx, sample.Company)
	if err != nil {
		return err
	}
	co = co.As(company.Actor{Kind: company.KindLink, Role: company.Administrator})
	_, in, terms := company.Terms("pt-BR")
	set := func(key policy.Name, value string, enforce bool) error {
		return co.SetPolicy(ctx, "Lojas", []policy.Setting{{Key: key, Value: json.RawMessage(value), Enforce: enforce}}, nil)
	}
	publish := func() error { _, err := co.PublishPolicy(ctx, "Lojas", nil); return err }
	group := func() error {
		_, err := co.CreateGroup(ctx, "Lojas de rua")
		return err
	}
	move := func() error {
		_, err := co.MoveDevices(ctx, []string{sample.Device}, "Lojas de rua")
		return err
	}
	outgoing, incoming := consent.OutgoingModules, consent.IncomingPolicy
	for _, do := range []func() error{
		func() error { return co.Activate(ctx, in, terms) },
		func() error { return co.SetOptions(ctx, company.Change{Outgoing: &outgoing, Incoming: &incoming}) },
		func() error { p, err := co.CreatePolicy(ctx, "Lojas"); s.policy = p.ID; return err },
		func() error { return set(policy.Reporting, `"on"`, true) },
		func() error { return set(policy.Insights, `"on"`, true) },
		func() error { return set(policy.QuestionSeconds, "60", false) },
		publish,
		func() error { return set(policy.RecordGroups, `["windows","commands"]`, true) },
		publish,
		func() error { return set(policy.QuestionSeconds, "90", true) },
		group, move,
		func() error { return co.AssignPolicy(ctx, "Lojas", company.ToGroup("Lojas de rua")) },
		func() error { m, _, err := co.CreateModule(ctx, "Atendimento", true, 365); s.module = m.ID; return err },
		func() error { _, err := co.Options(ctx, sample.Device); return err },
		func() error {
			return s.db.Tx(ctx, func(x *store.Tx) error {
				return x.SetReach(sample.Company, sample.Device, store.Reach{State: wire.ReachNoHelper, At: time.Now(), Dialog: true,
					StartFile: "~/.config/openbox/autostart", StartLine: "aval-desktop &"})
			})
		},
	} {
		if err := do(); err != nil {
			return fmt.Errorf("sample settings: %w", err)
		}
	}
	return nil
}
