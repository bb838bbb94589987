package credit_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"aval/summarizer/credit"
	"aval/summarizer/store"
	"aval/summarizer/store/storetest"
)

var nov = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, tier string) (*store.DB, store.Company) {
	t.Helper()
	db, err := store.Open(t.Context(), storetest.Dir(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	c := store.Company{ID: "c", Name: "Example Support", Tier: tier, Lang: "en", Settings: "{}", Zone: "UTC", CreatedAt: nov}
	tx(t, db, func(x *store.Tx) error { return x.InsertCompany(c) })
	return db, c
}

func tx(t *testing.T, db *store.DB, f func(*store.Tx) error) {
	t.Helper()
	if err := db.Tx(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func key(session string) store.Key { return store.Key{Company: "c", Device: "d", Session: session} }

// licensed gives the company a licence of the calendar year of nov.
func licensed(t *testing.T, db *store.DB, c store.Company) {
	t.Helper()
	tx(t, db, func(x *store.Tx) error {
		return credit.SetLicence(x, c, "user:1", c.Tier, credit.Licence{Starts: day(t, "2026-01-01"), Renews: day(t, "2027-01-01")}, nov)
	})
}

func TestRules(t *testing.T) {
	want := map[string]int64{"business": 5, "premium": 10, "corporate": 15, "tensor": 50, credit.DefaultTier: 50}
	for tier, monthly := range want {
		r, err := credit.RuleOf(tier)
		if err != nil || r.Monthly != monthly || r.CostOf("some-model") != 1 {
			t.Errorf("%s: %+v, %v", tier, r, err)
		}
		if cost := r.CostOf("rules"); (cost == 0) != (tier == credit.DefaultTier) {
			t.Errorf("%s: rules cost %d", tier, cost)
		}
	}
	if len(credit.Tiers()) != len(want) || !slices.IsSorted(credit.Tiers()) {
		t.Errorf("tiers: %v", credit.Tiers())
	}
	if _, err := credit.RuleOf("platinum"); !errors.Is(err, credit.ErrTier) {
		t.Errorf("an unknown tier: %v", err)
	}
}

// TestLoadRules: an operator's file counts whole or not at all.
func TestLoadRules(t *testing.T) {
	dir := t.TempDir()
	before := string(credit.RulesJSON())
	write := func(s string) {
		if err := os.WriteFile(filepath.Join(dir, credit.RulesFile), []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := credit.LoadRules(dir); err != nil {
		t.Error("no file:", err)
	}
	for _, c := range []struct{ file, want string }{
		{`{"tiers":{}}`, `"self-hosted" is missing`},
		{strings.Replace(before, `"monthly": 5,`, `"monthly": -5,`, 1), "monthly is from 0"},
		{strings.Replace(before, `"*": 1`, `"*": 2`, 1), "costs 0 or 1"},
		{strings.Replace(before, `"EUR"`, `"euro"`, 1), "three capital letters"},
		{strings.Replace(before, `"ai-500"`, `"ai-100"`, 1), "stands once"},
		{strings.Replace(before, `"packs"`, `"sets"`, 1), "sets"},
		{`{`, "read credit rules"},
	} {
		write(c.file)
		if err := credit.LoadRules(dir); err == nil || !strings.Contains(err.Error(), c.want) || string(credit.RulesJSON()) != before {
			t.Errorf("want %q: %v", c.want, err)
		}
	}
	write(strings.Replace(before, `"ai-100"`, `"one-hundred"`, 1))
	t.Cleanup(func() {
		write(before)
		if err := credit.LoadRules(dir); err != nil {
			t.Error(err)
		}
	})
	if err := credit.LoadRules(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := credit.PackOf("one-hundred"); err != nil {
		t.Error(err)
	}
	if _, err := credit.PackOf("ai-100"); !errors.Is(err, credit.ErrPack) {
		t.Errorf("a pack of the old rules: %v", err)
	}
}

// TestMonths: once a month, caught up after a pause, nothing rolls over.
func TestMonths(t *testing.T) {
	db, c := open(t, "business")
	for _, m := range []struct {
		at    time.Time
		added int
		left  int64
	}{
		{nov, 1, 5}, {nov.Add(time.Hour), 0, 5},
		{time.Date(2026, 11, 30, 23, 59, 59, 0, time.UTC), 0, 5},
		{time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), 1, 5},
		{time.Date(2026, 11, 30, 21, 30, 0, 0, time.FixedZone("BRT", -3*3600)), 0, 5}, // 1 December in UTC
		{time.Date(2027, 3, 14, 0, 0, 0, 0, time.UTC), 1, 5},
		{nov, 0, 5}, // the clock was set back: the month is not granted again
	} {
		tx(t, db, func(x *store.Tx) error {
			due, err := credit.Due(x, c, m.at)
			if err != nil || due != (m.added > 0) {
				t.Errorf("%s: due %v, %v", m.at, due, err)
			}
			added, err := credit.CatchUp(x, c, m.at)
			if err != nil || added != m.added {
				t.Errorf("%s: added %d, %v", m.at, added, err)
			}
			if left, err := x.Balance("c", m.at); err != nil || left != m.left {
				t.Errorf("%s: %d left, %v", m.at, left, err)
			}
			return nil
		})
	}
}

// TestOrders: a pack in mid-term is full, costs its share, is used after what
// expires sooner, ends at the renewal without rolling over, and comes again
// whole in the transaction that finds the renewal, unless it was cancelled.
func TestOrders(t *testing.T) {
	db, c := open(t, "business")
	tx(t, db, func(x *store.Tx) error {
		if _, err := credit.Order(x, c, "user:1", "ai-100", "k1", nov); !errors.Is(err, credit.ErrTerm) {
			t.Errorf("without a licence: %v", err)
		}
		return nil
	})
	licensed(t, db, c)
	var first store.CreditOrder
	tx(t, db, func(x *store.Tx) (err error) {
		if first, err = credit.Order(x, c, "user:1", "ai-100", "k1", nov); err != nil {
			return err
		}
		if _, err := credit.Order(x, c, "user:1", "gold", "k2", nov); !errors.Is(err, credit.ErrPack) {
			t.Errorf("an unknown pack: %v", err)
		}
		_, err = credit.Order(x, c, "user:1", "ai-500", "k3", nov)
		return err
	})
	tx(t, db, func(x *store.Tx) error { // the same click again
		again, err := credit.Order(x, c, "user:1", "ai-100", "k1", nov.Add(time.Minute))
		if err != nil || again.ID != first.ID {
			t.Errorf("the same token: %+v %v", again, err)
		}
		a, err := credit.Look(x, c, nov)
		if err != nil {
			return err
		}
		// 20 November to 1 January: 42 of 365 days; 12000 × 42 ÷ 365 = 1380.82.
		if p := a.Orders[1].Charges; len(a.Orders) != 2 || len(p) != 1 || p[0].Amount != 1381 || p[0].Days != 42 || p[0].OfDays != 365 {
			t.Errorf("orders %+v", a.Orders)
		}
		if a.Left != 605 || len(a.Lots) != 3 || a.Lots[0].Kind != credit.Free || a.Lots[1].Period != "ai-100" || a.Renews != "2027-01-01" ||
			a.Offers[0].Now != 1381 {
			t.Errorf("account %+v", a)
		}
		return nil
	})
	for i := range 7 {
		tx(t, db, func(x *store.Tx) error {
			u, err := credit.Charge(x, c, key(fmt.Sprint("t/", i)), "rules", nov)
			if err != nil || u.Amount != 1 {
				t.Errorf("charge %d: %+v %v", i, u, err)
			}
			return nil
		})
	}
	tx(t, db, func(x *store.Tx) error {
		if lots, err := x.Lots("c", nov); err != nil || lots[0].Remaining != 0 || lots[1].Remaining != 98 || lots[2].Remaining != 500 {
			t.Errorf("%+v %v", lots, err)
		}
		orders, err := x.CreditOrders("c")
		if err != nil {
			return err
		}
		if err := credit.Cancel(x, c, "user:1", orders[1].ID, nov); err != nil {
			return err
		}
		if err := credit.Cancel(x, c, "user:1", orders[1].ID, nov); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("cancelled twice: %v", err)
		}
		return nil
	})
	renewal := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, m := range []struct {
		at    time.Time
		added int
		left  int64
		what  string
	}{
		{renewal.Add(-time.Nanosecond), 1, 98 + 500 + 5, "the last instant (December's lot comes)"},
		{renewal, 2, 100 + 5, "the renewal: the whole pack, January's lot, and nothing of the cancelled one"},
		{renewal.Add(time.Hour), 0, 105, "once"},
		{renewal.AddDate(3, 0, 10), 2, 105, "three years later: this term's alone"},
		{renewal.Add(2 * time.Hour), 0, 105, "the clock was wrong and is right again: the term's own lot is still there"},
		{renewal.AddDate(1, 0, 0), 2, 105, "and the next one comes as if nothing had been"},
	} {
		tx(t, db, func(x *store.Tx) error {
			added, err := credit.CatchUp(x, c, m.at)
			left, errLeft := x.Balance("c", m.at)
			if err != nil || errLeft != nil || added != m.added || left != m.left {
				t.Errorf("%s: added %d, left %d, want %d, %d (%v %v)", m.what, added, left, m.added, m.left, err, errLeft)
			}
			return nil
		})
	}
	tx(t, db, func(x *store.Tx) error {
		a, err := credit.Look(x, c, renewal)
		if p := a.Orders[1].Charges; err != nil || len(p) != 4 || p[3].Amount != 1381 || p[2].Amount != 12000 || p[2].Days != 365 {
			t.Errorf("charges %+v %v", p, err)
		}
		return nil
	})
}

// TestMoved: what is left of lots follows the licence's days and the company's
// zone; nothing comes twice by moving there and back.
func TestMoved(t *testing.T) {
	db, c := open(t, "business")
	licensed(t, db, c)
	tx(t, db, func(x *store.Tx) error { _, err := credit.Order(x, c, "user:1", "ai-100", "k", nov); return err })
	account := func(at time.Time) (a credit.Account) {
		tx(t, db, func(x *store.Tx) (err error) {
			if c, err = x.Company("c"); err == nil {
				a, err = credit.Look(x, c, at)
			}
			return err
		})
		return a
	}
	set := func(tier, starts, renews string) error {
		return db.Tx(t.Context(), func(x *store.Tx) error {
			return credit.SetLicence(x, c, "user:1", tier, credit.Licence{Starts: day(t, starts), Renews: day(t, renews)}, nov)
		})
	}
	zone := func(name string, at time.Time) {
		tx(t, db, func(x *store.Tx) error { return credit.SetZone(x, c, "user:1", name, at) })
	}
	for _, d := range [][2]string{{"2026-06-01", "2027-06-01"}, {"2026-01-01", "2027-01-01"}, {"2026-06-01", "2027-06-01"}} {
		if err := set("premium", d[0], d[1]); err != nil {
			t.Fatal(err)
		}
	}
	a := account(nov)
	if a.Left != 105 || len(a.Lots) != 2 || a.Lots[1].Expires.Format(time.RFC3339) != "2027-06-01T00:00:00Z" || a.Tier != "premium" || a.Monthly != 10 {
		t.Errorf("after moving the licence: %+v", a)
	}
	for _, bad := range [][3]string{{"platinum", "2026-01-01", "2027-01-01"}, {"premium", "2027-01-01", "2027-01-01"}, {"premium", "2020-01-01", "2027-01-01"}, {"premium", "2027-01-01", "2028-01-01"}} {
		if err := set(bad[0], bad[1], bad[2]); err == nil {
			t.Errorf("taken: %v", bad)
		}
	}
	late := time.Date(2026, 11, 30, 16, 0, 0, 0, time.UTC) // December in Tokyo, November in São Paulo
	zone("America/Sao_Paulo", late)
	if a := account(late); a.Left != 105 || a.Lots[0].Expires.UTC().Format(time.RFC3339) != "2026-12-01T03:00:00Z" || a.Lots[1].Expires.UTC().Format(time.RFC3339) != "2027-06-01T03:00:00Z" {
		t.Errorf("in São Paulo: %+v", a)
	}
	for range 3 {
		zone("Asia/Tokyo", late)
		if a := account(late); a.Left != 110 || a.Lots[0].Period != "2026-12" {
			t.Errorf("in Tokyo: %+v", a)
		}
		zone("America/Sao_Paulo", late)
		if a := account(late); a.Left != 110 || a.Lots[0].Period != "2026-12" {
			t.Errorf("back in São Paulo: %+v", a)
		}
	}
	if err := db.Tx(t.Context(), func(x *store.Tx) error { return credit.SetZone(x, c, "user:1", "Mars/Olympus", late) }); !errors.Is(err, credit.ErrZone) {
		t.Errorf("an unknown zone: %v", err)
	}
}

// TestWarning: one audit row when few are left, one more only after there were
// enough again.
func TestWarning(t *testing.T) {
	db, c := open(t, "business")
	licensed(t, db, c)
	low := func() (n int) {
		tx(t, db, func(x *store.Tx) error {
			rows, err := x.Audits("c", store.AuditFilter{})
			for _, a := range rows {
				if a.Action == "credits-low" {
					n++
				}
			}
			return err
		})
		return n
	}
	charge := func(s string) {
		tx(t, db, func(x *store.Tx) error { _, err := credit.Charge(x, c, key(s), "m", nov); return err })
	}
	for i, want := range []int{0, 0, 1, 1, 1} { // 5 → 0; the default number is 2
		charge(fmt.Sprint("t/", i))
		if got := low(); got != want {
			t.Errorf("after %d charges: %d warnings, want %d", i+1, got, want)
		}
	}
	tx(t, db, func(x *store.Tx) error {
		if a, err := credit.Look(x, c, nov); err != nil || !a.Low || a.Left != 0 {
			t.Errorf("%+v %v", a, err)
		}
		_, err := credit.Order(x, c, "user:1", "ai-100", "k", nov)
		return err
	})
	tx(t, db, func(x *store.Tx) error {
		if a, err := credit.Look(x, c, nov); err != nil || a.Low {
			t.Errorf("after the order: %+v %v", a, err)
		}
		return credit.SetWarning(x, c, "user:1", 99, nov)
	})
	charge("t/9")
	charge("t/10")
	if got := low(); got != 2 {
		t.Errorf("%d warnings", got)
	}
	if err := db.Tx(t.Context(), func(x *store.Tx) error { return credit.SetWarning(x, c, "user:1", -1, nov) }); err == nil {
		t.Error("a warning at -1")
	}
}

// TestConcurrent: 40 sessions run for 5 credits.
func TestConcurrent(t *testing.T) {
	db, c := open(t, "business")
	tx(t, db, func(x *store.Tx) error { _, err := credit.CatchUp(x, c, nov); return err })
	var won, lost atomic.Int64
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			err := db.Tx(t.Context(), func(x *store.Tx) error {
				_, err := credit.Charge(x, c, key(fmt.Sprint("t/", i)), "rules", nov)
				return err
			})
			switch {
			case err == nil:
				won.Add(1)
			case errors.Is(err, store.ErrNoCredit):
				lost.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 5 || lost.Load() != 35 {
		t.Errorf("%d charged, %d not", won.Load(), lost.Load())
	}
}

// TestOneSession: 200 summaries of one session at once cost one credit.
func TestOneSession(t *testing.T) {
	db, c := open(t, "business")
	tx(t, db, func(x *store.Tx) error { _, err := credit.CatchUp(x, c, nov); return err })
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			if err := db.Tx(t.Context(), func(x *store.Tx) error {
				u, err := credit.Charge(x, c, key("t/1"), "rules", nov)
				if err == nil && (u.Amount != 1 || u.Lot == "") {
					t.Errorf("charged %+v", u)
				}
				return err
			}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	tx(t, db, func(x *store.Tx) error {
		if left, err := x.Balance("c", nov); err != nil || left != 4 {
			t.Errorf("%d left, %v", left, err)
		}
		return nil
	})
}
