package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"aval/summarizer/api"
	v1 "aval/summarizer/api/v1"
	"aval/summarizer/store"
)

// etag names a version; matches tells what version an If-Match asks for, 0: any.
func etag(version int64) string { return `"v` + strconv.FormatInt(version, 10) + `"` }

func matches(header string) (int64, error) {
	h := strings.TrimSpace(header)
	if h == "" || h == "*" {
		return 0, nil
	}
	n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimPrefix(h, `"v`), `"`), 10, 64)
	if err != nil || n < 1 || etag(n) != h {
		return 0, changed // it is the ETag of something else
	}
	return n, nil
}

func (o *operations) ListSessions(ctx context.Context, r v1.ListSessionsRequestObject) (v1.ListSessionsResponseObject, error) {
	out := v1.ListSessions200JSONResponse{Sessions: []v1.SessionInfo{}}
	limit := val(r.Params.Limit)
	if limit == 0 {
		limit = 100
	}
	var list []store.Stream
	err := o.db.View(ctx, func(t *store.Tx) error {
		var after store.Cursor
		if a := val(r.Params.After); a != "" {
			st, err := t.StreamByRef(from(ctx).co.ID(), refOf(a))
			if errors.Is(err, store.ErrNotFound) {
				return problem{400, "invalid_request", "The offset is of no page."}
			}
			if err != nil {
				return err
			}
			after = st.Cursor()
		}
		var err error
		list, err = t.Streams(from(ctx).co.ID(), after, limit+1)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(list) > limit {
		list = list[:limit]
		out.Next = reportID(list[limit-1].Ref).String()
	}
	for _, s := range list {
		out.Sessions = append(out.Sessions, v1.SessionInfo{Id: reportID(s.Ref), Session: s.Session, Device: s.Device, DeviceName: s.DeviceName, Tool: s.Tool, Supporter: s.Supporter,
			SupporterVerified: s.SupporterVerified, Direction: string(s.Direction), Basis: string(s.Basis), StartedAt: s.StartedAt, EndedAt: s.EndedAt,
			WithdrawnAt: s.WithdrawnAt, ObjectedAt: s.ObjectedAt, ErasedAt: s.ErasedAt, SummaryVersion: s.SummaryVersion})
	}
	return out, nil
}

// session reads one as an export has it.
func (o *operations) session(ctx context.Context, id string) (s api.Session, err error) {
	st, err := o.stream(ctx, id, "")
	if err != nil {
		return s, err
	}
	if err := from(ctx).co.ReadSession(ctx, st.Ref); err != nil {
		return s, err
	}
	err = o.db.View(ctx, func(t *store.Tx) (err error) { s, err = api.Read(t, st); return err })
	return s, err
}

func (o *operations) GetSession(ctx context.Context, r v1.GetSessionRequestObject) (v1.GetSessionResponseObject, error) {
	s, err := o.session(ctx, r.Id)
	if err != nil {
		return nil, err
	}
	var out v1.GetSession200JSONResponse
	return &out, recast(s, &out)
}

// recast makes one shape of another that has the same JSON.
func recast(a, b any) error {
	raw, err := json.Marshal(a)
	if err == nil {
		err = json.Unmarshal(raw, b)
	}
	if err != nil {
		return fmt.Errorf("recast %T: %w", a, err)
	}
	return nil
}

func (o *operations) ListEvents(ctx context.Context, r v1.ListEventsRequestObject) (v1.ListEventsResponseObject, error) {
	st, err := o.stream(ctx, r.Id, "")
	if err != nil {
		return nil, err
	}
	if err := from(ctx).co.ReadSession(ctx, st.Ref); err != nil {
		return nil, err
	}
	limit := val(r.Params.Limit)
	if limit == 0 {
		limit = 1000
	}
	out := v1.ListEvents200JSONResponse{Events: []map[string]any{}}
	err = o.db.View(ctx, func(t *store.Tx) error {
		list, err := t.Events(st.Key, uint64(val(r.Params.After)), limit+1)
		if len(list) > limit {
			list = list[:limit]
			out.Next = int64(list[limit-1].Seq)
		}
		for _, e := range list {
			out.Events = append(out.Events, api.Flat(e))
		}
		return err
	})
	return out, err
}

func (o *operations) VerifySession(ctx context.Context, r v1.VerifySessionRequestObject) (v1.VerifySessionResponseObject, error) {
	s, err := o.session(ctx, r.Id)
	if err != nil {
		return nil, err
	}
	var out v1.VerifySession200JSONResponse
	return &out, recast(api.VerifySession(s), &out)
}

func (o *operations) GetSummary(ctx context.Context, r v1.GetSummaryRequestObject) (v1.GetSummaryResponseObject, error) {
	s, err := o.summary(ctx, r.Id, "")
	return v1.GetSummary200JSONResponse{SummaryJSONResponse: s}, err
}

func (o *operations) ListSummaryVersions(ctx context.Context, r v1.ListSummaryVersionsRequestObject) (v1.ListSummaryVersionsResponseObject, error) {
	st, err := o.stream(ctx, r.Id, "")
	if err != nil {
		return nil, err
	}
	if err := from(ctx).co.ReadSession(ctx, st.Ref); err != nil {
		return nil, err
	}
	out := v1.ListSummaryVersions200JSONResponse{Versions: []v1.SummaryVersion{}}
	err = o.db.View(ctx, func(t *store.Tx) error {
		list, err := t.Summaries(st.Key)
		for _, s := range list {
			v := v1.SummaryVersion{Version: s.Version, Engine: s.Engine, Author: s.Author, Language: s.Lang, CreatedAt: s.CreatedAt}
			if err := json.Unmarshal([]byte(s.JSON), &v.Summary); err != nil {
				return fmt.Errorf("read summary: %w", err)
			}
			out.Versions = append(out.Versions, v)
		}
		return err
	})
	return out, err
}

// auditPage is how many rows of the audit log one answer has.
const auditPage = 1000

func (o *operations) ListAuditEvents(ctx context.Context, r v1.ListAuditEventsRequestObject) (v1.ListAuditEventsResponseObject, error) {
	f := store.AuditFilter{From: r.Body.StartDate, To: r.Body.EndDate, Max: auditPage + 1}
	if len(r.Body.EventNames) > 0 {
		f.Action = r.Body.EventNames[0]
	}
	if c := r.Body.ContinuationToken; c != "" {
		var err error
		if f.Before, err = strconv.ParseInt(c, 10, 64); err != nil || f.Before < 0 {
			return nil, problem{400, "invalid_request", "The ContinuationToken is of no page."}
		}
		if f.Before == 0 {
			return v1.ListAuditEvents200JSONResponse{AuditEvents: []v1.AuditEvent{}}, nil
		}
	}
	list, err := from(ctx).co.Audits(ctx, f)
	if err != nil {
		return nil, err
	}
	out := v1.ListAuditEvents200JSONResponse{AuditEvents: []v1.AuditEvent{}}
	if len(list) > auditPage {
		list = list[:auditPage]
		out.ContinuationToken = strconv.FormatInt(list[auditPage-1].Seq, 10)
	}
	for _, a := range list {
		kind, _, _ := strings.Cut(a.Action, "-")
		e := v1.AuditEvent{EventName: a.Action, EventType: kind, Timestamp: a.At.UTC(), Author: a.Actor, AffectedItem: a.Subject, EventDetails: []v1.AuditDetail{}}
		if a.Detail != "" {
			e.EventDetails = append(e.EventDetails, v1.AuditDetail{PropertyName: "detail", NewValue: a.Detail})
		}
		if a.Before != "" || a.After != "" {
			e.EventDetails = append(e.EventDetails, v1.AuditDetail{PropertyName: "value", OldValue: a.Before, NewValue: a.After})
		}
		out.AuditEvents = append(out.AuditEvents, e)
	}
	return out, nil
}
