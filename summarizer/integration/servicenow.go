package integration

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
)

// serviceNow speaks ServiceNow's Table API (docs.servicenow.com, REST API
// reference, Table API). What it writes into a journal field (work_notes,
// comments) is appended each time, so that a note bears a mark and is looked for
// before it is written.
type serviceNow struct{ remote }

const serviceNowLogin = "/oauth_token.do"

// journals are the fields that append.
var journals = map[string]bool{"work_notes": true, "comments": true}

// ticket finds the number of a ticket in the note of a session's report.
var ticket = regexp.MustCompile(`\b[A-Z]{2,8}[0-9]{4,15}\b`)

type rows struct {
	Result []struct {
		ID string `json:"sys_id"`
	} `json:"result"`
}

// query finds at most two rows.
func (s serviceNow) query(ctx context.Context, table, query string) (answer, []string, error) {
	q := url.Values{"sysparm_query": {query}, "sysparm_fields": {"sys_id"}, "sysparm_limit": {"2"}}
	a, err := s.call(ctx, serviceNowLogin, http.MethodGet, "/api/now/table/"+table+"?"+q.Encode(), nil)
	if err != nil {
		return a, nil, err
	}
	if a.status != http.StatusOK {
		return a, nil, s.wrong(a)
	}
	var found rows
	if err := a.json(&found); err != nil {
		return a, nil, err
	}
	var ids []string
	for _, r := range found.Result {
		if !isSysID(r.ID) {
			return a, nil, errors.New("the answer is not what was expected; is the address right?")
		}
		ids = append(ids, r.ID)
	}
	return a, ids, nil
}

// isSysID: 32 hex digits; what the other side says becomes part of an address.
func isSysID(s string) bool {
	return regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(s)
}

// wrong is the error of an answer that is no success.
func (s serviceNow) wrong(a answer) error {
	err := a.failed("ServiceNow")
	var body struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
		Title string `json:"title"`
	}
	if a.json(&body) == nil {
		if m := body.Error.Message + body.Title; m != "" {
			err = fmt.Errorf("%w: %s", err, short(m))
		}
	}
	switch a.status {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusUnprocessableEntity:
		return final(err)
	}
	return err
}

// find is the record of the session, or the ticket; empty: there is none.
func (s serviceNow) find(ctx context.Context, in content) (answer, string, error) {
	query := s.c.KeyField + "=" + in.stream.Ref
	if s.c.Target == TargetNote {
		number := ticket.FindString(in.note)
		if number == "" {
			return answer{}, "", final(errors.New("the session's report names no ticket: write its number (such as INC0010001) into the report's note, and try again"))
		}
		query = "number=" + number
	}
	a, ids, err := s.query(ctx, s.c.Table, query)
	switch {
	case err != nil:
		return a, "", err
	case len(ids) > 1:
		return a, "", final(fmt.Errorf("there is more than one record with %s", query))
	case len(ids) == 0 && s.c.Target == TargetNote:
		return a, "", final(fmt.Errorf("there is no ticket with %s", query))
	case len(ids) == 0:
		return a, "", nil
	}
	return a, ids[0], nil
}

// noted tells whether a record has a note with this mark already.
func (s serviceNow) noted(ctx context.Context, id, field, mark string) (answer, bool, error) {
	a, ids, err := s.query(ctx, "sys_journal_field", "element_id="+id+"^element="+field+"^valueLIKE"+mark)
	return a, len(ids) > 0, err
}

func (s serviceNow) put(ctx context.Context, in content, _ string) (answer, error) {
	a, id, err := s.find(ctx, in)
	if err != nil {
		return a, err
	}
	words := s.h.words(in)
	body := map[string]string{}
	for _, f := range s.c.Fields {
		journal := journals[f.Name]
		if s.c.Target == TargetNote && f.Name != s.c.NoteField {
			continue // the ticket is somebody else's
		}
		text := f.fill(words)
		if journal {
			text = withMark(f, words)
			if id != "" {
				a, done, err := s.noted(ctx, id, f.Name, words["marker"])
				if err != nil {
					return a, err
				}
				if done {
					continue
				}
			}
		}
		body[f.Name] = text
	}
	if s.c.Target == TargetNote && len(body) == 0 {
		if _, has := s.note(); !has {
			return answer{}, final(fmt.Errorf("no field named %s is filled", s.c.NoteField))
		}
		a.remote = id
		return a, nil // it is there
	}
	if id == "" {
		body[s.c.KeyField] = in.stream.Ref
		return s.write(ctx, http.MethodPost, "", body)
	}
	return s.write(ctx, http.MethodPatch, id, body)
}

// note is the field that fills the note.
func (s serviceNow) note() (Field, bool) {
	for _, f := range s.c.Fields {
		if f.Name == s.c.NoteField {
			return f, true
		}
	}
	return Field{}, false
}

// withMark is a journal field's text, which ends with the mark.
func withMark(f Field, words map[string]string) string {
	if !regexp.MustCompile(`\{\{\s*marker\s*\}\}\s*$`).MatchString(f.Value) {
		f.Value += "\n{{marker}}"
	}
	return f.fill(words)
}

func (s serviceNow) write(ctx context.Context, method, id string, body any) (answer, error) {
	path := "/api/now/table/" + s.c.Table
	if id != "" {
		path += "/" + id
	}
	a, err := s.call(ctx, serviceNowLogin, method, path, body)
	if err != nil {
		return a, err
	}
	if a.status/100 != 2 {
		return a, s.wrong(a)
	}
	var made struct {
		Result struct {
			ID string `json:"sys_id"`
		} `json:"result"`
	}
	if err := a.json(&made); err != nil {
		return a, err
	}
	a.remote = made.Result.ID
	return a, nil
}

// drop deletes the record. At a ticket, whose journal nobody can take anything
// out of, a note says that the summary was deleted.
func (s serviceNow) drop(ctx context.Context, in content, known string) (answer, error) {
	if s.c.Target == TargetNote {
		if known == "" {
			return answer{}, nil
		}
		mark := marker(in.stream.Ref, in.revision)
		a, done, err := s.noted(ctx, known, s.c.NoteField, mark)
		if err != nil || done {
			return a, err
		}
		return s.write(ctx, http.MethodPatch, known, map[string]string{s.c.NoteField: "The summary of this session was deleted by the company that kept it. " +
			"What stands above it here is no longer kept there.\n" + mark})
	}
	a, id, err := s.find(ctx, in)
	if err != nil || id == "" {
		return a, err
	}
	a, err = s.call(ctx, serviceNowLogin, http.MethodDelete, "/api/now/table/"+s.c.Table+"/"+id, nil)
	if err == nil && a.status/100 != 2 && a.status != http.StatusNotFound {
		err = s.wrong(a)
	}
	return a, err
}

func (s serviceNow) ping(ctx context.Context) (answer, error) {
	a, _, err := s.query(ctx, s.c.Table, s.c.KeyField+"=aval-ping")
	return a, err
}
