package capture

import (
	"strings"
	"testing"
)

// lines runs a parser over the lines of a log.
func changesOf(parse func(string) (packageChange, bool), log string) []packageChange {
	var out []packageChange
	for line := range strings.Lines(log) {
		if c, ok := parse(strings.TrimSuffix(line, "\n")); ok {
			out = append(out, c)
		}
	}
	return out
}

const dpkgLog = `2026-11-22 18:58:00 startup archives unpack
2026-11-22 18:58:01 install hello:amd64 <none> 2.10-3
2026-11-22 18:58:01 status half-installed hello:amd64 2.10-3
2026-11-22 18:58:01 status unpacked hello:amd64 2.10-3
2026-11-22 18:58:02 configure hello:amd64 2.10-3 <none>
2026-11-22 18:58:02 status installed hello:amd64 2.10-3
2026-11-22 18:58:02 trigproc man-db:amd64 2.11.2-2 <none>
2026-11-22 18:58:03 status installed man-db:amd64 2.11.2-2
2026-11-22 18:59:01 upgrade hello:amd64 2.10-3 2.12-1
2026-11-22 18:59:02 status installed hello:amd64 2.12-1
2026-11-22 18:59:10 install broken:all <none> 1.0
2026-11-22 18:59:10 status half-configured broken:all 1.0
2026-11-22 19:00:01 remove hello:amd64 2.12-1 <none>
2026-11-22 19:00:01 status half-configured hello:amd64 2.12-1
2026-11-22 19:00:02 status config-files hello:amd64 2.12-1
2026-11-22 19:00:02 status
`

// TestPackageLogs: a package is told once it has come to its state; triggers,
// what was only begun and half a line are not. Planted: without the begun change,
// man-db is installed too.
func TestPackageLogs(t *testing.T) {
	for _, c := range []struct {
		name  string
		parse func(string) (packageChange, bool)
		log   string
		want  []packageChange
	}{
		{"dpkg", dpkgLines(), dpkgLog, []packageChange{{"installed", "hello", "2.10-3", ""}, {"upgraded", "hello", "2.12-1", "2.10-3"}, {"removed", "hello", "2.12-1", ""}}},
		{"dnf", dnfLine, "2026-09-26T10:00:01+0000 INFO --- logging initialized ---\n" +
			"2026-09-26T10:00:05+0000 SUBDEBUG Installed: vim-enhanced-2:9.1.083-1.el9.x86_64\n" +
			"2026-09-26T10:00:06+0000 SUBDEBUG Upgrade: openssl-libs-1:3.2.2-9.fc41.x86_64\n" +
			"2026-09-26T10:00:06+0000 SUBDEBUG Upgraded: openssl-libs-1:3.2.2-8.fc41.x86_64\n" +
			"2026-09-26T10:00:07+0000 SUBDEBUG Erase: flac-1.3.3-3.fc29.x86_64\n2026-09-26T10:00:07+0000 SUBDEBUG Installed: x\n",
			[]packageChange{{"installed", "vim-enhanced", "2:9.1.083-1.el9", ""}, {"upgraded", "openssl-libs", "1:3.2.2-9.fc41", ""}, {"removed", "flac", "1.3.3-3.fc29", ""}}},
		{"zypp", zyppLine, "# 2008-09-24|install|comment|1|x\n2008-09-24 11:50:02|radd   |packman|http://example.com\n" +
			"2008-09-24 11:53:10|install|amarok-yauap|1.4.10-25|x86_64||factory|4421\n2008-09-24 11:53:45|remove|amarok|1.4.10-100.pm.1|x86_64|root@host|\n",
			[]packageChange{{"installed", "amarok-yauap", "1.4.10-25", ""}, {"removed", "amarok", "1.4.10-100.pm.1", ""}}},
	} {
		got := changesOf(c.parse, c.log)
		if len(got) != len(c.want) {
			t.Errorf("%s: %+v", c.name, got)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: %+v, want %+v", c.name, got[i], c.want[i])
			}
		}
	}
}

func FuzzPackageLogs(f *testing.F) {
	f.Add(dpkgLog)
	f.Add("2026-09-26T10:00:05+0000 SUBDEBUG Installed: a-1-1.x\n2008-09-24 11:53:10|install|a|1|x||f|4")
	f.Fuzz(func(t *testing.T, log string) {
		for _, l := range packageLogs {
			for _, c := range changesOf(l.parse(), log) {
				if c.action == "" || c.name == "" && l.path != "/var/log/dpkg.log" {
					t.Fatalf("%s: %+v", l.path, c)
				}
			}
		}
	})
}
