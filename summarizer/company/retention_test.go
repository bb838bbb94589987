package company_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"aval/summarizer/company"
	"aval/summarizer/store"
	"aval/summarizer/store/storetest"
	"aval/summarizer/summary/sample"
)

// TestRetention: what people were told is kept for 90 days is deleted when these are
// over, from the session's end; a device whose clock runs years ahead keeps nothing
// for years; the grants stay, and the audit says that it was its time. Planted and
// seen caught: the look at what began in the future left out, a day too few, and
// pages that go on behind the first of several that began at the same time.
func TestRetention(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	db, h := openHost(t, storetest.Dir(t), &now)
	home, err := h.Home(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if err := db.Tx(ctx, func(tx *store.Tx) error { return sample.FillTx(tx, home.ID(), "pt-BR") }); err != nil {
		t.Fatal(err)
	}
	keys := map[string]store.Key{}
	add := func(name string, start time.Time) {
		t.Helper()
		s := sample.Printer("pt-BR")
		s.ID, s.Grant = "sample/"+name, "01"+name
		if keys[name], err = sample.Store(ctx, db, home.ID(), s, start); err != nil {
			t.Fatal(err)
		}
	}
	length := func() time.Duration { // from its beginning to its end
		s := sample.Printer("pt-BR")
		return s.Events[len(s.Events)-1].At.Sub(sample.Start)
	}()
	const kept = 90
	add("OVER", now.AddDate(0, 0, -kept).Add(-length))
	add("NEARLY", now.AddDate(0, 0, -kept).Add(time.Second-length))
	add("LONG", now.AddDate(-1, 0, 0))
	add("NEW", now.Add(-time.Hour))
	const many = company.RetainPage + 10
	for i := range many {
		add(fmt.Sprint("OLD", i), now.AddDate(0, 0, -200-i/20)) // some begin at the same time
	}
	erased := func() (out []string) {
		t.Helper()
		old := 0
		err := db.View(ctx, func(tx *store.Tx) error {
			for name, k := range keys {
				st, err := tx.Stream(k)
				if err != nil {
					return err
				}
				events, err := tx.Events(k, 0, 10)
				if err != nil {
					return err
				}
				if st.ErasedAt.IsZero() != (len(events) > 0) {
					t.Errorf("%s: erased at %v, %d events", name, st.ErasedAt, len(events))
				}
				switch {
				case st.ErasedAt.IsZero():
				case strings.HasPrefix(name, "OLD"):
					old++
				default:
					out = append(out, name)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(out)
		if old != many {
			t.Errorf("%d of %d old ones are erased", old, many)
		}
		return out
	}
	sweep := func(want int, names string) {
		t.Helper()
		n, err := h.RetainNow(ctx)
		if err != nil || n != want {
			t.Errorf("deleted %d (%v), want %d", n, err, want)
		}
		if got := strings.Join(erased(), " "); got != names {
			t.Errorf("erased: %s, want %s", got, names)
		}
	}
	sweep(2+many, "LONG OVER")
	sweep(0, "LONG OVER")
	now = now.Add(time.Second)
	sweep(1, "LONG NEARLY OVER")

	// A clock ten years ahead: what it sent arrived today, and today counts.
	add("AHEAD", now.AddDate(10, 0, 0))
	if err := db.Tx(ctx, func(tx *store.Tx) error {
		st, err := tx.Stream(keys["AHEAD"])
		if err != nil {
			return err
		}
		return tx.Advance(keys["AHEAD"], st.Acked, st.Acked, st.AckedHash, st.LastEventAt, now)
	}); err != nil {
		t.Fatal(err)
	}
	sweep(0, "LONG NEARLY OVER")
	now = now.AddDate(0, 0, kept)
	sweep(2, "AHEAD LONG NEARLY NEW OVER")

	err = db.View(ctx, func(tx *store.Tx) error {
		rows, err := tx.Audits(home.ID(), store.AuditFilter{Subject: keys["OVER"].Ref()})
		if err != nil {
			return err
		}
		if len(rows) != 1 || rows[0].Action != "session-expired" || rows[0].Actor != company.Server.String() {
			t.Errorf("audit: %+v", rows)
		}
		grants, err := tx.Grants(keys["OVER"])
		if len(grants) != 1 {
			t.Errorf("%d grants are left", len(grants))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
