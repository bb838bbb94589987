//go:build !darwin

package source

// DefaultPreferences: only macOS has managed preferences.
const DefaultPreferences = ""
