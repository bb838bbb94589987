package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"aval/agent/ipc"
	"aval/agent/wire"
	"aval/cmd/internal/command"
)

func (a *app) enrollCmd() *cobra.Command {
	var server, file string
	cmd := &cobra.Command{
		Use: "enroll --token-file FILE [--server URL]", Short: "Make this a managed device of a company",
		Long: `Enrols this computer with a company's summarizer. The token file comes from the
summarizer (first-start/enrolment-token, or aval-summarizer token create): it
carries the server's address, its key and a token that counts once.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := readToken(file)
			if err != nil {
				return err
			}
			if server != "" {
				t.Server = server
			}
			if t.Server == "" {
				return usageError{errors.New("the token file names no server: --server URL")}
			}
			c, err := a.dial(cmd.Context())
			if err != nil {
				return err
			}
			defer c.Close()
			var r ipc.EnrollResult
			if err := c.Call(cmd.Context(), ipc.MethodEnroll, ipc.Enroll{Server: t.Server, Token: t.Token, Pin: t.Pin}, &r); err != nil {
				return err
			}
			return a.print(r, func(w io.Writer) {
				fmt.Fprintf(w, "This computer is enrolled with %s (%s) as device %s.\n", r.CompanyName, r.Server, r.Device)
			})
		},
	}
	cmd.Flags().StringVar(&file, "token-file", "", "file with the enrolment token; - reads standard input")
	cmd.Flags().StringVar(&server, "server", "", "address of the summarizer; default: the one in the token file")
	_ = cmd.MarkFlagRequired("token-file")
	return cmd
}

func readToken(path string) (wire.TokenFile, error) {
	raw, err := readSmall(path)
	if err != nil {
		return wire.TokenFile{}, fmt.Errorf("read token file: %w", err)
	}
	t, err := wire.ParseTokenFile(raw)
	if err != nil {
		return t, fmt.Errorf("read token file %s: %w", path, err)
	}
	return t, nil
}

func readSmall(path string) ([]byte, error) { return command.ReadFile(path, os.Stdin, 64<<10) }

// unenrolled is what unenroll prints with --json.
type unenrolled struct {
	Enrolled bool   `json:"enrolled"`
	Company  string `json:"company"`
	Told     bool   `json:"told"`
	Lost     int    `json:"lost"`
}

func (a *app) unenrollCmd() *cobra.Command {
	var discard bool
	cmd := &cobra.Command{
		Use: "unenroll", Short: "Leave the company, and tell its server",
		Long: `Makes this a computer of no company: its policy ends, and its key counts no more at
the company's server, which is told at once or, where it cannot be reached, when it
can. What waits to be sent is sent first. Where that is not possible, or a session
is being recorded, nothing is done, unless --discard says that it may be lost; on a
terminal you are asked.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var r ipc.UnenrollResult
			err := a.call(cmd.Context(), ipc.MethodUnenroll, ipc.Unenroll{Discard: discard}, &r)
			var no *ipc.Error
			if errors.As(err, &no) && no.Why == ipc.WhyUnsent && !a.json && command.Terminal(a.in) {
				fmt.Fprintf(a.out, "%s.\nLeave all the same, and lose it? Type yes: ", no.Message)
				if line, _ := bufio.NewReader(io.LimitReader(a.in, 100)).ReadString('\n'); strings.TrimSpace(line) == "yes" {
					err = a.call(cmd.Context(), ipc.MethodUnenroll, ipc.Unenroll{Discard: true}, &r)
				}
			}
			if err != nil {
				return err
			}
			return a.print(unenrolled{false, r.Company, r.Told, r.Lost}, func(w io.Writer) {
				fmt.Fprintln(w, "This computer belongs to no company now.")
				if r.Lost > 0 {
					fmt.Fprintf(w, "%d events were not sent, and are destroyed.\n", r.Lost)
				}
				if !r.Told {
					fmt.Fprintf(w, "The server of %s could not be told; it is told when it can be reached, while Aval runs here.\n", printable(r.Company))
				}
			})
		},
	}
	cmd.Flags().BoolVar(&discard, "discard", false, "leave although something was not sent or is being recorded, and lose it")
	return cmd
}
