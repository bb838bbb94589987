package agent

import (
	"io"
	"log/slog"
	"testing"

	"aval/agent/event"
	"aval/agent/redact"
)

// TestDroppedIsCounted: events whose text cannot be searched leave a gap that
// counts them, in their place, and those who wait are told. (With the error of
// the redactor ignored, the texts are kept and it fails.)
func TestDroppedIsCounted(t *testing.T) {
	a := &Agent{log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	told := ""
	batch := []written{
		{ev: a.mark(event.SessionStarted, map[string]string{"tool": "x"})},
		{ev: event.Event{Kind: event.Note, Fields: map[string]string{"text": "canary"}}, done: func(_ uint64, why string) { told = why }},
		{ev: event.Event{Kind: event.ChatMessage, Fields: map[string]string{"text": "canary"}}},
		{ev: a.mark(event.SessionEnded, map[string]string{"reason": "ended"})},
	}
	out := a.redacted(&writer{}, batch)
	if len(out) != 3 || out[0].ev.Kind != event.SessionStarted || out[1].ev.Kind != event.Gap || out[2].ev.Kind != event.SessionEnded {
		t.Fatalf("%+v", out)
	}
	if f := out[1].ev.Fields; f["reason"] != "dropped" || f["count"] != "2" || told != "not-redacted" {
		t.Errorf("%v, told %q", f, told)
	}
	r, err := redact.New(redact.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if out := a.redacted(&writer{redact: r}, batch); len(out) != 4 || out[1].ev.Fields["text"] != "canary" {
		t.Errorf("%+v", out)
	}
}
