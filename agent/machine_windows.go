package agent

import (
	"golang.org/x/sys/windows/registry"

	"aval/agent/store"
)

// ThisMachine names this computer by the MachineGuid that Windows makes when it is
// installed, and again when an image is generalised (sysprep).
func ThisMachine() store.Machine {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, `SOFTWARE\Microsoft\Cryptography`, registry.QUERY_VALUE|registry.WOW64_64KEY)
	if err != nil {
		return store.Machine{}
	}
	defer k.Close()
	guid, _, err := k.GetStringValue("MachineGuid")
	if err != nil {
		return store.Machine{}
	}
	return store.Machine{System: machineName("system", guid)}
}
