package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"aval/summarizer/store"
)

// Traces sends what requests, batches and jobs took to a collector, by OTLP over
// HTTP (opentelemetry.io/docs/specs/otlp). A span holds words of this program and
// numbers, never what somebody sent: no address, no name, no query, no error's
// text. Where no collector is named there are no spans, and it costs nothing.
type Traces struct {
	provider *sdktrace.TracerProvider // nil: off
	tracer   trace.Tracer
}

// The variables of the OpenTelemetry specification that decide whether there are
// traces; the exporter and the SDK read the others (headers, certificates, sampler,
// resource attributes) themselves.
const (
	envDisabled = "OTEL_SDK_DISABLED"
	envExporter = "OTEL_TRACES_EXPORTER"
	envEndpoint = "OTEL_EXPORTER_OTLP_ENDPOINT"
	envTraces   = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	envProtocol = "OTEL_EXPORTER_OTLP_PROTOCOL"
	envTracesBy = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
)

// tracer is the instrumentation scope of all spans.
const tracer = "aval/summarizer"

// tellEvery is how often it is logged that the collector cannot be reached.
const tellEvery = time.Minute

// NewTraces begins to send traces to address, https://HOST:PORT, or where it is
// empty to the collector that the environment names. Without both there are none.
func NewTraces(ctx context.Context, address, version string, log *slog.Logger) (*Traces, error) {
	off := &Traces{tracer: noop.NewTracerProvider().Tracer(tracer)}
	named := address != "" || os.Getenv(envEndpoint) != "" || os.Getenv(envTraces) != ""
	if !named || strings.EqualFold(os.Getenv(envDisabled), "true") || os.Getenv(envExporter) == "none" {
		return off, nil
	}
	if e := os.Getenv(envExporter); e != "" && e != "otlp" {
		return nil, fmt.Errorf("%s=%s: traces are sent by otlp alone", envExporter, e)
	}
	for _, name := range []string{envProtocol, envTracesBy} {
		if p := os.Getenv(name); p != "" && p != "http/protobuf" {
			return nil, fmt.Errorf("%s=%s: traces are sent by http/protobuf alone", name, p)
		}
	}
	var o []otlptracehttp.Option
	if address != "" {
		u, err := url.Parse(address)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" {
			return nil, errors.New("traces go to an address like https://collector.example.com:4318")
		}
		if u.Path == "" || u.Path == "/" {
			u.Path = "/v1/traces" // as the specification has it for an address without a path
		}
		o = append(o, otlptracehttp.WithEndpointURL(u.String()))
	}
	exporter, err := otlptracehttp.New(ctx, o...)
	if err != nil {
		return nil, fmt.Errorf("begin traces: %w", err)
	}
	res, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(
		attribute.String("service.name", "aval-summarizer"), attribute.String("service.version", version),
		attribute.String("service.instance.id", store.NewID(time.Now()))), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("begin traces: OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	var told atomic.Int64
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { // the one setting of the library that is not ours alone
		now := time.Now().UnixNano()
		if last := told.Load(); now-last > int64(tellEvery) && told.CompareAndSwap(last, now) {
			log.Warn("traces cannot be sent", "err", err)
		}
	}))
	p := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(res))
	return &Traces{provider: p, tracer: p.Tracer(tracer, trace.WithInstrumentationVersion(version))}, nil
}

// Tracer begins spans; it is never nil.
func (t *Traces) Tracer() trace.Tracer { return t.tracer }

// Close sends what is left, as long as ctx lets it. It is idempotent.
func (t *Traces) Close(ctx context.Context) error {
	if t.provider == nil {
		return nil
	}
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("send the last traces: %w", err)
	}
	return nil
}

// Handle has each request that next answers be a span with the route's pattern. A
// trace that a client says it began is not taken up: anybody can reach this. What
// balancers ask all the time is left out.
func (t *Traces) Handle(next http.Handler) http.Handler {
	if t.provider == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" || r.URL.Path == "/readyz" {
			next.ServeHTTP(w, r)
			return
		}
		method := "_OTHER" // the specification's word for what is none of the known ones
		if slices.Contains(methods, r.Method) {
			method = r.Method
		}
		ctx, span := t.tracer.Start(r.Context(), method, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attribute.String("http.request.method", method)))
		defer span.End()
		seen := &status{ResponseWriter: w, code: http.StatusOK}
		r = r.WithContext(ctx)
		next.ServeHTTP(seen, r)
		if _, route, ok := strings.Cut(r.Pattern, " "); ok || r.Pattern != "" {
			if !ok {
				route = r.Pattern
			}
			span.SetName(method + " " + route)
			span.SetAttributes(attribute.String("http.route", route))
		}
		span.SetAttributes(attribute.Int("http.response.status_code", seen.code))
		if seen.code >= 500 {
			span.SetStatus(codes.Error, "")
		}
	})
}

// LogTraces adds to each line the trace in which it was written, where it was
// written in one: trace_id and span_id.
func LogTraces(h slog.Handler) slog.Handler { return traced{h} }

type traced struct{ slog.Handler }

func (t traced) Handle(ctx context.Context, r slog.Record) error {
	if s := trace.SpanContextFromContext(ctx); s.IsValid() {
		r = r.Clone()
		r.AddAttrs(slog.String("trace_id", s.TraceID().String()), slog.String("span_id", s.SpanID().String()))
	}
	return t.Handler.Handle(ctx, r)
}

func (t traced) WithAttrs(a []slog.Attr) slog.Handler { return traced{t.Handler.WithAttrs(a)} }

func (t traced) WithGroup(name string) slog.Handler { return traced{t.Handler.WithGroup(name)} }
