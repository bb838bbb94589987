package rest

import (
	"context"

	"aval/agent/consent"
	v1 "aval/summarizer/api/v1"
	"aval/summarizer/summary"
)

func (o *operations) EditSummary(ctx context.Context, r v1.EditSummaryRequestObject) (v1.EditSummaryResponseObject, error) {
	base, err := matches(val(r.Params.IfMatch))
	if err != nil {
		return nil, err
	}
	st, err := o.stream(ctx, r.Id, "")
	if err != nil {
		return nil, err
	}
	b := r.Body
	_, err = from(ctx).co.EditSummary(ctx, st.Key, base, func(e summary.Edit) summary.Edit {
		if b.Name != nil {
			e.Name = *b.Name
		}
		if b.Sentences != nil {
			e.Sentences = b.Sentences
		}
		if b.IssueTypeLabels != nil {
			e.Labels = b.IssueTypeLabels
		}
		if b.Steps != nil {
			e.Steps = nil
			for _, s := range b.Steps {
				e.Steps = append(e.Steps, summary.Step{Application: s.Application, Action: s.Action, Commands: s.Commands})
			}
		}
		return e
	})
	if err != nil {
		return nil, err
	}
	s, err := o.summary(ctx, r.Id, "")
	return v1.EditSummary200JSONResponse{SummaryJSONResponse: s}, err
}

// erase deletes what was recorded of a session.
func (o *operations) erase(ctx context.Context, id string, d consent.Direction) error {
	st, err := o.stream(ctx, id, d)
	if err != nil {
		return err
	}
	return from(ctx).co.DeleteSession(ctx, st.Key)
}

func (o *operations) DeleteSummary(ctx context.Context, r v1.DeleteSummaryRequestObject) (v1.DeleteSummaryResponseObject, error) {
	return v1.DeleteSummary204Response{}, o.erase(ctx, r.Id, "")
}

func (o *operations) DeleteConnection(ctx context.Context, r v1.DeleteConnectionRequestObject) (v1.DeleteConnectionResponseObject, error) {
	return v1.DeleteConnection204Response{}, o.erase(ctx, r.Id, consent.Outgoing)
}

func (o *operations) RegenerateSummary(ctx context.Context, r v1.RegenerateSummaryRequestObject) (v1.RegenerateSummaryResponseObject, error) {
	st, err := o.stream(ctx, r.Id, "")
	if err != nil {
		return nil, err
	}
	return v1.RegenerateSummary202Response{}, from(ctx).co.RegenerateSummary(ctx, st.Key)
}
