package command

import (
	"errors"
	"io"
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
