// Package winreg waits for changes of Windows' registry: of the policy, of what is
// installed, of settings. On other systems it is empty.
//
// The one rule that must not be broken: it is asked for the next change before the
// last one is reported, so that none falls between two.
package winreg
