package store_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/summarizer/store"
	"aval/summarizer/store/storetest"
	"aval/summarizer/summary"
)

// put stores one session of company, and its summary where sum is not nil.
func put(t *testing.T, db *store.DB, company, device string, s store.Stream, sum *summary.Summary) store.Key {
	t.Helper()
	s.Key = store.Key{Company: company, Device: device, Session: s.Session}
	s.OpenedAt, s.Direction, s.Provenance, s.Groups = s.StartedAt, consent.Outgoing, consent.P2, event.Groups
	tx(t, db, func(x *store.Tx) error {
		if err := x.InsertStream(s); err != nil {
			return err
		}
		if sum == nil {
			return nil
		}
		raw, err := json.Marshal(sum)
		if err != nil {
			return err
		}
		if err := x.EndStream(s.Key, s.StartedAt.Add(time.Minute), "ended"); err != nil {
			return err
		}
		_, err = x.InsertSummary(store.Summary{Key: s.Key, JSON: string(raw), Engine: "rules", Lang: "pt-BR", CreatedAt: s.StartedAt})
		return err
	})
	return s.Key
}

func tenants(t *testing.T, db *store.DB, names ...string) {
	t.Helper()
	tx(t, db, func(x *store.Tx) error {
		for _, id := range names {
			if err := x.InsertCompany(store.Company{ID: id, Name: id, Tier: "self-hosted", Lang: "en", Settings: "{}", CreatedAt: t0}); err != nil {
				return err
			}
			if err := x.InsertDevice(store.Device{ID: "d-" + id, Company: id, Name: "Balcão-01", AgentVersion: "1", EnrolledAt: t0}, "k", make([]byte, 32)); err != nil {
				return err
			}
		}
		return nil
	})
}

func search(t *testing.T, db *store.DB, company string, q store.Query) (got []string) {
	t.Helper()
	if err := db.View(t.Context(), func(x *store.Tx) error {
		f, err := x.Search(company, q, store.Cursor{}, 100)
		for _, s := range f.Streams {
			got = append(got, s.Session)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	return got
}

// TestSearchWords: what is found by what, as people type it.
func TestSearchWords(t *testing.T) {
	db := open(t, storetest.Dir(t))
	tenants(t, db, "c1", "c2")
	printer := &summary.Summary{Name: "A impressora do balcão parou", Text: "Fila reativada; Ação: trocar o cabo.", IssueTypes: []summary.Label{{Key: "printing", Label: "Impressão"}},
		Steps: []summary.Step{{Application: "Excel", Action: "opened", Commands: []string{"lpstat -p -d"}}}, Outcome: summary.Outcome{State: summary.Resolved}}
	put(t, db, "c1", "d-c1", store.Stream{Key: store.Key{Session: "x11vnc/1"}, Tool: "x11vnc", Supporter: "Ana Souza", Basis: consent.BasisConsent, StartedAt: t0}, printer)
	put(t, db, "c1", "d-c1", store.Stream{Key: store.Key{Session: "ssh/2"}, Tool: "ssh", Supporter: "João Çelik", Basis: consent.BasisEnforcedPolicy, StartedAt: t0.Add(time.Hour)},
		&summary.Summary{Name: "プリンタが印刷できない", Text: "Напечатать не получилось. สวัสดี", IssueTypes: []summary.Label{{Label: "Cabo de Rede"}}, Outcome: summary.Outcome{State: summary.NotStated}})
	put(t, db, "c1", "d-c1", store.Stream{Key: store.Key{Session: "ssh/3"}, Tool: "ssh", Supporter: "Ana Lima", Basis: consent.BasisConsent, StartedAt: t0.Add(2 * time.Hour)}, nil)
	put(t, db, "c2", "d-c2", store.Stream{Key: store.Key{Session: "other/1"}, Tool: "x11vnc", Supporter: "Ana Souza", Basis: consent.BasisConsent, StartedAt: t0}, printer)

	all := []string{"ssh/2", "ssh/3", "x11vnc/1"}
	for _, c := range []struct {
		q    store.Query
		want []string
		why  string
	}{
		{store.Query{}, all, "nothing asked: all of the company's"},
		{store.Query{Text: "impressora"}, all[2:], "a word of the title"},
		{store.Query{Text: "IMPRESSÔRA"}, all[2:], "case and accents do not count"},
		{store.Query{Text: "acao"}, all[2:], "nor where the stored word has them"},
		{store.Query{Text: "impr bal"}, all[2:], "each word begins one"},
		{store.Query{Text: "pressora"}, nil, "the middle of a word does not"},
		{store.Query{Text: "impressora excel lpstat"}, all[2:], "steps and commands"},
		{store.Query{Text: "impressora ssh"}, nil, "all words must be there"},
		{store.Query{Text: "balcao"}, all, "the computer's name"},
		{store.Query{Text: "souza"}, all[2:], "the supporter's"},
		{store.Query{Text: "4711"}, nil, "a number that is nowhere"},
		{store.Query{Text: "x11vnc/1"}, all[2:], "the session's id"},
		{store.Query{Text: "印刷"}, all[:1], "two signs of a text without spaces"},
		{store.Query{Text: "印刷で"}, all[:1], "three in a row"},
		{store.Query{Text: "印刷が"}, nil, "two that do not follow each other"},
		{store.Query{Text: "напечат"}, all[:1], "Cyrillic"},
		{store.Query{Text: "%"}, all, "no word at all"},
		{store.Query{Text: "' OR 1=1 --"}, nil, "nothing but words"},
		{store.Query{Supporter: "ana"}, all[1:], "by supporter"},
		{store.Query{Supporter: "ana souza"}, all[2:], "by more of the name"},
		{store.Query{Supporter: "impressora"}, nil, "not a supporter's"},
		{store.Query{Device: "balcao"}, all, "by computer"},
		{store.Query{Device: "ana"}, nil, "not a computer's"},
		{store.Query{Tool: "ssh"}, all[:2], "by tool"},
		{store.Query{Tool: "SSH"}, nil, "as it is written"},
		{store.Query{Basis: "enforced-policy"}, all[:1], "by basis"},
		{store.Query{Outcome: "resolved"}, all[2:], "by outcome"},
		{store.Query{Label: "printing"}, all[2:], "by a label's key"},
		{store.Query{Label: "cabo de rede"}, all[:1], "by a label of somebody's own"},
		{store.Query{From: t0.Add(time.Hour)}, all[:2], "from a time on"},
		{store.Query{To: t0.Add(time.Hour)}, all[2:], "before a time"},
		{store.Query{From: t0.Add(time.Minute), To: t0.Add(90 * time.Minute)}, all[:1], "between"},
		{store.Query{Supporter: "ana", Basis: "consent", From: t0.Add(time.Hour)}, all[1:2], "all together"},
		{store.Query{State: store.ListRecording}, all[1:2], "still going on"},
		{store.Query{State: store.ListSummarised}, []string{"ssh/2", "x11vnc/1"}, "summarised"},
		{store.Query{State: store.ListErased}, nil, "erased"},
		{store.Query{State: store.ListFailed, Text: "ana"}, nil, "failed"},
	} {
		if got := search(t, db, "c1", c.q); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %q, want %q: %s", c.q, got, c.want, c.why)
		}
	}
	if err := db.View(t.Context(), func(x *store.Tx) error {
		_, err := x.Search("c1", store.Query{State: "mine"}, store.Cursor{}, 1)
		return err
	}); err == nil {
		t.Error("an unknown state")
	}

	// An edit is found by its new words and no longer by the old ones; after the
	// session is erased, by none.
	k := store.Key{Company: "c1", Device: "d-c1", Session: "x11vnc/1"}
	tx(t, db, func(x *store.Tx) error {
		_, err := x.InsertSummary(store.Summary{Key: k, JSON: `{"Name":"Scanner"}`, Engine: "rules", Lang: "en", Author: "user:1", CreatedAt: t0})
		return err
	})
	if got := search(t, db, "c1", store.Query{Text: "impressora"}); got != nil {
		t.Errorf("by the old words: %q", got)
	}
	if got := search(t, db, "c1", store.Query{Text: "scanner"}); !slices.Equal(got, all[2:]) {
		t.Errorf("by the new: %q", got)
	}
	tx(t, db, func(x *store.Tx) error { _, err := x.EraseStream(k, t0); return err })
	for _, q := range []store.Query{{Text: "scanner"}, {Text: "souza"}, {Tool: "x11vnc"}, {Supporter: "ana souza"}} {
		if got := search(t, db, "c1", q); got != nil {
			t.Errorf("erased, and found by %+v: %q", q, got)
		}
	}
	if got := search(t, db, "c1", store.Query{State: store.ListErased}); !slices.Equal(got, all[2:]) {
		t.Errorf("erased ones: %q", got)
	}
	if got := search(t, db, "c2", store.Query{Text: "impressora"}); !slices.Equal(got, []string{"other/1"}) {
		t.Errorf("the other company's: %q", got)
	}
}

// TestSearchPages: whatever is asked, page by page it gives exactly what a look
// at every session gives, in the same order, however the pages are cut.
//
// Planted and caught: compare only the time in place(), so that sessions of one
// instant are lost between pages.
func TestSearchPages(t *testing.T) {
	db := open(t, storetest.Dir(t))
	tenants(t, db, "c1", "c2")
	words := []string{"impressora", "impressao", "rede", "cabo", "excel", "ana"}
	tools := []string{"ssh", "x11vnc"}
	type made struct {
		store.Stream
		words []string
	}
	var all []made
	for i := range 300 {
		s := made{Stream: store.Stream{Key: store.Key{Session: fmt.Sprint("t/", i)}, Tool: tools[i%2], Supporter: words[i*7%5], Basis: consent.BasisConsent,
			StartedAt: t0.Add(time.Duration(i/4) * time.Second)}} // four at each instant
		sum := &summary.Summary{Text: words[i%3] + " " + words[i%5]}
		s.words = []string{words[i%3], words[i%5], s.Supporter, "balcao", "01", "t", fmt.Sprint(i), s.Tool}
		s.Key = put(t, db, "c1", "d-c1", s.Stream, sum)
		s.Ref = s.Key.Ref()
		all = append(all, s)
		if i%3 == 0 {
			put(t, db, "c2", "d-c2", s.Stream, sum)
		}
	}
	slices.SortFunc(all, func(a, b made) int {
		if d := b.StartedAt.Compare(a.StartedAt); d != 0 {
			return d
		}
		return strings.Compare(a.Ref, b.Ref)
	})
	rapid.Check(t, func(r *rapid.T) {
		var q store.Query
		var parts []string
		for range rapid.IntRange(0, 3).Draw(r, "words") {
			w := rapid.SampledFrom(words).Draw(r, "word")
			parts = append(parts, w[:rapid.IntRange(1, len(w)).Draw(r, "letters")])
		}
		q.Text = strings.Join(parts, " ")
		if rapid.Bool().Draw(r, "by tool") {
			q.Tool = rapid.SampledFrom(tools).Draw(r, "tool")
		}
		if rapid.Bool().Draw(r, "from") {
			q.From = t0.Add(time.Duration(rapid.IntRange(-5, 80).Draw(r, "from s")) * time.Second)
		}
		if rapid.Bool().Draw(r, "to") {
			q.To = t0.Add(time.Duration(rapid.IntRange(-5, 80).Draw(r, "to s")) * time.Second)
		}
		var want []string
		for _, s := range all {
			ok := (q.Tool == "" || s.Tool == q.Tool) && (q.From.IsZero() || !s.StartedAt.Before(q.From)) && (q.To.IsZero() || s.StartedAt.Before(q.To))
			for _, p := range parts {
				ok = ok && slices.ContainsFunc(s.words, func(w string) bool { return strings.HasPrefix(w, p) })
			}
			if ok {
				want = append(want, s.Session)
			}
		}
		var got []string
		if err := db.View(t.Context(), func(x *store.Tx) error {
			size := rapid.IntRange(1, 60).Draw(r, "page")
			for after := (store.Cursor{}); ; {
				f, err := x.Search("c1", q, after, size)
				if err != nil {
					return err
				}
				for _, s := range f.Streams {
					got = append(got, s.Session)
				}
				if !f.More {
					return nil
				}
				after = f.Next
			}
		}); err != nil {
			r.Fatal(err)
		}
		if !slices.Equal(got, want) {
			r.Fatalf("%+v: %d found, %d want\n%q\n%q", q, len(got), len(want), got, want)
		}
	})
}

// TestSearchStops: a search that would look at everything stops, says where, and
// finds the rest from there.
func TestSearchStops(t *testing.T) {
	db := open(t, storetest.Dir(t))
	tenants(t, db, "c1")
	const n = 530
	defer store.LookAtMost(500)()
	tx(t, db, func(x *store.Tx) error {
		for i := range n {
			s := store.Stream{Key: store.Key{Company: "c1", Device: "d-c1", Session: fmt.Sprint("t/", i)}, Tool: "ssh", Supporter: []string{"Ana", "Bia"}[min(i, 1)],
				Basis: consent.BasisConsent, Direction: consent.Outgoing, StartedAt: t0.Add(time.Duration(i) * time.Second), OpenedAt: t0}
			if err := x.InsertStream(s); err != nil {
				return err
			}
		}
		return nil
	})
	// Erased is none of them: every session must be looked at.
	if err := db.View(t.Context(), func(x *store.Tx) error {
		f, err := x.Search("c1", store.Query{State: store.ListSummarised}, store.Cursor{}, 10)
		if err != nil || len(f.Streams) != 0 || !f.More || f.Next.Ref == "" {
			t.Errorf("%+v %v", f, err)
		}
		f, err = x.Search("c1", store.Query{State: store.ListSummarised}, f.Next, 10)
		if err != nil || len(f.Streams) != 0 || f.More {
			t.Errorf("from there: %+v %v", f, err)
		}
		f, err = x.Search("c1", store.Query{Tool: "ssh", Supporter: "ana"}, store.Cursor{}, 10)
		if err != nil || len(f.Streams) != 1 || f.More {
			t.Errorf("the rarest first: %d %v %v", len(f.Streams), f.More, err)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// old makes the database what an older program would have left.
func old(t *testing.T, dir string, statements ...string) {
	t.Helper()
	raw, err := sql.Open("sqlite", filepath.Join(dir, store.File))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	for _, s := range statements {
		if _, err := raw.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSQLiteIndexOld: sessions of an older program's time are found after IndexOld.
func TestSQLiteIndexOld(t *testing.T) {
	dir := storetest.Dir(t)
	db := open(t, dir)
	tenants(t, db, "c1")
	put(t, db, "c1", "d-c1", store.Stream{Key: store.Key{Session: "t/1"}, Tool: "ssh", Supporter: "Ana", Basis: consent.BasisConsent, StartedAt: t0}, &summary.Summary{Name: "Impressora"})
	old(t, dir, `DELETE FROM session_terms`, `UPDATE streams SET has_terms = FALSE, title = ''`)
	if got := search(t, db, "c1", store.Query{Text: "impressora"}); got != nil {
		t.Fatalf("found: %q", got)
	}
	for _, want := range []int{1, 0} {
		tx(t, db, func(x *store.Tx) error {
			if any, err := x.AnyOld(); err != nil || any != (want > 0) {
				t.Errorf("any old: %v %v", any, err)
			}
			n, err := x.IndexOld(50)
			if n != want {
				t.Errorf("%d done, want %d", n, want)
			}
			return err
		})
	}
	if got := search(t, db, "c1", store.Query{Text: "impressora"}); !slices.Equal(got, []string{"t/1"}) {
		t.Errorf("not found: %q", got)
	}
}
