package link_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"aval/agent"
	"aval/agent/ipc"
	"aval/agent/session/watch"
	"aval/summarizer/company"
)

// post sends a report as a RustDesk client does.
func post(t *testing.T, url, body string) (status int, answer string) {
	t.Helper()
	c := &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	resp, err := c.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// audit is a report about a connection, in the words of RustDesk's
// src/server/connection.rs.
func audit(conn int, more string) string {
	return fmt.Sprintf(`{"id":"100000009","uuid":"dXVpZA==","conn_id":%d,"session_id":77,%s}`, conn, more)
}

// service is a whole agent in this process, enrolled with the server.
func service(t *testing.T, s *server) (*ipc.Client, ipc.EnrollResult) {
	t.Helper()
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	socket := filepath.Join(dir, "agent.sock")
	go func() {
		ended <- agent.Run(ctx, agent.Config{Build: "test", StateDir: filepath.Join(dir, "state"), Socket: socket, Tools: []string{watch.ToolRustDesk}, Ready: func() { close(ready) }})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case <-ready:
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
	}
	c, err := ipc.Dial(t.Context(), socket, ipc.Hello{Program: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	tok := token(t, s.dir)
	var out ipc.EnrollResult
	if err := c.Call(t.Context(), ipc.MethodEnroll, ipc.Enroll{Server: tok.Server, Token: tok.Token, Pin: tok.Pin}, &out); err != nil {
		t.Fatal(err)
	}
	wait(t, "the agent's connection", func() bool { return s.in.Connected() == 1 })
	return c, out
}

// wait waits for a condition.
func wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("never came about: %s", what)
}

// TestRustDeskAudit: what RustDesk reports to the summarizer reaches the agent and
// becomes a session only where RustDesk's log on that computer knows the
// connection. Faults planted once: hint began what no log knew (a session of
// connection 99 appeared); first without its memory (the repeated login began the
// connection that had its number next); RustDeskFrom without the comparison (the
// wrong secret was taken).
func TestRustDeskAudit(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	path := filepath.Join(home, ".local/share/logs/RustDesk/server/RustDesk_rCURRENT.log")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	line := func(format string, args ...any) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err == nil {
			_, err = fmt.Fprintf(f, "[%s] DEBUG [src/server/connection.rs:983] %s\n", time.Now().UTC().Format("2006-01-02 15:04:05.000000 -07:00"), fmt.Sprintf(format, args...))
			f.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	s := startServer(t, nil)
	c, enrolled := service(t, s)
	on, off := true, false
	if _, err := s.co.RustDeskServer(t.Context(), enrolled.Device); err == nil {
		t.Fatal("nobody has switched it on")
	}
	set := func(ch company.Change) {
		t.Helper()
		if err := s.co.SetOptions(t.Context(), ch); err != nil {
			t.Fatal(err)
		}
	}
	set(company.Change{RustDesk: &on})
	server, err := s.co.RustDeskServer(t.Context(), enrolled.Device)
	if err != nil {
		t.Fatal(err)
	}
	conn := server + "/api/audit/conn"
	sessions := func() (out []ipc.SessionInfo) {
		t.Helper()
		if err := c.Call(t.Context(), ipc.MethodSessionList, nil, &out); err != nil {
			t.Fatal(err)
		}
		return slices.DeleteFunc(out, func(s ipc.SessionInfo) bool { return s.Tool != watch.ToolRustDesk })
	}
	taken := func(body string) {
		t.Helper()
		if status, answer := post(t, conn, body); status != http.StatusOK {
			t.Fatalf("%s: %d %s", body, status, answer)
		}
	}

	// The server's word alone: no log knows connection 99.
	taken(audit(99, `"peer":["100000001","Nobody"],"type":0,"nonce":"a"`))
	// Two wait for their login: the log cannot tell whose succeeded, the report can.
	line("#41 Connection opened from 192.0.2.7:6074.")
	line("#42 Connection opened from 192.0.2.8:6075.")
	taken(audit(42, `"ip":"192.0.2.8","action":"new","nonce":"b"`))
	taken(audit(42, `"peer":["100000001","Example Support"],"type":1,"nonce":"c"`))
	wait(t, "session of connection 42", func() bool { return len(sessions()) > 0 })
	all := sessions()
	if len(all) != 1 || !strings.HasPrefix(all[0].Session, "rustdesk/42-") && !strings.Contains(all[0].Session, ":42-") ||
		all[0].Supporter != "Example Support (100000001)" || !slices.Equal(all[0].Kinds, []string{"files"}) {
		t.Fatalf("%+v", all)
	}
	taken(audit(42, `"action":"close","nonce":"d"`))
	wait(t, "end of the session", func() bool { return len(sessions()) == 0 })
	// The number is used again; the old login that is sent again is not its login.
	line("#42 Connection opened from 192.0.2.9:6076.")
	taken(audit(42, `"peer":["100000001","Example Support"],"type":1,"nonce":"c"`))
	taken(audit(41, `"peer":["100000002","Second"],"type":4,"nonce":"e"`))
	wait(t, "session of connection 41", func() bool { return len(sessions()) > 0 })
	if all := sessions(); len(all) != 1 || !slices.Equal(all[0].Kinds, []string{"terminal"}) {
		t.Fatalf("%+v", all)
	}
	line("#41 Connection closed: End") // the log's word ends what a hint began
	wait(t, "end of the second session", func() bool { return len(sessions()) == 0 })

	// Who has not the address is nobody.
	i := strings.LastIndexByte(server, '/')
	other := enrol(t, s.dir, nil)
	for name, url := range map[string]string{
		"secret":         server[:i] + "/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/api/audit/conn",
		"no secret":      server[:i] + "//api/audit/conn",
		"another device": strings.Replace(conn, enrolled.Device, other.enr.Device, 1),
		"unknown device": strings.Replace(conn, enrolled.Device, "nobody", 1),
		"another path":   server + "/api/login",
		"up":             server + "/../../../agent",
	} {
		if status, _ := post(t, url, audit(1, `"action":"close"`)); status == http.StatusOK {
			t.Errorf("%s: taken", name)
		}
	}
	if status, _ := post(t, conn, strings.Repeat(" ", 1<<20)); status != http.StatusRequestEntityTooLarge {
		t.Errorf("too long: %d", status)
	}

	// The company's other server has everything too, and its answer counts.
	var mu sync.Mutex
	var got []string
	far := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		mu.Lock()
		got = append(got, r.URL.Path+" "+string(bytes.TrimSpace(b)))
		mu.Unlock()
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"action":"disconnect"}`)
	}))
	far.Config.ErrorLog = log.New(io.Discard, "", 0)
	far.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{makeCert(authority.cert, authority.key.Public(), nil)}, PrivateKey: authority.key}}}
	far.StartTLS()
	defer far.Close()
	to := far.URL + "/rd"
	set(company.Change{RustDeskForward: &to})
	for _, path := range []string{"/api/audit/conn", "/api/heartbeat"} {
		if status, answer := post(t, server+path, `{"conn_id":7}`); status != http.StatusAccepted || answer != `{"action":"disconnect"}` {
			t.Errorf("%s: %d %s", path, status, answer)
		}
	}
	mu.Lock()
	if want := []string{`/rd/api/audit/conn {"conn_id":7}`, `/rd/api/heartbeat {"conn_id":7}`}; !slices.Equal(got, want) {
		t.Errorf("passed on: %q", got)
	}
	mu.Unlock()
	for _, bad := range []string{"http://127.0.0.1", "https://", "https://a@b", "https://b/?x"} {
		if err := s.co.SetOptions(t.Context(), company.Change{RustDeskForward: &bad}); err == nil {
			t.Errorf("%s: taken", bad)
		}
	}

	// Off ends the address for ever.
	set(company.Change{RustDesk: &off})
	if status, _ := post(t, conn, audit(1, `"action":"close"`)); status != http.StatusNotFound {
		t.Errorf("off: %d", status)
	}
	set(company.Change{RustDesk: &on})
	if status, _ := post(t, conn, audit(1, `"action":"close"`)); status != http.StatusNotFound {
		t.Errorf("on again: %d", status)
	}
	choices, err := s.co.Choices(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := json.Marshal(choices); err != nil || bytes.Contains(raw, []byte(server[i+1:])) {
		t.Errorf("the choices show the secret: %s, %v", raw, err)
	}
}
