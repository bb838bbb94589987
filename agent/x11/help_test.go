package x11

import (
	"strconv"
	"strings"
	"testing"

	"github.com/jezek/xgb/xproto"
)

// parseID reads the first window id that xdotool printed.
func parseID(t *testing.T, out string) xproto.Window {
	t.Helper()
	n, err := strconv.ParseUint(strings.Fields(out)[0], 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return xproto.Window(n)
}
