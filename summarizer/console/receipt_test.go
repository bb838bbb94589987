package console_test

import (
	"net/http"
	"strings"
	"testing"

	"aval/agent/record"
	"aval/summarizer/summary/sample"
)

// TestReceiptOfSession: the session's page leads to its receipt, to be read in the
// page's language and to be verified; of what there is none it says so. To see it
// fail, let the handler answer with the record's envelope.
func TestReceiptOfSession(t *testing.T) {
	s := start(t)
	k := s.put(sample.Printer("en"))
	at := "/s/" + k.Ref()
	b := s.signedIn("pt-BR")
	if _, page := b.get(s.url + at); !strings.Contains(page, at+"/receipt/txt") || !strings.Contains(page, at+"/receipt/json") {
		t.Errorf("the page does not lead there:\n%s", page)
	}
	res, page := b.do(http.MethodGet, at+"/receipt/txt")
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/plain") || !strings.Contains(page, k.Session) || !strings.Contains(page, "Pergunta mostrada") {
		t.Errorf("%d %v\n%s", res.StatusCode, res.Header, page)
	}
	res, raw := b.do(http.MethodGet, at+"/receipt/json")
	if r, err := record.OpenReceipt([]byte(raw), nil); err != nil || r.Session() != k.Session || !strings.HasPrefix(res.Header.Get("Content-Disposition"), "attachment") {
		t.Errorf("%v, %v\n%s", err, res.Header, raw)
	}
	for _, path := range []string{at + "/receipt/pdf", "/s/nothing/receipt/txt"} {
		if res, _ := b.do(http.MethodGet, path); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
	if err := s.co.RevokeDevice(t.Context(), sample.Device); err != nil {
		t.Fatal(err)
	}
	if res, page := b.do(http.MethodGet, at+"/receipt/txt"); res.StatusCode != http.StatusNotFound || !strings.Contains(page, "chave do computador foi revogada") {
		t.Errorf("revoked: %d\n%s", res.StatusCode, page)
	}
}
