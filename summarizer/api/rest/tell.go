package rest

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	v1 "aval/summarizer/api/v1"
	"aval/summarizer/integration"
	"aval/summarizer/store"
)

// hub is the company's part of the integrations, for the caller.
func (o *operations) hub(ctx context.Context) *integration.Company {
	co := from(ctx).co
	return o.o.Hub.Of(co.ID(), co.Actor().String())
}

// endpoints lists those whose kind is among kinds.
func (o *operations) endpoints(ctx context.Context, kinds ...string) ([]integration.Endpoint, error) {
	list, err := o.hub(ctx).Endpoints(ctx)
	return slices.DeleteFunc(list, func(e integration.Endpoint) bool { return !slices.Contains(kinds, e.Kind) }), err
}

// endpoint finds one whose kind is among kinds; missing.
func (o *operations) endpoint(ctx context.Context, id string, kinds ...string) (integration.Endpoint, error) {
	e, err := o.hub(ctx).Endpoint(ctx, id)
	if err == nil && !slices.Contains(kinds, e.Kind) {
		err = missing
	}
	return e, err
}

var remotes = []string{store.ServiceNow, store.Salesforce}

func webhook(e integration.Endpoint) v1.Webhook {
	out := v1.Webhook{Id: e.ID, Name: e.Name, Url: e.Config.URL, Events: []v1.EventType{}, Enabled: e.Enabled, OffReason: e.OffReason, Version: e.Version,
		CreatedAt: e.CreatedAt, UpdatedAt: e.UpdatedAt, RotatedUntil: e.RotatedUntil}
	for _, t := range e.Events {
		out.Events = append(out.Events, v1.EventType(t))
	}
	return out
}

func (o *operations) ListWebhooks(ctx context.Context, _ v1.ListWebhooksRequestObject) (v1.ListWebhooksResponseObject, error) {
	list, err := o.endpoints(ctx, store.Webhook)
	out := v1.ListWebhooks200JSONResponse{Webhooks: []v1.Webhook{}}
	for _, e := range list {
		out.Webhooks = append(out.Webhooks, webhook(e))
	}
	return out, err
}

func types(list []v1.EventType) (out []string) {
	for _, t := range list {
		out = append(out, string(t))
	}
	return out
}

func (o *operations) CreateWebhook(ctx context.Context, r v1.CreateWebhookRequestObject) (v1.CreateWebhookResponseObject, error) {
	b := r.Body
	e, secret, err := o.hub(ctx).Create(ctx, integration.Endpoint{Kind: store.Webhook, Name: b.Name, Config: integration.Config{URL: b.Url}, Events: types(b.Events),
		Enabled: b.Enabled == nil || *b.Enabled}, integration.Secrets{})
	out := webhook(e)
	out.Secret = secret
	return v1.CreateWebhook201JSONResponse(out), err
}

func (o *operations) GetWebhook(ctx context.Context, r v1.GetWebhookRequestObject) (v1.GetWebhookResponseObject, error) {
	e, err := o.endpoint(ctx, r.Id, store.Webhook)
	return v1.GetWebhook200JSONResponse{WebhookJSONResponse: v1.WebhookJSONResponse{Body: webhook(e), Headers: v1.WebhookResponseHeaders{ETag: etag(e.Version)}}}, err
}

func (o *operations) UpdateWebhook(ctx context.Context, r v1.UpdateWebhookRequestObject) (v1.UpdateWebhookResponseObject, error) {
	version, err := matches(val(r.Params.IfMatch))
	if err != nil {
		return nil, err
	}
	e, err := o.hub(ctx).Update(ctx, r.Id, version, func(e *integration.Endpoint, _ *integration.Secrets) error {
		if e.Kind != store.Webhook {
			return missing
		}
		e.Name, e.Config.URL, e.Events = r.Body.Name, r.Body.Url, types(r.Body.Events)
		e.Enabled = r.Body.Enabled == nil || *r.Body.Enabled
		return nil
	})
	return v1.UpdateWebhook200JSONResponse{WebhookJSONResponse: v1.WebhookJSONResponse{Body: webhook(e), Headers: v1.WebhookResponseHeaders{ETag: etag(e.Version)}}}, err
}

// act does something to an endpoint of one of kinds.
func (o *operations) act(ctx context.Context, id string, do func(context.Context, string) error, kinds ...string) error {
	if _, err := o.endpoint(ctx, id, kinds...); err != nil {
		return err
	}
	return do(ctx, id)
}

func (o *operations) DeleteWebhook(ctx context.Context, r v1.DeleteWebhookRequestObject) (v1.DeleteWebhookResponseObject, error) {
	return v1.DeleteWebhook204Response{}, o.act(ctx, r.Id, o.hub(ctx).Delete, store.Webhook)
}

func (o *operations) RotateWebhook(ctx context.Context, r v1.RotateWebhookRequestObject) (v1.RotateWebhookResponseObject, error) {
	if _, err := o.endpoint(ctx, r.Id, store.Webhook); err != nil {
		return nil, err
	}
	secret, err := o.hub(ctx).Rotate(ctx, r.Id)
	return v1.RotateWebhook200JSONResponse{Secret: secret}, err
}

func (o *operations) PingWebhook(ctx context.Context, r v1.PingWebhookRequestObject) (v1.PingWebhookResponseObject, error) {
	return v1.PingWebhook202Response{}, o.act(ctx, r.Id, o.hub(ctx).Ping, store.Webhook)
}

func integrated(e integration.Endpoint) (out v1.Integration, err error) {
	out = v1.Integration{Id: e.ID, Kind: e.Kind, Name: e.Name, Enabled: e.Enabled, Has: e.Has, Version: e.Version, CreatedAt: e.CreatedAt, UpdatedAt: e.UpdatedAt}
	return out, recast(e.Config, &out.Config)
}

func (o *operations) ListIntegrations(ctx context.Context, _ v1.ListIntegrationsRequestObject) (v1.ListIntegrationsResponseObject, error) {
	list, err := o.endpoints(ctx, remotes...)
	out := v1.ListIntegrations200JSONResponse{Integrations: []v1.Integration{}}
	for _, e := range list {
		v, err := integrated(e)
		if err != nil {
			return nil, err
		}
		out.Integrations = append(out.Integrations, v)
	}
	return out, err
}

func (o *operations) CreateIntegration(ctx context.Context, r v1.CreateIntegrationRequestObject) (v1.CreateIntegrationResponseObject, error) {
	b := r.Body
	e := integration.Endpoint{Kind: string(b.Kind), Name: b.Name, Enabled: b.Enabled == nil || *b.Enabled}
	if err := recast(b.Config, &e.Config); err != nil {
		return nil, err
	}
	e, _, err := o.hub(ctx).Create(ctx, e, integration.Secrets{Client: b.ClientSecret, Key: b.PrivateKey})
	if err != nil {
		return nil, err
	}
	v, err := integrated(e)
	return v1.CreateIntegration201JSONResponse(v), err
}

func (o *operations) GetIntegration(ctx context.Context, r v1.GetIntegrationRequestObject) (v1.GetIntegrationResponseObject, error) {
	e, err := o.endpoint(ctx, r.Id, remotes...)
	if err != nil {
		return nil, err
	}
	v, err := integrated(e)
	return v1.GetIntegration200JSONResponse{IntegrationJSONResponse: v1.IntegrationJSONResponse{Body: v, Headers: v1.IntegrationResponseHeaders{ETag: etag(e.Version)}}}, err
}

func (o *operations) UpdateIntegration(ctx context.Context, r v1.UpdateIntegrationRequestObject) (v1.UpdateIntegrationResponseObject, error) {
	version, err := matches(val(r.Params.IfMatch))
	if err != nil {
		return nil, err
	}
	b := r.Body
	e, err := o.hub(ctx).Update(ctx, r.Id, version, func(e *integration.Endpoint, s *integration.Secrets) error {
		if !slices.Contains(remotes, e.Kind) {
			return missing
		}
		if e.Kind != string(b.Kind) {
			return problem{400, "invalid_request", "The kind stays what it is: add another integration."}
		}
		e.Name, e.Enabled, e.Config = b.Name, b.Enabled == nil || *b.Enabled, integration.Config{}
		if b.ClientSecret != "" {
			s.Client = b.ClientSecret
		}
		if b.PrivateKey != "" {
			s.Key = b.PrivateKey
		}
		return recast(b.Config, &e.Config)
	})
	if err != nil {
		return nil, err
	}
	v, err := integrated(e)
	return v1.UpdateIntegration200JSONResponse{IntegrationJSONResponse: v1.IntegrationJSONResponse{Body: v, Headers: v1.IntegrationResponseHeaders{ETag: etag(e.Version)}}}, err
}

func (o *operations) DeleteIntegration(ctx context.Context, r v1.DeleteIntegrationRequestObject) (v1.DeleteIntegrationResponseObject, error) {
	return v1.DeleteIntegration204Response{}, o.act(ctx, r.Id, o.hub(ctx).Delete, remotes...)
}

func (o *operations) PingIntegration(ctx context.Context, r v1.PingIntegrationRequestObject) (v1.PingIntegrationResponseObject, error) {
	return v1.PingIntegration202Response{}, o.act(ctx, r.Id, o.hub(ctx).Ping, remotes...)
}

func (o *operations) PreviewIntegration(ctx context.Context, r v1.PreviewIntegrationRequestObject) (v1.PreviewIntegrationResponseObject, error) {
	e, err := o.endpoint(ctx, r.Id, remotes...)
	if err != nil {
		return nil, err
	}
	ref := ""
	if val(r.Params.Session) != "" {
		st, err := o.stream(ctx, val(r.Params.Session), "")
		if err != nil {
			return nil, err
		}
		ref = st.Ref
	}
	list, err := o.hub(ctx).Preview(ctx, e.Config.Fields, ref)
	if errors.Is(err, integration.ErrNoSummary) {
		return nil, problem{404, "not_found", "There is no summary yet with which the fields could be filled."}
	}
	out := v1.PreviewIntegration200JSONResponse{Fields: []v1.Filled{}}
	for _, f := range list {
		out.Fields = append(out.Fields, v1.Filled{Name: f.Name, Value: f.Value})
	}
	return out, err
}

func delivery(d store.Delivery) (out v1.Delivery, err error) {
	out = v1.Delivery{Id: d.ID, Endpoint: d.Endpoint, EndpointName: d.EndpointName, Kind: d.EndpointKind, Event: d.Event, Type: d.Type, Session: d.Session, Revision: d.Revision,
		State: v1.DeliveryState(d.State), Skipped: d.Skipped, Attempts: d.Attempts, Status: d.Status, Remote: d.Remote, Error: d.LastError, CreatedAt: d.CreatedAt}
	if d.State == store.JobReady {
		out.NextAt = d.RunAt
	}
	return out, json.Unmarshal([]byte(d.Data), &out.Data)
}

func (o *operations) ListDeliveries(ctx context.Context, r v1.ListDeliveriesRequestObject) (v1.ListDeliveriesResponseObject, error) {
	limit := val(r.Params.Limit)
	if limit == 0 {
		limit = 100
	}
	list, err := o.hub(ctx).Deliveries(ctx, val(r.Params.Endpoint), store.JobState(val(r.Params.State)), val(r.Params.After), limit+1)
	if err != nil {
		return nil, err
	}
	out := v1.ListDeliveries200JSONResponse{Deliveries: []v1.Delivery{}}
	if len(list) > limit {
		list = list[:limit]
		out.Next = list[limit-1].ID
	}
	for _, d := range list {
		v, err := delivery(d)
		if err != nil {
			return nil, err
		}
		out.Deliveries = append(out.Deliveries, v)
	}
	return out, nil
}

func (o *operations) GetDelivery(ctx context.Context, r v1.GetDeliveryRequestObject) (v1.GetDeliveryResponseObject, error) {
	d, err := o.hub(ctx).Delivery(ctx, r.Id)
	if err != nil {
		return nil, err
	}
	v, err := delivery(d)
	return v1.GetDelivery200JSONResponse(v), err
}

func (o *operations) RetryDelivery(ctx context.Context, r v1.RetryDeliveryRequestObject) (v1.RetryDeliveryResponseObject, error) {
	return v1.RetryDelivery202Response{}, o.hub(ctx).Retry(ctx, r.Id)
}

func (o *operations) SkipDelivery(ctx context.Context, r v1.SkipDeliveryRequestObject) (v1.SkipDeliveryResponseObject, error) {
	return v1.SkipDelivery204Response{}, o.hub(ctx).Skip(ctx, r.Id)
}
