package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// Errors that callers tell apart. The first eight carry a sentence for the
// administrator in the error that wraps them.
var (
	ErrInUse       = errors.New("the data folder is in use by another server")
	ErrNotWritable = errors.New("the data cannot be written")
	ErrDamaged     = errors.New("the database is damaged")
	ErrNewer       = errors.New("the database is from a newer version")
	ErrUnsupported = errors.New("this database is not supported")
	ErrNoStore     = errors.New("there is no usable database")
	ErrUnreachable = errors.New("the database cannot be reached")
	ErrSignIn      = errors.New("the database does not let this server in")

	ErrNotFound  = errors.New("not found")
	ErrExists    = errors.New("exists already")
	ErrLeaseLost = errors.New("the job's lease was lost")
	ErrBusy      = errors.New("the database is busy")
	ErrNoCredit  = errors.New("no credit left")
)

func notWritable(dir string, err error) error {
	hint := "give this user the right to write there, or name another folder with --data"
	if errors.Is(err, fs.ErrExist) || strings.Contains(err.Error(), "not a directory") {
		hint = "it is not a folder; name another one with --data"
	}
	var pe *os.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return fmt.Errorf("%w: %s (%w); %s", ErrNotWritable, dir, err, hint)
}
