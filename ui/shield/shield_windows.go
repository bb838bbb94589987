package shield

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/windows"

	"aval/ui/win32"
)

var (
	procSet = win32.User32.NewProc("SetWindowDisplayAffinity")
	procGet = win32.User32.NewProc("GetWindowDisplayAffinity")
)

// Exclude keeps a top-level window of this process out of pictures, by its
// handle. It fails for a window of another process.
func Exclude(handle uintptr) (Kept, error) {
	for _, p := range []*windows.LazyProc{procSet, procGet} {
		if err := p.Find(); err != nil {
			return "", fmt.Errorf("keep window out of pictures: %w", err)
		}
	}
	return exclude(func(way uint32) error {
		if ok, _, err := procSet.Call(handle, uintptr(way)); ok == 0 {
			return err
		}
		return nil
	}, func() (way uint32, err error) {
		if ok, _, err := procGet.Call(handle, uintptr(unsafe.Pointer(&way))); ok == 0 {
			return 0, err
		}
		return way, nil
	})
}
