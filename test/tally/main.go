// Command tally runs `go test` with -json, shows what a person wants to see of
// it, and counts the tests that really ran.
//
// The one rule that must not be broken: a number that it prints was counted;
// a package that did not build or died counts as failed, never as nothing.
//
//	go run ./test/tally -name test -- go test ./...
//
// The last line is "N passed, N failed, N skipped"; the three numbers are also
// written to out/tally-NAME, for whoever adds up several runs.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// event is one line of `go test -json`: see `go doc test2json`.
type event struct {
	Action      string
	Package     string
	ImportPath  string
	Test        string
	Output      string
	Elapsed     float64
	FailedBuild string
}

type count struct{ passed, failed, skipped int }

// tally adds up events. A test that has subtests is not counted beside them.
type tally struct {
	count
	out     io.Writer
	output  map[string][]string // of tests and packages still running
	parents map[string]bool
	perPkg  map[string]*count
	skips   []string
}

func newTally(out io.Writer) *tally {
	return &tally{out: out, output: map[string][]string{}, parents: map[string]bool{}, perPkg: map[string]*count{}}
}

func (t *tally) add(e event) {
	key := e.Package + " " + e.Test
	pkg := t.perPkg[e.Package]
	if pkg == nil {
		pkg = &count{}
		t.perPkg[e.Package] = pkg
	}
	switch e.Action {
	case "run":
		if i := strings.LastIndexByte(e.Test, '/'); i > 0 {
			t.parents[e.Package+" "+e.Test[:i]] = true
		}
	case "output":
		t.output[key] = append(t.output[key], e.Output)
	case "build-output":
		fmt.Fprint(t.out, e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			t.packageEnd(e, pkg)
			return
		}
		lines := t.output[key]
		delete(t.output, key)
		if e.Action == "fail" {
			fmt.Fprintf(t.out, "--- FAIL: %s %s (%.1fs)\n%s", e.Package, e.Test, e.Elapsed, strings.Join(lines, ""))
		}
		if t.parents[key] {
			return
		}
		switch e.Action {
		case "pass":
			pkg.passed++
			t.passed++
		case "fail":
			pkg.failed++
			t.failed++
		case "skip":
			pkg.skipped++
			t.skipped++
			t.skips = append(t.skips, e.Package+" "+e.Test+": "+why(lines))
		}
	}
}

func (t *tally) packageEnd(e event, pkg *count) {
	key := e.Package + " "
	lines := t.output[key]
	delete(t.output, key)
	switch {
	case e.Action == "fail":
		// The package itself failed: nothing of it did (it did not build, died,
		// or ran into its time limit), or a test did and is counted already.
		if pkg.failed == 0 {
			pkg.failed++
			t.failed++
		}
		for k, rest := range t.output { // what was running when it died
			if strings.HasPrefix(k, key) {
				fmt.Fprint(t.out, strings.Join(rest, ""))
				delete(t.output, k)
			}
		}
		fmt.Fprint(t.out, strings.Join(lines, ""))
		fmt.Fprintf(t.out, "FAIL  %-40s %d failed, %d passed (%.1fs)\n", e.Package, pkg.failed, pkg.passed, e.Elapsed)
	case pkg.passed+pkg.skipped > 0:
		fmt.Fprintf(t.out, "ok    %-40s %d passed%s (%.1fs)\n", e.Package, pkg.passed, skipped(pkg.skipped), e.Elapsed)
	}
}

func skipped(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", %d skipped", n)
}

// why finds the sentence that t.Skip was given.
func why(lines []string) string {
	for _, l := range slices.Backward(lines) {
		l = strings.TrimSpace(l)
		if l != "" && !strings.HasPrefix(l, "---") && !strings.HasPrefix(l, "===") {
			return l
		}
	}
	return "no reason given"
}

// read adds up a whole stream; lines that are no JSON are shown as they are.
func (t *tally) read(r io.Reader) error {
	in := bufio.NewReaderSize(r, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		var e event
		if len(line) > 0 {
			if json.Unmarshal(line, &e) != nil || e.Action == "" {
				fmt.Fprint(t.out, string(line))
			} else {
				t.add(e)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func run() (int, error) {
	name := flag.String("name", "test", "name of the run: counts go to out/tally-NAME")
	flag.Parse()
	args := flag.Args()
	i := slices.Index(args, "test")
	if i < 0 {
		return 2, errors.New("usage: tally [-name NAME] -- go test ARGUMENTS")
	}
	args = slices.Insert(slices.Clone(args), i+1, "-json")

	start := time.Now()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 1, err
	}
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	t := newTally(os.Stdout)
	readErr := t.read(out)
	err = cmd.Wait()
	if readErr != nil {
		return 1, fmt.Errorf("read test output: %w", readErr)
	}
	if err != nil && t.failed == 0 {
		fmt.Println("go test itself failed:", err)
		t.failed++
	}
	for _, s := range t.skips {
		fmt.Println("skipped:", s)
	}
	fmt.Printf("%d passed, %d failed, %d skipped in %s\n", t.passed, t.failed, t.skipped, time.Since(start).Round(time.Second))
	if err := os.MkdirAll("out", 0o755); err != nil {
		return 1, err
	}
	counts := fmt.Sprintf("%d %d %d\n", t.passed, t.failed, t.skipped)
	if err := os.WriteFile(filepath.Join("out", "tally-"+*name), []byte(counts), 0o644); err != nil {
		return 1, err
	}
	if t.failed > 0 {
		return 1, nil
	}
	return 0, nil
}

func main() {
	code, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
	}
	os.Exit(code)
}
