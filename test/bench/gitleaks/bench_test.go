package gitleaks_test

import (
	_ "embed"
	"io"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"aval/agent/redact"

	"github.com/rs/zerolog"
	"github.com/zricethezav/gitleaks/v8/detect"
	"github.com/zricethezav/gitleaks/v8/logging"
)

//go:embed ordinary.txt
var ordinary string

// secrets are put into some of the texts; each is found by both.
var secrets = []string{
	"token ghp_1a2B3c4D5e6F7g8H9i0J1k2L3m4N5o6P7q8R", "AWS_ACCESS_KEY_ID=AKIAZ2X3C4V5B6N7M2K3",
	"xoxb-123456789012-123456789012-AbCdEfGhIjKlMnOpQrStUvWx", "glpat-Ab1Cd2Ef3Gh4Ij5Kl6Mn",
	"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
	"api_key = \"9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c\"",
}

// texts are 300 bytes of ordinary lines each; every one of share hundredths
// holds a secret.
func texts(share float64) (out []string, size int) {
	r := rand.New(rand.NewPCG(3, 4))
	lines := strings.Split(strings.TrimSpace(ordinary), "\n")
	for range 500 {
		var b strings.Builder
		secret := r.Float64() < share
		for b.Len() < 300 {
			b.WriteString(lines[r.IntN(len(lines))])
			b.WriteByte(' ')
			if secret && b.Len() > 100 {
				b.WriteString(secrets[r.IntN(len(secrets))] + " ")
				secret = false
			}
		}
		out = append(out, strings.TrimSpace(b.String()))
		size += len(out[len(out)-1])
	}
	return out, size
}

// cpu is the time that this process has computed so far.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// speed is MB/s of one core over whole rounds of at least a third of a second of computing.
func speed(size int, round func()) float64 {
	round() // what is compiled when first needed
	start, n := cpu(), 0
	for cpu()-start < time.Second/3 {
		round()
		n++
	}
	return float64(size) * float64(n) / 1e6 / (cpu() - start).Seconds()
}

// BenchmarkSpeed redacts and searches the same texts in turn, three times, and
// compares the medians of the computing time, so that a busy machine counts for
// both.
func BenchmarkSpeed(t *testing.B) {
	logging.Logger = zerolog.New(io.Discard)
	d, err := detect.NewDetectorDefaultConfig()
	if err != nil {
		t.Fatal(err)
	}
	for _, share := range []float64{0, .02, .2} {
		ts, size := texts(share)
		var ours, theirs []float64
		for range 3 {
			ours = append(ours, speed(size, func() {
				for _, s := range ts {
					redact.Text(s)
				}
			}))
			theirs = append(theirs, speed(size, func() {
				for _, s := range ts {
					d.DetectString(s)
				}
			}))
		}
		a, b := median(ours), median(theirs)
		t.Logf("a secret in %2.0f %% of the texts: %6.1f MB/s, gitleaks %5.2f MB/s: %.1f times", 100*share, a, b, a/b)
	}
}

func median(v []float64) float64 {
	a, b, c := v[0], v[1], v[2]
	return max(min(a, b), min(max(a, b), c))
}
