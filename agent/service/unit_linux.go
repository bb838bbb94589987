package service

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/kardianos/service"
)

const logHint = "see journalctl -u " + Name

// errManager is given where there is another service manager, or none: the
// scripts that kardianos would write for those have no restrictions at all.
var errManager = errors.New("this system is not run by systemd: start \"aval run\" with the service manager that it has")

// configure adds the unit. kardianos would render it with its own template
// engine; it gets the text complete, and refuses "{{" itself.
func configure(cfg *service.Config, o Options) error {
	unit, err := Unit(cfg.Executable, o)
	if err != nil {
		return err
	}
	cfg.Option["SystemdScript"] = unit
	return nil
}

// packagedUnit is where a package has the unit, which is the same one.
const packagedUnit = "/usr/lib/systemd/system/" + Name + ".service"

// packaged refuses where a package has installed the service: two units of one
// name would be two truths about its rights.
func packaged() error {
	if _, err := os.Stat(packagedUnit); err == nil {
		return errors.New("a package has installed the service here: use systemctl to enable, disable, start and stop it, and the package's own tool to remove it")
	}
	return nil
}

func (s *Service) prepare() error {
	if s.svc.Platform() != "linux-systemd" {
		return errManager
	}
	policies := s.opts.PolicyDir
	if policies == "" {
		policies = DefaultPolicyDir
	}
	for _, dir := range []string{"managed", "recommended"} {
		if err := os.MkdirAll(filepath.Join(policies, dir), 0o755); err != nil {
			return err
		}
	}
	for _, dir := range append(s.opts.extraDirs(), DefaultTokenDir) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	return nil
}

func ended(error) {}

// extraDirs are the folders outside the usual places that the service writes to.
func (o Options) extraDirs() []string {
	var dirs []string
	if o.StateDir != "" && o.StateDir != DefaultStateDir {
		dirs = append(dirs, o.StateDir)
	}
	if o.Socket != "" && filepath.Dir(o.Socket) != filepath.Dir(DefaultSocket) {
		dirs = append(dirs, filepath.Dir(o.Socket))
	}
	return dirs
}

// Unit is the systemd unit of the service: executable run with o.
//
// Rights that it has, and why (capabilities(7)):
//
//   - CAP_NET_ADMIN: the kernel announces started programs only to its holder.
//   - CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH: whose display a program belongs to
//     stands in /proc/PID/environ, which is closed to others. Nothing is traced.
//   - CAP_SETUID and CAP_SETGID: to ask an x11vnc server for its clients as the
//     user whom it belongs to, and not as root.
//
// It runs as root because the state belongs to nobody else and the answers of
// all users meet here. It writes to its state and runtime folders alone (and takes
// used token files out of theirs), makes
// no device, no namespace and no set-uid file, and loads no code at run time.
// Homes can be read, not written: the X cookie of an x11vnc server lies there.
func Unit(executable string, o Options) (string, error) {
	exe, err := word(executable, false)
	if err != nil {
		return "", err
	}
	exec := exe + " run"
	for _, a := range o.arguments() {
		w, err := word(a, true)
		if err != nil {
			return "", err
		}
		exec += " " + w
	}
	var writes strings.Builder
	for _, dir := range o.extraDirs() {
		for _, hidden := range []string{"/tmp", "/var/tmp"} {
			if dir == hidden || strings.HasPrefix(dir, hidden+"/") {
				return "", fmt.Errorf("make unit: the service has a %s of its own: choose another folder than %s", hidden, dir)
			}
		}
		w, err := word(dir, false)
		if err != nil {
			return "", err
		}
		writes.WriteString("ReadWritePaths=" + w + "\n")
	}
	return strings.NewReplacer("@EXEC@", exec, "@WRITES@\n", writes.String()).Replace(unit), nil
}

// word writes a path as one word of a unit (systemd.syntax(7), systemd.service(5)):
// quoted, with specifiers kept from being expanded, and in arguments of a
// program, where they are looked for too, variables.
func word(s string, argument bool) (string, error) {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) || strings.Contains(s, "{{") {
		return "", fmt.Errorf("make unit: %q cannot stand in a unit", s)
	}
	plain := !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:@", r))
	})
	if plain {
		return s, nil
	}
	s = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `%`, `%%`).Replace(s)
	if argument {
		s = strings.ReplaceAll(s, "$", "$$")
	}
	return `"` + s + `"`, nil
}

const unit = `[Unit]
Description=Aval: summaries of remote support, with the word of the person at the computer
After=dbus.socket systemd-logind.service
# A service that gives up would leave sessions undecided without a trace.
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart=@EXEC@
Restart=always
RestartSec=1
TimeoutStartSec=60
TimeoutStopSec=6
LimitCORE=0
LimitNICE=-15
LimitRTPRIO=1
UMask=0077

StateDirectory=aval
StateDirectoryMode=0700
RuntimeDirectory=aval
RuntimeDirectoryMode=0755
RuntimeDirectoryPreserve=restart
ReadWritePaths=-` + DefaultTokenDir + `
@WRITES@

CapabilityBoundingSet=CAP_NET_ADMIN CAP_SYS_PTRACE CAP_DAC_READ_SEARCH CAP_SETUID CAP_SETGID
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
`
