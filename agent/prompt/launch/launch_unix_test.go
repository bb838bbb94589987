//go:build unix

package launch

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestEnvironment(t *testing.T) {
	got := environment([]string{
		"HOME=/home/x", "PATH=/evil", "LD_PRELOAD=/evil.so", "GTK_MODULES=evil", "QT_PLUGIN_PATH=/evil",
		"LC_ALL=pt_BR.UTF-8", "DISPLAY=:3", "AVAL_SOCKET=/evil", "broken",
	}, []string{"GDK_BACKEND=x11"})
	want := []string{"PATH=/usr/bin:/bin", "HOME=/home/x", "LC_ALL=pt_BR.UTF-8", "DISPLAY=:3", "GDK_BACKEND=x11"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestFind(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	program := filepath.Join(b, "aval-ui")
	write := func(path string, mode os.FileMode) {
		if err := os.WriteFile(path, nil, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := find("aval-ui", []string{a, b}); !errors.Is(err, ErrNotInstalled) {
		t.Errorf("nothing there: %v", err)
	}
	write(program, 0o755)
	if got, err := find("aval-ui", []string{a, b}); err != nil || got != program {
		t.Errorf("%q %v", got, err)
	}
	for _, mode := range []os.FileMode{0o644, 0o757} { // no program; anybody's to change
		os.Chmod(program, mode)
		if _, err := find("aval-ui", []string{a, b}); !errors.Is(err, ErrNotInstalled) {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	if _, err := find("../aval-ui", []string{a}); err == nil || errors.Is(err, ErrNotInstalled) {
		t.Errorf("a path as a name: %v", err)
	}
	t.Setenv("PATH", b)
	if p, err := Find("no-such-program-of-aval"); err == nil {
		t.Errorf("found %s", p)
	}
}

func TestOutputIsBounded(t *testing.T) {
	var o Output
	for range 3 {
		o.Write([]byte(strings.Repeat("x", maxOutput-1)))
	}
	o.Write([]byte("end"))
	if s := o.String(); len(s) != maxOutput || !strings.HasSuffix(s, "xend") {
		t.Errorf("%d bytes", len(s))
	}
}

// TestSessionBus: what no server of the system listens on is not asked for, so
// that no bus is started. Planted: the address as it was given.
func TestSessionBus(t *testing.T) {
	own := "unix:path=/run/user/" + strconv.Itoa(os.Getuid()) + "/bus"
	for given, want := range map[string]string{
		"":                                    own,
		"autolaunch:":                         own,
		"unix:path=/tmp/bus;autolaunch:":      own,
		"unixexec:path=/tmp/evil":             own,
		"unix:path=/run/user/7/bus":           "unix:path=/run/user/7/bus",
		"unix:abstract=/tmp/dbus-x,guid=00ff": "unix:abstract=/tmp/dbus-x,guid=00ff",
	} {
		if got := sessionBus(given); got != want {
			t.Errorf("sessionBus(%q) = %q, want %q", given, got, want)
		}
	}
}
