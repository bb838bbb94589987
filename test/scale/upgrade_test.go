package scale

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// What the next two releases do to the schema: the first adds, and no program
// uses it yet; the second takes away again, and lets only the first go on.
const (
	addsIn  = 99001
	addsSQL = `-- +goose Up
ALTER TABLE streams ADD COLUMN next_text TEXT NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN next_number BIGINT NOT NULL DEFAULT 7;
CREATE TABLE next_things (id TEXT NOT NULL PRIMARY KEY, stream TEXT NOT NULL);
CREATE INDEX next_events ON events(company, kind, at);
`
	takesIn  = 99002
	takesSQL = `-- +goose Up
ALTER TABLE streams DROP COLUMN next_text;
DROP TABLE next_things;
`
)

// release builds the program of another version: this code with other files laid
// over it.
func release(t *testing.T, name string, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for path, content := range files {
		file := filepath.Join(dir, filepath.Base(path))
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		overlay.Replace[filepath.Join(root, filepath.FromSlash(path))] = file
	}
	raw, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	over, bin := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "aval-summarizer")
	if err := errors.Join(os.WriteFile(over, raw, 0o600), build(bin, "-ldflags", "-X main.version="+name, "-overlay", over)); err != nil {
		t.Fatal(err)
	}
	return bin
}

// health is what a server says of itself at /readyz.
func health(n *Node) (status int, word, version string) {
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: insecure.Clone(), DisableKeepAlives: true}}
	res, err := client.Get("https://" + n.Address + "/readyz")
	if err != nil {
		return 0, err.Error(), ""
	}
	defer res.Body.Close()
	var said struct{ Status, Version string }
	_ = json.NewDecoder(res.Body).Decode(&said) // what is no JSON says nothing
	return res.StatusCode, said.Status, said.Version
}

// TestRollingUpgrade: three servers of this version on one database are upgraded
// one after the other to the next one, which adds to the schema, while agents
// send; one of the old version is started again beside the new. Then one of the
// release after that, which takes away: the next version's goes on, this version's
// says that it is not ready and does not start again. Nothing is lost or doubled
// meanwhile. Planted: without the older server's look at schema_oldest it did not
// start beside the new one; with oldestSchema left as it was in the last release
// it did start.
func TestRollingUpgrade(t *testing.T) {
	const schemaFile, migrations = "summarizer/store/schema.go", "summarizer/store/migrations/"
	code, err := os.ReadFile("../../" + schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(code), "const oldestSchema = ")
	old, _, _ := strings.Cut(rest, "\n")
	if !ok {
		t.Fatal("schema.go says no longer which programs may go on")
	}
	adds := map[string]string{fmt.Sprintf("%s%d_adds.sql", migrations, addsIn): addsSQL}
	next := release(t, "next", adds)
	adds[fmt.Sprintf("%s%d_takes.sql", migrations, takesIn)] = takesSQL
	adds[schemaFile] = strings.Replace(string(code), "const oldestSchema = "+old, fmt.Sprintf("const oldestSchema = %d", addsIn), 1)
	after := release(t, "after", adds)

	c, err := NewCluster(t.TempDir(), servers)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	db, err := c.Store(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	all := enrol(t, db, c.Address, 30)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	t.Cleanup(func() { cancel(); wg.Wait() })
	for i, a := range all {
		if i%2 == 0 {
			a.Every = time.Second
		}
		wg.Go(func() { a.Run(ctx) })
	}
	together(t, c, "at first", all, time.Now())

	upgrade := func(n *Node, bin, version string) {
		t.Helper()
		n.Stop(syscall.SIGTERM)
		n.Bin = bin
		if err := c.Start(n); err != nil {
			t.Fatal(err)
		}
		if status, _, is := health(n); status != http.StatusOK || version != "" && is != version {
			t.Errorf("%s is %q, status %d", n.Name, is, status)
		}
		before := ackedOf(all)
		if err := c.wait("acknowledgements after an upgrade", func() bool { return ackedOf(all) > before }); err != nil {
			t.Fatal(err)
		}
	}
	ready := func(when string, nodes ...*Node) {
		t.Helper()
		for _, n := range nodes {
			if status, word, _ := health(n); status != http.StatusOK {
				t.Errorf("%s: %s is not ready: %s", when, n.Name, word)
			}
		}
	}
	one, two, three := c.Nodes[0], c.Nodes[1], c.Nodes[2]
	upgrade(one, next, "next")
	ready("beside the new one", two, three)
	upgrade(two, next, "next")
	upgrade(three, "", "") // this version's, on the newer schema
	together(t, c, "two of three upgraded", all, time.Now())

	upgrade(one, after, "after")
	ready("one release behind", two)
	if err := c.wait("the oldest server to say that it is not ready", func() bool {
		status, word, _ := health(three)
		return status == http.StatusServiceUnavailable && word == "newer database"
	}); err != nil {
		t.Fatal(err)
	}
	three.Stop(syscall.SIGTERM)
	if out, err := c.serve(three).CombinedOutput(); err == nil || !strings.Contains(string(out), "start the newer aval-summarizer") {
		t.Errorf("two releases behind: %v: %s", err, out)
	}
	three.Bin = next
	if err := c.Start(three); err != nil {
		t.Fatal(err)
	}
	upgrade(two, after, "after")
	upgrade(three, after, "after")
	together(t, c, "all upgraded", all, time.Now())

	for _, a := range all {
		a.ending.Store(true)
	}
	if err := c.wait("the end of all sessions", func() bool {
		return !slices.ContainsFunc(all, func(a *Agent) bool { return a.Every > 0 && !a.Done() })
	}); err != nil {
		t.Fatal(err)
	}
	if err := c.wait("the summaries", func() bool { return summaries(t, db, all) == senders(all) }); err != nil {
		t.Fatal(err)
	}
	cancel()
	wg.Wait()
	t.Logf("%d events of %d sessions, each once; %d connections", stored(t, db, all), senders(all), connectsOf(all))
	for _, a := range all {
		if why := a.refused.Load(); why != nil {
			t.Errorf("agent %s: refused: %s", a.Device, *why)
		}
	}
}
