package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/agent/policy"
	"aval/assets"
)

// explained is what policy explain prints as JSON.
type explained struct {
	Effective consent.AccessControl `json:"effective"`
	Origin    string                `json:"origin"`
	Enforced  bool                  `json:"enforced"`
	Problem   string                `json:"problem,omitempty"`
	policy.Account
}

func (a *app) policyExplain() *cobra.Command {
	return &cobra.Command{
		Use: "explain", Short: "Say why sessions of yours are allowed, denied or asked about: every layer and the one that wins",
		Long: `Shows, for the user who runs it, where the value of access control comes from,
layer by layer, which one wins and why, and what would be decided if a company
asked while you are there.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.dial(cmd.Context())
			if err != nil {
				return err
			}
			defer c.Close()
			ctx, cancel := context.WithTimeout(cmd.Context(), answerWithin)
			defer cancel()
			var s ipc.SettingsResult
			if err := c.Call(ctx, ipc.MethodSettingsGet, nil, &s); err != nil {
				return err
			}
			var p ipc.PolicyResult
			if err := c.Call(ctx, ipc.MethodPolicyShow, nil, &p); err != nil {
				return err
			}
			var keys []policy.Resolved
			for _, raw := range p.Keys {
				var k policy.Resolved
				if err := json.Unmarshal(raw, &k); err != nil {
					return fmt.Errorf("read policy: %w", err)
				}
				keys = append(keys, k)
			}
			x := explained{s.Effective, s.Origin, s.Enforced, p.Problem, policy.Why(p.State, keys, s.SessionInsights)}
			return a.print(x, func(w io.Writer) { x.text(w) })
		},
	}
}

var stepWords = map[string]string{
	"enforced-policy": "policy, enforced", "setting": "your setting", "policy": "policy, recommended", "default": "default",
}

var verdictWords = map[consent.Verdict]string{
	consent.NotRequested: "not wanted", consent.Deny: "denied", consent.Ask: "you are asked", consent.Allow: "allowed",
}

func (x explained) text(w io.Writer) {
	fmt.Fprintf(w, "In force for you: %s (%s)\n", x.Effective, originWords[x.Origin])
	fmt.Fprintf(w, "Policy: %s\n", x.State)
	if x.Problem != "" {
		fmt.Fprintf(w, "Problem: %s\n", printable(x.Problem))
	}
	fmt.Fprintln(w, "\nThe first of these that has a value wins:")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range x.Steps {
		mark, value := " ", string(s.Value)
		if s.Wins {
			mark = ">"
		}
		if s.Value == consent.AccessUnset {
			value = "-"
		}
		why := s.Why
		if s.Origin != "" {
			why += " (" + printable(s.Origin) + ")"
		}
		fmt.Fprintf(t, "%s %s\t%s\t%s\n", mark, stepWords[s.Name], value, why)
	}
	t.Flush()
	fmt.Fprintln(w, "\nWhat would be decided, with you at the screen:")
	for _, c := range x.Cases {
		fmt.Fprintf(w, "  %s: %s.\n    %s\n", c.When, verdictWords[c.Decision.Verdict], assets.For("en").T("reason."+string(c.Decision.Reason), nil))
		switch d := c.Decision; {
		case d.Verdict != consent.Allow || x.Effective == consent.AccessAllowed:
		case d.Basis == consent.BasisEnforcedPolicy:
			fmt.Fprintln(w, "    This stands above everything listed above: your own setting does not count here.")
		case d.Basis == consent.BasisPolicy:
			fmt.Fprintln(w, "    Where nobody has chosen, the company that manages the computer need not ask. To be asked: aval settings set session-insights after-confirmation")
		}
	}
}
