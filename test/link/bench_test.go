package link_test

import (
	"os"
	"testing"
	"time"
)

// BenchmarkBacklog delivers what has gathered while the summarizer was away:
// durable at both ends, over TLS, everything verified. It reports events/s of
// the whole way.
func BenchmarkBacklog(b *testing.B) {
	dir, err := os.MkdirTemp("", "link")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	const n = 20_000
	for b.Loop() {
		b.StopTimer()
		d, err := os.MkdirTemp(dir, "run")
		if err != nil {
			b.Fatal(err)
		}
		s, err := listen(d, "127.0.0.1:0", nil, 0)
		if err != nil {
			b.Fatal(err)
		}
		c := enrol(b, d, nil)
		st, _ := c.grant("x/1")
		for i := 0; i < n; i += 1000 {
			c.append(st, c.titles("x/1", i, 1000)...)
		}
		b.StartTimer()
		start := time.Now()
		_, stop := c.connect(c.config(""))
		until(b, "delivery", func() bool { return c.acked(st) })
		b.ReportMetric(n/time.Since(start).Seconds(), "events/s")
		b.StopTimer()
		stop()
		s.close()
		b.StartTimer()
	}
}
