package summary

import (
	"slices"
	"strconv"

	"aval/agent/event"
)

// actions are what may have happened to something, in the order in which it is told.
var actions = map[event.Kind][]string{
	event.PackageChanged: {"installed", "upgraded", "removed"},
	event.ServiceChanged: {"restarted", "started", "stopped", "reloaded", "enabled", "disabled", "failed"},
	event.FileChanged:    {"created", "changed", "deleted"},
}

var actionKeys = map[event.Kind]string{
	event.PackageChanged: "summary.packages.", event.ServiceChanged: "summary.services.", event.FileChanged: "summary.changed.",
}

// systemKinds are what system tells of, in order.
var systemKinds = []event.Kind{event.PackageChanged, event.ServiceChanged, event.FileChanged}

// system tells what became of packages, services, files and settings, which
// devices and errors came, and which commands failed: a sentence for each sort
// of thing that happened, with the events that say so.
func (w writer) system() []Sentence {
	var out []Sentence
	for _, k := range systemKinds {
		for _, action := range actions[k] {
			es := slices.DeleteFunc(slices.Clone(w.f.system[k]), func(e event.Event) bool { return e.Fields["action"] != action })
			out = append(out, w.named(actionKeys[k]+action, es, func(e event.Event) string {
				return quote(e.Fields["name"], maxTitle)
			})...)
		}
	}
	out = append(out, w.named("summary.settings", w.f.system[event.SettingChanged], func(e event.Event) string {
		switch s := e.Fields["setting"]; s {
		case "network", "user", "time", "printers":
			return w.c.T("summary.setting."+s, nil)
		}
		return quote(e.Fields["name"], maxTitle)
	})...)
	out = append(out, w.named("summary.devices", w.f.system[event.DeviceAttached], func(e event.Event) string {
		if n := e.Fields["name"]; n != "" {
			return quote(n, maxTitle)
		}
		return label(e.Fields["class"])
	})...)
	out = append(out, w.named("summary.errors", w.f.system[event.ErrorLogged], func(e event.Event) string { return label(e.Fields["program"]) })...)
	out = append(out, w.named("summary.failed", w.f.failed(), func(e event.Event) string { return label(e.Fields["program"]) })...)
	if es := w.f.system[event.Restart]; len(es) > 0 {
		out = append(out, w.say("summary.restart", nil, seqs(es)))
	}
	return out
}

// named makes a sentence of the different names of events; without events none.
func (w writer) named(key string, es []event.Event, name func(event.Event) string) []Sentence {
	if len(es) == 0 {
		return nil
	}
	var names []string
	for _, e := range es {
		if n := name(e); !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return []Sentence{w.list(key, len(names), names[:min(len(names), maxFiles)], seqs(es))}
}

// failed are the ends that say that something went wrong.
func (f *facts) failed() []event.Event {
	var out []event.Event
	for _, e := range f.ends {
		if n, err := strconv.Atoi(e.Fields["status"]); err == nil && n > 0 {
			out = append(out, e)
		}
	}
	return out
}
