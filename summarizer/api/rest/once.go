package rest

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"aval/summarizer/store"
)

// keyLife is how long an Idempotency-Key is known; busyFor, how long a request may
// be at work before another one with its key is done anew.
const (
	keyLife = 24 * time.Hour
	busyFor = 2 * time.Minute
)

// once does a request that names an Idempotency-Key once, and gives its answer to
// all that are the same. Answers are sealed, since they may hold a secret.
func (s *Server) once(w http.ResponseWriter, r *http.Request) {
	c := from(r.Context())
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(raw))
	sum := sha256.Sum256([]byte(r.Method + " " + r.URL.RequestURI() + "\x00" + string(raw)))
	k := store.RequestKey{Company: c.co.ID(), Actor: "token:" + c.Token.ID, Key: r.Header.Get("Idempotency-Key"), Request: sum[:], CreatedAt: s.o.Now()}
	place := k.Company + "/" + k.Actor + "/" + k.Key
	var old store.RequestKey
	err = s.db.Tx(r.Context(), func(t *store.Tx) error {
		if err := t.DropRequestKeys(s.o.Now().Add(-keyLife)); err != nil {
			return err
		}
		err := t.InsertRequestKey(k)
		if !errors.Is(err, store.ErrExists) {
			return err
		}
		if old, err = t.RequestKey(k.Company, k.Actor, k.Key); err != nil {
			return err
		}
		if old.Status == 0 && bytes.Equal(old.Request, k.Request) && s.o.Now().Sub(old.CreatedAt) > busyFor {
			old = store.RequestKey{} // its server died with it
			return t.TouchRequestKey(k)
		}
		return nil
	})
	switch {
	case err != nil:
		s.fail(w, r, err)
		return
	case old.Key != "" && !bytes.Equal(old.Request, k.Request):
		s.fail(w, r, problem{http.StatusUnprocessableEntity, "idempotency_key_reused", "This Idempotency-Key was used for another request."})
		return
	case old.Key != "" && old.Status == 0:
		w.Header().Set("Retry-After", "1")
		s.fail(w, r, problem{http.StatusConflict, "in_progress", "The request with this Idempotency-Key is being done."})
		return
	case old.Key != "":
		body, err := s.o.Hub.Unseal(old.Body, "answers/"+place)
		var kept map[string]string
		if err == nil {
			err = json.Unmarshal([]byte(old.Headers), &kept)
		}
		if err != nil {
			s.fail(w, r, err)
			return
		}
		for name, v := range kept {
			w.Header().Set(name, v)
		}
		w.Header().Set("Idempotency-Replayed", "true")
		w.WriteHeader(int(old.Status))
		_, _ = w.Write(body) // the caller has gone: nobody to tell
		return
	}
	tee := &tee{ResponseWriter: w, status: http.StatusOK}
	s.mux.ServeHTTP(tee, r)
	k.Status = int64(tee.status)
	kept := map[string]string{}
	for _, name := range []string{"Content-Type", "ETag"} {
		if v := w.Header().Get(name); v != "" {
			kept[name] = v
		}
	}
	head, err := json.Marshal(kept)
	if err == nil {
		k.Headers = string(head)
		k.Body = s.o.Hub.Seal(tee.body.Bytes(), "answers/"+place)
	}
	// The answer is on its way whatever becomes of its copy.
	ctx, cancel := detached(r)
	defer cancel()
	if err == nil {
		err = s.db.Tx(ctx, func(t *store.Tx) error {
			if k.Status >= 500 || k.Status == http.StatusTooManyRequests {
				return t.DeleteRequestKey(k) // nothing was done: it may be tried again
			}
			return t.FinishRequestKey(k)
		})
	}
	if err != nil {
		s.o.Log.Error("answer cannot be kept", "request", c.id, "err", err)
	}
}

// tee keeps what is answered.
type tee struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (t *tee) WriteHeader(status int) {
	t.status = status
	t.ResponseWriter.WriteHeader(status)
}

func (t *tee) Write(p []byte) (int, error) {
	t.body.Write(p)
	return t.ResponseWriter.Write(p)
}
