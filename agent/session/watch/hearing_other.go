//go:build !linux

package watch

// runningTools lists the programs that run and are heard themselves.
func runningTools() []Hearing {
	var out []Hearing
	for _, s := range Servers() {
		out = append(out, here(s.Tool, at("", s.PID)))
	}
	return out
}
