//go:build unix

package main

import (
	"os"
	"strings"
	"syscall"
)

// renewedFor names, in the environment, the version of the service that this
// process was started anew for: once is enough.
const renewedFor = "AVAL_RENEWED_FOR"

// renewable tells whether starting anew may help against a service of that
// version: after an upgrade this program's file is that of the service's version
// too. Where it is not, trying again and again would be a loop.
func renewable(build string) bool { return os.Getenv(renewedFor) != build }

// renew runs this program's file in place of this process, which keeps its id.
func renew(build string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, renewedFor+"=") {
			env = append(env, e)
		}
	}
	return syscall.Exec(self, os.Args, append(env, renewedFor+"="+build))
}
