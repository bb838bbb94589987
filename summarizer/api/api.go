// Package api is what programs read from the summarizer: its health, the export
// of sessions as JSON, and the proof that what is stored was granted.
//
// The one rule that must not be broken: it only reads. Nothing here changes a
// stored byte, and an export shows what is stored, not what ought to be.
package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"aval/summarizer/store"
)

// readyWithin bounds the look at the database that /readyz takes.
const readyWithin = 2 * time.Second

// Health answers GET /healthz (the process answers) and GET /readyz (it can do
// its work). Neither needs a sign-in, and neither says more than that.
type Health struct {
	db       *store.DB
	version  string
	draining atomic.Bool
}

// NewHealth makes the health of a server over db.
func NewHealth(db *store.DB, version string) *Health { return &Health{db: db, version: version} }

// Drain makes /readyz say no: the server is about to stop.
func (h *Health) Drain() { h.draining.Store(true) }

// Live answers /healthz.
func (h *Health) Live(w http.ResponseWriter, _ *http.Request) {
	h.answer(w, http.StatusOK, "ok")
}

// Ready answers /readyz: 503 while the database does not answer, once a newer
// server has made of it what this one may not use, and when the server stops.
func (h *Health) Ready(w http.ResponseWriter, r *http.Request) {
	if h.draining.Load() {
		h.answer(w, http.StatusServiceUnavailable, "stopping")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), readyWithin)
	defer cancel()
	switch err := h.db.Fits(ctx); {
	case errors.Is(err, store.ErrNewer):
		h.answer(w, http.StatusServiceUnavailable, "newer database")
		return
	case err != nil:
		h.answer(w, http.StatusServiceUnavailable, "database")
		return
	}
	h.answer(w, http.StatusOK, "ok")
}

func (h *Health) answer(w http.ResponseWriter, status int, word string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"status": word, "version": h.version})
}
