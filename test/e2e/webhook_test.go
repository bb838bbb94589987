//go:build e2e

package e2e

import (
	"bufio"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aval/summarizer/integration"
	"aval/summarizer/store"
)

// receiver verifies each message as a webhook's owner would: with the library of
// Standard Webhooks for JavaScript and the secret that was shown.
const receiver = `
const { Webhook } = require("standardwebhooks");
const http = require("http");
let secrets = [];
require("readline").createInterface({ input: process.stdin }).on("line", l => { secrets = l.split(" "); console.log(JSON.stringify({ armed: true })); });
const server = http.createServer((req, res) => {
  let body = "";
  req.on("data", d => body += d);
  req.on("end", () => {
    const verified = secrets.map(s => { try { new Webhook(s).verify(body, req.headers); return true; } catch (e) { return false; } });
    let altered = false;
    try { new Webhook(secrets[0]).verify(body.replace("ping", "pong"), req.headers); altered = true; } catch (e) {}
    console.log(JSON.stringify({ verified, altered, id: req.headers["webhook-id"], type: JSON.parse(body).type }));
    res.end();
  });
});
server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: server.address().port })));
`

// A webhook's signature is what the specification's own library takes, also with
// both secrets while they change; and the library refuses an altered message and
// a secret that was never one. Planted and seen: with the time in milliseconds, or
// without the id, nothing is verified.
func TestStandardWebhooks(t *testing.T) {
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	modules := filepath.Join(cache, "aval-test", "standardwebhooks-1.1.1", "node_modules")
	if _, err := os.Stat(modules); err != nil {
		t.Fatalf("%v; test/deps.sh e2e fetches it", err)
	}
	node := exec.CommandContext(t.Context(), "node", "-e", receiver)
	node.Env = append(os.Environ(), "NODE_PATH="+modules)
	node.Stderr = os.Stderr
	in, err := node.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = node.Process.Kill(); _ = node.Wait() })
	lines := bufio.NewScanner(out)
	said := func() (m struct {
		Port     int
		Armed    bool
		Verified []bool
		Altered  bool
		Type     string
	}) {
		t.Helper()
		if !lines.Scan() {
			t.Fatal("the receiver said nothing")
		}
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		return m
	}
	arm := func(secrets ...string) {
		t.Helper()
		if _, err := in.Write([]byte(strings.Join(secrets, " ") + "\n")); err != nil {
			t.Fatal(err)
		}
		if !said().Armed {
			t.Fatal("the receiver has no secrets")
		}
	}
	port := said().Port

	db, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Tx(t.Context(), func(tx *store.Tx) error {
		return tx.InsertCompany(store.Company{ID: "c1", Name: "Example Support", Tier: "business", Lang: "en", Settings: "{}", SettingsVersion: 1, CreatedAt: time.Now()})
	}); err != nil {
		t.Fatal(err)
	}
	hub, err := integration.New(db, integration.Options{Allow: []string{"127.0.0.1"}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	co := hub.Of("c1", "user:u1")
	e, secret, err := co.Create(t.Context(), integration.Endpoint{Kind: store.Webhook, Name: "hook", Enabled: true, Events: store.Types,
		Config: integration.Config{URL: "http://127.0.0.1:" + jsonInt(port) + "/hook"}}, integration.Secrets{})
	if err != nil {
		t.Fatal(err)
	}
	ping := func() (verified []bool, altered bool) {
		t.Helper()
		if err := co.Ping(t.Context(), e.ID); err != nil {
			t.Fatal(err)
		}
		if worked, err := hub.Step(t.Context()); err != nil || !worked {
			t.Fatal(worked, err)
		}
		m := said()
		if m.Type != "aval.ping" {
			t.Errorf("type %q", m.Type)
		}
		return m.Verified, m.Altered
	}
	arm(secret, integration.NewSecret())
	if v, altered := ping(); !v[0] || v[1] || altered {
		t.Errorf("verified %v, altered %v", v, altered)
	}
	fresh, err := co.Rotate(t.Context(), e.ID)
	if err != nil {
		t.Fatal(err)
	}
	arm(fresh, secret, integration.NewSecret())
	if v, altered := ping(); !v[0] || !v[1] || v[2] || altered {
		t.Errorf("while it changes: verified %v, altered %v", v, altered)
	}
}

func jsonInt(n int) string {
	raw, _ := json.Marshal(n) // a number always encodes
	return string(raw)
}
