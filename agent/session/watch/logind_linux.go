package watch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	loginBus  = "org.freedesktop.login1"
	loginPath = dbus.ObjectPath("/org/freedesktop/login1")
	manager   = loginBus + ".Manager"
	sessionIf = loginBus + ".Session"
	propsIf   = "org.freedesktop.DBus.Properties"
	// settle is how long signals are gathered: a login makes several at once.
	settle = 50 * time.Millisecond
)

// Logind is a connection to systemd-logind on the system bus.
type Logind struct {
	conn *dbus.Conn
	log  *slog.Logger
}

// NewLogind connects to logind, which tells of changes by itself. It returns an error where there is no system
// bus or no logind on it.
func NewLogind(log *slog.Logger, _ <-chan struct{}) (*Logind, error) {
	conn, err := dbus.ConnectSystemBus()
	if err != nil {
		return nil, fmt.Errorf("connect to the system bus: %w", err)
	}
	var owned bool
	if err := conn.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, loginBus).Store(&owned); err == nil && !owned {
		// Not running yet: the bus can start it.
		var r uint32
		err = conn.BusObject().Call("org.freedesktop.DBus.StartServiceByName", 0, loginBus, uint32(0)).Store(&r)
		if err != nil {
			conn.Close()
			return nil, fmt.Errorf("find logind on the system bus: %w", err)
		}
	} else if err != nil {
		conn.Close()
		return nil, fmt.Errorf("find logind on the system bus: %w", err)
	}
	return &Logind{conn: conn, log: log}, nil
}

// Close ends the connection, and Watch with it.
func (l *Logind) Close() error { return l.conn.Close() }

// Sessions lists all sessions. A session that ends meanwhile is left out; any
// other failure is an error, so that a list is whole or not there.
func (l *Logind) Sessions(ctx context.Context) ([]LogindSession, error) {
	var rows []struct {
		ID   string
		UID  uint32
		User string
		Seat string
		Path dbus.ObjectPath
	}
	err := l.conn.Object(loginBus, loginPath).CallWithContext(ctx, manager+".ListSessions", 0).Store(&rows)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	out := make([]LogindSession, 0, len(rows))
	for _, r := range rows {
		var props map[string]dbus.Variant
		err := l.conn.Object(loginBus, r.Path).CallWithContext(ctx, propsIf+".GetAll", 0, sessionIf).Store(&props)
		var dbusErr dbus.Error
		if errors.As(err, &dbusErr) && (dbusErr.Name == "org.freedesktop.DBus.Error.UnknownObject" || dbusErr.Name == loginBus+".NoSuchSession") {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read session %s: %w", r.ID, err)
		}
		s := session(r.ID, props)
		s.UID, s.User = r.UID, r.User
		out = append(out, s)
	}
	return out, nil
}

// Watch calls changed after each change of the list, of a session's lock or of
// which session is in front, and once at the beginning; several changes within
// 50 ms make one call. It returns when ctx ends or the bus is lost: then with
// an error, after a last call of changed.
func (l *Logind) Watch(ctx context.Context, changed func()) error {
	matches := [][]dbus.MatchOption{
		{dbus.WithMatchSender(loginBus), dbus.WithMatchInterface(manager), dbus.WithMatchMember("SessionNew")},
		{dbus.WithMatchSender(loginBus), dbus.WithMatchInterface(manager), dbus.WithMatchMember("SessionRemoved")},
		{dbus.WithMatchSender(loginBus), dbus.WithMatchInterface(sessionIf)}, // Lock, Unlock
		{dbus.WithMatchSender(loginBus), dbus.WithMatchInterface(propsIf), dbus.WithMatchMember("PropertiesChanged"),
			dbus.WithMatchPathNamespace(loginPath + "/session")},
	}
	signals := make(chan *dbus.Signal, 64)
	l.conn.Signal(signals)
	defer l.conn.RemoveSignal(signals)
	for _, m := range matches {
		if err := l.conn.AddMatchSignalContext(ctx, m...); err != nil {
			return fmt.Errorf("subscribe to logind: %w", err)
		}
		defer l.conn.RemoveMatchSignal(m...)
	}
	changed() // what happened before the subscription
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	pending := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case sig, ok := <-signals:
			if !ok {
				changed()
				return errors.New("watch logind: the system bus is gone")
			}
			if relevant(sig) && !pending {
				pending = true
				timer.Reset(settle)
			}
		case <-timer.C:
			pending = false
			changed()
		}
	}
}

// relevant leaves out properties that change often and say nothing of interest,
// such as IdleHint.
func relevant(sig *dbus.Signal) bool {
	if sig.Path == "/org/freedesktop/DBus" {
		return false // the bus itself
	}
	if sig.Name != propsIf+".PropertiesChanged" {
		return true
	}
	if len(sig.Body) < 3 {
		return false
	}
	values, _ := sig.Body[1].(map[string]dbus.Variant)
	names, _ := sig.Body[2].([]string)
	for _, p := range []string{"LockedHint", "Active", "State", "Type", "Class", "Display", "TTY"} {
		if _, ok := values[p]; ok {
			return true
		}
		for _, n := range names {
			if n == p {
				return true
			}
		}
	}
	return false
}
