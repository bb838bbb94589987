package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"aval/summarizer/company"
	"aval/summarizer/credit"
	"aval/summarizer/store"
	"aval/summarizer/summary/llm/far"
	"aval/summarizer/summary/runner"
	"aval/summarizer/summary/sample"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"aval-summarizer": main})
}

// TestScripts runs the program itself as a person would call it.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			// Ports that were free a moment ago, and a folder of the test's own.
			for _, name := range []string{"ADDR", "ADDR2"} {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					return err
				}
				defer l.Close()
				e.Setenv(name, l.Addr().String())
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"accept": accept, "code": code, "waitready": waitReady, "fetch": fetch, "fill": fill, "json": readJSON, "mode": mode, "model": model, "recorded": recorded, "summaries": summaries, "releasekey": releaseKey, "term": term, "tamper": tamper, "userid": userID, "orderid": orderID, "pin": pin, "samejson": sameJSON, "slowclients": slowClients,
		},
	})
}

// code N PROGRAM ARGS…: the program ends with exit code N; what it said is in
// stdout.txt and stderr.txt.
func code(ts *testscript.TestScript, _ bool, args []string) {
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Dir = ts.Getenv("WORK")
	cmd.Env = append(os.Environ(), "HOME="+ts.Getenv("WORK"))
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	if cmd.ProcessState == nil {
		ts.Fatalf("%v", err)
	}
	ts.Check(os.WriteFile(ts.MkAbs("stdout.txt"), out.Bytes(), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("stderr.txt"), errOut.Bytes(), 0o600))
	got := cmd.ProcessState.ExitCode()
	if want := args[0]; want != string(rune('0'+got)) {
		ts.Fatalf("exit code %d, not %s\n%s%s", got, want, out.String(), errOut.String())
	}
	// A failure is one line for a person.
	if got != 0 && strings.Count(strings.TrimSpace(errOut.String()), "\n") != 0 {
		ts.Fatalf("more than one sentence:\n%s", errOut.String())
	}
}

func client() *http.Client {
	jar, _ := cookiejar.New(nil) // never fails
	return &http.Client{Jar: jar, Timeout: 10 * time.Second, Transport: &http.Transport{
		// The server's certificate is its own; who it is, is not what is tested here.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}}
}

// waitready waits until the server answers /readyz.
func waitReady(ts *testscript.TestScript, _ bool, _ []string) {
	c := client()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		res, err := c.Get("https://" + ts.Getenv("ADDR") + "/readyz")
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
	}
	ts.Fatalf("the server does not get ready")
}

// fetch STATUS URL|FILE: gets the address (or the one in a file) into page.txt.
func fetch(ts *testscript.TestScript, _ bool, args []string) {
	u := args[1]
	if !strings.HasPrefix(u, "https://") && !strings.HasPrefix(u, "http://") {
		u = strings.TrimSpace(ts.ReadFile(u))
	}
	res, err := client().Get(u)
	ts.Check(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("page.txt"), body, 0o600))
	if res.Status[:3] != args[0] {
		ts.Fatalf("%s: %s", u, res.Status)
	}
}

// model KEY: a language model's server that asks for KEY; MODEL is its address.
func model(ts *testscript.TestScript, _ bool, args []string) {
	s := far.Serve()
	s.Key = args[0]
	ts.Defer(s.Close)
	ts.Setenv("MODEL", s.Base())
}

// recorded DIR ENGINE…: sessions that were allowed for these engines and wait to be
// summarised, beside a server or without one.
func recorded(ts *testscript.TestScript, _ bool, args []string) {
	ctx := context.Background()
	db, err := store.OpenBeside(ctx, ts.MkAbs(args[0]))
	ts.Check(err)
	defer db.Close()
	var company string
	ts.Check(db.Tx(ctx, func(t *store.Tx) error {
		all, err := t.Companies()
		if err != nil {
			return err
		}
		company = all[0].ID
		if _, err := t.Device(company, sample.Device); err == nil {
			return nil
		}
		return sample.FillTx(t, company, "en")
	}))
	for i, engine := range args[1:] {
		in := sample.Printer("en")
		in.ID, in.Grant, in.Engine = fmt.Sprint("x11vnc/", i), fmt.Sprint("g-", i), engine
		_, err = sample.Store(ctx, db, company, in, sample.Start)
		ts.Check(err)
	}
}

// summaries DIR N: waits until so many sessions have their summary.
func summaries(ts *testscript.TestScript, _ bool, args []string) {
	ctx := context.Background()
	db, err := store.OpenBeside(ctx, ts.MkAbs(args[0]))
	ts.Check(err)
	defer db.Close()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		n := 0
		ts.Check(db.View(ctx, func(t *store.Tx) error {
			all, err := t.Companies()
			if err != nil {
				return err
			}
			rows, err := t.Audits(all[0].ID, store.AuditFilter{Action: "summary-written", Max: 100})
			n = len(rows)
			return err
		}))
		if fmt.Sprint(n) == args[1] {
			return
		}
	}
	ts.Fatalf("there are not %s summaries", args[1])
}

// fill DIR: a store with one session and its summary, and one that goes on.
func fill(ts *testscript.TestScript, _ bool, args []string) {
	ctx := context.Background()
	db, err := store.Open(ctx, ts.MkAbs(args[0]))
	ts.Check(err)
	defer db.Close()
	var company string
	ts.Check(db.Tx(ctx, func(t *store.Tx) error {
		all, err := t.Companies()
		if err != nil {
			return err
		}
		company = all[0].ID
		return sample.FillTx(t, company, "en")
	}))
	_, err = sample.Store(ctx, db, company, sample.Printer("en"), sample.Start)
	ts.Check(err)
	_, err = runner.New(db, runner.Options{Log: slog.New(slog.DiscardHandler)}).Step(ctx)
	ts.Check(err)
	_, err = sample.Store(ctx, db, company, sample.New("ssh/1", "ssh", "ops").S, sample.Start.Add(time.Hour))
	ts.Check(err)
}

// json FILE: the file is one JSON object.
func readJSON(ts *testscript.TestScript, _ bool, args []string) {
	var v map[string]any
	if err := json.Unmarshal([]byte(ts.ReadFile(args[0])), &v); err != nil {
		ts.Fatalf("%s: %v", args[0], err)
	}
}

// accept DIR: accepts the terms as they are shown in the language of pt-BR.
func accept(ts *testscript.TestScript, _ bool, args []string) {
	_, in, sum := company.Terms("pt-BR")
	ts.Check(ts.Exec("aval-summarizer", "company", "activate", "--lang", in, "--accept", sum, "--data", args[0]))
}

// releasekey DIR FILE: makes the public key in what keygen printed the release key.
func releaseKey(ts *testscript.TestScript, _ bool, args []string) {
	var made struct{ Public string }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &made))
	ts.Check(ts.Exec("aval-summarizer", "policy", "release-key", made.Public, "--data", args[0]))
}

// tamper DIR: changes the last but one row of the audit log behind the server's back.
func tamper(ts *testscript.TestScript, _ bool, args []string) {
	db, err := sql.Open("sqlite", filepath.Join(ts.MkAbs(args[0]), store.File))
	ts.Check(err)
	defer db.Close()
	_, err = db.Exec(`UPDATE audit SET detail = 'somebody else' WHERE seq = 3`)
	ts.Check(err)
}

// term: tells the programs in the background to stop, as a service manager does.
func term(ts *testscript.TestScript, _ bool, _ []string) {
	for _, c := range ts.BackgroundCmds() {
		ts.Check(c.Process.Signal(syscall.SIGTERM))
	}
}

// mode PERM FILE: the file has these permissions.
func mode(ts *testscript.TestScript, _ bool, args []string) {
	st, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := st.Mode().Perm().String(); got != args[0] {
		ts.Fatalf("%s is %s, not %s", args[1], got, args[0])
	}
}

// userid FILE: the id in the JSON of user create becomes $USER.
func userID(ts *testscript.TestScript, _ bool, args []string) {
	var u struct {
		ID string `json:"id"`
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &u))
	ts.Setenv("USER", u.ID)
}

// orderid FILE: the first order of an account becomes $ORDER.
func orderID(ts *testscript.TestScript, _ bool, args []string) {
	var acc credit.Account
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &acc))
	ts.Setenv("ORDER", acc.Orders[0].ID)
}

// pin FILE: the pin in a token file becomes $PIN.
func pin(ts *testscript.TestScript, _ bool, args []string) {
	var f struct {
		Pin string `json:"pin"`
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &f))
	ts.Setenv("PIN", f.Pin)
}

// samejson A B: both files hold the same value.
func sameJSON(ts *testscript.TestScript, _ bool, args []string) {
	var a, b any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &a))
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &b))
	if !reflect.DeepEqual(a, b) {
		ts.Fatalf("they differ:\n%s\n%s", ts.ReadFile(args[0]), ts.ReadFile(args[1]))
	}
}
