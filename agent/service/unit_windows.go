package service

import (
	"os"

	"github.com/kardianos/service"
)

const logHint = "see the system's event log"

// configure asks for a restart one second after a failure.
func configure(cfg *service.Config, _ Options) error {
	cfg.Option["OnFailure"] = "restart"
	cfg.Option["OnFailureDelayDuration"] = "1s"
	return nil
}

func (*Service) prepare() error { return nil }

// ended makes a failed run visible: the service manager would otherwise go on
// to show a service that does nothing.
func ended(err error) {
	if err != nil && !interactive() {
		os.Exit(1)
	}
}

// packaged: only packages for Linux bring a unit of their own.
func packaged() error { return nil }
