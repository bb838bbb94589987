package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// maxAnswer is how much of an answer is read, in bytes.
const maxAnswer = 256 << 10

// answer is what the other side said.
type answer struct {
	status int
	header http.Header
	body   []byte
	remote string // its record, where there is one
}

// Errors of an attempt. Others are tried again, each time later.
var (
	// errGone: a webhook answered 410: it wants no more.
	errGone = errors.New("the webhook answered 410 Gone: it was switched off")
	// errLogin: the access token is not taken (any more).
	errLogin = errors.New("the other system does not take the server's sign-in")
)

// finalError is one that no repetition mends: somebody must look.
type finalError struct{ error }

func (f finalError) Unwrap() error { return f.error }

func final(err error) error { return finalError{err} }

// laterError is one that says when to come back.
type laterError struct {
	error
	after time.Duration
}

func (h *Hub) request(ctx context.Context, method, url string, body io.Reader) (*http.Request, error) {
	if _, err := h.guard.check(url); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "Aval-Summarizer")
	req.Header.Set("Accept", "application/json")
	return req, nil
}

// do sends a request and reads the answer.
func (h *Hub) do(req *http.Request) (answer, error) {
	res, err := h.client.Do(req)
	if errors.Is(err, ErrForbidden) {
		return answer{}, final(ErrForbidden)
	}
	if err != nil {
		// The error of net/http repeats the address, which may carry a secret.
		return answer{}, fmt.Errorf("no answer: %w", Bare(err))
	}
	defer res.Body.Close()
	a := answer{status: res.StatusCode, header: res.Header}
	if a.body, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer)); err != nil {
		return a, fmt.Errorf("the answer was cut off: %w", Bare(err))
	}
	return a, nil
}

// Bare takes the address off an error of net/http: it may hold what nobody is to
// read, as a log or a page would let them.
func Bare(err error) error {
	var u interface{ Timeout() bool }
	if errors.As(err, &u) && u.Timeout() {
		return errors.New("timed out")
	}
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}

// maxPause is the longest pause that the other side may ask for.
const maxPause = 24 * time.Hour

// failed is the error of an answer that is no success.
func (a answer) failed(who string) error {
	err := fmt.Errorf("%s answered %d %s", who, a.status, http.StatusText(a.status))
	switch {
	case a.status == http.StatusTooManyRequests, a.status == http.StatusServiceUnavailable:
		if d := a.after(time.Now()); d > 0 {
			return laterError{err, d}
		}
		return err
	case a.status/100 == 3:
		return fmt.Errorf("%w; enter the address that it points to, for redirects are not followed", err)
	}
	return err
}

// after reads Retry-After (RFC 9110), and X-RateLimit-Reset, in Unix seconds, of ServiceNow.
func (a answer) after(now time.Time) time.Duration {
	v := a.header.Get("Retry-After")
	if n, err := strconv.Atoi(v); err == nil && n >= 0 {
		return min(time.Duration(min(n, 1<<20))*time.Second, maxPause)
	}
	if at, err := http.ParseTime(v); err == nil {
		return min(max(0, at.Sub(now)), maxPause)
	}
	if n, err := strconv.ParseInt(a.header.Get("X-RateLimit-Reset"), 10, 64); err == nil {
		return min(max(0, time.Unix(n, 0).Sub(now)), maxPause)
	}
	return 0
}

// json reads the answer; what is no JSON says nothing.
func (a answer) json(into any) error {
	if err := json.Unmarshal(a.body, into); err != nil {
		return errors.New("the answer is not what was expected; is the address right?")
	}
	return nil
}
