package mdm

import "aval/agent/service"

// barred are the rights of macOS that no program of Aval is to have, whoever might
// press the button: the screen's pictures, what is typed, other programs' windows,
// pressing keys for somebody, camera and microphone (the services of Apple's "Privacy
// Preferences Policy Control" payload). None of the others is needed either.
var barred = []string{"Accessibility", "Camera", "ListenEvent", "Microphone", "PostEvent", "ScreenCapture"}

// Rights is the configuration profile that goes with the package for macOS. Nobody
// who uses the Mac can switch off what launchd starts of Aval (Apple's "Service
// Management: Managed Login Items" payload, macOS 13). With the team of the
// certificate that has signed the programs, they are told by their signature, and
// what they are never to do is denied for good; without it by their labels alone.
func Rights(team string) []byte {
	w := &writer{}
	profile(w, "aval.rights", "Aval: rights", func() {
		payload(w, 3, "com.apple.servicemanagement", "aval.rights.login-items", "Aval: what starts by itself", func() {
			w.line(3, `<key>Rules</key>`)
			w.line(3, `<array>`)
			for _, label := range []string{service.Name, service.MacAsking[0]} {
				w.line(4, `<dict>`)
				w.line(5, `<key>RuleType</key>`)
				w.line(5, `<string>Label</string>`)
				w.line(5, `<key>RuleValue</key>`)
				w.line(5, `<string>%s</string>`, label)
				if team != "" {
					w.line(5, `<key>TeamIdentifier</key>`)
					w.line(5, `<string>%s</string>`, team)
				}
				w.line(4, `</dict>`)
			}
			w.line(3, `</array>`)
		})
		if team == "" {
			return
		}
		payload(w, 3, "com.apple.TCC.configuration-profile-policy", "aval.rights.denied", "Aval: what it may never do", func() {
			w.line(3, `<key>Services</key>`)
			w.line(3, `<dict>`)
			for _, right := range barred {
				w.line(4, `<key>%s</key>`, right)
				w.line(4, `<array>`)
				for _, name := range []string{"aval", "aval-desktop", "aval-ui"} {
					w.line(5, `<dict>`)
					w.line(6, `<key>Identifier</key>`)
					w.line(6, `<string>%s</string>`, service.MacPrograms+"/"+name)
					w.line(6, `<key>IdentifierType</key>`)
					w.line(6, `<string>path</string>`)
					w.line(6, `<key>CodeRequirement</key>`)
					w.line(6, `<string>%s</string>`, requirement(name, team))
					w.line(6, `<key>Authorization</key>`)
					w.line(6, `<string>Deny</string>`)
					w.line(5, `</dict>`)
				}
				w.line(4, `</array>`)
			}
			w.line(3, `</dict>`)
		})
	})
	return w.b.Bytes()
}

// requirement is how macOS knows a program: by its name in the signature, and by
// whose certificate that is ("Code Signing Requirement Language"). The names are
// those that installer/macos/release.sh signs with.
func requirement(name, team string) string {
	return `identifier "aval.Aval.` + name + `" and anchor apple generic and certificate leaf[subject.OU] = "` + team + `"`
}
