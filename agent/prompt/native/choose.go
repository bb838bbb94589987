package native

// Row is one line of a list to choose from.
type Row = struct {
	Name   string
	Chosen bool
}
