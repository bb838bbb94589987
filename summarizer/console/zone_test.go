package console_test

import (
	"encoding/json"
	"html"
	"strings"
	"testing"
	"time"

	"aval/summarizer/summary/sample"
)

// TestCompanyZone: a company sees times and days in the zone that it has set, on
// pages, in what it downloads and in what it filters by, wherever its server stands.
// To see it fail, leave In out of signedIn.
func TestCompanyZone(t *testing.T) {
	s := start(t)
	k := s.put(sample.Printer("en"))
	s.summarise(nil)
	b := s.signedIn("en")
	const far = "Pacific/Kiritimati" // UTC+14 throughout the year
	zone, err := time.LoadLocation(far)
	if err != nil {
		t.Fatal(err)
	}
	_, body := b.get("/s/" + k.Ref() + "/export/json")
	var doc struct {
		StartedAt time.Time `json:"started_at"`
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil || doc.StartedAt.IsZero() {
		t.Fatal(body, err)
	}
	for _, c := range []struct {
		set    string
		zone   *time.Location
		offset string
	}{{"", time.UTC, "UTC+00:00"}, {far, zone, "UTC+14:00"}} {
		if c.set != "" {
			if err := s.co.SetZone(t.Context(), c.set); err != nil {
				t.Fatal(err)
			}
		}
		shown := doc.StartedAt.In(c.zone).Format("2 Jan 2006, 15:04")
		if _, body := b.get("/s/" + k.Ref()); !strings.Contains(body, shown) || !strings.Contains(html.UnescapeString(body), c.offset) {
			t.Errorf("%q: the page has no %s, or no %s", c.set, shown, c.offset)
		}
		if _, body := b.get("/s/" + k.Ref() + "/export/txt"); !strings.Contains(body, shown+" ("+c.offset+")") {
			t.Errorf("%q: the file: %s", c.set, body)
		}
		if _, body := b.get("/export.csv"); !strings.Contains(body, doc.StartedAt.In(c.zone).Format(time.RFC3339)) {
			t.Errorf("%q: the list: %s", c.set, body)
		}
		day := doc.StartedAt.In(c.zone)
		for from, there := range map[string]bool{day.Format(time.DateOnly): true, day.AddDate(0, 0, 1).Format(time.DateOnly): false} {
			if _, body := b.get("/?from=" + from); strings.Contains(body, "/s/"+k.Ref()) != there {
				t.Errorf("%q: from %s: there %v", c.set, from, !there)
			}
		}
	}
}
