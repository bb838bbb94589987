package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"aval/agent/ipc"
	"aval/agent/service"
	"aval/agent/store"
)

// purged says what became of the service's data.
type purged struct {
	Dir     string `json:"dir"`
	Removed bool   `json:"removed"`
	Waiting uint64 `json:"waiting"` // events that the company has not acknowledged
}

func (a *app) purgeCmd() *cobra.Command {
	var dir string
	var unsent bool
	cmd := &cobra.Command{
		Use: "purge", Short: "Remove the data of a service that is stopped, and what its installer has set",
		Long: `Removes the service's folder: records, settings, this computer's key. The service
must be stopped. Events that the company has not got yet are kept, with all that
belongs to them, unless --unsent is given; then they are lost.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			p, err := purge(dir, unsent)
			if dir == defaultStateDir && (err == nil || p.Waiting > 0) { // no service runs
				err = errors.Join(err, forgetSetup())
			}
			if err != nil {
				return err
			}
			return a.print(p, func(w io.Writer) { fmt.Fprintf(w, "%s is removed; %d events were never sent.\n", p.Dir, p.Waiting) })
		},
	}
	cmd.Flags().StringVar(&dir, "state-dir", defaultStateDir, "folder of the service's data")
	cmd.Flags().BoolVar(&unsent, "unsent", false, "also lose what was not sent")
	return cmd
}

// endsWithin is how long a service that was told to stop may take to be gone.
const endsWithin = 2 * service.StopLimit

// purge removes the folder of a service. It is opened first, which its user alone
// can do, and which shows that it is one.
func purge(dir string, unsent bool) (purged, error) {
	p := purged{Dir: dir}
	if _, err := os.Stat(filepath.Join(dir, "lock")); errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			return purged{Dir: dir, Removed: true}, nil // never there
		}
		return p, fmt.Errorf("%s is not the folder of a service", dir)
	}
	st, err := store.Open(dir, store.Options{})
	for end := time.Now().Add(endsWithin); errors.Is(err, store.ErrInUse) && time.Now().Before(end); {
		st, err = store.Open(dir, store.Options{}) // which waits a while itself
	}
	if errors.Is(err, store.ErrInUse) {
		return p, &ipc.Error{Code: ipc.CodeRefused, Message: "the service runs, so its data stays", Hint: "stop it first: aval stop"}
	}
	if err != nil {
		return p, errKept(err)
	}
	streams, err := st.Streams()
	if cerr := st.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return p, fmt.Errorf("look at what is kept: %w", err)
	}
	p.Waiting = waitingIn(streams)
	if p.Waiting > 0 && !unsent {
		return p, &ipc.Error{Code: ipc.CodeRefused, Message: fmt.Sprintf("%d events wait to be sent, so nothing is removed", p.Waiting),
			Hint: "let the service send them, or lose them with --unsent"}
	}
	if err := removeTree(dir); err != nil {
		return p, fmt.Errorf("remove %s: %w", dir, err)
	}
	p.Removed = true
	return p, nil
}

// removeTree removes a folder with all in it, one name after the other; links are
// removed, not followed. (os.RemoveAll asks Windows for a way of removing that not
// every file system has.)
func removeTree(dir string) error {
	var all []string
	if err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		all = append(all, path)
		return err
	}); err != nil {
		return err
	}
	for _, path := range slices.Backward(all) {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}
