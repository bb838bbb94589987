package service

import (
	"log/slog"
	"strings"
)

// maxEventText is the longest text of an entry, in bytes: the event log takes 31,839
// characters (Microsoft Learn, ReportEvent).
const maxEventText = 16 << 10

// eventText is a log record as one text: what happened, and what it happened to,
// each on a line of its own. A zero would end it early.
func eventText(r slog.Record, attrs []slog.Attr) string {
	var b strings.Builder
	b.WriteString(r.Message)
	add := func(a slog.Attr) bool {
		b.WriteString("\r\n" + a.Key + ": " + a.Value.String())
		return b.Len() < maxEventText
	}
	for _, a := range attrs {
		add(a)
	}
	r.Attrs(add)
	s := strings.ReplaceAll(b.String(), "\x00", "")
	if len(s) > maxEventText {
		s = strings.ToValidUTF8(s[:maxEventText], "")
	}
	return s
}
