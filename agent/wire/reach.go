package wire

// The states of Reach. Those from ReachNoHelper on need somebody to put them right.
const (
	ReachReady    = "ready"     // somebody is at a desktop and can be asked
	ReachLocked   = "locked"    // every desktop is locked or left
	ReachNobody   = "nobody"    // nobody is signed in at a desktop
	ReachNoHelper = "no-helper" // there is a desktop in which aval-desktop does not run, or none can be told of
	ReachNoPrompt = "no-prompt" // neither window nor dialog is installed
	ReachNotShown = "not-shown" // the last question could not be shown, or its window was lost
)

// Reaches lists the states.
func Reaches() []string {
	return []string{ReachReady, ReachLocked, ReachNobody, ReachNoHelper, ReachNoPrompt, ReachNotShown}
}

// Unreachable lists the states in which nobody can be asked until somebody has
// put something right.
func Unreachable() []string { return []string{ReachNoHelper, ReachNoPrompt, ReachNotShown} }
