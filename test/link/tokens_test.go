package link_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aval/agent/ipc"
	astore "aval/agent/store"
	"aval/agent/wire"
	"aval/summarizer/company"
)

// unmanaged is an agent that no company knows, with a folder for token files.
// make tells whether the folder is there before it.
func unmanaged(t *testing.T, made bool) *desk {
	t.Helper()
	dir := t.TempDir()
	d := &desk{t: t, dir: dir, socket: filepath.Join(dir, "agent.sock"), yes: true, done: map[string]bool{}, tokens: filepath.Join(dir, "enroll.d")}
	if made {
		if err := os.Mkdir(d.tokens, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func (d *desk) begin() {
	d.t.Helper()
	d.start()
	d.t.Cleanup(func() { d.stop() })
}

// lay puts a token file there as device management does: under another name
// first, whole when it has its own.
func (d *desk) lay(name string, tok wire.TokenFile) string {
	d.t.Helper()
	if err := os.MkdirAll(d.tokens, 0o700); err != nil {
		d.t.Fatal(err)
	}
	path := filepath.Join(d.tokens, name)
	if err := errors.Join(os.WriteFile(path+".new", company.EncodeTokenFile(tok), 0o600), os.Rename(path+".new", path)); err != nil {
		d.t.Fatal(err)
	}
	return path
}

// until waits until the status is as ok wants it.
func (d *desk) until(what string, ok func(ipc.Status) bool) ipc.Status {
	d.t.Helper()
	var s ipc.Status
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		var err error
		if s, err = say[ipc.Status](d, ipc.MethodStatus, nil); err != nil {
			d.t.Fatal(err)
		}
		if ok(s) {
			return s
		}
		if time.Now().After(end) {
			d.t.Fatalf("%s: not in time: %+v", what, s)
		}
	}
}

func notes(s ipc.Status, part string) bool {
	return strings.Contains(strings.Join(s.Notes, "\n"), part)
}

func gone(t *testing.T, path string) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s is still there", path)
		}
	}
}

func managed(s ipc.Status) bool { return s.Company != "" }

// A computer is enrolled by a token file in whatever order things come: before
// the service, after it, into a folder that is made later, before the server can
// be reached. The file goes once it has been used.
// Faults planted once: no Watch (the orders after the service were missed), no
// later (the server that came later), no Remove.
func TestTokenFileInAnyOrder(t *testing.T) {
	for name, before := range map[string]bool{"before the service": true, "after it": false} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t, nil)
			d := unmanaged(t, before)
			path := ""
			if before {
				path = d.lay("a.json", token(t, s.dir))
			}
			d.begin()
			if !before {
				path = d.lay("a.json", token(t, s.dir))
			}
			d.until("enrolled", managed)
			gone(t, path)
		})
	}
	t.Run("before the server", func(t *testing.T) {
		s := startServer(t, nil)
		tok, addr, dir := token(t, s.dir), s.addr, s.dir
		s.close()
		d := unmanaged(t, true)
		path := d.lay("a.json", tok)
		d.begin()
		d.until("it says what it waits for", func(s ipc.Status) bool { return notes(s, "not enrolled yet") })
		if _, err := os.Stat(path); err != nil {
			t.Fatal("the token was given up: ", err)
		}
		again, err := listen(dir, addr, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(again.close)
		d.until("enrolled, and it waits for nothing", func(s ipc.Status) bool { return managed(s) && !notes(s, "not enrolled yet") })
		gone(t, path)
	})
}

// What a token file cannot do: enrol with a token that was used, move an enrolled
// computer to another company, count when others could have written it, or
// stand in the way of a good one.
// Fault planted once: no trusted folder (the file that everybody could write).
func TestTokenFileRefused(t *testing.T) {
	s := startServer(t, nil)
	d := unmanaged(t, true)
	d.begin()
	used := token(t, s.dir)
	other := startDesk(t)
	if _, err := say[ipc.EnrollResult](other, ipc.MethodEnroll, ipc.Enroll{Server: used.Server, Token: used.Token, Pin: used.Pin}); err != nil {
		t.Fatal(err)
	}
	spent := d.lay("1.json", used)
	d.until("a used token is refused", func(s ipc.Status) bool { return notes(s, "used already") })
	if _, err := os.Stat(spent); err != nil {
		t.Error("a refused token file was taken away: ", err)
	}
	bad := filepath.Join(d.tokens, "2.json")
	if err := os.WriteFile(bad, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := d.lay("3.json", token(t, s.dir))
	d.until("enrolled by the good one", managed)
	gone(t, good)
	// Elsewhere, while enrolled here.
	elsewhere := startServer(t, nil)
	path := d.lay("4.json", token(t, elsewhere.dir))
	at := d.until("another company's is refused", func(s ipc.Status) bool { return notes(s, "another server") })
	if at.Server != "https://"+s.addr {
		t.Errorf("it belongs to %s now", at.Server)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error("it was taken away: ", err)
	}
	// Another one of the same company is a secret that is of no use any more.
	gone(t, d.lay("5.json", token(t, s.dir)))

	open := unmanaged(t, true)
	path = open.lay("a.json", token(t, s.dir))
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	open.begin()
	if s := open.until("it says why", func(s ipc.Status) bool { return notes(s, "written by others") }); managed(s) {
		t.Error("a token file that everybody could write enrolled this computer")
	}
	// A pipe has no writer: nobody may be held up by it, and the others count.
	if err := errors.Join(os.Remove(path)); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(open.tokens, "s.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	open.until("a socket is no token file", func(s ipc.Status) bool { return notes(s, "s.json") })
}

// A clone has a new key and no enrolment, and the computer that it was made of
// stays what it was. (See store.TestMachine for the rest.)
func TestClonedComputer(t *testing.T) {
	s := startServer(t, nil)
	d := unmanaged(t, true)
	d.is = astore.Machine{System: "a", Board: "b"}
	d.lay("a.json", token(t, s.dir))
	d.begin()
	first := d.until("connected", func(s ipc.Status) bool { return s.Link == "connected" })
	d.stop()

	twin := unmanaged(t, false)
	if err := os.CopyFS(filepath.Join(twin.dir, "state"), os.DirFS(filepath.Join(d.dir, "state"))); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"", "docs", "keys"} { // CopyFS opens folders to all
		if err := os.Chmod(filepath.Join(twin.dir, "state", dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	twin.is = astore.Machine{System: "c", Board: "b"}
	twin.begin()
	if at := twin.until("it says so", func(s ipc.Status) bool { return notes(s, "cloned") }); managed(at) {
		t.Error("a clone is enrolled")
	}
	twin.lay("a.json", token(t, s.dir))
	second := twin.until("the clone is enrolled as itself", func(s ipc.Status) bool { return s.Link == "connected" })
	d.start()
	if again := d.until("the first is connected", func(s ipc.Status) bool { return s.Link == "connected" }); again.Device != first.Device || second.Device == first.Device {
		t.Errorf("devices: %s, then %s; the clone %s", first.Device, again.Device, second.Device)
	}
}
