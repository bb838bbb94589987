package capture

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"aval/agent/session/watch"
)

// packageLog is a log that a package manager writes, a line for each package.
type packageLog struct {
	path  string
	parse func() func(line string) (packageChange, bool)
}

// packageLogs are those that are read. dpkg(1) writes local time; dnf's carries
// an offset; zypp's is documented with libzypp ("Libzypp History File").
var packageLogs = []packageLog{
	{"/var/log/dpkg.log", dpkgLines},
	{"/var/log/dnf.rpm.log", func() func(string) (packageChange, bool) { return dnfLine }},
	{"/var/log/zypp/history", func() func(string) (packageChange, bool) { return zyppLine }},
}

// openPackages begins to follow the logs of package managers. A line counts while a
// package manager of the session runs: what the system installs by itself
// meanwhile is nobody's doing here.
func openPackages() (sourceRun, error) { return followPackages(packageLogs) }

func followPackages(logs []packageLog) (sourceRun, error) {
	var tails []*watch.Tail
	for _, l := range logs {
		tail, err := watch.OpenTail(l.path, nil, slog.New(slog.DiscardHandler))
		if err != nil {
			for _, t := range tails {
				t.Close()
			}
			return nil, fmt.Errorf("follow packages: %w", err)
		}
		tails = append(tails, tail)
	}
	return func(ctx context.Context, g *gate, w *work) error {
		var followers []func(context.Context) error
		for i, l := range logs {
			parse := l.parse()
			followers = append(followers, func(ctx context.Context) error {
				defer tails[i].Close()
				return tails[i].Run(ctx, func(line string, _ watch.Position) {
					if c, ok := parse(line); ok {
						g.packages(w, c)
					}
				})
			})
		}
		return together(ctx, followers...)
	}, nil
}

// dpkgLines reads dpkg.log (dpkg(1), --log):
//
//	2026-11-22 18:58:01 install hello:amd64 <none> 2.10-3
//	2026-11-22 18:58:02 status installed hello:amd64 2.10-3
//
// A change counts once it is complete: when the state that it leads to is told.
func dpkgLines() func(string) (packageChange, bool) {
	begun := map[string]packageChange{} // by package and architecture
	return func(line string) (packageChange, bool) {
		f := strings.Fields(line)
		if len(f) < 5 {
			return packageChange{}, false
		}
		name, _, _ := strings.Cut(f[3], ":")
		switch f[2] {
		case "install", "upgrade", "remove", "purge":
			if len(f) < 6 || len(begun) > 10_000 {
				return packageChange{}, false
			}
			c := packageChange{action: "installed", name: name, version: f[5]}
			switch {
			case f[2] == "upgrade":
				c.action, c.before = "upgraded", f[4]
			case f[2] == "remove" || f[2] == "purge":
				c = packageChange{action: "removed", name: name, version: f[4]}
			}
			begun[f[3]] = c
		case "status":
			name, _, _ := strings.Cut(f[4], ":")
			c, ok := begun[f[4]]
			done := f[3] == "installed" && c.action != "removed" || (f[3] == "config-files" || f[3] == "not-installed") && c.action == "removed"
			if ok && done && len(f) == 6 {
				delete(begun, f[4])
				c.name = name
				return c, true
			}
		}
		return packageChange{}, false
	}
}

// dnfLine reads dnf.rpm.log (dnf's own tests of its log show the words):
//
//	2026-02-14T09:30:12+0000 SUBDEBUG Installed: nginx-1:1.26.3-1.fc41.x86_64
//
// "Upgraded" names the version that went, "Upgrade" the one that came.
func dnfLine(line string) (packageChange, bool) {
	f := strings.Fields(line)
	if len(f) != 4 || f[1] != "SUBDEBUG" {
		return packageChange{}, false
	}
	action := map[string]string{"Installed:": "installed", "Upgrade:": "upgraded", "Erase:": "removed"}[f[2]]
	if action == "" {
		return packageChange{}, false
	}
	rest, _, _ := cutLast(f[3], ".") // the architecture
	rest, release, ok1 := cutLast(rest, "-")
	name, version, ok2 := cutLast(rest, "-")
	if !ok1 || !ok2 {
		return packageChange{}, false
	}
	return packageChange{action: action, name: name, version: version + "-" + release}, true
}

// zyppLine reads /var/log/zypp/history: fields between bars, of which the
// second is the action, the third the name, the fourth the version.
func zyppLine(line string) (packageChange, bool) {
	f := strings.Split(line, "|")
	if len(f) < 5 || strings.HasPrefix(line, "#") {
		return packageChange{}, false
	}
	action := map[string]string{"install": "installed", "remove": "removed"}[strings.TrimSpace(f[1])]
	if action == "" || f[2] == "" {
		return packageChange{}, false
	}
	return packageChange{action: action, name: f[2], version: f[3]}, true
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
