// Package macos has the package for macOS judged by what was not written here:
// readers of its formats, and a shell that runs its scripts in a root of their own.
//
// The one rule that must not be broken: nothing of macOS runs here, and
// docs/macos.md says so; what only a Mac can show is in installer/macos/check.sh.
package macos
