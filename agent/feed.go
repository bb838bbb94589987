package agent

import (
	"encoding/json"
	"fmt"
	"sync"

	"aval/agent/record"
	"aval/agent/store"
	"aval/agent/uplink"
)

// feeds has every connection woken by the one signal of the store.
type feeds struct {
	mu  sync.Mutex
	all map[*feed]struct{}
}

func (f *feeds) wake() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for one := range f.all {
		one.nudge()
	}
}

func (f *feeds) add(one *feed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all == nil {
		f.all = map[*feed]struct{}{}
	}
	f.all[one] = struct{}{}
}

func (f *feeds) drop(one *feed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.all, one)
}

// feed is what one company's connection may see of the store: its own streams
// and records, and of those only what was made under the device id by which that
// company knows this computer.
type feed struct {
	*store.Store
	company string
	device  string
	guest   bool // it has a key of its own
	changed chan struct{}
	of      map[string]bool // by envelope's grant id: it is this feed's
}

var _ uplink.Source = (*feed)(nil)

func (a *Agent) newFeed(c *company) *feed {
	return &feed{Store: a.store, company: c.Company, device: c.Device, guest: c.own() != nil, changed: make(chan struct{}, 1), of: map[string]bool{}}
}

func (f *feed) nudge() {
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

// Changed implements uplink.Source.
func (f *feed) Changed() <-chan struct{} { return f.changed }

// mine tells whether a record was made for this feed's device. Those of guests
// and accounts have two signatures; what an enrolled computer made under an earlier id is
// still its own.
func (f *feed) mine(envelope []byte) bool {
	var env record.Envelope
	if json.Unmarshal(envelope, &env) != nil {
		return false
	}
	if !f.guest {
		return len(env.Signatures) == 1
	}
	var h record.Head
	return json.Unmarshal(env.Payload, &h) == nil && h.Device == f.device && h.Company == f.company
}

// Streams implements uplink.Source. Only the connection's goroutine calls it.
func (f *feed) Streams() ([]store.StreamInfo, error) {
	all, err := f.Store.Streams()
	if err != nil {
		return nil, err
	}
	var out []store.StreamInfo
	for _, s := range all {
		if s.Company != f.company {
			continue
		}
		mine, known := f.of[s.GrantID]
		if !known {
			mine = f.mine(s.Grant)
			f.of[s.GrantID] = mine
		}
		if mine {
			out = append(out, s)
		}
	}
	return out, nil
}

// PendingRecords implements uplink.Source.
func (f *feed) PendingRecords(company string, most int) ([]store.Entry, error) {
	all, err := f.Store.PendingRecords(company, 0)
	if err != nil {
		return nil, err
	}
	var out []store.Entry
	for _, e := range all {
		if f.mine(e.Envelope) {
			out = append(out, e)
		}
		if most > 0 && len(out) == most {
			break
		}
	}
	return out, nil
}

// PutSummary implements uplink.Source: a company writes of its own sessions.
func (f *feed) PutSummary(st store.Stream, raw []byte) error {
	own, err := f.Streams()
	if err != nil {
		return err
	}
	for _, s := range own {
		if s.Stream == st {
			return f.Store.PutSummary(st, raw)
		}
	}
	return fmt.Errorf("keep summary: %w", store.ErrNoStream)
}
