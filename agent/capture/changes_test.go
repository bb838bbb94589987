package capture

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestPackageChanges: planted and seen caught: the pairing of what went with what
// came left out (an upgrade by Windows Installer is a removal and an installation).
func TestPackageChanges(t *testing.T) {
	type list = map[string]onList
	for name, tt := range map[string]struct {
		before, now list
		want        string
	}{
		"nothing":             {list{"a": {"Editor", "1"}}, list{"a": {"Editor", "1"}}, ""},
		"installed":           {list{}, list{"a": {"Editor", "1"}}, "installed Editor 1 <"},
		"removed":             {list{"a": {"Editor", "1"}}, list{}, "removed Editor 1 <"},
		"upgraded in place":   {list{"a": {"Editor", "1"}}, list{"a": {"Editor", "2"}}, "upgraded Editor 2 <1"},
		"upgraded anew":       {list{"a": {"Editor", "1"}}, list{"b": {"Editor", "2"}}, "upgraded Editor 2 <1"},
		"version in the name": {list{"a": {"Zip 22.01", "22.01"}}, list{"b": {"Zip 23.00", "23.00"}}, "upgraded Zip 23.00 23.00 <22.01"},
		"repaired anew":       {list{"a": {"Editor", "1"}}, list{"b": {"Editor", "1"}}, ""},
		"no version":          {list{}, list{"a": {"Driver", ""}}, "installed Driver  <"},
		"two at once":         {list{"a": {"Editor", "1"}}, list{"b": {"Viewer", "2"}}, "removed Editor 1 <, installed Viewer 2 <"},
		"named later":         {list{"a": {}}, list{"a": {"Editor", "1"}}, "installed Editor 1 <"},
	} {
		var got []string
		for _, c := range packageChanges(tt.before, tt.now) {
			got = append(got, fmt.Sprintf("%s %s %s <%s", c.action, c.name, c.version, c.before))
		}
		if s := strings.Join(got, ", "); s != tt.want {
			t.Errorf("%s: %q", name, s)
		}
	}
}

// TestPackageChangesProperty: what is told leads from the one list to the other.
func TestPackageChangesProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.MapOf(rapid.SampledFrom([]string{"a", "b", "c", "d"}), rapid.Custom(func(t *rapid.T) onList {
			return onList{rapid.SampledFrom([]string{"Editor", "Viewer", "Player"}).Draw(t, "name"), rapid.SampledFrom([]string{"1", "2", ""}).Draw(t, "version")}
		}))
		before, now := list.Draw(t, "before"), list.Draw(t, "now")
		count := map[onList]int{}
		for _, p := range before {
			count[p]++
		}
		for _, c := range packageChanges(before, now) {
			switch c.action {
			case "installed":
				count[onList{c.name, c.version}]++
			case "removed":
				count[onList{c.name, c.version}]--
			case "upgraded":
				count[onList{c.name, c.before}]--
				count[onList{c.name, c.version}]++
			}
		}
		for _, p := range now {
			count[p]--
		}
		for p, n := range count {
			if n != 0 {
				t.Fatalf("%+v: %d", p, n)
			}
		}
	})
}

func TestServiceChanges(t *testing.T) {
	run := func(p uint32) serviceState { return serviceState{name: "Print", running: true, process: p, rank: 2} }
	off := serviceState{name: "Print", rank: 2}
	bad := serviceState{name: "Print", failed: true, rank: 2}
	ranked := func(s serviceState, r int) serviceState { s.rank = r; return s }
	for name, tt := range map[string]struct {
		before, now serviceState
		want        string
	}{
		"nothing":               {run(1), run(1), ""},
		"started":               {off, run(1), "started Print false"},
		"stopped":               {run(1), off, "stopped Print false"},
		"restarted":             {run(1), run(2), "restarted Print false"},
		"failed":                {run(1), bad, "failed Print true"},
		"failed to start":       {off, bad, "failed Print true"},
		"failed still":          {bad, bad, ""},
		"enabled":               {ranked(off, 0), off, "enabled Print false"},
		"by hand from now on":   {off, ranked(off, 1), "disabled Print false"},
		"disabled and stopped":  {run(1), ranked(off, 0), "stopped Print false, disabled Print false"},
		"how it starts unknown": {run(1), ranked(run(1), -1), ""},
	} {
		var got []string
		for _, c := range serviceChanges(map[string]serviceState{"p": tt.before}, map[string]serviceState{"p": tt.now}) {
			got = append(got, fmt.Sprint(c.action, " ", c.name, " ", c.any))
		}
		if s := strings.Join(got, ", "); s != tt.want {
			t.Errorf("%s: %q", name, s)
		}
	}
	if got := serviceChanges(map[string]serviceState{}, map[string]serviceState{"p": off}); len(got) != 0 {
		t.Errorf("a service that is new and does not run: %+v", got)
	}
}

func TestSettingChanges(t *testing.T) {
	a, b := settingValue{"network", "A"}, settingValue{"time", "B"}
	for name, tt := range map[string]struct {
		before, now map[settingValue]string
		want        []settingValue
	}{
		"nothing": {map[settingValue]string{a: "1"}, map[settingValue]string{a: "1"}, nil},
		"changed": {map[settingValue]string{a: "1", b: "1"}, map[settingValue]string{a: "2", b: "1"}, []settingValue{a}},
		"came":    {nil, map[settingValue]string{b: "1", a: "1"}, []settingValue{a, b}},
		"went":    {map[settingValue]string{b: "1"}, nil, []settingValue{b}},
	} {
		if got := settingChanges(tt.before, tt.now); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestShells: how the shells of Windows and Unix are used, and what they are called.
func TestShells(t *testing.T) {
	for line, want := range map[string]struct {
		gives   rank
		prompts bool
		title   string
	}{
		"bash":                              {step, true, "bash"},
		"bash -c ls":                        {same, false, "bash"},
		"cmd":                               {step, true, "cmd"},
		"cmd /c dir":                        {same, false, "cmd"},
		"cmd /d /s /c dir":                  {same, false, "cmd"},
		"cmd /K dir":                        {step, true, "cmd"},
		"powershell":                        {step, true, "powershell"},
		"powershell -NoProfile":             {step, true, "powershell"},
		"powershell -ep Bypass":             {step, true, "powershell"},
		"powershell -c Restart-Service":     {same, false, "powershell"},
		"powershell Restart-Service x":      {same, false, "powershell"},
		"powershell -enc AAAA":              {same, false, "powershell"},
		"powershell -noe -c x":              {step, true, "powershell"},
		`powershell -File C:\tools\fix.ps1`: {step, false, "powershell"},
		`powershell -f C:\Windows\x.ps1`:    {inner, false, "x.ps1"},
		`pwsh C:\tools\fix.ps1`:             {step, false, "pwsh"},
		"explorer x":                        {step, false, "explorer"},
		"notepad x":                         {inner, false, "notepad"},
		"runas /user:x cmd":                 {same, false, "runas"},
	} {
		s := as(line)
		s.tty = true
		gives, prompts := s.children()
		if gives != want.gives || prompts != want.prompts || s.title() != want.title {
			t.Errorf("%s: %v, %v, %s", line, gives, prompts, s.title())
		}
	}
	for _, tt := range []struct {
		name string
		code int
		want bool
	}{{"cp", 1, true}, {"grep", 1, false}, {"grep", 2, true}, {"cat", 141, false}, {"x", -1, false}, {"robocopy", 3, false}, {"robocopy", 8, true},
		{"findstr", 1, false}, {"notepad", 0xC0000005, true}, {"ping", 0xC000013A, false}} {
		if got := failed(tt.name, tt.code); got != tt.want {
			t.Errorf("%s %d: %v", tt.name, tt.code, got)
		}
	}
}

// FuzzShellUse: no command line ends the program.
func FuzzShellUse(f *testing.F) {
	for _, s := range []string{"cmd /c", "cmd /C x y", "powershell -", "powershell -f", "pwsh -wd", "bash -o", "sh -- x", "powershell -ec"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Fields(line)
		for _, name := range []string{"cmd", "powershell", "pwsh", "bash"} {
			s := seen{name: name, args: args}
			s.children()
			s.title()
		}
	})
}
