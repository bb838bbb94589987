package source

import (
	"context"

	"golang.org/x/sys/windows/registry"

	"aval/agent/winreg"
)

// above is the key that is watched: it exists on every computer, and Aval's lies
// below it or is made there.
const above = `SOFTWARE\Policies`

// Watch reads the policy, gives it to changed, and does so again each time that
// it has changed, until ctx ends. It waits for the system's word and polls
// nothing. It returns early only when the system cannot watch.
func (d *Dir) Watch(ctx context.Context, changed func(Snapshot)) error {
	return winreg.Watch(ctx, registry.LOCAL_MACHINE, above, registry.WOW64_64KEY, settle, d.reporter(changed))
}
