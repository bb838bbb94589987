package rest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"aval/agent/consent"
	"aval/summarizer/company"
	"aval/summarizer/store"
	"aval/summarizer/summary/sample"
)

// TestSightAtEachAddress: a supporter's token finds the sessions that the company lets its
// user see, and no other: by the reports, by the list of sessions and at each address;
// the company's own token finds all. Planted: without WithSight in admit, and without seen in
// Reports, another's session was found.
func TestSightAtEachAddress(t *testing.T) {
	w := open(t, 6000)
	ana, token := w.person(w.co, "Ana", company.Supporter, company.SessionsRead, company.SummariesRead)
	// The one that Ana started is there before the sample fills it.
	if err := w.db.Tx(t.Context(), func(t *store.Tx) error {
		return t.InsertStream(store.Stream{Key: store.Key{Company: w.co.ID(), Device: sample.Device, Session: "ssh/sight0"}, Owner: ana.ID, Tool: "ssh", Supporter: "Ana",
			Direction: consent.Outgoing, Basis: consent.BasisConsent, Provenance: "P2", StartedAt: sample.Start, OpenedAt: sample.Start})
	}); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"Ana", "Bia"} {
		k, err := sample.Store(t.Context(), w.db, w.co.ID(), sample.New(fmt.Sprintf("ssh/sight%d", i), "ssh", name).S, sample.Start.Add(time.Duration(i+1)*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.db.Tx(t.Context(), func(t *store.Tx) error {
			return t.EndStream(k, sample.Start.Add(time.Duration(i+1)*time.Hour+time.Minute), "ended")
		}); err != nil {
			t.Fatal(err)
		}
	}
	list := func(token, path string) []string {
		t.Helper()
		r := w.call("GET", path, token, "")
		var page struct{ Records, Sessions []struct{ ID string } }
		if err := json.Unmarshal(r.body, &page); err != nil || r.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %v %s", path, r.StatusCode, err, r.body)
		}
		var ids []string
		for _, s := range append(page.Records, page.Sessions...) {
			ids = append(ids, s.ID)
		}
		return ids
	}
	all := len(list(w.token, "/api/v1/sessions"))
	for _, row := range []struct {
		sees company.Sees
		n    int // of sessions that Ana's token finds; the reports have only those that ended
	}{{company.SeesAll, all}, {company.SeesOwn, 1}, {company.SeesGroup, 1}} {
		if err := w.co.SetOptions(t.Context(), company.Change{Sees: &row.sees}); err != nil {
			t.Fatal(err)
		}
		sessions, reports := list(token, "/api/v1/sessions"), list(token, "/api/v1/reports/connections")
		if len(sessions) != row.n || row.n == 1 && len(reports) != 1 {
			t.Errorf("%s: %v %v", row.sees, sessions, reports)
		}
		for _, id := range list(w.token, "/api/v1/reports/connections") {
			want := http.StatusNotFound
			if row.sees == company.SeesAll || len(reports) == 1 && id == reports[0] {
				want = http.StatusOK
			}
			if r := w.call("GET", "/api/v1/reports/connections/"+id, token, ""); r.StatusCode != want {
				t.Errorf("%s: %s: %d, want %d", row.sees, id, r.StatusCode, want)
			}
		}
		if n := len(list(w.token, "/api/v1/sessions")); n != all {
			t.Errorf("%s: an administrator's token finds %d of %d", row.sees, n, all)
		}
	}
}
