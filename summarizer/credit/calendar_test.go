package credit_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"aval/summarizer/credit"
	"aval/summarizer/store"
)

func day(t interface{ Fatal(...any) }, s string) credit.Day {
	d, err := credit.ParseDay(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestMonthEnds: when the running credit month ends, by the company's zone.
func TestMonthEnds(t *testing.T) {
	for _, c := range []struct{ zone, now, ends, why string }{
		{"UTC", "2026-11-22T12:00:00Z", "2026-12-01T00:00:00Z", "an ordinary month"},
		{"UTC", "2026-11-30T23:59:59Z", "2026-12-01T00:00:00Z", "its last second"},
		{"UTC", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z", "the first instant of the next; the year's end"},
		{"UTC", "2028-02-10T00:00:00Z", "2028-03-01T00:00:00Z", "February of a leap year"},
		{"UTC", "2027-02-28T23:00:00Z", "2027-03-01T00:00:00Z", "February of another one"},
		{"America/Sao_Paulo", "2026-12-01T02:59:59Z", "2026-12-01T03:00:00Z", "still November there: UTC−3"},
		{"America/Sao_Paulo", "2026-12-01T03:00:00Z", "2027-01-01T03:00:00Z", "midnight there"},
		{"Asia/Tokyo", "2026-11-30T15:00:00Z", "2026-12-31T15:00:00Z", "December there already: UTC+9"},
		{"Asia/Kolkata", "2026-11-30T18:29:59Z", "2026-11-30T18:30:00Z", "half an hour: UTC+5:30"},
		{"Pacific/Kiritimati", "2026-11-30T10:00:00Z", "2026-12-31T10:00:00Z", "the first zone: UTC+14"},
		{"Pacific/Pago_Pago", "2026-12-01T10:59:59Z", "2026-12-01T11:00:00Z", "the last zone: UTC−11"},
		{"Europe/Berlin", "2026-10-31T22:59:59Z", "2026-10-31T23:00:00Z", "October ends in winter time, and began in summer time"},
		{"Europe/Berlin", "2026-03-31T21:59:59Z", "2026-03-31T22:00:00Z", "March ends in summer time"},
		{"America/Asuncion", "2023-09-30T12:00:00Z", "2023-10-01T04:00:00Z", "the clocks went from 00:00 to 01:00 that night: there is no midnight"},
		{"America/Havana", "2020-10-31T12:00:00Z", "2020-11-01T04:00:00Z", "they went from 01:00 back to 00:00: midnight came twice, and the first counts"},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		got, err := credit.NextMonth(store.Company{Zone: c.zone}, now)
		if err != nil || got.UTC().Format(time.RFC3339) != c.ends {
			t.Errorf("%s at %s: ends %s (%v), want %s: %s", c.zone, c.now, got.UTC().Format(time.RFC3339), err, c.ends, c.why)
		}
	}
	for _, zone := range []string{"America/Brasilia", "Local", "../etc/passwd"} {
		if _, err := credit.NextMonth(store.Company{Zone: zone}, nov); err == nil {
			t.Errorf("zone %q was taken", zone)
		}
	}
}

// TestTerms: the term into which a day falls, and what an order on that day
// costs of 365.00.
func TestTerms(t *testing.T) {
	for _, c := range []struct {
		starts, renews, on string
		from, to           string
		left, of           int64
		why                string
	}{
		{"2026-01-01", "2027-01-01", "2026-01-01", "2026-01-01", "2027-01-01", 365, 365, "the first day: the whole price"},
		{"2026-01-01", "2027-01-01", "2026-12-31", "2026-01-01", "2027-01-01", 1, 365, "the last day"},
		{"2026-01-01", "2027-01-01", "2027-01-01", "2027-01-01", "2028-01-01", 365, 365, "the renewal day: a new term"},
		{"2026-01-01", "2027-01-01", "2028-02-29", "2028-01-01", "2029-01-01", 307, 366, "a leap year has 366 days"},
		{"2028-02-29", "2029-02-28", "2029-02-27", "2028-02-29", "2029-02-28", 1, 365, "begun on 29 February"},
		{"2028-02-29", "2029-02-28", "2029-02-28", "2029-02-28", "2030-02-28", 365, 365, "renews on the 28th as it was written"},
		{"2027-03-01", "2028-02-29", "2030-02-28", "2030-02-28", "2031-02-28", 365, 365, "renews on 29 February, where there is none on the 28th"},
		{"2027-03-01", "2028-02-29", "2032-02-29", "2032-02-29", "2033-02-28", 365, 365, "and in the next leap year on the 29th again"},
		{"2026-05-31", "2027-05-31", "2026-11-30", "2026-05-31", "2027-05-31", 182, 365, "begun at a month's end"},
		{"2026-05-15", "2026-12-31", "2026-12-30", "2026-05-15", "2026-12-31", 1, 230, "a short first term"},
		{"2026-05-15", "2026-12-31", "2027-06-01", "2026-12-31", "2027-12-31", 213, 365, "then whole years"},
		{"2026-05-15", "2029-05-15", "2027-05-15", "2026-05-15", "2029-05-15", 731, 1096, "a first term of three years"},
		{"2026-05-15", "2027-05-15", "2026-05-14", "", "", 0, 0, "before it starts there is none"},
	} {
		on := day(t, c.on)
		from, to, ok := credit.Licence{Starts: day(t, c.starts), Renews: day(t, c.renews)}.Term(on)
		if !ok {
			if c.from != "" {
				t.Errorf("%s: no term: %s", c.on, c.why)
			}
			continue
		}
		if from.String() != c.from || to.String() != c.to || on.Until(to) != c.left || from.Until(to) != c.of {
			t.Errorf("%s to %s, on %s: %s to %s, %d of %d days, want %s to %s, %d of %d: %s", c.starts, c.renews, c.on, from, to,
				on.Until(to), from.Until(to), c.from, c.to, c.left, c.of, c.why)
		}
	}
}

// TestDays: in every zone the first instant of a day is of that day, and the one
// before it is of the day before. (To see it fail, take time.Date as it is: Asunción
// and Havana are then found.)
func TestDays(t *testing.T) {
	zones := []string{"UTC", "America/Sao_Paulo", "America/Asuncion", "America/Havana", "Asia/Kathmandu", "Australia/Lord_Howe", "Europe/Lisbon",
		"Africa/Cairo", "Asia/Beirut", "America/Nuuk", "Pacific/Chatham", "Atlantic/Azores"}
	rapid.Check(t, func(r *rapid.T) {
		zone, err := credit.LoadZone(rapid.SampledFrom(zones).Draw(r, "zone"))
		if err != nil {
			r.Fatal(err)
		}
		d := credit.DayOf(time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, rapid.IntRange(0, 60*365).Draw(r, "day")), time.UTC)
		at := d.In(zone)
		if got := credit.DayOf(at, zone); got != d {
			r.Errorf("%s in %s begins on %s", d, zone, got)
		}
		if got := credit.DayOf(at.Add(-time.Nanosecond), zone); !got.Before(d) {
			r.Errorf("%s in %s had begun before %s", d, zone, at)
		}
	})
}
