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
