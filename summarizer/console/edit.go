package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"aval/assets"
	"aval/summarizer/company"
	"aval/summarizer/store"
	"aval/summarizer/summary"
)

// maxForm is the longest form that a page takes, in bytes: an edited summary is
// some kilobytes.
const maxForm = 1 << 20

// editPage is the form of a summary's words.
type editPage struct {
	frame
	Ref, Name, Issue, Outcome          string
	Resolved                           []option
	Sentences, FollowUps, Labels, Step string
	Version                            int64
	Wrong                              string // a sentence
}

// edit shows the form.
func (c *Console) edit(w http.ResponseWriter, r *http.Request, v visitor) {
	s, sum, number, err := c.inForce(r, v)
	if err == nil {
		err = v.co.ReadSession(r.Context(), s.Ref)
	}
	if err != nil {
		c.gone(w, r, err)
		return
	}
	p := editPage{frame: c.frameOf(r, v, v.cat.T("console.edit", nil)), Ref: s.Ref, Version: number}
	p.fill(v.cat, sum.Draft())
	c.show(w, r, http.StatusOK, "edit", p)
}

// inForce is the session of an address, and its summary.
func (c *Console) inForce(r *http.Request, v visitor) (s store.Stream, sum summary.Summary, number int64, err error) {
	err = c.db.View(r.Context(), func(t *store.Tx) error {
		if s, err = t.StreamByRef(v.company.ID, r.PathValue("ref")); err != nil {
			return err
		}
		stored, err := t.Summary(s.Key)
		if err != nil {
			return err
		}
		number = stored.Version
		if err := json.Unmarshal([]byte(stored.JSON), &sum); err != nil {
			return fmt.Errorf("read summary: %w", err)
		}
		return nil
	})
	return s, sum, number, err
}

func (p *editPage) fill(cat *assets.Catalog, e summary.Edit) {
	p.Name, p.Issue, p.Outcome = e.Name, e.Issue, e.Outcome
	for _, s := range []summary.State{summary.NotStated, summary.Resolved, summary.NotResolved} {
		p.Resolved = append(p.Resolved, option{string(s), cat.T("console.list.outcome."+string(s), nil), s == e.Resolved})
	}
	p.Sentences, p.FollowUps, p.Labels = strings.Join(e.Sentences, "\n"), strings.Join(e.FollowUps, "\n"), strings.Join(e.Labels, ", ")
	p.Step = stepLines(e.Steps)
}

// stepLines writes steps for people: the application, a colon, what was done;
// below it each command after a "$".
func stepLines(steps []summary.Step) string {
	var b strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&b, "%s: %s\n", s.Application, s.Action)
		for _, c := range s.Commands {
			fmt.Fprintf(&b, "$ %s\n", c)
		}
	}
	return b.String()
}

// readSteps reads what stepLines wrote, and what a person made of it.
func readSteps(text string) []summary.Step {
	out := []summary.Step{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch command, is := strings.CutPrefix(line, "$"); {
		case line == "":
		case is && len(out) > 0:
			out[len(out)-1].Commands = append(out[len(out)-1].Commands, strings.TrimSpace(command))
		default:
			app, action, ok := strings.Cut(line, ": ")
			if !ok {
				app, action = "", line
			}
			out = append(out, summary.Step{Application: app, Action: action})
		}
	}
	return out
}

func lines(text string) (out []string) {
	for l := range strings.Lines(text) {
		if l = strings.TrimSpace(l); l != "" {
			out = append(out, l)
		}
	}
	return out
}

// save stores the form's words as the next version.
func (c *Console) save(w http.ResponseWriter, r *http.Request, v visitor) {
	if !c.form(w, r) {
		return
	}
	get := r.PostForm.Get
	e := summary.Edit{Name: get("name"), Issue: get("issue"), Outcome: get("outcome"), Resolved: summary.State(get("resolved")),
		Sentences: lines(get("sentences")), FollowUps: lines(get("follow-ups")), Labels: strings.Split(get("labels"), ","), Steps: readSteps(get("steps"))}
	base, err := strconv.ParseInt(get("version"), 10, 64)
	if err != nil || base < 1 {
		c.fail(w, r, http.StatusBadRequest, "console.error.form")
		return
	}
	s, _, _, err := c.inForce(r, v)
	if err == nil {
		_, err = v.co.EditSummary(r.Context(), s.Key, base, func(summary.Edit) summary.Edit { return e })
	}
	wrong := ""
	switch {
	case errors.Is(err, company.ErrChanged):
		wrong = "console.edit.changed"
	case errors.Is(err, summary.ErrEdit):
		wrong = "console.edit.wrong"
	case err != nil:
		c.gone(w, r, err)
		return
	default:
		http.Redirect(w, r, "/s/"+s.Ref, http.StatusSeeOther)
		return
	}
	// What was typed is not lost.
	p := editPage{frame: c.frameOf(r, v, v.cat.T("console.edit", nil)), Ref: s.Ref, Version: base, Wrong: v.cat.T(wrong, nil)}
	p.Back = "/s/" + s.Ref + "/edit"
	p.fill(v.cat, e)
	p.Step = get("steps")
	c.show(w, r, http.StatusConflict, "edit", p)
}

// gone answers for a session or summary that is not there (any more).
func (c *Console) gone(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, company.ErrNoSummary) {
		if c.erased(r) {
			c.fail(w, r, http.StatusGone, "console.error.deleted")
			return
		}
		c.fail(w, r, http.StatusNotFound, "console.error.not_found")
		return
	}
	c.broken(w, r, err)
}

// erased tells whether the session of the address was there, and has been deleted.
func (c *Console) erased(r *http.Request) bool {
	v, err := c.who(r)
	if err != nil {
		return false
	}
	was := false
	err = c.db.View(r.Context(), func(t *store.Tx) error {
		s, err := t.StreamByRef(v.company.ID, r.PathValue("ref"))
		was = err == nil && !s.ErasedAt.IsZero()
		return err
	})
	return err == nil && was
}

// onSession does something with the session of the address and goes back to it.
func (c *Console) onSession(w http.ResponseWriter, r *http.Request, v visitor, do func(store.Stream) error) {
	if !c.form(w, r) {
		return
	}
	var s store.Stream
	err := c.db.View(r.Context(), func(t *store.Tx) (err error) {
		s, err = t.StreamByRef(v.company.ID, r.PathValue("ref"))
		return err
	})
	if err == nil {
		err = do(s)
	}
	switch {
	case errors.Is(err, company.ErrChanged):
		c.fail(w, r, http.StatusConflict, "console.error.changed")
	case errors.Is(err, company.ErrNotEnded):
		c.fail(w, r, http.StatusConflict, "console.error.not_ended")
	case err != nil:
		c.gone(w, r, err)
	default:
		http.Redirect(w, r, "/s/"+s.Ref, http.StatusSeeOther)
	}
}

// restore makes an earlier version the next one.
func (c *Console) restore(w http.ResponseWriter, r *http.Request, v visitor) {
	c.onSession(w, r, v, func(s store.Stream) error {
		from, errFrom := strconv.ParseInt(r.PostForm.Get("version"), 10, 64)
		base, errBase := strconv.ParseInt(r.PostForm.Get("base"), 10, 64)
		if errFrom != nil || errBase != nil {
			return company.ErrNoSummary
		}
		_, err := v.co.RestoreSummary(r.Context(), s.Key, base, from)
		return err
	})
}

// regenerate has the summary written anew, or tried again where that failed.
func (c *Console) regenerate(w http.ResponseWriter, r *http.Request, v visitor) {
	c.onSession(w, r, v, func(s store.Stream) error { return v.co.RegenerateSummary(r.Context(), s.Key) })
}

// erasePage asks before a session is deleted, and says what goes.
type erasePage struct {
	frame
	Row      row
	Events   string
	Versions string
}

// askErase shows what deleting would take.
func (c *Console) askErase(w http.ResponseWriter, r *http.Request, v visitor) {
	var s store.Stream
	var versions []store.Summary
	err := c.db.View(r.Context(), func(t *store.Tx) (err error) {
		if s, err = t.StreamByRef(v.company.ID, r.PathValue("ref")); err != nil {
			return err
		}
		if !s.ErasedAt.IsZero() {
			return store.ErrNotFound
		}
		versions, err = t.Summaries(s.Key)
		return err
	})
	if err != nil {
		c.gone(w, r, err)
		return
	}
	p := erasePage{frame: c.frameOf(r, v, v.cat.T("console.erase", nil)), Row: c.row(v.cat, s, s.Title, c.o.Now()),
		Events: v.cat.N("console.items", int(s.Acked), nil), Versions: v.cat.N("console.erase.versions", len(versions), nil)}
	c.show(w, r, http.StatusOK, "erase", p)
}

// erase deletes the session's content.
func (c *Console) erase(w http.ResponseWriter, r *http.Request, v visitor) {
	c.onSession(w, r, v, func(s store.Stream) error { return v.co.DeleteSession(r.Context(), s.Key) })
}
