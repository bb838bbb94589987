package console

import (
	"errors"
	"net/http"

	"aval/agent/record"
	"aval/assets"
	"aval/summarizer/api"
	"aval/summarizer/store"
)

// receipt gives the receipt of a session's newest grant: as a page to read (txt),
// or as what anybody can verify (json).
func (c *Console) receipt(w http.ResponseWriter, r *http.Request, v visitor) {
	var rec record.Receipt
	err := c.db.View(r.Context(), func(t *store.Tx) error {
		s, err := t.StreamByRef(v.company.ID, r.PathValue("ref"))
		if err == nil {
			rec, err = api.Receipt(t, s, "")
		}
		return err
	})
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, api.ErrNoReceipt):
		c.fail(w, r, http.StatusNotFound, "console.error.no_receipt")
		return
	case err != nil:
		c.broken(w, r, err)
		return
	}
	switch r.PathValue("form") {
	case "txt":
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte(rec.Page(assets.For(v.cat.Lang))))
	case "json":
		raw, err := rec.JSON()
		if err != nil {
			c.broken(w, r, err)
			return
		}
		download(w, "aval-receipt-"+r.PathValue("ref")+".json", "application/ld+json", raw)
	default:
		c.fail(w, r, http.StatusNotFound, "console.error.not_found")
	}
}
