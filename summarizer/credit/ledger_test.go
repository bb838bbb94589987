package credit_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"aval/summarizer/credit"
	"aval/summarizer/store"
	"aval/summarizer/store/storetest"
)

// ledger is what the books must add up to.
type ledger struct{ granted, left, used, uses int64 }

// audit adds the books up: every lot ever granted, what is left of each, and
// every use. Each lot's own numbers must agree, and no lot may be below zero or
// hold more than it was granted.
func audit(t *store.Tx, company string) (l ledger, err error) {
	lots, err := t.LotsSince(company, time.Unix(0, 1))
	if err != nil {
		return l, err
	}
	days, err := t.UsedDays(company, []time.Time{time.Unix(0, 0), time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		return l, err
	}
	used := days[0]
	known := map[string]bool{}
	periods := map[string]bool{}
	for _, lot := range lots {
		if lot.Remaining < 0 || lot.Granted != lot.Remaining+used[lot.ID] {
			return l, fmt.Errorf("lot %s: granted %d, left %d, used %d", lot.Period, lot.Granted, lot.Remaining, used[lot.ID])
		}
		if p := lot.Kind + lot.Period; periods[p] {
			return l, fmt.Errorf("lot %s was granted twice", p)
		} else {
			periods[p] = true
		}
		known[lot.ID] = true
		l.granted += lot.Granted
		l.left += lot.Remaining
	}
	for lot, n := range used {
		if !known[lot] {
			return l, fmt.Errorf("%d used of a lot that was never granted", n)
		}
		l.used += n
	}
	all, err := t.CreditUses(company, store.CreditUse{}, 1<<30)
	seen := map[store.Key]bool{}
	for _, u := range all {
		if seen[u.Key] || u.Amount != 1 {
			return l, fmt.Errorf("session %s was charged %d, or twice", u.Session, u.Amount)
		}
		seen[u.Key] = true
	}
	l.uses = int64(len(all))
	if l.granted != l.left+l.used || l.used != l.uses {
		return l, fmt.Errorf("the books do not add up: %+v", l)
	}
	return l, err
}

// TestLedger: whatever is done in whatever order, by a clock that jumps forward
// and back over months, terms and years, in zones that change, the books add up
// after every step, no session is charged twice, and none without a credit.
//
// Planted and caught here: debit again for a session that was charged before; grant
// a month by a lot's being valid rather than by its period.
func TestLedger(t *testing.T) {
	zones := []string{"UTC", "America/Sao_Paulo", "Asia/Tokyo", "Pacific/Kiritimati", "Pacific/Pago_Pago"}
	tiers := []string{"business", "premium", "corporate"}
	db, _ := open(t, "business")
	storetest.Once(t, db.Dir()) // the steps below draw within the transaction
	n := 0
	rapid.Check(t, func(r *rapid.T) {
		n++
		id := fmt.Sprint("c", n)
		c := store.Company{ID: id, Name: "Example Support", Tier: "business", Lang: "en", Settings: "{}", CreatedAt: nov}
		tx(t, db, func(x *store.Tx) error { return x.InsertCompany(c) })
		now := nov
		charged := map[string]bool{}
		for i := range rapid.IntRange(1, 40).Draw(r, "steps") {
			err := db.Tx(t.Context(), func(x *store.Tx) (err error) {
				if c, err = x.Company(id); err != nil {
					return err
				}
				switch rapid.IntRange(0, 9).Draw(r, "step") {
				case 0, 1:
					hours := rapid.IntRange(-24*400, 24*800).Draw(r, "hours")
					if now = now.Add(time.Duration(hours) * time.Hour); now.Year() < 2010 || now.Year() > 2090 {
						now = nov
					}
					_, err = credit.CatchUp(x, c, now)
				case 2:
					_, err = credit.Order(x, c, "user:1", rapid.SampledFrom(credit.Packs()).Draw(r, "pack").Name, fmt.Sprint("k", rapid.IntRange(0, 5).Draw(r, "token")), now)
				case 3:
					starts := credit.DayOf(now.AddDate(0, 0, -rapid.IntRange(0, 700).Draw(r, "since")), time.UTC)
					err = credit.SetLicence(x, c, "user:1", rapid.SampledFrom(tiers).Draw(r, "tier"), credit.Licence{Starts: starts, Renews: starts.AddYears(1)}, now)
				case 4:
					err = credit.SetZone(x, c, "user:1", rapid.SampledFrom(zones).Draw(r, "zone"), now)
				case 5:
					orders, errList := x.CreditOrders(id)
					if errList == nil && len(orders) > 0 {
						err = credit.Cancel(x, c, "user:1", orders[rapid.IntRange(0, len(orders)-1).Draw(r, "order")].ID, now)
					}
				default:
					session := fmt.Sprint("t/", rapid.IntRange(0, 12).Draw(r, "session"))
					k := store.Key{Company: id, Device: "d", Session: session}
					ok, errEnough := credit.Enough(x, c, k, "m", now)
					if errEnough != nil {
						return errEnough
					}
					if _, err = credit.Charge(x, c, k, "m", now); ok != (err == nil) {
						r.Fatalf("step %d: enough says %v, and charging: %v", i, ok, err)
					}
					if err == nil {
						charged[session] = true
					}
				}
				return err
			})
			if err != nil && !errors.Is(err, store.ErrNoCredit) && !errors.Is(err, credit.ErrTerm) && !errors.Is(err, credit.ErrInput) && !errors.Is(err, store.ErrNotFound) {
				r.Fatal(err)
			}
			if err := db.View(t.Context(), func(x *store.Tx) error {
				l, err := audit(x, id)
				if err == nil && l.uses != int64(len(charged)) {
					err = fmt.Errorf("%d uses of %d sessions", l.uses, len(charged))
				}
				return err
			}); err != nil {
				r.Fatalf("step %d at %s: %v", i, now, err)
			}
		}
	})
}

// TestMain lets this program be the child of TestKilled.
func TestMain(m *testing.M) {
	if dir := os.Getenv("AVAL_CREDIT_CHILD"); dir != "" {
		fmt.Fprintln(os.Stderr, child(dir))
		os.Exit(1)
	}
	os.Exit(storetest.Run(m))
}

// child charges sessions, and orders and grants in between, until it is killed.
// It prints the number of each session that is charged for certain.
func child(dir string) error {
	ctx := context.Background()
	db, err := store.Open(ctx, dir)
	if err != nil {
		return err
	}
	begin, err := strconv.Atoi(os.Getenv("AVAL_CREDIT_FROM"))
	if err != nil {
		return err
	}
	for i := begin; ; i++ {
		err := db.Tx(ctx, func(x *store.Tx) error {
			c, err := x.Company("c")
			if err != nil {
				return err
			}
			now := nov.AddDate(0, i/40, 0)
			if _, err := credit.CatchUp(x, c, now); err != nil {
				return err
			}
			if i%40 == 7 {
				if _, err := credit.Order(x, c, "user:1", "ai-100", fmt.Sprint("k", i), now); err != nil {
					return err
				}
			}
			_, err = credit.Charge(x, c, key(fmt.Sprint("t/", i)), "m", now)
			return err
		})
		if errors.Is(err, store.ErrNoCredit) {
			continue
		}
		if err != nil {
			return err
		}
		fmt.Println(i)
	}
}

// TestKilled: a process that charges is killed (SIGKILL) again and again, most
// likely within a transaction. The books add up each time, and every session
// that the child had been told was charged is.
//
// Planted and caught: debit in a transaction of its own, before that of the use.
func TestKilled(t *testing.T) {
	db, c := open(t, "business")
	licensed(t, db, c)
	dir := db.Dir()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	var told []string
	for round := range 24 {
		from, before := round*1000, len(told)
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "AVAL_CREDIT_CHILD="+dir, fmt.Sprint("AVAL_CREDIT_FROM=", from))
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for lines.Scan() { // what was printed before the end is read to the end
			told = append(told, lines.Text())
			if len(told) == before+5+round { // a different number each time
				<-time.After(time.Duration(round) * 130 * time.Microsecond) // and another moment of what it does
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait()
		db, err := store.Open(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.View(t.Context(), func(x *store.Tx) error {
			l, err := audit(x, "c")
			if err != nil {
				return err
			}
			if len(told) < before+5 || int(l.uses) < len(told) {
				t.Errorf("round %d: %d uses, %d told, %d before", round, l.uses, len(told), before)
			}
			for _, s := range told {
				if _, err := x.CreditUse(key("t/" + s)); err != nil {
					t.Errorf("session %s was told and is not there: %v", s, err)
				}
			}
			return nil
		}); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		_ = db.Close()
	}
}
