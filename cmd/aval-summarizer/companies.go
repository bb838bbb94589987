package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"aval/assets"
	"aval/summarizer/company"
	"aval/summarizer/store"
)

// oneCompany is what company create and list print with --json.
type oneCompany struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Tier      string    `json:"tier"`
	Lang      string    `json:"lang"`
	CreatedAt time.Time `json:"created_at"`
	// Link signs one browser in to the console, once.
	Link string `json:"link,omitempty"`
}

func asCompany(c store.Company) oneCompany {
	return oneCompany{ID: c.ID, Name: c.Name, Tier: c.Tier, Lang: c.Lang, CreatedAt: c.CreatedAt}
}

func (a *app) companyCreate() *cobra.Command {
	var lang, tier string
	cmd := &cobra.Command{Use: "create NAME --data DIR", Short: "Add a company to this server, with a signing key of its own", Args: cobra.ExactArgs(1),
		Long: `Adds a company and prints a link that signs its first administrator in to the
console, once. Companies on one server share its address and certificate, and
see nothing of each other. From then on commands need --company ID.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if lang != "" {
				var err error
				if lang, err = knownLang(lang); err != nil {
					return err
				}
			}
			db, err := a.beside(cmd.Context())
			if err != nil {
				return err
			}
			defer db.Close()
			h, err := company.Load(cmd.Context(), db, company.Options{Log: a.log})
			if err != nil {
				return err
			}
			co, err := h.Create(cmd.Context(), args[0], lang, tier, company.Command)
			if err != nil {
				return err
			}
			c, err := co.Company(cmd.Context())
			if err != nil {
				return err
			}
			out := asCompany(c)
			if out.Link, err = co.As(company.Command).NewAdminLink(cmd.Context()); err != nil {
				return err
			}
			return a.print(out, func(w io.Writer) {
				fmt.Fprintf(w, "Created company %s (%s).\nIts first administrator opens this link in a browser (it works once, for a day):\n  %s\n", out.Name, out.ID, out.Link)
			})
		}}
	a.dataFlag(cmd)
	cmd.Flags().StringVar(&lang, "lang", "", "language of its summaries: "+strings.Join(assets.LangsOf("summary"), " or ")+" (default en)")
	cmd.Flags().StringVar(&tier, "tier", "", "whose credit rule counts (default self-hosted)")
	return cmd
}

func (a *app) companyList() *cobra.Command {
	cmd := &cobra.Command{Use: "list --data DIR", Short: "List the companies of this server", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			db, err := a.beside(cmd.Context())
			if err != nil {
				return err
			}
			defer db.Close()
			h, err := company.Load(cmd.Context(), db, company.Options{Log: a.log})
			if err != nil {
				return err
			}
			all, err := h.All(cmd.Context())
			if err != nil {
				return err
			}
			var list []oneCompany
			for _, co := range all {
				c, err := co.Company(cmd.Context())
				if err != nil {
					return err
				}
				list = append(list, asCompany(c))
			}
			return a.print(list, func(w io.Writer) {
				t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
				for _, c := range list {
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", c.ID, c.Name, c.Tier, c.CreatedAt.Format(time.DateOnly))
				}
				t.Flush()
			})
		}}
	a.dataFlag(cmd)
	return cmd
}
