package repair

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Score is what was recorded of one repair.
type Score struct {
	Steps    int      // lines that run a program
	Commands int      // of them: every program of the line with its command
	Named    int      // of them: every program of the line at least by its name
	Signal   int      // events that belong to a step
	Noise    []string // events that belong to none, or to one that has its own already
	Unseen   []string // lines that lack a program
	Bare     []string // lines that lack a command
}

// Good is what a recording must be: nine of ten steps with their command, each
// with its name, and less than one event of noise for two of signal.
func (s Score) Good() bool {
	return s.Steps > 0 && 10*s.Commands >= 9*s.Steps && s.Named == s.Steps && 2*len(s.Noise) < s.Signal
}

func (s Score) String() string {
	return fmt.Sprintf("%d steps: %d with their command (%.1f %%), %d by name (%.1f %%); %d events of signal, %d of noise (1 for %.1f)",
		s.Steps, s.Commands, 100*float64(s.Commands)/float64(max(1, s.Steps)), s.Named, 100*float64(s.Named)/float64(max(1, s.Steps)),
		s.Signal, len(s.Noise), float64(s.Signal)/float64(max(1, len(s.Noise))))
}

// Rate scores events, each with its kind under "kind" and its fields, as they
// left the computer, against the steps that were done in folder.
func Rate(steps []Step, folder string, events []map[string]string) Score {
	var s Score
	used := make([]bool, len(events))
	find := func(match func(e map[string]string) bool) bool {
		for i, e := range events {
			if !used[i] && (e["kind"] == "command-run" || e["kind"] == "program-started") && match(e) {
				used[i] = true
				return true
			}
		}
		return false
	}
	type want struct {
		step int
		cmd  []string
	}
	var bare []want
	full, named := make([]bool, len(steps)), make([]bool, len(steps))
	// First those that are there whole, so that none of them serves for a name.
	for i, st := range steps {
		if len(st.Commands) == 0 {
			continue
		}
		full[i], named[i] = true, true
		for _, cmd := range st.Commands {
			if !find(func(e map[string]string) bool { return same(e["command"], cmd) }) {
				full[i] = false
				bare = append(bare, want{i, cmd})
			}
		}
	}
	for _, w := range bare {
		if !find(func(e map[string]string) bool { return slices.Contains(names(w.cmd), e["program"]) }) {
			named[w.step] = false
		}
	}
	for i, st := range steps {
		if len(st.Commands) == 0 {
			continue
		}
		s.Steps++
		if full[i] {
			s.Commands++
		} else {
			s.Bare = append(s.Bare, st.Line)
		}
		if named[i] {
			s.Named++
		} else {
			s.Unseen = append(s.Unseen, st.Line)
		}
	}
	for i, e := range events {
		switch {
		case e["kind"] == "session-started" || e["kind"] == "session-ended" || e["kind"] == "gap":
		case used[i] || effect(e, folder, steps):
			s.Signal++
		default:
			s.Noise = append(s.Noise, fmt.Sprint(e))
		}
	}
	return s
}

// same compares a recorded command line with the words that were typed, but for
// quotes, the path of the program, and a placeholder for what was redacted.
func same(line string, cmd []string) bool {
	plain := func(s string) string {
		return strings.Join(strings.Fields(strings.NewReplacer(`"`, " ", "'", " ").Replace(s)), " ")
	}
	got, want := strings.Fields(plain(line)), strings.Fields(plain(strings.Join(cmd, " ")))
	if len(got) > 1 && path.Base(got[0]) != path.Base(want[0]) && len(got) == len(want)+1 && path.Base(got[1]) == path.Base(want[0]) {
		got = got[1:] // a script: the shell that reads it goes first
	}
	if len(got) != len(want) || len(got) == 0 || path.Base(got[0]) != path.Base(want[0]) {
		return false
	}
	for i := 1; i < len(got); i++ {
		if got[i] != want[i] && !strings.Contains(got[i], "[") {
			return false
		}
	}
	return true
}

// inPlace are programs that become another one: dpkg(1) runs dpkg-query, and
// Debian's zcat and gunzip are scripts that end as gzip.
var inPlace = map[string]string{"dpkg": "dpkg-query", "zcat": "gzip", "gunzip": "gzip"}

// names are what the program of a command may be called: as typed, as the file
// that it is, and as the one that it becomes; after env and nice, that is the
// one on their line.
func names(cmd []string) []string {
	program := cmd[0]
	out := []string{program}
	if to := inPlace[program]; to != "" {
		out = append(out, to)
	}
	if program == "env" || program == "nice" {
		out = append(out, cmd[1:]...)
	}
	for _, dir := range []string{"/usr/bin", "/bin", "/usr/sbin", "/sbin"} {
		if real, err := filepath.EvalSymlinks(filepath.Join(dir, program)); err == nil {
			out = append(out, filepath.Base(real))
		}
	}
	return out
}

// effect tells whether an event is what a step did to the computer: files of the
// folder or of the package, the package, its service, the end of a command of
// the script, and what its own script runs.
func effect(e map[string]string, folder string, steps []Step) bool {
	switch e["kind"] {
	case "file-changed":
		return strings.HasPrefix(e["name"], folder) || strings.HasPrefix(e["name"], "/etc/aval-repair-demo") || e["name"] == "/etc/init.d/aval-repair-demo"
	case "window-focused": // where it was typed
		return e["program"] == "xterm"
	case "package-changed", "service-changed":
		return e["name"] == "aval-repair-demo"
	case "command-ended", "program-ended":
		return slices.ContainsFunc(steps, func(s Step) bool {
			return slices.ContainsFunc(s.Commands, func(c []string) bool { return slices.Contains(names(c), e["program"]) })
		})
	case "command-run", "program-started": // of check.sh
		return e["program"] == "xterm" || e["command"] == "bash --norc" || same(e["command"], []string{"ls", "-l", folder + "/printer.conf"}) || same(e["command"], []string{"grep", "port", folder + "/printer.conf"})
	}
	return false
}

// Median is the score that half of the runs are at least as good as, by
// commands, then names.
func Median(runs []Score) Score {
	runs = slices.Clone(runs)
	slices.SortFunc(runs, func(a, b Score) int {
		if a.Commands != b.Commands {
			return a.Commands - b.Commands
		}
		return a.Named - b.Named
	})
	return runs[len(runs)/2]
}
