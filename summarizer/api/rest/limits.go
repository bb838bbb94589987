package rest

import (
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limits count the calls of each token, and of each address that brings none. Each
// server of several counts for itself.
type limits struct {
	perMinute int
	now       func() time.Time

	mu    sync.Mutex
	of    map[string]*limit
	swept time.Time
}

type limit struct {
	*rate.Limiter
	used time.Time
}

// burst is the part of a minute's calls that may come at once.
const burst = 4

func newLimits(perMinute int, now func() time.Time) *limits {
	return &limits{perMinute: perMinute, now: now, of: map[string]*limit{}, swept: now()}
}

// take takes n calls of who's, and writes the headers of draft-ietf-httpapi-
// ratelimit-headers-05 (and Retry-After, RFC 9110) that say what is left.
func (l *limits) take(h http.Header, who string, n int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if now.Sub(l.swept) > 10*time.Minute {
		for k, v := range l.of {
			if now.Sub(v.used) > 10*time.Minute { // full again
				delete(l.of, k)
			}
		}
		l.swept = now
	}
	most := max(1, l.perMinute/burst)
	v := l.of[who]
	if v == nil {
		v = &limit{Limiter: rate.NewLimiter(rate.Limit(float64(l.perMinute)/60), most)}
		l.of[who] = v
	}
	v.used = now
	n = min(n, most)
	ok := v.AllowN(now, n)
	left := max(0, v.TokensAt(now))
	seconds := func(calls float64) string {
		return strconv.Itoa(int(math.Ceil(max(0, calls) * 60 / float64(l.perMinute))))
	}
	h.Set("RateLimit-Limit", strconv.Itoa(most))
	h.Set("RateLimit-Remaining", strconv.Itoa(int(left)))
	h.Set("RateLimit-Reset", seconds(float64(most)-left))
	h.Set("RateLimit-Policy", strconv.Itoa(l.perMinute)+";w=60;burst="+strconv.Itoa(most))
	if !ok {
		h.Set("Retry-After", seconds(max(1, float64(n)-left)))
	}
	return ok
}
