package torture

import (
	"strings"
	"testing"
	"time"
)

// The comparison finds each kind of damage: planted here, one at a time.
func TestCheck(t *testing.T) {
	told, maybe := []int{1, 2, 4, 5}, map[int]bool{3: true}
	for name, c := range map[string]struct {
		stored []int
		ok     bool
	}{
		"whole":         {[]int{1, 2, 4, 5}, true},
		"with a maybe":  {[]int{1, 2, 3, 4, 5}, true},
		"lost":          {[]int{1, 4, 5}, false},
		"twice":         {[]int{1, 2, 2, 4, 5}, false},
		"out of order":  {[]int{1, 4, 2, 5}, false},
		"maybe, twice":  {[]int{1, 2, 3, 3, 4, 5}, false},
		"never allowed": {[]int{1, 2, 4, 5, 6}, false},
		"nothing":       {nil, false},
	} {
		if got := Check(told, maybe, c.stored); (len(got) == 0) != c.ok {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// The shards together do all of it, and nothing twice.
func TestShare(t *testing.T) {
	for _, total := range []int{0, 1, 7, 20, 500} {
		for n := 1; n < 9; n++ {
			sum := 0
			for i := 1; i <= n; i++ {
				sum += Share(total, i, n)
			}
			if sum != total {
				t.Errorf("%d in %d shards: %d", total, n, sum)
			}
		}
	}
}

// What was found with other programs is not added to what these did. (With Newest
// giving all, a grant of the fixed programs' forebears would be theirs.)
func TestNewest(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	of := func(programs, shard string, after time.Duration) Report {
		return Report{At: at.Add(after), Programs: programs, Shard: shard}
	}
	got := Newest([]Report{of("b", "1/2", time.Hour), of("a", "1/1", 0), of("b", "2/2", 2*time.Hour), of("a", "2/4", time.Minute)})
	if len(got) != 2 || got[0].Shard != "1/2" || got[1].Shard != "2/2" {
		t.Errorf("%+v", got)
	}
	if Newest(nil) != nil {
		t.Error("there is a newest of none")
	}
}

// A lane's part of a run is judged with the others': where each has lost one of 125
// questions, or ten first clicks of twenty did nothing, the whole is right or wrong.
func TestWrongTogether(t *testing.T) {
	lane := func(t Tally) Report { t.Vector, t.Hand = "hand", true; return Report{Tallies: []Tally{t}} }
	for name, c := range map[string]struct {
		lanes []Report
		ok    bool
	}{
		"one lost of 500": {[]Report{lane(Tally{Attempts: 250, Grants: 249, First: 249}), lane(Tally{Attempts: 250, Grants: 250, First: 250})}, true},
		"too few at once": {[]Report{lane(Tally{Attempts: 10, Grants: 10, First: 7}), lane(Tally{Attempts: 10, Grants: 10, First: 7})}, false},
	} {
		if got := Sum(c.lanes)[0].Wrong(); (got == "") != c.ok {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// A grant that no hand gave is called wrong, and so are lost clicks of a hand, a
// campaign that attempted nothing, and a question without a reason.
func TestWrong(t *testing.T) {
	for name, c := range map[string]struct {
		tally Tally
		ok    bool
	}{
		"nothing granted":    {Tally{Attempts: 500, Windows: 50}, true},
		"one granted":        {Tally{Attempts: 500, Windows: 50, Grants: 1}, false},
		"nothing attempted":  {Tally{Windows: 50}, false},
		"hand":               {Tally{Hand: true, Attempts: 500, Grants: 500, First: 499}, true},
		"hand, one lost":     {Tally{Hand: true, Attempts: 500, Grants: 499, First: 499}, true},
		"hand, two lost":     {Tally{Hand: true, Attempts: 500, Grants: 498, First: 498}, false},
		"hand, one of few":   {Tally{Hand: true, Attempts: 20, Grants: 19, First: 19}, false},
		"hand, clicks again": {Tally{Hand: true, Attempts: 20, Grants: 20, First: 15}, true},
		"hand, too often":    {Tally{Hand: true, Attempts: 20, Grants: 20, First: 14}, false},
		"without any reason": {Tally{Attempts: 500, Odd: []string{"session x ended as asking without a reason"}}, false},
	} {
		if got := c.tally.Wrong(); (got == "") != c.ok {
			t.Errorf("%s: %q", name, got)
		}
	}
	table := Table([]Report{{Tallies: []Tally{{Vector: "x", Attempts: 3}}}, {Tallies: []Tally{{Vector: "x", Attempts: 4, Grants: 1}}},
		{Compositor: "picom", Tallies: []Tally{{Vector: "x", Attempts: 1}}}})
	for _, want := range []string{"| x | 7 | 0 | 0 | 1 | **1 grants that no hand gave** |", "| x (picom) | 1 |"} {
		if !strings.Contains(table, want) {
			t.Errorf("the table lacks %q:\n%s", want, table)
		}
	}
}
