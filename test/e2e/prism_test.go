//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aval/agent/event"
	"aval/summarizer/integration"
	"aval/summarizer/integration/far"
	"aval/summarizer/store"
	"aval/summarizer/summary"
)

// between starts Prism, which passes on what follows the description of the Table
// API on both sides, and answers with what is wrong itself.
func between(t *testing.T, upstream string) (address string) {
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	modules := filepath.Join(cache, "aval-test", "@stoplight", "prism-cli-5.16.0", "node_modules")
	if _, err := os.Stat(modules); err != nil {
		t.Fatalf("%v; test/deps.sh e2e fetches it", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	_ = l.Close()
	prism := exec.CommandContext(t.Context(), "node", filepath.Join(modules, "@stoplight", "prism-cli", "dist", "index.js"),
		"proxy", "testdata/table-api.yaml", upstream, "--errors", "--host", "127.0.0.1", "--port", port)
	log := filepath.Join(t.TempDir(), "prism.log")
	out, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	prism.Stdout, prism.Stderr = out, out
	if err := prism.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = prism.Process.Kill()
		_ = prism.Wait()
		if raw, _ := os.ReadFile(log); t.Failed() {
			t.Logf("%s", raw)
		}
	})
	address = "http://127.0.0.1:" + port
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if c, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			_ = c.Close()
			break
		} else if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	return address
}

// What is sent to ServiceNow, and what the ServiceNow of our tests answers, follow
// the description of its Table API, as Prism reads it: a record and a ticket's note,
// from the first summary over an edit, a limit and an expired token to deletion.
// Planted: with sysparm_limit left out, and with a sys_id in capitals answered,
// nothing was delivered.
func TestTableAPI(t *testing.T) {
	f := far.New(t, far.ServiceNow)
	address := between(t, f.URL)

	req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, address+"/api/now/table/incident/"+strings.ToUpper(far.HexID(10)), strings.NewReader(`{"work_notes":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer x")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	said, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if res.StatusCode != http.StatusUnprocessableEntity || len(f.Calls) > 0 {
		t.Fatalf("the judge passes everything on: %s %s", res.Status, said)
	}

	for _, target := range []string{integration.TargetRecord, integration.TargetNote} {
		t.Run(target, func(t *testing.T) {
			db, err := store.Open(t.Context(), t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			now := time.Now().Add(time.Minute).UTC() // ahead of the time that the store stamps jobs with
			key := store.Key{Company: "c1", Device: "d1", Session: "x11vnc/1"}
			must := func(do func(tx *store.Tx) error) {
				t.Helper()
				if err := db.Tx(t.Context(), do); err != nil {
					t.Fatal(err)
				}
			}
			must(func(tx *store.Tx) error {
				return tx.InsertCompany(store.Company{ID: "c1", Name: "Example Support", Tier: "business", Lang: "en", Settings: "{}", SettingsVersion: 1, CreatedAt: now})
			})
			must(func(tx *store.Tx) error {
				return tx.InsertDevice(store.Device{ID: "d1", Company: "c1", Name: "desk", EnrolledAt: now}, "k1", make([]byte, 32))
			})
			hub, err := integration.New(db, integration.Options{Allow: []string{"127.0.0.1"}, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }})
			if err != nil {
				t.Fatal(err)
			}
			co := hub.Of("c1", "user:u1")
			c := integration.Config{URL: address, ClientID: "client", Target: target}
			f.Mu.Lock()
			f.Records, f.Journal = nil, nil
			if target == integration.TargetNote {
				c.Table = "incident"
				f.Records = []map[string]string{{"_table": "incident", "sys_id": far.HexID(99), "number": "INC0010001"}}
			}
			f.Faults = []far.Fault{far.None, far.Limited, far.Expired}
			f.Mu.Unlock()
			if _, _, err := co.Create(t.Context(), integration.Endpoint{Kind: store.ServiceNow, Name: "desk", Config: c, Enabled: true}, integration.Secrets{Client: "s3cret"}); err != nil {
				t.Fatal(err)
			}
			write := func(name, author string) {
				t.Helper()
				raw, err := json.Marshal(summary.Summary{Name: name, Text: "The queue was stuck.", Language: "en", Engine: "rules"})
				if err != nil {
					t.Fatal(err)
				}
				must(func(tx *store.Tx) error {
					_, err := tx.InsertSummary(store.Summary{Key: key, JSON: string(raw), Engine: "rules", Lang: "en", Author: author, CreatedAt: now})
					return err
				})
			}
			settle := func() {
				t.Helper()
				for range 200 {
					if worked, err := hub.Step(t.Context()); err != nil {
						t.Fatal(err)
					} else if worked {
						continue
					}
					list, err := co.Deliveries(t.Context(), "", "", "", 100)
					if err != nil {
						t.Fatal(err)
					}
					open := 0
					for _, d := range list {
						switch d.State {
						case store.JobReady:
							open++
						case store.JobDone:
						default:
							t.Fatalf("%+v", d)
						}
					}
					if open == 0 {
						return
					}
					now = now.Add(time.Hour) // to the next try
				}
				t.Fatal("it does not come to an end")
			}
			must(func(tx *store.Tx) error {
				return tx.InsertStream(store.Stream{Key: key, Tool: "x11vnc", Supporter: "Ana", Direction: "outgoing", Basis: "consent", Provenance: "P2",
					Groups: []event.Group{event.Windows}, StartedAt: now, OpenedAt: now})
			})
			must(func(tx *store.Tx) error { return tx.EndStream(key, now.Add(time.Minute), "disconnected") })
			must(func(tx *store.Tx) error {
				return tx.PutReportNote(key, store.ReportNote{Note: "see INC0010001", UpdatedAt: now})
			})
			write("Printer repaired", "")
			settle()
			write("Printer replaced", "user:u1")
			settle()
			f.Mu.Lock()
			there := fmt.Sprint(f.Records, f.Journal)
			f.Mu.Unlock()
			if want := map[string]string{integration.TargetRecord: "Printer replaced", integration.TargetNote: ":r2]"}[target]; !strings.Contains(there, want) {
				t.Errorf("there is %s", there)
			}
			must(func(tx *store.Tx) error { _, err := tx.EraseStream(key, now); return err })
			settle()
			f.Mu.Lock()
			defer f.Mu.Unlock()
			if target == integration.TargetRecord && len(f.Records) > 0 || target == integration.TargetNote && !strings.Contains(fmt.Sprint(f.Journal), "was deleted") {
				t.Errorf("after the deletion: %v %v", f.Records, f.Journal)
			}
			if len(f.Failed) > 0 {
				t.Error(f.Failed)
			}
		})
	}
}
