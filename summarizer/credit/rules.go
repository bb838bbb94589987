package credit

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"

	"aval/agent/strict"
)

// RulesFile is the name of the file in the data folder that replaces the rules
// which are compiled in, whole.
const RulesFile = "credit-rules.json"

// Rule is what one tier brings and what a summary costs in it.
type Rule struct {
	// Monthly is how many credits come free on the 1st of each month, at midnight
	// in the company's zone.
	Monthly int64 `json:"monthly"`
	// Cost of one session by the name of the engine; "*": any other. 0 or 1.
	Cost map[string]int64 `json:"cost"`
}

// CostOf is what one session costs that engine summarises.
func (r Rule) CostOf(engine string) int64 {
	if c, ok := r.Cost[engine]; ok {
		return c
	}
	return r.Cost["*"]
}

// Pack is what can be ordered: credits for each term of the licence.
type Pack struct {
	Name    string `json:"name"`
	Credits int64  `json:"credits"`
	// Price of a whole term, in hundredths of Currency (ISO 4217).
	Price    int64  `json:"price"`
	Currency string `json:"currency"`
}

// ruleSet is the whole of the rules.
type ruleSet struct {
	Tiers map[string]Rule `json:"tiers"`
	Packs []Pack          `json:"packs"`
}

//go:embed rules.json
var rulesJSON []byte

var current atomic.Pointer[ruleSet]

func init() {
	r, err := decodeRules(rulesJSON)
	if err != nil {
		panic(fmt.Errorf("rules.json: %w", err)) // compiled in: the tests see it first
	}
	current.Store(r)
}

// LoadRules puts the rules of RulesFile in the folder dir into force, for the
// whole process; where there is no such file those that are compiled in stay.
// An error names what is wrong with the file, and changes nothing.
func LoadRules(dir string) error {
	file := filepath.Join(dir, RulesFile)
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read credit rules: %w", err)
	}
	r, err := decodeRules(raw)
	if err != nil {
		return fmt.Errorf("read credit rules %s: %w", file, err)
	}
	current.Store(r)
	return nil
}

var (
	ruleName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,39}$`)
	currency = regexp.MustCompile(`^[A-Z]{3}$`)
)

// The largest numbers that a rule may name: no sum of them can overflow.
const (
	maxCredits = 1_000_000
	maxPrice   = 1_000_000_000
)

func decodeRules(raw []byte) (*ruleSet, error) {
	var r ruleSet
	if err := strict.Decode(raw, &r); err != nil {
		return nil, err
	}
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if _, ok := r.Tiers[DefaultTier]; !ok {
		wrong("the tier %q is missing", DefaultTier)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Tiers)) {
		t := r.Tiers[name]
		if !ruleName.MatchString(name) {
			wrong("tier %q: a name has small letters, digits, dots and dashes", name)
		}
		if t.Monthly < 0 || t.Monthly > maxCredits {
			wrong("tier %q: monthly is from 0 to %d", name, maxCredits)
		}
		if _, ok := t.Cost["*"]; !ok {
			wrong(`tier %q: cost says nothing of "*", any other engine`, name)
		}
		for engine, c := range t.Cost {
			if c != 0 && c != 1 {
				wrong("tier %q: a session costs 0 or 1, not %d (%s)", name, c, engine)
			}
		}
	}
	seen := map[string]bool{}
	for _, p := range r.Packs {
		if !ruleName.MatchString(p.Name) || seen[p.Name] {
			wrong("pack %q: a name has small letters, digits, dots and dashes, and stands once", p.Name)
		}
		seen[p.Name] = true
		if p.Credits < 1 || p.Credits > maxCredits {
			wrong("pack %q: credits are from 1 to %d", p.Name, maxCredits)
		}
		if p.Price < 0 || p.Price > maxPrice {
			wrong("pack %q: price is from 0 to %d hundredths", p.Name, maxPrice)
		}
		if !currency.MatchString(p.Currency) {
			wrong("pack %q: a currency is three capital letters", p.Name)
		}
	}
	return &r, errors.Join(errs...)
}

// Tiers lists the names of all tiers, sorted.
func Tiers() []string { return slices.Sorted(maps.Keys(current.Load().Tiers)) }

// Packs lists what can be ordered, in the order of the rules.
func Packs() []Pack { return slices.Clone(current.Load().Packs) }

// Errors that callers tell apart.
var (
	ErrTier = errors.New("unknown licence tier") // a company's tier is in no rule
	ErrPack = errors.New("unknown pack")         // no pack has this name
	ErrZone = errors.New("unknown time zone")    // the zone is in no database
	ErrTerm = errors.New("the licence has no term now")
	// ErrInput: a date or number is none, or makes no sense; its text says which.
	ErrInput = errors.New("not possible")
)

// RuleOf returns the rule of a tier; ErrTier for an unknown one, never a guess.
func RuleOf(tier string) (Rule, error) {
	r, ok := current.Load().Tiers[strings.ToLower(tier)]
	if !ok {
		return Rule{}, fmt.Errorf("find credit rule: %w %q", ErrTier, tier)
	}
	return r, nil
}

// PackOf returns a pack by its name; ErrPack for an unknown one.
func PackOf(name string) (Pack, error) {
	for _, p := range current.Load().Packs {
		if p.Name == name {
			return p, nil
		}
	}
	return Pack{}, fmt.Errorf("find pack: %w %q", ErrPack, name)
}

// RulesJSON is the rules in force, as RulesFile would hold them.
func RulesJSON() []byte {
	raw, _ := json.MarshalIndent(current.Load(), "", "  ") // plain numbers and words: never fails
	return append(raw, '\n')
}
