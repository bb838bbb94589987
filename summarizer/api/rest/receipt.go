package rest

import (
	"context"
	"net/http"

	"aval/agent/record"
	"aval/assets"
	"aval/summarizer/api"
	v1 "aval/summarizer/api/v1"
	"aval/summarizer/store"
)

// asIs is a body that is written as it is: a receipt is checked byte by byte.
type asIs struct {
	kind string
	body []byte
}

func (a asIs) write(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", a.kind)
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(a.body)
	return err
}

// VisitGetReceiptResponse implements v1.GetReceiptResponseObject.
func (a asIs) VisitGetReceiptResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitGetReceiptPageResponse implements v1.GetReceiptPageResponseObject.
func (a asIs) VisitGetReceiptPageResponse(w http.ResponseWriter) error { return a.write(w) }

// receipt is that of a session.
func (o *operations) receipt(ctx context.Context, id, grant string) (r record.Receipt, err error) {
	st, err := o.stream(ctx, id, "")
	if err != nil {
		return r, err
	}
	err = o.db.View(ctx, func(t *store.Tx) (err error) { r, err = api.Receipt(t, st, grant); return err })
	return r, err
}

func (o *operations) GetReceipt(ctx context.Context, r v1.GetReceiptRequestObject) (v1.GetReceiptResponseObject, error) {
	rec, err := o.receipt(ctx, r.Id, val(r.Params.Grant))
	if err != nil {
		return nil, err
	}
	raw, err := rec.JSON()
	return asIs{"application/ld+json", raw}, err
}

func (o *operations) GetReceiptPage(ctx context.Context, r v1.GetReceiptPageRequestObject) (v1.GetReceiptPageResponseObject, error) {
	rec, err := o.receipt(ctx, r.Id, val(r.Params.Grant))
	if err != nil {
		return nil, err
	}
	lang := string(val(r.Params.Lang))
	if lang == "" {
		c, err := from(ctx).co.Company(ctx)
		if err != nil {
			return nil, err
		}
		lang = c.Lang
	}
	return asIs{"text/plain; charset=utf-8", []byte(rec.Page(assets.For(lang)))}, nil
}
