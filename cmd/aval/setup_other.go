//go:build !windows

package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"aval/agent/policy/source"
	"aval/agent/service"
	"aval/agent/wire"
)

// forgetSetup: packages of this system leave nothing but files.
func forgetSetup() error { return nil }

// setupCmds are those that packages call.
func (a *app) setupCmds() []*cobra.Command {
	dir := service.DefaultTokenDir
	take := &cobra.Command{
		Use: "take-token FILE", Hidden: true, Short: "Lay a token file where the service finds it",
		Long: `Copies a token file into the folder of token files, for packages, which run before the service does. The file, and every folder
above it, must be root's alone to change, and the file root's alone to read.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			in := source.DropIn{Dir: dir, Own: os.Geteuid() != 0}
			raw, err := in.Take(args[0])
			if err == nil {
				_, err = wire.ParseTokenFile(raw)
			}
			if err == nil {
				err = in.Put("token.json", raw)
			}
			if err != nil {
				return fmt.Errorf("take token file %s: %w", args[0], err)
			}
			return a.print(map[string]string{"dir": dir}, func(w io.Writer) {
				fmt.Fprintf(w, "This computer will be enrolled with %s; remove that file.\n", args[0])
			})
		},
	}
	take.Flags().StringVar(&dir, "token-dir", dir, "the folder of token files")
	return []*cobra.Command{take}
}
