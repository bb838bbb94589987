package company_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"aval/agent/wire"
	"aval/summarizer/company"
	"aval/summarizer/store"
	"aval/summarizer/store/storetest"
)

// A user's token makes codes and announcements in that user's name and nobody
// else's, until the user is disabled. Planted: without disabled_at in
// store.LiveAPIToken the last row got its code.
func TestUserAPI(t *testing.T) {
	db, err := store.Open(t.Context(), storetest.Dir(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	h, err := company.Open(t.Context(), db, company.Options{Server: "https://support.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	co, err := h.Home(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	u, err := co.CreateUser(t.Context(), company.NewUser{Name: "Ana Souza"})
	if err != nil {
		t.Fatal(err)
	}
	token, _, err := co.CreateAPIToken(t.Context(), company.NewAPIToken{Name: "Help desk", User: u.ID, Scopes: []company.Permission{company.CodesWrite}})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Tx(t.Context(), func(tx *store.Tx) error {
		return tx.InsertDevice(store.Device{ID: "01DEVICE", Company: co.ID(), Name: "desk"}, "k", make([]byte, 32))
	}); err != nil {
		t.Fatal(err)
	}
	ask := func(h http.Handler, method, auth, body string) (int, map[string]any) {
		r := httptest.NewRequest(method, "/", strings.NewReader(body))
		if auth != "" {
			r.Header.Set("Authorization", auth)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		var out map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			t.Fatalf("%q: %v", w.Body, err)
		}
		return w.Code, out
	}
	codes, announce := h.CodesAPI(), h.AnnounceAPI()
	if _, _, err := co.CreateModule(t.Context(), "Help desk", false, 30); err != nil {
		t.Fatal(err)
	}
	if code, out := ask(codes, "POST", "Bearer "+token, `{"module":"Help desk"}`); code != http.StatusCreated || out["supporter"] != "Ana Souza" {
		t.Errorf("%d %v", code, out)
	} else if _, err := wire.ParseCode(out["code"].(string)); err != nil {
		t.Error(err)
	}
	if code, out := ask(announce, "POST", "Bearer "+token, `{"device":"01device"}`); code != http.StatusCreated || out["supporter"] != "Ana Souza" || out["device"] != "01DEVICE" {
		t.Errorf("%d %v", code, out)
	}
	for name, row := range map[string]struct {
		h                  http.Handler
		method, auth, body string
		want               int
	}{
		"no token":              {codes, "POST", "", `{}`, 401},
		"a wrong token":         {codes, "POST", "Bearer x", `{}`, 401},
		"an administrator's":    {codes, "POST", "Bearer aval_admin_x", `{}`, 401},
		"not a POST":            {codes, "GET", "Bearer " + token, ``, 405},
		"no such module":        {codes, "POST", "Bearer " + token, `{"module":"Mine"}`, 404},
		"a switch of one's own": {codes, "POST", "Bearer " + token, `{"module":"Help desk","module_insights":true}`, 400},
		"another name":          {codes, "POST", "Bearer " + token, `{"supporter":"Mallory"}`, 400},
		"no JSON":               {codes, "POST", "Bearer " + token, `x`, 400},
		"too long":              {codes, "POST", "Bearer " + token, `{"module":"` + strings.Repeat("x", 20<<10) + `"}`, 400},
		"no device":             {announce, "POST", "Bearer " + token, `{}`, 400},
		"an unknown device":     {announce, "POST", "Bearer " + token, `{"device":"02"}`, 404},
	} {
		if code, out := ask(row.h, row.method, row.auth, row.body); code != row.want || out["error"] == "" {
			t.Errorf("%s: %d %v", name, code, out)
		}
	}
	if err := co.DisableUser(t.Context(), u.ID); err != nil {
		t.Fatal(err)
	}
	if code, _ := ask(codes, "POST", "Bearer "+token, `{}`); code != http.StatusUnauthorized {
		t.Errorf("a disabled user: %d", code)
	}
}

// What computers send before anything is known of them is read strictly.
func FuzzDecodeRedeem(f *testing.F) {
	f.Add([]byte(`{"code":"7K3M-Q9TD","public_key":"` + strings.Repeat("A", 43) + `=","agent_version":"1","proof":"` + strings.Repeat("A", 86) + `=="}`))
	f.Add([]byte(`{"code":"7k3m-q9td"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := company.DecodeRedeem(raw)
		if err != nil {
			return
		}
		if code, err := wire.ParseSecret(r.Code); err != nil || code != r.Code || len(r.PublicKey) != 32 || len(r.Proof) != 64 {
			t.Fatalf("%+v", r)
		}
	})
}
