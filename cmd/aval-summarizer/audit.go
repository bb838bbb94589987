package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"aval/summarizer/company"
	"aval/summarizer/store"
)

func (a *app) auditCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "audit", Short: "Who changed what, in a log that shows when it was tampered with", Args: cobra.NoArgs,
		Long: `Everything that changes something leaves a row in the company's audit log: who,
when, what, and the value before and after. The rows are the leaves of a Merkle
tree whose root the company signs with every row, so that an altered, missing or
inserted row is found by audit verify. Whoever keeps the last line of an export
can show it even where the company's own key was used to cover it up.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(a.auditList(), a.auditVerify(), a.auditExport())
	return cmd
}

// auditFlags choose rows.
func auditFlags(cmd *cobra.Command, f *store.AuditFilter) (from, to *string) {
	from, to = new(string), new(string)
	cmd.Flags().StringVar(from, "from", "", "only from this day on (2026-01-31, UTC)")
	cmd.Flags().StringVar(to, "to", "", "only up to this day, which is in (UTC)")
	cmd.Flags().StringVar(&f.Actor, "actor", "", "only what this actor did: user:ID, token:ID, command, server, …")
	cmd.Flags().StringVar(&f.Action, "action", "", "only this action: user-changed, options-set, …")
	cmd.Flags().StringVar(&f.Subject, "subject", "", "only what was done to the thing with this id")
	return from, to
}

func auditDays(f *store.AuditFilter, from, to string) error {
	var err error
	if from != "" {
		if f.From, err = time.Parse(time.DateOnly, from); err != nil {
			return usageError{fmt.Errorf("--from %s is no day like 2026-01-31", from)}
		}
	}
	if to != "" {
		if f.To, err = time.Parse(time.DateOnly, to); err != nil {
			return usageError{fmt.Errorf("--to %s is no day like 2026-01-31", to)}
		}
		f.To = f.To.AddDate(0, 0, 1)
	}
	return nil
}

func (a *app) auditList() *cobra.Command {
	var f store.AuditFilter
	var from, to *string
	cmd := a.companyStep("list --data DIR", "List the latest rows of the audit log", "", cobra.NoArgs,
		func(ctx context.Context, co *company.Service, _ []string) error {
			if err := auditDays(&f, *from, *to); err != nil {
				return err
			}
			list, err := co.Audits(ctx, f)
			if err != nil {
				return err
			}
			if list == nil {
				list = []store.Audit{}
			}
			return a.print(list, func(w io.Writer) {
				t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
				for _, r := range list {
					fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\n", r.Seq, r.At.UTC().Format(time.RFC3339), r.Actor, r.Action, r.Subject, r.Detail)
				}
				t.Flush()
			})
		})
	from, to = auditFlags(cmd, &f)
	cmd.Flags().IntVar(&f.Max, "max", 100, "how many at most; 0: all")
	return cmd
}

func (a *app) auditExport() *cobra.Command {
	var f store.AuditFilter
	var from, to *string
	cmd := a.companyStep("export --data DIR", "Write rows as JSON lines, oldest first, and last the signed head of the log",
		"The output is always JSON lines, with --json or without.", cobra.NoArgs,
		func(ctx context.Context, co *company.Service, _ []string) error {
			if err := auditDays(&f, *from, *to); err != nil {
				return err
			}
			return co.ExportAudit(ctx, a.out, f)
		})
	from, to = auditFlags(cmd, &f)
	return cmd
}

func (a *app) auditVerify() *cobra.Command {
	return a.companyStep("verify [EXPORT…] --data DIR", "Check that no row of the audit log was altered, removed or inserted",
		`Computes the whole log anew and compares it with its signed head, and with the
heads in earlier exports that are named. Exit code 1 when anything does not hold.`, cobra.ArbitraryArgs,
		func(ctx context.Context, co *company.Service, args []string) error {
			var kept [][]byte
			for _, file := range args {
				head, err := headOf(file)
				if err != nil {
					return err
				}
				kept = append(kept, head)
			}
			r, err := co.VerifyAudit(ctx, kept...)
			if err != nil {
				return err
			}
			if err := a.print(r, func(w io.Writer) {
				for _, p := range r.Problems {
					fmt.Fprintln(w, p)
				}
				if r.OK {
					fmt.Fprintf(w, "%d rows: all hold, signed at %s\n", r.Rows, r.SignedAt.Format(time.RFC3339))
				}
			}); err != nil {
				return err
			}
			if !r.OK {
				return fmt.Errorf("the audit log does not hold: %s", r.Problems[0])
			}
			return nil
		})
}

// headOf is the signed head in the last line of an export.
func headOf(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read export: %w", err)
	}
	defer f.Close()
	var last []byte
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if len(bytes.TrimSpace(lines.Bytes())) > 0 {
			last = bytes.Clone(lines.Bytes())
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read export %s: %w", file, err)
	}
	var line struct {
		Head json.RawMessage `json:"head"`
	}
	if err := json.Unmarshal(last, &line); err != nil || len(line.Head) == 0 {
		return nil, fmt.Errorf("read export: %s does not end with the head of a log", file)
	}
	return line.Head, nil
}
