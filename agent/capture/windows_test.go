package capture

import (
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"aval/agent/event"
)

func TestBefore(t *testing.T) {
	b := newBefore()
	b.note(1, []string{"old", "older"})
	for _, c := range []struct {
		window uint32
		titles []string
		want   string
	}{
		{1, []string{"old"}, event.TitleBefore}, {1, []string{"older"}, event.TitleBefore}, {1, []string{"new", "old"}, "new"},
		{1, nil, ""}, {2, []string{"old"}, "old"}, {1, []string{"old"}, event.TitleBefore},
	} {
		if got := b.shown(c.window, c.titles); got != c.want {
			t.Errorf("%d %q: %q, want %q", c.window, c.titles, got, c.want)
		}
	}
	// Not everything could be looked at: what is not known is old at first.
	b.whole = false
	if got := b.shown(3, []string{"unknown"}); got != event.TitleBefore {
		t.Errorf("%q", got)
	}
	if got := b.shown(3, []string{"changed"}); got != "changed" {
		t.Errorf("%q", got)
	}
	b.forget()
	if len(b.titles) != 0 || b.salt != [32]byte{} {
		t.Error("something is remembered")
	}
}

// Whatever changes how often, a change is looked at within a second of being
// noticed or of the window's last look, and a title at most once a second.
func TestPace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := pace{last: map[uint32]time.Time{}}
		now := time.Unix(1000, 0)
		var looked time.Time
		for range 200 {
			now = now.Add(time.Duration(rapid.IntRange(1, 300).Draw(t, "ms")) * time.Millisecond)
			if !p.due.IsZero() && !now.Before(p.due) {
				since := p.since
				if now = p.due; now.Sub(since) > titleEvery+settleAtMay {
					t.Fatalf("looked %v after the change", now.Sub(since))
				}
				if !looked.IsZero() && now.Sub(looked) < titleEvery {
					t.Fatalf("two looks within %v", now.Sub(looked))
				}
				looked = now
				p.look(now, 7)
			}
			p.noticed(now, 7, true)
		}
	})
}

func FuzzClean(f *testing.F) {
	f.Add("a\u202eb\x00\n c\xff", 5)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = max(0, min(limit, 2000))
		got := clean(s, limit)
		if len(got) > limit || !utf8.ValidString(got) || clean(got, limit) != got {
			t.Fatalf("%q at %d: %q", s, limit, got)
		}
	})
}
