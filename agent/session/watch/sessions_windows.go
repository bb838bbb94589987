//go:build !wine

package watch

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// desktopSessions is the list.
func desktopSessions() (map[uint32]wtsSession, error) {
	var first *windows.WTS_SESSION_INFO
	var n uint32
	const current, version = 0, 1 // WTS_CURRENT_SERVER_HANDLE; the only version
	if err := windows.WTSEnumerateSessions(current, 0, version, &first, &n); err != nil {
		return nil, err
	}
	defer windows.WTSFreeMemory(uintptr(unsafe.Pointer(first)))
	out := map[uint32]wtsSession{}
	for _, s := range unsafe.Slice(first, n) {
		w := queryWTS(s.SessionID)
		w.active = s.State == windows.WTSActive
		w.locked = lockState(wtsQuery(s.SessionID, wtsSessionInfoEx))
		out[s.SessionID] = w
	}
	return out, nil
}
