package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"aval/agent/ipc"
	"aval/agent/store"
)

// TestPurge: the data of a service that runs stays, and so does a folder that is
// none of ours; what is stopped goes whole. To see it fail: leave the look for the lock
// out of purge, and somebody's folder is made one of ours and removed.
func TestPurge(t *testing.T) {
	theirs := t.TempDir()
	mine := filepath.Join(theirs, "mine")
	if err := os.WriteFile(mine, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := purge(theirs, true); err == nil {
		t.Error("somebody's folder was removed")
	}
	if _, err := os.Stat(mine); err != nil {
		t.Error(err)
	}
	dir := filepath.Join(t.TempDir(), "state")
	st, err := store.Open(dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var e *ipc.Error
	if _, err := purge(dir, true); !errors.As(err, &e) || e.Code != ipc.CodeRefused {
		t.Errorf("of a service that runs: %v", err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	if p, err := purge(dir, false); err != nil || !p.Removed {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
	if p, err := purge(dir, false); err != nil || !p.Removed {
		t.Errorf("again: %+v, %v", p, err)
	}
}

// TestOthersFolder: who may not open a service's folder is told of rights (exit code 3),
// also where the error came from another system's calls.
func TestOthersFolder(t *testing.T) {
	for err, refused := range map[error]bool{
		fmt.Errorf("open: %w", store.ErrForeign): true, fmt.Errorf("open: %w", fs.ErrPermission): true,
		store.ErrUnsafe: false, errors.New("the disk is broken"): false,
	} {
		var e *ipc.Error
		if got := errors.As(errKept(err), &e) && e.Code == ipc.CodeRefused; got != refused {
			t.Errorf("%v: %v", err, errKept(err))
		}
	}
}
