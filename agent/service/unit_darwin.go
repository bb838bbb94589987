package service

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"

	"github.com/kardianos/service"
)

const logHint = "see " + MacLog

// configure adds what launchd is told, complete: kardianos would leave the start at
// boot out.
func configure(cfg *service.Config, o Options) error {
	text, err := Daemon(cfg.Executable, o.arguments()...)
	if err != nil {
		return err
	}
	cfg.Option["LaunchdConfig"] = text
	return nil
}

// prepare makes the folders that a package would bring.
func (s *Service) prepare() error {
	policies := s.opts.PolicyDir
	if policies == "" {
		policies = DefaultPolicyDir
	}
	for _, dir := range []string{filepath.Join(policies, "managed"), filepath.Join(policies, "recommended"), filepath.Dir(MacLog)} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	return os.MkdirAll(DefaultTokenDir, 0o700)
}

func ended(error) {}

// packaged refuses where a package has installed the service: it is told by the
// program that launchd runs.
func packaged() error {
	raw, err := os.ReadFile(MacDaemon)
	if err == nil && bytes.Contains(raw, []byte("<string>"+MacPrograms+"/aval</string>")) {
		return errors.New("a package has installed the service here: use launchctl to start and stop it, and " + MacUninstall + " to remove it")
	}
	return nil
}
