package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"aval/agent/prompt/launch"
)

// saveNew writes a file into the person's own folder for downloads or documents,
// or their home, and never over another. Only they may read it: it names people.
func saveNew(name, ending string, content []byte) (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find home folder: %w", err)
	}
	dir := home
	for _, folder := range []string{"Downloads", "Documents", "Documentos"} {
		if st, err := os.Stat(filepath.Join(home, folder)); err == nil && st.IsDir() {
			dir = filepath.Join(home, folder)
			break
		}
	}
	for n := 1; n < 1000; n++ {
		path := filepath.Join(dir, name+ending)
		if n > 1 {
			path = filepath.Join(dir, fmt.Sprintf("%s-%d%s", name, n, ending))
		}
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("save: %w", err)
		}
		_, err = f.Write(content)
		return path, errors.Join(err, f.Close())
	}
	return "", errors.New("save: there are a thousand files of this name")
}

// printWithin bounds how long the printer's program may take to accept a page.
const printWithin = 20 * time.Second

// printer sends text to the printer by lp (POSIX 1003.1, "lp"); nil where the
// system has none.
func printer() func(string) error {
	lp, err := exec.LookPath("lp")
	if err != nil {
		return nil
	}
	return func(page string) error {
		ctx, cancel := context.WithTimeout(context.Background(), printWithin)
		defer cancel()
		cmd := exec.CommandContext(ctx, lp)
		launch.DropGroup(cmd)
		cmd.Stdin = bytes.NewBufferString(page)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("print: %w: %s", err, out)
		}
		return nil
	}
}
