package source

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// above is the key that is watched: it exists on every computer, and Aval's lies
// below it or is made there.
const above = `SOFTWARE\Policies`

// Watch reads the policy, gives it to changed, and does so again each time that
// it has changed, until ctx ends. It waits for the system's word and polls
// nothing. It returns early only when the system cannot watch.
func (d *Dir) Watch(ctx context.Context, changed func(Snapshot)) error {
	return watchRegistry(ctx, registry.LOCAL_MACHINE, above, d.reporter(changed))
}

// watchRegistry calls report at once and after each change below a key.
func watchRegistry(ctx context.Context, root registry.Key, path string, report func()) error {
	k, err := registry.OpenKey(root, path, registry.NOTIFY|registry.WOW64_64KEY)
	if err != nil {
		return fmt.Errorf("watch policy: open %s: %w", path, err)
	}
	defer k.Close()
	change, err := windows.CreateEvent(nil, 0, 0, nil)
	if err != nil {
		return fmt.Errorf("watch policy: %w", err)
	}
	defer windows.CloseHandle(change)
	stop, err := windows.CreateEvent(nil, 1, 0, nil)
	if err != nil {
		return fmt.Errorf("watch policy: %w", err)
	}
	defer windows.CloseHandle(stop)
	told := make(chan struct{})
	ended := context.AfterFunc(ctx, func() { defer close(told); _ = windows.SetEvent(stop) })
	defer func() {
		if !ended() { // the event may be closed only once it is not set any more
			<-told
		}
	}()
	for {
		// Asked for before reading, so that no change falls between the two. Not
		// bound to a thread: Go may go on in another.
		const what = windows.REG_NOTIFY_CHANGE_NAME | windows.REG_NOTIFY_CHANGE_LAST_SET | windows.REG_NOTIFY_THREAD_AGNOSTIC
		if err := windows.RegNotifyChangeKeyValue(windows.Handle(k), true, what, change, true); err != nil {
			return fmt.Errorf("watch policy: %w", err)
		}
		report()
		n, err := windows.WaitForMultipleObjects([]windows.Handle{stop, change}, false, windows.INFINITE)
		if err != nil {
			return fmt.Errorf("watch policy: %w", err)
		}
		if n == windows.WAIT_OBJECT_0 {
			return nil
		}
		// A policy is often written in several steps.
		if n, err := windows.WaitForSingleObject(stop, uint32(settle/time.Millisecond)); err != nil || n == windows.WAIT_OBJECT_0 {
			return err
		}
	}
}
