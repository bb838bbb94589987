// Package repair is one scripted repair and the score of what was recorded of
// it: how many of its steps are there with their command, how many at least by
// their program's name, and how much is there that nobody did.
//
// The one rule that must not be broken: the score is computed from the script
// and from what left the computer, and from nothing that the programs know.
package repair

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed script.txt
var script string

// Step is one line of the script.
type Step struct {
	Line string
	// Commands are the programs that the line runs, each with its arguments as
	// the program gets them; none for a line that the shell does by itself.
	Commands [][]string
}

// builtins are done by the shell itself, so that no program shows.
var builtins = []string{"cd", "echo", "true", "umask", "exit", "export"}

// Steps reads the script for a folder and a package.
func Steps(folder, pack string) []Step {
	var out []Step
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		line = strings.NewReplacer("{D}", folder, "{P}", pack).Replace(line)
		out = append(out, Step{line, commands(line)})
	}
	return out
}

// commands splits a line at its operators; the script has no others, and quotes
// only around one argument.
func commands(line string) [][]string {
	var all [][]string
	var cmd []string
	end := func() {
		if len(cmd) > 0 && !slices.Contains(builtins, cmd[0]) {
			all = append(all, cmd)
		}
		cmd = nil
	}
	quoted, skip := "", false
	for _, w := range strings.Fields(line) {
		switch {
		case quoted != "":
			quoted += " " + w
			if strings.HasSuffix(w, `"`) {
				cmd, quoted = append(cmd, strings.Trim(quoted, `"`)), ""
			}
		case strings.HasPrefix(w, `"`) && !strings.HasSuffix(w, `"`):
			quoted = w
		case skip:
			skip = false
		case w == "|" || w == "||":
			end()
		case w == "<":
			skip = true
		default:
			cmd = append(cmd, w)
		}
	}
	end()
	return all
}

// Prepare fills an empty folder with the computer to be repaired and builds the
// package. It needs dpkg-deb.
func Prepare(folder string) (pack string, err error) {
	files := map[string]string{
		"printer.conf": "name=laser\nport=631\nduplex=on\n",
		"error.log":    strings.Repeat("ERROR: queue stopped\nINFO: queue started\n", 10),
		"check.sh":     "ls -l " + folder + "/printer.conf\ngrep port " + folder + "/printer.conf\n",

		"pkg/DEBIAN/control":            "Package: aval-repair-demo\nVersion: 1.0\nArchitecture: all\nMaintainer: Example Support <support@example.com>\nDescription: a service that does nothing, for a test\n",
		"pkg/DEBIAN/conffiles":          "/etc/aval-repair-demo.conf\n/etc/init.d/aval-repair-demo\n",
		"pkg/DEBIAN/postinst":           "#!/bin/sh\nset -e\nfor f in 1 2 3 4 5; do cat /etc/aval-repair-demo.conf >/dev/null; done\n",
		"pkg/etc/aval-repair-demo.conf": "level=1\n",
		"pkg/etc/init.d/aval-repair-demo": `#!/bin/sh
### BEGIN INIT INFO
# Provides: aval-repair-demo
# Required-Start:
# Required-Stop:
# Default-Start:
# Default-Stop:
### END INIT INFO
pid=/run/aval-repair-demo.pid
start() { sleep 300 & echo $! >$pid; }
stop() { [ ! -f $pid ] || kill "$(cat $pid)" 2>/dev/null; rm -f $pid; }
case $1 in
start) start ;;
stop) stop ;;
restart) stop; sleep 0.1; start ;;
status) cat $pid ;;
esac
`,
	}
	for name, text := range files {
		path := filepath.Join(folder, name)
		mode := os.FileMode(0o644)
		if strings.HasSuffix(name, "postinst") || strings.Contains(name, "init.d/") {
			mode = 0o755
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			return "", err
		}
	}
	pack = filepath.Join(folder, "demo.deb")
	if out, err := exec.Command("dpkg-deb", "--root-owner-group", "--build", filepath.Join(folder, "pkg"), pack).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the package: %w: %s", err, out)
	}
	return pack, os.RemoveAll(filepath.Join(folder, "pkg"))
}

// Clean takes the package and its service off the computer again.
func Clean() {
	exec.Command("/etc/init.d/aval-repair-demo", "stop").Run()
	exec.Command("dpkg", "-P", "aval-repair-demo").Run()
}
