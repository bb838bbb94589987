package command

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Man adds the hidden command that prints the program's manual page (man(7)),
// made out of the commands themselves. more is what follows them: sections that
// begin with a line of capitals.
func Man(root *cobra.Command, version, more string) {
	root.AddCommand(&cobra.Command{Use: "man", Short: "Print the manual page, in the form of man(7)", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return manPage(cmd.OutOrStdout(), root, version, more) }})
}

func manPage(w io.Writer, root *cobra.Command, version, more string) error {
	var b strings.Builder
	name := root.Name()
	fmt.Fprintf(&b, ".TH %s 1 \"\" \"%s %s\" \"Aval\"\n.nh\n.ad l\n.SH NAME\n%s \\- %s\n", roff(strings.ToUpper(name)), roff(name), roff(version), roff(name), roff(root.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n.I command\n.RI [ arguments ]\n.SH DESCRIPTION\n", roff(name))
	paragraphs(&b, root.Long)
	b.WriteString(".SH OPTIONS OF EVERY COMMAND\n")
	flags(&b, root.PersistentFlags())
	b.WriteString(".SH COMMANDS\n")
	commands(&b, root)
	for line := range strings.Lines(more) {
		line = strings.TrimRight(line, "\n")
		if line != "" && line == strings.ToUpper(line) && !strings.ContainsAny(line, "/$") {
			b.WriteString(".SH " + roff(line) + "\n")
			continue
		}
		text(&b, line)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func commands(b *strings.Builder, parent *cobra.Command) {
	for _, c := range parent.Commands() {
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
			continue
		}
		if c.Runnable() {
			fmt.Fprintf(b, ".SS \"%s\"\n", roff(c.UseLine()))
			long := c.Long
			if long == "" {
				long = c.Short
			}
			paragraphs(b, long)
			flags(b, c.LocalNonPersistentFlags())
		}
		commands(b, c)
	}
}

// flags writes one paragraph with its tag for each.
func flags(b *strings.Builder, set *pflag.FlagSet) {
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" || f.Name == "version" {
			return
		}
		kind, usage := pflag.UnquoteUsage(f)
		fmt.Fprintf(b, ".TP\n.B \\-\\-%s", roff(f.Name))
		if kind != "" {
			fmt.Fprintf(b, " \\fI%s\\fR", roff(kind))
		}
		b.WriteString("\n")
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "[]" && f.DefValue != "0" && f.DefValue != "0s" {
			usage += " (default " + f.DefValue + ")"
		}
		text(b, usage)
	})
}

// paragraphs writes text as it stands: an indented line is an example.
func paragraphs(b *strings.Builder, s string) {
	example := false
	for line := range strings.Lines(s) {
		line = strings.TrimRight(line, "\n")
		indented := strings.HasPrefix(line, "  ")
		switch {
		case line == "":
			b.WriteString(".PP\n")
			continue
		case indented && !example:
			b.WriteString(".nf\n")
		case !indented && example:
			b.WriteString(".fi\n")
		}
		example = indented
		text(b, line)
	}
	if example {
		b.WriteString(".fi\n")
	}
}

// text writes one line of text, which is no request even where it begins like one.
func text(b *strings.Builder, line string) {
	if line == "" {
		b.WriteString(".PP\n")
		return
	}
	if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
		b.WriteString(`\&`)
	}
	b.WriteString(roff(line) + "\n")
}

// roff escapes what has a meaning of its own in man(7).
func roff(s string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`, `"`, `\(dq`, "…", `...`, "'", `\(aq`,
		"|", `|\:`, ",", `,\:`).Replace(s) // a line may break after these
}
