package main

import (
	"strconv"

	"golang.org/x/sys/windows"

	"aval/assets"
)

// surroundings is the desktop session that the system has put this process into.
// The service asks the system itself which one it is.
func surroundings(func(string) string) session {
	s := session{kind: "windows", locale: assets.Locale()}
	var id uint32
	if err := windows.ProcessIdToSessionId(windows.GetCurrentProcessId(), &id); err == nil {
		s.logind = strconv.Itoa(int(id))
		s.display = "session-" + s.logind
	}
	return s
}
