package credit_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

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
	c := store.Company{ID: "c", Name: "Example Support", Tier: tier, Lang: "en", Settings: "{}", CreatedAt: nov}
	tx(t, db, func(x *store.Tx) error { return x.InsertCompany(c) })
	return db, c
}

func tx(t *testing.T, db *store.DB, f func(*store.Tx) error) {
	t.Helper()
	if err := db.Tx(t.Context(), f); err != nil {
		t.Fatal(err)
	}
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
	if len(credit.Tiers()) != len(want) {
		t.Errorf("tiers: %v", credit.Tiers())
	}
	if _, err := credit.RuleOf("platinum"); !errors.Is(err, credit.ErrTier) {
		t.Errorf("an unknown tier: %v", err)
	}
}

// TestMonths: once a month, caught up after a pause, nothing rolls over.
func TestMonths(t *testing.T) {
	db, c := open(t, "business")
	for _, m := range []struct {
		at    time.Time
		added bool
		left  int64
	}{
		{nov, true, 5}, {nov.Add(time.Hour), false, 5},
		{time.Date(2026, 11, 30, 23, 59, 59, 0, time.UTC), false, 5},
		{time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), true, 5},
		{time.Date(2026, 11, 30, 21, 30, 0, 0, time.FixedZone("BRT", -3*3600)), false, 5}, // 1 December in UTC
		{time.Date(2027, 3, 14, 0, 0, 0, 0, time.UTC), true, 5},
	} {
		tx(t, db, func(x *store.Tx) error {
			has, err := credit.HasMonth(x, c, m.at)
			if err != nil || has == m.added {
				t.Errorf("%s: has %v, %v", m.at, has, err)
			}
			added, err := credit.GrantMonth(x, c, m.at)
			if err != nil || added != m.added {
				t.Errorf("%s: added %v, %v", m.at, added, err)
			}
			if left, err := x.Balance("c", m.at); err != nil || left != m.left {
				t.Errorf("%s: %d left, %v", m.at, left, err)
			}
			return nil
		})
	}
}

// TestSoonestFirst: what expires first is used first, and packs outlive months.
func TestSoonestFirst(t *testing.T) {
	db, c := open(t, "business")
	renewal := time.Date(2027, 6, 1, 0, 0, 0, 0, time.UTC)
	tx(t, db, func(x *store.Tx) error {
		if _, err := credit.AddPack(x, "c", "order-1", 100, renewal, nov); err != nil {
			return err
		}
		if again, err := credit.AddPack(x, "c", "order-1", 100, renewal, nov); again || err != nil {
			t.Errorf("the same order again: %v %v", again, err)
		}
		_, err := credit.GrantMonth(x, c, nov)
		return err
	})
	for i := range 7 {
		tx(t, db, func(x *store.Tx) error {
			u, err := credit.Charge(x, c, store.Key{Company: "c", Device: "d", Session: fmt.Sprint("t/", i)}, "rules", nov)
			if err != nil || u.Amount != 1 {
				t.Errorf("charge %d: %+v %v", i, u, err)
			}
			return nil
		})
	}
	tx(t, db, func(x *store.Tx) error {
		lots, err := x.Lots("c", nov)
		if err != nil || len(lots) != 2 || lots[0].Kind != credit.Free || lots[0].Remaining != 0 || lots[1].Remaining != 98 {
			t.Errorf("%+v %v", lots, err)
		}
		for _, bad := range []func() (bool, error){
			func() (bool, error) { return credit.AddPack(x, "c", "o", 0, renewal, nov) },
			func() (bool, error) { return credit.AddPack(x, "c", "", 1, renewal, nov) },
			func() (bool, error) { return credit.AddPack(x, "c", "o", 1, nov, nov) },
		} {
			if added, err := bad(); added || err == nil {
				t.Error("a wrong pack was added")
			}
		}
		return nil
	})
}

// TestLedger: whatever happens in whatever order, granted = left + used, no
// session is charged twice, and none is charged without a credit. Planting a
// second debit for a session (leave out the look at credit_uses) is caught here.
func TestLedger(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		db, c := open(t, "business")
		defer db.Close()
		var granted int64
		charged := map[string]bool{}
		for i := range rapid.IntRange(1, 30).Draw(r, "steps") {
			session := fmt.Sprint("t/", rapid.IntRange(0, 12).Draw(r, "session"))
			err := db.Tx(t.Context(), func(x *store.Tx) error {
				switch rapid.IntRange(0, 4).Draw(r, "step") {
				case 0:
					added, err := credit.GrantMonth(x, c, nov)
					if added {
						granted += 5
					}
					return err
				case 1:
					n := rapid.Int64Range(1, 3).Draw(r, "pack")
					granted += n
					_, err := credit.AddPack(x, "c", fmt.Sprint(i), n, nov.AddDate(1, 0, 0), nov)
					return err
				default:
					ok, err := credit.Enough(x, c, store.Key{Company: "c", Device: "d", Session: session}, "m", nov)
					if err != nil {
						return err
					}
					_, err = credit.Charge(x, c, store.Key{Company: "c", Device: "d", Session: session}, "m", nov)
					if ok != (err == nil) {
						r.Fatalf("enough says %v, and charging: %v", ok, err)
					}
					if err == nil {
						charged[session] = true
					}
					return err
				}
			})
			if err != nil && !errors.Is(err, store.ErrNoCredit) {
				r.Fatal(err)
			}
			if err := db.View(t.Context(), func(x *store.Tx) error {
				left, err := x.Balance("c", nov)
				if left+int64(len(charged)) != granted {
					r.Fatalf("%d left, %d used, %d granted", left, len(charged), granted)
				}
				return err
			}); err != nil {
				r.Fatal(err)
			}
		}
	})
}

// TestConcurrent: 40 sessions run for 5 credits.
func TestConcurrent(t *testing.T) {
	db, c := open(t, "business")
	tx(t, db, func(x *store.Tx) error { _, err := credit.GrantMonth(x, c, nov); return err })
	var won, lost atomic.Int64
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			err := db.Tx(t.Context(), func(x *store.Tx) error {
				_, err := credit.Charge(x, c, store.Key{Company: "c", Device: "d", Session: fmt.Sprint("t/", i)}, "rules", nov)
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

func TestTiersAreSorted(t *testing.T) {
	if !slices.IsSorted(credit.Tiers()) {
		t.Errorf("%v", credit.Tiers())
	}
}
