package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// salesforce speaks Salesforce's REST API (developer.salesforce.com, REST API
// developer guide). A record is written by its External Id, so that a repetition
// writes the same record again and never a second one.
type salesforce struct{ remote }

const salesforceLogin = "/services/oauth2/token"

// limitPause is how long a company's limit of calls is waited for; Salesforce
// counts 24 hours and does not say when they end.
const limitPause = time.Hour

var apiVersion = regexp.MustCompile(`^[0-9]{2,3}\.[0-9]$`)

// api is the path of the newest version of the API, found once for each sign-in.
func (s salesforce) api(ctx context.Context) (string, answer, error) {
	k, err := s.login(ctx, salesforceLogin)
	if err != nil {
		return "", answer{}, err
	}
	if k.api != "" {
		return k.api, answer{}, nil
	}
	a, err := s.call(ctx, salesforceLogin, http.MethodGet, "/services/data/", nil)
	if err != nil {
		return "", a, err
	}
	if a.status != http.StatusOK {
		return "", a, s.wrong(a)
	}
	var list []struct {
		Version string `json:"version"`
	}
	if err := a.json(&list); err != nil {
		return "", a, err
	}
	if len(list) == 0 || !apiVersion.MatchString(list[len(list)-1].Version) {
		return "", a, errors.New("no version of its API is named by Salesforce")
	}
	path := "/services/data/v" + list[len(list)-1].Version
	if k, ok := s.h.tokens.get(s.e, s.h.now()); ok {
		k.api = path
		s.h.tokens.put(s.e.ID, k)
	}
	return path, a, nil
}

func (s salesforce) record(ctx context.Context, method, ref string, body any) (answer, error) {
	path, a, err := s.api(ctx)
	if err != nil {
		return a, err
	}
	return s.call(ctx, salesforceLogin, method, path+"/sobjects/"+s.c.Table+"/"+s.c.KeyField+"/"+ref, body)
}

// wrong is the error of an answer that is no success. Of what Salesforce says,
// the code and the names of fields are kept: its sentences repeat values.
func (s salesforce) wrong(a answer) error {
	err := a.failed("Salesforce")
	var list []struct {
		Code   string   `json:"errorCode"`
		Fields []string `json:"fields"`
	}
	code := ""
	if json.Unmarshal(a.body, &list) == nil && len(list) > 0 {
		code = list[0].Code
		err = fmt.Errorf("%w: %s", err, short(code))
		if len(list[0].Fields) > 0 {
			err = fmt.Errorf("%w (%s)", err, short(strings.Join(list[0].Fields, " ")))
		}
	}
	switch {
	case a.status == http.StatusMultipleChoices:
		return final(errors.New("there is more than one record of this session at Salesforce: delete all but one, and try again"))
	case code == "REQUEST_LIMIT_EXCEEDED":
		return laterError{err, limitPause}
	case code == "UNABLE_TO_LOCK_ROW", code == "SERVER_UNAVAILABLE":
		return err
	case a.status/100 == 4 && a.status != http.StatusTooManyRequests && a.status != http.StatusRequestTimeout && a.status != http.StatusUnauthorized:
		return final(err)
	}
	return err
}

func (s salesforce) put(ctx context.Context, in content, _ string) (answer, error) {
	words := s.h.words(in)
	body := map[string]any{}
	for _, f := range s.c.Fields {
		if text := f.fill(words); text != "" {
			body[f.Name] = text
		} else {
			body[f.Name] = nil // empties the field, of whatever type it is
		}
	}
	a, err := s.record(ctx, http.MethodPatch, in.stream.Ref, body)
	if err != nil {
		return a, err
	}
	switch a.status {
	case http.StatusOK, http.StatusCreated, http.StatusNoContent:
		var made struct {
			ID string `json:"id"`
		}
		if json.Unmarshal(a.body, &made) == nil {
			a.remote = short(made.ID)
		}
		if made.ID == "" {
			a.remote = ""
		}
		return a, nil
	}
	return a, s.wrong(a)
}

func (s salesforce) drop(ctx context.Context, in content, _ string) (answer, error) {
	a, err := s.record(ctx, http.MethodDelete, in.stream.Ref, nil)
	if err == nil && a.status/100 != 2 && a.status != http.StatusNotFound {
		err = s.wrong(a)
	}
	return a, err
}

func (s salesforce) ping(ctx context.Context) (answer, error) {
	path, a, err := s.api(ctx)
	if err != nil {
		return a, err
	}
	a, err = s.call(ctx, salesforceLogin, http.MethodGet, path+"/sobjects/"+s.c.Table, nil)
	if err == nil && a.status != http.StatusOK {
		err = s.wrong(a)
	}
	return a, err
}
