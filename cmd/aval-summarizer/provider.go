package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"aval/summarizer/company"
)

func (a *app) providerCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "provider", Short: "The identity provider by which the company's people sign in", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(a.providerSet(), a.providerShow(), a.providerDrop())
	return cmd
}

func (a *app) providerSet() *cobra.Command {
	var p company.Provider
	var secretFile, otherwise string
	var roles []string
	cmd := a.companyStep("set --issuer URL --client-id ID --data DIR", "Let the company's people sign in by an OpenID Connect issuer",
		`Keycloak, Microsoft Entra, Google and others. The issuer must know
https://HOST:PORT`+company.BackPath+` as the address to come back to.

  aval-summarizer provider set --issuer https://login.example.com/realms/staff \
    --client-id aval --client-secret-file F --role support=supporter \
    --role support-leads=administrator --data DIR

A person's role follows from their groups with each sign-in. Without --role and
--otherwise only people get in who were added before (user create).`, cobra.NoArgs,
		func(ctx context.Context, co *company.Service, _ []string) error {
			p.Otherwise, p.Roles = company.Role(otherwise), map[string]company.Role{}
			for _, r := range roles {
				// A group may hold an equals sign, a role does not.
				i := strings.LastIndex(r, "=")
				if i < 1 {
					return usageError{fmt.Errorf("--role %s is not GROUP=ROLE", r)}
				}
				p.Roles[r[:i]] = company.Role(r[i+1:])
			}
			secret := ""
			if secretFile != "" {
				raw, err := os.ReadFile(secretFile)
				if err != nil {
					return fmt.Errorf("read client secret: %w", err)
				}
				if secret = strings.TrimSpace(string(raw)); secret == "" {
					return fmt.Errorf("read client secret: %s is empty", secretFile)
				}
			}
			if err := co.SetProvider(ctx, p, secret); err != nil {
				return err
			}
			return a.showProvider(ctx, co)
		})
	cmd.Flags().StringVar(&p.Issuer, "issuer", "", "the issuer's address, exactly as it names itself")
	cmd.Flags().StringVar(&p.ClientID, "client-id", "", "what the issuer calls this server")
	cmd.Flags().StringVar(&secretFile, "client-secret-file", "", "file with the client's secret (default: none, PKCE alone)")
	cmd.Flags().StringVar(&p.Name, "name", "", "what stands on the button (default: the issuer's host)")
	cmd.Flags().StringVar(&p.Groups, "groups", "", "claim that lists a person's groups, with dots into objects (default groups)")
	cmd.Flags().StringArrayVar(&roles, "role", nil, "GROUP=ROLE: the role of a group's members; may be given several times")
	cmd.Flags().StringVar(&otherwise, "otherwise", "", "role of people who are in none of these groups (default: they do not get in)")
	cmd.Flags().StringVar(&p.Domain, "domain", "", "the domain whose people are meant, in the claim hd (Google)")
	_ = cmd.MarkFlagRequired("issuer")
	_ = cmd.MarkFlagRequired("client-id")
	return cmd
}

func (a *app) showProvider(ctx context.Context, co *company.Service) error {
	p, err := co.Provider(ctx)
	if err != nil {
		return err
	}
	return a.print(p, func(w io.Writer) {
		fmt.Fprintf(w, "%s: %s as %s\nIt sends browsers back to %s\n", p.Name, p.Issuer, p.ClientID, co.Server()+company.BackPath)
		var groups []string
		for g := range p.Roles {
			groups = append(groups, g)
		}
		slices.Sort(groups)
		for _, g := range groups {
			fmt.Fprintf(w, "%s %s = %s\n", p.Groups, g, p.Roles[g])
		}
		if p.Otherwise != "" {
			fmt.Fprintf(w, "everybody else = %s\n", p.Otherwise)
		}
		if p.Domain != "" {
			fmt.Fprintf(w, "only people of %s\n", p.Domain)
		}
	})
}

func (a *app) providerShow() *cobra.Command {
	return a.companyStep("show --data DIR", "Show the identity provider; never its secret", "", cobra.NoArgs,
		func(ctx context.Context, co *company.Service, _ []string) error { return a.showProvider(ctx, co) })
}

func (a *app) providerDrop() *cobra.Command {
	return a.companyStep("drop --data DIR", "Take the identity provider away", "Somebody must be able to sign in otherwise, or only an administrator link does.", cobra.NoArgs,
		func(ctx context.Context, co *company.Service, _ []string) error {
			if err := co.DropProvider(ctx); err != nil {
				return err
			}
			return a.print(map[string]bool{"dropped": true}, func(w io.Writer) { fmt.Fprintln(w, "Taken away.") })
		})
}
