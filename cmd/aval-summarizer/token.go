package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"aval/summarizer/company"
)

func (a *app) tokenCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "token", Short: "Tokens and links that open the server to computers, programs and people", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(a.tokenCreate(), a.tokenList(), a.tokenRevoke())
	return cmd
}

// created is what token create prints with --json.
type created struct {
	File  string `json:"file,omitempty"`
	Link  string `json:"link,omitempty"`
	Token string `json:"token,omitempty"`
	// Enrol is the enrolment token that File holds.
	Enrol *company.EnrolToken `json:"enrolment,omitempty"`
	*company.APIToken
}

type tokenFlags struct {
	admin                                  bool
	out, user, scope, name, expires, group string
	uses                                   int64
}

func (a *app) tokenCreate() *cobra.Command {
	var f tokenFlags
	cmd := a.companyStep("create --data DIR [--out FILE] [--uses N] [--group GROUP] [--expires WHEN] [--admin | --scope SCOPE… [--user ID]]",
		"Make an enrolment token, a link to sign in, or an API token",
		`Makes a token that enrols one computer, once, and prints it as a token file for
'aval enroll --token-file FILE'; with --out it is written to a file that only you
can read. With --uses it enrols so many computers, each with a key of its own, and
with --group they come into that group: one file for all of them.

With --admin it makes a link that signs one browser in to the console, once.

With --scope it makes an API token, with which programs speak to the server; it
is shown once. With --user too the token is that person's, and does what their
role allows: codes:write lets their programs make session codes and announce
sessions. Works while the server runs.

Scopes: `+scopeHelp(), cobra.NoArgs,
		func(ctx context.Context, co *company.Service, _ []string) error {
			switch {
			case f.admin:
				link, err := co.NewAdminLink(ctx)
				if err != nil {
					return err
				}
				return a.print(created{Link: link}, func(w io.Writer) { fmt.Fprintln(w, link) })
			case f.scope != "" || f.user != "":
				return a.apiToken(ctx, co, f)
			}
			return a.enrolToken(ctx, co, f)
		})
	cmd.Flags().BoolVar(&f.admin, "admin", false, "make a link that signs one browser in to the console")
	cmd.Flags().StringVar(&f.out, "out", "", "write the token to this new file")
	cmd.Flags().Int64Var(&f.uses, "uses", 1, "how many computers the enrolment token enrols")
	cmd.Flags().StringVar(&f.group, "group", "", "the group that its computers come into: its name or id")
	cmd.Flags().StringVar(&f.scope, "scope", "", "make an API token with these scopes, with commas between them (with --user: codes:write)")
	cmd.Flags().StringVar(&f.user, "user", "", "make an API token of this person, by id")
	cmd.Flags().StringVar(&f.name, "name", "", "what the token is for")
	cmd.Flags().StringVar(&f.expires, "expires", "", "when it ends: hours (12h), days (90d) or a day (2027-01-31); "+
		"default: 24h for one computer, 30d for more, 90d for an API token")
	cmd.MarkFlagsMutuallyExclusive("admin", "out", "user")
	cmd.MarkFlagsMutuallyExclusive("admin", "out", "scope")
	for _, other := range []string{"admin", "scope", "user"} {
		cmd.MarkFlagsMutuallyExclusive("uses", other)
		cmd.MarkFlagsMutuallyExclusive("group", other)
	}
	return cmd
}

func scopeHelp() string {
	var words []string
	for _, p := range company.Scopes() {
		words = append(words, string(p))
	}
	return strings.Join(words, " ")
}

func (a *app) apiToken(ctx context.Context, co *company.Service, f tokenFlags) error {
	n := company.NewAPIToken{Name: f.name, User: f.user}
	if f.scope == "" {
		f.scope = string(company.CodesWrite)
	}
	var err error
	if n.Scopes, err = company.ParseScopes(f.scope); err != nil {
		return usageError{err}
	}
	if n.Life, err = lifeUntil(f.expires, time.Now(), company.APITokenLongest); err != nil {
		return usageError{err}
	}
	if n.Name == "" {
		n.Name = "made at the command line"
	}
	secret, token, err := co.CreateAPIToken(ctx, n)
	if err != nil {
		return err
	}
	return a.print(created{Token: secret, APIToken: &token}, func(w io.Writer) { fmt.Fprintln(w, secret) })
}

// lifeUntil reads --expires: a number of hours or days, or the day at whose end (UTC)
// the token ends; empty: 0, as it is by default.
func lifeUntil(s string, now time.Time, longest time.Duration) (time.Duration, error) {
	var life time.Duration
	unit := map[string]time.Duration{"h": time.Hour, "d": 24 * time.Hour}
	if s == "" {
		return 0, nil
	} else if day, err := time.Parse(time.DateOnly, s); err == nil {
		life = day.AddDate(0, 0, 1).Sub(now)
	} else if n, err := strconv.Atoi(s[:len(s)-1]); err == nil && n > 0 && n <= 100_000 {
		life = time.Duration(n) * unit[s[len(s)-1:]]
	}
	if life <= 0 || life > longest {
		return 0, fmt.Errorf("--expires %s is no number of hours (12h) or days (90d) and no coming day (2027-01-31) within %d days", s, int(longest/(24*time.Hour)))
	}
	return life, nil
}

func (a *app) enrolToken(ctx context.Context, co *company.Service, f tokenFlags) error {
	n := company.NewEnrolToken{Name: f.name, Uses: f.uses, Group: f.group}
	longest := company.ManyLongest
	if f.uses == 1 {
		longest = company.TokenLife
	}
	if f.uses < 1 || f.uses > company.MostUses {
		return usageError{fmt.Errorf("--uses %d is not within 1 and %d", f.uses, company.MostUses)}
	}
	var err error
	if n.Life, err = lifeUntil(f.expires, time.Now(), longest); err != nil {
		return usageError{err}
	}
	// The file comes first: a token that nobody can read is of no use.
	var file *os.File
	if f.out != "" {
		if file, err = os.OpenFile(f.out, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err != nil {
			return fmt.Errorf("write token file: %w", err)
		}
		defer file.Close()
	}
	token, made, err := co.CreateEnrolToken(ctx, n)
	if err == nil && file == nil {
		_, err = a.out.Write(company.EncodeTokenFile(token))
		return err
	}
	if err == nil {
		_, err = file.Write(company.EncodeTokenFile(token))
	}
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.out))
	}
	return a.print(created{File: f.out, Enrol: &made}, func(w io.Writer) {
		if made.Uses > 1 {
			fmt.Fprintf(w, "Wrote %s, good for %d computers until %s. Lay it on each of them:\n  %s\nor run there: aval enroll --token-file FILE\n",
				f.out, made.Uses, made.ExpiresAt.Local().Format(time.DateOnly), "/etc/aval/enroll.d/token.json")
			return
		}
		fmt.Fprintf(w, "Wrote %s. On the computer that receives support, run:\n  aval enroll --token-file %s\n", f.out, quoteArg(f.out))
	})
}

func (a *app) tokenList() *cobra.Command {
	var enrolment bool
	cmd := a.companyStep("list [--enrolment] --data DIR", "List the API tokens, or the enrolment tokens, the newest first; never their secrets", "", cobra.NoArgs,
		func(ctx context.Context, co *company.Service, _ []string) error {
			if enrolment {
				all, err := co.EnrolTokens(ctx, time.Time{}, 10_000)
				if err != nil {
					return err
				}
				return a.print(all, func(w io.Writer) { writeEnrolTokens(w, all) })
			}
			all, err := co.APITokens(ctx, time.Time{}, 10_000)
			if err != nil {
				return err
			}
			return a.print(all, func(w io.Writer) { writeAPITokens(w, all) })
		})
	cmd.Flags().BoolVar(&enrolment, "enrolment", false, "those that enrol computers")
	return cmd
}

func writeEnrolTokens(w io.Writer, all []company.EnrolToken) {
	if len(all) == 0 {
		fmt.Fprintln(w, "There is no enrolment token: aval-summarizer token create --out FILE")
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "TOKEN\tNAME\tGROUP\tUSED\tUNTIL\tSTATE")
	for _, k := range all {
		state := "can be used"
		if why := k.Ended(time.Now()); why != "" {
			state = map[string]string{"used": "used up"}[why]
			if state == "" {
				state = why
			}
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d of %d\t%s\t%s\n", k.ID, orNone(k.Name), orNone(k.Group), k.Used, k.Uses, k.ExpiresAt.Local().Format("2006-01-02 15:04"), state)
	}
	_ = t.Flush() // to a terminal or a buffer
}

func writeAPITokens(w io.Writer, all []company.APIToken) {
	if len(all) == 0 {
		fmt.Fprintln(w, "There is no API token: aval-summarizer token create --scope SCOPE")
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, k := range all {
		state := "never used"
		switch {
		case !k.RevokedAt.IsZero():
			state = "revoked"
		case !k.ExpiresAt.IsZero() && time.Now().After(k.ExpiresAt):
			state = "expired"
		case !k.UsedAt.IsZero():
			state = "used " + k.UsedAt.Format(time.DateOnly)
		}
		until := "for ever"
		if !k.ExpiresAt.IsZero() {
			until = "until " + k.ExpiresAt.Format(time.DateOnly)
		}
		var scopes []string
		for _, p := range k.Scopes {
			scopes = append(scopes, string(p))
		}
		fmt.Fprintf(t, "%s\t%s…\t%s\t%s\t%s\t%s\n", k.ID, k.Prefix, k.Name, strings.Join(scopes, ","), until, state)
	}
	_ = t.Flush() // to a terminal or a buffer
}

func (a *app) tokenRevoke() *cobra.Command {
	return a.companyStep("revoke ID --data DIR", "End an API token or an enrolment token at once", "", cobra.ExactArgs(1),
		func(ctx context.Context, co *company.Service, args []string) error {
			err := co.RevokeAPIToken(ctx, args[0])
			if errors.Is(err, company.ErrNoToken) {
				if none := co.RevokeEnrolToken(ctx, args[0]); !errors.Is(none, company.ErrEnrolToken) {
					err = none
				}
			}
			if err != nil {
				return err
			}
			return a.print(map[string]string{"revoked": args[0]}, func(w io.Writer) { fmt.Fprintln(w, "Revoked.") })
		})
}
