package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"modernc.org/sqlite"
)

// Errors that callers tell apart. The first six carry a sentence for the
// administrator in the error that wraps them.
var (
	ErrInUse       = errors.New("the data folder is in use by another server")
	ErrNotWritable = errors.New("the data folder cannot be written")
	ErrDamaged     = errors.New("the database is damaged")
	ErrNewer       = errors.New("the database is from a newer version")
	ErrUnsupported = errors.New("this database is not supported")
	ErrNoStore     = errors.New("there is no usable database")

	ErrNotFound  = errors.New("not found")
	ErrExists    = errors.New("exists already")
	ErrLeaseLost = errors.New("the job's lease was lost")
	ErrBusy      = errors.New("the database is busy")
	ErrNoCredit  = errors.New("no credit left")
)

// Result codes of SQLite, https://www.sqlite.org/rescode.html; extended codes
// carry the primary one in their low byte.
const (
	sqliteBusy     = 5
	sqliteReadOnly = 8
	sqliteIOErr    = 10
	sqliteCorrupt  = 11
	sqliteFull     = 13
	sqliteCantOpen = 14
	sqliteNotADB   = 26
)

// explain turns SQLite's codes into one of the errors above, with a hint.
func explain(path string, err error) error {
	for _, known := range []error{ErrDamaged, ErrNewer, ErrNoStore} {
		if errors.Is(err, known) {
			return fmt.Errorf("open %s: %w", path, err)
		}
	}
	var se *sqlite.Error
	if !errors.As(err, &se) {
		return err
	}
	switch se.Code() & 0xff {
	case sqliteCorrupt, sqliteNotADB:
		return fmt.Errorf("%w: %s cannot be read (%s); nothing was changed: put a backup in its place, or move the file away to begin anew", ErrDamaged, path, err)
	case sqliteReadOnly, sqliteCantOpen:
		return fmt.Errorf("%w: %s (%s); give this user the right to write there", ErrNotWritable, path, err)
	case sqliteFull:
		return fmt.Errorf("%w: no space left for %s; free some, nothing that was acknowledged is lost: %w", ErrNotWritable, path, err)
	case sqliteIOErr:
		return fmt.Errorf("%w: %s (%s); look at the disk", ErrNotWritable, path, err)
	case sqliteBusy:
		return fmt.Errorf("%w: %s is locked by another program: %w", ErrBusy, path, err)
	}
	return err
}

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

// scheme is the part of a database URL that may be shown: never its password.
func scheme(u string) string {
	s, _, _ := strings.Cut(u, "://")
	return s + "://…"
}
