package agent

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"time"

	"aval/agent/ipc"
	"aval/agent/uplink"
)

// docLeft has the servers that are still to be told that this computer has left, or
// that somebody here has signed out.
const docLeft = "left"

const (
	// drainWithin is how long what waits may take to be sent before the computer
	// leaves, and toldWithin how long the caller waits for the server's word.
	drainWithin = 5 * time.Second
	toldWithin  = 5 * time.Second
	drainEvery  = 100 * time.Millisecond
	// A server that cannot be reached is told later, for leftFor.
	leftFirst = time.Second
	leftMost  = 10 * time.Minute
	leftFor   = 30 * 24 * time.Hour
)

// left is a company that this computer has left, or whose account somebody here was
// signed out of, and whose server does not know it yet.
type left struct {
	Server string    `json:"server"`
	Pin    string    `json:"pin,omitempty"`
	Device string    `json:"device"`
	At     time.Time `json:"at"`
	// Key is the seed of an account's key, kept to say so and for nothing else;
	// nil: the computer's own says it.
	Key []byte `json:"key,omitempty"`
}

// leftBehind is what the server of a company is to be told when it is left.
func leftBehind(c *company) left {
	l := left{Server: c.Server, Pin: c.Pin, Device: c.Device, At: time.Now().UTC()}
	if c.Account != nil {
		l.Key = c.Account.Key
	}
	return l
}

func (l left) is(o left) bool { return l.Server == o.Server && l.Device == o.Device }

// leaverOf is the key that says that this computer has left.
func (a *Agent) leaverOf(l left) crypto.Signer {
	if l.Key != nil {
		return ed25519.NewKeyFromSeed(l.Key)
	}
	return a.key
}

// handleUnenroll leaves the company. What waits to be sent to it is sent first; what
// cannot be is lost only where the caller says so.
func (a *Agent) handleUnenroll(ctx context.Context, params json.RawMessage) (any, error) {
	var r ipc.Unenroll
	if err := ipc.Decode(params, &r); err != nil {
		return nil, err
	}
	var out ipc.UnenrollResult
	var told <-chan bool
	late := time.Now().Add(drainWithin)
	for {
		var err error
		again := false
		if derr := a.do(ctx, func() {
			var n unsent
			if n, err = a.mayLeave(r.Discard); err != nil {
				again = n.may && a.company != nil && a.company.state.Link == "connected" && time.Now().Before(late)
				return
			}
			out, told, err = a.unenroll(n)
		}); derr != nil {
			return nil, derr
		}
		if err == nil {
			break
		}
		if !again {
			return nil, err
		}
		select {
		case <-time.After(drainEvery):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	out.Told = a.soon(ctx, told)
	return out, nil
}

// soon waits for a server's word, for as long as a caller may wait for it.
func (a *Agent) soon(ctx context.Context, told <-chan bool) (yes bool) {
	select {
	case yes = <-told:
	case <-time.After(toldWithin):
	case <-ctx.Done():
	case <-a.ctx.Done():
	}
	return yes
}

// unsent is what waits to be sent to the company.
type unsent struct {
	events, sessions, records int
	may                       bool // it goes away by itself while the server is there
}

func (u unsent) none() bool { return u.events == 0 && u.records == 0 }

// mayLeave refuses to leave while something would be lost with that, unless discard.
func (a *Agent) mayLeave(discard bool) (n unsent, err error) {
	c := a.company
	if c == nil || c.Account != nil {
		return n, &ipc.Error{Code: ipc.CodeConflict, Message: "this computer is not enrolled"}
	}
	if discard {
		return a.unsentTo(c)
	}
	for _, l := range a.sessions {
		if l.rec != nil && a.asker(l) == c {
			return n, &ipc.Error{Code: ipc.CodeConflict, Message: "a session is being recorded for " + c.CompanyName, Why: ipc.WhyUnsent,
				Hint: "wait until it has ended, or end the recording and lose what was not sent: aval unenroll --discard"}
		}
	}
	if n, err = a.unsentTo(c); err != nil || n.none() {
		return n, err
	}
	n.may = true
	what := fmt.Sprintf("%d events of %d sessions", n.events, n.sessions)
	if n.events == 0 {
		what = fmt.Sprintf("%d records, such as that something was stopped,", n.records)
	}
	return n, &ipc.Error{Code: ipc.CodeConflict, Message: fmt.Sprintf("%s wait to be sent to %s, and would be lost", what, c.CompanyName), Why: ipc.WhyUnsent,
		Hint: "wait until they have arrived (aval status), or lose them: aval unenroll --discard"}
}

func (a *Agent) unsentTo(c *company) (n unsent, err error) {
	f := a.newFeed(c)
	streams, err := f.Streams()
	if err != nil {
		return n, err
	}
	for _, s := range streams {
		if !s.Withdrawn && !s.Erased && s.Last > s.Acked {
			n.events += int(s.Last - s.Acked)
			n.sessions++
		}
	}
	records, err := f.PendingRecords(c.Company, 1000)
	n.records = len(records)
	return n, err
}

// unenroll leaves the company, destroys what was not sent to it, and has its server
// told.
func (a *Agent) unenroll(n unsent) (ipc.UnenrollResult, <-chan bool, error) {
	c := a.company
	out := ipc.UnenrollResult{Company: c.CompanyName}
	if err := a.leave(docEnrolment); err != nil {
		return out, nil, err
	}
	streams, err := a.newFeed(c).Streams()
	if err != nil {
		return out, nil, err
	}
	for _, s := range streams {
		if s.Withdrawn || s.Erased || s.Last == s.Acked {
			continue
		}
		if err := a.store.Erase(s.Stream); err != nil {
			return out, nil, fmt.Errorf("destroy what was not sent: %w", err)
		}
		out.Lost += int(s.Last - s.Acked)
	}
	a.log.Info("unenrolled", "company", c.Company, "device", c.Device, "lost_events", out.Lost, "lost_records", n.records)
	l := leftBehind(c)
	a.left = append(a.left, l)
	if err := a.keepLeft(); err != nil { // it is told now, or stays as it was last seen
		a.log.Error("keep what is to be told", "err", err)
	}
	return out, a.tellLeft(l), nil
}

func (a *Agent) keepLeft() error {
	raw, err := json.Marshal(a.left)
	if err != nil {
		return fmt.Errorf("encode servers to be told: %w", err)
	}
	return a.store.PutDoc(docLeft, raw)
}

// tellAllLeft takes up at the start what was not told before. What cannot be read is
// not told: the server sees when the computer was last there.
func (a *Agent) tellAllLeft() {
	raw, err := a.store.Doc(docLeft)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = json.Unmarshal(raw, &a.left)
	}
	if err != nil {
		a.log.Error("read servers to be told", "err", err)
		return
	}
	for _, l := range a.left {
		a.tellLeft(l)
	}
}

// tellLeft tells a server until it knows, and forgets it then, with its key. told says
// whether it knew at the first try.
func (a *Agent) tellLeft(l left) (told <-chan bool) {
	once := make(chan bool, 1)
	first := func(yes bool) { once <- yes }
	a.work.Go(func() {
		for wait := leftFirst; ; wait = min(2*wait, leftMost) {
			ctx, cancel := context.WithTimeout(a.ctx, redeemWithin)
			err := uplink.Leave(ctx, l.Server, l.Pin, l.Device, a.leaverOf(l))
			cancel()
			var no *uplink.Refusal
			known := err == nil || errors.As(err, &no) && no.Code != "server"
			if known || time.Since(l.At) > leftFor {
				a.log.Info("server told of leaving", "device", l.Device, "err", err)
				first(err == nil)
				a.post(func() {
					a.left = slices.DeleteFunc(a.left, l.is)
					if err := a.keepLeft(); err != nil {
						a.log.Error("keep what is to be told", "err", err)
					}
				})
				return
			}
			first(false)
			first = func(bool) {}
			select {
			case <-a.ctx.Done():
				return
			case <-time.After(wait + rand.N(wait/2)):
			}
		}
	})
	return once
}
