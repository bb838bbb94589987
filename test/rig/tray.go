package rig

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"
)

// Tray is a session bus of the person's with a tray on it, and a program on the
// same bus that presses what it likes in the menus of the icons.
type Tray struct {
	r    *Rig
	conn *dbus.Conn

	mu    sync.Mutex
	icons []string // bus names, guarded by mu
}

// StartTray starts bus and tray. Helpers that are started afterwards find them.
func (r *Rig) StartTray() (*Tray, error) {
	rd, wr, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer rd.Close()
	p, err := r.Start(Cmd{Name: "bus", Path: "dbus-daemon", FDs: []*os.File{wr},
		Args: []string{"--session", "--nofork", "--print-address=3", "--address=unix:path=" + r.Path("bus")}})
	wr.Close()
	if err != nil {
		return nil, err
	}
	if err := rd.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return nil, err
	}
	address, err := bufio.NewReader(rd).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("start the session bus: %w\n%s", err, p.Tail())
	}
	t := &Tray{r: r}
	if t.conn, err = dbus.Connect(strings.TrimSpace(address)); err != nil {
		return nil, fmt.Errorf("connect to the session bus: %w", err)
	}
	r.Defer(func() { t.conn.Close() })
	const name, path = "org.kde.StatusNotifierWatcher", "/StatusNotifierWatcher"
	if err := t.conn.Export(t, path, name); err != nil {
		return nil, err
	}
	if _, err := t.conn.RequestName(name, dbus.NameFlagDoNotQueue); err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.bus = strings.TrimSpace(address)
	r.mu.Unlock()
	return t, nil
}

// sessionBus is the address of the person's session bus; empty: there is none.
func (r *Rig) sessionBus() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bus
}

// RegisterStatusNotifierItem is the method of org.kde.StatusNotifierWatcher.
func (t *Tray) RegisterStatusNotifierItem(_ string, sender dbus.Sender) *dbus.Error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.icons = append(t.icons, string(sender))
	return nil
}

// WaitIcon waits until there is an icon.
func (t *Tray) WaitIcon(limit time.Duration) error {
	return t.r.Wait("an icon in the tray", limit, func() (bool, error) { return t.icon() != "", nil })
}

// icon is the newest one: that of the helper that runs now.
func (t *Tray) icon() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.icons) == 0 {
		return ""
	}
	return t.icons[len(t.icons)-1]
}

const (
	menuPath = dbus.ObjectPath("/StatusNotifierItem/menu")
	menuName = "com.canonical.dbusmenu"
)

// Entries are the ids of the icon's menu.
func (t *Tray) Entries() ([]int32, error) {
	var revision uint32
	var root struct {
		ID    int32
		Props map[string]dbus.Variant
		Kids  []dbus.Variant
	}
	if err := t.conn.Object(t.icon(), menuPath).Call(menuName+".GetLayout", 0, int32(0), int32(-1), []string{}).Store(&revision, &root); err != nil {
		return nil, fmt.Errorf("read the tray's menu: %w", err)
	}
	var ids []int32
	for _, k := range root.Kids {
		if parts, ok := k.Value().([]any); ok && len(parts) > 0 {
			if id, ok := parts[0].(int32); ok {
				ids = append(ids, id)
			}
		}
	}
	return ids, nil
}

// Press presses an entry, as any program on the bus can; one that is not there too.
func (t *Tray) Press(id int32) error {
	call := t.conn.Object(t.icon(), menuPath).Call(menuName+".Event", 0, id, "clicked", dbus.MakeVariant(0), uint32(time.Now().Unix()))
	if call.Err != nil && t.icon() == "" {
		return call.Err
	}
	return nil // an entry that is not there may be refused
}

// EndChildren ends a process's children that run a program, except one.
func (r *Rig) EndChildren(parent int, program string, except int) {
	for _, pid := range r.Children(parent, program) {
		if pid != except {
			_ = syscall.Kill(pid, syscall.SIGTERM)
		}
	}
}
