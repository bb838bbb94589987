package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"aval/summarizer/company"
)

func (a *app) userCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "user", Short: "The company's people", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(a.userCreate(), a.userList(), a.userChange(), a.userInvite(), a.userDisable(), a.userEnable())
	return cmd
}

// roleWords are the roles as a flag's help lists them.
func roleWords() string {
	var words []string
	for _, r := range company.Roles() {
		words = append(words, string(r))
	}
	return strings.Join(words, ", ")
}

func (a *app) userCreate() *cobra.Command {
	var n company.NewUser
	var role string
	cmd := a.companyStep("create NAME --data DIR", "Add a person, by the name that people at computers read",
		`Their role says what they may do: `+roleWords()+`.
They sign in once they were invited (user invite), or by the company's identity
provider.`, cobra.ExactArgs(1),
		func(ctx context.Context, co *company.Service, args []string) error {
			n.Name, n.Role = args[0], company.Role(role)
			u, err := co.CreateUser(ctx, n)
			if err != nil {
				return err
			}
			return a.print(u, func(w io.Writer) { fmt.Fprintf(w, "Created user %s (%s).\n", u.Name, u.ID) })
		})
	cmd.Flags().StringVar(&role, "role", string(company.Supporter), "what they may do: "+roleWords())
	cmd.Flags().StringVar(&n.Login, "login", "", "what they sign in with: an e-mail address or a name")
	cmd.Flags().StringVar(&n.Team, "group", "", "their group")
	cmd.Flags().BoolVar(&n.Unlogged, "no-log", false, "their sessions are not to be summarised")
	return cmd
}

func (a *app) userList() *cobra.Command {
	var f company.UserFilter
	cmd := a.companyStep("list --data DIR", "List the people by name", "", cobra.NoArgs,
		func(ctx context.Context, co *company.Service, _ []string) error {
			all, err := co.Users(ctx, f)
			if err != nil {
				return err
			}
			return a.print(all, func(w io.Writer) {
				if len(all) == 0 {
					fmt.Fprintln(w, "There is no user yet: aval-summarizer user create NAME")
					return
				}
				t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
				for _, u := range all {
					state := "summarised"
					switch {
					case !u.DisabledAt.IsZero():
						state = "disabled"
					case !u.LogSessions:
						state = "not summarised"
					}
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", u.ID, u.Name, u.Role, state)
				}
				t.Flush()
			})
		})
	cmd.Flags().StringVar(&f.Search, "search", "", "only those with this in their name or login")
	return cmd
}

func (a *app) userChange() *cobra.Command {
	var name, login, team, role, log string
	var cmd *cobra.Command
	cmd = a.companyStep("change ID --data DIR", "Change a person's name, login, role, group, or whether their sessions are summarised", "", cobra.ExactArgs(1),
		func(ctx context.Context, co *company.Service, args []string) error {
			var ch company.UserChange
			for flag, to := range map[string]**string{"name": &ch.Name, "login": &ch.Login, "group": &ch.Team} {
				if f := cmd.Flags().Lookup(flag); f.Changed {
					v := f.Value.String()
					*to = &v
				}
			}
			if role != "" {
				r := company.Role(role)
				ch.Role = &r
			}
			if log != "" {
				if !slices.Contains([]string{"on", "off"}, log) {
					return usageError{errors.New("--log is on or off")}
				}
				on := log == "on"
				ch.LogSessions = &on
			}
			if ch == (company.UserChange{}) {
				return usageError{errors.New("say what to change: --name, --login, --group, --role or --log")}
			}
			u, err := co.ChangeUser(ctx, args[0], ch)
			if err != nil {
				return err
			}
			return a.print(u, func(w io.Writer) { fmt.Fprintf(w, "Changed user %s (%s).\n", u.Name, u.ID) })
		})
	cmd.Flags().StringVar(&name, "name", "", "the name that people at computers read")
	cmd.Flags().StringVar(&login, "login", "", "what they sign in with")
	cmd.Flags().StringVar(&team, "group", "", "their group")
	cmd.Flags().StringVar(&role, "role", "", "what they may do: "+roleWords())
	cmd.Flags().StringVar(&log, "log", "", "on or off: their sessions are summarised")
	return cmd
}

func (a *app) userInvite() *cobra.Command {
	return a.companyStep("invite ID --data DIR", "Make a link with which a person sets a password and signs in, once",
		"An earlier link of theirs ends. They need a name to sign in with (--login).", cobra.ExactArgs(1),
		func(ctx context.Context, co *company.Service, args []string) error {
			link, until, err := co.Invite(ctx, args[0])
			if err != nil {
				return err
			}
			return a.print(map[string]any{"link": link, "expires_at": until.UTC()}, func(w io.Writer) {
				fmt.Fprintf(w, "%s\nIt works once, until %s. Whoever has it becomes this person.\n", link, until.Format("2006-01-02 15:04"))
			})
		})
}

func (a *app) userDisable() *cobra.Command {
	return a.companyStep("disable ID --data DIR", "End what a person may do, with their tokens and browsers", "", cobra.ExactArgs(1),
		func(ctx context.Context, co *company.Service, args []string) error {
			if err := co.DisableUser(ctx, args[0]); err != nil {
				return err
			}
			return a.print(map[string]string{"disabled": args[0]}, func(w io.Writer) { fmt.Fprintln(w, "Disabled.") })
		})
}

func (a *app) userEnable() *cobra.Command {
	return a.companyStep("enable ID --data DIR", "Take back that a person was disabled", "", cobra.ExactArgs(1),
		func(ctx context.Context, co *company.Service, args []string) error {
			if err := co.EnableUser(ctx, args[0]); err != nil {
				return err
			}
			return a.print(map[string]string{"enabled": args[0]}, func(w io.Writer) { fmt.Fprintln(w, "Enabled.") })
		})
}
