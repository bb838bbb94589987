package winreg

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// Watch calls report at once and after each change of a key or below it, until ctx
// ends, which is no error. What follows a change within settle is one with it: who
// writes a setting writes several values. view is registry.WOW64_64KEY or
// registry.WOW64_32KEY.
func Watch(ctx context.Context, root registry.Key, path string, view uint32, settle time.Duration, report func()) error {
	k, err := registry.OpenKey(root, path, registry.NOTIFY|view)
	if err != nil {
		return fmt.Errorf("watch registry: open %s: %w", path, err)
	}
	defer k.Close()
	change, err := windows.CreateEvent(nil, 0, 0, nil)
	if err != nil {
		return fmt.Errorf("watch registry: %w", err)
	}
	defer windows.CloseHandle(change)
	stop, err := windows.CreateEvent(nil, 1, 0, nil)
	if err != nil {
		return fmt.Errorf("watch registry: %w", err)
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
			return fmt.Errorf("watch registry: %s: %w", path, err)
		}
		report()
		n, err := windows.WaitForMultipleObjects([]windows.Handle{stop, change}, false, windows.INFINITE)
		if err != nil {
			return fmt.Errorf("watch registry: %s: %w", path, err)
		}
		if n == windows.WAIT_OBJECT_0 {
			return nil
		}
		if n, err := windows.WaitForSingleObject(stop, uint32(settle/time.Millisecond)); err != nil || n == windows.WAIT_OBJECT_0 {
			return err
		}
	}
}
