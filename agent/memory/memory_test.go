package memory_test

import (
	"bytes"
	"testing"

	"aval/agent/memory"
)

// TestTrim: the program goes on as before, with all its data. That it gives
// anything back is for TestTrimGivesBack to see.
func TestTrim(t *testing.T) {
	data := bytes.Repeat([]byte("aval"), 1<<20)
	for range 3 {
		memory.Trim()
	}
	if !bytes.Equal(data, bytes.Repeat([]byte("aval"), 1<<20)) {
		t.Error("memory that was in use has changed")
	}
}
