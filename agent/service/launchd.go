package service

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"
)

// The places of an installation on macOS. In MacFolder, and in every folder above
// it, root alone can write; /usr/local often belongs to a person there.
const (
	MacFolder    = "/opt/aval"
	MacPrograms  = MacFolder + "/bin"
	MacDaemon    = "/Library/LaunchDaemons/" + Name + ".plist"
	MacLog       = "/Library/Logs/Aval/aval.log"
	MacUninstall = MacFolder + "/uninstall"
)

// MacGroup is the group that MacAsking run with.
const MacGroup = "_aval"

// MacAsking names the programs that ask people. They run with MacGroup, so that the
// service knows them by the kernel's word; the dynamic linker takes nothing from the
// environment of such a program (dyld(1)). aval-ui is none of them: Apple's libraries
// for windows end a program that runs with another group than its user's.
var MacAsking = []string{"aval-desktop"}

// Daemon is what launchd is told of the service (launchd.plist(5)): executable run
// with arguments. It starts at boot and again whenever it ends; launchd waits 10 s
// at least between two starts that follow each other at once.
func Daemon(executable string, arguments ...string) (string, error) {
	var words strings.Builder
	for _, a := range append([]string{executable, "run"}, arguments...) {
		// "{{" would be read by kardianos, which takes this for a template.
		if strings.ContainsFunc(a, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd }) || strings.Contains(a, "{{") {
			return "", fmt.Errorf("make daemon: %q cannot stand in a property list", a)
		}
		var b bytes.Buffer
		if err := xml.EscapeText(&b, []byte(a)); err != nil {
			return "", fmt.Errorf("make daemon: %w", err)
		}
		fmt.Fprintf(&words, "\t\t<string>%s</string>\n", b.String())
	}
	return strings.NewReplacer("@WORDS@\n", words.String()).Replace(daemon), nil
}

// daemon: the service writes no file that others may read (Umask 077, in decimal),
// leaves no image of its memory, and is waited for as long as StopLimit and a second.
const daemon = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>Label</key>
	<string>` + Name + `</string>
	<key>ProgramArguments</key>
	<array>
@WORDS@
	</array>
	<key>RunAtLoad</key>
	<true/>
	<key>KeepAlive</key>
	<true/>
	<key>ExitTimeOut</key>
	<integer>6</integer>
	<key>Umask</key>
	<integer>63</integer>
	<key>HardResourceLimits</key>
	<dict>
		<key>Core</key>
		<integer>0</integer>
	</dict>
	<key>ProcessType</key>
	<string>Interactive</string>
	<key>StandardErrorPath</key>
	<string>` + MacLog + `</string>
</dict>
</plist>
`
