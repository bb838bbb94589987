package company

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"aval/agent/strict"
	"aval/agent/wire"
)

// The addresses of what a supporter's programs ask for, each a POST with JSON
// and with the user's token as "Authorization: Bearer".
const (
	CodesPath    = "/api/v1/session-codes"
	AnnouncePath = "/api/v1/announcements"
)

// maxAsk is the longest such request, in bytes.
const maxAsk = 16 << 10

type askCode struct {
	Module string `json:"module,omitempty"` // its id or name
}

type askAnnounce struct {
	Device string `json:"device"`
}

// CodesAPI makes session codes of the user whose token it is: see NewCode.
func (h *Host) CodesAPI() http.Handler {
	return h.forUser(func(r *http.Request, s *Service, u User, raw []byte) (any, error) {
		var ask askCode
		if err := strict.Decode(raw, &ask); err != nil {
			return nil, refuse(http.StatusBadRequest, "malformed", "The body is JSON with module, or {}.")
		}
		made, err := s.NewCode(r.Context(), CodeFor{Supporter: u.Name, LogSessions: u.LogSessions, Module: ask.Module})
		if errors.Is(err, ErrNoModule) {
			return nil, refuse(http.StatusNotFound, "module-unknown", "There is no such module, or it has ended.")
		}
		return made, err
	})
}

// AnnounceAPI announces sessions of the user whose token it is: see Announce.
func (h *Host) AnnounceAPI() http.Handler {
	return h.forUser(func(r *http.Request, s *Service, u User, raw []byte) (any, error) {
		var ask askAnnounce
		if err := strict.Decode(raw, &ask); err != nil || ask.Device == "" {
			return nil, refuse(http.StatusBadRequest, "malformed", "The body is JSON with device: the computer's Aval ID.")
		}
		a, err := s.Announce(r.Context(), u.ID, ask.Device)
		if errors.Is(err, ErrNoDevice) {
			return nil, refuse(http.StatusNotFound, "device-unknown", "There is no computer with this Aval ID.")
		}
		return a, err
	})
}

// forUser lets f answer a POST that carries a user's token.
func (h *Host) forUser(f func(r *http.Request, s *Service, u User, raw []byte) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, err := h.asked(r, f)
		head := w.Header()
		head.Set("Content-Type", "application/json")
		head.Set("Cache-Control", "no-store")
		head.Set("X-Content-Type-Options", "nosniff")
		var no *refusal
		switch {
		case errors.As(err, &no):
			if no.status == http.StatusUnauthorized {
				head.Set("WWW-Authenticate", "Bearer")
			}
			w.WriteHeader(no.status)
			_ = json.NewEncoder(w).Encode(no.EnrollError)
		case err != nil:
			h.log.Error("answer a user's program", "path", r.URL.Path, "err", err)
			w.WriteHeader(http.StatusServiceUnavailable)
			_ = json.NewEncoder(w).Encode(wire.EnrollError{Code: "server", Error: "The server could not do this now; try again in a minute."})
		default:
			w.WriteHeader(http.StatusCreated)
			_ = json.NewEncoder(w).Encode(v)
		}
	})
}

func (h *Host) asked(r *http.Request, f func(*http.Request, *Service, User, []byte) (any, error)) (any, error) {
	if r.Method != http.MethodPost {
		return nil, refuse(http.StatusMethodNotAllowed, "method", "This is a POST.")
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || token == "" {
		return nil, refuse(http.StatusUnauthorized, "token-missing", "A user's token is needed: Authorization: Bearer.")
	}
	s, caller, err := h.TokenOf(r.Context(), token)
	switch {
	case errors.Is(err, ErrNoToken):
		return nil, refuse(http.StatusUnauthorized, "token-unknown", "This token is not known or has ended, or its user is disabled.")
	case err != nil:
		return nil, err
	case caller.Actor.Kind != KindUser || !caller.May(CodesWrite):
		return nil, refuse(http.StatusForbidden, "token-scope", "This needs a user's token with the scope codes:write.")
	}
	u, err := s.User(r.Context(), caller.Actor.ID)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxAsk+1))
	if err != nil || len(raw) > maxAsk {
		return nil, refuse(http.StatusBadRequest, "malformed", "The request is too long or was cut off.")
	}
	return f(r, s, u, raw)
}
