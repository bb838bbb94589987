package store

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A backup is one tar file, 0600: manifest.json first, the files of the data
// folder under data/ (keys, the certificate, credit rules), and the database last.
// It opens everything: it is to be kept like the keys themselves.

const manifestName = "manifest.json"

// Manifest says what a backup is.
type Manifest struct {
	Format   int       `json:"format"` // 1
	Version  string    `json:"version"`
	MadeAt   time.Time `json:"made_at"`
	Schema   int64     `json:"schema"`
	Database string    `json:"database"` // the name of the file in the archive
}

// left is what a backup leaves out of the data folder: the database itself, its
// address with the password, the lock, and what is handed out once.
func left(name string) bool {
	top, _, _ := strings.Cut(name, "/")
	return strings.HasPrefix(top, File) || strings.HasPrefix(top, ".") || slices.Contains([]string{AddressFile, "lock", "first-start"}, top)
}

// Archive writes a backup of the database and the data folder to a new file, while
// servers go on. Nothing is left of it where it fails.
func (db *DB) Archive(ctx context.Context, file, version string, now time.Time) (m Manifest, err error) {
	out, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return m, fmt.Errorf("write backup: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, out.Close(), os.Remove(file))
		}
	}()
	// Beside the backup, where there must be room for it anyway.
	work, err := os.MkdirTemp(filepath.Dir(file), ".aval-backup-*") // made 0700
	if err != nil {
		return m, fmt.Errorf("write backup: %w", err)
	}
	defer os.RemoveAll(work)
	f, err := db.Inspect(ctx)
	if err != nil {
		return m, err
	}
	m = Manifest{Format: 1, Version: version, MadeAt: now.UTC(), Schema: f.Schema}
	if m.Database, err = db.engine.backup(ctx, db, work); err != nil {
		return m, fmt.Errorf("back up %s: %w", db.Where(), err)
	}
	t := tar.NewWriter(out)
	raw, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return m, err
	}
	if err = addBytes(t, manifestName, raw, now); err != nil {
		return m, err
	}
	err = fs.WalkDir(os.DirFS(db.dir), ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != "." && left(name):
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !e.Type().IsRegular():
			return nil
		}
		raw, err := os.ReadFile(filepath.Join(db.dir, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		return addBytes(t, "data/"+name, raw, now)
	})
	if err == nil {
		err = addFile(t, m.Database, filepath.Join(work, m.Database), now)
	}
	if err == nil {
		err = t.Close()
	}
	if err == nil {
		err = out.Sync()
	}
	if err == nil {
		err = out.Close()
	}
	if err != nil {
		return m, fmt.Errorf("write backup: %w", err)
	}
	return m, nil
}

func addBytes(t *tar.Writer, name string, raw []byte, now time.Time) error {
	if err := t.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(raw)), ModTime: now}); err != nil {
		return err
	}
	_, err := t.Write(raw)
	return err
}

func addFile(t *tar.Writer, name, file string, now time.Time) error {
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return err
	}
	if err := t.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: st.Size(), ModTime: now}); err != nil {
		return err
	}
	_, err = io.Copy(t, in)
	return err
}

// Unpack makes a data folder out of a backup: dir must be empty or not there, and
// so must the database at address (empty: the embedded one). Agents take what the
// servers sign from then on, see Tx.Restored. Where it fails, dir is as it was.
func Unpack(ctx context.Context, dir, address, file string) (m Manifest, err error) {
	in, err := os.Open(file)
	if err != nil {
		return m, fmt.Errorf("read backup: %w", err)
	}
	defer in.Close()
	if list, err := os.ReadDir(dir); err == nil && len(list) > 0 {
		return m, fmt.Errorf("restore into %s: %w; name a new folder with --data", dir, ErrExists)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return m, notWritable(dir, err)
	}
	work, err := os.MkdirTemp(filepath.Dir(dir), ".aval-restore-*")
	if err != nil {
		return m, notWritable(dir, err)
	}
	defer os.RemoveAll(work)
	if err := unpack(in, work, &m); err != nil {
		return m, fmt.Errorf("read backup %s: %w", file, err)
	}
	data := filepath.Join(work, "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return m, err
	}
	e, err := engineOf(data, address)
	if err != nil {
		return m, err
	}
	if err := e.restore(ctx, filepath.Join(work, m.Database)); err != nil {
		return m, fmt.Errorf("restore the database: %w", err)
	}
	db, err := Open(ctx, data, Database(address)) // and brings it to this version's schema
	if err != nil {
		return m, err
	}
	err = errors.Join(db.Tx(ctx, func(t *Tx) error { return t.Restored() }), db.Remember(), db.Close())
	if err != nil {
		return m, fmt.Errorf("restore: %w", err)
	}
	_ = os.Remove(filepath.Join(data, "lock"))
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return m, err
	}
	return m, os.Rename(data, dir)
}

// unpack reads a backup's files into work. Its names are looked at: an archive
// from elsewhere must not write elsewhere.
func unpack(in io.Reader, work string, m *Manifest) error {
	t := tar.NewReader(in)
	for first := true; ; first = false {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			if m.Format == 0 {
				return errors.New("it is empty")
			}
			if _, err := os.Stat(filepath.Join(work, m.Database)); err != nil {
				return errors.New("its end is missing")
			}
			return nil
		}
		if err != nil {
			return errors.New("it is no backup of this program, or damaged")
		}
		switch {
		case first:
			if h.Name != manifestName || h.Size > 1<<16 {
				return errors.New("it is no backup of this program")
			}
			raw, err := io.ReadAll(t)
			if err != nil || json.Unmarshal(raw, m) != nil || m.Format != 1 || m.Database != backupSQLite && m.Database != backupPostgres {
				return errors.New("it is no backup of this program, or of a newer version")
			}
			continue
		case h.Typeflag != tar.TypeReg, !filepath.IsLocal(filepath.FromSlash(h.Name)),
			h.Name != m.Database && (!strings.HasPrefix(h.Name, "data/") || left(strings.TrimPrefix(h.Name, "data/"))):
			return fmt.Errorf("it holds %q, which no backup does", h.Name)
		}
		path := filepath.Join(work, filepath.FromSlash(h.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, t)
		if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
			return errors.New("it is damaged")
		}
	}
}
