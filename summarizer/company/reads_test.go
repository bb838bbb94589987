package company_test

import (
	"sync"
	"testing"
	"time"

	"aval/summarizer/company"
	"aval/summarizer/store"
	"aval/summarizer/store/storetest"
)

// TestReadSession: who reads a session leaves a row in the audit log, once an
// hour and also where many windows are opened at once; a list leaves one row for
// all, and everybody in it is counted. To see it fail, leave hour out of the key
// of session_reads, or first out of ReadSession.
func TestReadSession(t *testing.T) {
	now := t0
	_, co := openCompany(t, storetest.Dir(t), &now)
	ctx := t.Context()
	ana := co.As(company.Actor{Kind: company.KindUser, ID: "U1", Name: "Ana", Role: company.Viewer})
	rui := co.As(company.Actor{Kind: company.KindUser, ID: "U2", Name: "Rui", Role: company.Auditor})
	rows := func(action string) int {
		t.Helper()
		list, err := co.Audits(ctx, store.AuditFilter{Action: action, Max: 1000})
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	var work sync.WaitGroup
	for range 20 {
		work.Go(func() {
			if err := ana.ReadSession(ctx, "r1"); err != nil {
				t.Error(err)
			}
		})
	}
	work.Wait()
	for _, step := range []struct {
		do   func() error
		rows int
	}{
		{func() error { return nil }, 1},
		{func() error { return ana.ReadSession(ctx, "r1") }, 1},
		{func() error { return rui.ReadSession(ctx, "r1") }, 2},
		{func() error { return ana.ReadSession(ctx, "r2") }, 3},
		{func() error { now = now.Add(time.Hour); return ana.ReadSession(ctx, "r1") }, 4},
		{func() error { return ana.ReadList(ctx, []string{"r1", "r2", "r3"}) }, 4},
		{func() error { return ana.ReadSession(ctx, "r3") }, 4}, // in the same hour as the list
		{func() error { return ana.ReadList(ctx, nil) }, 4},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		if got := rows("session-read"); got != step.rows {
			t.Errorf("%d rows, want %d", got, step.rows)
		}
	}
	if got := rows("sessions-read"); got != 1 {
		t.Errorf("%d rows for lists", got)
	}
	list, err := co.Readers(ctx, "r1", 10)
	if err != nil || len(list) != 2 || list[0].Reader != "user:U1" || list[0].Hours != 2 || !list[0].Last.Equal(now) || list[1] != (store.Read{Reader: "user:U2", Last: t0.UTC(), Hours: 1}) {
		t.Errorf("%+v, %v", list, err)
	}
}
