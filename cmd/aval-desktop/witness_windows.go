package main

import (
	"context"

	"aval/agent/winput"
	"aval/agent/x11/witness"
)

// hooks hears by the hooks of Windows, in the words of the X11 witness.
type hooks struct{ *winput.Witness }

// Hear says where an answer came from.
func (h hooks) Hear(c witness.Claim) witness.Heard {
	return witness.Heard(h.Witness.Hear(winput.Claim(c)))
}

// Server is 0: there is no X server.
func (hooks) Server() int { return 0 }

// openHearer hears this desktop. No device is named here, so none counts as one for tests.
func openHearer(ctx context.Context, _ session, _ []string) (hearer, error) {
	w, err := winput.Open(ctx)
	if err != nil {
		return nil, err
	}
	return hooks{w}, nil
}
