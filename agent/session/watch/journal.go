package watch

import (
	"time"

	"aval/agent/journal"
)

// journalReader turns entries of the journal into sessions. Whose they are is the
// kernel's word; everything else in them is the program's.
type journalReader struct {
	tools  map[string]bool
	chrome chrome
	gnome  gnome
}

func newJournalReader(s Sink, tools []string) *journalReader {
	j := &journalReader{tools: map[string]bool{}, chrome: chrome{sink: s}, gnome: gnome{sink: s}}
	for _, t := range tools {
		j.tools[t] = true
	}
	return j
}

// The fields that are read, and the entries that are asked for.
var (
	journalFields  = []string{"MESSAGE", "SYSLOG_IDENTIFIER", "_COMM", "_UID", "_PID"}
	journalMatches = []string{"SYSLOG_IDENTIFIER=" + chromeIdent, "+", "_COMM=" + gnomeComm}
)

// entry takes one entry; now is when it was read.
func (j *journalReader) entry(e journal.Entry, now time.Time) {
	uid, ok := e.UID()
	if !ok {
		return
	}
	text, at := e.Fields["MESSAGE"], earlier(e.At, now)
	switch {
	case e.Fields["SYSLOG_IDENTIFIER"] == chromeIdent && j.tools[ToolChrome]:
		j.chrome.message(uid, e.PID(), text, at, false)
	case e.Fields["_COMM"] == gnomeComm && j.tools[ToolGNOME]:
		if pid := e.PID(); pid > 0 {
			j.gnome.message(uid, pid, text, at)
		}
	}
}
