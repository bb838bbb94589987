package company

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"aval/assets"
	"aval/summarizer/store"
)

// TermsVersion is the version of the terms under which a company activates
// Session Insights. It goes up with every change of their meaning.
const TermsVersion = "2026-11"

// How a company was activated where nobody accepted the terms by name.
const (
	byBefore     = "before"      // it was in use before that was kept
	byFirstStart = "first-start" // whoever started the server for the first time
)

// Activation is how a company activated Session Insights.
type Activation struct {
	At time.Time `json:"at,omitzero"`
	// By is who accepted the terms, as the audit names them; or before or first-start.
	By   string `json:"by"`
	Name string `json:"name,omitempty"` // of that person
	// Terms is the version of the text, Lang its language and SHA256 the text's
	// own hash, as it was shown.
	Terms  string `json:"terms,omitempty"`
	Lang   string `json:"lang,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
}

// ByPerson tells whether somebody accepted the terms by name.
func (a *Activation) ByPerson() bool { return a != nil && a.By != byBefore && a.By != byFirstStart }

// Current tells whether the terms that were accepted are those of this version.
func (a *Activation) Current() bool { return a != nil && a.Terms == TermsVersion }

// termsParts is how many paragraphs the terms have.
const termsParts = 7

// Terms are the terms in a language: their paragraphs, the language that they
// are in, and the hash of the text.
func Terms(lang string) (paragraphs []string, in, sum string) {
	cat := assets.ForArea("console", lang)
	for i := range termsParts {
		paragraphs = append(paragraphs, cat.T(fmt.Sprintf("console.terms.%d", i+1), nil))
	}
	h := sha256.Sum256([]byte(TermsVersion + "\n" + strings.Join(paragraphs, "\n")))
	return paragraphs, cat.Lang, hex.EncodeToString(h[:])
}

// ErrTerms: the terms that were read are not those that there are now.
var ErrTerms = wrongf("the terms have changed since they were shown: read them again")

// Activate has the company ask as it has chosen, with the terms accepted in the
// language and the version (their hash) in which they were shown.
func (s *Service) Activate(ctx context.Context, lang, shown string) error {
	_, in, sum := Terms(lang)
	if in != lang || shown != sum {
		return fmt.Errorf("activate: %w", ErrTerms)
	}
	return s.activation(ctx, "activate", &Activation{At: s.now().UTC(), By: s.actor.String(), Name: s.actor.Name, Terms: TermsVersion, Lang: in, SHA256: sum})
}

// Deactivate has the company ask about nothing any more; what it has chosen stays.
func (s *Service) Deactivate(ctx context.Context) error { return s.activation(ctx, "deactivate", nil) }

func (s *Service) activation(ctx context.Context, what string, a *Activation) error {
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		c, err := tx.Company(s.id)
		if err != nil {
			return err
		}
		set := decodeSettings(c.Settings)
		old := set.Activation
		if old == nil && a == nil {
			return nil
		}
		set.Activation = a
		c.Settings = set.encode()
		if err := tx.UpdateCompany(c); err != nil {
			return err
		}
		return s.note(tx, entry{kind: ChangeActivation, action: "session-insights-" + what + "d", old: old, new: a})
	})
	if err != nil {
		return fmt.Errorf("%s Session Insights: %w", what, err)
	}
	return nil
}
