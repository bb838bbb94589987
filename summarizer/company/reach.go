package company

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"aval/agent/wire"
	"aval/summarizer/store"
)

// Reach is what a managed computer said last of whether somebody there could be
// asked.
type Reach struct {
	State string    `json:"state"` // a word of wire.Reaches
	At    time.Time `json:"at"`
	// Window and Dialog: these could show a question.
	Window bool `json:"window"`
	Dialog bool `json:"dialog"`
	// StartLine starts the helper that is missing, in StartFile or, without a file,
	// as a command.
	StartFile string `json:"start_file,omitempty"`
	StartLine string `json:"start_line,omitempty"`
}

// Reached is a choice of computers by it.
type Reached string

// The choices, beside each of wire.Reaches.
const (
	Unreachable Reached = "unreachable" // somebody has to put something right
	Silent      Reached = "unknown"     // it has not said
)

// AllReached lists the choices.
func AllReached() []Reached {
	out := []Reached{Unreachable}
	for _, w := range wire.Reaches() {
		out = append(out, Reached(w))
	}
	return append(out, Silent)
}

// ErrReach: there is no such choice.
var ErrReach = wrongf("reach is none of %s", join(AllReached()))

func join(all []Reached) string {
	var words []string
	for _, r := range all {
		words = append(words, string(r))
	}
	return strings.Join(words, ", ")
}

// states are the stored words of a choice; none: all of them, or it is none.
func (r Reached) states() []string {
	switch {
	case r == Unreachable:
		return wire.Unreachable()
	case r == Silent:
		return []string{""}
	case slices.Contains(wire.Reaches(), string(r)):
		return []string{string(r)}
	}
	return nil
}

// Bad tells whether somebody has to put something right before anybody can be
// asked there.
func (r Reach) Bad() bool { return slices.Contains(wire.Unreachable(), r.State) }

// UnreachableDevices counts the managed computers at which nobody can be asked
// until somebody has put something right.
func (s *Service) UnreachableDevices(ctx context.Context) (n int, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		all, err := tx.Reaches(s.id)
		for _, state := range wire.Unreachable() {
			n += all[state]
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("count devices: %w", err)
	}
	return n, nil
}
