package service

import (
	"github.com/kardianos/service"
)

const logHint = "see log show --predicate 'process == \"aval\"'"

// configure makes launchd start the service at boot: kardianos leaves that off.
func configure(cfg *service.Config, _ Options) error {
	cfg.Option["RunAtLoad"] = true
	return nil
}

func (*Service) prepare() error { return nil }

func ended(error) {}

// packaged: only packages for Linux bring a unit of their own.
func packaged() error { return nil }
