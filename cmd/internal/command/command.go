// Package command is what the two command lines say in the same way: what was
// wrong with a call, an error in one sentence, and a result for people or as JSON.
//
// The one rule that must not be broken: an error goes to standard error, once,
// and with --json it is one object that holds nothing else.
package command

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// Wrong tells whether err is one of those that cobra and pflag make of wrong
// words; they have no type of their own.
func Wrong(err error) bool {
	for _, p := range []string{"unknown command", "unknown flag", "unknown shorthand flag", "flag needs an argument",
		"invalid argument", "required flag", "accepts ", "requires at least", "bad flag syntax", "if any flags in the group"} {
		if strings.HasPrefix(err.Error(), p) {
			return true
		}
	}
	return false
}

// AsksJSON tells whether --json stands among the arguments. A call whose words are
// wrong is told so in the form that it asked for, though its flags were read no
// further than to the mistake.
func AsksJSON(args []string) bool {
	for _, a := range args {
		switch a {
		case "--":
			return false
		case "--json", "--json=true":
			return true
		}
	}
	return false
}

// Topics makes the commands that cobra adds by itself say, like all others, when
// there is no command of a name: help, which prints the program's help instead,
// and completion, which prints its own. To be called once all commands are there and
// it is known where they write.
func Topics(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Args = func(_ *cobra.Command, args []string) error {
				found, rest, err := root.Find(args)
				if err == nil && len(rest) > 0 {
					err = fmt.Errorf("unknown command %q for %q", rest[0], found.CommandPath())
				}
				return err
			}
		case "completion":
			c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
		}
	}
}

// Failure is an error as people and programs are told it: what happened and what
// to do. Code is a word for programs; it may be empty.
type Failure struct {
	Code    string `json:"code,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// Report writes f to w: {"error": f} as JSON, or a sentence after the program's name.
func (f Failure) Report(w io.Writer, program string, asJSON bool) {
	if asJSON {
		_ = json.NewEncoder(w).Encode(map[string]Failure{"error": f})
		return
	}
	text := f.Message
	if f.Hint != "" {
		text += ": " + f.Hint
	}
	fmt.Fprintln(w, program+":", text)
}

// Print writes v as JSON, or lets text write it for people.
func Print(w io.Writer, asJSON bool, v any, text func(io.Writer)) error {
	if !asJSON {
		text(w)
		return nil
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// ReadFile reads a file, or in for -, of at most max bytes. A larger one is an
// error, for half of it would be something else.
func ReadFile(name string, in io.Reader, max int64) ([]byte, error) {
	if name == "-" {
		name = "standard input"
	} else {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("read file: %w", err)
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, max+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if int64(len(raw)) > max {
		return nil, fmt.Errorf("%s is larger than %d bytes", name, max)
	}
	return raw, nil
}

// Version gives root, which takes no arguments of its own, the flag --version.
// Cobra has one, but setting its text brings text/template into the program,
// which calls methods by names that are known at run time only: the linker must
// then keep every exported method of every type, and aval is a quarter larger.
func Version(root *cobra.Command, version string) {
	asked := root.Flags().BoolP("version", "v", false, "version of "+root.Name())
	run := root.RunE
	root.RunE = func(cmd *cobra.Command, args []string) error {
		if !*asked {
			return run(cmd, args)
		}
		_, err := fmt.Fprintln(cmd.OutOrStdout(), root.Name(), version)
		return err
	}
}
