// Command bench measures from outside how long a person waits for Aval: from the
// start of a session to a question that is painted on the screen, from the answer
// to the first event that is captured; beside zenity, whose dialog other tools
// ask with, in the same run on the same display.
//
// The one rule that must not be broken: what counts is the screen. A time ends
// when the pixels of the finished window can be read from the X server, and every
// table says how busy the machine was.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"aval/test/rig"
)

type options struct {
	bin, out string
	n        int
}

func main() {
	var o options
	flag.StringVar(&o.bin, "bin", "bin", "folder with the four programs")
	flag.StringVar(&o.out, "out", "out/bench", "folder for the result and for pictures of what was measured")
	flag.IntVar(&o.n, "n", 15, "how often each is measured, in turn")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// Row is one line of the result. Times are milliseconds.
type Row struct {
	Name   string    `json:"name"`
	Goal   float64   `json:"goal,omitempty"` // the median should be below; 0: only for comparison
	Median float64   `json:"median"`
	Least  float64   `json:"least"`
	Most   float64   `json:"most"`
	All    []float64 `json:"all"`
}

// Result is what one run found.
type Result struct {
	At        time.Time `json:"at"`
	Cores     int       `json:"cores"`
	LoadStart float64   `json:"load_start"` // of the last minute, /proc/loadavg
	LoadEnd   float64   `json:"load_end"`
	// Busy is the share of the cores' time that other programs than those started
	// here took meanwhile, 0 to 1.
	Busy float64 `json:"busy"`
	// WindowMB is the memory of the process of the question while it is shown: what
	// one that is kept ready would take all day.
	WindowMB float64 `json:"window_mb"`
	Rows     []Row   `json:"rows"`
}

func run(ctx context.Context, o options) (err error) {
	if err := rig.Need("Xvfb", "Xephyr", "openbox", "zenity", "xmessage"); err != nil {
		return err
	}
	r, err := rig.New(ctx, o.bin, "pt_BR.UTF-8")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if err := r.CheckBin(); err != nil {
		return err
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	st, err := newStage(r)
	if err != nil {
		return err
	}
	res := Result{At: time.Now().UTC(), LoadStart: load()}
	before := readTimes()
	cases, err := st.cases(o.out)
	if err != nil {
		return err
	}
	took := make([][]time.Duration, len(cases))
	for i := range o.n {
		for k, c := range cases { // in turn, so that all of them meet the same load
			d, err := c.once(ctx)
			if err != nil {
				return fmt.Errorf("%s, time %d: %w", c.name, i+1, err)
			}
			took[k] = append(took[k], d)
		}
	}
	for k, c := range cases {
		res.Rows = append(res.Rows, row(c.name, c.goal, took[k]))
	}
	res.LoadEnd = load()
	res.Cores, res.Busy = readTimes().since(before)
	res.WindowMB = st.windowMB
	fmt.Print(res.table(o.n))
	raw, err := json.MarshalIndent(res, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(o.out, "bench.json"), append(raw, '\n'), 0o644)
}

// table is the result as people read it, in Markdown.
func (r Result) table(n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d cores; load %.1f at the start, %.1f at the end; other programs took %.0f %% of the cores; %d times each, in turn.\n\n",
		r.Cores, r.LoadStart, r.LoadEnd, 100*r.Busy, n)
	b.WriteString("| milliseconds | goal | median | least | most | to zenity |\n|---|---|---|---|---|---|\n")
	zenity := 0.0
	for _, x := range r.Rows {
		if x.Name == zenityName {
			zenity = x.Median
		}
	}
	for _, x := range r.Rows {
		goal, ratio := "", ""
		if x.Goal > 0 {
			goal = fmt.Sprintf("< %.0f", x.Goal)
			if x.Median >= x.Goal {
				goal += " (missed)"
			}
		}
		if zenity > 0 {
			ratio = fmt.Sprintf("%.2f", x.Median/zenity)
		}
		fmt.Fprintf(&b, "| %s | %s | %.0f | %.0f | %.0f | %s |\n", x.Name, goal, x.Median, x.Least, x.Most, ratio)
	}
	fmt.Fprintf(&b, "\nThe window's process takes %.0f MB while it is shown.\n", r.WindowMB)
	return b.String()
}
