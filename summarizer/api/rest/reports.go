package rest

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"time"

	openapi_types "github.com/oapi-codegen/runtime/types"

	"aval/agent/consent"
	v1 "aval/summarizer/api/v1"
	"aval/summarizer/store"
)

// operations are what the document describes.
type operations struct{ *Server }

// remoteControl is TeamViewer's type of a session of remote control.
const remoteControl = 1

// reportID is a session's reference in the shape of a GUID, which TeamViewer's
// clients expect: the reference's 20 hex digits, then zeros.
func reportID(ref string) openapi_types.UUID {
	var id openapi_types.UUID
	raw, err := hex.DecodeString(ref)
	if err == nil {
		copy(id[:], raw)
	}
	return id
}

// refOf reads what reportID wrote, or a reference itself.
func refOf(id string) string {
	s := strings.ToLower(strings.ReplaceAll(id, "-", ""))
	if len(s) == 32 && strings.HasSuffix(s, "000000000000") {
		s = s[:20]
	}
	return s
}

// stream finds a session by the id of its report; missing.
func (o *operations) stream(ctx context.Context, id string, direction consent.Direction) (st store.Stream, err error) {
	err = o.db.View(ctx, func(t *store.Tx) (err error) { st, err = t.StreamByRef(from(ctx).co.ID(), refOf(id)); return err })
	if err == nil && direction != "" && st.Direction != direction {
		err = missing
	}
	return st, err
}

// reports is a page of reports, and how many come after it.
func (o *operations) reports(ctx context.Context, f store.ReportFilter, offset string, limit int) (list []store.Report, left int64, next string, err error) {
	c := from(ctx)
	if limit == 0 {
		limit = 1000
	}
	f.Company = c.co.ID()
	err = o.db.View(ctx, func(t *store.Tx) error {
		if offset != "" {
			st, err := t.StreamByRef(f.Company, refOf(offset))
			if errors.Is(err, store.ErrNotFound) {
				return problem{400, "invalid_request", "The offset is of no page."}
			}
			if err != nil {
				return err
			}
			f.After = store.ReportCursor{EndedAt: st.EndedAt, Ref: st.Ref}
		}
		list, left, err = t.Reports(f, limit)
		return err
	})
	if err != nil {
		return nil, 0, "", err
	}
	if left > 0 && len(list) > 0 {
		next = reportID(list[len(list)-1].Ref).String()
	}
	return list, left, next, nil
}

func (o *operations) ListConnections(ctx context.Context, r v1.ListConnectionsRequestObject) (v1.ListConnectionsResponseObject, error) {
	p := r.Params
	out := v1.ListConnections200JSONResponse{Records: []v1.Connection{}}
	if p.SupportSessionType != nil && *p.SupportSessionType != remoteControl {
		return out, nil
	}
	list, left, next, err := o.reports(ctx, store.ReportFilter{Direction: consent.Outgoing, From: val(p.FromDate), To: val(p.ToDate), Supporter: val(p.Username), Owner: bare(val(p.Userid), "u"),
		DeviceName: val(p.Devicename), Device: bare(val(p.Deviceid), "d"), Group: bare(val(p.Groupid), "g"), Code: p.HasCode}, cmp.Or(val(p.OffsetId), val(p.Offset)), val(p.Limit))
	for _, s := range list {
		out.Records = append(out.Records, connection(s))
	}
	out.RecordsRemaining, out.NextOffset = left, next
	return out, err
}

// val is what an optional parameter holds; its zero value where it is left out.
func val[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// bare takes the letter off that TeamViewer writes before ids.
func bare(id, letter string) string { return strings.TrimPrefix(id, letter) }

func connection(s store.Report) v1.Connection {
	out := v1.Connection{Id: reportID(s.Ref), Username: s.Supporter, Deviceid: "d" + s.Device, Devicename: s.DeviceName, SupportSessionType: remoteControl,
		StartDate: s.StartedAt, EndDate: s.EndedAt, BillingState: v1.ConnectionBillingState(s.Note.BillingState), Notes: s.Note.Note, Groupname: s.GroupName}
	if s.Owner != "" {
		out.Userid = "u" + s.Owner
	}
	if s.Group != "" {
		out.Groupid = "g" + s.Group
	}
	return out
}

// report is one session with its note.
func (o *operations) report(ctx context.Context, id string, d consent.Direction) (store.Report, error) {
	st, err := o.stream(ctx, id, d)
	if err != nil {
		return store.Report{}, err
	}
	out := store.Report{Stream: st}
	err = o.db.View(ctx, func(t *store.Tx) error { return t.CompleteReport(&out) })
	return out, err
}

func (o *operations) GetConnection(ctx context.Context, r v1.GetConnectionRequestObject) (v1.GetConnectionResponseObject, error) {
	s, err := o.report(ctx, r.Id, consent.Outgoing)
	return v1.GetConnection200JSONResponse(connection(s)), err
}

func (o *operations) UpdateConnection(ctx context.Context, r v1.UpdateConnectionRequestObject) (v1.UpdateConnectionResponseObject, error) {
	st, err := o.stream(ctx, r.Id, consent.Outgoing)
	if err != nil {
		return nil, err
	}
	var note, billing *string
	if r.Body.BillingState != nil {
		s := string(*r.Body.BillingState)
		billing = &s
	}
	note = r.Body.Notes
	return v1.UpdateConnection204Response{}, from(ctx).co.NoteReport(ctx, st.Key, billing, note)
}

func (o *operations) ListDeviceReports(ctx context.Context, r v1.ListDeviceReportsRequestObject) (v1.ListDeviceReportsResponseObject, error) {
	p := r.Params
	list, left, next, err := o.reports(ctx, store.ReportFilter{Direction: consent.Incoming, From: val(p.FromDate), To: val(p.ToDate), Supporter: val(p.Username),
		DeviceName: val(p.Devicename), Device: bare(val(p.Deviceid), "d")}, cmp.Or(val(p.OffsetId), val(p.Offset)), val(p.Limit))
	out := v1.ListDeviceReports200JSONResponse{Records: []v1.DeviceReport{}, RecordsRemaining: left, NextOffset: next}
	for _, s := range list {
		out.Records = append(out.Records, deviceReport(s.Stream))
	}
	return out, err
}

func deviceReport(s store.Stream) v1.DeviceReport {
	out := v1.DeviceReport{Id: reportID(s.Ref), Targetid: "d" + s.Device, Targetname: s.DeviceName, StartDate: s.StartedAt, EndDate: s.EndedAt, Username: s.Supporter}
	if s.Owner != "" {
		out.Userid = "u" + s.Owner
	}
	return out
}

func (o *operations) GetDeviceReport(ctx context.Context, r v1.GetDeviceReportRequestObject) (v1.GetDeviceReportResponseObject, error) {
	s, err := o.stream(ctx, r.Id, consent.Incoming)
	return v1.GetDeviceReport200JSONResponse(deviceReport(s)), err
}

func (o *operations) GetConnectionSummary(ctx context.Context, r v1.GetConnectionSummaryRequestObject) (v1.GetConnectionSummaryResponseObject, error) {
	s, err := o.summary(ctx, r.Id, consent.Outgoing)
	return v1.GetConnectionSummary200JSONResponse{SummaryJSONResponse: s}, err
}

func (o *operations) GetDeviceReportSummary(ctx context.Context, r v1.GetDeviceReportSummaryRequestObject) (v1.GetDeviceReportSummaryResponseObject, error) {
	s, err := o.summary(ctx, r.Id, consent.Incoming)
	return v1.GetDeviceReportSummary200JSONResponse{SummaryJSONResponse: s}, err
}

// summary is the version in force of a session's summary, with its ETag.
func (o *operations) summary(ctx context.Context, id string, d consent.Direction) (out v1.SummaryJSONResponse, err error) {
	st, err := o.stream(ctx, id, d)
	if err != nil {
		return out, err
	}
	var s store.Summary
	if err := o.db.View(ctx, func(t *store.Tx) (err error) { s, err = t.Summary(st.Key); return err }); err != nil {
		return out, err
	}
	if err := from(ctx).co.ReadSession(ctx, st.Ref); err != nil {
		return out, err
	}
	out.Headers.ETag = etag(s.Version)
	return out, json.Unmarshal([]byte(s.JSON), &out.Body)
}

// detached is the time that is left for what must be written once a request was
// answered.
func detached(r interface{ Context() context.Context }) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(r.Context()), 10*time.Second)
}
