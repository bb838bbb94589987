package capture

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// forest is a tree under test and what it told.
type forest struct {
	*tree
	now  time.Time
	told []string
	// asked counts how often a process was looked at.
	asked int
}

func newForest(display string) *forest {
	f := &forest{now: time.Unix(1000, 0)}
	f.tree = newTree(display, func(p program) {
		line := commandLine(p.args)
		if line == "" {
			line = "?" + p.name
		}
		if p.count > 1 {
			line = fmt.Sprintf("%d× %s", p.count, line)
		}
		f.told = append(f.told, line)
	}, func(e ending) {
		f.told = append(f.told, fmt.Sprintf("end %s %d after %v with %d", e.name, e.code, e.ran, e.inner))
	})
	return f
}

// as is what a command line looks like to the one who reads it.
func as(line string) seen {
	args := strings.Fields(line)
	for i, a := range args {
		args[i] = strings.ReplaceAll(a, "_", " ")
	}
	name := base(strings.TrimPrefix(args[0], "-"))
	return seen{name: name, file: "/usr/bin/" + name, args: args}
}

// run starts a child of parent that runs line.
func (f *forest) run(pid, parent int, line string, change ...func(*seen)) {
	f.fork(pid, parent)
	f.again(pid, line, change...)
}

// again is an exec in a process that is there.
func (f *forest) again(pid int, line string, change ...func(*seen)) {
	s := as(line)
	s.group = pid
	for _, c := range change {
		c(&s)
	}
	f.exec(pid, f.now, func() (seen, bool) { f.asked++; return s, true })
}

func prompt(s *seen) { s.tty = true }

func in(group int) func(*seen) { return func(s *seen) { s.group, s.tty = group, true } }

func (f *forest) check(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(f.told, want) {
		t.Errorf("told\n\t%s\nand not\n\t%s", strings.Join(f.told, "\n\t"), strings.Join(want, "\n\t"))
	}
	f.told = nil
}

// TestSteps: what a shell starts is told, how it works inside is not.
func TestSteps(t *testing.T) {
	f := newForest("")
	f.adopt(10, as("sshd"))
	f.run(11, 10, "-bash", prompt)
	f.check(t, "-bash")
	// Its start-up and its prompt run in its own group.
	// Planted: leave the group out of exec, and lesspipe, git and what they start are told.
	f.run(12, 11, "id -u", in(11))
	f.run(13, 11, "git branch", in(11))
	f.run(14, 13, "less")
	f.check(t)
	f.run(20, 11, "ls -l", in(20))
	f.run(21, 11, "apt-get install hello", in(21))
	f.run(22, 21, "dpkg --unpack")
	f.run(23, 22, "sh postinst configure")
	f.run(24, 23, "systemctl daemon-reload")
	f.check(t, "ls -l", "apt-get install hello")
	f.exit(24, 1, f.now)
	f.now = f.now.Add(12 * time.Second)
	f.exit(21, 100, f.now)
	f.check(t, "end apt-get 100 after 12s with 3")
	// Wrappers and sh -c are the same step, once; what they start works inside it.
	f.run(30, 11, "sudo -u root systemctl restart cups", in(30))
	f.run(31, 30, "systemctl restart cups")
	f.run(32, 31, "systemd-tty-ask-password-agent")
	f.run(33, 11, "sh -c make_all", in(33))
	f.run(34, 33, "make all")
	f.run(35, 34, "cc x.c")
	f.again(35, "cc1 x.c")
	f.check(t, "sudo -u root systemctl restart cups", `sh -c "make all"`)
	// A shell with a terminal is a place wherever it is, a subshell goes on as one.
	f.run(40, 11, "sudo -i", in(40))
	f.run(41, 40, "-bash", prompt)
	f.fork(42, 41)
	f.run(43, 42, "tail -n 5 /var/log/syslog", in(43))
	f.run(44, 11, "vim a.txt", in(44))
	f.run(45, 44, "sh -c ls")
	f.check(t, "sudo -i", "tail -n 5 /var/log/syslog", "vim a.txt")
	// Somebody's own script is a place; one of the system is a program.
	f.run(50, 11, "bash /home/maria/fix.sh", in(50))
	f.run(51, 50, "cp a b")
	f.run(52, 11, "sh /usr/sbin/service cups status", in(52))
	f.run(53, 52, "basename x")
	f.check(t, "bash /home/maria/fix.sh", "cp a b", "sh /usr/sbin/service cups status")
	// What is gone before it could be read has at least a name.
	f.fork(60, 11)
	f.exec(60, f.now, func() (seen, bool) { return seen{}, false })
	f.exit(60, 0, f.now)
	f.named(60, "true")
	f.check(t, "?true")
	if n := f.flush(f.now); n != 1 {
		t.Errorf("%d missed, want 1", n)
	}
	f.fork(61, 11)
	f.exec(61, f.now, func() (seen, bool) { return seen{}, false })
	if n := f.flush(f.now.Add(lostFor + 1)); n != 1 {
		t.Errorf("%d missed of one that nobody named", n)
	}
	f.check(t)
}

// TestDesktopSteps: a panel's and a menu's children are told, a browser's and
// those of another display are not, nor Aval's own and what they start.
func TestDesktopSteps(t *testing.T) {
	f := newForest(":7")
	f.adopt(10, as("xfce4-panel"))
	f.adopt(11, as("aval-desktop"))
	f.run(20, 10, "firefox https://example.com")
	f.run(21, 20, "firefox -contentproc")
	f.run(22, 10, "xfce4-terminal")
	f.run(23, 22, "bash", prompt)
	f.run(24, 23, "ping example.com", in(24))
	f.run(25, 11, "zenity --question")
	f.run(26, 10, "Xephyr :9")
	f.run(27, 10, "xterm", func(s *seen) { s.display = ":9" })
	f.run(28, 27, "bash", prompt)
	f.run(29, 28, "ls", in(29))
	f.run(30, 10, "dbus-daemon --session")
	f.run(31, 30, "nautilus")
	f.run(32, 31, "evince a.pdf")
	f.run(33, 10, "sh /usr/bin/libreoffice")
	f.again(33, "soffice.bin")
	f.check(t, "firefox https://example.com", "xfce4-terminal", "ping example.com", "Xephyr :9", "nautilus", "evince a.pdf", "sh /usr/bin/libreoffice")
}

// TestStorm: a build of 4,000 processes is one event with a count, and hardly
// any of them is looked at; a loop over many alike is told in few.
func TestStorm(t *testing.T) {
	f := newForest("")
	f.adopt(10, as("bash"))
	f.run(11, 10, "make -j8")
	f.run(12, 11, "sh", func(s *seen) { s.args, s.tty = nil, true })
	f.run(13, 12, "head y")
	f.exit(13, 0, f.now)
	f.exit(12, 0, f.now)
	for i := range 4000 {
		f.run(100+2*i, 11, fmt.Sprintf("sh -c cc_%d.c", i))
		f.run(101+2*i, 100+2*i, fmt.Sprintf("cc %d.c", i))
		f.exit(101+2*i, 0, f.now)
		f.exit(100+2*i, 0, f.now)
	}
	// A shell whose line was gone is no place. Planted: without the check for
	// its arguments, "head x" is told.
	f.run(9000, 11, "sh", func(s *seen) { s.args, s.tty = nil, true })
	f.run(9001, 9000, "head x")
	f.now = f.now.Add(20 * time.Second)
	f.exit(11, 2, f.now)
	f.check(t, "make -j8", "end make 2 after 20s with 8004")
	if f.asked > maxLooked+10 {
		t.Errorf("%d of 8001 processes were looked at", f.asked)
	}
	for i := range 1000 {
		f.run(20000+i, 10, fmt.Sprintf("convert %d.png", i))
		f.exit(20000+i, 0, f.now)
	}
	if len(f.told) != maxAlike {
		t.Errorf("%d told of 1000 alike", len(f.told))
	}
	f.told = nil
	f.flush(f.now.Add(alikeFor + time.Second))
	f.check(t, "980× convert 999.png")
	f.exit(9001, 0, f.now)
	f.exit(9000, 0, f.now)
	if len(f.procs) != 1 || len(f.alike) != 0 || len(f.lost) != 0 {
		t.Errorf("%d processes, %d counts and %d names are remembered", len(f.procs), len(f.alike), len(f.lost))
	}
}

// Whatever comes in whatever order: nothing outside is told, nothing stays once
// all have ended, and no more is told than was run.
func TestTreeBounds(t *testing.T) {
	lines := []string{"bash", "-bash", "sh -c x", "sudo ls", "ls", "make", "bash /root/a.sh", "aval-ui", "firefox", "dbus-daemon"}
	rapid.Check(t, func(t *rapid.T) {
		f := newForest(rapid.SampledFrom([]string{"", ":7"}).Draw(t, "display"))
		f.adopt(1, as("bash"))
		runs := 0
		for range rapid.IntRange(1, 200).Draw(t, "n") {
			pid, of := rapid.IntRange(2, 30).Draw(t, "pid"), rapid.IntRange(1, 40).Draw(t, "of")
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0:
				f.exit(pid, rapid.IntRange(-1, 200).Draw(t, "code"), f.now)
			case 1:
				f.named(pid, "true")
			case 2:
				f.fork(pid, of)
			case 3:
				f.fork(pid, of)
				f.exec(pid, f.now, func() (seen, bool) { return seen{}, false })
				runs++
			case 4:
				f.run(50+pid, 40+of, "outside") // of no process of the session
			default:
				f.run(pid, of, rapid.SampledFrom(lines).Draw(t, "line"), func(s *seen) { s.tty = rapid.Bool().Draw(t, "tty") })
				runs++
			}
			f.now = f.now.Add(time.Duration(rapid.IntRange(0, 9000).Draw(t, "ms")) * time.Millisecond)
		}
		starts := 0
		for _, l := range f.told {
			if strings.Contains(l, "outside") || strings.HasPrefix(l, "aval") {
				t.Fatalf("told: %s", l)
			}
			if !strings.HasPrefix(l, "end ") {
				starts++
			}
		}
		if starts > runs {
			t.Fatalf("%d told of %d", starts, runs)
		}
		for pid := range 100 {
			f.exit(pid, 0, f.now)
		}
		f.flush(f.now.Add(time.Hour))
		if len(f.procs)+len(f.lost)+len(f.alike) != 0 {
			t.Fatalf("%d processes, %d names and %d counts stay", len(f.procs), len(f.lost), len(f.alike))
		}
	})
}

func TestShellUse(t *testing.T) {
	for line, want := range map[string]string{
		"bash": "bare", "-bash": "bare", "bash -l": "bare", "bash -s a b": "bare", "sh -c ls": "line ls", "bash -lc ls x": "line ls",
		"bash --rcfile x": "bare", "bash --norc -i": "bare", "bash -x a.sh -c": "script a.sh", "sh -e ./a.sh": "script ./a.sh",
		"bash -o errexit a.sh": "script a.sh", "zsh -- a.sh": "script a.sh", "sh -": "bare",
	} {
		use, what := shellUse(strings.Fields(line))
		got := strings.TrimSpace([]string{"bare", "line", "script"}[use] + " " + what)
		if got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

// A tool that was gone before it could be looked at was there all the same: what
// the system says of its work a moment later is the session's. Planted: named
// tells nobody.
func TestToolThatWasGone(t *testing.T) {
	tr := newTree("", func(program) {}, func(ending) {})
	w := newWork()
	tr.looked, tr.gone = w.looked, w.gone
	tr.adopt(1, seen{name: "bash", file: "/bin/bash", args: []string{"bash"}})
	tr.fork(2, 1)
	tr.exec(2, time.Now(), func() (seen, bool) { return seen{}, false })
	if w.did(time.Now(), servicers) {
		t.Fatal("nothing is known of it yet")
	}
	tr.exit(2, 0, time.Now())
	tr.named(2, "systemctl")
	if !w.did(time.Now(), servicers) || len(w.places) != 0 {
		t.Errorf("services: %v, %d places", w.did(time.Now(), servicers), len(w.places))
	}
}
