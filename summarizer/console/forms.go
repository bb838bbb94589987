package console

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"aval/summarizer/company"
)

// told is what became of the form that was sent before this page: at most one of
// the two. The address names it by a word of a closed list.
type told struct{ Done, Wrong string }

// words that an address may carry as done and as wrong.
var (
	doneWords  = []string{"saved", "created", "deleted", "revoked", "moved", "published", "assigned", "undone", "activated", "deactivated"}
	wrongWords = []string{"name", "taken", "module-days", "gone", "changed-since", "final", "release", "release-file", "unpublished", "terms", "nothing", "sure", "assigned"}
)

func (v visitor) told(r *http.Request) (t told) {
	if d := r.URL.Query().Get("done"); slices.Contains(doneWords, d) {
		t.Done = v.cat.T("console.done."+d, nil)
	}
	if w := r.URL.Query().Get("wrong"); slices.Contains(wrongWords, w) {
		t.Wrong = v.cat.T("console.wrong."+w, nil)
	}
	return t
}

// wrongWord is the word for an error that a person can do something about;
// empty: it is none of these.
func wrongWord(err error) string {
	for _, k := range []struct {
		err  error
		word string
	}{
		{company.ErrName, "name"}, {company.ErrModuleName, "name"}, {company.ErrTaken, "taken"}, {company.ErrModuleDays, "module-days"},
		{company.ErrNoModule, "gone"}, {company.ErrNoGroup, "gone"}, {company.ErrNoDevice, "gone"}, {company.ErrNoPolicy, "gone"}, {company.ErrNoChange, "gone"},
		{company.ErrChangedSince, "changed-since"}, {company.ErrFinal, "final"}, {company.ErrRelease, "release"}, {company.ErrReleaseFile, "release-file"},
		{company.ErrUnpublished, "unpublished"}, {company.ErrAssigned, "assigned"}, {company.ErrTerms, "terms"}, {errNothing, "nothing"}, {errSure, "sure"},
	} {
		if errors.Is(err, k.err) {
			return k.word
		}
	}
	return ""
}

var (
	errNothing = errors.New("nothing was chosen")
	errSure    = errors.New("the box was not ticked")
)

// settle answers a form: it goes to a page that says what became of it.
func (c *Console) settle(w http.ResponseWriter, r *http.Request, to, done string, err error) {
	key, word := "done", done
	if err != nil {
		if key, word = "wrong", wrongWord(err); word == "" {
			c.broken(w, r, err)
			return
		}
	}
	sign := "?"
	if strings.Contains(to, "?") {
		sign = "&"
	}
	http.Redirect(w, r, to+sign+key+"="+url.QueryEscape(word), http.StatusSeeOther)
}

// form reads a form, whose size the table of routes bounds; it has answered where
// it returns false.
func (c *Console) form(w http.ResponseWriter, r *http.Request) bool {
	if err := r.ParseForm(); err != nil {
		c.fail(w, r, http.StatusRequestEntityTooLarge, "console.error.form")
		return false
	}
	return true
}

// dict gives a template several values: names and values in turn.
func dict(pairs ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	return m
}

// part is a piece of a text; Code marks what stood between backticks.
type part struct {
	Text string
	Code bool
}

func parts(s string) (out []part) {
	for i, t := range strings.Split(s, "`") {
		if t != "" {
			out = append(out, part{t, i%2 == 1})
		}
	}
	return out
}
