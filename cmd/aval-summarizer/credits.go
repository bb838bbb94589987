package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"text/tabwriter"
	"time"
	_ "time/tzdata" // the company's zone must be found on any system

	"github.com/spf13/cobra"

	v1 "aval/summarizer/api/v1"
	"aval/summarizer/company"
	"aval/summarizer/credit"
	"aval/summarizer/store"
)

func (a *app) creditsCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "credits", Short: "The company's AI credits: balance, orders, licence", Args: cobra.NoArgs,
		Long: `A session costs one credit when it is summarised, whatever is done with it then.
Each month brings what the licence's tier brings; ordered packs bring their full
amount for each term of the licence. What is left at a month's or a term's end is
gone. What tiers bring and packs cost is data: ` + credit.RulesFile + ` in the data
folder replaces the rules that are compiled in ('credits rules' prints them).`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(a.creditsShow(), a.creditsOrder(), a.creditsCancel(), a.creditsLicence(), a.creditsWarn(), a.creditsUses(), a.creditsRules())
	return cmd
}

func (a *app) creditsShow() *cobra.Command {
	cmd := a.companyStep("show --data DIR", "Show the balance, its lots, and the orders", "", cobra.NoArgs,
		func(ctx context.Context, co *company.Service, _ []string) error { return a.account(ctx, co) })
	a.orFar(cmd, func(ctx context.Context, client *v1.ClientWithResponses, _ []string) error {
		acc, err := farAccount(ctx, client)
		if err != nil {
			return err
		}
		return a.printAccount(acc)
	})
	return cmd
}

// orFar has a command work by the API where it is given a server elsewhere.
func (a *app) orFar(cmd *cobra.Command, do func(context.Context, *v1.ClientWithResponses, []string) error) {
	far, beside := a.remoteFlags(cmd), cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := far.client()
		if err != nil || client == nil {
			if err == nil {
				err = beside(cmd, args)
			}
			return err
		}
		return do(cmd.Context(), client, args)
	}
}

// farAccount is the company's account at a server elsewhere.
func farAccount(ctx context.Context, client *v1.ClientWithResponses) (acc credit.Account, err error) {
	res, err := client.GetCreditsWithResponse(ctx)
	if err != nil {
		return acc, reached(err)
	}
	if err := answered(res.StatusCode(), res.Body); err != nil {
		return acc, err
	}
	if err := json.Unmarshal(res.Body, &acc); err != nil {
		return acc, fmt.Errorf("read the server's answer: %w", err)
	}
	return acc, nil
}

// account prints the company's account.
func (a *app) account(ctx context.Context, co *company.Service) error {
	acc, err := co.Credits(ctx)
	if err != nil {
		return err
	}
	return a.printAccount(acc)
}

func (a *app) printAccount(acc credit.Account) error {
	return a.print(acc, func(w io.Writer) {
		zone, err := credit.LoadZone(acc.Zone)
		if err != nil {
			zone = time.UTC
		}
		when := func(at time.Time) string { return at.In(zone).Format("2006-01-02 15:04 -07:00") }
		fmt.Fprintf(w, "AI credits: %d\n", acc.Left)
		fmt.Fprintf(w, "Licence: %s, %d credits a month, the next on %s (%s)\n", acc.Tier, acc.Monthly, when(acc.Next), acc.Zone)
		switch {
		case acc.Starts != "":
			fmt.Fprintf(w, "Term: %s to %s\n", acc.Starts, acc.Renews)
		case acc.Licence != nil:
			fmt.Fprintf(w, "Term: none yet; the licence starts on %s\n", acc.Licence.Starts)
		}
		if acc.Low {
			fmt.Fprintf(w, "Few credits are left: the warning is at %d.\n", acc.Warn)
		}
		if acc.Waiting > 0 {
			fmt.Fprintf(w, "%d sessions wait for credits; they are kept.\n", acc.Waiting)
		}
		t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		if len(acc.Lots) > 0 {
			fmt.Fprintln(t, "\nLOT\tLEFT\tOF\tUNTIL")
		}
		for _, l := range acc.Lots {
			fmt.Fprintf(t, "%s\t%d\t%d\t%s\n", l.Period, l.Left, l.Granted, when(l.Expires))
		}
		if len(acc.Orders) > 0 {
			fmt.Fprintln(t, "\nORDER\tPACK\tCREDITS\tA TERM\tLAST CHARGE\t")
		}
		for _, o := range acc.Orders {
			last, state := "", ""
			if len(o.Charges) > 0 {
				c := o.Charges[0]
				last = fmt.Sprintf("%s (%d of %d days)", credit.Money(c.Amount, o.Currency), c.Days, c.OfDays)
			}
			if !o.CancelledAt.IsZero() {
				state = "cancelled"
			}
			fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\t%s\n", o.ID, o.Pack, o.Credits, credit.Money(o.Price, o.Currency), last, state)
		}
		_ = t.Flush() // the writer is a terminal, file or pipe: the next print fails as well
	})
}

func (a *app) creditsOrder() *cobra.Command {
	var pack, token string
	cmd := a.companyStep("order --pack NAME (--data DIR | --server URL --token-file F)", "Add credits: order a pack",
		`The pack's full amount is there at once and until the licence's renewal, for its
price × days left ÷ days of the term; at each renewal the full amount comes again
for the full price, until the order is cancelled. Without --pack it shows what
can be ordered and what it costs today. With --token the same token orders once.`,
		cobra.NoArgs, func(ctx context.Context, co *company.Service, _ []string) error {
			if pack == "" {
				return a.offers(ctx, co)
			}
			if token == "" {
				token = store.NewID(time.Now())
			}
			if _, err := co.OrderCredits(ctx, pack, token); err != nil {
				return explainCredit(err)
			}
			return a.account(ctx, co)
		})
	a.orFar(cmd, func(ctx context.Context, client *v1.ClientWithResponses, _ []string) error {
		if pack == "" {
			acc, err := farAccount(ctx, client)
			if err != nil {
				return err
			}
			return a.printOffers(acc.Offers)
		}
		if token == "" {
			token = store.NewID(time.Now())
		}
		res, err := client.OrderCreditsWithResponse(ctx, &v1.OrderCreditsParams{IdempotencyKey: &token}, v1.NewCreditOrder{Pack: pack})
		if err != nil {
			return fmt.Errorf("%w; the same --token %s orders once", reached(err), token)
		}
		if err := answered(res.StatusCode(), res.Body); err != nil {
			return err
		}
		acc, err := farAccount(ctx, client)
		if err != nil {
			return err
		}
		return a.printAccount(acc)
	})
	cmd.Flags().StringVar(&pack, "pack", "", "name of the pack")
	cmd.Flags().StringVar(&token, "token", "", "word of your own for this order (default: a new one)")
	return cmd
}

// explainCredit adds what to do to the errors that a person can mend.
func explainCredit(err error) error {
	switch {
	case errors.Is(err, credit.ErrTerm):
		return fmt.Errorf("%w; say when: aval-summarizer credits licence --tier TIER --starts DATE", err)
	case errors.Is(err, credit.ErrPack):
		return fmt.Errorf("%w; aval-summarizer credits order shows the packs", err)
	case errors.Is(err, credit.ErrTier):
		return fmt.Errorf("%w: one of %v", err, credit.Tiers())
	}
	return err
}

func (a *app) offers(ctx context.Context, co *company.Service) error {
	acc, err := co.Credits(ctx)
	if err != nil {
		return err
	}
	return a.printOffers(acc.Offers)
}

func (a *app) printOffers(all []credit.Offer) error {
	return a.print(all, func(w io.Writer) {
		t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		fmt.Fprintln(t, "PACK\tCREDITS\tA TERM\tTODAY")
		for _, o := range all {
			today := "needs a licence with a term"
			if o.OfDays > 0 {
				today = fmt.Sprintf("%s (%d of %d days)", credit.Money(o.Now, o.Currency), o.Days, o.OfDays)
			}
			fmt.Fprintf(t, "%s\t%d\t%s\t%s\n", o.Name, o.Credits, credit.Money(o.Price, o.Currency), today)
		}
		_ = t.Flush()
	})
}

func (a *app) creditsCancel() *cobra.Command {
	cmd := a.companyStep("cancel ORDER (--data DIR | --server URL --token-file F)", "Cancel an order: its credits stay until the renewal, and none follow", "", cobra.ExactArgs(1),
		func(ctx context.Context, co *company.Service, args []string) error {
			if err := co.CancelOrder(ctx, args[0]); err != nil {
				return err
			}
			return a.account(ctx, co)
		})
	a.orFar(cmd, func(ctx context.Context, client *v1.ClientWithResponses, args []string) error {
		res, err := client.CancelOrderWithResponse(ctx, args[0])
		if err != nil {
			return reached(err)
		}
		if res.StatusCode() == http.StatusNotFound {
			return company.ErrNoOrder
		}
		if err := answered(res.StatusCode(), res.Body); err != nil {
			return err
		}
		acc, err := farAccount(ctx, client)
		if err != nil {
			return err
		}
		return a.printAccount(acc)
	})
	return cmd
}

func (a *app) creditsLicence() *cobra.Command {
	var tier, starts, renews, zone string
	together := func() error {
		if (starts == "") != (tier == "") || renews != "" && starts == "" {
			return usageError{errors.New("--tier and --starts go together, and --renews with them")}
		}
		return nil
	}
	cmd := a.companyStep("licence [--tier TIER --starts DATE] (--data DIR | --server URL --token-file F)", "Show or set the licence's tier and days, and the company's time zone",
		`A month begins at midnight in the company's zone (--zone, such as
America/Sao_Paulo), and the days of the licence are days there. A higher tier
counts from the next month on.`,
		cobra.NoArgs, func(ctx context.Context, co *company.Service, _ []string) error {
			if err := together(); err != nil {
				return err
			}
			var err error
			switch {
			case starts != "":
				err = co.SetLicence(ctx, tier, starts, renews, maybe(zone))
			case zone != "":
				err = co.SetZone(ctx, zone)
			}
			if err != nil {
				return explainCredit(err)
			}
			return a.account(ctx, co)
		})
	a.orFar(cmd, func(ctx context.Context, client *v1.ClientWithResponses, _ []string) error {
		if err := together(); err != nil {
			return err
		}
		if zone != "" && starts == "" {
			return usageError{errors.New("from another computer --zone goes with --tier and --starts")}
		}
		if starts != "" {
			res, err := client.SetLicenseWithResponse(ctx, v1.NewLicense{Type: tier, Starts: starts, Renews: renews, Zone: zone})
			if err != nil {
				return reached(err)
			}
			if err := answered(res.StatusCode(), res.Body); err != nil {
				return err
			}
		}
		acc, err := farAccount(ctx, client)
		if err != nil {
			return err
		}
		return a.printAccount(acc)
	})
	cmd.Flags().StringVar(&tier, "tier", "", "tier of the licence")
	cmd.Flags().StringVar(&starts, "starts", "", "first day, YYYY-MM-DD")
	cmd.Flags().StringVar(&renews, "renews", "", "first renewal, YYYY-MM-DD (default: a year after the start)")
	cmd.Flags().StringVar(&zone, "zone", "", "the company's time zone")
	return cmd
}

func (a *app) creditsWarn() *cobra.Command {
	return a.companyStep("warn N --data DIR", "Warn when N credits are left, or fewer", "", cobra.ExactArgs(1),
		func(ctx context.Context, co *company.Service, args []string) error {
			n, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil {
				return usageError{fmt.Errorf("%q is no number", args[0])}
			}
			if err := co.SetCreditWarning(ctx, n); err != nil {
				return err
			}
			return a.account(ctx, co)
		})
}

func (a *app) creditsUses() *cobra.Command {
	var max int
	cmd := a.companyStep("uses --data DIR", "List what sessions used, newest first", "", cobra.NoArgs,
		func(ctx context.Context, co *company.Service, _ []string) error {
			uses, err := co.CreditUses(ctx, nil, max)
			if err != nil {
				return err
			}
			return a.print(uses, func(w io.Writer) {
				for _, u := range uses {
					fmt.Fprintf(w, "%s  %d  %s\n", u.At.Format(time.RFC3339), u.Credits, u.Session)
				}
			})
		})
	cmd.Flags().IntVar(&max, "max", 100, "at most so many")
	return cmd
}

func (a *app) creditsRules() *cobra.Command {
	cmd := &cobra.Command{Use: "rules [--data DIR]", Short: "Print the rules in force: what tiers bring and packs cost", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if a.data != "" {
				if err := credit.LoadRules(a.data); err != nil {
					return err
				}
			}
			_, err := a.out.Write(credit.RulesJSON())
			return err
		}}
	a.dataFlag(cmd)
	return cmd
}
