package source

import "log/slog"

// DropIn is a folder in which device management lays JSON files for the service,
// such as token files. Dir must be absolute. What may be read from it is what may
// be read of policies: files that root alone could have written.
type DropIn struct {
	Dir string
	// Own accepts what belongs to the user that runs this program, too.
	Own bool
	Log *slog.Logger
}

// Dropped is one file of a DropIn.
type Dropped struct {
	Path string
	Raw  []byte
}
