package memory_test

import (
	"bytes"
	"os"
	"strconv"
	"testing"

	"aval/agent/memory"
)

// resident is a figure of /proc/self/status (proc(5)), in kilobytes.
func resident(t *testing.T, name string) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte(name+":")); ok {
			n, err := strconv.Atoi(string(bytes.Fields(rest)[0]))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no %s", name)
	return 0
}

// TestTrimGivesBack: free heap and untouched pages of the program's file go back
// to the system. With an empty Trim, or one that leaves either out, it fails.
func TestTrimGivesBack(t *testing.T) {
	burst := bytes.Repeat([]byte("aval"), 16<<20)
	heap, file := resident(t, "RssAnon"), resident(t, "RssFile")
	if burst[len(burst)-1] != 'l' { // in use until here
		t.Fatal("it is not there")
	}
	burst = nil
	memory.Trim()
	if now := resident(t, "RssAnon"); now > heap-(32<<10) {
		t.Errorf("heap: %d kB before, %d kB after", heap, now)
	}
	if now := resident(t, "RssFile"); now > file*3/4 {
		t.Errorf("program: %d kB before, %d kB after", file, now)
	}
}
