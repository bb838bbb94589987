package source

import "aval/agent/policy"

// DefaultPreferences is where macOS lays managed preferences for the whole
// computer; only root can write there.
const DefaultPreferences = "/Library/Managed Preferences/" + policy.PreferenceDomain + ".plist"
