package capture

import (
	"cmp"
	"maps"
	"slices"
)

// What some systems do not tell is found by comparing what was with what is. These
// functions do that; they read nothing.

// packageChange is one package that was changed.
type packageChange struct {
	action, name, version, before string
}

// onList is one entry of a system's list of what is installed.
type onList struct{ name, version string }

// packageChanges tells what has changed between two lists, by key. A package that
// went under one key and came under another, as Windows Installer has it, was
// upgraded.
func packageChanges(before, now map[string]onList) []packageChange {
	var gone, come, out []packageChange
	for key, p := range before {
		if p.name != "" && now[key].name != p.name {
			gone = append(gone, packageChange{action: "removed", name: p.name, version: p.version})
		}
	}
	for key, p := range now {
		was := before[key]
		switch {
		case p.name == "":
		case was.name != p.name:
			come = append(come, packageChange{action: "installed", name: p.name, version: p.version})
		case was.version != p.version:
			out = append(out, packageChange{action: "upgraded", name: p.name, version: p.version, before: was.version})
		}
	}
	byName := func(a, b packageChange) int {
		return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.version, b.version))
	}
	slices.SortFunc(come, byName)
	slices.SortFunc(gone, byName)
	for _, c := range come {
		i := slices.IndexFunc(gone, func(g packageChange) bool { return unversioned(g.name, g.version) == unversioned(c.name, c.version) })
		if i < 0 {
			out = append(out, c)
			continue
		}
		if gone[i].version != c.version {
			out = append(out, packageChange{action: "upgraded", name: c.name, version: c.version, before: gone[i].version})
		}
		gone = slices.Delete(gone, i, i+1)
	}
	out = append(out, gone...)
	slices.SortStableFunc(out, byName)
	return out
}

// unversioned is a name without the version that many programs put into theirs.
func unversioned(name, version string) string {
	if version == "" {
		return name
	}
	if i := len(name) - len(version); i > 0 && name[i:] == version {
		name = name[:i]
	}
	return name
}

// serviceState is what a service is by the system's list.
type serviceState struct {
	name    string // as it is shown
	running bool
	process uint32 // that it runs in
	failed  bool   // it has stopped and reports an error
	rank    int    // how readily it starts: 0 not at all, 1 when asked, 2 by itself; -1: not known
}

// serviceChange is one change of a service.
type serviceChange struct {
	action, name string
	// any: it is told whoever works on services.
	any bool
}

// serviceChanges tells what has changed between two lists, by key.
func serviceChanges(before, now map[string]serviceState) []serviceChange {
	var out []serviceChange
	for _, key := range slices.Sorted(maps.Keys(now)) {
		s := now[key]
		was, there := before[key]
		if !there { // new: what installs it is told otherwise
			was = serviceState{rank: s.rank}
		}
		switch {
		case s.running && was.running && s.process != was.process && s.process != 0 && was.process != 0:
			out = append(out, serviceChange{"restarted", s.name, false})
		case s.running && !was.running:
			out = append(out, serviceChange{"started", s.name, false})
		case !s.running && s.failed && (was.running || !was.failed && there):
			out = append(out, serviceChange{"failed", s.name, true})
		case !s.running && was.running:
			out = append(out, serviceChange{"stopped", s.name, false})
		}
		if s.rank >= 0 && was.rank >= 0 && s.rank != was.rank {
			action := "enabled"
			if s.rank < was.rank {
				action = "disabled"
			}
			out = append(out, serviceChange{action, s.name, false})
		}
	}
	return out
}

// settingValue is what a setting is about, and where it is kept.
type settingValue struct{ setting, place string }

// settingChanges tells which settings have another value, or came or went.
func settingChanges(before, now map[settingValue]string) []settingValue {
	var out []settingValue
	for k, v := range now {
		if was, there := before[k]; !there || was != v {
			out = append(out, k)
		}
	}
	for k := range before {
		if _, there := now[k]; !there {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(a, b settingValue) int {
		return cmp.Or(cmp.Compare(a.setting, b.setting), cmp.Compare(a.place, b.place))
	})
	return out
}
