package journal

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Options say what is read of the journal.
type Options struct {
	// Matches are FIELD=VALUE, all of one field are alternatives, and "+" between
	// two makes alternatives of what is on its sides (journalctl(1)). Empty: all.
	Matches []string
	// Fields are those that are wanted; the time and the place always come.
	Fields []string
	// Namespace of the journal; empty: the system's.
	Namespace string
	Log       *slog.Logger
	// Ready is called when whatever is written from now on will be delivered; may be nil.
	Ready func()
}

// program is the only one that is run: never one that a PATH names.
const program = "/usr/bin/journalctl"

// ErrNone: this system has no journal, or no program that reads it.
var ErrNone = errors.New("this system has no journal that can be read")

// Again is how long is waited before journalctl is started anew; doubling.
const (
	againFirst = time.Second
	againMax   = time.Minute
)

// Available tells whether there is a journal on this computer.
func Available() bool {
	_, err1 := os.Stat(program)
	_, err2 := os.Stat("/run/systemd/journal/socket")
	return err1 == nil && err2 == nil
}

// Follow delivers the entries that are written from now on, one after the other,
// each once, until ctx ends, which is no error. journalctl waits for the journal's
// notices, across its rotation; where it ends, it is started again behind the
// entry that came last.
func Follow(ctx context.Context, o Options, each func(Entry)) error {
	if _, err := os.Stat(program); err != nil {
		return fmt.Errorf("follow the journal: %w", ErrNone)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	id, err := os.ReadFile("/etc/machine-id") // machine-id(5)
	machine := strings.TrimSpace(string(id))
	if err != nil || machine == "" {
		return fmt.Errorf("follow the journal: this computer has no machine-id: %w", ErrNone)
	}
	cursor, err := last(ctx, o)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	if o.Ready != nil {
		o.Ready()
	}
	for wait := againFirst; ; wait = min(2*wait, againMax) {
		began := time.Now()
		err := follow(ctx, o, machine, &cursor, each)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) > againMax {
			wait = againFirst
		}
		o.Log.Warn("journalctl ended", "err", err, "again_in", wait)
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-t.C:
		}
	}
}

func command(ctx context.Context, o Options, args ...string) *exec.Cmd {
	// --merge, for --follow alone shows those entries only whose boot is the running
	// one, which a unit in a container is told wrongly: ProtectKernelTunables shows
	// it the file of the host. What is merged from other computers is left out.
	args = append([]string{"--quiet", "--no-pager", "--output=json", "--merge"}, args...)
	if o.Namespace != "" {
		args = append(args, "--namespace="+o.Namespace)
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin"}
	cmd.WaitDelay = time.Second
	return cmd
}

// last is the place of the newest entry; empty: there is none.
func last(ctx context.Context, o Options) (string, error) {
	out, err := command(ctx, o, "--lines=1", "--output-fields=_PID").Output()
	if err != nil {
		return "", fmt.Errorf("find the end of the journal: %w", detail(err))
	}
	if out = bytes.TrimSpace(out); len(out) == 0 {
		return "", nil
	}
	e, err := Decode(out)
	if err != nil || e.Cursor == "" {
		return "", fmt.Errorf("find the end of the journal: %w", errEntry)
	}
	return e.Cursor, nil
}

// detail adds what a program said of its failure.
func detail(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	return err
}

func follow(ctx context.Context, o Options, machine string, cursor *string, each func(Entry)) error {
	args := []string{"--follow", "--no-tail"}
	if len(o.Fields) > 0 {
		args = append(args, "--output-fields="+strings.Join(o.Fields, ",")+",_MACHINE_ID")
	}
	if *cursor != "" {
		args = append(args, "--after-cursor="+*cursor)
	}
	cmd := command(ctx, o, append(args, o.Matches...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	r := bufio.NewReaderSize(out, 16<<10)
	for {
		line, err := readLine(r)
		if err != nil {
			break
		}
		if e, err := Decode(line); err == nil {
			if e.Fields["_MACHINE_ID"] == machine {
				each(e)
			}
			*cursor = e.Cursor
		}
	}
	return cmd.Wait()
}

// readLine reads a line of at most maxEntry bytes; of a longer one nothing.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	long := false
	for {
		part, err := r.ReadSlice('\n')
		if !long {
			line = append(line, part...)
		}
		if len(line) > maxEntry {
			line, long = nil, true
		}
		if err == nil {
			return line, nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
	}
}
