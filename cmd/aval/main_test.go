package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/agent/module"
	"aval/agent/record"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"aval": func() { os.Exit(run(arguments(os.Args), os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// TestScripts runs the commands as people do; testdata/script reads like a manual.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			// A socket's path is short (unix(7): 108 bytes), a test's folder is not.
			dir, err := os.MkdirTemp("", "aval-cli-")
			if err != nil {
				return err
			}
			e.Defer(func() { os.RemoveAll(dir) })
			e.Setenv("SOCKDIR", dir)
			e.Setenv("AVAL_SOCKET", dir+"/agent.sock")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"waitfor": waitFor, "keyof": keyOf, "replace": replace, "code": code, "module": signModule},
	})
}

// waitFor waits until a file is there.
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitfor FILE")
	}
	if !exists(args[0]) {
		ts.Fatalf("%s never appeared", args[0])
	}
}

// keyOf writes the public key inside a receipt to a file.
func keyOf(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: keyof RECEIPT FILE")
	}
	var r struct {
		Proof struct {
			Key string `json:"aval:publicKey"`
		} `json:"aval:proof"`
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &r))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(r.Proof.Key+"\n"), 0o600))
}

// replace changes a word in a file, which must be there.
func replace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: replace OLD NEW FILE")
	}
	old := ts.ReadFile(args[2])
	if !strings.Contains(old, args[0]) {
		ts.Fatalf("%s has no %q", args[2], args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(strings.ReplaceAll(old, args[0], args[1])), 0o600))
}

// code N PROGRAM ARGS…: the program ends with exit code N; what it said is in
// stdout.txt and stderr.txt.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N PROGRAM ARGS")
	}
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Dir = ts.Getenv("WORK")
	cmd.Env = append(os.Environ(), "AVAL_SOCKET="+ts.Getenv("AVAL_SOCKET"), "XDG_RUNTIME_DIR="+ts.Getenv("SOCKDIR"))
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	_ = cmd.Run()
	if cmd.ProcessState == nil || strconv.Itoa(cmd.ProcessState.ExitCode()) != args[0] {
		ts.Fatalf("%v, not %s\n%s%s", cmd.ProcessState, args[0], out.String(), errOut.String())
	}
	ts.Check(os.WriteFile(ts.MkAbs("stdout.txt"), out.Bytes(), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("stderr.txt"), errOut.Bytes(), 0o600))
}

// signModule writes a module that is good, expired or changed after it was signed;
// its server is none.
func signModule(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: module good|expired|changed FILE")
	}
	_, key, err := ed25519.GenerateKey(nil)
	ts.Check(err)
	at := time.Now().Add(-time.Hour)
	m := record.Module{V: 1, ID: "01M", Name: "Help desk", Company: "01C", CompanyName: "Example Support", Server: "https://127.0.0.1:1",
		Key: key.Public().(ed25519.PublicKey), At: at, Expires: at.Add(2 * time.Hour)}
	if args[0] == "expired" {
		m.Expires = at.Add(time.Minute)
	}
	raw, err := record.Sign(key, record.TypeModule, m)
	ts.Check(err)
	if args[0] == "changed" {
		var env record.Envelope
		ts.Check(json.Unmarshal(raw, &env))
		env.Payload = bytes.Replace(env.Payload, []byte("Example"), []byte("Another"), 1)
		raw, err = json.Marshal(env)
		ts.Check(err)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), raw, 0o600))
}

// TestArguments: only a copy under another name, started without arguments, beside a
// module, runs it. To see it fail, let arguments not look at the name.
func TestArguments(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	beside := filepath.Join(filepath.Dir(self), module.Beside)
	if got := arguments([]string{"/x/support"}); len(got) != 0 {
		t.Errorf("without a module: %q", got)
	}
	if err := os.WriteFile(beside, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(beside)
	run := []string{"module", "run", beside}
	if clicked() { // as where tests run; at a terminal they are not
		run = append(run, "--window")
	}
	for _, tt := range []struct{ args, want []string }{
		{[]string{"/x/support"}, run}, {[]string{"Help desk.exe"}, run}, {[]string{"/x/aval"}, nil}, {[]string{"AVAL.EXE"}, nil},
		{[]string{"/x/support", "status"}, []string{"status"}},
	} {
		if got := arguments(tt.args); !slices.Equal(got, tt.want) {
			t.Errorf("%q: %q", tt.args, got)
		}
	}
}

// TestSilentService: a service that is there and does not answer keeps nobody for a
// second, and is not taken for one that is not installed. Leave its case out of
// checkService, and doctor says to install it.
func TestSilentService(t *testing.T) {
	dir, err := os.MkdirTemp("", "aval-cli-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket) // nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if dialWithin >= time.Second {
		t.Errorf("%v", dialWithin)
	}
	for _, args := range [][]string{{"doctor"}, {"session", "begin", "--tool", "t", "--id", "1", "--supporter", "s"}, {"session", "list"}} {
		var out, errOut bytes.Buffer
		if code := run(append(args, "--socket", socket), strings.NewReader(""), &out, &errOut); code != exitFailed {
			t.Errorf("%s ends with %d", args, code)
		}
		said := out.String() + errOut.String()
		if !strings.Contains(said, "did not answer in time") || strings.Contains(said, "deadline") || strings.Contains(said, "aval install") {
			t.Errorf("%s: %s", args, said)
		}
	}
}

// TestRequiredIsSaid: where a company has sessions recorded whatever people choose,
// Denied is not shown as if it counted for them. Leave Required out of the page,
// and it fails.
func TestRequiredIsSaid(t *testing.T) {
	for _, required := range []bool{false, true} {
		x := settings{ipc.SettingsResult{SessionInsights: consent.AccessDenied, Effective: consent.AccessDenied, Origin: "setting"}, required, "Example\x1b Support"}
		var page strings.Builder
		x.text(&page)
		raw, err := json.Marshal(x)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(page.String(), "recorded whatever is chosen here"); got != required || strings.Contains(page.String(), "\x1b") {
			t.Errorf("required %v: %s", required, page.String())
		}
		if !strings.Contains(string(raw), `"required":`+strconv.FormatBool(required)) || !strings.Contains(string(raw), `"session_insights":"denied"`) {
			t.Errorf("required %v: %s", required, raw)
		}
	}
}
