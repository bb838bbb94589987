package command

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	for want, f := range map[string]Failure{
		"aval: no disk\n":                             {Message: "no disk"},
		"aval: no disk: free some\n":                  {Message: "no disk", Hint: "free some"},
		`{"error":{"code":"c","message":"m"}}` + "\n": {Code: "c", Message: "m"},
		`{"error":{"message":"m","hint":"h"}}` + "\n": {Message: "m", Hint: "h"},
	} {
		var b strings.Builder
		f.Report(&b, "aval", strings.HasPrefix(want, "{"))
		if b.String() != want {
			t.Errorf("%+v: %q", f, b.String())
		}
	}
}

func TestPrint(t *testing.T) {
	var b strings.Builder
	if err := Print(&b, true, map[string]string{"a": "<b>"}, func(io.Writer) { t.Error("text") }); err != nil || b.String() != `{"a":"<b>"}`+"\n" {
		t.Errorf("%q %v", b.String(), err)
	}
	b.Reset()
	if err := Print(&b, false, 1, func(w io.Writer) { io.WriteString(w, "one") }); err != nil || b.String() != "one" {
		t.Errorf("%q %v", b.String(), err)
	}
	if !Wrong(errors.New("unknown flag: --x")) || Wrong(errors.New("the disk is full")) {
		t.Error("wrong words are not told from failures")
	}
}

// TestReadFile: as much as may be is read, and a byte more is no half of a file.
// Cut at the limit, and it fails.
func TestReadFile(t *testing.T) {
	for text, fits := range map[string]bool{"": true, "four": true, "fives": false} {
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{path, "-"} {
			got, err := ReadFile(name, strings.NewReader(text), 4)
			if fits != (err == nil) || fits && string(got) != text || !fits && got != nil {
				t.Errorf("%q from %s: %q, %v", text, name, got, err)
			}
		}
	}
	if _, err := ReadFile(filepath.Join(t.TempDir(), "none"), nil, 4); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
