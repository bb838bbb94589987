package gitleaks_test

import (
	_ "embed"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

// events are the lines as they come: titles of windows, commands, lines of chat.
func events() []string { return strings.Split(strings.TrimSpace(ordinary), "\n") }

// mixed are the events as often as it takes for some of them, two hundredths, to
// hold a secret.
func mixed() (out []string) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 12 {
		for _, e := range events() {
			if r.Float64() < .02 {
				e += " " + secrets[r.IntN(len(secrets))]
			}
			out = append(out, e)
		}
	}
	return out
}

// long are texts of 300 bytes, put together out of events; every one of share
// hundredths holds a secret.
func long(share float64) (out []string) {
	r := rand.New(rand.NewPCG(3, 4))
	lines := events()
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
	}
	return out
}

// source is the program text of gitleaks itself in stretches of whole lines of
// about 300 bytes: it has no text of its own to measure the search with.
func source(t *testing.B) (out []string) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/zricethezav/gitleaks/v8").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"detect.go", "git.go", "detect_test.go"} {
		raw, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "detect", name))
		if err != nil {
			t.Fatal(err)
		}
		text := ""
		for line := range strings.Lines(string(raw)) {
			if text += line; len(text) >= 300 {
				out = append(out, text)
				text = ""
			}
		}
	}
	return out
}

// cpu is the time that this process has computed so far.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// speed is MB/s of one core over whole rounds of at least a fifth of a second of computing.
func speed(ts []string, look func(s string)) float64 {
	size := 0
	for _, s := range ts {
		size += len(s)
	}
	start, n := cpu(), 0
	for cpu()-start < time.Second/5 {
		for _, s := range ts {
			look(s)
		}
		n++
	}
	return float64(size) * float64(n) / 1e6 / (cpu() - start).Seconds()
}

// BenchmarkSpeed redacts and searches the same texts in turn, seven times, and
// compares the medians of the computing time, so that a busy machine counts for
// both.
func BenchmarkSpeed(t *testing.B) {
	logging.Logger = zerolog.New(io.Discard)
	d, err := detect.NewDetectorDefaultConfig()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		texts []string
	}{
		{"events as they come", events()},
		{"events, a secret in 2 %", mixed()},
		{"300 bytes, no secret", long(0)},
		{"a secret in 2 % of them", long(.02)},
		{"a secret in 20 %", long(.2)},
		{"a secret in each", long(1)},
		{"program text of gitleaks", source(t)},
	} {
		var ours, theirs []float64
		for k := range 8 {
			a := speed(c.texts, func(s string) { redact.Text(s) })
			b := speed(c.texts, func(s string) { d.DetectString(s) })
			if k > 0 { // the first compiles what is needed for the first time
				ours, theirs = append(ours, a), append(theirs, b)
			}
		}
		slices.Sort(ours)
		slices.Sort(theirs)
		a, b := ours[len(ours)/2], theirs[len(theirs)/2]
		t.Logf("%-25s %6.1f MB/s, gitleaks %5.2f MB/s: %.1f times", c.name, a, b, a/b)
	}
}
