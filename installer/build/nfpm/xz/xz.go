// Package xz stands in the place of the module of this name, with which nfpm and
// rpmpack compress packages: it has the system's xz do it, which makes them a
// third smaller than Go's own, whose window is 8 MiB and whose search is short.
// The programs have much in common, so the window must hold all of them.
//
// The one rule that must not be broken: one thread. With more, xz cuts the
// data into blocks, and the bytes depend on how many there are.
package xz

import (
	"fmt"
	"io"
	"os/exec"
	"strings"
)

// Preset is xz's own (xz(1)): 9 has a window of 64 MiB, and whoever unpacks needs
// as much memory.
var Preset = 9

// Writer compresses what is written to it.
type Writer struct {
	in   io.WriteCloser
	cmd  *exec.Cmd
	said strings.Builder
}

// NewWriter starts to write compressed data to w.
func NewWriter(w io.Writer) (*Writer, error) {
	x := &Writer{cmd: exec.Command("xz", fmt.Sprintf("-%d", Preset), "--threads=1", "--no-sparse", "--compress", "--stdout")}
	x.cmd.Env = []string{} // XZ_OPT and XZ_DEFAULTS would change it
	x.cmd.Stdout, x.cmd.Stderr = w, &x.said
	var err error
	if x.in, err = x.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := x.cmd.Start(); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	return x, nil
}

// Write implements io.Writer.
func (x *Writer) Write(p []byte) (int, error) { return x.in.Write(p) }

// Close ends the data; what was written is complete then. It is called once.
func (x *Writer) Close() error {
	closed := x.in.Close()
	if err := x.cmd.Wait(); err != nil {
		return fmt.Errorf("compress: %w: %s", err, strings.TrimSpace(x.said.String()))
	}
	return closed
}
