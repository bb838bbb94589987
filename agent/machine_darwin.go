package agent

import "aval/agent/store"

// ThisMachine names no computer: macOS tells its hardware UUID through IOKit alone,
// which needs cgo, so a copied disk is not noticed there.
func ThisMachine() store.Machine { return store.Machine{} }
