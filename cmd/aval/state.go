package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"aval/agent/ipc"
	"aval/agent/store"
	"aval/cmd/internal/command"
)

// kept is what lies on this computer.
type kept struct {
	Dir     string   `json:"dir"`
	Waiting uint64   `json:"waiting"` // events that the company has not acknowledged
	Notes   []string `json:"notes,omitempty"`
}

func (a *app) stateCmd() *cobra.Command {
	var dir string
	var waiting bool
	cmd := &cobra.Command{
		Use: "state", Short: "Show how much waits to be sent, also while the service is stopped",
		Long: `Counts the events in the service's folder that wait to be sent. While the service runs it is asked; while it is stopped the folder is
looked into, which only the service's user may do. With --waiting the number of
waiting events alone is printed, for scripts.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			k, err := a.kept(cmd.Context(), dir)
			if err != nil {
				return err
			}
			if waiting {
				_, err := fmt.Fprintln(a.out, k.Waiting)
				return err
			}
			return a.print(k, func(w io.Writer) {
				fmt.Fprintf(w, "%s: %d events wait to be sent.\n", k.Dir, k.Waiting)
				for _, n := range k.Notes {
					fmt.Fprintln(w, command.Printable(n))
				}
			})
		},
	}
	cmd.Flags().StringVar(&dir, "state-dir", defaultStateDir, "folder of the service's data")
	cmd.Flags().BoolVar(&waiting, "waiting", false, "print the number of events that wait to be sent, and nothing else")
	return cmd
}

func (a *app) kept(ctx context.Context, dir string) (kept, error) {
	if _, err := os.Stat(dir); err != nil {
		return kept{}, fmt.Errorf("look at what is kept: %w", err)
	}
	st, err := store.Open(dir, store.Options{})
	if errors.Is(err, store.ErrInUse) {
		var s ipc.Status
		if err := a.call(ctx, ipc.MethodStatus, nil, &s); err != nil {
			return kept{}, err
		}
		return kept{Dir: dir, Waiting: s.Waiting, Notes: s.Notes}, nil
	}
	if err != nil {
		return kept{}, errKept(err)
	}
	defer st.Close()
	streams, err := st.Streams()
	if err != nil {
		return kept{}, fmt.Errorf("look at what is kept: %w", err)
	}
	return kept{Dir: dir, Notes: st.Notes(), Waiting: waitingIn(streams)}, nil
}

// errKept says why a service's folder could not be looked into; that it is another
// user's is a matter of rights.
func errKept(err error) error {
	if errors.Is(err, store.ErrForeign) || errors.Is(err, fs.ErrPermission) {
		return &ipc.Error{Code: ipc.CodeRefused, Message: "this folder may be opened by the service's user alone", Hint: "run it as that user, which is root for the installed service"}
	}
	return fmt.Errorf("look at what is kept: %w", err)
}

// waitingIn counts the events that the company has not got yet, and is to get.
func waitingIn(streams []store.StreamInfo) (n uint64) {
	for _, s := range streams {
		if !s.Erased && !s.Withdrawn {
			n += s.Last - s.Acked
		}
	}
	return n
}
