package main

import (
	"slices"
	"sync/atomic"
	"time"

	"aval/agent/capture"
	"aval/agent/event"
	"aval/agent/ipc"
	"aval/agent/record"
)

// watch is the window watcher and the grants that it holds.
type watch struct {
	running *capture.Running
	grants  []string       // ids
	epoch   *atomic.Uint64 // of what running emits
	quiet   *time.Timer    // runs while running does
}

// stop ends capturing; nothing of it remains.
func (w *watch) stop() {
	if w.running != nil {
		w.running.Stop()
	}
	w.running, w.grants, w.epoch = nil, nil, nil
	if w.quiet != nil {
		w.quiet.Stop()
	}
}

// capture holds the watcher to exactly the grants of c. Each is verified here
// with the key that the service named when the connection was made.
func (d *desktop) capture(c ipc.Capture) {
	if d.link == nil {
		return
	}
	var grants []record.Verified
	var ids []string
	keys := record.OneKey(d.link.client.HelloResult().DeviceKey)
	for _, raw := range c.Grants {
		v, err := record.VerifyGrant(raw, keys, time.Now())
		if err != nil {
			d.log.Error("a grant was not accepted", "err", err)
			continue
		}
		grants = append(grants, v)
		ids = append(ids, v.Grant().ID)
	}
	slices.Sort(ids)
	within := func(id string) bool { return slices.Contains(d.watch.grants, id) }
	switch {
	case len(grants) == 0:
		d.watch.stop()
		return
	case d.watch.running != nil && len(slices.DeleteFunc(slices.Clone(ids), within)) == 0:
		// The same grants or fewer: what was there before their yes is known.
		d.watch.running.Narrow(grants...)
		d.watch.grants = ids
		d.watch.epoch.Store(c.Epoch)
		return
	}
	// A further grant: for it, what is on the screen now is from before.
	d.watch.stop()
	epoch, l := new(atomic.Uint64), d.link
	epoch.Store(c.Epoch)
	emit := func(kind event.Kind, at time.Time, fields map[string]string) {
		l.send(ipc.MethodDesktopEvent, ipc.DesktopEvent{Epoch: epoch.Load(), Kind: kind, At: at, Fields: fields})
	}
	r, err := capture.StartWindows(d.ctx, capture.Windows{Display: d.where.display, Type: d.where.kind, Own: d.own.has}, emit, grants...)
	if err != nil {
		d.log.Error("start capture", "err", err)
		return
	}
	d.watch.running, d.watch.grants, d.watch.epoch = r, ids, epoch
	d.watch.quiet.Reset(quietAfter)
}
