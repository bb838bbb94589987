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
