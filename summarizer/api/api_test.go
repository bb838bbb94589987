package api_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"aval/agent/record"
	"aval/summarizer/api"
	"aval/summarizer/store"
	"aval/summarizer/store/storetest"
	"aval/summarizer/summary/runner"
	"aval/summarizer/summary/sample"
)

func fill(t *testing.T) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), storetest.Dir(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := sample.Fill(t.Context(), db, "en"); err != nil {
		t.Fatal(err)
	}
	if _, err := sample.Store(t.Context(), db, sample.Company, sample.Printer("en"), sample.Start); err != nil {
		t.Fatal(err)
	}
	r := runner.New(db, runner.Options{Log: slog.New(slog.DiscardHandler)})
	if _, err := r.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	// One that goes on, and so has no summary.
	if _, err := sample.Store(t.Context(), db, sample.Company, sample.New("ssh/1", "ssh", "ops").S, sample.Start.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	return db
}

func export(t *testing.T, db *store.DB, session string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := api.Export(t.Context(), db, &b, session); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestExport(t *testing.T) {
	db := fill(t)
	var got struct {
		Sessions []struct {
			ID, Tool, Supporter string
			Events              []map[string]any
			Summary             *struct{ Name, Summary string }
			Credits             *int64
			EndedAt             string `json:"ended_at"`
		}
	}
	if err := json.Unmarshal(export(t, db, ""), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Sessions) != 2 || got.Sessions[0].ID != "ssh/1" || got.Sessions[0].Summary != nil || got.Sessions[0].Credits != nil || got.Sessions[0].EndedAt != "" {
		t.Fatalf("%+v", got.Sessions)
	}
	p := got.Sessions[1]
	want := sample.Printer("en")
	if p.ID != "x11vnc/4711" || p.Tool != "x11vnc" || p.Supporter != "Ana Souza" || len(p.Events) != len(want.Events) || p.Summary == nil || !strings.Contains(p.Summary.Summary, "printer") || p.Credits == nil {
		t.Fatalf("%+v", p)
	}
	for i, e := range p.Events {
		if e["seq"] != float64(i+1) || e["kind"] != string(want.Events[i].Kind) {
			t.Fatalf("event %d: %v", i, e)
		}
		at, err := time.Parse(time.RFC3339Nano, e["at"].(string))
		if err != nil || !at.Equal(want.Events[i].At) || !strings.HasSuffix(e["at"].(string), "Z") {
			t.Errorf("time %v: %v", e["at"], err)
		}
		for k, v := range want.Events[i].Fields {
			if e[k] != v {
				t.Errorf("event %d: %s is %v", i, k, e[k])
			}
		}
	}
	if one := export(t, db, "x11vnc/4711"); bytes.Contains(one, []byte("ssh/1")) || !bytes.Contains(one, []byte("x11vnc/4711")) {
		t.Error("one session is not one session")
	}
	if err := api.Export(t.Context(), db, &bytes.Buffer{}, "x/y"); !errors.Is(err, api.ErrNoSession) {
		t.Errorf("no such session: %v", err)
	}
}

func TestVerify(t *testing.T) {
	db := fill(t)
	r, err := api.VerifyStore(t.Context(), db)
	if err != nil || !r.OK || r.Records != 2 || r.Events != 22 || r.Sessions != 2 {
		t.Fatalf("%+v %v", r, err)
	}
	file := export(t, db, "")
	if r, err := api.VerifyFile(file, nil); err != nil || !r.OK || !r.OwnKeys || r.Events != 22 {
		t.Fatalf("%+v %v", r, err)
	}
	keys, err := api.StoreKeys(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := api.VerifyFile(file, keys); err != nil || !r.OK || r.OwnKeys {
		t.Fatalf("%+v %v", r, err)
	}

	// Whatever is changed in the file is found.
	for name, change := range map[string]func(*api.Session){
		"signature":   func(s *api.Session) { s.Grants[0].Envelope = flip(t, s.Grants[0].Envelope) },
		"other key":   func(s *api.Session) { s.Grants[0].PublicKey = other() },
		"no key":      func(s *api.Session) { s.Grants[0].PublicKey = nil },
		"no grant":    func(s *api.Session) { s.Grants = nil },
		"renamed":     func(s *api.Session) { s.ID = "x11vnc/4712" },
		"type":        func(s *api.Session) { s.Grants[0].Type = record.TypeRefusal },
		"event kind":  func(s *api.Session) { s.Events[4]["kind"] = "keystroke" },
		"event gone":  func(s *api.Session) { s.Events = append(s.Events[:3], s.Events[4:]...) },
		"event late":  func(s *api.Session) { s.Events[20]["at"] = "2027-01-01T00:00:00Z" },
		"event early": func(s *api.Session) { s.Events[0]["at"] = "2026-11-20T13:04:58Z" },
		"event time":  func(s *api.Session) { s.Events[0]["at"] = "yesterday" },
		"grant id":    func(s *api.Session) { s.Events[2]["grant"] = "grant-x" },
	} {
		var all struct {
			Sessions []api.Session `json:"sessions"`
		}
		if err := json.Unmarshal(export(t, db, "x11vnc/4711"), &all); err != nil {
			t.Fatal(err)
		}
		change(&all.Sessions[0])
		raw, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := api.VerifyFile(raw, nil); err != nil || r.OK || len(r.Wrong()) == 0 || r.Wrong()[0].Problem == "" {
			t.Errorf("%s: %+v %v", name, r, err)
		}
	}

	// A single record.
	var all struct {
		Sessions []api.Session `json:"sessions"`
	}
	if err := json.Unmarshal(file, &all); err != nil {
		t.Fatal(err)
	}
	env := all.Sessions[1].Grants[0].Envelope
	if r, err := api.VerifyFile(env, keys); err != nil || !r.OK || r.Checks[0].Session != "x11vnc/4711" {
		t.Errorf("%+v %v", r, err)
	}
	if r, err := api.VerifyFile(flip(t, env), keys); err != nil || r.OK {
		t.Errorf("%+v %v", r, err)
	}
	for _, bad := range []string{"", "{}", "[]", "hello", `{"sessions":7}`} {
		if _, err := api.VerifyFile([]byte(bad), keys); err == nil {
			t.Errorf("%q is taken for a file", bad)
		}
	}
	if _, err := api.VerifyFile(env, nil); err == nil {
		t.Error("a record was verified without a key")
	}
}

func other() ed25519.PublicKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize)).Public().(ed25519.PublicKey)
}

// flip changes one bit of the signed payload.
func flip(t *testing.T, envelope []byte) json.RawMessage {
	t.Helper()
	var env record.Envelope
	if err := json.Unmarshal(envelope, &env); err != nil {
		t.Fatal(err)
	}
	env.Payload = bytes.Replace(env.Payload, []byte(`"Ana Souza"`), []byte(`"Ana Sousa"`), 1)
	raw, err := json.Marshal(env)
	if err != nil || bytes.Equal(raw, envelope) {
		t.Fatal("nothing was changed", err)
	}
	return raw
}

// FuzzVerifyFile: no file makes it stop or be trusted without a signature.
func FuzzVerifyFile(f *testing.F) {
	f.Add([]byte(`{"sessions":[{"id":"a/1","events":[{"seq":1,"kind":"chat","at":"2026-11-20T13:05:00Z","grant":"g"}],"grants":[{"id":"g","type":"` + string(record.TypeGrant) + `","envelope":{}}]}]}`))
	f.Add([]byte(`{"payloadType":"x","payload":"","signatures":[]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := api.VerifyFile(raw, func(string) ed25519.PublicKey { return nil })
		if err == nil && r.OK && (r.Records > 0 || r.Events > 0) {
			t.Fatalf("trusted without a key: %+v", r)
		}
	})
}

func TestHealth(t *testing.T) {
	db := fill(t)
	h := api.NewHealth(db, "1.2.3")
	get := func(f http.HandlerFunc) (int, string) {
		w := httptest.NewRecorder()
		f(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		return w.Code, w.Body.String()
	}
	if code, body := get(h.Live); code != 200 || !strings.Contains(body, "1.2.3") {
		t.Errorf("%d %s", code, body)
	}
	if code, _ := get(h.Ready); code != 200 {
		t.Errorf("ready: %d", code)
	}
	h.Drain()
	if code, _ := get(h.Ready); code != 503 {
		t.Errorf("while stopping: %d", code)
	}
	gone := api.NewHealth(db, "1")
	_ = db.Close()
	if code, _ := get(gone.Ready); code != 503 {
		t.Errorf("without its database: %d", code)
	}
	if code, _ := get(gone.Live); code != 200 {
		t.Errorf("alive: %d", code)
	}
}
