package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

func row(name string, goal time.Duration, took []time.Duration) Row {
	r := Row{Name: name, Goal: ms(goal)}
	for _, d := range took {
		r.All = append(r.All, ms(d))
	}
	sorted := slices.Sorted(slices.Values(r.All))
	if n := len(sorted); n > 0 {
		r.Least, r.Most = sorted[0], sorted[n-1]
		r.Median = (sorted[(n-1)/2] + sorted[n/2]) / 2
	}
	return r
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// load is the load of the last minute (proc(5), /proc/loadavg).
func load() float64 {
	raw, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return -1
	}
	v, err := strconv.ParseFloat(strings.Fields(string(raw))[0], 64)
	if err != nil {
		return -1
	}
	return v
}

// times are clock ticks since the machine's start: of all cores together, of
// those the busy ones, and of them those of this program's children that ended.
type times struct{ all, busy, own float64 }

func readTimes() times {
	var t times
	raw, err := os.ReadFile("/proc/stat")
	if err != nil {
		return t
	}
	for i, f := range strings.Fields(strings.SplitN(string(raw), "\n", 2)[0])[1:] {
		v, _ := strconv.ParseFloat(f, 64)
		if i < 8 { // guest time is in user time already (proc(5))
			t.all += v
			if i != 3 && i != 4 { // idle, iowait
				t.busy += v
			}
		}
	}
	t.own = ownTicks()
	return t
}

// ownTicks adds up what this program and every process below it has used.
func ownTicks() float64 {
	dirs, _ := os.ReadDir("/proc")
	parent, used := map[int]int{}, map[int]float64{}
	for _, d := range dirs {
		pid, err := strconv.Atoi(d.Name())
		if err != nil {
			continue
		}
		raw, err := os.ReadFile("/proc/" + d.Name() + "/stat")
		if err != nil {
			continue
		}
		_, rest, ok := strings.Cut(string(raw), ") ") // the name may hold spaces
		f := strings.Fields(rest)
		if !ok || len(f) < 15 {
			continue
		}
		parent[pid], _ = strconv.Atoi(f[1])
		for _, i := range []int{11, 12, 13, 14} { // utime, stime, and those of children that ended
			v, _ := strconv.ParseFloat(f[i], 64)
			used[pid] += v
		}
	}
	sum := 0.0
	for pid := range used {
		for p := pid; p > 1; p = parent[p] {
			if p == os.Getpid() {
				sum += used[pid]
				break
			}
		}
	}
	return sum
}

// memory is the proportional share of a process, in MB (proc(5), smaps_rollup):
// what would be free without it.
func memory(pid int) float64 {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/smaps_rollup")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(raw)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "Pss:" {
			kb, _ := strconv.ParseFloat(f[1], 64)
			return kb / 1024
		}
	}
	return 0
}

// since returns how many cores there are, and which share of their time others took.
func (t times) since(before times) (cores int, others float64) {
	all := t.all - before.all
	if all <= 0 {
		return runtime.NumCPU(), 0
	}
	return runtime.NumCPU(), max(0, (t.busy-before.busy)-(t.own-before.own)) / all
}

// String is for messages.
func (r Row) String() string { return fmt.Sprintf("%s: median %.0f ms", r.Name, r.Median) }
