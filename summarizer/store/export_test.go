package store

// LookAtMost changes how many candidates one page of a search may look at, until
// the function that it returns is called.
func LookAtMost(n int) (undo func()) {
	old := lookedMost
	lookedMost = n
	return func() { lookedMost = old }
}

// FewDevices changes how many devices are found by their ends, until the function
// that it returns is called.
func FewDevices(n int) (undo func()) {
	old := fewDevices
	fewDevices = n
	return func() { fewDevices = old }
}

// OldestSchema is what this version says of the programs that may go on with it.
const OldestSchema = oldestSchema
