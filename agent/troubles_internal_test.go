package agent

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestTroubles: warnings and errors are kept with what they say, the last ones,
// each once while it repeats; what is only information is not, and all of it goes
// on to the log.
// Fault planted once: Enabled left to the handler below (a silent log kept nothing).
func TestTroubles(t *testing.T) {
	var b bytes.Buffer
	log, kept := keepTroubles(slog.New(slog.NewTextHandler(&b, nil)))
	log.Info("running")
	for range 3 {
		log.With("server", "example.com").Warn("uplink", "err", "no route")
	}
	log.Error("store", "err", "full")
	got := kept.since(time.Hour)
	if len(got) != 2 || got[0].Text != "uplink server=example.com err=no route" || got[0].Level != "WARN" || got[1].Level != "ERROR" {
		t.Errorf("%+v", got)
	}
	if strings.Count(b.String(), "\n") != 5 {
		t.Errorf("the log has %q", b.String())
	}
	for i := range 2 * maxTroubles {
		log.Warn("n", "i", i, "long", strings.Repeat("x", 2*maxTrouble))
	}
	if got = kept.since(time.Hour); len(got) != maxTroubles || len(got[0].Text) > maxTrouble+len("…") {
		t.Errorf("%d are kept", len(got))
	}
	silent, kept := keepTroubles(slog.New(slog.DiscardHandler))
	silent.Warn("x")
	if len(kept.since(time.Hour)) != 1 || len(kept.since(-time.Hour)) != 0 {
		t.Error("a silent log keeps nothing, or too long")
	}
}
