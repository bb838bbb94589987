package watch

import (
	"fmt"
	"os"

	"golang.org/x/sys/windows"
)

// openShared opens a file for reading so that who writes it may rename or
// delete it meanwhile (CreateFileW, FILE_SHARE_DELETE).
func openShared(path string) (*os.File, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	h, err := windows.CreateFile(name, windows.GENERIC_READ,
		windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE|windows.FILE_SHARE_DELETE, nil, windows.OPEN_EXISTING, windows.FILE_ATTRIBUTE_NORMAL, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(h), path), nil
}

// fileID is the volume and the index of the file in it
// (GetFileInformationByHandle).
func fileID(f *os.File) (string, error) {
	var info windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(windows.Handle(f.Fd()), &info); err != nil {
		return "", fmt.Errorf("identify %s: %w", f.Name(), err)
	}
	return fmt.Sprintf("%d-%d-%d", info.VolumeSerialNumber, info.FileIndexHigh, info.FileIndexLow), nil
}
