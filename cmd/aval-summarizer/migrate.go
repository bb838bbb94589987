package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"aval/summarizer/store"
)

// tellEvery is how often migrate says how far a long table is.
const tellEvery = 2 * time.Second

func (a *app) migrateCmd() *cobra.Command {
	var from string
	cmd := &cobra.Command{
		Use: "migrate --from DIR --data NEWDIR --database ADDRESS", Short: "Move an embedded database into PostgreSQL",
		Long: `Makes the data folder NEWDIR, which must be empty or not there, out of DIR, whose
database is the embedded one: all tables go into the PostgreSQL database at ADDRESS,
which must hold nothing, and the keys, the certificate and the credit rules into
NEWDIR. The server of DIR must be stopped. DIR is only read.

All rows arrive in one transaction, and it is committed when what can be read
there has the same count and the same sum for every table. Computers need nothing:
they know the server by its address and its key. Do not start the server of DIR
again afterwards: what it acknowledged would be missing in the new one.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if from == "" {
				return usageError{errors.New("name the folder whose database is moved: --from DIR")}
			}
			if err := a.needData(); err != nil {
				return err
			}
			if a.database == "" {
				return usageError{errors.New("name the database: --database postgres://USER@HOST/NAME")}
			}
			var last time.Time
			list, err := store.Convert(cmd.Context(), from, a.data, a.database, func(table string, done, all int64) {
				if now := time.Now(); done < all && now.Sub(last) > tellEvery {
					last = now
					fmt.Fprintf(a.errOut, "%s: %d of %d\n", table, done, all)
				}
			})
			if err != nil {
				return err
			}
			return a.print(map[string]any{"data": a.data, "tables": list}, func(w io.Writer) {
				t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
				for _, c := range list {
					fmt.Fprintf(t, "%s\t%d rows\t%s…\n", c.Table, c.Rows, c.Sum[:16])
				}
				_ = t.Flush() // to what is printed to: reported by print
				fmt.Fprintf(w, "\nEvery table has arrived as it was. %s is unchanged: keep it until you are sure, and do not start its server again.\n", from)
				fmt.Fprintf(w, "Check and start:\n  aval-summarizer verify --data %[1]s\n  aval-summarizer audit verify --data %[1]s\n  aval-summarizer serve --data %[1]s\n", quoteArg(a.data))
			})
		},
	}
	a.dataFlag(cmd)
	cmd.Flags().StringVar(&from, "from", "", "the data folder whose embedded database is moved")
	_ = cmd.MarkFlagDirname("from")
	return cmd
}
