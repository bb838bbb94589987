// Package wine installs the package for Windows under Wine, as device management
// would, and works what it has installed: the service, its policy, the question,
// an upgrade, the removal.
//
// The one rule that must not be broken: what is shown here is shown of Wine 8, and
// docs/windows.md says so; what Wine cannot do is not claimed.
package wine
