package watch

import "testing"

// TestHooked: whose service a running x11vnc tells. Leave the capture groups of
// socketRE out and the quoted ones fail.
func TestHooked(t *testing.T) {
	for _, tt := range []struct {
		name, line, socket string
		ok                 bool
	}{
		{"none of ours", "logger accepted", "", false},
		{"the installed one", `aval session begin --tool x11vnc --id "$X" || :`, "", true},
		{"quoted", `'/opt/aval' session begin --socket '/tmp/a b/agent.sock' --tool x11vnc`, "/tmp/a b/agent.sock", true},
		{"double quoted", `aval session begin --socket "/run/x.sock" --id 1`, "/run/x.sock", true},
		{"bare", "aval session begin --socket=/run/x.sock --id 1", "/run/x.sock", true},
	} {
		for _, hook := range []string{"-accept", "-afteraccept", "--accept"} {
			socket, ok := hooked([]string{"x11vnc", "-display", ":1", hook, tt.line})
			if socket != tt.socket || ok != tt.ok {
				t.Errorf("%s, %s: %q %v", tt.name, hook, socket, ok)
			}
		}
	}
}
