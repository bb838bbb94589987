package store_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/summarizer/store"
	"aval/summarizer/store/storetest"
)

// The charts' numbers are those of the sessions at every moment: while sessions
// begin, are erased and are counted in any order, whatever the zone of the days.
// Planted: what is not counted yet left out; an erased session not taken off what
// it was counted as; the other company's sessions counted with them.
func TestCountDays(t *testing.T) {
	db := open(t, storetest.Dir(t))
	seed(t, db, "x/0", 1)
	tx(t, db, func(tx *store.Tx) error {
		if err := tx.InsertCompany(store.Company{ID: "c2", Name: "Beta", Tier: "self-hosted", Lang: "en", Settings: "{}", SettingsVersion: 1, CreatedAt: t0}); err != nil {
			return err
		}
		return tx.InsertDevice(store.Device{ID: "d2", Company: "c2", Name: "desk", AgentVersion: "1", EnrolledAt: t0}, "k2", make([]byte, 32))
	})
	type session struct {
		at  time.Time
		was string
	}
	all := map[store.Key]*session{{Company: "c1", Device: "d1", Session: "x/0"}: {t0, "consent"}}
	r := rand.New(rand.NewPCG(3, 4))
	bases := []consent.Basis{consent.BasisConsent, consent.BasisPolicy, consent.BasisEnforcedPolicy, consent.BasisStandingSetting}
	look := func() {
		t.Helper()
		for _, zone := range []string{"UTC", "Asia/Kathmandu", "America/Sao_Paulo"} {
			loc, err := time.LoadLocation(zone)
			if err != nil {
				t.Fatal(err)
			}
			y, m, d := t0.In(loc).Date()
			var days []time.Time
			for i := range 8 {
				days = append(days, time.Date(y, m, d-5+i, 0, 0, 0, 0, loc))
			}
			for _, company := range []string{"c1", "c2"} {
				want, as := make([]int64, 7), map[string]int64{}
				for k, s := range all {
					for i := range want {
						if k.Company == company && !s.at.Before(days[i]) && s.at.Before(days[i+1]) {
							want[i]++
							as[s.was]++
						}
					}
				}
				if err := db.View(t.Context(), func(tx *store.Tx) error {
					got, gotAs, err := tx.CountDays(company, days)
					maps.DeleteFunc(gotAs, func(_ string, n int64) bool { return n == 0 })
					if !slices.Equal(got, want) || !maps.Equal(gotAs, as) {
						t.Fatalf("%s of %s: %v %v, not %v %v", company, zone, got, gotAs, want, as)
					}
					return err
				}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for i := range 120 {
		switch n := r.IntN(6); {
		case n < 3:
			k := store.Key{Company: "c1", Device: "d1", Session: fmt.Sprintf("x/%d", i+1)}
			if r.IntN(4) == 0 {
				k.Company, k.Device = "c2", "d2"
			}
			s := &session{t0.Add(-time.Duration(r.Int64N(int64(6 * 24 * time.Hour)))), string(bases[r.IntN(len(bases))])}
			tx(t, db, func(tx *store.Tx) error {
				return tx.InsertStream(store.Stream{Key: k, Tool: "x11vnc", Supporter: "Ana", Direction: "outgoing", Basis: consent.Basis(s.was),
					Provenance: "P2", Groups: []event.Group{event.Windows}, StartedAt: s.at, OpenedAt: t0})
			})
			all[k] = s
		case n < 4:
			for k, s := range all {
				if s.was != store.CountedErased {
					tx(t, db, func(tx *store.Tx) error { _, err := tx.EraseStream(k, t0); return err })
					s.was = store.CountedErased
					break
				}
			}
		default:
			tx(t, db, func(tx *store.Tx) error { _, err := tx.CountNew(1 + r.IntN(5)); return err })
		}
		look()
	}
	for n := -1; n != 0; {
		tx(t, db, func(tx *store.Tx) (err error) { n, err = tx.CountNew(7); return err })
	}
	look()
	if err := db.View(t.Context(), func(tx *store.Tx) error {
		any, err := tx.AnyUncounted()
		if any {
			t.Error("there are some left")
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// What the chart of credits shows is what was used, at every moment: while sessions
// are charged, also by a program that knows of no counting, and are counted in any
// order, whatever the zone of the days. Planted: what is not counted yet left out; a
// use that is counted twice; what is free by the rule counted.
func TestUsedDays(t *testing.T) {
	db := open(t, storetest.Dir(t))
	seed(t, db, "x/0", 1)
	lots := map[string][]string{}
	tx(t, db, func(tx *store.Tx) error {
		if err := tx.InsertCompany(store.Company{ID: "c2", Name: "Beta", Tier: "self-hosted", Lang: "en", Settings: "{}", SettingsVersion: 1, CreatedAt: t0}); err != nil {
			return err
		}
		for _, company := range []string{"c1", "c2"} {
			for i := range 3 {
				id, err := tx.InsertLot(store.CreditLot{Company: company, Kind: "addon", Period: fmt.Sprint(i), Granted: 20, ValidFrom: t0.AddDate(-1, 0, 0), CreatedAt: t0})
				if err != nil {
					return err
				}
				lots[company] = append(lots[company], id)
			}
		}
		return nil
	})
	type use struct {
		company, lot string
		at           time.Time
		amount       int64
	}
	var all []use
	r := rand.New(rand.NewPCG(5, 6))
	look := func() {
		t.Helper()
		for _, zone := range []string{"UTC", "Asia/Kathmandu", "America/Sao_Paulo"} {
			loc, err := time.LoadLocation(zone)
			if err != nil {
				t.Fatal(err)
			}
			y, m, d := t0.In(loc).Date()
			var days []time.Time
			for i := range 8 {
				days = append(days, time.Date(y, m, d-5+i, 0, 0, 0, 0, loc))
			}
			for company := range lots {
				if err := db.View(t.Context(), func(tx *store.Tx) error {
					got, err := tx.UsedDays(company, days)
					for i := range got {
						want := map[string]int64{}
						for _, u := range all {
							if u.company == company && u.amount > 0 && !u.at.Before(days[i]) && u.at.Before(days[i+1]) {
								want[u.lot] += u.amount
							}
						}
						if !maps.Equal(got[i], want) {
							t.Fatalf("%s of %s, day %d: %v, not %v", company, zone, i, got[i], want)
						}
					}
					return err
				}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for i := range 90 {
		if r.IntN(3) > 0 {
			u := use{company: []string{"c1", "c2"}[r.IntN(2)], at: t0.Add(-time.Duration(r.Int64N(int64(6 * 24 * time.Hour)))), amount: int64(r.IntN(4)+3) / 4}
			tx(t, db, func(tx *store.Tx) error {
				got, err := tx.UseCredit(store.Key{Company: u.company, Device: "d1", Session: fmt.Sprintf("x/%d", i)}, u.amount, u.at)
				u.lot = got.Lot
				return err
			})
			all = append(all, u)
		} else {
			tx(t, db, func(tx *store.Tx) error { _, err := tx.CountUses(1 + r.IntN(5)); return err })
		}
		look()
	}
	for n := -1; n != 0; {
		tx(t, db, func(tx *store.Tx) (err error) { n, err = tx.CountUses(7); return err })
	}
	look()
	if err := db.View(t.Context(), func(tx *store.Tx) error {
		any, err := tx.AnyUncountedUse()
		if any {
			t.Error("there are some left")
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}
