package capture

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"aval/agent/event"
)

// systemd and logind on the system bus (org.freedesktop.systemd1(5),
// org.freedesktop.login1(5)).
const (
	systemdBus  = "org.freedesktop.systemd1"
	systemdPath = dbus.ObjectPath("/org/freedesktop/systemd1")
	systemdMan  = systemdBus + ".Manager"
	systemdUnit = systemdBus + ".Unit"
	loginMan    = "org.freedesktop.login1.Manager"
	properties  = "org.freedesktop.DBus.Properties"

	// unitAgain is how long the same failure of a service is told once.
	unitAgain = 5 * time.Second
	// enabledSettle gathers the changes of unit files before they are read.
	enabledSettle = 500 * time.Millisecond
)

// jobActions are what the end of a job of this type means (JobType).
var jobActions = map[string]string{
	"start": "started", "stop": "stopped", "restart": "restarted", "try-restart": "restarted",
	"reload": "reloaded", "reload-or-start": "reloaded",
}

// units follows the services of systemd. It belongs to one goroutine.
type units struct {
	conn    *dbus.Conn
	jobs    map[uint32]job       // those that run
	failed  map[string]time.Time // when a failure was told last
	enabled map[string]bool      // unit files that can be enabled
	tell    func(at time.Time, action, unit string)
	mine    func(at time.Time, tell func()) // work.mine, of services and packages
}

// job is what is known of a job that runs.
type job struct {
	kind string    // its type; "": it had ended before it could be asked
	at   time.Time // when it was announced
}

// runServices tells which services are started, stopped, enabled and disabled
// while the session works on services or packages, which ones fail, and that the
// computer is told to restart.
func runServices(ctx context.Context, g *gate, w *work) error {
	conn, err := dbus.ConnectSystemBus(dbus.WithContext(ctx))
	if err != nil {
		return fmt.Errorf("watch services: %w", err)
	}
	defer conn.Close()
	u := &units{conn: conn, jobs: map[uint32]job{}, failed: map[string]time.Time{},
		tell: func(at time.Time, action, unit string) {
			g.pass(event.ServiceChanged, at, map[string]string{"action": action, "name": strings.TrimSuffix(unit, ".service")})
		},
		mine: func(at time.Time, tell func()) { w.mine(at, tell, servicers, packagers) },
	}
	return u.run(ctx, func() { g.pass(event.Restart, time.Now(), map[string]string{"stage": "requested"}) })
}

func (u *units) run(ctx context.Context, restart func()) error {
	signals := make(chan *dbus.Signal, 512)
	u.conn.Signal(signals)
	for _, m := range [][]dbus.MatchOption{
		{dbus.WithMatchSender(systemdBus), dbus.WithMatchInterface(systemdMan)},
		{dbus.WithMatchSender(systemdBus), dbus.WithMatchInterface(properties), dbus.WithMatchMember("PropertiesChanged"), dbus.WithMatchPathNamespace(systemdPath + "/unit"), dbus.WithMatchArg(0, systemdUnit)},
		{dbus.WithMatchSender("org.freedesktop.login1"), dbus.WithMatchInterface(loginMan), dbus.WithMatchMember("PrepareForShutdown")},
	} {
		if err := u.conn.AddMatchSignalContext(ctx, m...); err != nil {
			return fmt.Errorf("watch services: %w", err)
		}
	}
	man := u.conn.Object(systemdBus, systemdPath)
	if err := man.CallWithContext(ctx, systemdMan+".Subscribe", 0).Err; err != nil {
		return fmt.Errorf("watch services: %w", err)
	}
	u.enabled = u.files(ctx)
	var reread <-chan time.Time
	var changed time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case sig, ok := <-signals:
			switch {
			case !ok:
				return errors.New("watch services: the system bus is gone")
			case sig.Name == loginMan+".PrepareForShutdown":
				if now, ok := first[bool](sig.Body); ok && now {
					restart()
				}
			case sig.Name == systemdMan+".UnitFilesChanged":
				if reread == nil {
					changed = time.Now()
				}
				reread = time.After(enabledSettle)
			default:
				u.signal(ctx, sig, time.Now())
			}
		case <-reread:
			reread = nil
			u.compare(changed, u.files(ctx))
		}
	}
}

func first[T any](body []any) (T, bool) {
	var v T
	if len(body) == 0 {
		return v, false
	}
	v, ok := body[0].(T)
	return v, ok
}

// signal takes what systemd says of one unit or job.
func (u *units) signal(ctx context.Context, sig *dbus.Signal, now time.Time) {
	switch sig.Name {
	case systemdMan + ".JobNew": // id, job, unit
		var id uint32
		var path dbus.ObjectPath
		var unit string
		if dbus.Store(sig.Body, &id, &path, &unit) != nil || !strings.HasSuffix(unit, ".service") || len(u.jobs) > 1000 {
			return
		}
		var kind string
		if v, err := u.conn.Object(systemdBus, path).GetProperty(systemdBus + ".Job.JobType"); err == nil {
			kind, _ = v.Value().(string)
		}
		u.jobs[id] = job{kind, now}
	case systemdMan + ".JobRemoved": // id, job, unit, result
		var id uint32
		var path dbus.ObjectPath
		var unit, result string
		if dbus.Store(sig.Body, &id, &path, &unit, &result) != nil || !strings.HasSuffix(unit, ".service") {
			return
		}
		j, known := u.jobs[id]
		delete(u.jobs, id)
		switch {
		case result == "failed" || result == "timeout":
			u.fails(unit, now)
		case result == "done" && known:
			u.mine(j.at, func() {
				action := jobActions[j.kind]
				if j.kind == "" || j.kind == "start" { // the second half of a restart is a start, too
					action = u.became(ctx, unit, j.at)
				}
				if action != "" {
					u.tell(now, action, unit)
				}
			})
		}
	case properties + ".PropertiesChanged": // interface, values, names
		if len(sig.Body) < 2 {
			return
		}
		values, _ := sig.Body[1].(map[string]dbus.Variant)
		if state, ok := values["ActiveState"]; ok && state.Value() == "failed" {
			if unit := unitOf(sig.Path); strings.HasSuffix(unit, ".service") {
				u.fails(unit, now)
			}
		}
	}
}

// jobBefore is how long before its announcement is heard a job may have begun.
const jobBefore = 2 * time.Second

// became is what a job that was announced at the time at has done to a unit, by
// the times of the unit's own states (org.freedesktop.systemd1(5)): most jobs end
// before their type can be asked. "": nothing that can be told.
func (u *units) became(ctx context.Context, unit string, at time.Time) string {
	var path dbus.ObjectPath
	if u.conn.Object(systemdBus, systemdPath).CallWithContext(ctx, systemdMan+".GetUnit", 0, unit).Store(&path) != nil {
		return "stopped" // one that does not run is let go
	}
	var p map[string]dbus.Variant
	if u.conn.Object(systemdBus, path).CallWithContext(ctx, properties+".GetAll", 0, systemdUnit).Store(&p) != nil {
		return ""
	}
	since := func(name string) bool { // microseconds since 1970
		us, _ := p[name].Value().(uint64)
		return time.UnixMicro(int64(us)).After(at.Add(-jobBefore))
	}
	switch state, _ := p["ActiveState"].Value().(string); {
	case (state == "active" || state == "activating") && since("InactiveExitTimestamp") && since("ActiveExitTimestamp"):
		return "restarted"
	case (state == "active" || state == "activating") && since("InactiveExitTimestamp"):
		return "started"
	case state == "active":
		return "reloaded"
	case state == "inactive" && since("InactiveEnterTimestamp") && !since("InactiveExitTimestamp"):
		return "stopped"
	case state == "inactive" && since("InactiveEnterTimestamp"): // it has done its work already
		return "started"
	}
	return ""
}

// fails tells of a failure, once for the job and the state that show it.
func (u *units) fails(unit string, now time.Time) {
	if now.Sub(u.failed[unit]) < unitAgain {
		return
	}
	if len(u.failed) > 1000 {
		clear(u.failed)
	}
	u.failed[unit] = now
	u.tell(now, "failed", unit)
}

// files reads which unit files are enabled.
func (u *units) files(ctx context.Context) map[string]bool {
	var rows []struct{ Path, State string }
	if err := u.conn.Object(systemdBus, systemdPath).CallWithContext(ctx, systemdMan+".ListUnitFiles", 0).Store(&rows); err != nil {
		return nil
	}
	out := map[string]bool{}
	for _, r := range rows {
		name := base(r.Path)
		if strings.HasSuffix(name, ".service") && (r.State == "enabled" || r.State == "disabled") {
			out[name] = r.State == "enabled"
		}
	}
	return out
}

// compare tells what was enabled and disabled since the last reading, heard of at
// the time at.
func (u *units) compare(at time.Time, now map[string]bool) {
	if now == nil {
		return
	}
	for unit, on := range now {
		if was, known := u.enabled[unit]; known && was != on {
			action := "disabled"
			if on {
				action = "enabled"
			}
			u.mine(at, func() { u.tell(at, action, unit) })
		}
	}
	u.enabled = now
}

// unitOf reads the name of a unit out of its object path: everything but letters
// and digits is written as _ and two hexadecimal digits (sd_bus_path_encode(3)).
func unitOf(path dbus.ObjectPath) string {
	s := string(path)[strings.LastIndexByte(string(path), '/')+1:]
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '_' && i+2 < len(s) {
			if hi, lo := hexDigit(s[i+1]), hexDigit(s[i+2]); hi >= 0 && lo >= 0 {
				b.WriteByte(byte(hi<<4 | lo))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func hexDigit(c byte) int { return strings.IndexByte("0123456789abcdef", c) }
