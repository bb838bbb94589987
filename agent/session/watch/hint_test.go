package watch

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestHint: a hint counts for a connection that one log has open, also where its
// line comes a moment later, and never otherwise. Faults planted once: hintWaits
// without its end (the number that was used again an hour later began); apply
// took the first of two logs.
func TestHint(t *testing.T) {
	t0 := time.Date(2025, 1, 1, 13, 4, 20, 0, time.UTC)
	type step struct {
		log  uint32 // whose
		line string
		hint *Hint
		at   time.Duration
	}
	opened := func(log uint32, n string, at time.Duration) step {
		return step{log: log, at: at, line: `[2025-01-01 13:04:08.000001 +00:00] DEBUG [src\server\connection.rs:983] #` + n + ` Connection opened from 192.0.2.7:6074.`}
	}
	closed := func(n string) step {
		return step{line: `[2025-01-01 13:09:00.200000 +00:00] INFO [src\server\connection.rs:2990] #` + n + ` Connection closed: End`}
	}
	in := func(n string, at time.Duration) step {
		return step{at: at, hint: &Hint{Tool: ToolRustDesk, Connection: n, Supporter: "Example Support", Kinds: []string{Files}}}
	}
	out := func(n string) step { return step{hint: &Hint{Tool: ToolRustDesk, Connection: n, Closed: true}} }
	for name, tt := range map[string]struct {
		steps []step
		want  string
	}{
		"open, then in":        {[]step{opened(0, "7", 0), in("7", 0)}, "begin"},
		"in, then open":        {[]step{in("7", 0), opened(0, "7", 2*time.Second)}, "begin"},
		"in, then open late":   {[]step{in("7", 0), opened(0, "7", time.Hour)}, ""},
		"in alone":             {[]step{in("7", 0)}, ""},
		"another number":       {[]step{opened(0, "8", 0), in("7", 0)}, ""},
		"another tool":         {[]step{opened(0, "7", 0), {hint: &Hint{Tool: ToolAnyDesk, Connection: "7"}}}, ""},
		"in two logs":          {[]step{opened(0, "7", 0), opened(1000, "7", 0), in("7", 0)}, ""},
		"twice":                {[]step{opened(0, "7", 0), in("7", 0), in("7", 0)}, "begin"},
		"out by hint":          {[]step{opened(0, "7", 0), in("7", 0), out("7")}, "begin end"},
		"out by the log":       {[]step{opened(0, "7", 0), in("7", 0), closed("7")}, "begin end"},
		"both":                 {[]step{opened(0, "7", 0), in("7", 0), closed("7"), out("7")}, "begin end"},
		"out, never in":        {[]step{opened(0, "7", 0), out("7")}, ""},
		"out does not wait":    {[]step{out("7"), opened(0, "7", 0), in("7", 0)}, "begin"},
		"over before the hint": {[]step{opened(0, "7", 0), closed("7"), in("7", 0)}, ""},
	} {
		s := newStory(t)
		l := NewLogs(nil, s, nil, nil)
		for _, owner := range []uint32{0, 1000} {
			l.readers[logOwner{ToolRustDesk, owner}] = newRustDesk(owned{s, owner})
		}
		for _, st := range tt.steps {
			now := t0.Add(st.at)
			if st.hint != nil {
				st.hint.At = now
				l.hint(*st.hint)
				continue
			}
			l.readers[logOwner{ToolRustDesk, st.log}].line("log", st.line, now)
			l.again(ToolRustDesk, now)
		}
		var got []string
		for _, line := range s.lines {
			got = append(got, strings.Fields(line)[0])
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %q, want %q", name, s.lines, tt.want)
		}
		if len(s.lines) > 0 && !strings.Contains(s.lines[0], `"Example Support"`) {
			t.Errorf("%s: %q", name, s.lines)
		}
	}
	l := NewLogs(nil, newStory(t), nil, nil)
	for range 5 * maxHints { // a server that floods
		l.hint(Hint{Tool: ToolRustDesk, Connection: "1", At: t0})
	}
	if len(l.hints) != maxHints || slices.ContainsFunc(l.hints, func(h Hint) bool { return h.Closed }) {
		t.Error(len(l.hints))
	}
}
