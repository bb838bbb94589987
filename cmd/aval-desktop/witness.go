package main

import (
	"context"
	"image"
	"slices"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/agent/x11/witness"
)

// ears is the hearing of presses, as long as the service wants it. Opening it
// takes a moment, and a hanging X server for ever: nobody waits for that here.
type ears struct {
	cancel context.CancelFunc
	follow []ipc.Watch   // the windows that are followed, in their order
	ready  chan struct{} // closed once w stands
	w      hearer        // nil: nothing can be heard
}

// hearer hears this desktop: witness on X11, winput on Windows.
type hearer interface {
	Watch(pid int, window uint32)
	Hear(witness.Claim) witness.Heard
	// Server is the process id of the X server that is heard, by the kernel; 0: unknown.
	Server() int
}

// listen begins or ends the hearing of presses, as the service asks: it is
// needed only while somebody may be asked something.
func (d *desktop) listen(l ipc.Listening) {
	var before []ipc.Watch
	if d.ears != nil {
		before = d.ears.follow
		d.ears.cancel()
		d.ears, d.barIs = nil, 0
	}
	if !l.On || d.where.kind == "wayland" { // there no program hears another's devices
		return
	}
	ctx, cancel := context.WithCancel(d.ctx)
	e := &ears{cancel: cancel, ready: make(chan struct{})}
	d.ears = e
	go func() {
		defer close(e.ready)
		w, err := openHearer(ctx, d.where, l.Devices)
		if err != nil {
			d.log.Warn("it cannot be told here who answers", "err", err)
			return
		}
		e.w = w
	}()
	// Other devices count now; the service has told of its windows already.
	for _, w := range before {
		d.watchWindow(w)
	}
}

// followed is how many windows are followed anew when the hearing begins again: a
// desktop has one question, one bar and a window or two at a time.
const followed = 8

// watchWindow follows a window in which an answer is going to be given.
func (d *desktop) watchWindow(w ipc.Watch) {
	e := d.ears
	if e == nil {
		return
	}
	if !slices.Contains(e.follow, w) {
		e.follow = append(e.follow, w)
	}
	if len(e.follow) > followed {
		e.follow = e.follow[1:]
	}
	go func() {
		if <-e.ready; e.w != nil {
			e.w.Watch(w.PID, w.Window)
		}
	}()
}

// hear says where an answer came from. The X server may hang; then the service
// gets no answer in time, and knows what that means.
func (d *desktop) hear(h ipc.Hear) {
	e, l := d.ears, d.link
	go func() {
		out := ipc.Heard{ID: h.ID, From: consent.FromAbsent}
		if e != nil {
			if <-e.ready; e.w != nil {
				heard := e.w.Hear(claim(h))
				out.From, out.Device, out.Doubt = heard.From, heard.Device, heard.Doubt
				out.Server = e.w.Server()
			}
		}
		d.log.Info("an answer", "from", out.From, "device", out.Device, "doubt", out.Doubt)
		l.send(ipc.MethodDesktopHeard, out)
	}()
}

func claim(h ipc.Hear) witness.Claim {
	return witness.Claim{
		PID: h.PID, Window: h.Window, Key: h.Key,
		At: image.Rect(h.X, h.Y, h.X+h.Width, h.Y+h.Height),
	}
}
