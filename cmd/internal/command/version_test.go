package command

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestVersion(t *testing.T) {
	for _, tt := range []struct{ args, want string }{{"--version", "tool 1.2.3\n"}, {"-v", "tool 1.2.3\n"}, {"", "ran"}} {
		var out strings.Builder
		root := &cobra.Command{Use: "tool", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error { out.WriteString("ran"); return nil }}
		Version(root, "1.2.3")
		root.SetOut(&out)
		root.SetArgs(strings.Fields(tt.args))
		if err := root.Execute(); err != nil || out.String() != tt.want {
			t.Errorf("%q: %q, %v", tt.args, out.String(), err)
		}
	}
}

// TestTopics: a command that is not there is a mistake for help and completion, too,
// and a mistake is told as JSON wherever --json stands. Leave Topics out, and it fails.
func TestTopics(t *testing.T) {
	for args, wrong := range map[string]bool{
		"help": false, "help run": false, "help run deep": false, "run --help": false, "completion": false, "completion bash": false,
		"help walk": true, "help run walk": true, "help run deep walk": true, "completion walk": true, "completion bash walk": true, "run walk": true,
	} {
		root := &cobra.Command{Use: "tool", Args: cobra.NoArgs, SilenceErrors: true, SilenceUsage: true, RunE: func(*cobra.Command, []string) error { return nil }}
		run := &cobra.Command{Use: "run", Args: cobra.NoArgs, RunE: root.RunE}
		run.AddCommand(&cobra.Command{Use: "deep", Args: cobra.NoArgs, RunE: root.RunE})
		root.AddCommand(run)
		var out strings.Builder
		root.SetOut(&out)
		root.SetErr(&out)
		Topics(root)
		root.SetArgs(strings.Fields(args))
		if err := root.Execute(); (err != nil) != wrong || wrong && !Wrong(err) {
			t.Errorf("%s: %v", args, err)
		} else if !wrong && out.Len() == 0 {
			t.Errorf("%s says nothing", args)
		}
	}
	for args, want := range map[string]bool{"": false, "--x": false, "--x --json": true, "--json=true y": true, "--json=false": false, "-- --json": false} {
		if got := AsksJSON(strings.Fields(args)); got != want {
			t.Errorf("%q: %v", args, got)
		}
	}
}
