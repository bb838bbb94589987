package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"aval/summarizer/store"
)

func (a *app) backupCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "backup --data DIR FILE", Short: "Write the database and the keys to one file, while the server runs",
		Long: `Writes a copy of the database as it is at one moment, the keys, the certificate and
the credit rules to a new file that only you can read. The server goes on
meanwhile. With PostgreSQL it calls pg_dump, which must be installed here and not
be older than the server.

Who has the file has everything, the signing keys too: keep it as you keep those.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			db, err := a.beside(cmd.Context())
			if err != nil {
				return err
			}
			defer db.Close()
			m, err := db.Archive(cmd.Context(), args[0], version, time.Now())
			if err != nil {
				return err
			}
			return a.print(m, func(w io.Writer) {
				fmt.Fprintf(w, "Wrote %s. Put it back with:\n  aval-summarizer restore --data NEWDIR %s\n", args[0], quoteArg(args[0]))
			})
		},
	}
	a.dataFlag(cmd)
	return cmd
}

func (a *app) restoreCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "restore --data DIR [--database ADDRESS] FILE", Short: "Make a data folder out of a backup",
		Long: `Makes the data folder DIR, which must be empty or not there, out of a backup; one
of PostgreSQL goes into the empty database that --database names, by pg_restore.

What came after the backup is missing: computers deliver again only what they were
not acknowledged. Computers that have enrolled since must enrol again.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.needData(); err != nil {
				return err
			}
			m, err := store.Unpack(cmd.Context(), a.data, a.database, args[0])
			if errors.Is(err, store.ErrUnsupported) {
				return usageError{err}
			}
			if err != nil {
				return err
			}
			return a.print(m, func(w io.Writer) {
				fmt.Fprintf(w, "Restored what was backed up at %s. Start it with:\n  aval-summarizer serve --data %s\n", m.MadeAt.Format(time.RFC3339), quoteArg(a.data))
			})
		},
	}
	a.dataFlag(cmd)
	return cmd
}
