package llm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"aval/summarizer/integration"
	"aval/summarizer/summary"
)

// form is how a server is asked for JSON. Not all know the strictest; what a
// server takes is found once and remembered.
type form int

const (
	bySchema form = iota // response_format json_schema: the answer cannot be another shape
	byObject             // response_format json_object
	byText               // only the instructions say so
)

func (f form) String() string { return [...]string{"json_schema", "json_object", "text"}[f] }

// speech is what is known of a server: how it wants to be asked, and whether it
// answers at all.
type speech struct {
	mu       sync.Mutex
	form     form
	newLimit bool // the limit of an answer is max_completion_tokens
	noTemp   bool // temperature cannot be chosen
	silent   int  // calls in a row that were not answered
	until    time.Time
}

// The breaker: a server that does not answer is left alone for a while, so that
// not every session waits for it anew.
const (
	breakAfter = 5
	breakFor   = time.Minute
	// longestAfter is the longest pause that a server may ask for.
	longestAfter = time.Hour
)

// maxBody is how much of an answer is read, in bytes: the reply with its wrapping.
const maxBody = 512 << 10

type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// request is the body of POST …/chat/completions.
type request struct {
	Model       string          `json:"model"`
	Messages    []message       `json:"messages"`
	Temperature *float64        `json:"temperature,omitempty"`
	MaxTokens   int             `json:"max_tokens,omitempty"`
	MaxNew      int             `json:"max_completion_tokens,omitempty"`
	Stream      bool            `json:"stream"`
	Format      json.RawMessage `json:"response_format,omitempty"`
}

// completion is what of an answer is looked at. Tool calls are not.
type completion struct {
	Choices []struct {
		Message struct {
			Content *string `json:"content"`
			Refusal *string `json:"refusal"`
		} `json:"message"`
		Finish string `json:"finish_reason"`
	} `json:"choices"`
	Usage struct {
		In  int64 `json:"prompt_tokens"`
		Out int64 `json:"completion_tokens"`
	} `json:"usage"`
}

type answered struct {
	text    string
	in, out int64
}

// body is the request as the server wants it, and the form it is in.
func (e *Engine) body(q question) ([]byte, form, error) {
	e.mu.Lock()
	r := request{Model: e.c.Model, Messages: []message{{"system", q.system}, {"user", q.user()}}}
	f := e.form
	if e.newLimit {
		r.MaxNew = tokensOut
	} else {
		r.MaxTokens = tokensOut
	}
	if !e.noTemp {
		r.Temperature = new(float64)
	}
	e.mu.Unlock()
	switch f {
	case bySchema:
		r.Format = json.RawMessage(`{"type":"json_schema","json_schema":{"name":"session_summary","strict":true,"schema":` + string(schema) + `}}`)
	case byObject:
		r.Format = json.RawMessage(`{"type":"json_object"}`)
	}
	raw, err := json.Marshal(r)
	if err != nil {
		return nil, f, fmt.Errorf("encode request: %w", err)
	}
	return raw, f, nil
}

// ask puts the question and returns what the model said. Errors are *summary.Failure.
func (e *Engine) ask(ctx context.Context, q question) (answered, error) {
	if until, open := e.broken(); open {
		return answered{}, &summary.Failure{Why: summary.WhyUnreachable, Later: true, After: until, Err: errors.New("the model's server has not answered lately; it is left alone for a minute")}
	}
	// Each refusal of a way of asking rules one out: there are four.
	for range 5 {
		raw, f, err := e.body(q)
		if err != nil {
			return answered{}, &summary.Failure{Why: summary.WhyInvalid, Err: err}
		}
		began := e.now()
		status, header, body, err := e.post(ctx, raw)
		e.count.called(status, e.now().Sub(began))
		switch {
		case errors.Is(err, integration.ErrForbidden), errors.Is(err, errNotHere), errors.Is(err, errPlain):
			return answered{}, &summary.Failure{Why: summary.WhyRefused, Err: err}
		case errors.Is(err, errLong):
			return answered{}, &summary.Failure{Why: summary.WhyInvalid, Err: err}
		case err != nil:
			e.silence(true)
			return answered{}, &summary.Failure{Why: summary.WhyUnreachable, Later: true, Err: fmt.Errorf("the model's server does not answer: %w", err)}
		case status == http.StatusOK:
			e.silence(false)
			a, err := choose(body)
			e.count.tokens(a.in, a.out)
			return a, err
		case status == http.StatusRequestTimeout || status == http.StatusConflict || status == http.StatusTooEarly || status == http.StatusTooManyRequests || status >= 500 && status != http.StatusNotImplemented:
			e.silence(status >= 500)
			return answered{}, &summary.Failure{Why: summary.WhyUnreachable, Later: true, After: after(header, e.now()), Err: said(status, body)}
		case status == http.StatusBadRequest || status == http.StatusUnprocessableEntity || status == http.StatusNotImplemented:
			e.silence(false)
			if !e.learn(f, body) {
				return answered{}, &summary.Failure{Why: summary.WhyRefused, Err: said(status, body)}
			}
		default:
			e.silence(false)
			return answered{}, &summary.Failure{Why: summary.WhyRefused, Err: said(status, body)}
		}
	}
	return answered{}, &summary.Failure{Why: summary.WhyRefused, Err: errors.New("the model's server takes no form of the request")}
}

func (e *Engine) post(ctx context.Context, raw []byte) (int, http.Header, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, e.c.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.c.target(), bytes.NewReader(raw))
	if err != nil {
		return 0, nil, nil, errors.New("the model's address cannot be used")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "Aval-Summarizer")
	switch {
	case e.c.Key == "":
	case e.c.Header == "" || strings.EqualFold(e.c.Header, "Authorization"):
		req.Header.Set("Authorization", "Bearer "+e.c.Key)
	default:
		req.Header.Set(e.c.Header, e.c.Key)
	}
	res, err := e.client.Do(req)
	if err != nil {
		return 0, nil, nil, integration.Bare(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err != nil {
		return 0, nil, nil, integration.Bare(err)
	}
	if len(body) > maxBody {
		return res.StatusCode, nil, nil, errLong
	}
	return res.StatusCode, res.Header, body, nil
}

// choose takes the answer out of its wrapping.
func choose(body []byte) (a answered, err error) {
	var c completion
	if err := json.Unmarshal(body, &c); err != nil || len(c.Choices) == 0 {
		return a, &summary.Failure{Why: summary.WhyInvalid, Err: errors.New("what answered does not speak the chat completions protocol; is the address right?")}
	}
	first := c.Choices[0]
	a.in, a.out = max(0, c.Usage.In), max(0, c.Usage.Out)
	switch {
	case first.Message.Refusal != nil && *first.Message.Refusal != "", first.Finish == "content_filter":
		return a, &summary.Failure{Why: summary.WhyRefused, Err: errors.New("the model refuses to answer")}
	case first.Finish == "length":
		return a, &summary.Failure{Why: summary.WhyInvalid, Err: errLong}
	case first.Message.Content == nil:
		return a, &summary.Failure{Why: summary.WhyInvalid, Err: errNoJSON}
	}
	a.text = *first.Message.Content
	return a, nil
}

// learn reads out of a refusal what the server does not know, so that it is asked
// otherwise from then on; false: it is not about that. was is the form that was
// refused: another call may have learnt meanwhile.
func (e *Engine) learn(was form, body []byte) bool {
	text := strings.ToLower(string(body))
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case strings.Contains(text, "max_completion_tokens") && !e.newLimit:
		e.newLimit = true
	case strings.Contains(text, "temperature") && !e.noTemp:
		e.noTemp = true
	case e.form != was:
	case e.form == byText:
		return false
	default: // the wording differs from server to server; without response_format it is seen
		e.form++
	}
	return true
}

// broken tells whether the server is being left alone, and for how long.
func (e *Engine) broken() (time.Duration, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	left := e.until.Sub(e.now())
	return left, left > 0
}

// silence counts calls that were not answered.
func (e *Engine) silence(was bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !was {
		e.silent, e.until = 0, time.Time{}
		return
	}
	if e.silent++; e.silent >= breakAfter {
		e.silent, e.until = 0, e.now().Add(breakFor)
	}
}

// code is what an error's code looks like: a word, never a sentence.
var code = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,48}$`)

// said is the error of an answer that is none. Of what the server says only its
// code is told: the rest may repeat the session.
func said(status int, body []byte) error {
	var b struct {
		Error struct {
			Code any    `json:"code"`
			Type string `json:"type"`
		} `json:"error"`
	}
	word := ""
	if json.Unmarshal(body, &b) == nil {
		for _, w := range []any{b.Error.Code, b.Error.Type} {
			if s, ok := w.(string); ok && word == "" && code.MatchString(s) {
				word = " (" + s + ")"
			}
		}
	}
	err := fmt.Errorf("the model's server answered %d %s%s", status, http.StatusText(status), word)
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fmt.Errorf("%w: is the key right?", err)
	case status == http.StatusNotFound:
		return fmt.Errorf("%w: are the address and the model's name right?", err)
	case status/100 == 3:
		return fmt.Errorf("%w: enter the address that it points to, for redirects are not followed", err)
	}
	return err
}

// after reads Retry-After (RFC 9110), and OpenAI's retry-after-ms.
func after(h http.Header, now time.Time) time.Duration {
	if n, err := strconv.ParseInt(h.Get("Retry-After-Ms"), 10, 64); err == nil && n >= 0 {
		return min(time.Duration(min(n, 1<<40))*time.Millisecond, longestAfter)
	}
	v := h.Get("Retry-After")
	if n, err := strconv.ParseInt(v, 10, 64); err == nil && n >= 0 {
		return min(time.Duration(min(n, 1<<20))*time.Second, longestAfter)
	}
	if at, err := http.ParseTime(v); err == nil {
		return min(max(0, at.Sub(now)), longestAfter)
	}
	return 0
}
