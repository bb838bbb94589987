package console

import (
	"cmp"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"aval/assets"
	"aval/summarizer/company"
	"aval/summarizer/credit"
	"aval/summarizer/store"
)

// creditBadge is the balance of AI credits at the top right of a page, and the
// lots that it is made of.
type creditBadge struct {
	Text string // empty: it is not shown
	Low  bool
	Lots []lotRow
}

// lotRow is a lot with what is left of it, and until when.
type lotRow struct{ Name, Left, Of, Until string }

// badge is there on the AI pages for whoever may see credits; on the others for
// those who can do something about them: administrators and billing.
func (c *Console) badge(r *http.Request, v visitor) (b creditBadge) {
	ai := below(r.URL.Path, "/ai") || below(r.URL.Path, "/insights")
	if !v.may(company.CreditsWrite) && !(ai && v.may(company.CreditsRead)) {
		return b
	}
	zone, err := credit.ZoneOf(v.company)
	if err != nil {
		return b
	}
	now := c.o.Now()
	var left, warn int64
	var low time.Time
	err = c.db.View(r.Context(), func(t *store.Tx) error {
		lots, err := t.Lots(v.company.ID, now)
		if err != nil {
			return err
		}
		orders, err := t.CreditOrders(v.company.ID)
		if err != nil {
			return err
		}
		packs := map[string]string{}
		for _, o := range orders {
			packs[o.ID] = o.Pack
		}
		for _, l := range lots {
			if left += l.Remaining; l.Remaining == 0 {
				continue
			}
			order, _, _ := strings.Cut(l.Period, "/")
			name := cmp.Or(packs[order], l.Period)
			if l.Kind == credit.Free {
				name = v.cat.T("console.ai.lot.month", assets.Args{"month": l.Period})
			}
			b.Lots = append(b.Lots, lotRow{name, strconv.FormatInt(l.Remaining, 10), strconv.FormatInt(l.Granted, 10),
				whenIn(v.cat, l.ExpiresAt, zone)})
		}
		if warn, low, err = t.CreditWarning(v.company.ID); errors.Is(err, store.ErrNotFound) {
			err = nil // nothing was ever set
		}
		return err
	})
	if err != nil {
		return creditBadge{} // the page itself says what is wrong, if it is
	}
	b.Text, b.Low = v.cat.T("console.credits", assets.Args{"n": left}), !low.IsZero() && left <= warn
	return b
}
