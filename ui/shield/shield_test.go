package shield

import (
	"errors"
	"slices"
	"testing"
)

// TestExclude: the better way first, and what the system says of it counts. Seen
// to fail when the first success is believed without asking, and when the second
// way is not tried.
func TestExclude(t *testing.T) {
	no := errors.New("the parameter is incorrect")
	for _, c := range []struct {
		name    string
		becomes map[uint32]uint32 // what the system makes of a way; a way that is not here is refused
		blind   bool              // it does not say what it made
		want    Kept
		tried   []uint32
	}{
		{"Windows 11", map[uint32]uint32{0x11: 0x11, 1: 1}, false, Absent, []uint32{0x11}},
		{"takes the one for the other", map[uint32]uint32{0x11: 1, 1: 1}, false, Empty, []uint32{0x11}},
		{"refuses the better", map[uint32]uint32{1: 1}, false, Empty, []uint32{0x11, 1}},
		{"says yes and does nothing", map[uint32]uint32{0x11: 0, 1: 0}, false, "", []uint32{0x11, 1}},
		{"refuses both", nil, false, "", []uint32{0x11, 1}},
		{"says nothing", map[uint32]uint32{0x11: 0x11, 1: 1}, true, "", []uint32{0x11, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var now uint32
			var tried []uint32
			got, err := exclude(func(way uint32) error {
				tried = append(tried, way)
				became, ok := c.becomes[way]
				if !ok {
					return no
				}
				now = became
				return nil
			}, func() (uint32, error) {
				if c.blind {
					return 0, no
				}
				return now, nil
			})
			if got != c.want || (err == nil) != (c.want != "") || !slices.Equal(tried, c.tried) {
				t.Errorf("%q %v %#x", got, err, tried)
			}
		})
	}
}
