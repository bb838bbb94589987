// Command nfpm writes one package out of a description on standard input: JSON
// in the form of nfpm's configuration, which is YAML.
//
// It is a module of its own, so that what nfpm needs decides nothing about what
// the agent is linked with.
//
// The one rule that must not be broken: nothing of the building machine goes
// into a package: no time, no name, no owner.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb"
	_ "github.com/goreleaser/nfpm/v2/rpm"
	"github.com/ulikunitz/xz"
)

func main() {
	format := flag.String("format", "", "deb or rpm")
	out := flag.String("out", "", "the package's file")
	flag.IntVar(&xz.Preset, "preset", xz.Preset, "how hard xz tries")
	flag.Parse()
	if err := write(*format, *out); err != nil {
		fmt.Fprintln(os.Stderr, "nfpm:", err)
		os.Exit(1)
	}
}

func write(format, out string) error {
	config, err := nfpm.Parse(os.Stdin)
	if err != nil {
		return fmt.Errorf("read description: %w", err)
	}
	info, err := config.Get(format)
	if err != nil {
		return fmt.Errorf("description for %s: %w", format, err)
	}
	if info.MTime.IsZero() {
		return errors.New("the description has no mtime: the package would hold the time of its making")
	}
	packager, err := nfpm.Get(format)
	if err != nil {
		return err
	}
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	if err := packager.Package(nfpm.WithDefaults(info), f); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", out, err), f.Close(), os.Remove(out))
	}
	return f.Close()
}
