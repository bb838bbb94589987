package store

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// scope is the instrumentation scope of the store's spans.
const scope = "aval/summarizer/store"

// span is one transaction of a request, batch or job that is traced; nothing is
// begun outside of those, as by who only looks whether there is work. It holds no
// statement and no value.
func (db *DB) span(ctx context.Context, kind string) (context.Context, func(tries int, err error)) {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return ctx, func(int, error) {}
	}
	ctx, s := trace.SpanFromContext(ctx).TracerProvider().Tracer(scope).Start(ctx, "transaction", trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String("db.system.name", db.engine.system()), attribute.String("aval.transaction", kind)))
	return ctx, func(tries int, err error) {
		s.SetAttributes(attribute.Int("aval.tries", tries))
		if err != nil {
			s.SetStatus(codes.Error, "")
		}
		s.End()
	}
}
