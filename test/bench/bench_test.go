package main

import (
	"image"
	"image/color"
	"strings"
	"testing"
	"time"
)

func TestRow(t *testing.T) {
	r := row("x", 300*time.Millisecond, []time.Duration{400 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond})
	if r.Median != 200 || r.Least != 100 || r.Most != 400 {
		t.Errorf("%+v", r)
	}
	if r = row("x", 0, []time.Duration{time.Second, 2 * time.Second}); r.Median != 1500 {
		t.Errorf("%+v", r)
	}
}

// A goal that is missed is called missed.
func TestTable(t *testing.T) {
	res := Result{Rows: []Row{{Name: "slow", Goal: 100, Median: 100}, {Name: "fast", Goal: 100, Median: 99}, {Name: zenityName, Median: 50}}}
	text := res.table(3)
	for _, want := range []string{"| slow | < 100 (missed) | 100 | 0 | 0 | 2.00 |", "| fast | < 100 | 99 |", "3 times"} {
		if !strings.Contains(text, want) {
			t.Errorf("the table lacks %q:\n%s", want, text)
		}
	}
}

func TestDiffers(t *testing.T) {
	a, b := image.NewRGBA(image.Rect(0, 0, 40, 30)), image.NewRGBA(image.Rect(0, 0, 40, 30))
	if r := differs(a, b); !r.Empty() {
		t.Error(r)
	}
	b.SetRGBA(3, 4, color.RGBA{1, 2, 3, 255})
	b.SetRGBA(20, 9, color.RGBA{1, 2, 3, 255})
	if r := differs(a, b); r != image.Rect(3, 4, 21, 10) {
		t.Error(r)
	}
	if c := dominant(b, image.Rect(3, 4, 4, 5)); c != (color.RGBA{1, 2, 3, 255}) {
		t.Error(c)
	}
}

// This program's own time is not that of others.
func TestOwnTicks(t *testing.T) {
	before := readTimes()
	for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end); {
	}
	if own := readTimes().own - before.own; own < 5 {
		t.Errorf("%v ticks of its own after 300 ms of work", own)
	}
}
