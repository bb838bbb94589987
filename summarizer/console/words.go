package console

import (
	"slices"
	"strconv"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/assets"
	"aval/summarizer/store"
	"aval/summarizer/summary"
)

// silentAfter: an open session of which nothing came for so long is not shown
// as being recorded now.
const silentAfter = 10 * time.Minute

// state is where a session stands, in one word and a colour.
type state struct {
	Key  string // also the name of its style
	Text string
}

func stateOf(cat *assets.Catalog, s store.Stream, now time.Time, updated string) state {
	key := "waiting"
	switch {
	case !s.ErasedAt.IsZero():
		key = "erased"
	case s.SummaryVersion > 0:
		key = "summarised"
	case s.JobState == store.JobFailed:
		key = "failed"
	case s.JobState == store.JobWaiting:
		key = "no-credit"
	case s.JobState == store.JobReady && s.JobError != "":
		key = "retrying"
	case s.JobState != "" || !s.EndedAt.IsZero() || !s.WithdrawnAt.IsZero():
		key = "waiting"
	case now.Sub(s.UpdatedAt) > silentAfter:
		key = "silent"
	default:
		key = "recording"
	}
	return state{key, cat.T("console.state."+key, assets.Args{"when": updated})}
}

// pending says why there is no summary yet.
func pending(cat *assets.Catalog, s store.Stream) string {
	switch {
	case s.JobState == store.JobFailed:
		return cat.T("console.pending.failed", assets.Args{"error": summary.Clean(s.JobError, 200)})
	case s.JobState == store.JobWaiting:
		return cat.T("console.pending.no-credit", nil)
	case s.JobState == store.JobReady && s.JobError != "":
		return cat.T("console.pending.retrying", assets.Args{"error": summary.Clean(s.JobError, 200)})
	case s.JobState != "" || !s.EndedAt.IsZero() || !s.WithdrawnAt.IsZero():
		return cat.T("console.pending.waiting", nil)
	}
	return cat.T("console.pending.recording", nil)
}

func basisWords(cat *assets.Catalog, s store.Stream) string {
	switch s.Basis {
	case consent.BasisConsent, consent.BasisStandingSetting, consent.BasisPolicy, consent.BasisEnforcedPolicy:
		return cat.T("console.basis."+string(s.Basis), nil)
	}
	return ""
}

// provenanceWords says how sure it is who answered; only an answer has one.
func provenanceWords(cat *assets.Catalog, s store.Stream) string {
	known := []consent.Provenance{consent.P0, consent.P1, consent.P2, consent.P3}
	if s.Basis != consent.BasisConsent || !slices.Contains(known, s.Provenance) {
		return ""
	}
	return cat.T("summary.provenance."+string(s.Provenance), nil)
}

// marks are the reasons of marks that have words.
var marks = map[event.Kind][]string{
	event.SessionEnded: {"ended", "lost", "stopped", "expired", "withdrawn", "policy", "unenrolled"},
	event.Gap:          {"paused", "other-session", "indicator-lost", "desktop-locked", "agent-restarted", "unconfirmed", "expired", "dropped", "disk-full", "narrowed", "source-lost", "too-short"},
}

// eventWords shows an event: its kind, who wrote it, its text, and a command
// line where it has one. All of it is plain text.
func eventWords(cat *assets.Catalog, e event.Event) (kind, who, text, code string) {
	f := func(name string) string { return summary.Clean(e.Fields[name], 0) }
	kind = cat.T("console.kind.unknown", nil)
	if _, ok := event.Define(e.Kind); ok {
		kind = cat.T("console.kind."+string(e.Kind), nil)
	}
	switch e.Kind {
	case event.SessionStarted:
		text = f("tool")
	case event.SessionEnded, event.Gap:
		text = f("reason")
		if e.Kind == event.Gap && text == "resumed" {
			return cat.T("console.kind.resumed", nil), "", "", ""
		}
		if slices.Contains(marks[e.Kind], text) {
			text = cat.T("console.mark."+text, nil)
		}
	case event.WindowFocused:
		who, text = f("app"), f("title")
		if text == event.TitleBefore {
			text = cat.T("console.title_before", nil)
		}
		if who == "" {
			who = f("program")
		}
	case event.ProgramStarted, event.CommandRun:
		text, code = f("program"), f("command")
		switch {
		case code == text:
			code = ""
		case code != "" && e.Kind == event.CommandRun:
			text = ""
		}
		who = times(cat, e)
	case event.ProgramEnded, event.CommandEnded:
		text = f("program")
		if n, err := strconv.Atoi(e.Fields["status"]); err == nil && n != 0 {
			who = cat.T("console.status", assets.Args{"status": n})
		}
		if n, err := strconv.Atoi(e.Fields["programs"]); err == nil && n > 0 {
			text += " (" + cat.N("console.inner", n, nil) + ")"
		}
	case event.ClipboardUsed:
		text = f("app")
	case event.FileChanged, event.PackageChanged, event.ServiceChanged:
		who, text = word(cat, e, "action"), f("name")
		if v := f("version"); v != "" {
			text += " " + v
		}
	case event.SettingChanged:
		who, text = word(cat, e, "setting"), f("name")
	case event.DeviceAttached:
		if text = f("name"); text == "" {
			text = f("class")
		}
	case event.Restart:
		text = word(cat, e, "stage")
	case event.ErrorLogged:
		who, text = f("program"), f("text")
		if n := times(cat, e); n != "" {
			text += " (" + n + ")"
		}
	case event.FileTransferred:
		text = f("name")
		if d := e.Fields["direction"]; d == "to-computer" || d == "from-computer" {
			who = cat.T("console.direction."+d, nil)
		}
		if n, err := strconv.ParseInt(e.Fields["size"], 10, 64); err == nil && n >= 0 {
			text += " (" + size(cat, n) + ")"
		}
	case event.ChatMessage:
		text = f("text")
		if from := e.Fields["from"]; from == "person" || from == "supporter" {
			who = cat.T("console.from."+from, nil)
		}
	case event.Note:
		text = f("text")
	}
	return kind, who, text, code
}

// word is the word for a value that the vocabulary lists.
func word(cat *assets.Catalog, e event.Event, field string) string {
	def, _ := event.Define(e.Kind)
	for _, f := range def.Fields {
		if f.Name == field && slices.Contains(f.OneOf, e.Fields[field]) {
			return cat.T("console.word."+e.Fields[field], nil)
		}
	}
	return ""
}

// times says how many an event stands for, where it is more than one.
func times(cat *assets.Catalog, e event.Event) string {
	n, err := strconv.Atoi(e.Fields["count"])
	if err != nil || n < 2 {
		return ""
	}
	return cat.T("console.times", assets.Args{"n": n})
}

// size writes a number of bytes in decimal units, as file managers do.
func size(cat *assets.Catalog, n int64) string {
	unit, v := "B", float64(n)
	for _, next := range []string{"kB", "MB", "GB", "TB"} {
		if v < 1000 {
			break
		}
		unit, v = next, v/1000
	}
	digits := 0
	if unit != "B" && v < 100 {
		digits = 1
	}
	s := strconv.FormatFloat(v, 'f', digits, 64)
	if point := cat.T("console.decimal", nil); point != "." {
		for i := range s {
			if s[i] == '.' {
				s = s[:i] + point + s[i+1:]
				break
			}
		}
	}
	return s + " " + unit
}
