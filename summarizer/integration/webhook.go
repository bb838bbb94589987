package integration

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"aval/summarizer/store"
)

// RotateFor is how long a webhook is signed with its former secret too.
const RotateFor = 24 * time.Hour

// secretPrefix begins a symmetric secret of Standard Webhooks
// (github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md).
const secretPrefix = "whsec_"

// NewSecret makes a webhook's secret of 32 random bytes.
func NewSecret() string {
	b := make([]byte, 32)
	rand.Read(b)
	return secretPrefix + base64.StdEncoding.EncodeToString(b)
}

// webhookKey reads a secret: 24 to 64 bytes, as the specification has it.
func webhookKey(secret string) ([]byte, error) {
	text, ok := strings.CutPrefix(secret, secretPrefix)
	key, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil || len(key) < 24 || len(key) > 64 {
		return nil, errors.New("a webhook's secret is whsec_ and 24 to 64 bytes in base64")
	}
	return key, nil
}

// Sign is the value of webhook-signature: one signature for each secret.
func Sign(id string, at time.Time, body []byte, secrets ...string) (string, error) {
	var out []string
	for _, s := range secrets {
		key, err := webhookKey(s)
		if err != nil {
			return "", err
		}
		m := hmac.New(sha256.New, key)
		fmt.Fprintf(m, "%s.%d.%s", id, at.Unix(), body)
		out = append(out, "v1,"+base64.StdEncoding.EncodeToString(m.Sum(nil)))
	}
	return strings.Join(out, " "), nil
}

// CloudEvent is the envelope of what a webhook is told: CloudEvents 1.0 in JSON
// (github.com/cloudevents/spec, json-format.md). docs/api.md lists types and data.
type CloudEvent struct {
	SpecVersion     string          `json:"specversion"`
	ID              string          `json:"id"`
	Source          string          `json:"source"` // /companies/ID[/devices/ID]
	Type            string          `json:"type"`   // aval.session.started, …
	Subject         string          `json:"subject,omitempty"`
	Time            time.Time       `json:"time"`
	DataContentType string          `json:"datacontenttype"`
	Data            json.RawMessage `json:"data"`
}

// TypePrefix begins the types of our events.
const TypePrefix = "aval."

// Envelope is what a webhook is sent for a delivery. It is the same each time.
func Envelope(d store.Delivery) ([]byte, error) {
	e := CloudEvent{SpecVersion: "1.0", ID: d.Event, Source: "/companies/" + d.Company, Type: TypePrefix + d.Type, Time: d.At.UTC(),
		DataContentType: "application/json", Data: json.RawMessage(d.Data)}
	if d.Device != "" {
		e.Source += "/devices/" + d.Device
		e.Subject = d.Session
	}
	return json.Marshal(e)
}

// sendWebhook makes one attempt.
func (h *Hub) sendWebhook(ctx context.Context, e store.Endpoint, c Config, s Secrets, d store.Delivery) (answer, error) {
	body, err := Envelope(d)
	if err != nil {
		return answer{}, err
	}
	now := h.now()
	secrets := []string{s.Webhook}
	if s.OldWebhook != "" && now.Before(s.OldUntil) {
		secrets = append(secrets, s.OldWebhook)
	}
	signature, err := Sign(d.Event, now, body, secrets...)
	if err != nil {
		return answer{}, final(err)
	}
	req, err := h.request(ctx, http.MethodPost, c.URL, bytes.NewReader(body))
	if err != nil {
		return answer{}, final(err)
	}
	req.Header.Set("Content-Type", "application/cloudevents+json; charset=utf-8")
	req.Header.Set("webhook-id", d.Event)
	req.Header.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
	req.Header.Set("webhook-signature", signature)
	a, err := h.do(req)
	switch {
	case err != nil:
		return a, err
	case a.status/100 == 2:
		return a, nil
	case a.status == http.StatusGone:
		return a, errGone
	}
	return a, a.failed("the webhook")
}
