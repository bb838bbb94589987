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
	*company.APIToken
}

type tokenFlags struct {
	admin                           bool
	out, user, scope, name, expires string
	life                            time.Duration
}

func (a *app) tokenCreate() *cobra.Command {
	var f tokenFlags
	cmd := a.companyStep("create --data DIR [--out FILE | --admin | --scope SCOPE… [--user ID]]",
		"Make an enrolment token, a link to sign in, or an API token",
		`Makes a token that enrols one computer, once, and prints it as a token file for
'aval enroll --token-file FILE'; with --out it is written to a file that only you
can read. With --admin it makes a link that signs one browser in to the console,
once. With --scope it makes an API token, with which programs speak to the
server; it is shown once. With --user too the token is that person's, and does
what their role allows: codes:write lets their programs make session codes and
announce sessions. Works while the server runs.

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
	cmd.Flags().DurationVar(&f.life, "life", company.TokenLife, "how long an enrolment token can be used")
	cmd.Flags().StringVar(&f.scope, "scope", "", "make an API token with these scopes, with commas between them (with --user: codes:write)")
	cmd.Flags().StringVar(&f.user, "user", "", "make an API token of this person, by id")
	cmd.Flags().StringVar(&f.name, "name", "", "what the API token is for")
	cmd.Flags().StringVar(&f.expires, "expires", "90d", "when the API token ends: days (90d) or a day (2027-01-31)")
	cmd.MarkFlagsMutuallyExclusive("admin", "out", "user")
	cmd.MarkFlagsMutuallyExclusive("admin", "out", "scope")
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
	if n.Life, err = lifeUntil(f.expires, time.Now()); err != nil {
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

// lifeUntil reads --expires: a number of days, or the day at whose end (UTC) the
// token ends.
func lifeUntil(s string, now time.Time) (time.Duration, error) {
	if d, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.Atoi(d); err == nil && n > 0 && n <= int(company.APITokenLongest/(24*time.Hour)) {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	day, err := time.Parse(time.DateOnly, s)
	if life := day.AddDate(0, 0, 1).Sub(now); err == nil && life > 0 && life <= company.APITokenLongest {
		return life, nil
	}
	return 0, fmt.Errorf("--expires %s is no number of days (90d) and no coming day (2027-01-31) within %d days", s, int(company.APITokenLongest/(24*time.Hour)))
}

func (a *app) enrolToken(ctx context.Context, co *company.Service, f tokenFlags) error {
	if f.life < 0 || f.life > company.TokenLife {
		return usageError{fmt.Errorf("--life %s is longer than a token may live (%s)", f.life, company.TokenLife)}
	}
	// The file comes first: a token that nobody can read is of no use.
	var file *os.File
	var err error
	if f.out != "" {
		if file, err = os.OpenFile(f.out, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err != nil {
			return fmt.Errorf("write token file: %w", err)
		}
		defer file.Close()
	}
	token, err := co.NewToken(ctx, f.life)
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
	return a.print(created{File: f.out}, func(w io.Writer) {
		fmt.Fprintf(w, "Wrote %s. On the computer that receives support, run:\n  aval enroll --token-file %s\n", f.out, quoteArg(f.out))
	})
}

func (a *app) tokenList() *cobra.Command {
	return a.companyStep("list --data DIR", "List the API tokens, the newest first; never their secrets", "", cobra.NoArgs,
		func(ctx context.Context, co *company.Service, _ []string) error {
			all, err := co.APITokens(ctx, time.Time{}, 10_000)
			if err != nil {
				return err
			}
			return a.print(all, func(w io.Writer) {
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
				t.Flush()
			})
		})
}

func (a *app) tokenRevoke() *cobra.Command {
	return a.companyStep("revoke ID --data DIR", "End an API token at once", "", cobra.ExactArgs(1),
		func(ctx context.Context, co *company.Service, args []string) error {
			if err := co.RevokeAPIToken(ctx, args[0]); err != nil {
				return err
			}
			return a.print(map[string]string{"revoked": args[0]}, func(w io.Writer) { fmt.Fprintln(w, "Revoked.") })
		})
}
