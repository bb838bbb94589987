package console

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"aval/assets"
	"aval/summarizer/company"
	"aval/summarizer/integration"
	"aval/summarizer/store"
	"aval/summarizer/summary"
)

// deliveriesListed is how many deliveries one page has.
const deliveriesListed = 50

// spareFields are the empty rows that the form of fields ends with.
const spareFields = 3

type integrationsPage struct {
	frame
	List      []endpointRow
	CanWrite  bool
	Unlogged  []string // people whose sessions are not summarised
	MoreUsers int
	Deleted   bool
}

type endpointRow struct {
	ID, Name, Kind, Address, State string
	On                             bool
	Failed                         bool // something could not be delivered
}

type integrationPage struct {
	frame
	ID, Kind, KindName string // ID is empty: it is being added
	Version            int64
	Name               string
	Enabled            bool
	Off                string // why the server switched it off
	Config             integration.Config
	Events             []scopeChoice
	Fields             []fieldRow
	Words              []string
	Has                string // the names of the secrets that are kept
	Preview            []integration.Filled
	NoPreview          bool
	Secret             string // of a webhook, once
	Rotated            string // until when the former secret signs too
	Wrong, Done        string
	CanWrite           bool
}

type fieldRow struct {
	N                int
	Name, Value, Max string
	HTML             bool
}

type deliveriesPage struct {
	frame
	List            []deliveryRow
	Endpoints       []integration.Endpoint
	Endpoint, State string
	States          []string
	Older           string
	Newer, CanWrite bool
	Done            string
}

type deliveryRow struct {
	ID, Name, What, State, Error, When, Session, Ref, Next, Tries string
	Failed, CanSkip, CanRetry                                     bool
	Repeat                                                        bool // it was made: a repetition is a replay
}

// hub is the company's part of the integrations, for the visitor.
func (c *Console) hub(v visitor) *integration.Company {
	return c.o.Hub.Of(v.co.ID(), v.actor.String())
}

var kinds = []string{store.Webhook, store.ServiceNow, store.Salesforce}

func kindName(cat *assets.Catalog, kind string) string {
	return cat.T("console.integrations.kind."+kind, nil)
}

// integrations lists where the company is told.
func (c *Console) integrations(w http.ResponseWriter, r *http.Request, v visitor) {
	p := integrationsPage{frame: c.frameOf(r, v, v.cat.T("console.integrations", nil)), CanWrite: v.may(company.IntegrationsWrite), Deleted: r.URL.Query().Get("deleted") != ""}
	p.Back = "/integrations"
	list, err := c.hub(v).Endpoints(r.Context())
	if err != nil {
		c.broken(w, r, err)
		return
	}
	failed := map[string]bool{}
	wrong, err := c.hub(v).Deliveries(r.Context(), "", store.JobFailed, "", 200)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	for _, d := range wrong {
		failed[d.Endpoint] = failed[d.Endpoint] || !d.Skipped
	}
	for _, e := range list {
		row := endpointRow{ID: e.ID, Name: summary.Clean(e.Name, 60), Kind: kindName(v.cat, e.Kind), Address: summary.Clean(e.Config.URL, 120), On: e.Enabled, Failed: failed[e.ID]}
		row.State = v.cat.T("console.integrations.on", nil)
		if !e.Enabled {
			row.State = v.cat.T("console.integrations.off", nil)
		}
		if e.OffReason != "" {
			row.State = v.cat.T("console.integrations.gone", nil)
		}
		p.List = append(p.List, row)
	}
	if v.may(company.UsersRead) {
		users, err := v.co.UsersNotLogged(r.Context())
		if err != nil {
			c.broken(w, r, err)
			return
		}
		for i, u := range users {
			if i == 20 {
				p.MoreUsers = len(users) - i
				break
			}
			p.Unlogged = append(p.Unlogged, summary.Clean(u.Name, 60))
		}
	}
	c.show(w, r, http.StatusOK, "integrations", p)
}

// newIntegration shows the form that adds one.
func (c *Console) newIntegration(w http.ResponseWriter, r *http.Request, v visitor) {
	kind := r.URL.Query().Get("kind")
	if !slices.Contains(kinds, kind) {
		kind = store.Webhook
	}
	e := integration.Endpoint{Kind: kind, Enabled: true, Config: integration.Preset(kind)}
	c.showIntegration(w, r, v, http.StatusOK, e, integrationPage{})
}

// integration shows one with its settings.
func (c *Console) integration(w http.ResponseWriter, r *http.Request, v visitor) {
	e, err := c.hub(v).Endpoint(r.Context(), r.PathValue("id"))
	if errors.Is(err, store.ErrNotFound) {
		c.fail(w, r, http.StatusNotFound, "console.error.not_found")
		return
	}
	if err != nil {
		c.broken(w, r, err)
		return
	}
	p := integrationPage{}
	if done := r.URL.Query().Get("done"); slices.Contains([]string{"saved", "pinged", "retried"}, done) {
		p.Done = v.cat.T("console.integrations.done."+done, nil)
	}
	c.showIntegration(w, r, v, http.StatusOK, e, p)
}

func (c *Console) showIntegration(w http.ResponseWriter, r *http.Request, v visitor, status int, e integration.Endpoint, p integrationPage) {
	p.KindName = kindName(v.cat, e.Kind)
	title := p.KindName
	if e.ID != "" {
		title = summary.Clean(e.Name, 60)
	}
	p.frame = c.frameOf(r, v, title)
	p.Back = "/integrations"
	p.ID, p.Kind, p.Version, p.Name, p.Enabled, p.Config, p.CanWrite = e.ID, e.Kind, e.Version, e.Name, e.Enabled, e.Config, v.may(company.IntegrationsWrite)
	if e.OffReason != "" {
		p.Off = v.cat.T("console.integrations.gone.text", nil)
	}
	if e.ID != "" {
		p.Back = "/integrations/" + e.ID
	}
	for _, s := range e.Has {
		if p.Has != "" {
			p.Has += ", "
		}
		p.Has += v.cat.T("console.integrations.has."+s, nil)
	}
	if c.o.Now().Before(e.RotatedUntil) {
		p.Rotated = v.cat.T("console.integrations.rotated", assets.Args{"time": c.when(v.cat, e.RotatedUntil)})
	}
	if e.Kind == store.Webhook {
		for _, t := range store.Types {
			p.Events = append(p.Events, scopeChoice{t, v.cat.T("console.integrations.event."+t, nil), slices.Contains(e.Events, t)})
		}
		c.show(w, r, status, "integration", p)
		return
	}
	p.Words = integration.Words
	for i, f := range e.Config.Fields {
		row := fieldRow{N: i, Name: f.Name, Value: f.Value, HTML: f.HTML}
		if f.Max > 0 {
			row.Max = itoa(f.Max)
		}
		p.Fields = append(p.Fields, row)
	}
	for range spareFields {
		p.Fields = append(p.Fields, fieldRow{N: len(p.Fields)})
	}
	if v.may(company.SummariesRead) {
		var err error
		p.Preview, err = c.hub(v).Preview(r.Context(), e.Config.Fields, "")
		if p.NoPreview = errors.Is(err, integration.ErrNoSummary); err != nil && !p.NoPreview {
			c.broken(w, r, err)
			return
		}
	}
	c.show(w, r, status, "integration", p)
}

// entered reads the form over e.
func entered(r *http.Request, e *integration.Endpoint, s *integration.Secrets) {
	text := func(name string) string { return strings.TrimSpace(r.PostFormValue(name)) }
	e.Name, e.Enabled = text("name"), r.PostFormValue("enabled") != ""
	e.Config.URL = text("url")
	if e.Kind == store.Webhook {
		e.Events = r.PostForm["event"]
		return
	}
	e.Config.Auth, e.Config.ClientID, e.Config.User, e.Config.Audience = text("auth"), text("client_id"), text("remote_user"), text("audience")
	e.Config.Target, e.Config.Table, e.Config.KeyField, e.Config.NoteField = text("target"), text("table"), text("key_field"), text("note_field")
	e.Config.Fields = nil
	for i := range r.PostForm["field_name"] {
		at := func(name string) string {
			if list := r.PostForm[name]; i < len(list) {
				return strings.TrimSpace(strings.ReplaceAll(list[i], "\r\n", "\n"))
			}
			return ""
		}
		if at("field_name") == "" {
			continue
		}
		e.Config.Fields = append(e.Config.Fields, integration.Field{Name: at("field_name"), Value: at("field_value"), Max: atoi(at("field_max")),
			HTML: slices.Contains(r.PostForm["field_html"], itoa(i))})
	}
	if v := text("client_secret"); v != "" {
		s.Client = v
	}
	if v := text("private_key"); v != "" {
		s.Key = v
	}
}

// wrongText is the sentence of what people entered wrongly; empty: it was not that.
func wrongText(cat *assets.Catalog, err error) string {
	var w *integration.Wrong
	switch {
	case errors.As(err, &w):
		return cat.T("console.integrations.wrong."+w.Key, assets.Args(w.Args))
	case errors.Is(err, integration.ErrConflict):
		return cat.T("console.integrations.wrong.conflict", nil)
	}
	return ""
}

// createIntegration adds one. A webhook's secret is shown, once.
func (c *Console) createIntegration(w http.ResponseWriter, r *http.Request, v visitor) {
	r.Body = http.MaxBytesReader(w, r.Body, 256<<10)
	if err := r.ParseForm(); err != nil {
		c.fail(w, r, http.StatusBadRequest, "console.error.malformed")
		return
	}
	e := integration.Endpoint{Kind: r.PostFormValue("kind")}
	if !slices.Contains(kinds, e.Kind) {
		c.fail(w, r, http.StatusBadRequest, "console.error.malformed")
		return
	}
	var s integration.Secrets
	entered(r, &e, &s)
	made, secret, err := c.hub(v).Create(r.Context(), e, s)
	switch said := wrongText(v.cat, err); {
	case said != "":
		c.showIntegration(w, r, v, http.StatusUnprocessableEntity, e, integrationPage{Wrong: said})
	case err != nil:
		c.broken(w, r, err)
	case secret != "":
		c.showIntegration(w, r, v, http.StatusOK, made, integrationPage{Secret: secret})
	default:
		http.Redirect(w, r, "/integrations/"+made.ID+"?done=saved", http.StatusSeeOther)
	}
}

// changeIntegration keeps what the form says.
func (c *Console) changeIntegration(w http.ResponseWriter, r *http.Request, v visitor) {
	r.Body = http.MaxBytesReader(w, r.Body, 256<<10)
	if err := r.ParseForm(); err != nil {
		c.fail(w, r, http.StatusBadRequest, "console.error.malformed")
		return
	}
	var as integration.Endpoint
	e, err := c.hub(v).Update(r.Context(), r.PathValue("id"), int64(atoi(r.PostFormValue("version"))), func(e *integration.Endpoint, s *integration.Secrets) error {
		entered(r, e, s)
		as = *e
		return nil
	})
	switch said := wrongText(v.cat, err); {
	case errors.Is(err, store.ErrNotFound):
		c.fail(w, r, http.StatusNotFound, "console.error.not_found")
	case said != "" && as.ID == "": // somebody else was first: what holds now is shown
		if as, err = c.hub(v).Endpoint(r.Context(), r.PathValue("id")); err != nil {
			c.broken(w, r, err)
			return
		}
		c.showIntegration(w, r, v, http.StatusConflict, as, integrationPage{Wrong: said})
	case said != "":
		c.showIntegration(w, r, v, http.StatusUnprocessableEntity, as, integrationPage{Wrong: said})
	case err != nil:
		c.broken(w, r, err)
	default:
		http.Redirect(w, r, "/integrations/"+e.ID+"?done=saved", http.StatusSeeOther)
	}
}

// onIntegration does something to one and goes on to where.
func (c *Console) onIntegration(do func(*integration.Company, *http.Request, string) error, where func(id string) string) func(http.ResponseWriter, *http.Request, visitor) {
	return func(w http.ResponseWriter, r *http.Request, v visitor) {
		id := r.PathValue("id")
		err := do(c.hub(v), r, id)
		switch said := wrongText(v.cat, err); {
		case errors.Is(err, store.ErrNotFound):
			c.fail(w, r, http.StatusNotFound, "console.error.not_found")
		case said != "":
			e, err := c.hub(v).Endpoint(r.Context(), id)
			if err != nil {
				c.broken(w, r, err)
				return
			}
			c.showIntegration(w, r, v, http.StatusUnprocessableEntity, e, integrationPage{Wrong: said})
		case err != nil:
			c.broken(w, r, err)
		default:
			http.Redirect(w, r, where(id), http.StatusSeeOther)
		}
	}
}

// rotateIntegration gives a webhook another secret and shows it, once.
func (c *Console) rotateIntegration(w http.ResponseWriter, r *http.Request, v visitor) {
	secret, err := c.hub(v).Rotate(r.Context(), r.PathValue("id"))
	if errors.Is(err, store.ErrNotFound) {
		c.fail(w, r, http.StatusNotFound, "console.error.not_found")
		return
	}
	said := wrongText(v.cat, err)
	if err != nil && said == "" {
		c.broken(w, r, err)
		return
	}
	e, err := c.hub(v).Endpoint(r.Context(), r.PathValue("id"))
	if err != nil {
		c.broken(w, r, err)
		return
	}
	status := http.StatusOK
	if said != "" {
		status = http.StatusUnprocessableEntity
	}
	c.showIntegration(w, r, v, status, e, integrationPage{Secret: secret, Wrong: said})
}

// deliveries lists what was and is to be told.
func (c *Console) deliveries(w http.ResponseWriter, r *http.Request, v visitor) {
	q := r.URL.Query()
	p := deliveriesPage{frame: c.frameOf(r, v, v.cat.T("console.deliveries", nil)), Endpoint: q.Get("to"), State: q.Get("state"), Newer: q.Get("before") != "", CanWrite: v.may(company.IntegrationsWrite)}
	p.Back, p.States = "/deliveries", []string{"ready", "done", "failed"}
	if !slices.Contains(p.States, p.State) {
		p.State = ""
	}
	if done := q.Get("done"); slices.Contains([]string{"retried", "skipped"}, done) {
		p.Done = v.cat.T("console.deliveries.done."+done, nil)
	}
	var err error
	if p.Endpoints, err = c.hub(v).Endpoints(r.Context()); err != nil {
		c.broken(w, r, err)
		return
	}
	for i := range p.Endpoints {
		p.Endpoints[i].Name = summary.Clean(p.Endpoints[i].Name, 60)
	}
	list, err := c.hub(v).Deliveries(r.Context(), p.Endpoint, store.JobState(p.State), q.Get("before"), deliveriesListed+1)
	if err != nil {
		c.broken(w, r, err)
		return
	}
	if len(list) > deliveriesListed {
		list = list[:deliveriesListed]
		q.Set("before", list[deliveriesListed-1].ID)
		q.Del("done")
		p.Older = "/deliveries?" + q.Encode()
	}
	now := c.o.Now()
	for _, d := range list {
		p.List = append(p.List, c.delivery(v, d, now))
	}
	c.show(w, r, http.StatusOK, "deliveries", p)
}

func (c *Console) delivery(v visitor, d store.Delivery, now time.Time) deliveryRow {
	row := deliveryRow{ID: d.ID, Name: summary.Clean(d.EndpointName, 60), What: v.cat.T("console.integrations.event."+d.Type, nil), Error: summary.Clean(d.LastError, 300),
		When: c.when(v.cat, d.CreatedAt), Session: summary.Clean(d.Session, 80), Failed: d.State == store.JobFailed && !d.Skipped, CanRetry: d.State != store.JobLeased,
		CanSkip: !d.Skipped && (d.State == store.JobReady || d.State == store.JobFailed), Repeat: d.State == store.JobDone}
	if d.Session != "" && v.may(company.SessionsRead) {
		row.Ref = d.Key.Ref()
	}
	state := string(d.State)
	switch {
	case d.Skipped:
		state = "skipped"
	case d.State == store.JobReady && d.Attempts > 0:
		state = "again"
		if d.RunAt.After(now) {
			row.Next = v.cat.T("console.deliveries.next", assets.Args{"time": c.when(v.cat, d.RunAt)})
		}
	}
	row.State = v.cat.T("console.deliveries.state."+state, nil)
	row.Tries = v.cat.N("console.deliveries.tries", int(d.Attempts), nil)
	return row
}

// onDelivery does something to one and goes back to the list.
func (c *Console) onDelivery(do func(*integration.Company, *http.Request, string) error, done string) func(http.ResponseWriter, *http.Request, visitor) {
	return func(w http.ResponseWriter, r *http.Request, v visitor) {
		err := do(c.hub(v), r, r.PathValue("id"))
		switch {
		case errors.Is(err, store.ErrNotFound):
			c.fail(w, r, http.StatusNotFound, "console.error.not_found")
		case err != nil:
			c.broken(w, r, err)
		default:
			http.Redirect(w, r, "/deliveries?done="+done, http.StatusSeeOther)
		}
	}
}

// integrationRoutes are this area's lines of the table.
func (c *Console) integrationRoutes() []Route {
	if c.o.Hub == nil {
		return nil
	}
	to := func(done string) func(string) string {
		return func(id string) string { return "/integrations/" + id + "?done=" + done }
	}
	const read, write = company.IntegrationsRead, company.IntegrationsWrite
	return []Route{
		{Method: "GET", Pattern: "/integrations", Needs: read, Menu: "console.menu.destinations", In: InIntegrations, serve: c.integrations},
		{Method: "GET", Pattern: "/integrations/new", Needs: write, serve: c.newIntegration},
		{Method: "POST", Pattern: "/integrations", Needs: write, serve: c.createIntegration},
		{Method: "GET", Pattern: "/integrations/{id}", Needs: read, serve: c.integration},
		{Method: "POST", Pattern: "/integrations/{id}", Needs: write, serve: c.changeIntegration},
		{Method: "POST", Pattern: "/integrations/{id}/rotate", Needs: write, serve: c.rotateIntegration},
		{Method: "POST", Pattern: "/integrations/{id}/ping", Needs: write, serve: c.onIntegration(func(h *integration.Company, r *http.Request, id string) error { return h.Ping(r.Context(), id) }, to("pinged"))},
		{Method: "POST", Pattern: "/integrations/{id}/retry", Needs: write, serve: c.onIntegration(func(h *integration.Company, r *http.Request, id string) error {
			if _, err := h.Endpoint(r.Context(), id); err != nil {
				return err
			}
			_, err := h.RetryFailed(r.Context(), id)
			return err
		}, to("retried"))},
		{Method: "POST", Pattern: "/integrations/{id}/delete", Needs: write, serve: c.onIntegration(func(h *integration.Company, r *http.Request, id string) error { return h.Delete(r.Context(), id) },
			func(string) string { return "/integrations?deleted=1" })},
		{Method: "GET", Pattern: "/deliveries", Needs: read, Menu: "console.deliveries", In: InIntegrations, serve: c.deliveries},
		{Method: "POST", Pattern: "/deliveries/{id}/retry", Needs: write, serve: c.onDelivery(func(h *integration.Company, r *http.Request, id string) error { return h.Retry(r.Context(), id) }, "retried")},
		{Method: "POST", Pattern: "/deliveries/{id}/skip", Needs: write, serve: c.onDelivery(func(h *integration.Company, r *http.Request, id string) error { return h.Skip(r.Context(), id) }, "skipped")},
	}
}
