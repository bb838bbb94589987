package store_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"aval/summarizer/store"
	"aval/summarizer/store/storetest"
)

// A search among computers finds those whose names have the text anywhere, newest
// first, page by page, whether it begins at the ends of names, walks through the
// list, or some of the computers were added or renamed by an older program.
// Planted: a search longer than the ends not cut; an older program's rename not
// noticed.
func TestDeviceSearch(t *testing.T) {
	db := open(t, storetest.Dir(t))
	seed(t, db, "x/1", 1)
	r := rand.New(rand.NewPCG(1, 2))
	words := []string{"desk", "balcão", "recepção", "pc", "srv", "100%", "a_b", "日本語", "xx-0042", "front desk of the first floor", `c:\x`}
	type device struct {
		id, search string
		at         time.Time
	}
	var all []device
	for i := range 120 {
		d := device{id: fmt.Sprintf("D%03d", i), at: t0.Add(time.Duration(r.IntN(40)) * time.Minute)}
		for range 1 + r.IntN(3) {
			d.search = strings.TrimSpace(d.search + " " + words[r.IntN(len(words))] + fmt.Sprint(r.IntN(30)))
		}
		all = append(all, d)
	}
	tx(t, db, func(tx *store.Tx) error {
		for _, d := range all {
			if err := tx.InsertDevice(store.Device{ID: d.id, Company: "c1", Name: d.search, Search: d.search, AgentVersion: "1", EnrolledAt: d.at}, "k"+d.id, make([]byte, 32)); err != nil {
				return err
			}
		}
		for i := range all[:20] { // names that change
			all[i].search = "renamed " + all[i].search
			if err := tx.RenameDevice("c1", all[i].id, all[i].search, all[i].search); err != nil {
				return err
			}
		}
		return nil
	})
	want := func(search string) (ids []string) {
		list := slices.Clone(all)
		slices.SortFunc(list, func(a, b device) int {
			if n := b.at.Compare(a.at); n != 0 {
				return n
			}
			return strings.Compare(b.id, a.id)
		})
		for _, d := range list {
			if strings.Contains(d.search, search) || d.id == strings.ToUpper(search) {
				ids = append(ids, d.id)
			}
		}
		return ids
	}
	look := func(t *testing.T) {
		t.Helper()
		searches := []string{"d", "de", "renamed", "d007", "%", "_", `\`, "100%", "本語", "cão", "k of the first floor1", "nobody", "hidden by", "front desk of the first floor2"}
		for range 40 {
			d := []rune(all[r.IntN(len(all))].search)
			from := r.IntN(len(d))
			searches = append(searches, string(d[from:min(len(d), from+1+r.IntN(24))]))
		}
		for _, s := range searches {
			var got []string
			q := store.DeviceQuery{Search: s, Limit: 7}
			for {
				var page []store.Device
				if err := db.View(t.Context(), func(tx *store.Tx) (err error) { page, err = tx.DevicePage("c1", q); return err }); err != nil {
					t.Fatal(err)
				}
				for _, d := range page {
					got = append(got, d.ID)
				}
				if len(page) < q.Limit {
					break
				}
				q.After = store.DeviceCursor{EnrolledAt: page[6].EnrolledAt, ID: page[6].ID}
			}
			if !slices.Equal(got, want(s)) {
				t.Errorf("%q: %v, not %v", s, got, want(s))
			}
		}
		if err := db.View(t.Context(), func(tx *store.Tx) error {
			list, err := tx.DevicePage("c2", store.DeviceQuery{Search: "de", Limit: 5})
			if len(list) > 0 {
				t.Errorf("another company finds %v", list)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("by ends", look)
	t.Run("walking", func(t *testing.T) { defer store.FewDevices(3)(); look(t) })
	// What an older program does that knows nothing of ends.
	all[30].search = "hidden by an older program"
	storetest.Damage(t, db.Dir(), `UPDATE devices SET search = 'hidden by an older program' WHERE id = '`+all[30].id+`'`)
	t.Run("an older program's", look)
	n := -1
	for n != 0 {
		tx(t, db, func(tx *store.Tx) (err error) { n, err = tx.IndexOldDevices(50); return err })
	}
	if err := db.View(t.Context(), func(tx *store.Tx) error {
		old, err := tx.AnyOldDevice()
		if old {
			t.Error("there is an old one left")
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Run("indexed", look)
}
