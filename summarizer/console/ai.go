package console

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"aval/assets"
	"aval/summarizer/company"
	"aval/summarizer/credit"
	"aval/summarizer/store"
	"aval/summarizer/summary"
)

// creditRoutes are the part of the table about AI credits.
func (c *Console) creditRoutes() []Route {
	return []Route{
		{Method: "GET", Pattern: "/ai", Needs: company.CreditsRead, Menu: "console.ai", In: InAI, serve: c.ai},
		{Method: "POST", Pattern: "/ai/orders", Needs: company.CreditsWrite, serve: c.order},
		{Method: "POST", Pattern: "/ai/orders/{id}/cancel", Needs: company.CreditsWrite, serve: c.cancelOrder},
		{Method: "POST", Pattern: "/ai/licence", Needs: company.CreditsWrite, serve: c.licence},
		{Method: "POST", Pattern: "/ai/warning", Needs: company.CreditsWrite, serve: c.creditWarning},
	}
}

// usesShown is how many uses one page lists.
const usesShown = 50

type offerRow struct{ Name, Credits, Price, Today string }

type orderRow struct {
	ID, Pack, Credits, Price, Placed string
	Paid                             []string
	Ended                            string
}

type useRow struct{ When, WhenISO, Session, Href string }

// aiPage is the company's account of AI credits.
type aiPage struct {
	frame
	Low, Waiting        string
	Tier, Monthly, Next string
	Term, Zone          string
	Starts, Renews      string // of the form
	Tiers               []option
	Warn                int64
	Offers              []offerRow
	CanOrder, CanWrite  bool
	Token               string
	Orders              []orderRow
	Uses                []useRow
	Older               string
	Newer               bool
	Chart               chart
	Done, Wrong         string
	Engine              string // who writes; empty: the visitor does not see that
}

// ai shows the account.
func (c *Console) ai(w http.ResponseWriter, r *http.Request, v visitor) {
	done := ""
	if d := r.URL.Query().Get("done"); d == "ordered" || d == "cancelled" || d == "licence" || d == "warning" {
		done = v.cat.T("console.ai.done."+d, nil)
	}
	c.showAI(w, r, v, http.StatusOK, done, "")
}

func (c *Console) showAI(w http.ResponseWriter, r *http.Request, v visitor, status int, done, wrong string) {
	p, err := c.aiPage(r, v)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	p.Done, p.Wrong, p.Back = done, wrong, "/ai"
	c.show(w, r, status, "ai", p)
}

func (c *Console) aiPage(r *http.Request, v visitor) (p aiPage, err error) {
	a, err := v.co.Credits(r.Context()) // first: it brings what the month has granted
	if err != nil {
		return p, err
	}
	p.frame = c.frameOf(r, v, v.cat.T("console.ai", nil))
	zone, err := credit.LoadZone(a.Zone)
	if err != nil {
		return p, err
	}
	at := func(t time.Time) string { return t.In(zone).Format(v.cat.T("console.time.layout", nil)) }
	day := func(s string) string {
		t, err := time.Parse(time.DateOnly, s)
		if err != nil {
			return s
		}
		return t.Format(v.cat.T("console.time.day", nil))
	}
	if a.Low {
		p.Low = v.cat.N("console.ai.low", int(a.Left), nil)
	}
	if a.Waiting > 0 {
		p.Waiting = v.cat.N("console.waiting_for_credits", int(a.Waiting), nil)
	}
	p.Tier, p.Monthly, p.Next, p.Zone, p.Warn = a.Tier, strconv.FormatInt(a.Monthly, 10), at(a.Next), a.Zone, a.Warn
	p.Term = v.cat.T("console.ai.noterm", nil)
	if a.Starts != "" {
		p.Term = v.cat.T("console.ai.term", assets.Args{"from": day(a.Starts), "to": day(a.Renews)})
	}
	if a.Licence != nil {
		p.Starts, p.Renews = a.Licence.Starts, a.Licence.Renews
	}
	for _, t := range credit.Tiers() {
		p.Tiers = append(p.Tiers, option{t, t, t == a.Tier})
	}
	p.CanOrder, p.CanWrite, p.Token = a.Starts != "" && v.may(company.CreditsWrite), v.may(company.CreditsWrite), store.NewID(c.o.Now())
	for _, o := range a.Offers {
		row := offerRow{Name: o.Name, Credits: strconv.FormatInt(o.Credits, 10), Price: money(v.cat, o.Price, o.Currency)}
		if o.OfDays > 0 {
			row.Today = v.cat.T("console.ai.today", assets.Args{"amount": money(v.cat, o.Now, o.Currency), "days": o.Days, "of": o.OfDays})
		}
		p.Offers = append(p.Offers, row)
	}
	for _, o := range a.Orders {
		row := orderRow{ID: o.ID, Pack: o.Pack, Credits: strconv.FormatInt(o.Credits, 10), Price: money(v.cat, o.Price, o.Currency), Placed: at(o.PlacedAt)}
		for _, ch := range o.Charges {
			row.Paid = append(row.Paid, v.cat.T("console.ai.paid", assets.Args{"amount": money(v.cat, ch.Amount, o.Currency), "from": day(ch.Starts), "to": day(ch.Ends), "days": ch.Days, "of": ch.OfDays}))
		}
		if !o.CancelledAt.IsZero() {
			row.Ended = v.cat.T("console.ai.cancelled", assets.Args{"when": at(o.CancelledAt)})
		}
		p.Orders = append(p.Orders, row)
	}
	before := usePlace(r.URL.Query().Get("before"))
	p.Newer = before != nil
	uses, err := v.co.CreditUses(r.Context(), before, usesShown+1)
	if err != nil {
		return p, err
	}
	if len(uses) > usesShown {
		uses = uses[:usesShown]
		u := uses[usesShown-1]
		p.Older = with("/ai", "before", fmt.Sprintf("%d.%s.%s#uses", u.At.UnixNano(), u.Device, hex.EncodeToString([]byte(u.Session))))
	}
	if c.o.Models != nil && v.may(company.SettingsRead) {
		e, err := v.co.Engine(r.Context())
		if err != nil {
			return p, err
		}
		p.Engine = engineWords(v.cat, e.Engine)
	}
	reads := v.may(company.SessionsRead)
	for _, u := range uses {
		row := useRow{When: at(u.At), WhenISO: u.At.UTC().Format(time.RFC3339), Session: summary.Clean(u.Session, 60)}
		if reads {
			row.Href = "/s/" + u.Ref
		}
		p.Uses = append(p.Uses, row)
	}
	err = c.db.View(r.Context(), func(t *store.Tx) (err error) { p.Chart, err = c.creditChart(t, v); return err })
	return p, err
}

// usePlace reads the place in the list of uses out of an address; what is wrong
// starts anew.
func usePlace(s string) *company.Use {
	parts := strings.Split(s, ".")
	if len(parts) != 3 {
		return nil
	}
	ns, err := strconv.ParseInt(parts[0], 10, 64)
	session, errHex := hex.DecodeString(parts[2])
	if err != nil || errHex != nil {
		return nil
	}
	return &company.Use{Session: string(session), Device: parts[1], At: time.Unix(0, ns).UTC()}
}

// money writes an amount of hundredths as the language does.
func money(cat *assets.Catalog, hundredths int64, currency string) string {
	return strings.Replace(credit.Money(hundredths, currency), ".", cat.T("console.decimal", nil), 1)
}

// onCredits changes the account by a form and goes back to the page.
func (c *Console) onCredits(w http.ResponseWriter, r *http.Request, v visitor, done string, do func() error) {
	if !c.form(w, r) {
		return
	}
	err := do()
	key := ""
	switch {
	case err == nil:
		http.Redirect(w, r, "/ai?done="+done, http.StatusSeeOther)
		return
	case errors.Is(err, credit.ErrTerm):
		key = "console.ai.wrong.term"
	case errors.Is(err, credit.ErrPack), errors.Is(err, credit.ErrInput) && done == "ordered":
		key = "console.ai.wrong.pack"
	case errors.Is(err, credit.ErrZone):
		key = "console.ai.wrong.zone"
	case errors.Is(err, company.ErrNoOrder):
		key = "console.ai.wrong.order"
	case errors.Is(err, credit.ErrInput) && done == "warning":
		key = "console.ai.wrong.number"
	case errors.Is(err, credit.ErrInput), errors.Is(err, credit.ErrTier):
		key = "console.ai.wrong.licence"
	default:
		c.broken(w, r, err)
		return
	}
	c.showAI(w, r, v, http.StatusConflict, "", v.cat.T(key, nil))
}

// order adds credits.
func (c *Console) order(w http.ResponseWriter, r *http.Request, v visitor) {
	c.onCredits(w, r, v, "ordered", func() error {
		_, err := v.co.OrderCredits(r.Context(), r.PostForm.Get("pack"), r.PostForm.Get("token"))
		return err
	})
}

// cancelOrder ends an order at the next renewal.
func (c *Console) cancelOrder(w http.ResponseWriter, r *http.Request, v visitor) {
	c.onCredits(w, r, v, "cancelled", func() error { return v.co.CancelOrder(r.Context(), r.PathValue("id")) })
}

// licence changes tier, days and zone.
func (c *Console) licence(w http.ResponseWriter, r *http.Request, v visitor) {
	c.onCredits(w, r, v, "licence", func() error {
		zone := strings.TrimSpace(r.PostForm.Get("zone"))
		if r.PostForm.Get("starts") == "" {
			return v.co.SetZone(r.Context(), zone)
		}
		return v.co.SetLicence(r.Context(), r.PostForm.Get("tier"), r.PostForm.Get("starts"), r.PostForm.Get("renews"), &zone)
	})
}

// creditWarning changes at how many credits people are warned.
func (c *Console) creditWarning(w http.ResponseWriter, r *http.Request, v visitor) {
	c.onCredits(w, r, v, "warning", func() error {
		n, err := strconv.ParseInt(strings.TrimSpace(r.PostForm.Get("warn")), 10, 64)
		if err != nil {
			return fmt.Errorf("%w: %w", credit.ErrInput, err)
		}
		return v.co.SetCreditWarning(r.Context(), n)
	})
}
