package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"aval/agent/consent"
	"aval/summarizer/company"
	"aval/summarizer/store"
	"aval/summarizer/summary/sample"
)

// TestSightOfChoices: who sees only their own sessions learns neither tools nor
// labels of others from the lists of choices, nor how many there are: by the
// charts, the outcomes, or what waits for credits. To see it fail, leave the sight
// out of store.values, count, CountDays or JobsWaiting.
func TestSightOfChoices(t *testing.T) {
	s := start(t)
	u, err := s.co.As(company.Command).CreateUser(t.Context(), company.NewUser{Name: "Ana", Login: "ana", Role: company.Supporter})
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now().Add(-time.Hour)
	own := sample.Shell()
	if err := s.db.Tx(t.Context(), func(x *store.Tx) error {
		return x.InsertStream(store.Stream{Key: store.Key{Company: sample.Company, Device: sample.Device, Session: own.ID}, Owner: u.ID, Tool: own.Tool, Supporter: own.Supporter,
			Direction: consent.Outgoing, Basis: own.Basis, Provenance: "P2", StartedAt: begin, OpenedAt: begin})
	}); err != nil {
		t.Fatal(err)
	}
	other := sample.Printer("en")
	for _, in := range []func() store.Key{func() store.Key { return s.put(own) }, func() store.Key { return s.put(other) }} {
		k := in()
		if err := s.db.Tx(t.Context(), func(x *store.Tx) error { return x.WithdrawStream(k, "", time.Now()) }); err != nil {
			t.Fatal(err)
		}
	}
	s.summarise(nil)
	b := s.person(s.co, u)
	for _, row := range []struct {
		sees  company.Sees
		other bool
		count string
	}{{company.SeesAll, true, "2 sessions in the last 30 days"}, {company.SeesOwn, false, "1 session in the last 30 days"}, {company.SeesGroup, false, "1 session in the last 30 days"}} {
		if err := s.co.SetOptions(t.Context(), company.Change{Sees: &row.sees}); err != nil {
			t.Fatal(err)
		}
		code, page := b.get(s.url + "/?q=nothing-has-this-word")
		tool, label := `<option value="`+other.Tool+`"`, `<option value="printing"`
		if code != http.StatusOK || !strings.Contains(page, `<option value="`+own.Tool+`"`) || strings.Contains(page, tool) != row.other || strings.Contains(page, label) != row.other {
			t.Errorf("%s: the choices: %d\n%s", row.sees, code, page)
		}
		if code, page := b.get(s.url + "/overview"); code != http.StatusOK || !strings.Contains(page, row.count) || strings.Contains(page, "<td>2</td>") != row.other {
			t.Errorf("%s: the charts: %d\n%s", row.sees, code, page)
		}
	}
}
