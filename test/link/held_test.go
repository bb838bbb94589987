package link_test

import (
	"fmt"
	"testing"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
	"aval/summarizer/company"
)

// TestGuestDeleteAsked: somebody whose hand is not known asks to delete what a
// company gets by a session code. It is stopped; the company hears of nothing, and
// keeps what it has, until the supporter has left and the person has been asked,
// through a restart too. Planted: look the person up under the subject of the
// managed sessions in freeDesktop, and nobody is asked.
func TestGuestDeleteAsked(t *testing.T) {
	for _, keep := range []bool{true, false} {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprintf("keep %v restart %v", keep, restart), func(t *testing.T) {
				s, d := startServer(t, nil), startDesk(t)
				d.restartWith(`{"AcceptUnproven": "on"}`) // the yes counts at once: the company has a part of it
				visit, err := say[ipc.SessionBeginResult](d, ipc.MethodSessionJoin, ipc.SessionJoin{Code: s.code(t, company.CodeFor{LogSessions: true}).Code, Hold: true})
				if err != nil || visit.Outcome != consent.OutcomeAllowed {
					t.Fatalf("%+v, %v", visit, err)
				}
				note := func() bool {
					res, err := say[ipc.SessionEventResult](d, ipc.MethodSessionEvent, ipc.SessionEvent{ID: visit.Session, Kind: event.Note, Fields: map[string]string{"text": "a note"}})
					if err != nil {
						t.Fatal(err)
					}
					return res.Recorded
				}
				d.eventually("capture runs", note)
				d.eventually("the note is at the server", func() bool { return s.streams(t)[visit.Session].Acked >= 2 })
				out, err := say[ipc.WithdrawResult](d, ipc.MethodConsentWithdraw, ipc.Withdraw{ID: visit.Session, Delete: true})
				if err != nil || !out.Held || out.Outcome != consent.OutcomeWithdrawn || note() {
					t.Fatalf("%+v, %v", out, err)
				}
				had := s.streams(t)[visit.Session]
				d.mu.Lock()
				d.yes = keep
				d.mu.Unlock()
				row := func() ipc.ConsentEntry {
					list, err := say[ipc.ConsentListResult](d, ipc.MethodConsentList, ipc.ConsentListPage{})
					if err != nil || len(list.Entries) != 1 {
						t.Fatalf("%+v, %v", list, err)
					}
					return list.Entries[0]
				}
				if n := len(d.questions()); n != 1 || !row().Held {
					t.Fatalf("with the supporter there: %d questions, %+v", n, row())
				}
				if x := s.streams(t)[visit.Session]; !x.WithdrawnAt.IsZero() || !x.ErasedAt.IsZero() || !x.EndedAt.IsZero() {
					t.Errorf("the company has heard of it: %+v", x)
				}
				if restart {
					d.stop()
					d.start()
				} else if _, err := say[ipc.SessionInfo](d, ipc.MethodSessionEnd, ipc.SessionEnd{ID: visit.Session}); err != nil {
					t.Fatal(err)
				}
				want := map[bool]consent.Outcome{true: consent.OutcomeAllowed, false: consent.OutcomeErased}[keep]
				d.eventually("what was said is done", func() bool { r := row(); return !r.Held && r.Outcome == want })
				if q := d.questions(); len(q) != 2 || q[1].Leave == nil || !q[1].Leave.DeleteAsked || q[1].Companies[0].Host != "127.0.0.1" {
					t.Errorf("asked %+v", q)
				}
				d.eventually("the company has heard of it", func() bool {
					x := s.streams(t)[visit.Session]
					if keep {
						return !x.EndedAt.IsZero() && x.WithdrawnAt.IsZero() && x.ErasedAt.IsZero() && x.Acked > had.Acked
					}
					return !x.ErasedAt.IsZero()
				})
			})
		}
	}
}
