package assets

import (
	"os"
	"strings"

	"golang.org/x/sys/windows"
)

// locale is the environment where somebody set it there, else the user's list
// of display languages (GetUserPreferredUILanguages).
func locale() string {
	if l := posix(os.Getenv); l != "" {
		return l
	}
	list, err := windows.GetUserPreferredUILanguages(windows.MUI_LANGUAGE_NAME)
	if err != nil {
		return ""
	}
	return strings.Join(list, ":")
}
