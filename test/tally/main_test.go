package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestCounts(t *testing.T) {
	const stream = `{"Action":"run","Package":"p","Test":"A"}
{"Action":"run","Package":"p","Test":"A/one"}
{"Action":"pass","Package":"p","Test":"A/one"}
{"Action":"run","Package":"p","Test":"A/two"}
{"Action":"output","Package":"p","Test":"A/two","Output":"    a_test.go:1: no X server\n"}
{"Action":"output","Package":"p","Test":"A/two","Output":"--- SKIP: A/two\n"}
{"Action":"skip","Package":"p","Test":"A/two"}
{"Action":"pass","Package":"p","Test":"A"}
{"Action":"run","Package":"p","Test":"B"}
{"Action":"output","Package":"p","Test":"B","Output":"    b_test.go:1: it broke\n"}
{"Action":"fail","Package":"p","Test":"B"}
{"Action":"fail","Package":"p"}
{"Action":"build-output","ImportPath":"q","Output":"q.go:1: syntax error\n"}
{"Action":"fail","Package":"q","FailedBuild":"q"}
{"Action":"run","Package":"r","Test":"Dies"}
{"Action":"output","Package":"r","Test":"Dies","Output":"panic: test timed out\n"}
{"Action":"fail","Package":"r"}
not json at all
`
	var out bytes.Buffer
	c := newTally(&out)
	if err := c.read(strings.NewReader(stream)); err != nil {
		t.Fatal(err)
	}
	if c.count != (count{passed: 1, failed: 3, skipped: 1}) {
		t.Errorf("counted %+v", c.count)
	}
	for _, want := range []string{"it broke", "syntax error", "panic: test timed out", "not json at all"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("output lacks %q:\n%s", want, out.String())
		}
	}
	if len(c.skips) != 1 || !strings.Contains(c.skips[0], "no X server") {
		t.Errorf("skips = %q", c.skips)
	}
}
