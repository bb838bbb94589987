package service_test

import (
	"os"
	"os/signal"
	"syscall"
	"testing"
)

// signals sends this process a signal. Until the service listens, it would end
// the test: so the test listens too.
func signals(t *testing.T, sig syscall.Signal) {
	t.Helper()
	own := make(chan os.Signal, 1)
	signal.Notify(own, sig)
	defer signal.Stop(own)
	if err := syscall.Kill(os.Getpid(), sig); err != nil {
		t.Fatal(err)
	}
	<-own
}
