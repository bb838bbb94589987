package service

import (
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// TestEventText: a text has everything that the record has, and fits. Seen to fail
// without the cut, and without the removal of zeros.
func TestEventText(t *testing.T) {
	r := slog.NewRecord(time.Now(), slog.LevelError, "open local API", 0)
	r.Add("err", "access\x00 denied", "long", strings.Repeat("é", maxEventText))
	s := eventText(r, []slog.Attr{slog.String("session", "t/1")})
	if !strings.HasPrefix(s, "open local API\r\nsession: t/1\r\nerr: access denied\r\nlong: é") || len(s) > maxEventText || !utf8.ValidString(s) {
		t.Errorf("%d bytes: %.80q", len(s), s)
	}
}
