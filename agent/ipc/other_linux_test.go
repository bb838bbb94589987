package ipc_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"aval/agent/ipc"
)

// TestAnotherUser runs this test binary as nobody: it may talk, and it may do
// only what the table gives to every user.
func TestAnotherUser(t *testing.T) {
	if socket := os.Getenv("AVAL_TEST_SOCKET"); socket != "" {
		c, err := ipc.Dial(context.Background(), socket, ipc.Hello{Program: "test"})
		if err != nil {
			fmt.Println("dial:", err)
			return
		}
		var me who
		fmt.Println("settings:", c.Call(context.Background(), ipc.MethodSettingsGet, nil, &me), me.UID, me.Role)
		fmt.Println("enroll:", c.Call(context.Background(), ipc.MethodEnroll, ipc.Enroll{}, nil))
		return
	}
	if os.Getuid() != 0 {
		t.Skip("needs root to run a program as another user")
	}
	// A place that another user can reach, with a copy of this binary.
	dir, err := os.MkdirTemp("", "aval-ipc-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s.sock")
	s, err := ipc.Listen(socket, ipc.HelloResult{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(&echo{})
	defer s.Close()
	raw, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	self := filepath.Join(dir, "self")
	if err := os.WriteFile(self, raw, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run", "^TestAnotherUser$")
	cmd.Dir = dir
	cmd.Env = []string{"AVAL_TEST_SOCKET=" + socket}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{"settings: <nil> 65534 1", "enroll: this needs administrator rights"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
}
