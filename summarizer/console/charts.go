package console

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"aval/agent/consent"
	"aval/assets"
	"aval/summarizer/store"
)

// Sizes of a chart, in units of its own drawing; the page stretches it.
const (
	chartWide = 600
	chartHigh = 160
	chartHead = 4 // above the highest level
)

// chart is a drawing with everything in it as words and as a table, too.
type chart struct {
	ID, Title, Says string // Says: what there is to see, in a sentence
	Unit            string // heading of the numbers
	Bars            []bar
	Lines           []mark   // level lines with their numbers, from the top
	Feet            []string // words below it, from the left
	Wide, High      int
}

type bar struct{ Label, Value, X, Y, W, H string }

type mark struct{ Y, Text string }

// column is one value of a chart.
type column struct {
	label string
	value int64
}

// bars draws columns, with so many labels below.
func bars(id, title, says, unit string, cols []column, feet int) chart {
	c := chart{ID: id, Title: title, Says: says, Unit: unit, Wide: chartWide, High: chartHigh}
	top := int64(1)
	for _, v := range cols {
		top = max(top, v.value)
	}
	top = round(top)
	step := float64(chartWide) / float64(max(len(cols), 1))
	num := func(f float64) string { return strconv.FormatFloat(f, 'f', 1, 64) }
	for _, part := range []int64{2, 1, 0} {
		c.Lines = append(c.Lines, mark{num(chartHigh - (chartHigh-chartHead)*float64(part)/2), strconv.FormatInt(top*part/2, 10)})
	}
	for i, v := range cols {
		h := (chartHigh - chartHead) * float64(v.value) / float64(top)
		c.Bars = append(c.Bars, bar{Label: v.label, Value: strconv.FormatInt(v.value, 10), X: num(float64(i)*step + step*0.1), Y: num(chartHigh - h), W: num(step * 0.8), H: num(h)})
	}
	for i := range feet {
		c.Feet = append(c.Feet, cols[i*(len(cols)-1)/(feet-1)].label)
	}
	return c
}

// round is the next number that an axis ends with: even, and 1, 2 or 5 times a
// power of ten.
func round(n int64) int64 {
	for p := int64(1); ; p *= 10 {
		for _, k := range []int64{2, 4, 10} {
			if k*p >= n {
				return k * p
			}
		}
	}
}

// drawn is a chart as its template needs it.
type drawn struct {
	Chart chart
	T     func(key string) string
}

func chartOf(page interface{ text(string) string }, c chart) drawn { return drawn{c, page.text} }

func (f frame) text(key string) string { return f.T(key) }

const (
	daysShown   = 30 // of sessions
	creditsDays = 60
)

// days are the first instants of the last n days in the page's zone, today's the
// last, and the one after it.
func (c *Console) days(cat *assets.Catalog, n int) []time.Time {
	zone := c.zone(cat)
	y, m, d := c.o.Now().In(zone).Date()
	out := make([]time.Time, n+1)
	for i := range out {
		out[i] = time.Date(y, m, d-n+1+i, 0, 0, 0, 0, zone)
	}
	return out
}

// share is one part of a whole.
type share struct {
	Text, Count, Percent string
	Width                string // of its bar, of 100
}

type overviewPage struct {
	frame
	Sessions chart
	Outcomes []share
	Total    string
	Numbers  []fact
}

// overview shows how many sessions there were, and what allowed them.
func (c *Console) overview(w http.ResponseWriter, r *http.Request, v visitor) {
	p := overviewPage{frame: c.frameOf(r, v, v.cat.T("console.overview", nil))}
	days := c.days(v.cat, daysShown)
	err := c.db.View(r.Context(), func(t *store.Tx) error {
		var cols []column
		var total int64
		each, as, err := t.CountDays(v.company.ID, days)
		if err != nil {
			return err
		}
		for i, n := range each {
			total += n
			cols = append(cols, column{days[i].Format(v.cat.T("console.chart.day", nil)), n})
		}
		p.Total = v.cat.N("console.chart.total", int(total), assets.Args{"days": daysShown})
		p.Sessions = bars("sessions", v.cat.T("console.chart.sessions", nil), p.Total, v.cat.T("console.chart.sessions.unit", nil), cols, 5)
		part := func(text string, n int64) {
			s := share{Text: text, Count: strconv.FormatInt(n, 10), Width: "0", Percent: "0 %"}
			if total > 0 {
				s.Width = strconv.FormatFloat(100*float64(n)/float64(total), 'f', 1, 64)
				s.Percent = fmt.Sprintf("%d %%", (200*n+total)/(2*total))
			}
			p.Outcomes = append(p.Outcomes, s)
		}
		for _, b := range []consent.Basis{consent.BasisConsent, consent.BasisStandingSetting, consent.BasisPolicy, consent.BasisEnforcedPolicy} {
			part(v.cat.T("console.basis."+string(b), nil), as[string(b)])
		}
		part(v.cat.T("console.list.state.erased", nil), as[store.CountedErased])
		for _, after := range []struct {
			text  string
			count func(string, time.Time, time.Time) (int64, error)
		}{{"console.chart.withdrawn", t.CountWithdrawn}, {"console.chart.objected", t.CountObjected}} {
			n, err := after.count(v.company.ID, days[0], days[len(days)-1])
			if err != nil {
				return err
			}
			part(v.cat.T(after.text, nil), n)
		}
		return nil
	})
	if err != nil {
		c.broken(w, r, err)
		return
	}
	c.show(w, r, http.StatusOK, "overview", p)
}

// creditChart is what was left at the end of each day.
func (c *Console) creditChart(t *store.Tx, v visitor) (chart, error) {
	days := c.days(v.cat, creditsDays)
	lots, err := t.LotsSince(v.company.ID, days[0])
	if err != nil {
		return chart{}, err
	}
	each, err := t.UsedDays(v.company.ID, days)
	if err != nil {
		return chart{}, err
	}
	left := map[string]int64{}
	for _, l := range lots {
		left[l.ID] = l.Remaining
	}
	cols := make([]column, creditsDays)
	var used int64
	for i := creditsDays - 1; i >= 0; i-- {
		end := days[i+1]
		if i == creditsDays-1 {
			end = c.o.Now()
		}
		cols[i].label = days[i].Format(v.cat.T("console.chart.day", nil))
		for _, l := range lots {
			if l.ValidFrom.Before(end) && (l.ExpiresAt.IsZero() || !l.ExpiresAt.Before(end)) {
				cols[i].value += left[l.ID]
			}
		}
		// What this day used was there at its beginning.
		for lot, n := range each[i] {
			left[lot] += n
			used += n
		}
	}
	return bars("credits", v.cat.T("console.chart.credits", nil), v.cat.N("console.chart.used", int(used), assets.Args{"days": creditsDays}),
		v.cat.T("console.chart.credits.unit", nil), cols, 5), nil
}
