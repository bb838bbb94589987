package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/cmd/internal/command"
)

func (a *app) consentCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "consent", Short: "What was decided, by whom, and why; withdraw it", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(a.consentList(), a.consentShow(), a.consentReceipt(), a.consentVerify(), a.consentWithdraw())
	return cmd
}

func (a *app) consentList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List decisions, newest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.dial(cmd.Context())
			if err != nil {
				return err
			}
			defer c.Close()
			all := []ipc.ConsentEntry{}
			for page := (ipc.ConsentListPage{}); ; {
				var r ipc.ConsentListResult
				if err := c.Call(cmd.Context(), ipc.MethodConsentList, page, &r); err != nil {
					return err
				}
				all = append(all, r.Entries...)
				if r.Next == "" {
					break
				}
				page.After = r.Next
			}
			return a.print(all, func(w io.Writer) {
				if len(all) == 0 {
					fmt.Fprintln(w, "No session has asked yet.")
					return
				}
				t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
				fmt.Fprintln(t, "WHEN\tSESSION\tSUPPORTER\tCOMPANY\tOUTCOME\tWHY\tBY")
				for _, e := range all {
					why := string(e.Reason)
					if e.Ending != "" {
						why += ", " + string(e.Ending)
					}
					if !e.Lasts.IsZero() {
						why += ", holds for further sessions until " + e.Lasts.Local().Format("15:04")
					}
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", e.At.Local().Format("2006-01-02 15:04:05"), e.Session, e.Supporter, e.Company, e.Outcome, why, e.Provenance)
				}
				t.Flush()
			})
		},
	}
}

func (a *app) consentShow() *cobra.Command {
	var raw bool
	cmd := &cobra.Command{
		Use: "show ID", Short: "Show one record whole: a record's id, or the newest of a session", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var r ipc.ConsentShow
			if err := a.call(cmd.Context(), ipc.MethodConsentShow, ipc.ByID{ID: args[0]}, &r); err != nil {
				return err
			}
			if raw {
				_, err := fmt.Fprintln(a.out, string(r.Envelope))
				return err
			}
			var sum ipc.Summary
			if err := a.call(cmd.Context(), ipc.MethodConsentSummary, ipc.ByID{ID: r.ID}, &sum); err != nil {
				return err
			}
			whole := struct {
				ipc.ConsentShow
				Summary *ipc.Summary `json:"summary"` // null: the company has none
				// Reads is how often the company has read what it has, as its server says.
				Reads *ipc.Reads `json:"reads,omitempty"`
			}{ConsentShow: r, Reads: sum.Reads}
			sum.Reads = nil
			if sum.Version > 0 {
				whole.Summary = &sum
			}
			return a.print(whole, func(w io.Writer) {
				var env struct {
					Payload []byte `json:"payload"`
				}
				var pretty bytes.Buffer
				if len(r.Envelope) > 0 && json.Unmarshal(r.Envelope, &env) == nil && json.Indent(&pretty, env.Payload, "", "  ") == nil {
					fmt.Fprintf(w, "record %s, number %d in the log, now: %s\n%s\n", r.ID, r.LogIndex, r.Outcome, pretty.String())
					printCopies(w, r.Copies)
					printSummary(w, whole.Summary)
					return
				}
				fmt.Fprintf(w, "%s: %s (%s)\n", r.Session, r.Outcome, r.Reason)
			})
		},
	}
	cmd.Flags().BoolVar(&raw, "raw", false, "print the signed bytes")
	return cmd
}

func (a *app) consentWithdraw() *cobra.Command {
	var del bool
	cmd := &cobra.Command{
		Use: "withdraw ID", Short: "Take a permission back, from now on; with --delete also what was recorded",
		Long: `Ends the recording of a session and keeps every byte that has not left from
leaving. With --delete what was recorded is destroyed here and the company is
asked to erase its copy; the answer says what became of each copy. While a
supporter is connected it cannot be told who asks for that: the recording stops,
nothing more leaves, and the person is asked once the supporter has left.

ID is a record's id or a session. Under an enforced policy this records an
objection instead, and the exit code is 3.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var r ipc.WithdrawResult
			if err := a.call(cmd.Context(), ipc.MethodConsentWithdraw, ipc.Withdraw{ID: args[0], Delete: del}, &r); err != nil {
				return err
			}
			if err := a.print(r, func(w io.Writer) {
				if r.Held {
					fmt.Fprintf(w, "%s: stopped; nothing more leaves this computer. Deleting it is asked about on the screen once the supporter has left.\n", args[0])
					return
				}
				fmt.Fprintf(w, "%s: %s\n", args[0], r.Outcome)
				printCopies(w, r.Copies)
			}); err != nil {
				return err
			}
			if r.Outcome == consent.OutcomeObjected {
				return &ipc.Error{Code: ipc.CodeRefused, Message: "a policy of your organisation requires the recording", Hint: "your objection is on record"}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&del, "delete", false, "also delete what was recorded")
	return cmd
}

// printSummary shows what the company has written; its words come from outside.
func printSummary(w io.Writer, s *ipc.Summary) {
	if s == nil {
		return
	}
	by := "by rules, not by AI"
	if s.Engine != "rules" {
		by = "by " + s.Engine
	}
	if s.Edited {
		by += ", edited at the company"
	}
	fmt.Fprintf(w, "summary at %s, version %d, %s: %s\n  %s\n", command.Printable(s.Company), s.Version, command.Printable(by), command.Printable(s.Name), command.Printable(s.Text))
	for _, st := range s.Steps {
		fmt.Fprintf(w, "  - %s: %s\n", command.Printable(st.Application), command.Printable(st.Action))
		for _, c := range st.Commands {
			fmt.Fprintf(w, "      %s\n", command.Printable(c))
		}
	}
	for _, f := range s.FollowUps {
		fmt.Fprintf(w, "  > %s\n", command.Printable(f))
	}
	if s.Cut {
		fmt.Fprintln(w, "  (the end is missing: it was too long to be sent back)")
	}
}

func printCopies(w io.Writer, copies []consent.Copy) {
	for _, c := range copies {
		where := "this computer"
		if c.Where != consent.CopyHere {
			where = command.Printable(c.Company)
		}
		fmt.Fprintf(w, "  copy at %s: %s\n", where, fateWords[c.Fate])
	}
}

var fateWords = map[consent.CopyFate]string{
	consent.FateErased: "erased", consent.FateAsked: "asked to erase it", consent.FateConfirmed: "erased, as the company confirms",
}

func (a *app) sentCmd() *cobra.Command {
	return &cobra.Command{
		Use: "sent [SESSION]", Short: "Show every event as it left this computer, or waits to leave", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.dial(cmd.Context())
			if err != nil {
				return err
			}
			defer c.Close()
			var req ipc.Sent
			if len(args) == 1 {
				req.Session = args[0]
			}
			all := []map[string]any{}
			for {
				var r ipc.SentResult
				if err := c.Call(cmd.Context(), ipc.MethodSent, req, &r); err != nil {
					return err
				}
				for _, e := range r.Events {
					all = append(all, flat(e))
				}
				if r.Next == "" {
					break
				}
				req.After = r.Next
			}
			return a.print(all, func(w io.Writer) {
				if len(all) == 0 {
					fmt.Fprintln(w, "Nothing has left this computer.")
					return
				}
				for _, e := range all {
					fmt.Fprintln(w, sentLine(e))
				}
			})
		},
	}
}

// flat puts an event's own fields beside session, seq, kind and at.
func flat(e ipc.SentEvent) map[string]any {
	out := map[string]any{}
	for k, v := range e.Fields {
		out[k] = v
	}
	out["session"], out["seq"], out["kind"], out["at"], out["acked"] = e.Session, e.Seq, e.Kind, e.At, e.Acked
	return out
}

func sentLine(e map[string]any) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v %4v  %-16v", e["session"], e["seq"], e["kind"])
	for _, k := range slices.Sorted(maps.Keys(e)) {
		switch k {
		case "session", "seq", "kind", "at", "acked":
		default:
			fmt.Fprintf(&b, "  %s=%q", k, e[k])
		}
	}
	if e["acked"] != true {
		b.WriteString("  (waiting)")
	}
	return b.String()
}
