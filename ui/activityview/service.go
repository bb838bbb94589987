package activityview

import (
	"context"
	"errors"
	"time"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/ui/viewmodel"
)

// Bounds of what the window asks of the service.
const (
	askWithin = 15 * time.Second
	// maxItems is how many items of one session are shown.
	maxItems = 100_000
	// maxSearched is how many items of all sessions a search reads.
	maxSearched = 100_000
)

// Service is a connection to the service: *ipc.Client is one.
type Service interface {
	Call(ctx context.Context, m ipc.Method, params, result any) error
	Close() error
}

// Dial opens a connection; it may be called from any goroutine.
type Dial func(context.Context) (Service, error)

var errSamePage = errors.New("the service gave the same page again")

// with runs do on a connection of its own.
func (d Dial) with(do func(context.Context, Service) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), askWithin)
	defer cancel()
	s, err := d(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	return do(ctx, s)
}

// history is every decision, newest first, and the open sessions.
func (d Dial) history() (entries []ipc.ConsentEntry, live []ipc.SessionInfo, err error) {
	err = d.with(func(ctx context.Context, s Service) error {
		for page := (ipc.ConsentListPage{}); ; {
			var r ipc.ConsentListResult
			if err := s.Call(ctx, ipc.MethodConsentList, page, &r); err != nil {
				return err
			}
			entries = append(entries, r.Entries...)
			if r.Next == "" {
				break
			}
			if r.Next == page.After {
				return errSamePage
			}
			page.After = r.Next
		}
		return s.Call(ctx, ipc.MethodSessionList, nil, &live)
	})
	return entries, live, err
}

// items is every item of a session, oldest first, at most max.
func (d Dial) items(session string, max int) (items []ipc.SentEvent, err error) {
	err = d.with(func(ctx context.Context, s Service) error {
		for req := (ipc.Sent{Session: session}); len(items) < max; {
			var r ipc.SentResult
			if err := s.Call(ctx, ipc.MethodSent, req, &r); err != nil {
				return err
			}
			items = append(items, r.Events...)
			if r.Next == "" {
				break
			}
			if r.Next == req.After {
				return errSamePage
			}
			req.After = r.Next
		}
		return nil
	})
	return items, err
}

// written is the summary as the company has it, and what became of each copy.
func (d Dial) written(a viewmodel.Activity) (sum ipc.Summary, copies []consent.Copy, err error) {
	err = d.with(func(ctx context.Context, s Service) error {
		if a.Erased {
			var shown ipc.ConsentShow
			err := s.Call(ctx, ipc.MethodConsentShow, ipc.ByID{ID: a.ID}, &shown)
			copies = shown.Copies
			return err
		}
		return s.Call(ctx, ipc.MethodConsentSummary, ipc.ByID{ID: a.ID}, &sum)
	})
	return sum, copies, err
}

// receipt is the receipt of a decision, with its page in a language.
func (d Dial) receipt(id, lang string) (r ipc.Receipt, err error) {
	err = d.with(func(ctx context.Context, s Service) error {
		return s.Call(ctx, ipc.MethodConsentReceipt, ipc.ReceiptOf{ID: id, Language: lang}, &r)
	})
	return r, err
}

// withdraw ends a recording, and deletes it too; under an enforced policy it objects.
func (d Dial) withdraw(w ipc.Withdraw) (r ipc.WithdrawResult, err error) {
	err = d.with(func(ctx context.Context, s Service) error {
		return s.Call(ctx, ipc.MethodConsentWithdraw, w, &r)
	})
	return r, err
}
