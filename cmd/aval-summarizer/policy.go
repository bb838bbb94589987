package main

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"aval/agent/policy"
	"aval/agent/record"
	"aval/agent/strict"
	"aval/cmd/internal/command"
	"aval/summarizer/company"
)

func (a *app) policyCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "policy", Short: "Policies of the company, and which devices have them", Args: cobra.NoArgs,
		Long: `A policy is a list of values for the devices that it is assigned to. Change it,
publish it, assign it:

  aval-summarizer policy create Offices --data DIR
  aval-summarizer policy set Offices AccessControl=after-confirmation --enforce --data DIR
  aval-summarizer policy publish Offices --data DIR
  aval-summarizer policy assign Offices --all --data DIR

Connected devices have it within seconds. Where the company keeps a release key
of its own, values that can allow a recording without a question need its
signature: policy draft, policy sign, policy publish --signed.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(a.policyCreate(), a.policyRename(), a.policyDelete(), a.policyList(), a.policyShow(), a.policySet(), a.policyAssign(), a.policyUnassign(),
		a.policyDraft(), a.policySign(), a.policyPublish(), a.policyVersions(), a.policyKeygen(), a.policyReleaseKey())
	return cmd
}

// companyStep is a command on the company's options and policies.
func (a *app) companyStep(use, short, long string, args cobra.PositionalArgs, do func(context.Context, *company.Service, []string) error) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Long: long, Args: args,
		RunE: func(cmd *cobra.Command, args []string) error {
			db, err := a.beside(cmd.Context())
			if err != nil {
				return err
			}
			defer db.Close()
			co, err := a.company(cmd.Context(), db)
			if err != nil {
				return err
			}
			return do(cmd.Context(), co, args)
		}}
	a.dataFlag(cmd)
	a.companyFlag(cmd)
	return cmd
}

func (a *app) policyCreate() *cobra.Command {
	return a.companyStep("create NAME --data DIR", "Make an empty policy", "", cobra.ExactArgs(1),
		func(ctx context.Context, co *company.Service, args []string) error {
			p, err := co.CreatePolicy(ctx, args[0])
			if err != nil {
				return err
			}
			return a.print(p, func(w io.Writer) { fmt.Fprintf(w, "Created policy %q.\n", p.Name) })
		})
}

func (a *app) policyRename() *cobra.Command {
	return a.companyStep("rename NAME NEW-NAME --data DIR", "Name a policy anew", "", cobra.ExactArgs(2),
		func(ctx context.Context, co *company.Service, args []string) error {
			if err := co.RenamePolicy(ctx, args[0], args[1]); err != nil {
				return err
			}
			return a.print(map[string]any{"policy": args[1]}, func(w io.Writer) {
				fmt.Fprintf(w, "Renamed %q to %q. Connected devices hear of it within seconds.\n", args[0], args[1])
			})
		})
}

func (a *app) policyDelete() *cobra.Command {
	var unassign bool
	cmd := a.companyStep("delete NAME [--unassign] --data DIR", "Delete a policy",
		`Deletes a policy. Where it is assigned it is refused, and says where; with
--unassign it is taken away there first. Its versions are kept, because records
name them, and company undo brings it back.`, cobra.ExactArgs(1),
		func(ctx context.Context, co *company.Service, args []string) error {
			if err := co.DeletePolicy(ctx, args[0], unassign); err != nil {
				return err
			}
			return a.print(map[string]any{"deleted": args[0]}, func(w io.Writer) {
				fmt.Fprintf(w, "Deleted %q. aval-summarizer company undo brings it back.\n", args[0])
			})
		})
	cmd.Flags().BoolVar(&unassign, "unassign", false, "take its assignments away with it")
	return cmd
}

func (a *app) policyList() *cobra.Command {
	return a.companyStep("list --data DIR", "List the policies", "", cobra.NoArgs,
		func(ctx context.Context, co *company.Service, _ []string) error {
			all, err := co.Policies(ctx)
			if err != nil {
				return err
			}
			return a.print(all, func(w io.Writer) {
				if len(all) == 0 {
					fmt.Fprintln(w, "There is no policy yet: aval-summarizer policy create NAME")
				}
				for _, p := range all {
					fmt.Fprintln(w, policyLine(p))
				}
			})
		})
}

func policyLine(p company.Policy) string {
	s := p.Name + ": "
	switch {
	case p.Version == 0:
		s += "never published"
	case p.Changed:
		s += fmt.Sprintf("version %d of %s, changed since and not published", p.Version, p.PublishedAt.Format(time.RFC3339))
	default:
		s += fmt.Sprintf("version %d of %s", p.Version, p.PublishedAt.Format(time.RFC3339))
	}
	if !p.ReleasedUntil.IsZero() {
		s += ", released until " + p.ReleasedUntil.Format(time.RFC3339)
	}
	var to []string
	if p.All {
		to = append(to, "all devices without one of their own")
	}
	if len(p.Groups) > 0 {
		to = append(to, "the groups "+strings.Join(p.Groups, ", "))
	}
	if n := len(p.Devices); n > 0 {
		to = append(to, fmt.Sprintf("%d devices by name", n))
	}
	if len(to) == 0 {
		to = []string{"no device"}
	}
	return s + "; assigned to " + strings.Join(to, " and to ") + fmt.Sprintf("; %d have it", p.Reach)
}

func (a *app) policyShow() *cobra.Command {
	return a.companyStep("show NAME --data DIR", "Show a policy's draft and where it is assigned", "", cobra.ExactArgs(1),
		func(ctx context.Context, co *company.Service, args []string) error {
			p, err := co.Policy(ctx, args[0])
			if err != nil {
				return err
			}
			return a.print(p, func(w io.Writer) {
				fmt.Fprintln(w, policyLine(p))
				writeSettings(w, p.Settings)
				for _, d := range p.Devices {
					fmt.Fprintln(w, "  device", d)
				}
			})
		})
}

func writeSettings(w io.Writer, settings []policy.Setting) {
	for _, s := range settings {
		how := "recommended"
		if s.Enforce {
			how = "enforced"
		}
		note := ""
		if values, problems := policy.ParseSettings("", []policy.Setting{s}); len(problems) == 0 && len(policy.Loosens(values)) > 0 {
			note = ", can allow without a question"
		}
		fmt.Fprintf(w, "  %s = %s  [%s%s]\n", s.Key, s.Value, how, note)
	}
}

func (a *app) policySet() *cobra.Command {
	var enforce bool
	var unset []string
	cmd := a.companyStep("set NAME KEY=VALUE… [--enforce] [--unset KEY]… --data DIR", "Change values of a policy's draft",
		`Changes values of a policy; docs/policy.md has the keys. A list is written with
commas: SSHAccounts=support,admin. With --enforce people cannot change these
values; without it they are defaults. All is done or, with everything that is
wrong listed, nothing. Devices see it after policy publish.`, cobra.MinimumNArgs(1),
		func(ctx context.Context, co *company.Service, args []string) error {
			var set []policy.Setting
			for _, arg := range args[1:] {
				key, text, ok := strings.Cut(arg, "=")
				if !ok {
					return usageError{fmt.Errorf("%q is not KEY=VALUE", arg)}
				}
				set = append(set, policy.Setting{Key: policy.Name(key), Value: settingValue(policy.Name(key), text), Enforce: enforce})
			}
			var drop []policy.Name
			for _, k := range unset {
				drop = append(drop, policy.Name(k))
			}
			if len(set)+len(drop) == 0 {
				return usageError{errors.New("name at least one KEY=VALUE, or --unset KEY")}
			}
			if err := co.SetPolicy(ctx, args[0], set, drop); err != nil {
				return err
			}
			p, err := co.Policy(ctx, args[0])
			if err != nil {
				return err
			}
			return a.print(p, func(w io.Writer) {
				writeSettings(w, p.Settings)
				fmt.Fprintln(w, "Devices see it after: aval-summarizer policy publish", quoteArg(p.Name))
			})
		})
	cmd.Flags().BoolVar(&enforce, "enforce", false, "people cannot change these values")
	cmd.Flags().StringArrayVar(&unset, "unset", nil, "take this key out of the policy")
	return cmd
}

// settingValue writes text as the JSON that a key's type needs; what does not
// fit is found by the check that follows.
func settingValue(key policy.Name, text string) json.RawMessage {
	d, _ := policy.Define(key)
	switch d.Type {
	case policy.Number:
		if json.Valid([]byte(text)) {
			return json.RawMessage(text)
		}
	case policy.List:
		list := []string{}
		for e := range strings.SplitSeq(text, ",") {
			if e != "" {
				list = append(list, strings.TrimSpace(e))
			}
		}
		raw, _ := json.Marshal(list) // texts always encode
		return raw
	}
	raw, _ := json.Marshal(text)
	return raw
}

// targetFlags adds the flags that say what a policy is assigned to.
func targetFlags(cmd *cobra.Command) func() (company.Target, error) {
	device := cmd.Flags().String("device", "", "one device, by its id or name")
	group := cmd.Flags().String("group", "", "the devices of a group, by its name or id, that have none of their own")
	all := cmd.Flags().Bool("all", false, "all devices that have none of their own, nor by their group")
	return func() (company.Target, error) {
		switch {
		case *all && *device == "" && *group == "":
			return company.ToAll, nil
		case !*all && *device != "" && *group == "":
			return company.ToDevice(*device), nil
		case !*all && *device == "" && *group != "":
			return company.ToGroup(*group), nil
		}
		return "", usageError{errors.New("name a device with --device ID, a group with --group NAME, or --all")}
	}
}

func (a *app) policyAssign() *cobra.Command {
	var target func() (company.Target, error)
	cmd := a.companyStep("assign NAME (--device ID | --group NAME | --all) --data DIR", "Assign a published policy to a device, a group or all",
		`A device's own policy counts before the one of its group, and that one before the
one of all devices.`, cobra.ExactArgs(1),
		func(ctx context.Context, co *company.Service, args []string) error {
			to, err := target()
			if err != nil {
				return err
			}
			if err := co.AssignPolicy(ctx, args[0], to); err != nil {
				return err
			}
			return a.print(map[string]any{"policy": args[0], "to": to}, func(w io.Writer) {
				fmt.Fprintf(w, "Assigned %q. Connected devices have it within seconds.\n", args[0])
			})
		})
	target = targetFlags(cmd)
	return cmd
}

func (a *app) policyUnassign() *cobra.Command {
	var target func() (company.Target, error)
	cmd := a.companyStep("unassign (--device ID | --group NAME | --all) --data DIR", "Take a policy away from a device, a group or all", "", cobra.NoArgs,
		func(ctx context.Context, co *company.Service, _ []string) error {
			to, err := target()
			if err != nil {
				return err
			}
			if err := co.AssignPolicy(ctx, "", to); err != nil {
				return err
			}
			return a.print(map[string]any{"to": to}, func(w io.Writer) { fmt.Fprintln(w, "Done. Connected devices hear of it within seconds.") })
		})
	target = targetFlags(cmd)
	return cmd
}

func (a *app) policyVersions() *cobra.Command {
	return a.companyStep("versions NAME --data DIR", "List a policy's published versions and what each changed", "", cobra.ExactArgs(1),
		func(ctx context.Context, co *company.Service, args []string) error {
			all, err := co.PolicyVersions(ctx, args[0], 100)
			if err != nil {
				return err
			}
			return a.print(all, func(w io.Writer) {
				if len(all) == 0 {
					fmt.Fprintln(w, "It was never published.")
				}
				for i, v := range all {
					fmt.Fprintf(w, "version %d, %s\n", v.Version, v.PublishedAt.Format(time.RFC3339))
					var before []policy.Setting
					if i+1 < len(all) {
						before = all[i+1].Settings
					}
					writeDifferences(w, company.Compare(before, v.Settings))
				}
			})
		})
}

func writeDifferences(w io.Writer, all []company.Difference) {
	for _, d := range all {
		switch {
		case d.New == nil:
			fmt.Fprintf(w, "  - %s\n", d.Key)
		default:
			sign := "+"
			if d.Old != nil {
				sign = "~"
			}
			how := ""
			if d.New.Enforce {
				how = " (enforced)"
			}
			fmt.Fprintf(w, "  %s %s = %s%s\n", sign, d.Key, d.New.Value, how)
		}
	}
}

func (a *app) policyPublish() *cobra.Command {
	var signed string
	cmd := a.companyStep("publish NAME [--signed FILE] --data DIR", "Make a policy's draft its next version and give it to the devices", "", cobra.ExactArgs(1),
		func(ctx context.Context, co *company.Service, args []string) error {
			var release []byte
			if signed != "" {
				var err error
				if release, err = command.ReadFile(signed, os.Stdin, record.MaxEnvelope); err != nil {
					return err
				}
			}
			v, err := co.PublishPolicy(ctx, args[0], release)
			if err != nil {
				return err
			}
			return a.print(map[string]any{"policy": args[0], "version": v}, func(w io.Writer) {
				fmt.Fprintf(w, "Published %q version %d. Connected devices that have it assigned get it within seconds.\n", args[0], v)
			})
		})
	cmd.Flags().StringVar(&signed, "signed", "", "the file that policy sign wrote")
	return cmd
}

func (a *app) policyDraft() *cobra.Command {
	return a.companyStep("draft NAME --data DIR", "Write what the release key has to sign, for policy sign", "", cobra.ExactArgs(1),
		func(ctx context.Context, co *company.Service, args []string) error {
			r, err := co.Draft(ctx, args[0])
			if err != nil {
				return err
			}
			return json.NewEncoder(a.out).Encode(r)
		})
}

func (a *app) policySign() *cobra.Command {
	var keyFile string
	var days int
	cmd := &cobra.Command{
		Use: "sign --key F [--days N] DRAFT", Short: "Sign a policy's draft with the company's release key; needs no server",
		Long: `Signs what policy draft wrote, with a key that policy keygen made, and writes the
signed file to standard output. Everything that is vouched for is listed on
standard error: read it. It needs no network and no server, so the key can stay
on a computer of its own.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if keyFile == "" {
				return usageError{errors.New("name the release key's file: --key F")}
			}
			if days < 1 || days > 400 {
				return usageError{errors.New("--days is from 1 to 400")}
			}
			key, err := company.ReadReleaseKey(keyFile)
			if err != nil {
				return err
			}
			raw, err := command.ReadFile(args[0], os.Stdin, record.MaxEnvelope)
			if err != nil {
				return err
			}
			var draft record.Release
			if err := strict.Decode(raw, &draft); err != nil {
				return fmt.Errorf("read draft %s: %w", args[0], err)
			}
			env, err := company.SignRelease(key, draft, time.Now(), time.Duration(days)*24*time.Hour)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.errOut, "Signed policy %q version %d of company %s for %d days:\n", draft.Name, draft.Version, draft.Company, days)
			writeSettings(a.errOut, draft.Settings)
			fmt.Fprintf(a.errOut, "  incoming recording: %s, enforced: %v\n", draft.Incoming, draft.IncomingEnforced)
			_, err = fmt.Fprintf(a.out, "%s\n", env)
			return err
		},
	}
	cmd.Flags().StringVar(&keyFile, "key", "", "the release key's file")
	cmd.Flags().IntVar(&days, "days", int(company.ReleaseLife/(24*time.Hour)), "how many days the signature counts")
	return cmd
}

func (a *app) policyKeygen() *cobra.Command {
	var keyFile string
	cmd := &cobra.Command{
		Use: "keygen --key F", Short: "Make a release key in a new file; needs no server", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if keyFile == "" {
				return usageError{errors.New("name the new file: --key F")}
			}
			pub, err := company.MakeReleaseKey(keyFile)
			if err != nil {
				return err
			}
			text := base64.StdEncoding.EncodeToString(pub)
			return a.print(map[string]string{"public": text, "key_id": record.KeyID(pub)}, func(w io.Writer) {
				fmt.Fprintf(w, "Wrote %s: keep it away from the server. Then, on the server:\n  aval-summarizer policy release-key %s --data DIR\n", keyFile, text)
			})
		},
	}
	cmd.Flags().StringVar(&keyFile, "key", "", "the new file")
	return cmd
}

func (a *app) policyReleaseKey() *cobra.Command {
	return a.companyStep("release-key (PUBLIC | server) --data DIR", "Say which key vouches for values that can allow without a question",
		`With the public key that policy keygen printed, devices that are enrolled from now
on take such values only with its signature. With the word server, which is how a
server begins, the server's own key is enough, and every receipt says so. Devices
that are enrolled already keep the key that they have: enrol them again.`, cobra.ExactArgs(1),
		func(ctx context.Context, co *company.Service, args []string) error {
			var key ed25519.PublicKey
			if args[0] != "server" {
				raw, err := base64.StdEncoding.DecodeString(args[0])
				if err != nil || len(raw) != ed25519.PublicKeySize {
					return usageError{fmt.Errorf("%q is no public key: policy keygen prints one", args[0])}
				}
				key = raw
			}
			if err := co.SetReleaseKey(ctx, key); err != nil {
				return err
			}
			return a.print(map[string]string{"release_key": args[0]}, func(w io.Writer) {
				fmt.Fprintln(w, "Done. Devices that are enrolled from now on pin it.")
			})
		})
}
