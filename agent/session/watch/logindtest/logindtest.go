// Package logindtest gives tests a system bus of their own with a login manager
// on it that lists what the test says; the real one is asked in test/systemd.
//
// The one rule that must not be broken: it speaks the interface of
// org.freedesktop.login1(5) and nothing of ours, so that what is tested is the
// code that meets the real one.
package logindtest

import (
	"maps"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	manager = "org.freedesktop.login1.Manager"
	root    = dbus.ObjectPath("/org/freedesktop/login1")
)

// Manager lists sessions on a bus of its own.
type Manager struct {
	Conn *dbus.Conn // of the bus

	mu     sync.Mutex // guards what follows
	rows   map[string]map[string]dbus.Variant
	silent *silence // nil: it answers
}

// silence is a time without answers.
type silence struct{ asked, over chan struct{} }

// Start runs a bus until the test ends and makes it the system bus of this
// process, so the test cannot run beside others. Without Serve no login manager
// is on it. The test is skipped where dbus-daemon is missing.
func Start(t *testing.T) *Manager {
	t.Helper()
	if _, err := exec.LookPath("dbus-daemon"); err != nil {
		t.Skip("dbus-daemon is not installed")
	}
	dir, err := os.MkdirTemp("", "aval-bus-") // a test's own folder may hold what an address must escape
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	addr := "unix:path=" + dir + "/bus"
	cmd := exec.Command("dbus-daemon", "--session", "--nofork", "--address="+addr)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", addr)
	m := &Manager{rows: map[string]map[string]dbus.Variant{}}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := dbus.Connect(addr)
		if err == nil {
			m.Conn = conn
			t.Cleanup(func() { conn.Close() })
			return m
		}
		if time.Now().After(end) {
			t.Fatalf("the bus did not start: %v", err)
		}
	}
}

// Serve puts the login manager on the bus.
func (m *Manager) Serve(t *testing.T) {
	t.Helper()
	m.must(t, m.Conn.Export(listing{m}, root, manager))
	_, err := m.Conn.RequestName("org.freedesktop.login1", 0)
	m.must(t, err)
}

func (m *Manager) must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Seat and User are the structures that properties of these names have.
type (
	Seat struct {
		ID   string
		Path dbus.ObjectPath
	}
	User struct {
		UID  uint32
		Path dbus.ObjectPath
	}
)

// Path is the object path of a session.
func Path(id string) dbus.ObjectPath { return root + "/session/" + dbus.ObjectPath(id) }

// Set gives a session properties, by their names in org.freedesktop.login1(5),
// and tells the bus: a new session, or a changed one.
func (m *Manager) Set(t *testing.T, id string, props map[string]any) {
	t.Helper()
	changed := map[string]dbus.Variant{}
	for k, v := range props {
		changed[k] = dbus.MakeVariant(v)
	}
	m.mu.Lock()
	_, known := m.rows[id]
	if !known {
		m.rows[id] = map[string]dbus.Variant{}
		m.must(t, m.Conn.Export(properties{m, id}, Path(id), "org.freedesktop.DBus.Properties"))
	}
	maps.Copy(m.rows[id], changed)
	m.mu.Unlock()
	if !known {
		m.must(t, m.Conn.Emit(root, manager+".SessionNew", id, Path(id)))
		return
	}
	m.Changed(t, id, changed)
}

// Changed tells the bus of changed properties.
func (m *Manager) Changed(t *testing.T, id string, changed map[string]dbus.Variant) {
	t.Helper()
	m.must(t, m.Conn.Emit(Path(id), "org.freedesktop.DBus.Properties.PropertiesChanged", "org.freedesktop.login1.Session", changed, []string{}))
}

// Remove ends a session.
func (m *Manager) Remove(t *testing.T, id string) {
	t.Helper()
	m.mu.Lock()
	delete(m.rows, id)
	m.mu.Unlock()
	m.must(t, m.Conn.Emit(root, manager+".SessionRemoved", id, Path(id)))
}

// Silence keeps the list from being answered until answer is called. asked tells
// that somebody waits for it.
func (m *Manager) Silence() (asked <-chan struct{}, answer func()) {
	s := &silence{make(chan struct{}, 1), make(chan struct{})}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.silent = s
	return s.asked, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.silent = nil
		close(s.over)
	}
}

type listing struct{ m *Manager }

type row struct {
	ID   string
	UID  uint32
	User string
	Seat string
	Path dbus.ObjectPath
}

func (l listing) ListSessions() ([]row, *dbus.Error) {
	l.m.mu.Lock()
	s := l.m.silent
	l.m.mu.Unlock()
	if s != nil {
		select {
		case s.asked <- struct{}{}:
		default:
		}
		<-s.over
	}
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	var out []row
	for id, p := range l.m.rows {
		user, _ := p["User"].Value().(User)
		name, _ := p["Name"].Value().(string)
		seat, _ := p["Seat"].Value().(Seat)
		out = append(out, row{id, user.UID, name, seat.ID, Path(id)})
	}
	return out, nil
}

type properties struct {
	m  *Manager
	id string
}

func (p properties) GetAll(string) (map[string]dbus.Variant, *dbus.Error) {
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	return maps.Clone(p.m.rows[p.id]), nil
}
