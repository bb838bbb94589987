package agent

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"aval/agent/ipc"
)

// maxTroubles is how many warnings and errors are kept for whoever looks for a
// fault.
const maxTroubles = 20

// troubles keeps the last warnings and errors of the service's own log, which
// holds no captured text. It is a slog.Handler that passes everything on.
type troubles struct {
	slog.Handler
	attrs []slog.Attr
	kept  *recent
}

// recent is what all handlers made of one share.
type recent struct {
	mu   sync.Mutex
	list []ipc.Trouble
}

func keepTroubles(log *slog.Logger) (*slog.Logger, *recent) {
	r := &recent{}
	return slog.New(&troubles{Handler: log.Handler(), kept: r}), r
}

// Enabled implements slog.Handler: warnings are kept even where nobody logs.
func (t *troubles) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn || t.Handler.Enabled(ctx, l)
}

// Handle implements slog.Handler.
func (t *troubles) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		text := r.Message
		add := func(a slog.Attr) bool {
			text += " " + a.Key + "=" + a.Value.String()
			return true
		}
		for _, a := range t.attrs {
			add(a)
		}
		r.Attrs(add)
		t.kept.add(ipc.Trouble{At: r.Time.UTC(), Level: r.Level.String(), Text: text})
	}
	if !t.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return t.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (t *troubles) WithAttrs(as []slog.Attr) slog.Handler {
	return &troubles{Handler: t.Handler.WithAttrs(as), attrs: slices.Concat(t.attrs, as), kept: t.kept}
}

// WithGroup implements slog.Handler.
func (t *troubles) WithGroup(name string) slog.Handler {
	return &troubles{Handler: t.Handler.WithGroup(name), attrs: t.attrs, kept: t.kept}
}

// maxTrouble is the longest text that is kept, in bytes.
const maxTrouble = 400

func (r *recent) add(t ipc.Trouble) {
	if len(t.Text) > maxTrouble {
		t.Text = strings.ToValidUTF8(t.Text[:maxTrouble], "") + "…" // a character may be cut in two
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.list); n > 0 && r.list[n-1].Text == t.Text { // the same again: its last time
		r.list[n-1].At = t.At
		return
	}
	if len(r.list) >= maxTroubles {
		r.list = r.list[1:]
	}
	r.list = append(r.list, t)
}

// since returns those of the last d.
func (r *recent) since(d time.Duration) []ipc.Trouble {
	r.mu.Lock()
	defer r.mu.Unlock()
	from := time.Now().Add(-d)
	return slices.DeleteFunc(slices.Clone(r.list), func(t ipc.Trouble) bool { return t.At.Before(from) })
}
