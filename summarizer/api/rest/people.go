package rest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	v1 "aval/summarizer/api/v1"
	"aval/summarizer/company"
)

func (o *operations) Ping(ctx context.Context, _ v1.PingRequestObject) (v1.PingResponseObject, error) {
	return v1.Ping200JSONResponse{TokenValid: from(ctx).co != nil}, nil
}

func (o *operations) GetAccount(ctx context.Context, _ v1.GetAccountRequestObject) (v1.GetAccountResponseObject, error) {
	c := from(ctx)
	co, err := c.co.Company(ctx)
	if err != nil {
		return nil, err
	}
	out := v1.GetAccount200JSONResponse{Name: c.Actor.Name, CompanyName: co.Name, Role: string(c.Actor.Role)}
	if c.Actor.Kind == company.KindUser {
		u, err := c.co.User(ctx, c.Actor.ID)
		if err != nil {
			return nil, err
		}
		out.Userid, out.Email = "u"+u.ID, u.Login
	}
	return out, nil
}

func (o *operations) GetToken(ctx context.Context, _ v1.GetTokenRequestObject) (v1.GetTokenResponseObject, error) {
	c := from(ctx)
	out := v1.GetToken200JSONResponse{Id: c.Token.ID, Name: c.Token.Name, Prefix: c.Token.Prefix, Scopes: []string{}, CreatedAt: c.Token.CreatedAt, ExpiresAt: c.Token.ExpiresAt}
	for _, s := range c.Scopes {
		out.Scopes = append(out.Scopes, string(s))
	}
	if c.Token.User != "" {
		out.Userid = "u" + c.Token.User
	}
	return out, nil
}

func (o *operations) GetCompany(ctx context.Context, _ v1.GetCompanyRequestObject) (v1.GetCompanyResponseObject, error) {
	c, err := from(ctx).co.Company(ctx)
	return v1.GetCompany200JSONResponse{Id: c.ID, Name: c.Name, Language: c.Lang, CreatedAt: c.CreatedAt}, err
}

func (o *operations) GetLicense(ctx context.Context, _ v1.GetLicenseRequestObject) (v1.GetLicenseResponseObject, error) {
	l, err := license(ctx)
	return v1.GetLicense200JSONResponse(l), err
}

// license is the caller's company's, as it is now.
func license(ctx context.Context) (v1.License, error) {
	a, err := from(ctx).co.Credits(ctx)
	l := v1.License{Type: a.Tier, MonthlyCredits: a.Monthly, Starts: a.Starts, Renews: a.Renews, Zone: a.Zone}
	if a.Starts == "" && a.Licence != nil {
		l.Starts, l.Renews = a.Licence.Starts, a.Licence.Renews
	}
	return l, err
}

func (o *operations) SetLicense(ctx context.Context, r v1.SetLicenseRequestObject) (v1.SetLicenseResponseObject, error) {
	b, co := r.Body, from(ctx).co
	var zone *string
	if b.Zone != "" {
		zone = &b.Zone
	}
	if err := co.SetLicence(ctx, b.Type, b.Starts, b.Renews, zone); err != nil {
		return nil, err
	}
	l, err := license(ctx)
	return v1.SetLicense200JSONResponse(l), err
}

func user(u company.User) v1.User {
	return v1.User{Id: "u" + u.ID, Name: u.Name, Email: u.Login, Role: string(u.Role), Group: u.Team, LogSessions: u.LogSessions, Active: u.DisabledAt.IsZero(),
		LastAccessDate: u.SignedInAt}
}

func (o *operations) ListUsers(ctx context.Context, r v1.ListUsersRequestObject) (v1.ListUsersResponseObject, error) {
	p := r.Params
	limit := val(p.Limit)
	if limit == 0 {
		limit = 1000
	}
	list, err := from(ctx).co.Users(ctx, company.UserFilter{Search: val(p.Name), Logged: p.LogSessions, After: bare(val(p.Offset), "u"), Max: limit + 1})
	if err != nil {
		return nil, err
	}
	out := v1.ListUsers200JSONResponse{Users: []v1.User{}}
	if len(list) > limit {
		list = list[:limit]
		out.NextOffset = "u" + list[limit-1].ID
	}
	emails := strings.FieldsFunc(strings.ToLower(val(p.Email)), func(r rune) bool { return r == ',' || r == ' ' })
	for _, u := range list {
		if len(emails) == 0 || slices.Contains(emails, u.Login) {
			out.Users = append(out.Users, user(u))
		}
	}
	return out, nil
}

func (o *operations) CreateUser(ctx context.Context, r v1.CreateUserRequestObject) (v1.CreateUserResponseObject, error) {
	b := r.Body
	u, err := from(ctx).co.CreateUser(ctx, company.NewUser{Name: b.Name, Login: b.Email, Role: company.Role(b.Role), Team: b.Group, Unlogged: b.LogSessions != nil && !*b.LogSessions})
	return v1.CreateUser200JSONResponse(user(u)), err
}

func (o *operations) GetUser(ctx context.Context, r v1.GetUserRequestObject) (v1.GetUserResponseObject, error) {
	u, err := from(ctx).co.User(ctx, bare(r.Id, "u"))
	return v1.GetUser200JSONResponse(user(u)), err
}

func (o *operations) UpdateUser(ctx context.Context, r v1.UpdateUserRequestObject) (v1.UpdateUserResponseObject, error) {
	b, co, id := r.Body, from(ctx).co, bare(r.Id, "u")
	u, err := co.User(ctx, id)
	if err != nil {
		return nil, err
	}
	// A person who comes back can be changed; one who goes is changed before.
	if b.Active != nil && *b.Active && !u.DisabledAt.IsZero() {
		if err := co.EnableUser(ctx, id); err != nil {
			return nil, err
		}
	}
	ch := company.UserChange{Name: b.Name, Login: b.Email, Team: b.Group, LogSessions: b.LogSessions}
	if b.Role != nil {
		role := company.Role(*b.Role)
		ch.Role = &role
	}
	if !u.DisabledAt.IsZero() && ch != (company.UserChange{}) && !(b.Active != nil && *b.Active) {
		return nil, problem{409, "disabled", "This person is switched off: what is to be changed goes with active=true."}
	}
	if ch != (company.UserChange{}) {
		if _, err := co.ChangeUser(ctx, id, ch); err != nil {
			return nil, err
		}
	}
	if b.Active != nil && !*b.Active && u.DisabledAt.IsZero() {
		return v1.UpdateUser204Response{}, co.DisableUser(ctx, id)
	}
	return v1.UpdateUser204Response{}, nil
}

func (o *operations) DisableUser(ctx context.Context, r v1.DisableUserRequestObject) (v1.DisableUserResponseObject, error) {
	return v1.DisableUser204Response{}, from(ctx).co.DisableUser(ctx, bare(r.Id, "u"))
}

// person is the user whose token it is: a company's own token supports nobody.
func person(ctx context.Context) (company.User, error) {
	c := from(ctx)
	if c.Actor.Kind != company.KindUser {
		return company.User{}, problem{403, "insufficient_scope", "This needs a user's own token: people at computers are told who connects."}
	}
	return c.co.User(ctx, c.Actor.ID)
}

func (o *operations) CreateCode(ctx context.Context, r v1.CreateCodeRequestObject) (v1.CreateCodeResponseObject, error) {
	u, err := person(ctx)
	if err != nil {
		return nil, err
	}
	c, err := from(ctx).co.NewCode(ctx, company.CodeFor{Supporter: u.Name, LogSessions: u.LogSessions, Module: r.Body.Module})
	return v1.CreateCode201JSONResponse{Id: c.ID, Code: c.Code, Link: c.Link, Supporter: c.Supporter, ExpiresAt: c.ExpiresAt, Pinned: c.Pinned}, err
}

func (o *operations) Announce(ctx context.Context, r v1.AnnounceRequestObject) (v1.AnnounceResponseObject, error) {
	u, err := person(ctx)
	if err != nil {
		return nil, err
	}
	a, err := from(ctx).co.Announce(ctx, u.ID, r.Body.Device)
	return v1.Announce201JSONResponse{Id: a.ID, Device: a.Device, Supporter: a.Supporter, ExpiresAt: a.ExpiresAt, Delivered: a.Delivered}, err
}

func (o *operations) GetAnnouncement(ctx context.Context, r v1.GetAnnouncementRequestObject) (v1.GetAnnouncementResponseObject, error) {
	told, err := from(ctx).co.Delivered(ctx, r.Id)
	return v1.GetAnnouncement200JSONResponse{Id: r.Id, Delivered: told}, err
}

func (o *operations) GetCredits(ctx context.Context, _ v1.GetCreditsRequestObject) (v1.GetCreditsResponseObject, error) {
	a, err := from(ctx).co.Credits(ctx)
	if err != nil {
		return nil, err
	}
	var out v1.GetCredits200JSONResponse
	return &out, recast(a, &out)
}

func (o *operations) OrderCredits(ctx context.Context, r v1.OrderCreditsRequestObject) (v1.OrderCreditsResponseObject, error) {
	c := from(ctx)
	// The request's id, or its Idempotency-Key, orders once.
	token := val(r.Params.IdempotencyKey)
	if token == "" {
		token = c.id
	}
	sum := sha256.Sum256([]byte(c.Token.ID + "\x00" + token))
	order, err := c.co.OrderCredits(ctx, r.Body.Pack, "api:"+hex.EncodeToString(sum[:16]))
	if err != nil {
		return nil, err
	}
	return v1.OrderCredits201JSONResponse{Id: order.ID, Pack: order.Pack, Credits: order.Credits, PriceHundredths: order.Price, Currency: order.Currency,
		PlacedBy: order.PlacedBy, PlacedAt: order.PlacedAt.UTC()}, nil
}

func (o *operations) CancelOrder(ctx context.Context, r v1.CancelOrderRequestObject) (v1.CancelOrderResponseObject, error) {
	return v1.CancelOrder204Response{}, from(ctx).co.CancelOrder(ctx, r.Id)
}
