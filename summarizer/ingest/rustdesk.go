package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"aval/agent/wire"
)

// Limits of what RustDesk clients may send.
const (
	maxAudit    = 64 << 10 // bytes of a request; a list of files has ten at most
	maxAnswer   = 256 << 10
	maxAudits   = 120 // requests of a device within auditsFor
	auditsFor   = time.Minute
	maxNonces   = 256 // of a device, to know a report that is sent again
	passOnLimit = 10 * time.Second
	maxTold     = 4096 // devices whose nonces and counts are kept
)

// rustDeskPaths are the requests that are taken and passed on (rustdesk/rustdesk:
// src/common.rs get_audit_server; src/hbbs_http/sync.rs).
var rustDeskPaths = []string{"api/audit/conn", "api/audit/file", "api/audit/alarm", "api/heartbeat", "api/sysinfo"}

// RustDesk is the http.Handler for wire.RustDeskPath: the server that the RustDesk
// clients of devices report to, where the company has switched it on. It stores
// nothing; a device that is connected is told of logins and ends, as hints.
func (s *Server) RustDesk() http.Handler {
	h := &rustDesk{s: s, told: map[string]*reports{}, client: &http.Client{Timeout: passOnLimit,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	return http.HandlerFunc(h.serve)
}

type rustDesk struct {
	s      *Server
	client *http.Client

	mu   sync.Mutex // guards what follows
	told map[string]*reports
}

// reports is what a device's client sent lately.
type reports struct {
	since  time.Time
	n      int
	nonces []string // oldest first
}

func (h *rustDesk) serve(w http.ResponseWriter, r *http.Request) {
	// DEVICE/SECRET/api/…; everything that is not right looks the same.
	device, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, wire.RustDeskPath), "/")
	secret, path, _ := strings.Cut(rest, "/")
	if r.Method != http.MethodPost || !slices.Contains(rustDeskPaths, path) {
		http.NotFound(w, r)
		return
	}
	ok, forward, err := h.s.co.RustDeskFrom(r.Context(), device, secret)
	if err != nil {
		h.s.o.Log.Error("report of RustDesk", "err", err)
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	if !ok {
		http.NotFound(w, r)
		return
	}
	if !h.calm(device) {
		http.Error(w, "too many reports", http.StatusTooManyRequests)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAudit))
	if err != nil {
		http.Error(w, "too long", http.StatusRequestEntityTooLarge)
		return
	}
	if path == "api/audit/conn" {
		if nonce, hint, err := decodeAudit(body); err == nil && hint != nil && h.first(device, nonce) {
			h.s.hint(device, hint)
		}
	}
	if forward == "" {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, "{}")
		return
	}
	h.passOn(w, r, forward+"/"+path, body)
}

// passOn gives the client the answer of the server that the company has for it.
func (h *rustDesk) passOn(w http.ResponseWriter, r *http.Request, to string, body []byte) {
	req, err := http.NewRequestWithContext(r.Context(), http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		http.Error(w, "cannot be passed on", http.StatusBadGateway)
		return
	}
	for _, name := range []string{"Content-Type", "Authorization"} {
		if v := r.Header.Get(name); v != "" {
			req.Header.Set(name, v)
		}
	}
	resp, err := h.client.Do(req)
	if err != nil {
		h.s.o.Log.Warn("pass a report of RustDesk on", "err", err)
		http.Error(w, "cannot be passed on", http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	if t := resp.Header.Get("Content-Type"); t != "" {
		w.Header().Set("Content-Type", t)
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, io.LimitReader(resp.Body, maxAnswer))
}

// of is what is kept of a device; the caller holds the lock.
func (h *rustDesk) of(device string) *reports {
	t := h.told[device]
	if t == nil {
		if len(h.told) >= maxTold {
			clear(h.told)
		}
		t = &reports{}
		h.told[device] = t
	}
	return t
}

// calm tells whether a device may report again, and counts it.
func (h *rustDesk) calm(device string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	t, now := h.of(device), h.s.o.Now()
	if d := now.Sub(t.since); d < 0 || d > auditsFor {
		t.since, t.n = now, 0
	}
	t.n++
	return t.n <= maxAudits
}

// first tells whether a report is new; older clients give it no nonce.
func (h *rustDesk) first(device, nonce string) bool {
	if nonce == "" {
		return true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.of(device)
	if slices.Contains(t.nonces, nonce) {
		return false
	}
	if t.nonces = append(t.nonces, nonce); len(t.nonces) > maxNonces {
		t.nonces = t.nonces[1:]
	}
	return true
}

var errAudit = errors.New("not a report of a connection")

// kindsOf are what the types of a connection let the supporter do
// (src/server/connection.rs, AuthConnType as posted: remote control, file
// transfer, port forward, camera, terminal).
var kindsOf = map[int][]string{0: {"view", "control"}, 1: {"files"}, 2: nil, 3: {"view"}, 4: {"terminal"}}

// decodeAudit reads what a client reports of a connection
// (src/server/connection.rs, post_conn_audit): "new" before the login, which is no
// hint; peer and type after it; "close". Of names that it does not know it takes
// no notice: they differ from release to release.
func decodeAudit(raw []byte) (nonce string, hint *wire.Hint, err error) {
	var a struct {
		ConnID *int64   `json:"conn_id"`
		Action string   `json:"action"`
		Peer   []string `json:"peer"`
		Type   *int     `json:"type"`
		Nonce  string   `json:"nonce"`
	}
	if err := json.Unmarshal(raw, &a); err != nil || a.ConnID == nil || *a.ConnID < 0 || len(a.Nonce) > 64 {
		return "", nil, errAudit
	}
	hint = &wire.Hint{Tool: "rustdesk", Connection: strconv.FormatInt(*a.ConnID, 10)}
	switch {
	case a.Action == "close":
		hint.State = wire.Hint_CLOSED
	case a.Action == "" && len(a.Peer) == 2 && a.Type != nil:
		kinds, known := kindsOf[*a.Type]
		if !known {
			return "", nil, errAudit
		}
		hint.State, hint.Peer, hint.Name, hint.Kinds = wire.Hint_LOGGED_IN, printable(a.Peer[0], 128), printable(a.Peer[1], 128), kinds
	default:
		return "", nil, nil
	}
	return a.Nonce, hint, nil
}

// hint sends a hint to a device, if it is connected here.
func (s *Server) hint(device string, hint *wire.Hint) {
	s.mu.Lock()
	var to []*conn
	for c := range s.conns {
		if c.greeted.Load() && c.device == device {
			to = append(to, c)
		}
	}
	s.mu.Unlock()
	for _, c := range to {
		if err := c.send(&wire.Frame{Body: &wire.Frame_Hint{Hint: hint}}); err != nil {
			s.o.Log.Debug("send hint", "device", device, "err", err)
		}
	}
}
