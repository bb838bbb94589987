package service

import (
	"path/filepath"

	"golang.org/x/sys/windows"
)

// DefaultStateDir is the installed service's, in the folder that the system has
// for programs' data: asked for, for the variable of that name is another thing
// for each account.
var DefaultStateDir = filepath.Join(programData(), "Aval")

// DefaultTokenDir is within that folder, which is closed to others: the installer's
// token file is moved there.
var DefaultTokenDir = filepath.Join(DefaultStateDir, "enroll.d")

// DefaultSocket is the pipe of the installed service. DefaultPolicyDir stands for
// the registry, where the policy lies here.
const (
	DefaultSocket    = `\\.\pipe\ProtectedPrefix\Administrators\aval`
	DefaultPolicyDir = `HKLM\SOFTWARE\Policies\Aval`
)

// ShippedList is none: Windows Installer keeps that list itself.
const ShippedList = ""

// StartsHelpers: the installed service starts aval-desktop in each session.
const StartsHelpers = true

func programData() string {
	if dir, err := windows.KnownFolderPath(windows.FOLDERID_ProgramData, windows.KF_FLAG_DEFAULT); err == nil {
		return dir
	}
	return `C:\ProgramData`
}
