package repair

import (
	"strings"
	"testing"
)

func TestScript(t *testing.T) {
	steps := Steps("/d", "/d/p.deb")
	n := 0
	for _, s := range steps {
		if len(s.Commands) > 0 {
			n++
		}
	}
	if len(steps) < 100 || n < 95 {
		t.Errorf("%d lines, %d with a program", len(steps), n)
	}
}

func TestCommands(t *testing.T) {
	for line, want := range map[string]string{
		"ls -l": "ls,-l", "cd /x": "", "ps -ef | head -n 2": "ps,-ef;head,-n,2", "file x || true": "file,x",
		"tr a b < f": "tr,a,b", `bash -c "ls -l; date"`: "bash,-c,ls -l; date", "echo a | tee b": "tee,b",
	} {
		var got []string
		for _, c := range commands(line) {
			got = append(got, strings.Join(c, ","))
		}
		if g := strings.Join(got, ";"); g != want {
			t.Errorf("%s: %s, want %s", line, g, want)
		}
	}
}

// TestRate: what is missing, bare, doubled or foreign is counted as that.
func TestRate(t *testing.T) {
	steps := []Step{{"ls -l", [][]string{{"ls", "-l"}}}, {"date | wc", [][]string{{"date"}, {"wc"}}}, {"cd x", nil}, {"id", [][]string{{"id"}}}}
	run := func(program, command string) map[string]string {
		return map[string]string{"kind": "command-run", "program": program, "command": command}
	}
	whole := []map[string]string{{"kind": "session-started"}, run("ls", "/bin/ls -l"), run("date", "date"), run("wc", "wc"), run("id", "id")}
	for _, c := range []struct {
		events                         []map[string]string
		commands, named, signal, noise int
		good                           bool
	}{
		{whole, 3, 3, 4, 0, true},
		{append(whole[:4:4], run("id", "")), 2, 3, 4, 0, false},
		{whole[:4], 2, 2, 3, 0, false},
		{append(whole[:5:5], run("cron", "cron"), run("ls", "ls -l")), 3, 3, 4, 2, false},
		{append(whole[:5:5], map[string]string{"kind": "file-changed", "name": "/d/a"}, map[string]string{"kind": "file-changed", "name": "/var/x"}), 3, 3, 5, 1, true},
		{nil, 0, 0, 0, 0, false},
	} {
		s := Rate(steps, "/d", c.events)
		if s.Steps != 3 || s.Commands != c.commands || s.Named != c.named || s.Signal != c.signal || len(s.Noise) != c.noise || s.Good() != c.good {
			t.Errorf("%v: %+v", c.events, s)
		}
	}
}
