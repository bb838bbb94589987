package agent

import (
	"os"

	"aval/agent/store"
)

// ThisMachine names this computer: by machine-id(5), and by the UUID of its board
// (SMBIOS, System Information; only root may read it).
func ThisMachine() store.Machine {
	read := func(path string) string {
		raw, err := os.ReadFile(path)
		if err != nil {
			return ""
		}
		return string(raw)
	}
	return store.Machine{System: machineName("system", read("/etc/machine-id")), Board: machineName("board", read("/sys/class/dmi/id/product_uuid"))}
}
