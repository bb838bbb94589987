package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// Postgres is a PostgreSQL server that a test has started, in a folder that goes
// with it. Who connects to its socket, which only this user and root can, is let
// in without a password.
type Postgres struct {
	Bin      string // the folder of initdb, pg_dump and the others
	Dir      string // its own folder: data, socket, log
	settings []string
	cmd      *exec.Cmd
	died     chan error
}

// startWithin is how long a server may take to be ready, on a busy computer.
const startWithin = 2 * time.Minute

// StartPostgres makes a server with these settings (name=value) and starts it. It
// needs initdb and postgres, in PATH or where Debian puts them.
func StartPostgres(settings ...string) (_ *Postgres, err error) {
	p := &Postgres{settings: settings}
	if p.Bin, err = postgresBin(); err != nil {
		return nil, err
	}
	if p.Dir, err = os.MkdirTemp("", "avalpg"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			p.Stop()
		}
	}()
	if err := own(p.Dir); err != nil {
		return nil, err
	}
	init := exec.Command(filepath.Join(p.Bin, "initdb"), "-D", p.data(), "-U", "aval", "-A", "trust", "-E", "UTF8", "--locale=C", "-N", "--no-instructions")
	if out, err := p.asOwner(init).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(out))
	}
	return p, p.Start()
}

func (p *Postgres) data() string { return filepath.Join(p.Dir, "data") }

// Start starts the server, where it was ended, on what it has stored.
func (p *Postgres) Start() error {
	log, err := os.OpenFile(filepath.Join(p.Dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	args := []string{"-D", p.data(), "-k", p.Dir, "-c", "listen_addresses="}
	for _, s := range p.settings {
		args = append(args, "-c", s)
	}
	p.cmd = p.asOwner(exec.Command(filepath.Join(p.Bin, "postgres"), args...))
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.died = make(chan error, 1)
	if err := p.cmd.Start(); err != nil {
		return err
	}
	go func(cmd *exec.Cmd, died chan error) { died <- cmd.Wait() }(p.cmd, p.died)
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, p.Address("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case why := <-p.died:
			p.died <- why
			said, _ := os.ReadFile(filepath.Join(p.Dir, "log"))
			return fmt.Errorf("postgres ended: %v: %s", why, said)
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Address names a database of the server.
func (p *Postgres) Address(database string) string {
	return "postgres://aval@/" + database + "?host=" + url.QueryEscape(p.Dir)
}

// Exec runs a statement that needs no answer.
func (p *Postgres) Exec(database, statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	conn, err := pgx.Connect(ctx, p.Address(database))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}

// Create makes a database as a copy of another.
func (p *Postgres) Create(name, of string) error {
	return p.Exec("postgres", "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()+" TEMPLATE "+pgx.Identifier{of}.Sanitize())
}

// Let puts a line in front of the rules of who is let in (pg_hba.conf).
func (p *Postgres) Let(line string) error {
	file := filepath.Join(p.data(), "pg_hba.conf")
	rules, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, append([]byte(line+"\n"), rules...), 0o600); err != nil {
		return err
	}
	return p.Exec("postgres", "SELECT pg_reload_conf()")
}

// Kill ends the server as a power cut does: its processes stop where they are.
func (p *Postgres) Kill() { p.end(immediate) }

// Restart ends the server's connections and starts it again.
func (p *Postgres) Restart() error {
	p.end(fast)
	return p.Start()
}

func (p *Postgres) end(how os.Signal) {
	if p.cmd == nil || p.cmd.Process == nil {
		return
	}
	if p.cmd.Process.Signal(how) != nil {
		_ = p.cmd.Process.Kill() // where there are no such signals, or it has ended already
	}
	<-p.died
	p.cmd = nil
}

// Stop ends the server and removes its folder. It is idempotent.
func (p *Postgres) Stop() {
	p.end(immediate)
	_ = os.RemoveAll(p.Dir)
}

// postgresBin finds the newest server that is installed.
func postgresBin() (string, error) {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // the pattern is well-formed
	slices.Sort(dirs)
	if path, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(real)) // what the person has put into PATH counts
		}
	}
	for _, d := range slices.Backward(dirs) {
		if _, err := os.Stat(filepath.Join(d, "initdb")); err == nil {
			return d, nil
		}
	}
	return "", errors.New("initdb and postgres are not installed (Debian: postgresql)")
}
