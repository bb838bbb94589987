// Package integration tells others what happens in a company: webhooks, and the
// records and notes that ServiceNow and Salesforce keep of its summaries.
//
// The one rule that must not be broken: what is to be told is written in the
// transaction of what it tells (store), and told once in effect, however often
// an attempt fails; nothing is sent to an address inside of the server's own
// network, and no captured text lies in a delivery.
package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"aval/summarizer/store"
)

// Options of New.
type Options struct {
	// Allow names hosts (HOST or HOST:PORT) that may lie inside of the server's own
	// network, and be spoken to without TLS.
	Allow []string
	// Server is this server's address, for links; empty: none are made.
	Server string
	Now    func() time.Time // nil: time.Now
	Log    *slog.Logger     // nil: slog.Default
	Tracer trace.Tracer     // begins a span for each delivery; nil: there are none
	// Lookup resolves names; nil: the system's resolver.
	Lookup Lookup
}

// Hub keeps the endpoints of all companies of a server and makes their deliveries.
type Hub struct {
	db     *store.DB
	guard  *guard
	client *http.Client
	seal   *sealer
	server string
	now    func() time.Time
	log    *slog.Logger
	tracer trace.Tracer
	tokens tokens
	quiet  quiet
	more   chan struct{} // wakes another worker
}

// New makes the hub of a store. The key that seals the endpoints' secrets is made
// in the store's data folder where there is none.
func New(db *store.DB, o Options) (*Hub, error) {
	h := &Hub{db: db, server: o.Server, now: o.Now, log: o.Log, tracer: o.Tracer, more: make(chan struct{}, 1)}
	if h.now == nil {
		h.now = time.Now
	}
	if h.log == nil {
		h.log = slog.Default()
	}
	if h.tracer == nil {
		h.tracer = noop.NewTracerProvider().Tracer("")
	}
	var err error
	if h.guard, err = newGuard(o.Allow, o.Lookup); err != nil {
		return nil, err
	}
	if h.seal, err = openSealer(db.Dir()); err != nil {
		return nil, err
	}
	h.client = h.guard.client(callWithin)
	return h, nil
}

// Errors that callers tell apart; the sentence of those that wrap ErrWrong is for people.
var (
	ErrWrong    = errors.New("this cannot be kept")
	ErrConflict = errors.New("it was changed meanwhile; look at it again")
)

// Wrong is an ErrWrong with its sentence for people.
type Wrong struct {
	// Key names the sentence in the console's texts, below console.integrations.wrong;
	// Args are what stands in it, as a, b, ….
	Key  string
	Args map[string]any
	text string
}

func (w *Wrong) Error() string { return ErrWrong.Error() + ": " + w.text }

// Is makes every Wrong an ErrWrong.
func (w *Wrong) Is(target error) bool { return target == ErrWrong }

// wrong makes a Wrong; format is its English text for programs.
func wrong(key, format string, args ...any) error {
	w := &Wrong{Key: key, Args: map[string]any{}, text: fmt.Sprintf(format, args...)}
	for i, a := range args {
		w.Args[string(rune('a'+i))] = fmt.Sprint(a)
	}
	return w
}

// CheckURL refuses an address that the server does not speak to, as far as can be
// seen from how it is written.
func (h *Hub) CheckURL(raw string) (*url.URL, error) { return h.guard.check(raw) }

// Endpoint is an endpoint as people and programs see it: without its secrets.
type Endpoint struct {
	ID        string    `json:"id"`
	Kind      string    `json:"kind"`
	Name      string    `json:"name"`
	Config    Config    `json:"config"`
	Events    []string  `json:"events"`
	Enabled   bool      `json:"enabled"`
	OffReason string    `json:"off_reason,omitempty"`
	Version   int64     `json:"version"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	// Has names the secrets that are kept.
	Has []string `json:"has,omitempty"`
	// RotatedUntil: until then a webhook is signed with the former secret too.
	RotatedUntil time.Time `json:"rotated_until,omitzero"`
}

// Company is one company's part of the hub; actor is named in its audit rows.
type Company struct {
	*Hub
	id, actor string
}

// Of is the part of company, for actor.
func (h *Hub) Of(company, actor string) *Company { return &Company{h, company, actor} }

func (c *Company) audit(t *store.Tx, action, subject, detail string) error {
	return t.AddAudit(store.Audit{Company: c.id, At: c.now(), Actor: c.actor, Action: action, Subject: subject, Detail: detail})
}

func (h *Hub) show(e store.Endpoint) (Endpoint, error) {
	out := Endpoint{ID: e.ID, Kind: e.Kind, Name: e.Name, Events: e.Events, Enabled: e.Enabled, OffReason: e.OffReason, Version: e.Version,
		CreatedAt: e.CreatedAt, UpdatedAt: e.UpdatedAt}
	if err := json.Unmarshal([]byte(e.Config), &out.Config); err != nil {
		return out, fmt.Errorf("read endpoint %s: %w", e.ID, err)
	}
	s, err := h.open(e)
	if err != nil {
		// It can be seen and mended without its secrets, but not used.
		h.log.Warn("endpoint's secrets cannot be read", "endpoint", e.ID, "err", err)
		return out, nil
	}
	out.Has, out.RotatedUntil = s.names(), s.OldUntil
	return out, nil
}

// Endpoints lists the company's endpoints, oldest first.
func (c *Company) Endpoints(ctx context.Context) (out []Endpoint, err error) {
	out = []Endpoint{}
	err = c.db.View(ctx, func(t *store.Tx) error {
		list, err := t.Endpoints(c.id)
		for _, e := range list {
			v, err := c.show(e)
			if err != nil {
				return err
			}
			out = append(out, v)
		}
		return err
	})
	return out, err
}

// Endpoint returns one; store.ErrNotFound.
func (c *Company) Endpoint(ctx context.Context, id string) (out Endpoint, err error) {
	err = c.db.View(ctx, func(t *store.Tx) error {
		e, err := t.Endpoint(c.id, id)
		if err != nil {
			return err
		}
		out, err = c.show(e)
		return err
	})
	return out, err
}

// Create adds an endpoint of e's kind. For a webhook without a secret one is made;
// it is returned, this once.
func (c *Company) Create(ctx context.Context, e Endpoint, s Secrets) (Endpoint, string, error) {
	made := ""
	if e.Kind == store.Webhook && s.Webhook == "" {
		s.Webhook = NewSecret()
		made = s.Webhook
	}
	s.OldWebhook, s.OldUntil = "", time.Time{}
	row := store.Endpoint{ID: store.NewID(c.now()), Company: c.id, Kind: e.Kind, Enabled: e.Enabled, CreatedAt: c.now()}
	if err := c.fill(&row, e, s); err != nil {
		return Endpoint{}, "", err
	}
	err := c.db.Tx(ctx, func(t *store.Tx) error {
		list, err := t.Endpoints(c.id)
		if err != nil {
			return err
		}
		if len(list) >= maxEndpoints {
			return wrong("most", "there are %d already, which is the most", maxEndpoints)
		}
		if err := t.InsertEndpoint(row); err != nil {
			return err
		}
		return c.audit(t, row.Kind+"-created", row.ID, row.Name)
	})
	if err != nil {
		return Endpoint{}, "", err
	}
	out, err := c.Endpoint(ctx, row.ID)
	return out, made, err
}

// maxEndpoints is how many a company may have.
const maxEndpoints = 50

// fill puts what people gave into the row, checked.
func (h *Hub) fill(row *store.Endpoint, e Endpoint, s Secrets) error {
	cfg, err := h.check(row.Kind, &e, s)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(cfg)
	if err != nil {
		return fmt.Errorf("encode endpoint: %w", err)
	}
	row.Name, row.Config, row.Events, row.Enabled = e.Name, string(raw), e.Events, e.Enabled
	row.Secrets, err = h.lock(s, row.Company+"/"+row.ID)
	return err
}

// Update changes name, settings, events and the switch of an endpoint whose
// version is version (0: whichever it is now). Empty secrets stay as they are.
func (c *Company) Update(ctx context.Context, id string, version int64, change func(*Endpoint, *Secrets) error) (Endpoint, error) {
	err := c.db.Tx(ctx, func(t *store.Tx) error {
		row, err := t.Endpoint(c.id, id)
		if err != nil {
			return err
		}
		if version != 0 && version != row.Version {
			return ErrConflict
		}
		e, err := c.show(row)
		if err != nil {
			return err
		}
		s, err := c.open(row)
		if err != nil {
			s = Secrets{} // a key that was lost: they must be given anew
		}
		if err := change(&e, &s); err != nil {
			return err
		}
		if e.Enabled {
			row.OffReason = ""
		}
		if err := c.fill(&row, e, s); err != nil {
			return err
		}
		if err := t.UpdateEndpoint(row, c.now()); err != nil {
			return err
		}
		return c.audit(t, row.Kind+"-changed", id, fmt.Sprintf("%s enabled=%v events=%d", row.Name, row.Enabled, len(row.Events)))
	})
	if err != nil {
		return Endpoint{}, err
	}
	c.tokens.drop(id)
	return c.Endpoint(ctx, id)
}

// Rotate gives a webhook a new secret and returns it, this once. For RotateFor it
// is signed with the former one too.
func (c *Company) Rotate(ctx context.Context, id string) (string, error) {
	secret := NewSecret()
	_, err := c.Update(ctx, id, 0, func(e *Endpoint, s *Secrets) error {
		if e.Kind != store.Webhook {
			return wrong("rotate", "only a webhook has a secret to change; enter the other system's new one instead")
		}
		s.OldWebhook, s.OldUntil, s.Webhook = s.Webhook, c.now().Add(RotateFor).UTC(), secret
		return nil
	})
	if err != nil {
		return "", err
	}
	return secret, nil
}

// Delete ends an endpoint. What it was to be told is forgotten; what the other
// system keeps stays there.
func (c *Company) Delete(ctx context.Context, id string) error {
	err := c.db.Tx(ctx, func(t *store.Tx) error {
		e, err := t.Endpoint(c.id, id)
		if err != nil {
			return err
		}
		if err := t.DeleteEndpoint(c.id, id); err != nil {
			return err
		}
		return c.audit(t, e.Kind+"-deleted", id, e.Name)
	})
	c.tokens.drop(id)
	return err
}

// Ping tells an endpoint a ping, to try it out.
func (c *Company) Ping(ctx context.Context, id string) error {
	return c.db.Tx(ctx, func(t *store.Tx) error {
		e, err := t.Endpoint(c.id, id)
		if err != nil {
			return err
		}
		if !e.Enabled {
			return wrong("off", "it is switched off; switch it on first")
		}
		if err := t.TellPing(c.id, id, c.now()); err != nil {
			return err
		}
		return c.audit(t, e.Kind+"-tried", id, e.Name)
	})
}

// Deliveries lists what is told, newest first: see store.Tx.Deliveries.
func (c *Company) Deliveries(ctx context.Context, endpoint string, state store.JobState, before string, max int) (list []store.Delivery, err error) {
	err = c.db.View(ctx, func(t *store.Tx) (err error) {
		list, err = t.Deliveries(c.id, endpoint, state, before, max)
		return err
	})
	return list, err
}

// Delivery returns one; store.ErrNotFound.
func (c *Company) Delivery(ctx context.Context, id string) (d store.Delivery, err error) {
	err = c.db.View(ctx, func(t *store.Tx) (err error) { d, err = t.Delivery(c.id, id); return err })
	return d, err
}

// Retry has a delivery be made again; one that was made is made again under the
// same id. store.ErrNotFound where there is none or it is at work.
func (c *Company) Retry(ctx context.Context, id string) error {
	return c.db.Tx(ctx, func(t *store.Tx) error {
		if err := t.RepeatDelivery(c.id, id, c.now()); err != nil {
			return err
		}
		return c.audit(t, "delivery-repeated", id, "")
	})
}

// RetryFailed has all failed deliveries of an endpoint be made again, and tells
// how many they are; those that somebody skipped stay.
func (c *Company) RetryFailed(ctx context.Context, endpoint string) (n int, err error) {
	err = c.db.Tx(ctx, func(t *store.Tx) error {
		n = 0
		for before := ""; ; {
			list, err := t.Deliveries(c.id, endpoint, store.JobFailed, before, 200)
			if err != nil {
				return err
			}
			for _, d := range list {
				before = d.ID
				if d.Skipped {
					continue
				}
				if err := t.RepeatDelivery(c.id, d.ID, c.now()); err != nil {
					return err
				}
				n++
			}
			if len(list) < 200 {
				return c.audit(t, "deliveries-repeated", endpoint, fmt.Sprintf("n=%d", n))
			}
		}
	})
	return n, err
}

// Skip gives a delivery up for good; store.ErrNotFound where there is none to give up.
func (c *Company) Skip(ctx context.Context, id string) error {
	return c.db.Tx(ctx, func(t *store.Tx) error {
		if err := t.SkipDelivery(c.id, id, c.now()); err != nil {
			return err
		}
		return c.audit(t, "delivery-skipped", id, "")
	})
}
