package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/agent/policy"
	"aval/assets"
	"aval/cmd/internal/command"
)

// explained is what policy explain prints as JSON.
type explained struct {
	Effective consent.AccessControl `json:"effective"`
	Origin    string                `json:"origin"`
	Enforced  bool                  `json:"enforced"`
	Problem   string                `json:"problem,omitempty"`
	// GoodAt is when the policy of this computer was last read without doubt.
	GoodAt time.Time         `json:"good_at,omitzero"`
	Server *ipc.PolicyServer `json:"server,omitempty"`
	// Others are the further keys that a policy sets.
	Others []policy.Resolved `json:"others,omitempty"`
	policy.Account

	result ipc.PolicyResult
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
			x := explained{Effective: s.Effective, Origin: s.Origin, Enforced: s.Enforced, Problem: p.Problem, GoodAt: p.GoodAt, Server: p.Server,
				Account: policy.Why(p.State, keys, s.SessionInsights, asks(p.Server)), result: p}
			for _, k := range keys {
				if k.Set && k.Value.Name != policy.AccessControl {
					x.Others = append(x.Others, k)
				}
			}
			return a.print(x, func(w io.Writer) { x.text(w) })
		},
	}
}

// asks is what the company asks for; nil: there is none.
func asks(s *ipc.PolicyServer) *policy.Asks {
	if s == nil {
		return nil
	}
	return &policy.Asks{Outgoing: s.Outgoing, Incoming: s.Incoming, IncomingEnforced: s.IncomingEnforced, LogSessions: s.LogSessions}
}

// policySources says how old what the policy comes from is, what the company's
// server sent and what of it was refused, and what is wrong.
func policySources(w io.Writer, p ipc.PolicyResult, now time.Time) {
	if !p.GoodAt.IsZero() && p.State == consent.PolicyStale {
		fmt.Fprintf(w, "last good:  %s, and that one still counts\n", ago(p.GoodAt, now))
	}
	if s := p.Server; s != nil {
		what := "no policy is assigned to this computer"
		switch {
		case s.Version == 0:
			what = "nothing that counts has arrived yet"
		case s.Policy != "":
			what = fmt.Sprintf("policy %s version %d", command.Printable(s.Policy), s.PolicyVersion)
		}
		fmt.Fprintf(w, "server:     %s", what)
		if s.Version != 0 {
			fmt.Fprintf(w, " (options version %d, signed %s, in force until %s)", s.Version, ago(s.SignedAt, now), s.Until.UTC().Format(time.RFC3339))
		}
		fmt.Fprintf(w, "\nrelease:    %s\n", releaseWords[s.Releases])
		if s.Refused != "" {
			fmt.Fprintf(w, "refused:    %s: %s; it changed nothing\n", ago(s.RefusedAt, now), command.Printable(s.Refused))
		}
	}
	if p.Problem != "" {
		fmt.Fprintf(w, "problem:    %s\n", command.Printable(p.Problem))
	}
}

var releaseWords = map[string]string{
	"server":      "the server's own key is enough for values that can allow without a question",
	"release-key": "values that can allow without a question need the company's release key, which the server does not hold",
	"nobody":      "the server may only tighten: no key for values that can allow without a question was pinned at enrolment",
}

// ago says a time with its age.
func ago(at, now time.Time) string {
	age := "just now"
	switch d := now.Sub(at); {
	case d < 0:
		age = "in the future"
	case d >= 48*time.Hour:
		age = fmt.Sprintf("%d days ago", int(d.Hours()/24))
	case d >= 2*time.Hour:
		age = fmt.Sprintf("%d hours ago", int(d.Hours()))
	case d >= 2*time.Minute:
		age = fmt.Sprintf("%d minutes ago", int(d.Minutes()))
	}
	return at.UTC().Format(time.RFC3339) + " (" + age + ")"
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
	policySources(w, x.result, time.Now())
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
			why += " (" + command.Printable(s.Origin) + ")"
		}
		fmt.Fprintf(t, "%s %s\t%s\t%s\n", mark, stepWords[s.Name], value, why)
	}
	t.Flush()
	if len(x.Others) > 0 {
		fmt.Fprintln(w, "\nWhat else a policy sets:")
		for _, r := range x.Others {
			how := "recommended"
			if r.Value.Enforced {
				how = "enforced"
			}
			fmt.Fprintf(w, "  %s = %s  [%s, %s]\n", r.Value.Name, command.Printable(r.Value.String()), how, command.Printable(r.Value.Origin.String()))
		}
	}
	fmt.Fprintln(w, "\nWhat would be decided, with you at the screen:")
	for _, c := range x.Cases {
		fmt.Fprintf(w, "  %s: %s.\n    %s\n", c.When, verdictWords[c.Decision.Verdict], assets.For("en").T("reason."+string(c.Decision.Reason), nil))
		switch d := c.Decision; {
		case d.Verdict != consent.Allow:
		case d.Basis == consent.BasisEnforcedPolicy && x.Effective != consent.AccessAllowed:
			fmt.Fprintln(w, "    This stands above everything listed above: your own setting does not count here.")
		case d.Basis == consent.BasisPolicy && c.Input.Direction == consent.Incoming:
			fmt.Fprintln(w, "    Where nobody has chosen, the company that manages the computer need not ask. To be asked: aval settings set session-insights after-confirmation")
		}
	}
}
