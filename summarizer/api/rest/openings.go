package rest

import (
	"context"
	"time"

	v1 "aval/summarizer/api/v1"
	"aval/summarizer/company"
)

func opening(o company.Opening) v1.Opening {
	return v1.Opening{Id: o.ID, Number: o.Number, Module: o.Module, CreatedAt: o.CreatedAt, ExpiresAt: o.ExpiresAt}
}

func (o *operations) ListOpenings(ctx context.Context, _ v1.ListOpeningsRequestObject) (v1.ListOpeningsResponseObject, error) {
	list, err := from(ctx).co.Openings(ctx)
	out := v1.ListOpenings200JSONResponse{Openings: []v1.Opening{}}
	for _, x := range list {
		out.Openings = append(out.Openings, opening(x))
	}
	return out, err
}

func (o *operations) TakeOpening(ctx context.Context, r v1.TakeOpeningRequestObject) (v1.TakeOpeningResponseObject, error) {
	u, err := person(ctx)
	if err != nil {
		return nil, err
	}
	t, err := from(ctx).co.TakeOpening(ctx, u.ID, r.Id)
	return v1.TakeOpening200JSONResponse{Id: t.ID, Number: t.Number, Module: t.Module, CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt, Supporter: t.Supporter, Device: t.Device}, err
}

func (o *operations) RefuseOpening(ctx context.Context, r v1.RefuseOpeningRequestObject) (v1.RefuseOpeningResponseObject, error) {
	_, err := from(ctx).co.RefuseOpening(ctx, r.Id)
	return v1.RefuseOpening204Response{}, err
}

func enrolToken(k company.EnrolToken) v1.EnrolmentToken {
	return v1.EnrolmentToken{Id: k.ID, Name: k.Name, Group: k.Group, GroupId: k.GroupID, Uses: k.Uses, Used: k.Used, CreatedAt: k.CreatedAt, ExpiresAt: k.ExpiresAt,
		UsedAt: k.UsedAt, RevokedAt: k.RevokedAt}
}

func (o *operations) ListEnrolmentTokens(ctx context.Context, r v1.ListEnrolmentTokensRequestObject) (v1.ListEnrolmentTokensResponseObject, error) {
	limit := val(r.Params.Limit)
	if limit == 0 {
		limit = 1000
	}
	list, err := from(ctx).co.EnrolTokens(ctx, val(r.Params.Before), limit)
	out := v1.ListEnrolmentTokens200JSONResponse{Tokens: []v1.EnrolmentToken{}}
	for _, k := range list {
		out.Tokens = append(out.Tokens, enrolToken(k))
	}
	return out, err
}

func (o *operations) CreateEnrolmentToken(ctx context.Context, r v1.CreateEnrolmentTokenRequestObject) (v1.CreateEnrolmentTokenResponseObject, error) {
	b := r.Body
	f, k, err := from(ctx).co.CreateEnrolToken(ctx, company.NewEnrolToken{Name: b.Name, Uses: b.Uses, Group: b.Group, Life: time.Duration(b.LifeHours) * time.Hour})
	return v1.CreateEnrolmentToken201JSONResponse{Token: enrolToken(k), File: v1.TokenFile{Server: f.Server, Pin: f.Pin, Token: f.Token, Company: f.Company}}, err
}

func (o *operations) RevokeEnrolmentToken(ctx context.Context, r v1.RevokeEnrolmentTokenRequestObject) (v1.RevokeEnrolmentTokenResponseObject, error) {
	return v1.RevokeEnrolmentToken204Response{}, from(ctx).co.RevokeEnrolToken(ctx, r.Id)
}
