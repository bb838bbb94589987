package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Names of the database within a backup.
const (
	backupSQLite   = "aval.db"     // a whole database file
	backupPostgres = "aval.pgdump" // pg_dump's own format, for pg_restore
)

func (e *sqliteEngine) backup(ctx context.Context, db *DB, dir string) (string, error) {
	// It reads one snapshot, with the log, and leaves nothing of what was erased.
	_, err := db.write.ExecContext(ctx, `VACUUM INTO $1`, filepath.Join(dir, backupSQLite))
	return backupSQLite, e.explain(err)
}

func (e *sqliteEngine) restore(_ context.Context, file string) error {
	if filepath.Base(file) != backupSQLite {
		return fmt.Errorf("%w: the backup is PostgreSQL's; name an empty database with --database", ErrUnsupported)
	}
	if _, err := os.Lstat(e.path); err == nil {
		return fmt.Errorf("%w: %s", ErrExists, e.path)
	}
	if err := os.Chmod(file, 0o600); err != nil {
		return err
	}
	return os.Rename(file, e.path)
}

func (e *postgresEngine) backup(ctx context.Context, _ *DB, dir string) (string, error) {
	return backupPostgres, e.tool(ctx, "pg_dump", "--format=custom", "--no-owner", "--no-privileges", "--file="+filepath.Join(dir, backupPostgres))
}

func (e *postgresEngine) restore(ctx context.Context, file string) error {
	if filepath.Base(file) != backupPostgres {
		return fmt.Errorf("%w: the backup is the embedded database's; leave --database out", ErrUnsupported)
	}
	return e.tool(ctx, "pg_restore", "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", file)
}

// tool runs a program of PostgreSQL's on the database. The password goes by the
// environment, which other users cannot see.
func (e *postgresEngine) tool(ctx context.Context, name string, args ...string) error {
	path, err := exec.LookPath(name)
	if err != nil {
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name) // the pattern is well-formed
		if len(found) == 0 {
			return fmt.Errorf("%s is not installed here (Debian: postgresql-client)", name)
		}
		path = found[len(found)-1]
	}
	u, err := url.Parse(e.address)
	if err != nil {
		return errors.New("the address cannot be read")
	}
	if u.User != nil {
		u.User = url.User(u.User.Username())
	}
	q := u.Query()
	q.Del("password")
	u.RawQuery = q.Encode()
	cmd := exec.CommandContext(ctx, path, append([]string{"--dbname=" + u.String()}, args...)...)
	cmd.Env = os.Environ()
	if e.config.Password != "" {
		cmd.Env = append(cmd.Env, "PGPASSWORD="+e.config.Password)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		said := strings.Join(strings.Fields(string(out)), " ")
		return fmt.Errorf("%s: %w: %s", name, err, said[:min(len(said), 500)])
	}
	return nil
}

// Restored has agents take what the servers sign from now on, after a backup was
// put in place: they have seen newer versions than the backup knows, and refuse
// what is older.
func (t *Tx) Restored() error {
	if _, err := t.exec(`INSERT INTO device_options (device, version, settings_version, signed_at, expires_at, envelope)
		SELECT o.device, o.version + 100000, 0, o.signed_at, o.expires_at, o.envelope FROM device_options o
		WHERE o.version = (SELECT MAX(m.version) FROM device_options m WHERE m.device = o.device)`); err != nil {
		return err
	}
	_, err := t.exec(`UPDATE companies SET settings_version = settings_version + 100000`)
	return err
}
