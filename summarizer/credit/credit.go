// Package credit keeps the ledger of AI credits: the free lot of each month,
// packs that were bought, and what each session used.
//
// The one rule that must not be broken: a session is charged once, ever, and
// only in the transaction that stores its summary; the sum of what was granted
// equals the sum of what is left plus the sum of what was used.
//
// How many credits a licence brings is data, not code: rules.json. The figures
// of the four commercial tiers are those of TeamViewer's article on Session
// Insights (Business 5, Premium 10, Corporate 15, Tensor 50 on the 1st of the
// month). "self-hosted" is our own: whoever runs the server pays for no
// summary that rules wrote, and has 50 a month for those of a model.
package credit

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"aval/summarizer/store"
)

// DefaultTier is what a server's first company gets.
const DefaultTier = "self-hosted"

// Kinds of lot.
const (
	Free  = "free"  // of one calendar month, UTC; what is left then is gone
	AddOn = "addon" // a pack; its full amount until the licence's renewal
)

// Rule is what one tier brings and what a summary costs in it.
type Rule struct {
	// Monthly is how many credits come free on the 1st of each month, UTC.
	Monthly int64 `json:"monthly"`
	// Cost of one session by the name of the engine; "*": any other. 0 or 1.
	Cost map[string]int64 `json:"cost"`
}

//go:embed rules.json
var rulesJSON []byte

var rules = sync.OnceValue(func() map[string]Rule {
	var r map[string]Rule
	if err := json.Unmarshal(rulesJSON, &r); err != nil {
		panic(fmt.Errorf("rules.json: %w", err)) // compiled in: the tests see it first
	}
	return r
})

// Tiers lists the names of all tiers, sorted.
func Tiers() []string { return slices.Sorted(maps.Keys(rules())) }

// ErrTier: a company's tier is in no rule.
var ErrTier = errors.New("unknown licence tier")

// RuleOf returns the rule of a tier; ErrTier for an unknown one, never a guess.
func RuleOf(tier string) (Rule, error) {
	r, ok := rules()[strings.ToLower(tier)]
	if !ok {
		return Rule{}, fmt.Errorf("find credit rule: %w %q", ErrTier, tier)
	}
	return r, nil
}

// CostOf is what one session costs that engine summarises.
func (r Rule) CostOf(engine string) int64 {
	if c, ok := r.Cost[engine]; ok {
		return c
	}
	return r.Cost["*"]
}

// month is the calendar month of now in UTC, and its first instant and the next one's.
func month(now time.Time) (name string, from, to time.Time) {
	now = now.UTC()
	from = time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	return from.Format("2006-01"), from, from.AddDate(0, 1, 0)
}

// NextMonth is when the next free lot comes.
func NextMonth(now time.Time) time.Time {
	_, _, to := month(now)
	return to
}

// GrantMonth adds the company's free lot of the month of now. It is idempotent;
// a server that was down on the 1st catches up with its first call. When a lot
// was added, jobs that waited for credits become ready.
func GrantMonth(t *store.Tx, c store.Company, now time.Time) (added bool, err error) {
	r, err := RuleOf(c.Tier)
	if err != nil || r.Monthly == 0 {
		return false, err
	}
	period, from, to := month(now)
	return add(t, store.CreditLot{Company: c.ID, Kind: Free, Period: period, Granted: r.Monthly, ValidFrom: from, ExpiresAt: to, CreatedAt: now})
}

// HasMonth tells whether GrantMonth has nothing to add.
func HasMonth(t *store.Tx, c store.Company, now time.Time) (bool, error) {
	r, err := RuleOf(c.Tier)
	if err != nil || r.Monthly == 0 {
		return true, err
	}
	lots, err := t.Lots(c.ID, now)
	period, _, _ := month(now)
	return slices.ContainsFunc(lots, func(l store.CreditLot) bool { return l.Kind == Free && l.Period == period }), err
}

// AddPack adds a pack of credits that is valid from now until renewal; order is
// its number: the same order is added once. Jobs that waited become ready.
func AddPack(t *store.Tx, company, order string, credits int64, renewal, now time.Time) (added bool, err error) {
	switch {
	case credits <= 0:
		return false, fmt.Errorf("add credits: %d is not a number of credits", credits)
	case order == "":
		return false, errors.New("add credits: the order has no number")
	case !renewal.After(now):
		return false, fmt.Errorf("add credits: the renewal date %s has passed", renewal.UTC().Format(time.DateOnly))
	}
	return add(t, store.CreditLot{Company: company, Kind: AddOn, Period: order, Granted: credits, ValidFrom: now, ExpiresAt: renewal, CreatedAt: now})
}

func add(t *store.Tx, l store.CreditLot) (bool, error) {
	added, err := t.InsertLot(l)
	if err != nil || !added {
		return false, err
	}
	if err := t.AddAudit(store.Audit{Company: l.Company, At: l.CreatedAt, Actor: "server", Action: "credits-granted",
		Subject: l.Kind + ":" + l.Period, Detail: fmt.Sprintf("granted=%d", l.Granted)}); err != nil {
		return false, err
	}
	_, err = t.ReleaseJobs(l.Company, l.CreatedAt)
	return true, err
}

// Enough tells whether the session can be charged now: it was before, it costs
// nothing, or there is a credit left.
func Enough(t *store.Tx, c store.Company, k store.Key, engine string, now time.Time) (bool, error) {
	r, err := RuleOf(c.Tier)
	if err != nil {
		return false, err
	}
	if r.CostOf(engine) == 0 {
		return true, nil
	}
	if _, err := t.CreditUse(k); !errors.Is(err, store.ErrNotFound) {
		return err == nil, err
	}
	left, err := t.Balance(c.ID, now)
	return left >= r.CostOf(engine), err
}

// Charge books what the session costs. A session that was charged before is not
// charged again, whatever engine wrote then. store.ErrNoCredit: none is left.
func Charge(t *store.Tx, c store.Company, k store.Key, engine string, now time.Time) (store.CreditUse, error) {
	r, err := RuleOf(c.Tier)
	if err != nil {
		return store.CreditUse{}, err
	}
	return t.UseCredit(k, r.CostOf(engine), now)
}
