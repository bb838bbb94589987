//go:build e2e

package torture

import (
	"cmp"
	"os"
	"testing"

	"aval/test/rig"
)

func TestKill(t *testing.T) {
	r, err := rig.New(t.Context(), cmp.Or(os.Getenv("AVAL_BIN"), "../../bin"), "pt_BR.UTF-8")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := r.CheckBin(); err != nil {
		t.Fatal(err)
	}
	s, err := r.StartSummarizer("summarizer", "en")
	if err != nil {
		t.Fatal(err)
	}
	a, err := r.StartAgent("agent")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Enroll(s); err != nil {
		t.Fatal(err)
	}
	outer, err := r.StartXvfb("outer", 1000, 700)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.StartWM(outer); err != nil {
		t.Fatal(err)
	}
	if _, err := a.StartDesktop(outer); err != nil {
		t.Fatal(err)
	}
	Kill(t, r, a, s, outer, Times())
}
