package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"aval/agent/record"
	"aval/summarizer/api"
	v1 "aval/summarizer/api/v1"
)

func (a *app) exportCmd() *cobra.Command {
	var session string
	var far *remote
	cmd := &cobra.Command{
		Use: "export --data DIR [--session TOOL/ID]", Short: "Write sessions with their events and summaries as JSON",
		Long: `Writes {"sessions": [{"id", "tool", "supporter", "events": […], "summary", …}]} to
standard output, newest first. It only reads, and works while the server runs
as well as without it. The output is always JSON, with --json or without.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := far.client()
			if err != nil {
				return err
			}
			if client != nil {
				return a.exportFrom(cmd.Context(), client, session)
			}
			db, err := a.beside(cmd.Context())
			if err != nil {
				return err
			}
			defer db.Close()
			err = api.Export(cmd.Context(), db, a.out, session)
			if errors.Is(err, api.ErrNoSession) {
				return fmt.Errorf("%w in %s; leave --session out to see all", err, a.data)
			}
			return err
		},
	}
	a.dataFlag(cmd)
	far = a.remoteFlags(cmd)
	cmd.Flags().StringVar(&session, "session", "", "only the session with this id (TOOL/ID)")
	return cmd
}

// exportFrom writes what export writes, of one company, by the API of a server
// elsewhere.
func (a *app) exportFrom(ctx context.Context, client *v1.ClientWithResponses, session string) error {
	first, found, after := true, false, ""
	fmt.Fprint(a.out, `{"sessions":[`)
	for {
		page, err := client.ListSessionsWithResponse(ctx, &v1.ListSessionsParams{After: maybe(after)})
		if err != nil {
			return reached(err)
		}
		if err := answered(page.StatusCode(), page.Body); err != nil {
			return err
		}
		for _, s := range page.JSON200.Sessions {
			if session != "" && s.Session != session {
				continue
			}
			one, err := client.GetSessionWithResponse(ctx, s.Id.String())
			if err != nil {
				return reached(err)
			}
			if err := answered(one.StatusCode(), one.Body); err != nil {
				return err
			}
			if found = true; !first {
				fmt.Fprint(a.out, ",")
			}
			first = false
			fmt.Fprintf(a.out, "\n%s", strings.TrimSpace(string(one.Body)))
		}
		if after = page.JSON200.Next; after == "" {
			break
		}
	}
	fmt.Fprint(a.out, "\n]}\n")
	if session != "" && !found {
		return fmt.Errorf("%w; leave --session out to see all", api.ErrNoSession)
	}
	return nil
}

// quoteArg shows a path as a POSIX shell reads it back.
func quoteArg(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-:=@%+,", r)
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func (a *app) verifyCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "verify [FILE] [--data DIR]", Short: "Check the signatures of grants and other records",
		Long: `Checks every record's signature, and that each event is covered by its grant in
kind and time. With --data it checks what the server has stored; with FILE an
export or a single record. An export brings its own keys; together with --data
the server's keys count instead. Exit code 1 when anything does not hold.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && a.data == "" {
				return usageError{errors.New("name a file, or the server's data folder with --data DIR")}
			}
			r, err := a.verify(cmd, args)
			if err != nil {
				return err
			}
			wrong := r.Wrong()
			if err := a.print(r, func(w io.Writer) {
				for _, c := range wrong {
					where := c.Record
					if c.Event != nil {
						where = fmt.Sprintf("event %v", c.Event)
					}
					fmt.Fprintf(w, "%s %s: %s\n", c.Session, where, c.Problem)
				}
				fmt.Fprintf(w, "%d sessions, %d records, %d events: %d wrong\n", r.Sessions, r.Records, r.Events, len(wrong))
				if r.OwnKeys {
					fmt.Fprintln(w, "The keys came out of the file itself: it agrees with them. Whose keys they are, add --data to check.")
				}
			}); err != nil {
				return err
			}
			if !r.OK {
				return fmt.Errorf("verify: %d of %d records and events do not hold", len(wrong), r.Records+r.Events)
			}
			return nil
		},
	}
	a.dataFlag(cmd)
	return cmd
}

// maxFile is the largest file that verify reads, in bytes.
const maxFile = 1 << 30

func (a *app) verify(cmd *cobra.Command, args []string) (api.Report, error) {
	var keys record.Keys
	if a.data != "" {
		db, err := a.beside(cmd.Context())
		if err != nil {
			return api.Report{}, err
		}
		defer db.Close()
		if len(args) == 0 {
			return api.VerifyStore(cmd.Context(), db)
		}
		if keys, err = api.StoreKeys(cmd.Context(), db); err != nil {
			return api.Report{}, err
		}
	}
	f, err := os.Open(args[0])
	if err != nil {
		return api.Report{}, fmt.Errorf("read file: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return api.Report{}, fmt.Errorf("read file: %w", err)
	}
	if len(raw) > maxFile {
		return api.Report{}, fmt.Errorf("read file: %s is larger than %d bytes", args[0], maxFile)
	}
	return api.VerifyFile(raw, keys)
}
