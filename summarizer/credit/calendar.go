package credit

import (
	"fmt"
	"time"
)

// Day is a day of the calendar, in no zone.
type Day struct {
	Year  int
	Month time.Month
	Day   int
}

// DayOf is the day of an instant in a zone.
func DayOf(at time.Time, zone *time.Location) Day {
	y, m, d := at.In(zone).Date()
	return Day{y, m, d}
}

// ParseDay reads YYYY-MM-DD, of the years 2000 to 2199.
func ParseDay(s string) (Day, error) {
	at, err := time.Parse(time.DateOnly, s)
	if err != nil || at.Year() < 2000 || at.Year() > 2199 {
		return Day{}, fmt.Errorf("%w: %q is not YYYY-MM-DD of this time", ErrInput, s)
	}
	return DayOf(at, time.UTC), nil
}

func (d Day) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, int(d.Month), d.Day) }

func (d Day) utc() time.Time { return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC) }

// Before tells whether d comes before e.
func (d Day) Before(e Day) bool { return d.utc().Before(e.utc()) }

// Until is the number of days from d to e: 1 from one day to the next.
func (d Day) Until(e Day) int64 { return int64(e.utc().Sub(d.utc()) / (24 * time.Hour)) }

// AddYears is the same day n years later; 29 February becomes the 28th where a
// year has none.
func (d Day) AddYears(n int) Day {
	out := Day{d.Year + n, d.Month, d.Day}
	if out.utc().Month() != d.Month {
		out.Day--
	}
	return out
}

// In is the first instant of the day in a zone. Where the clocks go forward at
// midnight that is not 00:00, and where they go back across it, it comes twice:
// time.Date promises neither case.
func (d Day) In(zone *time.Location) time.Time {
	at := time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, zone)
	// No zone has ever moved its clocks by more than a day; quarters of an hour
	// are the finest steps in use.
	const step = 15 * time.Minute
	for DayOf(at, zone).Before(d) {
		at = at.Add(step)
	}
	for range 26 * 4 {
		if earlier := at.Add(-step); DayOf(earlier, zone) == d {
			at = earlier
		}
	}
	return at
}

// month is the calendar month of an instant in a zone, as its first day and the
// next one's.
func month(now time.Time, zone *time.Location) (name string, from, to time.Time) {
	first := DayOf(now, zone)
	first.Day = 1
	next := Day{first.Year, first.Month + 1, 1}
	if first.Month == time.December {
		next = Day{first.Year + 1, time.January, 1}
	}
	return first.String()[:7], first.In(zone), next.In(zone)
}

// Licence is the days of a licence. It renews on the same day each year.
type Licence struct {
	Starts Day // its first day
	Renews Day // its first renewal, the day after the first term
}

// Term is the term that a day falls into: its first day, and the day of its
// renewal. It is a function of the day alone: a clock that went wrong and was
// put right leaves nothing behind. ok is false before the licence starts.
func (l Licence) Term(today Day) (from, to Day, ok bool) {
	if today.Before(l.Starts) {
		return Day{}, Day{}, false
	}
	from, to = l.Starts, l.Renews
	for n := 1; !today.Before(to); n++ {
		from, to = to, l.Renews.AddYears(n)
	}
	return from, to, true
}

// valid refuses a licence whose days make no term.
func (l Licence) valid() error {
	if !l.Starts.Before(l.Renews) || l.Starts.AddYears(5).Before(l.Renews) {
		return fmt.Errorf("%w: the renewal %s must come after the start %s, by five years at most", ErrInput, l.Renews, l.Starts)
	}
	return nil
}

// share is price × days ÷ of, rounded half up to the hundredth.
func share(price, days, of int64) int64 { return (2*price*days + of) / (2 * of) }
