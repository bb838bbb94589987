package ingest

import (
	"strings"
	"testing"
	"time"

	"aval/agent/wire"
)

// TestDecodeAudit: the three reports of a connection in the words of RustDesk's
// src/server/connection.rs, and what is none. Fault planted once: "new" taken for
// a login.
func TestDecodeAudit(t *testing.T) {
	for raw, want := range map[string]string{
		`{"id":"1","uuid":"dQ==","conn_id":7,"session_id":1,"nonce":"n","ip":"192.0.2.7","action":"new"}`:    "nothing",
		`{"conn_id":7,"peer":["100000001","Ana\u0007 Lima"],"type":0,"primary_auth":"password","nonce":"n"}`: "in 7 100000001 Ana Lima view+control n",
		`{"conn_id":7,"peer":["100000001",""],"type":4}`:                                                     "in 7 100000001  terminal ",
		`{"conn_id":7,"peer":["1","x"],"type":2,"nonce":"n"}`:                                                "in 7 1 x  n",
		`{"conn_id":7,"action":"close","nonce":"n"}`:                                                         "closed 7 n",
		`{"conn_id":7,"peer":["1"],"type":0}`:                                                                "nothing",
		`{"conn_id":7,"peer":["1","x"]}`:                                                                     "nothing",
		`{"conn_id":7,"peer":["1","x"],"type":9}`:                                                            "error",
		`{"conn_id":-7,"action":"close"}`:                                                                    "error",
		`{"conn_id":"7","action":"close"}`:                                                                   "error",
		`{"action":"close"}`:                                                                                 "error",
		`{"conn_id":7,"action":"close","nonce":"` + strings.Repeat("n", 65) + `"}`:                           "error",
		`[]`: "error",
		``:   "error",
	} {
		nonce, h, err := decodeAudit([]byte(raw))
		got := "nothing"
		switch {
		case err != nil:
			got = "error"
		case h.GetState() == wire.Hint_LOGGED_IN:
			got = "in " + strings.Join([]string{h.GetConnection(), h.GetPeer(), h.GetName(), strings.Join(h.GetKinds(), "+"), nonce}, " ")
		case h != nil:
			got = "closed " + h.GetConnection() + " " + nonce
		}
		if got != want {
			t.Errorf("%s: %q, want %q", raw, got, want)
		}
	}
}

// TestRustDeskCalm: one device cannot keep the server busy, nor make others wait.
func TestRustDeskCalm(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	h := &rustDesk{s: &Server{o: Options{Now: func() time.Time { return now }}}, told: map[string]*reports{}}
	for range maxAudits {
		if !h.calm("d1") {
			t.Fatal("too early")
		}
	}
	if h.calm("d1") || !h.calm("d2") {
		t.Error("the limit is not each device's own")
	}
	if now = now.Add(auditsFor + time.Second); !h.calm("d1") {
		t.Error("for ever")
	}
	if !h.first("d1", "n") || h.first("d1", "n") || !h.first("d2", "n") || !h.first("d1", "") || !h.first("d1", "") {
		t.Error("nonces")
	}
}

func FuzzAudit(f *testing.F) {
	f.Add([]byte(`{"conn_id":7,"peer":["100000001","Ana"],"type":0,"nonce":"n"}`))
	f.Add([]byte(`{"conn_id":7,"action":"close"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		nonce, h, err := decodeAudit(raw)
		if err != nil && h != nil || len(nonce) > 64 {
			t.Fatal(nonce, h, err)
		}
		if h == nil {
			return
		}
		if h.GetTool() != "rustdesk" || h.GetConnection() == "" || len(h.GetConnection()) > 20 || h.GetState() == wire.Hint_UNKNOWN ||
			len(h.GetName()) > 128 || len(h.GetPeer()) > 128 || strings.ContainsFunc(h.GetName()+h.GetPeer(), func(r rune) bool { return r < ' ' }) {
			t.Errorf("%v", h)
		}
	})
}
