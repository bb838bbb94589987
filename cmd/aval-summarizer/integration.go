package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"aval/agent/strict"
	"aval/summarizer/integration"
	"aval/summarizer/store"
)

func (a *app) integrationCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "integration", Short: "Where the company is told what happens: webhooks, ServiceNow, Salesforce", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(a.integrationAdd(), a.integrationList(), a.integrationSwitch("on", true), a.integrationSwitch("off", false), a.integrationRotate(),
		a.integrationDelete(), a.integrationPing(), a.integrationPreview(), a.integrationDeliveries(), a.integrationRetry(), a.integrationSkip())
	return cmd
}

// hubStep is a command on the company's integrations. What is to be sent, the
// running server sends.
func (a *app) hubStep(use, short, long string, args cobra.PositionalArgs, do func(context.Context, *integration.Company, []string) error) *cobra.Command {
	var allow []string
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
			hub, err := integration.New(db, integration.Options{Allow: allow, Server: co.Server(), Log: a.log})
			if err != nil {
				return err
			}
			err = do(cmd.Context(), hub.Of(co.ID(), co.Actor().String()), args)
			if errors.Is(err, store.ErrNotFound) {
				return errors.New("there is none with this ID that this can be done with; integration list and integration deliveries show them")
			}
			return err
		}}
	a.dataFlag(cmd)
	cmd.Flags().StringArrayVar(&allow, "allow-host", nil, "a host inside of the own network that may be named, as serve has it")
	return cmd
}

func (a *app) integrationAdd() *cobra.Command {
	var name, url, config, secretFile, keyFile string
	var events []string
	cmd := a.hubStep("add webhook|servicenow|salesforce --name NAME --data DIR", "Add a webhook, or a system that keeps summaries",
		`A webhook needs --url and --event (several times, or all); its secret is printed
once. The others need --config, a JSON file as integration list --json shows it
below "config", and --client-secret-file or --private-key-file. Secrets are kept
sealed and not shown again.`, cobra.ExactArgs(1),
		func(ctx context.Context, co *integration.Company, args []string) error {
			e := integration.Endpoint{Kind: args[0], Name: name, Events: events, Enabled: true, Config: integration.Preset(args[0])}
			if config != "" {
				raw, err := os.ReadFile(config)
				if err != nil {
					return fmt.Errorf("read settings: %w", err)
				}
				e.Config = integration.Config{}
				if err := strict.Decode(raw, &e.Config); err != nil {
					return fmt.Errorf("read settings %s: %w", config, err)
				}
			}
			if url != "" {
				e.Config.URL = url
			}
			if len(events) == 1 && events[0] == "all" {
				e.Events = append([]string{}, store.Types...)
			}
			var s integration.Secrets
			for _, f := range []struct {
				name string
				into *string
			}{{secretFile, &s.Client}, {keyFile, &s.Key}} {
				if f.name == "" {
					continue
				}
				raw, err := os.ReadFile(f.name)
				if err != nil {
					return fmt.Errorf("read secret: %w", err)
				}
				*f.into = strings.TrimSpace(string(raw))
			}
			made, secret, err := co.Create(ctx, e, s)
			if err != nil {
				return err
			}
			return a.print(struct {
				integration.Endpoint
				Secret string `json:"secret,omitempty"`
			}{made, secret}, func(w io.Writer) {
				fmt.Fprintf(w, "Added %s %q (%s).\n", made.Kind, made.Name, made.ID)
				if secret != "" {
					fmt.Fprintf(w, "Its secret, shown this once, verifies the signatures:\n  %s\n", secret)
				}
			})
		})
	cmd.Flags().StringVar(&name, "name", "", "what it is called")
	cmd.Flags().StringVar(&url, "url", "", "its address, https://HOST/PATH")
	cmd.Flags().StringArrayVar(&events, "event", nil, "what a webhook is told: "+strings.Join(store.Types, ", ")+"; or all")
	cmd.Flags().StringVar(&config, "config", "", "its settings, a JSON file")
	cmd.Flags().StringVar(&secretFile, "client-secret-file", "", "a file with OAuth's client secret")
	cmd.Flags().StringVar(&keyFile, "private-key-file", "", "a file with the RSA key (PEM) that signs OAuth's assertions")
	_ = cmd.MarkFlagRequired("name")
	return cmd
}

func (a *app) integrationList() *cobra.Command {
	return a.hubStep("list --data DIR", "List webhooks and integrations", "", cobra.NoArgs,
		func(ctx context.Context, co *integration.Company, _ []string) error {
			list, err := co.Endpoints(ctx)
			if err != nil {
				return err
			}
			return a.print(list, func(w io.Writer) {
				if len(list) == 0 {
					fmt.Fprintln(w, "There is none yet: aval-summarizer integration add")
					return
				}
				t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
				for _, e := range list {
					state := "on"
					if !e.Enabled {
						state = "off"
					}
					if e.OffReason != "" {
						state += " (" + e.OffReason + ")"
					}
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", e.ID, e.Kind, e.Name, state, e.Config.URL)
				}
				t.Flush()
			})
		})
}

func (a *app) integrationSwitch(word string, on bool) *cobra.Command {
	return a.hubStep(word+" ID --data DIR", "Switch one "+word, "", cobra.ExactArgs(1),
		func(ctx context.Context, co *integration.Company, args []string) error {
			e, err := co.Update(ctx, args[0], 0, func(e *integration.Endpoint, _ *integration.Secrets) error { e.Enabled = on; return nil })
			if err != nil {
				return err
			}
			return a.print(e, func(w io.Writer) { fmt.Fprintf(w, "%s is %s.\n", e.Name, word) })
		})
}

func (a *app) integrationRotate() *cobra.Command {
	return a.hubStep("rotate ID --data DIR", "Give a webhook a new secret",
		"Messages are signed with the former secret too for a day.", cobra.ExactArgs(1),
		func(ctx context.Context, co *integration.Company, args []string) error {
			secret, err := co.Rotate(ctx, args[0])
			if err != nil {
				return err
			}
			return a.print(map[string]string{"id": args[0], "secret": secret}, func(w io.Writer) { fmt.Fprintln(w, secret) })
		})
}

func (a *app) integrationDelete() *cobra.Command {
	return a.hubStep("delete ID --data DIR", "Remove one, with what it was still to be told", "What the other system keeps stays there.", cobra.ExactArgs(1),
		func(ctx context.Context, co *integration.Company, args []string) error {
			if err := co.Delete(ctx, args[0]); err != nil {
				return err
			}
			return a.print(map[string]string{"deleted": args[0]}, func(w io.Writer) { fmt.Fprintln(w, "Deleted.") })
		})
}

func (a *app) integrationPing() *cobra.Command {
	return a.hubStep("ping ID --data DIR", "Try one out", "The running server sends it; integration deliveries shows what came of it.", cobra.ExactArgs(1),
		func(ctx context.Context, co *integration.Company, args []string) error {
			if err := co.Ping(ctx, args[0]); err != nil {
				return err
			}
			return a.print(map[string]string{"pinged": args[0]}, func(w io.Writer) {
				fmt.Fprintln(w, "It is told within seconds: aval-summarizer integration deliveries")
			})
		})
}

func (a *app) integrationPreview() *cobra.Command {
	var session string
	cmd := a.hubStep("preview ID --data DIR", "Show what the fields would hold; nothing is sent", "", cobra.ExactArgs(1),
		func(ctx context.Context, co *integration.Company, args []string) error {
			e, err := co.Endpoint(ctx, args[0])
			if err != nil {
				return err
			}
			list, err := co.Preview(ctx, e.Config.Fields, session)
			if err != nil {
				return err
			}
			return a.print(list, func(w io.Writer) {
				for _, f := range list {
					fmt.Fprintf(w, "%s:\n  %s\n", f.Name, strings.ReplaceAll(f.Value, "\n", "\n  "))
				}
			})
		})
	cmd.Flags().StringVar(&session, "session", "", "the reference of the session whose summary is shown (default: the latest one)")
	return cmd
}

// told is a delivery as it is printed.
type told struct {
	ID        string          `json:"id"`
	Endpoint  string          `json:"endpoint"`
	Kind      string          `json:"kind"`
	Name      string          `json:"name"`
	Type      string          `json:"type"`
	Session   string          `json:"session,omitempty"`
	Revision  int64           `json:"revision,omitempty"`
	State     store.JobState  `json:"state"`
	Skipped   bool            `json:"skipped,omitempty"`
	Attempts  int64           `json:"attempts"`
	Status    int64           `json:"status,omitempty"`
	Remote    string          `json:"remote,omitempty"`
	Error     string          `json:"error,omitempty"`
	CreatedAt time.Time       `json:"created_at"`
	NextAt    time.Time       `json:"next_at,omitzero"`
	Data      json.RawMessage `json:"data"`
}

func asTold(d store.Delivery) told {
	t := told{ID: d.ID, Endpoint: d.Endpoint, Kind: d.EndpointKind, Name: d.EndpointName, Type: d.Type, Session: d.Session, Revision: d.Revision, State: d.State,
		Skipped: d.Skipped, Attempts: d.Attempts, Status: d.Status, Remote: d.Remote, Error: d.LastError, CreatedAt: d.CreatedAt, Data: json.RawMessage(d.Data)}
	if d.State == store.JobReady {
		t.NextAt = d.RunAt
	}
	return t
}

func (a *app) integrationDeliveries() *cobra.Command {
	var endpoint, state, before string
	cmd := a.hubStep("deliveries --data DIR", "Show what was and is to be told, newest first", "At most 100 at once; --before goes on.", cobra.NoArgs,
		func(ctx context.Context, co *integration.Company, _ []string) error {
			list, err := co.Deliveries(ctx, endpoint, store.JobState(state), before, 100)
			if err != nil {
				return err
			}
			out := []told{}
			for _, d := range list {
				out = append(out, asTold(d))
			}
			return a.print(out, func(w io.Writer) {
				if len(out) == 0 {
					fmt.Fprintln(w, "There is none.")
					return
				}
				t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
				for _, d := range out {
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", d.ID, d.CreatedAt.Local().Format(time.DateTime), d.Name, d.Type, d.State, d.Error)
				}
				t.Flush()
			})
		})
	cmd.Flags().StringVar(&endpoint, "integration", "", "only those of this one, by its ID")
	cmd.Flags().StringVar(&state, "state", "", "only those that are ready, done or failed")
	cmd.Flags().StringVar(&before, "before", "", "only those older than the one with this ID")
	return cmd
}

func (a *app) integrationRetry() *cobra.Command {
	return a.hubStep("retry DELIVERY --data DIR", "Make a delivery again, failed or made", "", cobra.ExactArgs(1),
		func(ctx context.Context, co *integration.Company, args []string) error {
			if err := co.Retry(ctx, args[0]); err != nil {
				return err
			}
			return a.print(map[string]string{"retried": args[0]}, func(w io.Writer) { fmt.Fprintln(w, "It is made again.") })
		})
}

func (a *app) integrationSkip() *cobra.Command {
	return a.hubStep("skip DELIVERY --data DIR", "Give up a delivery that is not made", "", cobra.ExactArgs(1),
		func(ctx context.Context, co *integration.Company, args []string) error {
			if err := co.Skip(ctx, args[0]); err != nil {
				return err
			}
			return a.print(map[string]string{"skipped": args[0]}, func(w io.Writer) { fmt.Fprintln(w, "Given up.") })
		})
}
