package torture

import "testing"

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
