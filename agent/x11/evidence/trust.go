package evidence

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// device is one line of the device table.
type device struct {
	info
	node  string
	trust Trust
}

// remoteNames begin the names of the devices through which a remote desktop's
// own X server is used (xorgxrdp, TigerVNC's vncInput.c).
var remoteNames = []string{"xrdp", "TigerVNC"}

var nodeName = regexp.MustCompile(`^/dev/input/(event[0-9]{1,5})$`)

// judge says what a slave device is. root is where /sys is looked for. Injected
// comes first: that property cannot be changed by a client. "Device Node" can
// be set by any client on a device whose driver does not guard it; therefore
// the kernel must know the node by the name that the X server has for the
// device, and no client can change that one.
func judge(name, node string, xtest bool, testDevices []string, root string) Trust {
	switch {
	case xtest:
		return Injected
	case slices.Contains(testDevices, name):
		return Test
	case slices.ContainsFunc(remoteNames, func(p string) bool { return strings.HasPrefix(name, p) }):
		return Remote
	case physical(name, node, root):
		return Hardware
	}
	return Unknown
}

// physical tells whether node is an input device of the kernel with that name
// that is not made by a program (uinput). Bluetooth devices are made by the
// Bluetooth service through uhid and count by their bus type (Linux
// uapi/linux/input.h: BUS_BLUETOOTH is 5).
func physical(name, node, root string) bool {
	match := nodeName.FindStringSubmatch(node)
	if match == nil {
		return false
	}
	root, err := filepath.EvalSymlinks(root)
	if err != nil {
		return false
	}
	dir, err := filepath.EvalSymlinks(filepath.Join(root, "sys/class/input", match[1], "device"))
	if err != nil {
		return false
	}
	devices := filepath.Join(root, "sys/devices") + string(filepath.Separator)
	path, ok := strings.CutPrefix(dir, devices)
	if !ok || name == "" || line(filepath.Join(dir, "name")) != name {
		return false
	}
	path = filepath.ToSlash(path)
	if strings.HasPrefix(path, "virtual/misc/uhid/") {
		return line(filepath.Join(dir, "id/bustype")) == "0005"
	}
	return !strings.HasPrefix(path, "virtual/")
}

// line reads a file of sysfs; "" when it cannot.
func line(path string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(raw), "\n")
}
