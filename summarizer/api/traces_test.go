package api_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"aval/summarizer/api"
)

// Without a collector there are no traces, and handlers are left as they are; what
// cannot be done as it was asked for is said before the server starts.
func TestTracesAsked(t *testing.T) {
	for _, c := range []struct {
		address, env, value string
		on                  bool
		wrong               string
	}{
		{},
		{address: "http://127.0.0.1:1", on: true},
		{env: "OTEL_EXPORTER_OTLP_ENDPOINT", value: "http://127.0.0.1:1", on: true},
		{env: "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", value: "http://127.0.0.1:1/x", on: true},
		{address: "http://127.0.0.1:1", env: "OTEL_SDK_DISABLED", value: "true"},
		{address: "http://127.0.0.1:1", env: "OTEL_TRACES_EXPORTER", value: "none"},
		{address: "http://127.0.0.1:1", env: "OTEL_TRACES_EXPORTER", value: "zipkin", wrong: "otlp alone"},
		{address: "http://127.0.0.1:1", env: "OTEL_EXPORTER_OTLP_PROTOCOL", value: "grpc", wrong: "http/protobuf alone"},
		{address: "127.0.0.1:4318", wrong: "an address like"},
		{address: "https://user:secret@collector.example.com", wrong: "an address like"},
	} {
		t.Run(c.address+c.env+c.value, func(t *testing.T) {
			if c.env != "" {
				t.Setenv(c.env, c.value)
			}
			tr, err := api.NewTraces(t.Context(), c.address, "test", slog.New(slog.DiscardHandler))
			if c.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), c.wrong) || strings.Contains(err.Error(), "secret") {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			ctx, span := tr.Tracer().Start(context.Background(), "x")
			if span.IsRecording() != c.on {
				t.Errorf("recording: %v", span.IsRecording())
			}
			var log bytes.Buffer
			slog.New(api.LogTraces(slog.NewTextHandler(&log, nil))).With("a", 1).WithGroup("g").InfoContext(ctx, "hello")
			if strings.Contains(log.String(), "trace_id=") != c.on {
				t.Errorf("log: %s", &log)
			}
			seen := false
			h := tr.Handle(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { seen = true; w.WriteHeader(http.StatusTeapot) }))
			w := httptest.NewRecorder()
			if h.ServeHTTP(w, httptest.NewRequest("GET", "/x", nil)); !seen || w.Code != http.StatusTeapot {
				t.Error("the request is not answered")
			}
			ended, cancel := context.WithCancel(t.Context())
			cancel() // nobody is there to take them
			_ = tr.Close(ended)
		})
	}
}
